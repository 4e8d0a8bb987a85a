"""Cells whose process dies or hangs: tried again, then failed, and the sweep goes on."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.cli import main
from harness.config import Config
from harness.models.config import ModelConfig
from harness.record import read_rows
from harness.sweep import supervise
from harness.sweep.child import Order
from harness.sweep.journal import AGAIN, DONE, FAILED, RUNNING, latest
from harness.sweep.supervise import Child, LostError, end_child, run_watched
from harness.tasks.config import FictionalConfig
from tests.sweep.naughty_child import DIES, DIES_ONCE, GOOD, HANGS, LEAVES
from tests.sweep.small_sweeps import artifacts, events, finish, results, start

NAUGHTY = Path(__file__).with_name("naughty_child.py")


@pytest.fixture
def naughty(tmp_path: Path) -> Iterator[Callable[[], Child]]:
    """Gives the living child, or a new one."""
    made: list[Child] = []

    def child() -> Child:
        if not made or not made[-1].alive:
            command = (sys.executable, str(NAUGHTY), str(tmp_path))
            made.append(Child(os.environ, command=command))
        return made[-1]

    yield child
    for one in made:
        one.end()


def order(folder: Path, seed: int) -> Order:
    model = ModelConfig(name="tiny", source="local", id="folder")
    settings = {"arm": "rag", "seed": seed, "results": str(folder), "experiment": "e"}
    return Order(Config(task=FictionalConfig(), model=model, **settings), "missing")


def ran(folder: Path) -> list[list[str]]:
    """Seed, process and whether it was for the failed row, of every order carried out."""
    return [line.split() for line in (folder / "ran").read_text().splitlines()]


def watched(folder: Path, seed: int, child: Callable[[], Child], limit: float | None = None):
    told: list[str] = []
    runs: list[None] = []
    outcome = run_watched(
        order(folder, seed), child, 1, limit, lambda: runs.append(None), told.append
    )
    assert len(runs) == len(told) + 1
    return outcome, told


def test_one_process_runs_one_cell_after_another(tmp_path: Path, naughty: Callable[[], Child]):
    for _ in range(2):
        outcome, told = watched(tmp_path, GOOD, naughty, 60)
        assert (outcome.row["status"], outcome.error, outcome.code, told) == ("ok", "", 0, [])
    (_, first, _), (_, second, _) = ran(tmp_path)
    assert first == second


def test_a_cell_that_is_killed_once_succeeds_at_the_second_try(
    tmp_path: Path, naughty: Callable[[], Child]
):
    outcome, told = watched(tmp_path, DIES_ONCE, naughty)
    assert outcome.row["status"] == "ok"
    assert told == [
        "its process was killed by SIGKILL, which the system sends where memory has run out"
    ]
    assert len({pid for _, pid, _ in ran(tmp_path)}) == 2
    assert len(read_rows(tmp_path / "e" / "runs.csv")) == 1


def test_a_cell_that_always_dies_fails_and_the_next_one_runs(
    tmp_path: Path, naughty: Callable[[], Child]
):
    outcome, told = watched(tmp_path, DIES, naughty)
    assert len(told) == 1
    assert outcome.code == 1
    assert outcome.error.startswith("lost after 2 tries: its process was killed by SIGKILL")
    assert watched(tmp_path, GOOD, naughty)[0].row["status"] == "ok"
    rows = read_rows(tmp_path / "e" / "runs.csv")
    assert [(row["status"], row["error"]) for row in rows] == [
        ("failed", outcome.error),
        ("ok", None),
    ]


def test_a_cell_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, naughty: Callable[[], Child]
):
    began = time.monotonic()
    outcome, told = watched(tmp_path, LEAVES, naughty, limit=1.5)
    assert time.monotonic() - began < 30
    assert told == ["it did not end within 0.025 min (sweep.timeout_minutes)"]
    assert "lost after 2 tries: it did not end within 0.025 min" in outcome.error
    left = int((tmp_path / "left").read_text())
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


def test_a_process_that_was_stopped_counts_as_hanging(tmp_path: Path, naughty: Callable[[], Child]):
    child = naughty()
    child.ask(order(tmp_path, GOOD), 60)
    child.process.send_signal(signal.SIGSTOP)
    with pytest.raises(LostError, match=r"did not end within 0\.01 min"):
        child.ask(order(tmp_path, GOOD), 0.6)
    assert not child.alive
    assert child.process.returncode == -signal.SIGKILL


def test_a_child_that_cannot_start_is_lost(tmp_path: Path):
    child = Child(os.environ, command=(sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(LostError, match=r"its process ended with exit code 3"):
        child.ask(order(tmp_path, GOOD), 5)


def test_what_a_child_prints_goes_to_its_log(tmp_path: Path):
    log = tmp_path / "logs" / "worker.log"
    child = Child(os.environ, log, (sys.executable, "-c", "print('said')"))
    child.process.wait(timeout=30)
    child.end()
    assert log.read_text() == "said\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to run a sweep in whose cells a naughty child runs."""
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, str(NAUGHTY), str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    for name in ("HYDRA_FULL_ERROR", "HARNESS_INVOCATION", "HARNESS_COMMAND", "HARNESS_FOLDER"):
        monkeypatch.setenv(name, "")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path
    end_child()
    root.handlers[:], root.level = handlers, level


