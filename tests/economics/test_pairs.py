"""Rows of two arms paired: by the newest set of metered blocks, else by seed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from economics_samples import LORA, RAG, reading

from harness.blocks.table import NAME, put_reading, read_blocks
from harness.economics.pairs import paired
from harness.errors import ConfigError, RecordError


def test_rows_of_one_seed_make_a_pair():
    found = paired(pd.DataFrame([LORA, RAG, LORA | {"seed": 1}]), "lora", "rag")
    assert [(one["arm"], two["arm"], one["seed"]) for one, two in found.rows] == [
        ("lora", "rag", 0)
    ]
    assert found.kind == "seeds"
    assert "no block was metered" in found.told[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([LORA], "no arm 'rag'"),
        ([LORA, RAG | {"status": "failed"}], "no row of rag finished"),
        ([LORA, RAG | {"seed": 1}], "share no seed"),
        ([LORA, LORA, RAG], "several rows of seed 0"),
        ([LORA, RAG | {"task": "u"}], "differ in task: name one with --task"),
        ([LORA, RAG | {"split_sha256": "u"}], "differ in split_sha256"),
    ],
)
def test_rows_that_cannot_be_set_against_each_other_are_refused(rows, message):
    with pytest.raises(ConfigError, match=message):
        paired(pd.DataFrame(rows), "lora", "rag")


def test_an_arm_is_not_set_against_itself():
    with pytest.raises(ConfigError, match="set against itself"):
        paired(pd.DataFrame([LORA]), "lora", "lora")


def frame(folder: Path) -> pd.DataFrame:
    return pd.DataFrame([row | {"folder": str(folder)} for row in (LORA, RAG)])


def put(folder: Path, blocks: int, **changed: object) -> None:
    for block in range(1, blocks + 1):
        for position, arm in enumerate(("lora", "rag"), start=1):
            put_reading(folder, reading(arm, block, position) | changed)


def test_blocks_take_the_place_of_seeds_and_keep_the_accuracy(tmp_path: Path):
    put(tmp_path, 3)
    found = paired(frame(tmp_path), "lora", "rag")
    assert found.kind == "blocks"
    assert [one["train_seconds"] for one, _ in found.rows] == [101, 102, 103]
    assert [two["decode_seconds"] for _, two in found.rows] == [31, 32, 33]
    assert {one["exact_match"] for one, _ in found.rows} == {0.5}
    assert "read from 3 metered blocks" in found.told[0]
    assert paired(frame(tmp_path), "lora", "rag", "seeds").kind == "seeds"


def test_a_block_that_lacks_an_arm_is_left_out(tmp_path: Path):
    put(tmp_path, 2)
    put_reading(tmp_path, reading("rag", 3, 1))
    found = paired(frame(tmp_path), "lora", "rag")
    assert len(found.rows) == 2
    assert "blocks that lack an arm are left out: 1" in found.told


def test_the_newest_set_counts_and_no_set_is_mixed_with_another(tmp_path: Path):
    put(tmp_path, 2, set_id="old", started_at="2026-01-01T00:00:00+00:00")
    put(tmp_path, 1, set_id="new", started_at="2026-02-01T00:00:00+00:00", train_seconds=7.0)
    found = paired(frame(tmp_path), "lora", "rag")
    assert [one["train_seconds"] for one, _ in found.rows] == [7]
    assert "older sets of blocks are left out: 1" in found.told


def test_other_answers_and_other_processes_are_told(tmp_path: Path):
    put(tmp_path, 1, same_answers=False, device_exclusive=False, phases="serving")
    told = " ".join(paired(frame(tmp_path), "lora", "rag").told)
    assert "WARNING: in some blocks the answers were others" in told
    assert "in 2 of 2 readings another process used the device" in told
    assert "the fixed cost is the run's one reading" in told


def test_blocks_that_are_asked_for_and_not_there_are_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="harness meter FOLDER --arms lora,rag"):
        paired(frame(tmp_path), "lora", "rag", "blocks")


def test_a_reading_is_read_as_it_was_written(tmp_path: Path):
    given = reading("lora", 1, 1)
    put_reading(tmp_path, given)
    (found,) = read_blocks(tmp_path)
    assert {name: value for name, value in found.items() if value is not None} == given


def test_a_torn_or_foreign_cell_is_named_with_its_line(tmp_path: Path):
    put_reading(tmp_path, reading("lora", 1, 1))
    path = tmp_path / NAME
    path.write_text(path.read_text(encoding="utf-8") + "torn,line\n", encoding="utf-8")
    with pytest.raises(RecordError, match="line 3: 2 cells"):
        read_blocks(tmp_path)
