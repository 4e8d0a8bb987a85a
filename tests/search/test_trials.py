"""Trials are kept as they end, read back as they were, and their cost is counted once."""

import pytest

from harness.errors import RecordError
from harness.search.trials import FILE, of_search, put_trial, read_trials, tune_reading
from tests.search.samples import reading, trial


def test_a_trial_reads_back_as_it_was_written(tmp_path):
    full = trial(
        3,
        0.1 + 0.2,
        low=0.0,
        n_questions=30,
        settings={"adapter.learning_rate": "0.00023412341", "task.training": "pairs"},
        second="train_seconds",
        second_value=1.5,
        spent=reading(2.0),
        made=["a", "b"],
        reused={"c": reading(1.0, 0.1)},
        invocation="now",
        created_at="2026-01-01T00:00:00+00:00",
    )
    failed = trial(4, None, error='out of memory, "it" said;\nlower it')
    put_trial(tmp_path, full)
    put_trial(tmp_path, failed)
    assert read_trials(tmp_path) == [full, failed]


def test_no_file_holds_no_trials(tmp_path):
    assert read_trials(tmp_path) == []


def test_a_trial_replaces_the_one_with_its_number_in_its_search_alone(tmp_path):
    other = trial(0, 0.9, search="TPE-other")
    for one in (trial(0, None), other, trial(1), trial(0, 0.4)):
        put_trial(tmp_path, one)
    assert of_search(tmp_path, "TPE-abc", 5) == [trial(0, 0.4), trial(1)]
    assert of_search(tmp_path, "TPE-other", 5) == [other]


def test_a_damaged_line_is_named(tmp_path):
    put_trial(tmp_path, trial(0))
    path = tmp_path / FILE
    path.write_text(path.read_text().replace("TPE-abc,0,", "TPE-abc,zero,"))
    with pytest.raises(RecordError, match=r"search\.csv, line 2: damaged .*mend or remove"):
        read_trials(tmp_path)


def test_what_a_search_took_counts_each_artifact_once():
    index, other = reading(5.0, 0.5), reading(7.0, 0.25)
    trials = [
        trial(0, spent=reading(10.0, 1.0), made=["adapter0"], reused={"index": index}),
        # The index again, and what trial 0 made.
        trial(1, spent=reading(1.0, 0.5), reused={"index": index, "adapter0": reading(9.0)}),
        trial(2, None, spent=reading(2.0, 0.25), reused={"other": other}),
        trial(3, digest="digest0", spent=reading(10.0, 1.0)),  # tried again: no work
    ]
    tune = tune_reading(trials)
    assert tune is not None
    assert tune.wall_seconds == 10 + 5 + 1 + 2 + 7
    assert tune.energy_kwh == 1.0 + 0.5 + 0.5 + 0.25 + 0.25


def test_unknown_energy_stays_unknown():
    tune = tune_reading([trial(0, spent=reading(1.0, 0.5)), trial(1, spent=reading(1.0))])
    assert tune is not None
    assert tune.energy_kwh is None
    assert tune_reading([trial(0)]) is None
