import json
import math
import shutil

import pytest

from harness.errors import DataError
from harness.foreign import Problems
from harness.interchange.detect import read_foreign
from harness.interchange.foreign_run import Naming, row_of, write_lines
from harness.interchange.lm_eval import measure_name, read
from harness.interchange.own_export import own_name
from harness.predictions import read_predictions
from harness.scores import prediction_lines

DATE = "2026-11-22T09-49-58.551721"
CHOICE, OPEN, TEXT = "toy_capitals_choice", "toy_letters_open", "toy_text"


def results(files, model="tiny-a"):
    return next((files / "lm_eval" / model).glob("results_*.json"))


def runs_by_task(path):
    reading = read(read_foreign(path))
    return {run.columns["task"]: run for run in reading.runs}, reading.problems


def written(tmp_path, content, date=DATE):
    path = tmp_path / f"results_{date}.json"
    path.write_text(json.dumps(content))
    return path


def test_each_task_and_filter_becomes_a_run(files):
    runs, problems = runs_by_task(results(files))
    assert list(runs) == [CHOICE, f"{OPEN},first-letter", f"{OPEN},last-letter", TEXT]
    assert len({run.run_id for run in runs.values()}) == 4
    assert problems == []


def test_acc_of_a_multiple_choice_task_is_our_multiple_choice(files):
    row = row_of(runs_by_task(results(files))[0][CHOICE], Naming("imported"))
    assert (row["multiple_choice"], row["multiple_choice_normalised"]) == (0.25, 0.25)
    # 0.25 ± 1.96 × 0.13056, cut to a share.
    assert row["multiple_choice_low"] == 0.0
    assert row["multiple_choice_high"] == pytest.approx(0.25 + 1.959964 * 0.1305582419667734)
    assert row["metric_versions"] == {
        "multiple_choice": "lm-eval acc 1.0",
        "multiple_choice_normalised": "lm-eval acc_norm 1.0",
    }
    assert (row["arm"], row["model"], row["seed"]) == ("tiny-a", "models/tiny-a", None)
    assert (row["n_test"], row["device"], row["dtype"]) == (12, "cpu", "float32")
    assert row["source"] == f"lm-eval 0.4.13, results_{DATE}.json"
    assert row["package_versions"]["lm_eval"] == "0.4.13"


def test_a_metric_defined_otherwise_never_takes_a_column_of_ours(files):
    row = row_of(runs_by_task(results(files))[0][f"{OPEN},first-letter"], Naming("imported"))
    assert row["exact_match"] is None
    measure = row["other_measures"]["lm_eval_exact_match"]
    half = 1.959963984540054 * 0.11236664374387369
    assert measure == {
        "value": pytest.approx(2 / 12),
        "higher_is_better": True,
        "unit": "",
        "low": pytest.approx(2 / 12 - half),
        "high": pytest.approx(2 / 12 + half),
        "n": 12,
    }
    assert row["max_new_tokens"] == 6


def test_an_error_of_zero_gives_no_interval(files):
    run = runs_by_task(results(files))[0][f"{OPEN},last-letter"]
    measure = run.measures["lm_eval_exact_match"]
    assert (measure.value, measure.low, measure.high) == (0.0, None, None)
    # It is kept as the file has it, all the same.
    assert run.rest["results"][OPEN]["exact_match_stderr,last-letter"] == 0.0


def test_directions_are_those_of_the_file(files):
    run = runs_by_task(results(files))[0][TEXT]
    assert run.measures["word_perplexity"].higher_is_better is False
    assert run.measures["bits_per_byte"].value == 3.780683447043606


@pytest.mark.parametrize("model", ["tiny-a", "tiny-b"])
def test_no_field_is_dropped(files, lost, model):
    content = json.loads(results(files, model).read_text())
    runs, _ = runs_by_task(results(files, model))
    date = next(iter(runs.values())).columns["created_at"]
    assert lost(content, list(runs.values()), {"created_at": lambda _: date}) == []
    one = runs[CHOICE]
    # One run alone lacks what is another task's.
    assert any(path.startswith(f"results.{TEXT}") for path in lost(content, [one], {}))


