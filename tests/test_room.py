"""What does not fit into the model's context is known before anything runs, with the numbers."""

from __future__ import annotations

import pytest

from harness.config import Config
from harness.errors import ConfigError
from harness.models.backends import context_limit
from harness.models.config import ModelConfig
from harness.models.endpoint_config import EndpointConfig
from harness.models.load import ModelFiles
from harness.prompts import PromptConfig
from harness.retrieval import RetrieverConfig
from harness.room import check_room
from harness.shots import NO_SHOTS, Shots
from harness.tasks.config import FictionalConfig
from harness.types import Passage, Question, Task, TrainingPair

TASK = Task("toy", (), (), (Question("q", "Who runs Oslo?", ("Ann",)),), ())
PASSAGES = [
    Passage(f"d{n}", f"d{n}", text) for n, text in enumerate(("one two", "three", "one two"))
]


class Words:
    """Counts words; without a chat template."""

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[str]]:
        return {"input_ids": text.split()}


def check(budget: int | None, context: int | None, shots: Shots = NO_SHOTS, whole: bool = True):
    retriever = RetrieverConfig(kind="whole_corpus", chunk_tokens=8, chunk_overlap=0)
    config = Config(
        arm="long",
        task=FictionalConfig(),
        model=ModelConfig(name="tiny", source="local", id="tiny"),
        retriever=retriever if whole else None,
        prompt=PromptConfig(context_budget_tokens=budget, max_new_tokens=2),
    )
    check_room(config, TASK, shots, PASSAGES if whole else [], Words(), context)


def test_the_budget_counts_passages_that_say_the_same_once():
    check(None, None)
    check(24, None)  # three words in two passages


def test_a_budget_below_the_corpus_is_told_with_both_numbers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("harness.config.TITLE_TOKENS", -8)  # so that so small a budget is accepted
    check(3, None)
    with pytest.raises(
        ConfigError, match=r"its 2 passages have 3 tokens and .*=2 gives room for 2"
    ):
        check(2, None)


# "Answer the question." 3 words, "Question: Who runs Oslo?" 4, "Answer:" 1: 8 without passages;
# "Context: one two three" 4; an answer of 2.
def test_the_context_has_to_hold_corpus_question_and_answer():
    check(None, 14)
    with pytest.raises(ConfigError, match=r"have 4 tokens and tiny has room for 3 \(it reads 13,"):
        check(None, 13)


def test_examples_have_to_fit_in_any_arm():
    shots = Shots(1, (TrainingPair("Who?", "Bob"),))  # "Question: Who? Answer: Bob": 4
    check(None, 14, shots, whole=False)
    with pytest.raises(ConfigError, match=r"shots=1 takes 12 tokens and its answer 2, .* reads 13"):
        check(None, 13, shots, whole=False)


def test_the_model_says_how_much_it_reads_unless_the_config_says_less(tiny_model_folder):
    files = ModelFiles(str(tiny_model_folder), None, "tiny")

    def limit(context_tokens: int | None) -> int | None:
        config = ModelConfig(source="local", id="x", context_tokens=context_tokens)
        return context_limit(config, files)

    assert (limit(None), limit(100), limit(4096)) == (512, 100, 512)
    endpoint = EndpointConfig(id="x", base_url="http://127.0.0.1:1/v1")
    assert context_limit(endpoint, ModelFiles("", None, "")) is None
