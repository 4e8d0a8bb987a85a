"""A setting that came later, at the value of before, changes no hash and no key."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from harness import telling as module
from harness.adapters.config import RaftConfig
from harness.models.config import ModelConfig
from harness.telling import telling


def test_a_later_setting_tells_only_where_it_differs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ADDED_LATER", {"prompt": {"shots": 0, "nested": {"a": 1}}})
    old = {"system": "Answer."}
    assert telling("prompt", {**old, "shots": 0, "nested": {"a": 1}}) == old
    assert telling("prompt", {**old, "shots": 2, "nested": {"a": 1}}) == {**old, "shots": 2}
    assert telling("prompt", {**old, "nested": {"a": 2}}) == {**old, "nested": {"a": 2}}
    assert telling("measure", {"shots": 0}) == {"shots": 0}


def test_what_came_to_a_group_later_than_the_group_tells_only_where_it_differs(
    monkeypatch: pytest.MonkeyPatch,
):
    added = {"prompt": {"nested": {"a": 1}}, "prompt.nested": {"b": False}}
    monkeypatch.setattr(module, "ADDED_LATER", added)
    assert telling("prompt", {"nested": {"a": 1, "b": False}}) == {}
    assert telling("prompt", {"nested": {"a": 2, "b": False}}) == {"nested": {"a": 2}}
    whole = {"nested": {"a": 1, "b": True}}
    assert telling("prompt", whole) == whole


def test_raft_without_quotes_has_the_keys_of_before_there_were_quotes():
    raft = RaftConfig(distractors=3)
    settings = {"processes": 2, "raft": asdict(raft)}
    before = {"gold_share": 0.8, "distractors": 3, "distractors_from": "random"}
    assert telling("adapter", settings) == {"processes": 2, "raft": before}
    assert "raft" not in telling("adapter", {"processes": 2, "raft": asdict(RaftConfig())})
    quoting = asdict(RaftConfig(quote=True))
    assert telling("adapter", {"processes": 2, "raft": quoting})["raft"]["quote"] is True


def test_training_on_weights_as_they_are_has_the_hash_of_before_there_were_four_bits():
    assert "train_quantization" not in telling("model", asdict(ModelConfig(id="m")))
    four_bits = ModelConfig(id="m", train_dtype="bfloat16", train_quantization="nf4")
    assert telling("model", asdict(four_bits))["train_quantization"] == "nf4"
