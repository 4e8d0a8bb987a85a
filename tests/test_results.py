"""Tables and folders read together into one frame, and a run's predictions into another."""

import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import harness
from harness.errors import RecordError
from harness.predictions import write_predictions
from harness.record import append_row
from harness.results import load_predictions, load_results, read_results, run_file
from harness.row import new_row
from harness.types import Answer, Prediction, Question

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "results" / "reference"
IDENTITY = {
    "experiment": "quickstart",
    "arm": "rag",
    "task": "world_facts",
    "model": "smollm2",
    "seed": 0,
    "status": "ok",
    "config_hash": "abc",
}


def table(folder: Path, *run_ids: str, **values: object) -> Path:
    """A table with a row for each run id."""
    for run_id in run_ids:
        stamp = {"created_at": f"2026-01-01T00:00:00+00:00/{run_id}"}
        append_row(
            folder / "runs.csv", new_row(**{**IDENTITY, **stamp, "run_id": run_id, **values})
        )
    return folder / "runs.csv"


def runs(*paths: Path) -> tuple[list[str], tuple[str, ...]]:
    results = read_results(paths)
    return results.frame["run_id"].tolist(), results.problems


def test_a_table_its_folder_and_a_folder_of_folders_are_read(tmp_path):
    first = table(tmp_path / "results" / "one", "r1", "r2")
    table(tmp_path / "results" / "reference" / "two", "r3")
    table(tmp_path / "results" / ".hidden", "r4")
    assert runs(first) == (["r1", "r2"], ())
    assert runs(first.parent) == (["r1", "r2"], ())
    frame = read_results([tmp_path / "results"]).frame
    assert frame["run_id"].tolist() == ["r1", "r2", "r3"]
    assert frame["table"].tolist() == [str(first)] * 2 + [
        str(tmp_path / "results" / "reference" / "two" / "runs.csv")
    ]
    assert frame["folder"].tolist()[0] == str(first.parent)
    assert frame["line"].tolist() == [2, 3, 2]


def test_the_committed_results_are_read_whole():
    frame = load_results(REFERENCE / "quickstart")
    assert len(frame) == 12
    assert sorted(frame["arm"].unique()) == ["closed_book", "lora", "rag", "rag_lora"]
    assert set(frame["seed"]) == {0, 1, 2}
    assert (frame["status"] == "ok").all()
    for _, run in frame.iterrows():
        assert run_file(run, "predictions").is_file()
        assert run_file(run, "probes").is_file()


def test_failed_runs_stay_in_the_frame(tmp_path):
    path = table(tmp_path, "r1")
    table(tmp_path, "r2", status="failed", error="out of memory")
    frame = read_results([path]).frame
    assert frame["status"].tolist() == ["ok", "failed"]


def test_a_table_that_cannot_be_read_is_named_and_the_others_count(tmp_path):
    good = table(tmp_path / "good", "r1")
    empty = tmp_path / "empty.csv"
    empty.touch()
    header_only = tmp_path / "header.csv"
    header_only.write_text("run_id,status,arm\n")
    foreign = tmp_path / "foreign.csv"
    foreign.write_text("timestamp,emissions\n1,2\n")
    missing = tmp_path / "missing.csv"
    bare = tmp_path / "bare"
    bare.mkdir()
    found, problems = runs(empty, header_only, foreign, missing, bare, good)
    assert found == ["r1"]
    said = "\n".join(line for line in problems if "migrated" not in line).splitlines()
    assert len(said) == 5
    for path, what in [
        (empty, "is empty"),
        (header_only, "no run in it can be read"),
        (foreign, "no table of results"),
        (missing, "No such file"),
        (bare, "holds no runs.csv"),
    ]:
        assert any(line.startswith(str(path)) and what in line for line in said), what


def test_nothing_at_all_to_read_is_one_clear_error(tmp_path):
    with pytest.raises(RecordError, match=r"missing\.csv cannot be read: No such file"):
        read_results([tmp_path / "missing.csv"])
    with pytest.raises(RecordError, match=r"holds no runs\.csv"):
        read_results([tmp_path])


