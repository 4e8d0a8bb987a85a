"""What an adapter is trained on: a task's pairs or texts, and replayed general answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.adapters.config import AdapterConfig
from harness.adapters.examples import Example, answer_example, text_examples
from harness.adapters.raft import raft_answer
from harness.answering import Asked, build_prompts
from harness.errors import TrainingError
from harness.models.language_model import LanguageModel
from harness.prompts import PromptConfig
from harness.types import Passage, Question, ScoredPassage, Task

Found = Sequence[Sequence[ScoredPassage]] | None
"""Passages for each question, or None where prompts hold none."""


def task_examples(
    model: LanguageModel,
    prompt: PromptConfig,
    config: AdapterConfig,
    task: Task,
    find: Callable[[Sequence[Question]], Found],
) -> list[Example]:
    """The task's training pairs as prompts and answers; without pairs, its documents' raw text.

    Documents that are distractors hold no fact to learn and are left out.
    """
    if task.train:
        questions = training_questions(task)
        return question_examples(model, prompt, config, questions, find(questions))
    if config.train_passages != "none":
        raise TrainingError(
            f"adapter.train_passages={config.train_passages} needs training questions, but this "
            "task trains on raw text; set it to none, give questions with split=train, or have "
            "pairs made (adapter.pairs.generator=templates)"
        )
    texts = [
        f"{document.title}\n{document.text}" if document.title else document.text
        for document in task.corpus
        if not document.distractor
    ]
    return text_examples(model, texts, config.max_tokens)


def training_questions(task: Task) -> list[Question]:
    """The task's training pairs as questions."""
    return [
        Question(
            id=f"train-{position}",
            question=pair.question,
            answers=(pair.answer,),
            gold_documents=(pair.document_id,) if pair.document_id else (),
        )
        for position, pair in enumerate(task.train)
    ]


def question_examples(
    model: LanguageModel,
    prompt: PromptConfig,
    config: AdapterConfig,
    questions: Sequence[Question],
    found: Found,
) -> list[Example]:
    """Each question's prompt, in the wording that answering uses, with its first gold answer.

    With ``raft.quote`` the answer stands behind a quote of a passage in its prompt.
    """

    def answer(asked: Asked) -> str:
        if config.raft.quote:
            return raft_answer(asked.question, [scored.passage for scored in asked.used])
        return asked.question.answers[0]

    return [
        answer_example(model, asked.prompt, answer(asked), config.max_tokens)
        for asked in build_prompts(model, prompt, questions, found)
    ]


def replay_examples(
    model: LanguageModel,
    config: AdapterConfig,
    replayed: Sequence[tuple[str, str]],
    count: int,
    seed: int,
) -> list[Example]:
    """As many of the (prompt, answer) pairs as make up ``replay.share`` beside ``count`` others."""
    if not replayed:
        return []
    wanted = round(count * config.replay.share / (1 - config.replay.share))
    order = list(replayed)
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    return [
        replace(
            answer_example(model, *order[position % len(order)], config.max_tokens), replayed=True
        )
        for position in range(wanted)
    ]


def gold_passages(
    passages: Sequence[Passage], questions: Sequence[Question]
) -> list[list[ScoredPassage]]:
    """For each question the passages of its gold documents, in the corpus' order."""
    by_document: dict[str, list[ScoredPassage]] = {}
    for passage in passages:
        by_document.setdefault(passage.document_id, []).append(ScoredPassage(passage, 1.0))
    return [
        [scored for document in q.gold_documents for scored in by_document.get(document, [])]
        for q in questions
    ]
