"""Distractor documents: which are taken, how they are chosen, and that they are marked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import ConfigError, DataError
from harness.tasks import load_task
from harness.tasks.config import DistractorsConfig, FictionalConfig
from harness.tasks.distractors import with_distractors
from harness.types import Document, Question, Task

TASK = Task(
    name="toy",
    train=(),
    validation=(Question("v", "Which river flows past Lima?", ("Rímac", "Rio Rimac")),),
    test=(Question("t", "Who painted the whale?", ("Ada Blue",)),),
    corpus=(Document("own", "Ada Blue painted the whale."), Document("lima", "Lima lies inland.")),
)
TEXTS = {
    "answer": "It was ADA  Blue, they say.",
    "alias": "The Rio Rimac is short.",
    "part": "Ada and Blue are names; a dog painted nothing.",
    "whale": "A whale swims and a painted whale does not.",
    "river": "A river flows.",
    "stone": "Stones rest.",
    "copy": "lima lies inland",
}


@pytest.fixture
def path(tmp_path: Path) -> str:
    lines = [json.dumps({"id": name, "text": text}) for name, text in TEXTS.items()]
    (tmp_path / "more.jsonl").write_text("\n".join(lines))
    return str(tmp_path / "more.jsonl")


def added(path: str, count: str, choose: str = "random", seed: int = 0) -> list[str]:
    config = DistractorsConfig("files", path, count, choose)
    task = with_distractors(TASK, config, seed)
    assert task.corpus[:2] == TASK.corpus
    assert all(document.distractor for document in task.corpus[2:])
    return [document.id.removeprefix("distractor:") for document in task.corpus[2:]]


def test_documents_with_a_gold_answer_or_a_text_of_the_corpus_are_never_taken(path):
    assert added(path, "4") == ["part", "whale", "river", "stone"]


def test_hard_ones_are_the_nearest_to_each_question_in_turn(path):
    # the test question's nearest, then the validation question's, then the test question's second
    assert added(path, "3", "hard") == ["whale", "river", "part"]


def test_those_that_share_no_word_come_last(path):
    assert added(path, "4", "hard") == ["whale", "river", "part", "stone"]


def test_matched_adds_as_many_as_the_corpus_has(path):
    assert len(added(path, "matched")) == 2


def test_random_ones_are_drawn_by_the_split_seed(path):
    draws = {tuple(added(path, "2", seed=seed)) for seed in range(8)}
    assert len(draws) > 1
    assert added(path, "2", seed=3) == added(path, "2", seed=3)


def test_the_note_says_what_was_added_and_the_corpus_hash_changes(path):
    task = with_distractors(TASK, DistractorsConfig("files", path, "2", "hard"), 0)
    assert task.notes[-1].startswith("2 distractors added: files, hard, sha256 ")
    assert task.corpus_sha256() != TASK.corpus_sha256()


def test_none_leaves_the_task_as_it_is():
    assert with_distractors(TASK, DistractorsConfig(), 0) is TASK


def test_too_few_are_one_clear_line(path):
    with pytest.raises(DataError, match=r"count=5 asks for 5 .* of the 7 .* only 4 hold no gold"):
        added(path, "5")


def test_a_path_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"task.distractors.path=nowhere does not exist"):
        added("nowhere", "1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "wikpedia"}, "did you mean 'wikipedia'"),
        ({"choose": "hart"}, "did you mean 'hard'"),
        ({"count": "0"}, "count=0: use a number from 1 up, or 'matched'"),
        ({"count": "some"}, "count=some"),
        ({"source": "files"}, "source=files needs a path"),
        ({"source": "wikipedia", "path": "x"}, "no other source uses one"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        DistractorsConfig(**settings)


def test_every_task_takes_them(path):
    plain = load_task(FictionalConfig(entities=3, distractor_entities=0))
    more = load_task(
        FictionalConfig(
            entities=3,
            distractor_entities=0,
            distractors=DistractorsConfig("files", path, "2"),
        )
    )
    assert len(more.corpus) == len(plain.corpus) + 2
    assert (more.train, more.test) == (plain.train, plain.test)