def test_samples_become_predictions_of_their_filter(files):
    runs, _ = runs_by_task(results(files))
    first = runs[CHOICE].lines[0]
    assert first["question_id"] == first["other_fields"]["doc_hash"]
    assert first["question"] == "What is the capital of France?"
    assert first["choices"] == ["Accra", "Havana", "Paris", "London"]
    assert first["gold"] == ["Paris"]
    assert first["option_scores"] == pytest.approx([-7.468475, -40.203686, -4.811651, -8.302355])
    assert first["output"] == "Paris"
    assert first["metrics"] == {"multiple_choice": 1.0, "multiple_choice_normalised": 1.0}
    assert first["prompt"] == "Question: What is the capital of France?\nAnswer:"
    scored = [line["metrics"]["lm_eval_exact_match"] for line in runs[f"{OPEN},first-letter"].lines]
    assert (len(scored), sum(scored)) == (12, 2)
    other = [line["metrics"]["lm_eval_exact_match"] for line in runs[f"{OPEN},last-letter"].lines]
    assert (len(other), sum(other)) == (12, 0)


def test_no_field_of_a_sample_is_dropped(files):
    path = next((files / "lm_eval" / "tiny-a").glob(f"samples_{OPEN}_*"))
    samples = [json.loads(line) for line in path.read_text().splitlines()]
    runs, _ = runs_by_task(results(files))
    lines = [*runs[f"{OPEN},first-letter"].lines, *runs[f"{OPEN},last-letter"].lines]
    for sample in samples:
        score = sample.pop("exact_match")
        found = [line for line in lines if line["other_fields"] == sample]
        assert [line["metrics"]["lm_eval_exact_match"] for line in found] == [score]


def test_two_models_share_questions_and_split(files):
    ours, theirs = (runs_by_task(results(files, name))[0] for name in ("tiny-a", "tiny-b"))
    for task in ours:
        ids = [[line["question_id"] for line in runs[task].lines] for runs in (ours, theirs)]
        assert ids[0] == ids[1]
        assert len(set(ids[0])) == 12
        assert ours[task].columns["split_sha256"] == theirs[task].columns["split_sha256"]
        assert ours[task].run_id != theirs[task].run_id
    assert ours[CHOICE].columns["split_sha256"] != ours[TEXT].columns["split_sha256"]


def test_a_score_that_is_no_number_is_no_metric_but_kept(files):
    line = runs_by_task(results(files))[0][TEXT].lines[0]
    assert line["metrics"] == {}
    assert line["other_fields"]["word_perplexity"] == [-84.74650573730469, 7]


def test_results_without_samples_are_rows_without_predictions(files, tmp_path):
    shutil.copy(results(files), tmp_path)
    runs, problems = runs_by_task(tmp_path / results(files).name)
    assert [len(run.lines) for run in runs.values()] == [0, 0, 0, 0]
    assert runs[CHOICE].columns["n_test"] == 12
    assert runs[CHOICE].columns.get("split_sha256") is None
    assert problems == []


def test_damaged_samples_are_named_and_the_others_count(files, tmp_path):
    folder = shutil.copytree(files / "lm_eval" / "tiny-a", tmp_path / "copy")
    path = next(folder.glob(f"samples_{CHOICE}_*"))
    lines = path.read_text().splitlines()
    lines[1], lines[3] = lines[1][:-20], '{"no": "sample"}'
    path.write_text("\n".join(lines))
    runs, problems = runs_by_task(_first(folder))
    assert len(runs[CHOICE].lines) == 10
    assert any("line 2: no JSON" in problem for problem in problems)
    assert any("line 4: no 'doc_id' or 'doc_hash'" in problem for problem in problems)


def _first(folder):
    return next(folder.glob("results_*.json"))


def test_a_document_that_is_asked_twice_keeps_two_ids(files, tmp_path):
    folder = shutil.copytree(files / "lm_eval" / "tiny-a", tmp_path / "copy")
    path = next(folder.glob(f"samples_{CHOICE}_*"))
    first = path.read_text().splitlines()[0]
    path.write_text(first + "\n" + json.dumps(json.loads(first) | {"doc_id": 7}) + "\n")
    lines = runs_by_task(_first(folder))[0][CHOICE].lines
    one = json.loads(first)["doc_hash"]
    assert [line["question_id"] for line in lines] == [f"{one}-0", f"{one}-7"]


