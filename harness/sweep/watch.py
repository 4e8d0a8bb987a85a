"""Says how a sweep goes while it runs: a line for each cell that ends, or one live view.

A thread of the launcher's own process reads the journal, whatever process runs the cells.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from harness.sweep.journal import AGAIN, DONE, ENDED, FAILED, KEPT, Event, Sweep, read

if TYPE_CHECKING:
    from rich.table import Table

POLL_SECONDS = 0.5


@contextmanager
def watching(journals: Sequence[Path], live: bool, stream: TextIO | None = None) -> Iterator[None]:
    """While the block runs, tell of every cell that ends; ``live`` draws one view instead."""
    stream = stream or sys.stderr
    stop = threading.Event()
    show = _live if live and stream.isatty() else _lines
    thread = threading.Thread(target=show, args=(journals, stop, stream), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def combined(journals: Sequence[Path]) -> Sweep:
    """One sweep made of all journals: a command whose cells go to several experiments."""
    sweeps = [read(path) for path in journals if path.exists()]
    cells = {
        f"{i} {name}": event for i, one in enumerate(sweeps) for name, event in one.cells.items()
    }
    began = min((one.began_at for one in sweeps), default=0.0)
    jobs = max((one.jobs for one in sweeps), default=0)
    return Sweep(sweeps[0].invocation if sweeps else "", max(jobs, len(cells)), began, cells)


def in_words(event: Event) -> str:
    """How one cell ended, in a few words."""
    took = "" if event.seconds is None else f" in {duration(event.seconds)}"
    used = "" if not event.energy_kwh else f", {energy(event.energy_kwh)}"
    told = {
        DONE: f"done{took}{used}",
        KEPT: "was there already",
        FAILED: f"failed{took}: {event.error}",
        AGAIN: f"lost, is tried again: {event.error}",
    }
    return f"{event.cell}: {told.get(event.state, event.state)}"


def headline(sweep: Sweep) -> str:
    """The sweep in one line: cells done, running, failed; time left and energy so far."""
    parts = [f"{sweep.count(*ENDED)} of {sweep.jobs} ended"]
    running = sweep.running()
    if running:
        parts.append(f"{len(running)} running")
    for state, word in ((KEPT, "kept"), (FAILED, "failed")):
        if sweep.count(state):
            parts.append(f"{sweep.count(state)} {word}")
    if sweep.lost():
        parts.append(f"{len(sweep.lost())} lost")
    left = sweep.seconds_left()
    if left is not None and sweep.count(*ENDED) < sweep.jobs:
        parts.append(f"about {duration(left)} left")
    used = sweep.energy_kwh()
    if used is not None:
        parts.append(f"{energy(used)} so far")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds for people: "45 s", "12 min", "3 h 05 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def energy(kwh: float) -> str:
    """Energy for people, in Wh or kWh."""
    return f"{kwh:.3g} kWh" if kwh >= 1 else f"{kwh * 1000:.3g} Wh"


def _lines(journals: Sequence[Path], stop: threading.Event, stream: TextIO) -> None:
    told: dict[str, str] = {}
    while True:
        last = stop.wait(POLL_SECONDS)
        sweep = combined(journals)
        for name, event in sweep.cells.items():
            if event.state in (*ENDED, AGAIN) and told.get(name) != event.state:
                told[name] = event.state
                print(f"{in_words(event)}   [{headline(sweep)}]", file=stream, flush=True)
        if last:
            return


def _live(journals: Sequence[Path], stop: threading.Event, stream: TextIO) -> None:
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(file=stream), refresh_per_second=2, transient=True) as live:
        while True:
            last = stop.wait(POLL_SECONDS)
            live.update(view(combined(journals)))
            if last:
                return


def view(sweep: Sweep) -> Table:
    """The live view, for rich: what runs and since when, what ended last, the headline."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    now = time.time()
    for event in sweep.running():
        table.add_row("▶", Text(event.cell), f"{duration(max(0.0, now - event.at))}")
    ended = [one for one in sweep.cells.values() if one.state in ENDED]
    for event in sorted(ended, key=lambda one: one.at)[-8:]:
        mark = "✗" if event.state == FAILED else "✓"
        table.add_row(mark, Text(in_words(event)), "")
    table.add_row("", Text(headline(sweep), style="bold"), "")
    return table
