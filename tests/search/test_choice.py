"""Which trial is chosen, and what its row says of the search."""

import pytest

from harness.errors import ConfigError, TrainingError
from harness.search.choice import best, chosen_settings, front, told
from harness.search.config import SearchConfig
from harness.search.trials import put_trial
from tests.search.samples import reading, trial


def test_the_best_validation_score_is_chosen():
    assert best([trial(0, 0.5), trial(1, 0.7), trial(2, 0.6)]).number == 1


def test_of_equal_scores_the_cheaper_is_chosen():
    assert best([trial(0, seconds=30.0), trial(1, seconds=10.0), trial(2, 0.4)]).number == 1


def test_a_cost_within_the_noise_of_the_machine_does_not_decide():
    assert best([trial(0, seconds=10.9), trial(1, seconds=10.0)]).number == 0
    assert best([trial(0, seconds=11.1), trial(1, seconds=10.0)]).number == 1


def test_a_failed_trial_is_never_chosen():
    assert best([trial(0, None), trial(1, 0.0)]).number == 1
    with pytest.raises(TrainingError, match=r"no trial .* gave a score; the first: out of memory"):
        best([trial(0, None), trial(1, None)])


def test_a_measure_that_is_better_low_is_minimised():
    trials = [trial(0, 0.2, measure="false_answer"), trial(1, 0.1, measure="false_answer")]
    assert best(trials).number == 1


def two(number: int, value: float, seconds: float):
    return trial(number, value, second="train_seconds", second_value=seconds)


def test_the_front_holds_what_nothing_beats_and_its_best_first_objective_is_chosen():
    # 2 is beaten by 1 in both; 3 equals 1 in score and takes longer.
    trials = [two(0, 0.5, 1.0), two(1, 0.7, 4.0), two(2, 0.6, 5.0), two(3, 0.7, 6.0)]
    assert [one.number for one in front(trials)] == [1, 0]
    assert best(trials).number == 1
    assert "a front of 2, on it the best first objective" in told(trials, "TPE")


def test_a_row_tells_sampler_trials_and_score_with_its_interval():
    trials = [trial(0, 0.86, low=0.71, high=0.94), trial(1, 0.5), trial(2, None)]
    assert told(trials, "TPE") == (
        "optuna TPE, 3 trials (1 failed), validation contains 0.86 (0.71–0.94)"
    )


def test_a_setting_tried_again_is_counted_as_such():
    assert "2 trials (1 repeated)" in told([trial(0), trial(1, digest="digest0")], "Random")


def test_only_a_final_run_was_chosen_by_a_search(tmp_path):
    assert chosen_settings(tmp_path, SearchConfig(part="trial", id="TPE-abc")) is None
    assert chosen_settings(tmp_path, SearchConfig()) is None


def test_a_final_run_counts_the_trials_that_decided_and_no_others(tmp_path):
    for number in range(3):
        put_trial(tmp_path, trial(number, 0.1 * number, spent=reading(2.0, 0.5)))
    put_trial(tmp_path, trial(0, 0.9, search="TPE-other", spent=reading(100.0)))
    chosen = chosen_settings(tmp_path, SearchConfig(part="final", id="TPE-abc", trials=2))
    assert chosen is not None
    assert chosen.told == "optuna TPE, 2 trials, validation contains 0.10"
    assert chosen.tune is not None
    assert (chosen.tune.phase, chosen.tune.wall_seconds) == ("tune", 4.0)
    assert chosen.tune.energy_kwh == 1.0


def test_a_final_run_without_its_trials_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no trial of the search 'abc'"):
        chosen_settings(tmp_path, SearchConfig(part="final", id="TPE-abc", trials=2))
