"""Resident memory of this process: now, at its highest, and in a phase.

Children are not included, but for a phase's helpers: processes that work for this one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


def resident_bytes() -> int:
    """Resident memory of this process now."""
    return int(_process().memory_info().rss)


def highest_resident_bytes() -> int | None:
    """The highest resident memory of this process since it began, by the kernel's own mark.

    Linux's VmHWM; ``ru_maxrss`` elsewhere, since on Linux that one starts at the resident memory
    of the process that launched this one. None where the system keeps no mark (Windows).
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024  # Linux gives KiB


class PhasePeak:
    """The highest resident memory since ``start``.

    If the kernel's all-time mark rose since then, the mark is the true peak; otherwise the
    highest of the samples that ``note`` took has to do, and a short spike may be missed.

    Args:
        helpers: resident bytes of the processes that work for this one, by sample alone.
    """

    def __init__(self, helpers: Callable[[], int] = lambda: 0) -> None:
        self._helpers = helpers
        self._mark = 0
        self.peak_bytes = 0

    def start(self) -> None:
        """Forget what was before."""
        self._mark = highest_resident_bytes() or 0
        self.peak_bytes = resident_bytes() + self._helpers()

    def note(self) -> None:
        """Take a sample."""
        highest = highest_resident_bytes() or 0
        seen = highest if highest > self._mark else resident_bytes()
        self.peak_bytes = max(self.peak_bytes, seen + self._helpers())


@cache
def _process() -> psutil.Process:
    import psutil

    return psutil.Process()
