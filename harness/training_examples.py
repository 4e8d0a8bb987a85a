"""What an adapter is trained on, made of a task: prompts with their passages, general answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import method_keys
from harness.adapters.config import AdapterConfig
from harness.adapters.data import (
    Found,
    gold_passages,
    question_examples,
    replay_examples,
    task_examples,
    training_questions,
)
from harness.adapters.examples import Example
from harness.adapters.raft import Quoted, raft_passages, raft_quoted
from harness.config import Config
from harness.errors import RetrievalError, TrainingError
from harness.ledger import Ledger
from harness.models.language_model import LanguageModel
from harness.prompts import build_messages
from harness.retrieval import Retriever, fit_context
from harness.types import Passage, Question, ScoredPassage, Task

Find = Callable[[Sequence[Question]], Found]
"""Gives the passages of training prompts, or None where they hold none."""


def training_examples(
    model: LanguageModel,
    config: Config,
    adapter: AdapterConfig,
    task: Task,
    find: Find,
    replayed: Sequence[tuple[str, str]],
) -> tuple[list[Example], list[Example]]:
    """The examples to train on, and those of validation questions where they decide anything."""
    examples = task_examples(model, config.prompt, adapter, task, find)
    examples += replay_examples(model, adapter, replayed, len(examples), config.seed)
    if adapter.early_stopping_patience is None:
        return examples, []
    asked = [question for question in task.validation if question.answers]
    return examples, question_examples(model, config.prompt, adapter, asked, find(asked))


def searches(adapter: AdapterConfig) -> bool:
    """Whether the retriever finds passages for training prompts."""
    raft = adapter.train_passages == "raft" and adapter.raft.distractors_from == "retrieved"
    return raft or adapter.train_passages == "retrieved"


def passages_by(
    config: Config,
    adapter: AdapterConfig,
    passages: Sequence[Passage],
    retriever: Retriever | None,
    top_k: int | None,
    count: Callable[[str], int],
) -> Find:
    """What finds the passages of training prompts, as ``adapter.train_passages`` says.

    Args:
        retriever, top_k: where ``searches``, else not used.
        count: tokens of a text.
    """

    def find(questions: Sequence[Question]) -> Found:
        kind = adapter.train_passages
        if kind == "none":
            return None
        if kind == "gold":
            return gold_passages(passages, questions)
        if kind == "raft":
            return _raft_passages(config, adapter, passages, questions, retriever, count)
        if retriever is None or top_k is None:
            raise RetrievalError("adapter.train_passages=retrieved needs a retriever")
        return retriever.retrieve(questions, top_k)

    return find


def quoted_answers(
    config: Config,
    adapter: AdapterConfig,
    task: Task,
    passages: Sequence[Passage],
    count: Callable[[str], int],
) -> Quoted | None:
    """How the answers that are trained quote; None if they are not to.

    Raises:
        TrainingError: none does, or one is longer than an answer may be.
    """
    if not adapter.raft.quote or not task.train:
        return None
    asked, most = training_questions(task), config.prompt.max_new_tokens
    return raft_quoted(adapter.raft, passages, asked, config.seed, count, most)


def replay_questions(adapter: AdapterConfig) -> list[str]:
    """The general questions that are replayed; empty without replay."""
    if adapter.replay.share == 0:
        return []
    from harness.tasks.replay import replay_prompts

    return replay_prompts(adapter.replay.prompts, seed=0)


def replayed_answers(
    model: LanguageModel,
    config: Config,
    adapter: AdapterConfig,
    base: str,
    circumstances: dict[str, Any],
    ledger: Ledger,
) -> list[tuple[str, str]]:
    """General prompts with the base model's own answers; empty without replay.

    Args:
        base: identity of the base model's files.
    """
    questions = replay_questions(adapter)
    if not questions:
        return []
    # In the task's own instruction: under another one a model keeps its manners for that one
    # alone (tried: as many capitals lost as without replay).
    prompts = [model.render(build_messages(config.prompt, question)) for question in questions]

    def make(folder: Path) -> None:
        with ledger.phase("prepare"):
            answers = model.generate(prompts, adapter.replay.max_new_tokens)
        texts = [one.text for one in answers]
        (folder / "answers.json").write_text(json.dumps(texts), encoding="utf-8")

    key = {**method_keys.replay_key(config, adapter, base, prompts), **circumstances}
    stored = ledger.obtain("replay", key, make).folder / "answers.json"
    texts = json.loads(stored.read_text(encoding="utf-8"))
    return [(prompt, text) for prompt, text in zip(prompts, texts, strict=True) if text]


def _raft_passages(
    config: Config,
    adapter: AdapterConfig,
    passages: Sequence[Passage],
    questions: Sequence[Question],
    retriever: Retriever | None,
    count: Callable[[str], int],
) -> list[list[ScoredPassage]]:
    """RAFT's passages, all of which stand in the prompt: one left out might be the gold one."""
    found = raft_passages(adapter.raft, passages, questions, retriever, config.seed)
    budget = config.prompt.context_budget_tokens
    for question, own in zip(questions, found, strict=True):
        used = fit_context(own, budget, count)
        if len(used) < len(own):
            raise TrainingError(
                f"{len(own)} passages, as adapter.raft.distractors={adapter.raft.distractors} "
                f"asks for, exceed prompt.context_budget_tokens={budget} for the training "
                f"question '{question.question}' (or two have one text); lower the first or "
                "raise the second"
            )
    return found