def test_a_sweep_goes_on_past_cells_that_die_or_hang(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    seeds = f"seed={GOOD},{HANGS},{DIES_ONCE}"
    code = main(["run", "-m", seeds, "sweep.timeout_minutes=0.03"])
    assert code == 1
    rows = {row["seed"]: row for row in read_rows(folder / "results" / "adhoc" / "runs.csv")}
    assert {seed: row["status"] for seed, row in rows.items()} == {
        GOOD: "ok",
        HANGS: "failed",
        DIES_ONCE: "ok",
    }
    assert "lost after 2 tries: it did not end within 0.03 min" in rows[HANGS]["error"]
    journal = latest(folder / "results" / "adhoc")
    assert journal is not None
    told = [event for event in map(json.loads, journal.read_text().splitlines()) if "cell" in event]
    states = {seed: [one["state"] for one in told if one["seed"] == seed] for seed in rows}
    assert states == {
        GOOD: [RUNNING, DONE],
        HANGS: [RUNNING, AGAIN, RUNNING, FAILED],
        DIES_ONCE: [RUNNING, AGAIN, RUNNING, DONE],
    }
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "failed: closed_book, seed 3: lost after 2 tries" in said.out


def test_without_retries_a_lost_cell_fails_at_once(folder: Path):
    settings = ("sweep.timeout_minutes=60", "sweep.retries=0")
    assert main(["run", f"seed={DIES}", *settings]) == 1
    (row,) = read_rows(folder / "results" / "adhoc" / "runs.csv")
    assert row["error"].startswith("lost after 1 try: its process was killed by SIGKILL")


def children_of(command: int) -> list[psutil.Process]:
    """The processes that run the cells of a command."""
    found = []
    for one in psutil.Process(command).children(recursive=True):
        try:
            if "harness.sweep.child" in one.cmdline():
                found.append(one)
        except psutil.Error:
            continue
    return found


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_a_worker_killed_in_mid_training_is_replaced_and_nothing_is_lost(
    tmp_path: Path, tiny_model_folder: Path, undisturbed: Path
):
    sweep = start(tmp_path, tiny_model_folder, "hydra/launcher=joblib", "sweep.workers=2")
    training = tmp_path / "cache" / "store" / "adapter"
    wait_for(lambda: list(training.glob(".making-*")))
    victims = children_of(sweep.pid)
    for victim in victims:
        victim.kill()
    said = finish(sweep)
    assert victims
    assert results(tmp_path) == results(undisturbed)
    assert artifacts(tmp_path) == artifacts(undisturbed)
    states = [event["state"] for event in events(tmp_path)]
    assert 1 <= states.count(AGAIN) <= 2
    assert (states.count(DONE), states.count(FAILED)) == (4, 0)
    assert "lost, is tried again: its process was killed by SIGKILL" in said


def test_workers_end_with_the_command_that_is_killed(tmp_path: Path, tiny_model_folder: Path):
    sweep = start(tmp_path, tiny_model_folder, "hydra/launcher=joblib", "sweep.workers=2")
    wait_for(lambda: len(children_of(sweep.pid)) == 2 and len(events(tmp_path)) == 2)
    family = psutil.Process(sweep.pid).children(recursive=True)
    sweep.kill()
    sweep.communicate(timeout=30)
    gone, alive = psutil.wait_procs(family, timeout=20)
    assert len(gone) >= 4
    assert not alive