def test_of_a_table_without_rows_the_fatal_reason_is_said_first(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run_id,status,arm\n")
    with pytest.raises(RecordError) as caught:
        read_results([path])
    assert str(caught.value).startswith(f"{path}: no run in it can be read; ")
    with pytest.raises(RecordError, match=r"give a table or a folder"):
        load_results()


def test_a_table_named_twice_is_read_once(tmp_path):
    path = table(tmp_path, "r1")
    found, problems = runs(path, tmp_path, path)
    assert found == ["r1"]
    assert len(problems) == 2
    assert "named twice; it is read once" in problems[0]


def test_a_copied_run_counts_once_where_its_predictions_are(tmp_path):
    path = table(tmp_path / "own", "r1", "r2")
    question = Question("q", "?", ("a",))
    write_predictions(
        path.parent / "predictions", "r1", [Prediction(question, "p", Answer("a", 1, 1))], [{}]
    )
    copy = tmp_path / "copy.csv"
    shutil.copy(path, copy)
    frame = read_results([path, copy]).frame.set_index("run_id")
    assert frame["table"].to_dict() == {"r1": str(path), "r2": str(copy)}
    _, problems = runs(path, copy)
    assert problems == (
        f"run 'r1' stands in {copy} and in {path}: one run, which counts once, as in {path}",
        f"run 'r2' stands in {path} and in {copy}: one run, which counts once, as in {copy}",
    )


def test_one_run_id_for_two_different_runs_keeps_both(tmp_path):
    first = table(tmp_path / "a", "r1", exact_match=0.1)
    second = table(tmp_path / "b", "r1", exact_match=0.1, arm="lora")
    frame = read_results([first, second]).frame
    assert frame["arm"].tolist() == ["rag", "lora"]
    assert frame["folder"].tolist() == [str(first.parent), str(second.parent)]
    (problem,) = runs(first, second)[1]
    assert problem == f"run id 'r1' names different runs in {first}, {second}; all are kept"


@pytest.mark.parametrize(("figure", "count"), [("0.5", 1), ("0.6", 2)])
def test_rows_that_do_not_say_when_they_ran_are_one_run_if_every_figure_agrees(
    tmp_path, figure, count
):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path, value in zip(paths, ("0.5", figure), strict=True):
        path.write_text(f"run_id,status,arm,exact_match\nr1,ok,rag,{value}\n")
    assert len(read_results(paths).frame) == count


def test_ten_thousand_copied_runs_count_once_each(tmp_path):
    lines = [f"r{n},ok,rag,0.5" for n in range(10_000)]
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        path.write_text("\n".join(["run_id,status,arm,exact_match", *lines, ""]))
    results = read_results(paths)
    assert len(results.frame) == 10_000
    assert results.problems[-1].endswith("and 9995 more like these")


def test_tables_of_different_columns_keep_their_types_together(tmp_path):
    first = table(tmp_path / "a", "r1", exact_match=0.5, adapter_merged=True, reused=["index"])
    second = tmp_path / "b.csv"
    second.write_text("run_id,status,arm,own\nr2,ok,rag,kept\n")
    frame = read_results([first, second]).frame
    assert str(frame["seed"].dtype) == "Int64"
    assert str(frame["exact_match"].dtype) == "float64"
    assert str(frame["adapter_merged"].dtype) == "boolean"
    assert frame["notes"].dtype == object
    assert frame["folder"].dtype == object
    assert frame["reused"].tolist() == [["index"], None]
    assert frame["other_fields"].tolist() == [None, {"own": "kept"}]


def test_load_results_takes_text_and_says_what_was_left_out(tmp_path, caplog):
    path = table(tmp_path, "r1")
    with path.open("a") as file:
        file.write("r2,ok\n")
    with caplog.at_level(logging.WARNING):
        frame = load_results(str(tmp_path))
    assert len(frame) == 1
    assert len(frame.attrs["problems"]) == 1
    assert "line 3: 2 cells" in frame.attrs["problems"][0]
    assert frame.attrs["problems"] == caplog.messages
    assert frame.head(1).attrs == frame.attrs


def test_predictions_come_as_a_line_a_question_and_a_column_a_metric(tmp_path):
    run = read_results([table(tmp_path, "r1")]).frame.iloc[0]
    asked = [
        Prediction(Question(name, "?", ("a",), bucket="low"), "p", Answer("a", 1, 1))
        for name in ("q1", "q2")
    ]
    write_predictions(
        tmp_path / "predictions", "r1", asked, [{"f1": 1.0, "output": 0.5}, {"mrr": 0.25}]
    )
    frame = load_predictions(run)
    assert frame["question_id"].tolist() == ["q1", "q2"]
    assert frame["output"].tolist() == ["a", "a"]
    assert frame.at[0, "metrics.output"] == 0.5
    assert frame.at[0, "f1"] == 1.0
    assert pd.isna(frame.at[1, "f1"])
    assert frame.at[1, "mrr"] == 0.25
    assert "metrics" not in frame
    assert frame.attrs["problems"] == []
    assert load_predictions(dict(run)).equals(frame)


def test_predictions_that_are_missing_or_broken_are_said_to_be(tmp_path, caplog):
    run = read_results([table(tmp_path, "r1")]).frame.iloc[0]
    with pytest.raises(RecordError, match=r"r1\.jsonl cannot be read: No such file"):
        load_predictions(run)
    path = tmp_path / "predictions" / "r1.jsonl"
    path.parent.mkdir()
    path.touch()
    with pytest.raises(RecordError, match="is empty"):
        load_predictions(run)
    path.write_text('{\n{"question_id": "q", "metrics": {"f1": 1}}\n')
    frame = load_predictions(run)
    assert len(frame) == 1
    assert frame.attrs["problems"] == caplog.messages
    assert "line 1: no JSON" in caplog.messages[0]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", ""])
def test_a_run_id_cannot_lead_out_of_the_folder(tmp_path, name):
    with pytest.raises(RecordError, match="is no file name"):
        load_predictions({"folder": str(tmp_path), "run_id": name})


def test_the_package_offers_both_and_loads_pandas_only_then():
    code = (
        "import sys, harness; assert 'pandas' not in sys.modules; "
        "assert callable(harness.load_results) and callable(harness.load_predictions); "
        "assert 'pandas' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'load_result'"):
        harness.load_result  # noqa: B018
