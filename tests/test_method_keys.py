"""Keys: all that determines an artifact is in its key, and what does not is not."""

from dataclasses import replace

import pytest

from harness.adapters.config import AdapterConfig
from harness.config import Config, config_hash
from harness.method_keys import adapter_key, answers_key, weights_key
from harness.models.config import ModelConfig
from harness.tasks.config import FictionalConfig
from harness.types import Document, Task, TrainingPair

TASK = Task("t", (TrainingPair("q", "a"),), (), (), (Document("d", "text"),))
LORA = AdapterConfig(rank=4)


def config(adapter: AdapterConfig = LORA, seed: int = 0) -> Config:
    model = ModelConfig(name="tiny", source="local", id="tiny")
    return Config(arm="lora", seed=seed, task=FictionalConfig(), model=model, adapter=adapter)


def key(adapter: AdapterConfig = LORA, seed: int = 0, task: Task = TASK, base: str = "b") -> dict:
    return adapter_key(config(adapter, seed), adapter, task, base, None, ())


@pytest.mark.parametrize("changes", [{"checkpoint_steps": 7}, {"merge": False}])
def test_what_leaves_the_trained_bytes_alone_is_not_in_their_key(changes):
    assert key(replace(LORA, **changes)) == key()


@pytest.mark.parametrize(
    "other",
    [
        key(replace(LORA, rank=8)),
        key(seed=1),
        key(base="c"),
        key(task=replace(TASK, train=(TrainingPair("q", "b"),))),
    ],
)
def test_what_determines_them_is(other):
    assert other != key()


def test_validation_questions_count_where_they_decide_when_to_stop():
    stopping = replace(LORA, early_stopping_patience=1)
    assert key()["validation"] is None
    assert key(stopping)["validation"] == TASK.validation_sha256()


def test_checkpoints_are_not_what_a_run_is():
    settings = [config(replace(LORA, checkpoint_steps=steps)) for steps in (None, 5)]
    assert config_hash(settings[0]) == config_hash(settings[1])
    assert config_hash(config(replace(LORA, rank=8))) != config_hash(settings[0])


def test_merged_and_unmerged_weights_answer_under_different_keys():
    keys = [
        answers_key(one, TASK, weights_key(one, "b", None), None)
        for one in (config(), config(replace(LORA, merge=False)))
    ]
    assert keys[0] != keys[1]
