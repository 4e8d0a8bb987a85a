"""What the cells of a sweep are doing: one JSON line an event, appended by every worker.

``<results>/<experiment>/sweep/<invocation>.jsonl`` is what the live view and ``harness status``
read. It is no record of results: those are the rows. A line is written at once and is short, so
that lines of several processes do not mix, and a reader passes over one that was left torn.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from harness.errors import RecordError

RUNNING, DONE, KEPT, FAILED, AGAIN = "running", "done", "kept", "failed", "again"
ENDED = (DONE, KEPT, FAILED)

FOLDER = "sweep"


@dataclass(frozen=True)
class Event:
    """A cell that began or ended.

    Attributes:
        cell: names it among the cells of its sweep.
        state: "running", "done", "kept" (its row was there), "failed", or "again" (lost, to be
            tried once more).
        seconds, energy_kwh: what the cell itself took; None until it ended, or if not known.
        at: seconds since the epoch.
    """

    cell: str
    arm: str
    seed: int
    state: str
    run_id: str = ""
    seconds: float | None = None
    energy_kwh: float | None = None
    error: str = ""
    at: float = field(default_factory=time.time)
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)


@dataclass(frozen=True)
class Sweep:
    """All that a journal says.

    Attributes:
        jobs: how many cells were planned.
        began_at: seconds since the epoch.
        cells: cell -> its last event.
    """

    invocation: str
    jobs: int
    began_at: float
    cells: dict[str, Event]

    def count(self, *states: str) -> int:
        """How many cells are in one of the states."""
        return sum(event.state in states for event in self.cells.values())

    def running(self) -> list[Event]:
        """Cells that run, as far as can be seen from here: a dead process runs nothing."""
        return [one for one in self.cells.values() if one.state == RUNNING and is_alive(one)]

    def lost(self) -> list[Event]:
        """Cells whose process died before it could say how they ended."""
        return [one for one in self.cells.values() if one.state == RUNNING and not is_alive(one)]

    def energy_kwh(self) -> float | None:
        """What the cells that ended have used themselves; None if none of them knows."""
        known = [one.energy_kwh for one in self.cells.values() if one.energy_kwh is not None]
        return sum(known) if known else None

    def seconds_left(self) -> float | None:
        """An estimate from the cells that ended, each arm by its own; None before there are any.

        Cells that have not begun are taken to be like the ones that have.
        """
        by_arm: dict[str, list[float]] = {}
        for one in self.cells.values():
            if one.state == DONE and one.seconds is not None:
                by_arm.setdefault(one.arm, []).append(one.seconds)
        if not by_arm:
            return None
        means = {arm: sum(found) / len(found) for arm, found in by_arm.items()}
        usual = sum(means.values()) / len(means)
        running = self.running()
        now = time.time()
        # A clock that was set back must not make it longer.
        gone = {one.cell: max(0.0, now - one.at) for one in running}
        left = sum(max(0.0, means.get(one.arm, usual) - gone[one.cell]) for one in running)
        waiting = max(0, self.jobs - self.count(*ENDED) - len(running))
        return (left + waiting * usual) / max(1, len(running))


def path_of(folder: Path, invocation: str) -> Path:
    """The journal of one command in an experiment's folder."""
    return folder / FOLDER / f"{invocation}.jsonl"


def begin(folder: Path, invocation: str, jobs: int) -> None:
    """Start the journal of a command that is to run ``jobs`` cells.

    Raises:
        RecordError: the folder cannot be written.
    """
    _append(path_of(folder, invocation), {"jobs": jobs, "at": time.time()})


def tell(folder: Path, invocation: str, event: Event) -> None:
    """Add an event; without an invocation (a run that no command started) there is no journal."""
    if invocation:
        _append(path_of(folder, invocation), asdict(event))


def latest(folder: Path) -> Path | None:
    """The journal of the experiment's last command; None if there is none."""
    found = sorted((folder / FOLDER).glob("*.jsonl"))
    return found[-1] if found else None


def read(path: Path) -> Sweep:
    """The state of a sweep; torn lines are passed over.

    Raises:
        RecordError: the journal cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    jobs, began_at = 0, 0.0
    cells: dict[str, Event] = {}
    known = {one.name for one in fields(Event)}
    for line in lines:
        found = _object(line)
        if "jobs" in found:
            jobs, began_at = int(found["jobs"]), float(found["at"])
        elif {"cell", "arm", "seed", "state"} <= set(found):
            event = Event(**{name: value for name, value in found.items() if name in known})
            cells[event.cell] = event
    return Sweep(path.stem, max(jobs, len(cells)), began_at, cells)


def is_alive(event: Event) -> bool:
    """Whether the event's process lives; True for one of another host, which cannot be seen."""
    if event.host != socket.gethostname():
        return True
    import psutil

    return psutil.pid_exists(event.pid)


def run_ids(paths: Sequence[Path]) -> set[str]:
    """The rows that the cells of these journals ended with."""
    return {
        event.run_id
        for path in paths
        if path.exists()
        for event in read(path).cells.values()
        if event.run_id
    }


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _append(path: Path, event: dict[str, Any]) -> None:
    line = (json.dumps(event, ensure_ascii=False) + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror or error}") from error
