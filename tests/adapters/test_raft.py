"""RAFT's prompts: how many hold the gold passage, and that no distractor tells the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.adapters.config import AdapterConfig, RaftConfig
from harness.adapters.raft import raft_answer, raft_passages, raft_quoted
from harness.errors import ConfigError, TrainingError
from harness.types import Passage, Question, ScoredPassage

# Each document's second passage states its answer; a third document repeats it elsewhere.
PASSAGES = [
    Passage(f"d{n}#{part}", f"d{n}", f"answer{n}." if part else f"about {n}")
    for n in range(50)
    for part in (0, 1)
]
QUESTIONS = [
    Question(f"q{n}", f"what is {n}", (f"answer{n}.",), gold_documents=(f"d{n}",))
    for n in range(50)
]


class Ranked:
    """Finds every passage in the corpus' order, from the question's own document on."""

    def retrieve(self, questions: Sequence[Question], k: int) -> list[list[ScoredPassage]]:
        starts = [2 * int(question.id[1:]) for question in questions]
        return [
            [ScoredPassage(p, 1.0) for p in (PASSAGES[start:] + PASSAGES[:start])[:k]]
            for start in starts
        ]


def test_the_share_is_exact_and_every_prompt_holds_as_many_passages():
    found = raft_passages(RaftConfig(0.7, 3), PASSAGES, QUESTIONS, None, seed=0)
    golds = [
        [s.passage.id for s in own if s.passage.document_id == question.gold_documents[0]]
        for own, question in zip(found, QUESTIONS, strict=True)
    ]
    assert sum(1 for own in golds if own) == 35
    # Where it is there, it is the passage that states the answer, once.
    assert all(own in ([], [f"d{n}#1"]) for n, own in enumerate(golds))
    assert {len(own) for own in found} == {4}
    assert all(len({s.passage.id for s in own}) == 4 for own in found)


def test_order_and_choice_are_drawn_by_the_seed():
    config = RaftConfig(1.0, 3)
    first, again, other = (raft_passages(config, PASSAGES, QUESTIONS, None, s) for s in (0, 0, 1))
    assert first == again != other
    places = {
        next(i for i, s in enumerate(own) if s.passage.document_id == q.gold_documents[0])
        for own, q in zip(first, QUESTIONS, strict=True)
    }
    assert places == {0, 1, 2, 3}


def test_retrieved_distractors_are_the_best_that_are_not_gold():
    config = RaftConfig(0.0, 2, "retrieved")
    found = raft_passages(config, PASSAGES, QUESTIONS[:2], Ranked(), seed=0)  # type: ignore[arg-type]
    assert [{s.passage.id for s in own} for own in found] == [
        {"d1#0", "d1#1", "d2#0"},
        {"d2#0", "d2#1", "d3#0"},
    ]


def test_a_passage_that_states_the_answer_is_no_distractor():
    passages = [*PASSAGES[:2], Passage("x", "x", "It is ANSWER0. again"), *PASSAGES[2:6]]
    for seed in range(20):
        (own,) = raft_passages(RaftConfig(0.0, 3), passages, QUESTIONS[:1], None, seed)
        assert {s.passage.id for s in own} == {"d1#0", "d1#1", "d2#0", "d2#1"}


def test_a_question_without_a_document_is_named():
    lost = Question("q", "who knows", ("nobody",))
    with pytest.raises(TrainingError, match=r"'who knows' names no document"):
        raft_passages(RaftConfig(1.0, 3), PASSAGES, [lost], None, 0)


def test_too_few_other_passages_are_counted():
    with pytest.raises(TrainingError, match=r"only 2 passages .*distractors=3 needs 4; lower it"):
        raft_passages(RaftConfig(0.0, 3), PASSAGES[:4], QUESTIONS[:1], None, 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gold_share": 1.2}, "adapter.raft.gold_share is 1.2; it is from 0 to 1"),
        ({"distractors": 0}, "adapter.raft.distractors is 0"),
        ({"distractors_from": "retreived"}, "did you mean 'retrieved'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        RaftConfig(**values)


LIMA = Passage(
    "p",
    "d",
    "Peru has mountains.\n\nLima lies on the coast. The capital of Peru is Lima, founded in 1535. "
    "Lima has 11 million people.",
)


def asked(question: str, answer: str, document: str = "d") -> Question:
    return Question("q", question, (answer,), gold_documents=(document,))


@pytest.mark.parametrize(
    ("question", "answer", "quote"),
    [
        ("What is the capital of Peru?", "Lima", "The capital of Peru is Lima, founded in 1535."),
        ("Where is the coast?", "lima", "Lima lies on the coast."),
        ("Which?", "Lima", "Lima lies on the coast."),  # none shares more words: the first
        ("How many people has it?", "11", "Lima has 11 million people."),
    ],
)
def test_an_answer_stands_behind_the_sentence_that_states_it(question, answer, quote):
    told = raft_answer(asked(question, answer), [PASSAGES[0], LIMA])
    assert told == f"##begin_quote## {quote} ##end_quote## {answer}"


def test_an_answer_is_plain_where_there_is_nothing_to_quote():
    assert raft_answer(asked("Which?", "Quito"), [LIMA]) == "Quito"
    assert raft_answer(asked("Which?", "53"), [LIMA]) == "53"  # no whole word of it
    assert raft_answer(asked("Which?", "Lima", "other"), [LIMA]) == "Lima"  # no gold passage
    assert raft_answer(asked("Which?", "Lima"), []) == "Lima"


def test_a_quote_is_always_word_for_word():
    # Between the pieces of a sentence with an abbreviation the splitter drops the bracket.
    odd = Passage("p", "d", "It (by Dr.) Brown is Lima. More.")
    assert raft_answer(asked("Which?", "Lima"), [odd]) == "Lima"


@pytest.mark.parametrize("distractors_from", ["random", "retrieved"])
def test_what_is_counted_is_what_is_trained(distractors_from: str):
    config = RaftConfig(0.7, 3, distractors_from, quote=True)
    unstated = [replace(one, answers=("never stated",)) for one in QUESTIONS[40:]]
    questions = [*QUESTIONS[:40], *unstated]
    composed = raft_passages(config, PASSAGES, questions, Ranked(), seed=3)  # type: ignore[arg-type]
    answers = [
        raft_answer(question, [scored.passage for scored in own])
        for question, own in zip(questions, composed, strict=True)
    ]
    quoted = raft_quoted(config, PASSAGES, questions, 3, lambda text: len(text.split()), 20)
    assert quoted.quoting == sum(one.startswith("##begin_quote##") for one in answers) >= 25
    assert quoted.without_gold == 15  # 0.3 of 50
    assert quoted.without_sentence == 35 - quoted.quoting
    assert "15 have no gold passage" in quoted.note()


def test_answers_that_would_be_cut_are_refused_before_training():
    config = RaftConfig(1.0, 1, quote=True)
    question = asked("What is the capital of Peru?", "Lima")

    def check(most: int):
        return raft_quoted(config, [LIMA], [question], 0, lambda text: len(text.split()), most)

    # Two marks, nine words, the answer and its end: thirteen.
    assert check(13).quoting == 1
    with pytest.raises(TrainingError, match=r"max_new_tokens=12 is too short .* has 13 tokens"):
        check(12)
    with pytest.raises(TrainingError, match=r"nothing to quote \(RAFT: 0 training answers"):
        raft_quoted(config, [LIMA], [asked("Which?", "Quito")], 0, len, 99)


def test_quotes_need_raft():
    with pytest.raises(ConfigError, match=r"adapter.raft.quote needs adapter.train_passages=raft"):
        AdapterConfig(train_passages="gold", raft=RaftConfig(quote=True))
