"""One of several processes that make artifacts, metered in turns: ``FOLDER NAMES…``.

Each name is an artifact to obtain; making it takes 0.2 s of a metered phase. What was done when is
printed as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from harness.ledger import Ledger
from harness.metering.meter import Meter
from harness.sweep.turns import turns_on

WORK_SECONDS = 0.2


def main(folder: Path, names: list[str]) -> None:
    device = torch.device("cpu")
    spans: list[tuple[float, float]] = []
    told: dict[str, Any] = {"made": [], "spans": spans}
    (folder / f"ready-{id(folder)}-{time.time_ns()}").touch()
    while len(list(folder.glob("ready-*"))) < 2:
        time.sleep(0.01)
    with Meter(device, turn=turns_on(device)) as meter:
        ledger = Ledger(meter)
        for name in names:

            def make(made: Path, name: str = name) -> None:
                told["made"].append(name)
                # Outside the phase, so that both hold an artifact before either has the device.
                time.sleep(0.05)
                with ledger.phase("train"):
                    began = time.time()
                    time.sleep(WORK_SECONDS)
                    spans.append((began, time.time()))
                (made / "file").write_text(name)

            artifact = ledger.obtain("adapter", {"name": name}, make)
            assert (artifact.folder / "file").read_text() == name
            with ledger.phase("load"):
                began = time.time()
                time.sleep(0.02)
                spans.append((began, time.time()))
        spent = ledger.spent()
        told["train"] = spent["train"].wall_seconds if "train" in spent else 0.0
        told["load"] = spent["load"].wall_seconds
        told["reused"] = len(ledger.reused)
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
