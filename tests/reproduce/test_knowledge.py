from __future__ import annotations

import json
from pathlib import Path

import pytest
from compare.folders import write_run

from harness.errors import DataError
from harness.reproduce.knowledge import (
    HIGHLY,
    MAYBE,
    UNKNOWN,
    Fact,
    facts_of,
    split_facts,
    write_by_knowledge,
)
from harness.tasks import load_task
from harness.tasks.config import CustomConfig


def lines(*right: int) -> list[dict[str, object]]:
    return [
        {"question_id": f"q{n}", "question": f"Q{n}?", "gold": ["A"], "metrics": {"contains": r}}
        for n, r in enumerate(right)
    ]


def test_a_fact_is_known_as_often_as_it_was_answered() -> None:
    facts = facts_of([lines(1, 1, 0), lines(1, 0, 0), lines(1, 1, 0)])
    assert [(fact.right, fact.known) for fact in facts] == [(3, HIGHLY), (2, MAYBE), (0, UNKNOWN)]


def test_a_fact_that_one_prompt_did_not_ask_is_left_out() -> None:
    assert [fact.id for fact in facts_of([lines(1, 1), lines(1)])] == ["q0"]


def many(highly: int, unknown: int) -> list[Fact]:
    counts = [3] * highly + [0] * unknown
    return [Fact(f"q{n}", f"Q{n}?", ("A",), right, 3) for n, right in enumerate(counts)]


def test_only_unknown_facts_are_trained_on() -> None:
    rows = split_facts(many(10, 20), train=5, validation=4)
    trained = [row for row in rows if row["split"] == "train"]
    assert len(trained) == 5 and {row["relation"] for row in trained} == {UNKNOWN}
    assert [row["split"] for row in rows].count("validation") == 4
    assert rows == split_facts(many(10, 20), train=5, validation=4)


def test_too_few_unknown_facts_are_told() -> None:
    with pytest.raises(DataError, match="of 12 facts 2 are Unknown to the model: more than 5"):
        split_facts(many(10, 2), train=5, validation=0)


def test_the_files_make_a_task_whose_relation_is_the_class(tmp_path: Path) -> None:
    fields = {f"c{n}": {"question": f"Where is town {n}?", "gold": ["X"]} for n in range(9)}
    for seed in range(3):
        scores = {f"c{n}": {"contains": float(n < 3)} for n in range(9)}
        write_run(
            tmp_path / "known", scores, fields=fields, arm="few_shot", task="cities",
            experiment="known", seed=seed,
        )  # fmt: skip
    write_by_knowledge(tmp_path, train=4, validation=2)
    task = load_task(
        CustomConfig(
            corpus=str(tmp_path / "corpus.jsonl"), questions=str(tmp_path / "questions.jsonl")
        )
    )
    assert len(task.train) == 2  # a third of the six Unknown ones
    assert len(task.test) + len(task.validation) == 7
    known = {q.relation for q in (*task.test, *task.validation) if q.id in ("c0", "c1", "c2")}
    assert known == {HIGHLY}
    written = (tmp_path / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(written) == 9 and json.loads(written[0])["gold_passage"] == "c0"


def test_two_prompts_are_too_few(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(
            tmp_path / "known", {"a": {"contains": 1.0}, "b": {"contains": 0.0}}, arm="few_shot",
            task="cities", experiment="known", seed=seed,
        )  # fmt: skip
    with pytest.raises(DataError, match="few_shot was run with 2 seeds"):
        write_by_knowledge(tmp_path)


def test_what_was_not_asked_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has to be asked first"):
        write_by_knowledge(tmp_path)
