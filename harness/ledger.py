"""What an arm costs: phases metered in this run, and artifacts at what they cost when made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        reused: kinds of the artifacts that were, in order of use.
    """

    meter: Meter
    reuse: bool = True
    reused: list[str] = field(default_factory=list)
    _entries: list[tuple[Readings, bool]] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Meter a phase and enter it in the ledger."""
        with self.meter.phase(name) as span:
            yield
        self._entries.append((span.readings(), True))

    def obtain(self, kind: str, key: dict[str, Any], make: Callable[[Path], None]) -> Artifact:
        """The artifact for ``key``; its cost is entered whether it is made now or reused.

        Whatever ``make`` meters through this ledger is stored with the artifact.
        """
        mark = len(self._entries)

        def make_and_tell(folder: Path) -> dict[str, Any]:
            make(folder)
            return to_json(merged(*(readings for readings, _ in self._entries[mark:])))

        artifact = store.obtain(kind, key, make_and_tell, reuse=self.reuse)
        if artifact.reused:
            self._entries.append((from_json(artifact.costs), False))
            self.reused.append(kind)
        return artifact

    def full(self) -> Readings:
        """What the arm costs: everything entered, reused artifacts at their first cost."""
        return merged(*(readings for readings, _ in self._entries))

    def spent(self) -> Readings:
        """What this run itself metered."""
        return merged(*(readings for readings, spent in self._entries if spent))
