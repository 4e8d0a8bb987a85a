"""Keys: all that determines an artifact is in its key, and what does not is not."""

from dataclasses import replace

import pytest

from harness.adapters.config import AdapterConfig, KlConfig, RaftConfig
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
        key(replace(LORA, variant="dora")),
        key(replace(LORA, kind="loha")),
        key(replace(LORA, options={"bias": "all"})),
        key(replace(LORA, lr_ratio=4.0)),
        key(replace(LORA, kl=KlConfig(weight=0.1))),
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


def test_each_of_rafts_settings_and_the_context_budget_determine_its_adapter():
    rafts = [RaftConfig(), RaftConfig(gold_share=0.5), RaftConfig(distractors=2),
             RaftConfig(distractors_from="retrieved")]  # fmt: skip
    adapters = [replace(LORA, train_passages="raft", raft=raft) for raft in rafts]
    adapters.append(replace(LORA, train_passages="gold"))
    keys = [adapter_key(config(), adapter, TASK, "b", None, ()) for adapter in adapters]
    assert all(one not in keys[:n] for n, one in enumerate(keys))
    assert keys[0]["budget"] == 512


def test_the_settings_of_adapters_that_came_later_are_in_no_key_at_their_defaults():
    later = {"variant", "options", "lr_ratio", "kl", "raft"}
    assert not later & set(key()["adapter"])


@pytest.mark.parametrize(
    ("train_dtype", "strategy", "told"),
    [
        ("bfloat16", "ddp", {"update_dtype": "float32"}),
        ("float16", "ddp", {"update_dtype": "float32"}),
        ("float32", "ddp", {}),  # as artifacts that were made before are kept
        ("bfloat16", "fsdp", {}),  # shards are updated in their own format
    ],
)
def test_how_weights_are_updated_is_told_where_it_is_not_in_their_format(
    train_dtype: str, strategy: str, told: dict[str, str]
) -> None:
    adapter = replace(LORA, processes=2, strategy=strategy)
    asked = replace(config(adapter), model=replace(config().model, train_dtype=train_dtype))
    made = adapter_key(asked, adapter, TASK, "b", None, ())
    assert {name: made[name] for name in made if name == "update_dtype"} == told
    assert adapter.update_dtype(train_dtype) == told.get("update_dtype", train_dtype)
