"""Metered phases of several processes on one device take turns, and nobody waits for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.ledger import Ledger
from harness.measures.config import MeasureConfig
from harness.metering import sharing
from harness.metering.meter import Meter
from harness.metering.sharing import Neighbours
from harness.sweep.turns import lock_path, turns_on
from tests.sweep.exclusive_worker import WORK_SECONDS

WORKER = Path(__file__).with_name("exclusive_worker.py")
CPU = torch.device("cpu")


def two_workers(folder: Path, first: str, second: str) -> list[dict[str, Any]]:
    """What two processes did that began at once, with these artifacts in these orders."""
    environment = {**os.environ, "HARNESS_CACHE": str(folder / "cache")}
    processes = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(folder), *names],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for names in (first, second)
    ]
    told = []
    for process in processes:
        out, _ = process.communicate(timeout=120)  # two that wait for each other end the test here
        assert process.returncode == 0
        told.append(json.loads(out))
    return told


def test_phases_never_overlap_and_waiting_is_not_metered(tmp_path: Path):
    # Each makes what the other asks for next: artifacts' locks and the device's cross.
    told = two_workers(tmp_path, "abcd", "badc")
    spans = sorted(span for one in told for span in one["spans"])
    assert len(spans) == 4 + 8
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
    # Every artifact was made once, by one of the two; the other waited and took it.
    assert sorted(told[0]["made"] + told[1]["made"]) == ["a", "b", "c", "d"]
    assert sum(one["reused"] for one in told) == 4
    for one in told:
        made = len(one["made"])
        assert one["train"] == pytest.approx(made * WORK_SECONDS, abs=0.1 * made + 0.01)


def test_the_same_artifact_asked_for_at_once_is_made_once(tmp_path: Path):
    first, second = two_workers(tmp_path, "a", "a")
    assert sorted([first["made"], second["made"]]) == [[], ["a"]]
    assert sorted([first["reused"], second["reused"]]) == [0, 1]


def test_the_lock_is_of_the_device_and_lies_in_the_cache(own_cache: Path):
    path = lock_path(CPU)
    assert path.parent == own_cache / "turns"
    assert path.name.endswith("-cpu.lock")
    assert lock_path(torch.device("mps")) != path


def test_a_turn_ends_with_an_error_inside_it(own_cache: Path):
    turn = turns_on(CPU)
    with pytest.raises(ZeroDivisionError), turn():
        raise ZeroDivisionError
    began = time.monotonic()
    with turns_on(CPU)():
        assert time.monotonic() - began < 5


def test_an_artifact_is_never_asked_for_inside_a_phase(own_cache: Path):
    with Meter(CPU) as meter:
        ledger = Ledger(meter)
        with (
            ledger.phase("train"),
            pytest.raises(RuntimeError, match=r"'index' was asked for inside phase 'train'"),
        ):
            ledger.obtain("index", {}, lambda folder: None)


def test_taking_turns_others_are_looked_for_in_turns_only(monkeypatch: pytest.MonkeyPatch):
    # A machine of one core on which another process uses all that we leave it.
    now = {"busy": 0.0, "own": 0.0}
    monkeypatch.setattr(sharing, "_machine_cpu_seconds", lambda: (now["busy"], now["busy"]))
    monkeypatch.setattr(sharing, "own_tree_cpu_seconds", lambda: now["own"])
    monkeypatch.setattr(sharing.time, "perf_counter", lambda: now["busy"])

    def passes(own: float, foreign: float) -> None:
        now["own"] += own
        now["busy"] += own + foreign

    whole, turns = Neighbours(CPU), Neighbours(CPU, paused=True)
    passes(own=0.0, foreign=30.0)  # we wait for our turn
    turns.resume()
    passes(own=9.8, foreign=0.2)
    turns.pause()
    passes(own=0.0, foreign=10.0)
    assert turns.foreign_cpu_share() == pytest.approx(0.02)
    assert turns.device_exclusive() is True
    assert whole.foreign_cpu_share() == pytest.approx(40.2 / 50)
    assert whole.device_exclusive() is False


def test_turns_are_taken_only_if_asked_for():
    assert MeasureConfig().exclusive is False
