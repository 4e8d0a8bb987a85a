"""Answers cut shorter and scored again."""

from typing import Any

import pandas as pd
import pytest
from benchmark_scripts import benchmark_script


class Words:
    """A tokenizer whose tokens are words."""

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[str]]:
        return {"input_ids": text.split()}

    def decode(self, ids: list[str]) -> str:
        return " ".join(ids)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = benchmark_script("answer_limit")
    monkeypatch.setattr(found, "LIMITS", (2, 4, 8, 16))
    return found


def test_a_lower_limit_cuts_the_sentence_before_the_name(script):
    run = {"task": "t", "arm": "rag", "seed": 0, "max_new_tokens": 8}
    answers = pd.DataFrame(
        {
            "output": ["Lima", "it is the city of Lima", "a b c d e f g h", "no"],
            "gold": [["Lima"]] * 4,
            "tokens_out": [2, 7, 8, 2],  # the end token counts, the third was cut
        }
    )
    rows = {row["limit"]: row for row in script.shortened(run, answers, Words())}
    assert sorted(rows) == [2, 4, 8]  # no limit above the run's own
    assert [rows[limit]["contains"] for limit in (2, 4, 8)] == [0.25, 0.25, 0.5]
    assert [rows[limit]["at_limit"] for limit in (2, 4, 8)] == [1.0, 0.5, 0.25]
    assert [rows[limit]["wrong_at_limit"] for limit in (2, 4, 8)] == [0.75, 0.5, 0.25]
    assert [rows[limit]["mended"] for limit in (2, 4, 8)] == [0.25, 0.25, 0.0]


def test_the_table_has_an_arm_a_row(script):
    run = {"task": "t", "arm": "lora", "seed": 1, "max_new_tokens": 4}
    answers = pd.DataFrame({"output": ["Lima"], "gold": [["Lima"]], "tokens_out": [2]})
    found = list(script.shortened(run, answers, Words()))
    assert script.table(found).splitlines() == [
        "| arm | 2 tokens | 4 tokens |",
        "|---|---:|---:|",
        "| `lora` | 100% (0%) | 100% (0%) |",
    ]
