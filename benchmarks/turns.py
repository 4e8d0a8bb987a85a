"""What benchmarks share: the rows they keep, the model they measure, the processor's name."""

from __future__ import annotations

import csv
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.models.config import ModelConfig

RESULTS = Path(__file__).parent / "results"
SMOLLM = Path(__file__).parent.parent / "conf" / "model" / "smollm2_135m.yaml"


def smollm() -> ModelConfig:
    """The quickstart's model, as its configuration names it."""
    from omegaconf import OmegaConf

    from harness.models.config import ModelConfig

    given: Any = OmegaConf.to_container(OmegaConf.load(SMOLLM))
    return ModelConfig(**{name: value for name, value in given.items() if name != "defaults"})


def processor() -> str:
    """The processor's name."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, *added: dict[str, Any]) -> None:
    """Add rows to a CSV, which has a header from its first row on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(added[0]), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(added)
