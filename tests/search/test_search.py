"""A whole search with Optuna on a tiny model: repeated, resumed after a kill, then on test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli import main
from harness.record import read_rows
from harness.search import trial as trial_module
from harness.search.choice import best
from harness.search.trials import FILE, Trial, read_trials
from tests.search.samples import small_search


@pytest.fixture(autouse=True)
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An empty working folder and cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in ("HYDRA_FULL_ERROR", "HARNESS_INVOCATION", "HARNESS_RERUN"):
        monkeypatch.setenv(name, "")


def kept(results: Path) -> list[Trial]:
    return sorted(read_trials(results / "adhoc"), key=lambda one: one.number)


def figures(trials: list[Trial]) -> list[tuple]:
    """What must not depend on when or how often a search was run."""
    return [(one.number, one.settings, one.value, one.low, one.high, one.state) for one in trials]


def test_a_search_repeats_itself_resumes_after_a_kill_and_ends_on_test(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch, capsys
):
    first, killed = tmp_path / "first", tmp_path / "killed"
    assert main([*small_search(tiny_model_folder, first), "search.final_seeds=[0,1]"]) == 0
    whole = kept(first)
    assert [one.number for one in whole] == [0, 1, 2, 3]
    assert len({one.settings["adapter.learning_rate"] for one in whole}) == 4
    assert {one.settings["adapter.rank"] for one in whole} == {"2", "4"}
    chosen = best(whole)
    rows = read_rows(first / "adhoc" / "runs.csv")
    assert [(row["status"], row["seed"]) for row in rows] == [("ok", 0), ("ok", 1)]
    for row in rows:
        assert row["learning_rate"] == float(chosen.settings["adapter.learning_rate"])
        assert row["rank"] == int(chosen.settings["adapter.rank"])
        assert row["n_test"] == 8
        told = f"optuna TPE, 4 trials, validation multiple_choice {chosen.value:.2f} ("
        assert row["settings_chosen_by"].startswith(told)
        assert row["tune_seconds"] == pytest.approx(sum(one.seconds or 0 for one in whole))
        assert "search" in row["reused"]
    # The final run of the searched seed takes the trial's adapter; another seed trains its own.
    assert ["adapter" in row["reused"] for row in rows] == [True, False]
    assert f"chosen: adapter.learning_rate={chosen.settings['adapter.learning_rate']}" in (
        capsys.readouterr().out
    )

    # Killed in the middle, in a process and a cache of its own.
    command = small_search(tiny_model_folder, killed)
    environment = {**os.environ, "HARNESS_CACHE": str(tmp_path / "other"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "harness", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 120
        while len(kept(killed)) < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    before = kept(killed)
    assert 2 <= len(before) < 4
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "other"))
    assert main(command) == 0
    assert figures(kept(killed)) == figures(whole)
    assert kept(killed)[: len(before)] == before  # told to the sampler, not run again

    # The same command once more does nothing.
    monkeypatch.setattr(trial_module, "measure", lambda *args: pytest.fail("a trial was run"))
    text = (killed / "adhoc" / FILE).read_text()
    rows = read_rows(killed / "adhoc" / "runs.csv")
    assert main(command) == 0
    assert (killed / "adhoc" / FILE).read_text() == text
    assert read_rows(killed / "adhoc" / "runs.csv") == rows


def test_trials_that_fail_do_not_end_the_search(tiny_model_folder: Path, tmp_path: Path, capsys):
    # No prompt fits into 16 tokens.
    command = [
        text
        for text in small_search(tiny_model_folder, tmp_path / "results")
        if not text.startswith(("adapter.rank", "adapter.learning_rate"))
    ]
    code = main([*command, "model.context_tokens=choice(16,512)"])
    trials = kept(tmp_path / "results")
    states = {one.settings["model.context_tokens"]: one.state for one in trials}
    assert states == {"16": "failed", "512": "ok"}
    (row,) = read_rows(tmp_path / "results" / "adhoc" / "runs.csv")
    assert row["status"] == "ok"
    assert "failed" in row["settings_chosen_by"]
    assert code == 0


def test_a_search_of_which_all_trials_fail_is_one_line(
    tiny_model_folder: Path, tmp_path: Path, capsys
):
    command = [*small_search(tiny_model_folder, tmp_path / "results"), "model.context_tokens=16"]
    assert main([*command, "hydra.sweeper.n_trials=2"]) == 2
    err = capsys.readouterr().err
    assert "error: no trial of the search gave a score; the first: " in err
    assert "Traceback" not in err
    assert not (tmp_path / "results" / "adhoc" / "runs.csv").exists()


def test_what_no_trial_could_know_is_refused_before_anything_runs(
    tiny_model_folder: Path, tmp_path: Path, capsys
):
    command = small_search(tiny_model_folder, tmp_path / "results")
    for override, said in (
        ("task.validation_questions=0", "has no validation questions to search on"),
        ("search.second=answer_energy_kwh", "is not known with cost.energy=none"),
        ("search.second=forgetting_facts_options", "needs 'facts' in forgetting.probes"),
        ("search.measure=contains", "applies to no validation question of fictional"),
        ("search.second=embedding_similarity", "set measure.embedding_similarity=true"),
    ):
        assert main([*command, override]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    assert not (tmp_path / "results").exists()
