"""RAFT: training prompts that hold the gold passage among distractors, or distractors alone.

Zhang et al. 2024 (arXiv:2403.10131): a share of the prompts holds the gold passage and some
distractors, the rest hold distractors only, so that the model learns to read what helps, to leave
the rest aside, and to remember what is not there. The answers are the task's own; with
``raft.quote`` they stand behind a quote of the gold passage's sentence that states them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.adapters.config import RaftConfig
from harness.errors import TrainingError
from harness.pairs.sentences import sentences
from harness.quotes import collapsed, quoting
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
    rng = _rng(seed)
    golds = _golds(config, passages, questions, rng)
    ranked = _ranked(config, passages, questions, retriever)
    composed = []
    for position, (question, gold) in enumerate(zip(questions, golds, strict=True)):
        chosen = [gold] if gold else []
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


def raft_answer(question: Question, passages: Sequence[Passage]) -> str:
    """The answer to train: behind a quote of what states it, if a gold passage among them does."""
    quote = _stating_sentence(question, passages)
    return quoting(quote, question.answers[0]) if quote else question.answers[0]


@dataclass(frozen=True)
class Quoted:
    """What became of a training's answers with ``raft.quote``.

    Attributes:
        quoting: answers that quote.
        without_gold: plain ones, since their prompt holds no gold passage.
        without_sentence: plain ones, since no sentence of the gold passage states the answer.
    """

    quoting: int
    without_gold: int
    without_sentence: int

    def note(self) -> str:
        """What a reader must know of them."""
        return (
            f"RAFT: {self.quoting} training answers quote their passage; {self.without_gold} have "
            f"no gold passage and {self.without_sentence} no sentence of it that states the answer"
        )


def raft_quoted(
    config: RaftConfig,
    passages: Sequence[Passage],
    questions: Sequence[Question],
    seed: int,
    count: Callable[[str], int],
    max_new_tokens: int,
) -> Quoted:
    """How the answers to ``questions`` quote in the prompts that ``raft_passages`` composes.

    Which distractors stand there makes no difference: none states the answer.

    Args:
        count: tokens of a text.
        max_new_tokens: longest answer.

    Raises:
        TrainingError: none quotes, or one that does is longer than an answer may be.
    """
    golds = _golds(config, passages, questions, _rng(seed))
    held = [(one, gold) for one, gold in zip(questions, golds, strict=True) if gold]
    answers = [raft_answer(one, [gold]) for one, gold in held if _stating_sentence(one, [gold])]
    quoted = Quoted(len(answers), len(questions) - len(held), len(held) - len(answers))
    if not answers:
        raise TrainingError(f"adapter.raft.quote finds nothing to quote ({quoted.note()})")
    longest = max(map(count, answers)) + 1  # the end of the answer is a token too
    if longest > max_new_tokens:
        raise TrainingError(
            f"prompt.max_new_tokens={max_new_tokens} is too short for answers that quote: the "
            f"longest training answer has {longest} tokens; raise it to that or more, or lower "
            "retriever.chunk_tokens"
        )
    return quoted


def _rng(seed: int) -> random.Random:
    return random.Random(f"raft {seed}")  # noqa: S311 - no secret


def _golds(
    config: RaftConfig,
    passages: Sequence[Passage],
    questions: Sequence[Question],
    rng: random.Random,
) -> list[Passage | None]:
    """The gold passage of each prompt; None where it is left out."""
    with_gold = set(rng.sample(range(len(questions)), round(len(questions) * config.gold_share)))
    return [
        _gold(passages, question) if position in with_gold else None
        for position, question in enumerate(questions)
    ]


def _stating_sentence(question: Question, passages: Sequence[Passage]) -> str | None:
    """The sentence of a gold passage that states the answer, in whole words and word for word.

    Of several the one that shares most words with the question, of those the first.
    """
    answer = re.escape(collapsed(question.answers[0]))
    states = re.compile(rf"(?<!\w){answer}(?!\w)", re.IGNORECASE)
    found = [
        sentence
        for passage in passages
        if passage.document_id in question.gold_documents
        for sentence in sentences(passage.text)
        # A splitter may join pieces in other words than the passage's: those are no quotes.
        if states.search(sentence) and sentence in collapsed(passage.text)
    ]
    asked = _words(question.question)
    return max(found, key=lambda sentence: len(asked & _words(sentence)), default=None)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


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
