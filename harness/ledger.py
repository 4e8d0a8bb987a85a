"""What an arm costs: phases metered in this run, and artifacts at what they cost when made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import store
from harness.metering.meter import Meter
from harness.metering.reading import PhaseReading, from_json, merged, to_json
from harness.store import Artifact

Readings = dict[str, PhaseReading]


@dataclass
class Ledger:
    """Collects readings, telling what this run spent from what it reused.

    Attributes:
        reuse: whether artifacts may be taken from the store.
        makes: whether what is not there is made; else it is only looked for.
        aside: a folder in which all is made anew, once, while the store is neither read nor
            written; None: the store is used.
        missing: kinds of the artifacts that were looked for and are not there.
        reused: kinds of the artifacts that were, in order of use.
        artifacts: all that were obtained, made or reused, in order of use.
    """

    meter: Meter
    reuse: bool = True
    makes: bool = True
    aside: Path | None = None
    missing: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    _entries: list[tuple[Readings, bool]] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Meter a phase and enter it in the ledger."""
        with self.meter.phase(name) as span:
            yield
        self._entries.append((span.readings(), True))

    def obtain(self, kind: str, key: dict[str, Any], make: Callable[[Path], None]) -> Artifact:
        """The artifact for ``key``; its cost is entered whether it is made now or reused.

        One that is missing, where nothing is to be made, is the place where it would lie.

        Whatever ``make`` meters through this ledger is stored with the artifact.

        Raises:
            RuntimeError: a phase runs. Its cost would be left out of the artifact's, and where
                phases take turns, two cells could wait for each other's artifact and turn.
        """
        if self.meter.current is not None:
            raise RuntimeError(f"'{kind}' was asked for inside phase '{self.meter.current}'")
        if not self.makes:
            found = store.find(kind, key)
            if not found.reused:
                self.missing.append(kind)
            return found
        if self.aside is not None:
            aside = store.make_aside(self.aside, kind, key, make)
            self.artifacts.append(aside)
            return aside
        mark = self.mark

        def make_and_tell(folder: Path) -> dict[str, Any]:
            make(folder)
            return to_json(self.entered_since(mark))

        artifact = store.obtain(kind, key, make_and_tell, reuse=self.reuse)
        self.artifacts.append(artifact)
        if artifact.reused:
            self._entries.append((from_json(artifact.costs), False))
            self.reused.append(kind)
        return artifact

    def work_folder(self, kind: str, key: dict[str, Any]) -> Path:
        """Where the maker of this artifact may keep what lets it go on after a kill."""
        there = store.work_folder(kind, key)
        return there if self.aside is None else self.aside / kind / there.name

    def laps(self, name: str) -> Laps:
        """A phase to be metered with ``with``, whose cost can be read while it goes on."""
        return Laps(self, name)

    def continued(self, kind: str, readings: Readings) -> None:
        """Enter what an earlier, interrupted attempt spent on work that this one goes on from."""
        self._entries.append((readings, False))
        self.reused.append(kind)

    def entered_since(self, mark: int) -> Readings:
        """The sum of what was entered after the first ``mark`` entries."""
        return merged(*(readings for readings, _ in self._entries[mark:]))

    @property
    def mark(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    def full(self) -> Readings:
        """What the arm costs: everything entered, reused artifacts at their first cost."""
        return merged(*(readings for readings, _ in self._entries))

    def spent(self) -> Readings:
        """What this run itself metered."""
        return merged(*(readings for readings, spent in self._entries if spent))


class Laps:
    """A phase metered in laps, so that its cost so far can be kept with a checkpoint.

    A phase that runs cannot be read: each reading ends a lap and begins another, without a gap
    that would matter. An interrupted lap is lost, like the work that was done in it.
    """

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger = ledger
        self._name = name
        self._stack = ExitStack()
        self._mark = ledger.mark

    def __enter__(self) -> Laps:
        self._stack.enter_context(self._ledger.phase(self._name))
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)

    def so_far(self) -> dict[str, Any]:
        """JSON-ready readings of this phase up to now, an earlier attempt's included."""
        self._stack.close()
        self._stack.enter_context(self._ledger.phase(self._name))
        return to_json(self._ledger.entered_since(self._mark))

    def resumed(self, costs: dict[str, Any]) -> None:
        """Enter what ``so_far`` gave at the checkpoint that this attempt goes on from."""
        self._ledger.continued("checkpoint", from_json(costs))
