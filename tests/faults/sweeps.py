"""The sweep that is killed, and whether it ended with what an undisturbed one ends with."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.columns import COLUMNS
from harness.predictions import read_predictions
from harness.probe_items import read_probe_items
from harness.record import read_rows

from .forks import ROOT

CONF = Path(__file__).parent / "conf"
TWO_WORKERS = ("hydra/launcher=joblib", "sweep.workers=2", "sweep.threads=1")

TIMED = re.compile(
    r".*_(seconds|kwh|gib|per_second)|latency_.*|emissions_kg|created_at|invocation|code_.*"
    r"|reused|cold_start|device_exclusive|meter_overhead_share"
)
"""Columns that say when, how fast and by what code a row was made, or what it reused."""

SETTLED = [name for name in COLUMNS if not TIMED.fullmatch(name)]
"""Columns that are the same however often the sweep was killed."""

COSTS = [name for name in COLUMNS if re.fullmatch(r"\w+_seconds", name) and "latency" not in name]

LATENCY = re.compile(rb'"latency_seconds": [^,}]*')


@dataclass(frozen=True)
class Sweep:
    """The sweep in a folder of its own, which holds ``cache`` and ``results`` too."""

    folder: Path
    model: Path
    extra: tuple[str, ...] = ()
    seeds: str = "0,1"

    @property
    def arguments(self) -> list[str]:
        """What ``harness`` is given."""
        results = f"results={self.folder / 'results'}"
        named = ["experiment=faults", f"seed={self.seeds}", f"model.id={self.model}", results]
        return ["run", "--config-dir", str(CONF), *named, *self.extra]

    @property
    def record(self) -> Path:
        """The folder of its rows."""
        return self.folder / "results" / "faults"

    @property
    def table(self) -> Path:
        """Its rows."""
        return self.record / "runs.csv"

    def log(self) -> str:
        """What its commands have printed, all of them."""
        path = self.folder / "log.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def finished_rows(self) -> dict[str, bytes]:
        """Rows that stand whole in the table, by run id; a torn last one is left out."""
        if not self.table.exists():
            return {}
        lines = self.table.read_bytes().split(b"\n")[1:-1]
        return {line.split(b",")[1].decode(): line for line in lines}


def faults_in(sweep: Sweep, undisturbed: Sweep) -> Counter[str]:
    """How many rows were lost, doubled, altered…, each told of on standard error."""
    faults: Counter[str] = Counter()

    def tell(kind: str, what: str) -> None:
        faults[kind] += 1
        print(f"{sweep.folder}: {kind}: {what}", file=sys.stderr)

    wanted = {row["run_id"]: row for row in read_rows(undisturbed.table)}
    rows = read_rows(sweep.table)
    for run_id, times in Counter(row["run_id"] for row in rows).items():
        if run_id not in wanted:
            tell("rows unasked for", run_id)
        elif times > 1:
            tell("rows doubled", run_id)
    found = {row["run_id"]: row for row in rows}
    for run_id, row in wanted.items():
        if run_id not in found:
            tell("rows lost", run_id)
            continue
        for name in SETTLED:
            if found[run_id][name] != row[name]:
                tell(
                    "rows altered", f"{run_id}: {name}: {found[run_id][name]!r}, not {row[name]!r}"
                )
        for name in COSTS:
            was, now = row[name], found[run_id][name]
            if (was is None) != (now is None) or (now is not None and now < 0):
                tell("costs unsound", f"{run_id}: {name}: {now!r}, undisturbed {was!r}")
    for part, read in (("predictions", read_predictions), ("probes", read_probe_items)):
        for kind, what in file_faults(sweep.record / part, undisturbed.record / part, read):
            tell(kind, what)
    return faults


def file_faults(folder: Path, undisturbed: Path, read: Any) -> list[tuple[str, str]]:
    """Kind of fault and file, of each that differs from the undisturbed one, latencies left out."""
    faults = []
    names = {path.name for path in (*folder.glob("[!.]*"), *undisturbed.glob("[!.]*"))}
    for name in sorted(names):
        path = folder / name
        if not path.exists():
            faults.append((f"{folder.name} lost", name))
        elif not (undisturbed / name).exists():
            faults.append((f"{folder.name} unasked for", name))
        else:
            read(path)  # raises if it is not whole
            both = [LATENCY.sub(b"", one.read_bytes()) for one in (path, undisturbed / name)]
            if both[0] != both[1]:
                faults.append((f"{folder.name} altered", name))
    return faults


def litter(sweep: Sweep) -> list[Path]:
    """Half-written files and folders that killed processes left and nobody has removed."""
    store = sweep.folder / "cache" / "store"
    made = [path for path in store.glob("*/.*") if path.name.startswith((".making-", ".work-"))]
    written = [path for path in sweep.record.glob("*/.*") if path.is_file()]
    written += [path for path in sweep.record.glob(".runs.csv.*") if path.suffix != ".lock"]
    return [*made, *written]


def make_model(folder: Path) -> Path:
    """The tiny model, made there unless it is there."""
    if not folder.exists():
        sys.path.insert(0, str(ROOT))
        from tests.conftest import make_tiny_model

        make_tiny_model(folder, chat=True)
    return folder
