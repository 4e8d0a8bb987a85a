"""What is said of a sweep while it runs."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from harness.sweep.journal import AGAIN, DONE, FAILED, KEPT, RUNNING, Event, begin, path_of, tell
from harness.sweep.watch import combined, duration, energy, headline, in_words, view, watching


def test_every_cell_that_ends_gets_one_line(tmp_path: Path):
    begin(tmp_path, "now", 3)
    stream = io.StringIO()
    with watching([path_of(tmp_path, "now")], live=True, stream=stream):
        tell(tmp_path, "now", Event("rag, seed 0", "rag", 0, RUNNING))
        tell(tmp_path, "now", Event("rag, seed 0", "rag", 0, DONE, "r", 12.4, 0.0005))
        time.sleep(1.2)
        tell(tmp_path, "now", Event("lora, seed 0", "lora", 0, FAILED, error="out of memory"))
    first, second = stream.getvalue().splitlines()
    assert first.startswith("rag, seed 0: done in 12 s, 0.5 Wh   [1 of 3 ended")
    assert second.startswith("lora, seed 0: failed: out of memory   [2 of 3 ended, 1 failed")


def test_a_block_that_raises_stops_the_watch(tmp_path: Path):
    begin(tmp_path, "now", 1)
    with pytest.raises(KeyboardInterrupt), watching([path_of(tmp_path, "now")], live=False):
        raise KeyboardInterrupt


def test_the_headline_counts(tmp_path: Path):
    begin(tmp_path, "now", 5)
    for cell, state in (("a", DONE), ("b", KEPT), ("c", FAILED), ("d", RUNNING)):
        tell(tmp_path, "now", Event(cell, "rag", 0, state, seconds=30.0, energy_kwh=0.001))
    said = headline(combined([path_of(tmp_path, "now")]))
    assert said == "3 of 5 ended, 1 running, 1 kept, 1 failed, about 60 s left, 4 Wh so far"


def test_the_words_of_a_cell():
    assert in_words(Event("a", "rag", 0, KEPT)) == "a: was there already"
    assert in_words(Event("a", "rag", 0, AGAIN, error="killed")) == (
        "a: lost, is tried again: killed"
    )


def test_the_live_view_names_what_runs(tmp_path: Path):
    from rich.console import Console

    begin(tmp_path, "now", 2)
    tell(tmp_path, "now", Event("[bold]rag", "rag", 0, RUNNING))
    tell(tmp_path, "now", Event("lora", "lora", 0, DONE, seconds=200.0))
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(view(combined([path_of(tmp_path, "now")])))
    text = console.export_text()
    assert "▶  [bold]rag" in text
    assert "✓  lora: done in 3 min" in text
    assert "1 of 2 ended, 1 running" in text


def test_figures_for_people():
    assert [duration(one) for one in (4.2, 99.4, 720, 11_100)] == [
        "4 s",
        "99 s",
        "12 min",
        "3 h 05 min",
    ]
    assert [energy(one) for one in (0.00123, 2.5)] == ["1.23 Wh", "2.5 kWh"]
