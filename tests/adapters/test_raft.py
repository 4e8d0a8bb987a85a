"""RAFT's prompts: how many hold the gold passage, and that no distractor tells the answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.adapters.config import RaftConfig
from harness.adapters.raft import raft_passages
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
