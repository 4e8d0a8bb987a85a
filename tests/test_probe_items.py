"""The probes file: read back as written, refused line by line where it is not sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import RecordError
from harness.probe_items import ProbeLine, read_probe_items, write_probe_items

LINES = [
    ProbeLine("facts_options", "capital-fr", "fr", 1.0, 0.0),
    ProbeLine("text_loss_nats", "text-1", "", 3.25, 4.5),
]


def test_items_come_back_as_written(tmp_path: Path):
    path = write_probe_items(tmp_path / "probes", "lora-s0", LINES)
    assert path == tmp_path / "probes" / "lora-s0.jsonl"
    assert read_probe_items(path) == LINES


def test_a_score_that_is_no_number_is_not_written(tmp_path: Path):
    bad = [ProbeLine("facts_options", "capital-fr", "fr", 1.0, float("nan"))]
    with pytest.raises(RecordError, match="no number"):
        write_probe_items(tmp_path, "lora-s0", bad)
    assert not list(tmp_path.iterdir())


def test_a_run_id_cannot_leave_the_folder(tmp_path: Path):
    with pytest.raises(RecordError):
        write_probe_items(tmp_path / "probes", "../lora", LINES)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: no JSON"),
        ('{"measure": "x"}', "line 2: a probe item holds measure, item_id"),
        (
            '{"measure":"x","item_id":"a","cluster":"","before":"1","after":0}',
            "line 2: 'before' is '1', no number",
        ),
        (
            '{"measure":"x","item_id":"a","cluster":"","before":1,"after":Infinity}',
            "line 2: 'after' is inf, no finite number",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, told: str):
    path = write_probe_items(tmp_path, "lora-s0", LINES[:1])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(RecordError) as caught:
        read_probe_items(path)
    assert told in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(RecordError, match=r"nothing\.jsonl cannot be read"):
        read_probe_items(tmp_path / "nothing.jsonl")
