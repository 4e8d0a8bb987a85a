"""The command line on real models and real text, as a user types it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from harness.cli import main
from harness.predictions import read_predictions
from harness.record import read_rows

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "own_data"

# The choice by measurement is tested elsewhere; here it would only take time.
FIXED = [
    f"model.{name}"
    for name in ("dtype=float32", "attention=eager", "train_dtype=float32", "train_attention=eager")
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.real
def test_own_documents_and_questions_through_retrieval_and_a_real_model(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    code = main(
        [
            "run",
            "-m",
            "method=closed_book,rag",
            "task=custom",
            f"task.corpus={EXAMPLE / 'docs'}",
            f"task.questions={EXAMPLE / 'questions.csv'}",
            "forgetting.probes=[glosses]",
            "forgetting.items=20",
            "measure.latency_questions=2",
            *FIXED,
        ]
    )
    out = capsys.readouterr().out
    assert code == 0, out
    closed, rag = read_rows(here / "results" / "adhoc" / "runs.csv")
    assert (closed["arm"], rag["arm"]) == ("closed_book", "rag")
    assert closed["split_sha256"] == rag["split_sha256"]
    # The documents tell of an invented company: what is right can only have been read there.
    assert closed["contains"] <= 0.2
    assert rag["contains"] >= closed["contains"] + 0.3
    assert rag["recall_at_k"] >= 0.8
    assert rag["passage_tokens"] > 0
    assert closed["glosses_options_before"] > 0.4  # chance is 0.25
    lines = read_predictions(here / "results" / "adhoc" / "predictions" / f"{rag['run_id']}.jsonl")
    assert len(lines) == 10
    assert all(line["retrieved"] for line in lines)
    assert "| rag" in out


@pytest.mark.real
def test_lora_learns_facts_that_the_model_did_not_know(here: Path):
    sizes = [
        "task.entities=6",
        "task.distractor_entities=0",
        "task.phrasings=3",
        "task.validation_questions=0",
        "task.relations=[river,mayor]",
        "adapter.epochs=12",
        "adapter.batch_size=6",
        "forgetting.probes=[]",
        "measure.latency_questions=0",
    ]
    assert main(["run", "-m", "method=closed_book,lora", "task=fictional", *sizes, *FIXED]) == 0
    closed, lora = read_rows(here / "results" / "adhoc" / "runs.csv")
    assert closed["contains"] == 0.0
    assert lora["contains"] >= 0.5
    assert lora["trained_tokens"] > 0
    assert lora["forgetting_by_construction"] is None


@pytest.mark.real
def test_the_table_opens_with_any_csv_reader(here: Path):
    arguments = ["run", "method=closed_book", "task=fictional", "task.entities=3", *FIXED]
    main([*arguments, "forgetting.probes=[]", "measure.latency_questions=0"])
    with (here / "results" / "adhoc" / "runs.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["status"] == "ok"
    assert row["train_seconds"] == ""