def test_nan_is_kept_as_text_and_named(files, tmp_path):
    content = json.loads(results(files).read_text())
    content["results"][CHOICE]["acc,none"] = math.nan
    runs, problems = runs_by_task(written(tmp_path, content))
    assert "multiple_choice" not in runs[CHOICE].columns
    assert runs[CHOICE].rest["results"][CHOICE]["acc,none"] == "NaN"
    assert "results.toy_capitals_choice.acc,none is no finite number" in problems[0]


def test_a_score_of_nan_is_kept_as_text_and_is_no_metric(files, tmp_path):
    folder = shutil.copytree(files / "lm_eval" / "tiny-a", tmp_path / "copy")
    path = next(folder.glob(f"samples_{CHOICE}_*"))
    path.write_text(path.read_text().replace('"acc": 1.0', '"acc": NaN'))
    run = runs_by_task(_first(folder))[0][CHOICE]
    write_lines(tmp_path, run.run_id, run.lines)
    line = read_predictions(tmp_path / f"{run.run_id}.jsonl")[0]
    assert line["metrics"] == {"multiple_choice_normalised": 1.0}
    assert line["other_fields"]["acc"] == "NaN"


def test_a_group_is_a_run_of_its_own_and_its_acc_is_not_taken_for_ours(tmp_path):
    content = {
        "results": {"group": {"acc,none": 0.5, "alias": "group"}, "empty": {"alias": "x"}},
        "groups": {"group": {"acc,none": 0.5, "alias": "group"}},
        "configs": {},
        "model_name": "m",
    }
    runs, _ = runs_by_task(written(tmp_path, content))
    assert list(runs) == ["group"]
    assert runs["group"].measures["acc"].value == 0.5
    assert runs["group"].rest["groups"] == content["groups"]
    # A task without figures is no run, but what it says is kept.
    assert runs["group"].rest["results"]["empty"] == {"alias": "x"}


def test_older_files_without_filters_are_read(tmp_path):
    content = {
        "results": {"boolq": {"acc": 0.75, "acc_stderr": 0.1}},
        "versions": {"boolq": 1},
        "config": {"model": "hf-causal", "model_args": "pretrained=org/base,peft=out/adapter-1"},
    }
    runs, _ = runs_by_task(written(tmp_path, content))
    run = runs["boolq"]
    assert run.measures["acc"].low == pytest.approx(0.75 - 0.1959964)
    assert (run.columns["model"], run.columns["arm"]) == ("org/base", "base+adapter-1")
    assert run.versions == {"acc": "lm-eval acc 1"}


def test_a_file_without_figures_is_refused(tmp_path):
    path = written(tmp_path, {"results": {"t": {"alias": "t"}}, "versions": {}})
    with pytest.raises(DataError, match="no task in 'results' has a figure"):
        read(read_foreign(path))


@pytest.mark.parametrize(
    ("metric", "output_type", "name"),
    [
        ("acc", "multiple_choice", "multiple_choice"),
        ("acc", "generate_until", "acc"),
        ("f1", "generate_until", "lm_eval_f1"),
        ("bleu score", None, "bleu_score"),
    ],
)
def test_names_of_metrics(metric, output_type, name):
    assert measure_name(metric, output_type) == name


def test_names_of_our_own_export_are_those_of_its_row():
    assert own_name("acc", {}) == "multiple_choice"
    assert own_name("f1", {"other_measures": None}) == "f1"
    # The acc of a group is no multiple_choice, and must not become it on the way out and back.
    assert own_name("acc", {"other_measures": {"acc": {"value": 0.5}}}) == "acc"
    assert own_name("run_id", {}) == "lm_eval_run_id"


def test_our_reader_accepts_the_predictions(files, tmp_path):
    run = runs_by_task(results(files))[0][f"{OPEN},first-letter"]
    write_lines(tmp_path, run.run_id, run.lines)
    problems = Problems()
    read_back = list(prediction_lines(tmp_path / f"{run.run_id}.jsonl", problems))
    assert len(read_back) == 12
    assert problems.lines() == ()
