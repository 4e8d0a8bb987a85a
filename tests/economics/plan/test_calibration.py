import pytest

from harness.adapters.examples import IGNORED
from harness.adapters.train import TrainingSummary
from harness.economics.plan import calibration
from harness.economics.plan.calibration import Pace, made_examples, training_pace
from harness.models.reading import shared_tokens
from tests.made_runs import LORA, settings


def test_made_examples_lie_evenly_around_the_mean_and_bear_loss_at_their_end():
    examples = made_examples(5, mean_tokens=20, loss_share=0.25, vocabulary=50)
    assert sorted(len(one.input_ids) for one in examples) == [17, 18, 20, 22, 23]
    one = next(one for one in examples if len(one.input_ids) == 20)
    assert one.labels == [IGNORED] * 15 + one.input_ids[15:]
    assert max(max(one.input_ids) for one in examples) < 50


def test_every_example_has_a_prompt_and_an_answer():
    for one in made_examples(3, mean_tokens=2, loss_share=1.0, vocabulary=50):
        assert one.labels[0] == IGNORED and one.labels[1] != IGNORED


def test_made_examples_share_the_beginning_that_is_asked_for():
    examples = made_examples(5, mean_tokens=20, loss_share=0.25, vocabulary=50, shared_tokens=6)
    assert shared_tokens([one.input_ids for one in examples]) == 6
    # 17 of the shortest, less 4 of its answer and the one that predicts it
    all_of_it = made_examples(5, 20, 0.25, 50, shared_tokens=99)
    assert shared_tokens([one.input_ids for one in all_of_it]) == 12


def test_as_many_steps_are_timed_as_take_ten_seconds(tiny_model_folder, own_cache, monkeypatch):
    """Beginning takes 1 s of a false clock and a step 2; of two threads together none and 3."""
    clock = {"wall": 0.0, "cpu": 0.0}
    ran: list[int] = []

    def train(model, config, examples, validation, seed, folder, measured):
        steps = len(examples) // config.batch_size
        ran.append(steps)

        def loop() -> None:
            clock["wall"] += 1 + 2 * steps
            clock["cpu"] += 3 * steps

        measured(loop)
        assert (config.epochs, config.early_stopping_patience, validation) == (1, None, [])
        return TrainingSummary(steps, 100 * steps, 1.0, 0.0, None, 1)

    monkeypatch.setattr(calibration, "train", train)
    monkeypatch.setattr(calibration.time, "perf_counter", lambda: clock["wall"])
    monkeypatch.setattr(calibration.time, "process_time", lambda: clock["cpu"])
    model = settings(tiny_model_folder, own_cache, "lora", adapter=LORA).model
    assert training_pace(model, LORA, 20, 0.2, 6) == Pace(1, 0.02, 0, 0.03)
    assert ran == [1, 3]


def test_a_busy_moment_in_the_short_training_makes_no_negative_time():
    assert calibration._line(100, 5.0, 300, 4.5) == (0.0, 0.015)
    # nor one in the long training a negative beginning: 100 tokens took 1 s, 300 took 9
    assert calibration._line(100, 1.0, 300, 9.0) == (0.0, 0.03)
    assert calibration._line(100, 3.0, 300, 7.0) == (1.0, 0.02)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_the_very_training_is_timed_and_nothing_is_left(
    kind, tiny_model_folder, own_cache, monkeypatch
):
    from dataclasses import replace

    monkeypatch.setattr(calibration, "SECONDS", 0.05)
    model = settings(tiny_model_folder, own_cache, "lora", adapter=LORA).model
    pace = training_pace(model, replace(LORA, kind=kind), 20, 0.2, 6)
    assert 0 < pace.token < 1 and pace.cpu_token > 0
    assert pace.seconds(10) == pace.begin + 10 * pace.token
    assert not (own_cache / "store" / "adapter").exists()
