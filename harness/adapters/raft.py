"""RAFT: training prompts that hold the gold passage among distractors, or distractors alone.

Zhang et al. 2024 (arXiv:2403.10131): a share of the prompts holds the gold passage and some
distractors, the rest hold distractors only, so that the model learns to read what helps, to leave
the rest aside, and to remember what is not there. The answers stay the task's own: the quotations
of the paper's answers are left out, since every arm is scored on the same short answers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from harness.adapters.config import RaftConfig
from harness.errors import TrainingError
from harness.retrieval import Retriever
from harness.types import Passage, Question, ScoredPassage


def raft_passages(
    config: RaftConfig,
    passages: Sequence[Passage],
    questions: Sequence[Question],
    retriever: Retriever | None,
    seed: int,
) -> list[list[ScoredPassage]]:
    """For each question as many passages as any other, in an order drawn by ``seed``.

    ``gold_share`` of the questions, rounded, get the gold passage and ``distractors`` others; the
    rest get one distractor more. Which these are is drawn by ``seed``. No distractor is of a gold
    document or states the question's answer.

    Args:
        retriever: finds the distractors where they are "retrieved", else not used. Where it finds
            too few (BM25 finds only what shares a word), the rest are drawn by ``seed``.

    Raises:
        TrainingError: a question has no gold passage, or too few others.
    """
    rng = random.Random(f"raft {seed}")  # noqa: S311 - no secret
    with_gold = set(rng.sample(range(len(questions)), round(len(questions) * config.gold_share)))
    ranked = _ranked(config, passages, questions, retriever)
    composed = []
    for position, question in enumerate(questions):
        chosen = [_gold(passages, question)] if position in with_gold else []
        wanted = config.distractors + 1 - len(chosen)
        found = ranked[position] if ranked is not None else []
        others = [p for p in found if not _tells(p, question)][:wanted]
        if len(others) < wanted:
            rest = [p for p in passages if p not in others and not _tells(p, question)]
            others += rng.sample(rest, min(wanted - len(others), len(rest)))
        if len(others) < wanted:
            raise TrainingError(
                f"only {len(others)} passages do not tell the answer to the training question "
                f"'{question.question}', but adapter.raft.distractors={config.distractors} needs "
                f"{wanted}; lower it"
            )
        chosen += others
        rng.shuffle(chosen)
        composed.append([ScoredPassage(passage, 1.0) for passage in chosen])
    return composed


def _ranked(
    config: RaftConfig,
    passages: Sequence[Passage],
    questions: Sequence[Question],
    retriever: Retriever | None,
) -> list[list[Passage]] | None:
    """What the retriever finds for each question, best first; None where it is not asked."""
    if config.distractors_from == "random":
        return None
    if retriever is None:
        raise TrainingError("adapter.raft.distractors_from=retrieved needs a retriever")
    # Enough that the gold documents' passages can be left out: those are few.
    most = min(len(passages), 4 * (config.distractors + 1) + 16)
    found = retriever.retrieve(questions, most)
    return [[scored.passage for scored in own] for own in found]


def _gold(passages: Sequence[Passage], question: Question) -> Passage:
    """The passage of the gold documents that states the answer, or else their first."""
    own = [passage for passage in passages if passage.document_id in question.gold_documents]
    if not own:
        raise TrainingError(
            f"the training question '{question.question}' names no document of the corpus, so "
            "adapter.train_passages=raft has no gold passage for it; give its document, or set "
            "adapter.train_passages=none"
        )
    return next((passage for passage in own if _states(passage, question)), own[0])


def _states(passage: Passage, question: Question) -> bool:
    return question.answers[0].lower() in passage.text.lower()


def _tells(passage: Passage, question: Question) -> bool:
    """Whether a passage may give the answer away: it is of a gold document, or states it."""
    return passage.document_id in question.gold_documents or _states(passage, question)
