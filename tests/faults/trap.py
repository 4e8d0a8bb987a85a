"""Stops a process at a chosen file system event, so that it can be killed just there.

An audit hook of Python sees each file that is opened, renamed or removed and each folder that is
made, before it happens; the harness itself knows nothing of it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable

EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")

STAGES = {
    "row": r"/(\.)?runs\.csv(?!\.lock)",
    "predictions": r"/predictions/",
    "probes file": r"/results/[^/]+/probes/",
    "sealing": r"/store/\w+/\.making-[^/]+/artifact/manifest\.json$",
    "index": r"/store/index/\.making-",
    "checkpoint": r"/store/adapter/\.work-[^/]+/checkpoint-",
    "adapter": r"/store/adapter/\.making-",
    "answers": r"/store/answers/\.making-",
    "probes": r"/store/probes/\.making-",
}
"""Stages that leave traces in the file system, each with the paths that belong to it."""

_PATTERNS = {stage: re.compile(pattern) for stage, pattern in STAGES.items()}


def stage_of(path: str) -> str | None:
    """The stage that a path belongs to."""
    return next((stage for stage, pattern in _PATTERNS.items() if pattern.search(path)), None)


def set_trap(order: str) -> None:
    """From now on, stop this process at the event that ``order`` names.

    Args:
        order: JSON: ``at``, a stage or a regular expression that is searched in "<event> <path>";
            ``after``, another that must have been met before (or null); ``number``, which of the
            events that fit; ``mark``, a file that is made first and tells what was met. Where it
            is there already, nobody is stopped.
    """
    wanted = json.loads(order)
    matches = _matcher(wanted["at"])
    precedes = _matcher(wanted["after"]) if wanted["after"] else None
    left = int(wanted["number"])

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left, precedes
        if left <= 0 or event not in EVENTS:
            return
        told = _told(event, arguments)
        if told is None:
            return
        if precedes is not None:
            precedes = None if precedes(told) else precedes
            return
        if not matches(told):
            return
        left -= 1
        if left == 0 and _first_at(wanted["mark"], told):
            os.kill(os.getpid(), signal.SIGSTOP)

    sys.addaudithook(hook)


def _matcher(at: str) -> Callable[[str], bool]:
    if at in STAGES:
        return lambda told: stage_of(told.partition(" ")[2]) == at
    pattern = re.compile(at)
    return lambda told: pattern.search(told) is not None


def _told(event: str, arguments: tuple[object, ...]) -> str | None:
    """The event in words: its name and the path; None where only reading is asked for."""
    path = arguments[0]
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        if not writes and not (isinstance(mode, str) and set(mode) & set("wax+")):
            return None
    if event == "os.rename":
        path = arguments[1]  # what it becomes
    if not isinstance(path, str | bytes | os.PathLike):
        return None  # a descriptor
    return f"{event} {os.fsdecode(path)}"


def _first_at(mark: str, told: str) -> bool:
    try:
        descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return False
    os.write(descriptor, told.encode())
    os.close(descriptor)
    return True
