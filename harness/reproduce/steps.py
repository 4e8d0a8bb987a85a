"""Steps of a paper's own before a sweep: what it trains or asks follows from earlier runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.reproduce.knowledge import write_by_knowledge

STEPS: dict[str, Callable[[Path], None]] = {"facts by what is known": write_by_knowledge}
"""Name in ``paper.yaml`` -> the step; it is given the folder that the paper's results are in."""
