import csv
import json

import pytest

from harness.errors import ConfigError
from harness.interchange import export_command, import_command
from harness.interchange.to_lm_eval import results_of
from harness.predictions import read_predictions
from harness.record import append_row, read_rows
from harness.row import new_row

IDENTITY = {
    "run_id": "rag-s0",
    "created_at": "2026-01-02T03:04:05+00:00",
    "experiment": "e",
    "arm": "rag",
    "task": "toy",
    "model": "m",
    "seed": 0,
    "status": "ok",
}
LINES = [
    {
        "question_id": f"q{number}",
        "question": "Which?",
        "gold": ["b"],
        "choices": ["a", "b"],
        "cluster": "c",
        "prompt": "Which?",
        "prompt_sha256": "00",
        "output": "b",
        "option_scores": [-2.0, -1.0],
        "metrics": {"multiple_choice": score, "multiple_choice_normalised": 1.0},
        "tokens_in": 3,
        "tokens_out": 0,
        "latency_seconds": None,
    }
    for number, score in enumerate((1.0, 0.0, 1.0, 0.0))
]
MEASURES = {
    "multiple_choice": 0.5,
    "multiple_choice_low": 0.15,
    "multiple_choice_high": 0.85,
    "multiple_choice_normalised": 1.0,
    "forgetting_facts_options": 0.25,
    "forgetting_facts_options_n": 8,
    "facts_options_before": 0.75,
    "facts_options_after": 0.5,
    "n_test": 4,
    "prefill_seconds": 2.0,
    "decode_seconds": 6.0,
    "total_energy_kwh": 0.5,
    "metric_versions": {"multiple_choice": 1},
    "other_measures": {
        "bleu": {
            "value": 0.3,
            "low": None,
            "high": 0.4,
            "higher_is_better": True,
            "unit": "",
            "n": 4,
        }
    },
}


@pytest.fixture
def results(tmp_path):
    """A folder with a run that finished, one that failed, and one whose name is a formula."""
    folder = tmp_path / "results"
    append_row(folder / "runs.csv", new_row(**IDENTITY, **MEASURES))
    failed = {**IDENTITY, "run_id": "lora-s0", "arm": "lora", "status": "failed"}
    append_row(folder / "runs.csv", new_row(**failed, error="=boom", load_seconds=1.5))
    (folder / "predictions").mkdir()
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    (folder / "predictions" / "rag-s0.jsonl").write_text(text)
    return folder


def tidy(results, tmp_path):
    out = tmp_path / "tidy.csv"
    assert export_command.main([str(results), "--format", "tidy", "--out", str(out)]) == 0
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def test_tidy_has_a_line_for_each_figure_with_unit_direction_and_n(results, tmp_path):
    lines = {(line["run_id"], line["measure"]): line for line in tidy(results, tmp_path)}
    told = lines["rag-s0", "multiple_choice"]
    wanted = ("value", "low", "high", "n", "higher_is_better", "seed")
    assert [told[name] for name in wanted] == ["0.5", "0.15", "0.85", "4", "true", "0"]
    assert lines["rag-s0", "forgetting_facts_options"]["n"] == "8"
    assert lines["rag-s0", "facts_options_before"]["value"] == "0.75"
    bleu = lines["rag-s0", "bleu"]
    assert (bleu["value"], bleu["low"], bleu["high"]) == ("0.3", "", "0.4")
    # (2 + 6) seconds over four questions.
    assert lines["rag-s0", "answer_seconds"]["value"] == "2.0"
    assert lines["rag-s0", "answer_seconds"]["higher_is_better"] == "false"
    assert lines["rag-s0", "prefill_seconds"]["unit"] == "s"
    assert ("rag-s0", "exact_match") not in lines


def test_tidy_shows_failed_runs_with_their_costs_and_no_measure(results, tmp_path):
    lines = [line for line in tidy(results, tmp_path) if line["run_id"] == "lora-s0"]
    assert [(line["measure"], line["value"]) for line in lines] == [
        ("", ""),
        ("load_seconds", "1.5"),
    ]
    # A spreadsheet would run "=boom".
    assert {(line["status"], line["error"]) for line in lines} == {("failed", "'=boom")}


def test_tidy_is_the_same_each_time(results, tmp_path):
    tidy(results, tmp_path)
    first = (tmp_path / "tidy.csv").read_bytes()
    tidy(results, tmp_path)
    assert (tmp_path / "tidy.csv").read_bytes() == first


def test_lm_eval_figures_have_their_names_errors_and_directions():
    found = results_of(new_row(**IDENTITY, **MEASURES), LINES)
    figures = found["results"]["toy"]
    assert figures["acc,none"] == 0.5
    # Standard deviation of 1, 0, 1, 0 is sqrt(1/3); over the root of four.
    assert figures["acc_stderr,none"] == pytest.approx((1 / 3) ** 0.5 / 2)
    assert figures["acc_norm,none"] == 1.0
    assert figures["forgetting_facts_options_stderr,none"] == "N/A"
    assert figures["bleu,none"] == 0.3
    assert found["higher_is_better"]["toy"]["forgetting_facts_options"] is False
    assert found["n-samples"] == {"toy": {"original": 4, "effective": 4}}
    assert found["config"]["model_args"]["pretrained"] == "m"
    assert found["date"] == 1767323045.0


def test_lm_eval_leaves_failed_runs_out_and_says_so(results, tmp_path, capsys):
    out = tmp_path / "out"
    assert export_command.main([str(results), "--format", "lm-eval", "--out", str(out)]) == 0
    assert [path.name for path in out.iterdir()] == ["rag-s0"]
    assert "run lora-s0 failed and is left out: =boom" in capsys.readouterr().err


def test_samples_are_lines_of_lm_eval(results, tmp_path):
    out = tmp_path / "out"
    export_command.main([str(results), "--format", "lm-eval", "--out", str(out)])
    date = "2026-01-02T03-04-05.000000"
    path = out / "rag-s0" / f"samples_toy_{date}.jsonl"
    sample = json.loads(path.read_text().splitlines()[1])
    assert (sample["doc_id"], sample["target"], sample["acc"]) == (1, "1", 0.0)
    assert sample["filtered_resps"] == [["-2.0", None], ["-1.0", None]]
    assert sample["arguments"]["gen_args_1"] == {"arg_0": "Which?", "arg_1": "b"}
    assert (out / "rag-s0" / f"results_{date}.json").exists()


def test_what_is_exported_and_imported_again_is_the_same(results, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    export_command.main([str(results), "--format", "lm-eval", "--out", str(out)])
    assert import_command.main([str(out), "--out", str(again)]) == 0
    (row,) = read_rows(again / "runs.csv")
    original = read_rows(results / "runs.csv")[0]
    differing = {name for name in original if original[name] != row[name]}
    assert differing == {"run_id", "experiment", "source", "other_fields"}
    assert row["other_fields"]["rag_ft_harness"]["row"]["run_id"] == "rag-s0"
    assert row["source"].startswith("rag-ft-harness export, results_2026-01-02T03-04-05")
    lines = read_predictions(again / "predictions" / f"{row['run_id']}.jsonl")
    assert [{name: line[name] for name in LINES[0]} for line in lines] == LINES


def test_a_real_lm_eval_run_survives_the_way_out_and_back(files, tmp_path):
    first, out, again = tmp_path / "first", tmp_path / "out", tmp_path / "again"
    import_command.main([str(files / "lm_eval" / "tiny-a"), "--out", str(first)])
    assert export_command.main([str(first), "--format", "lm-eval", "--out", str(out)]) == 0
    assert import_command.main([str(out), "--out", str(again)]) == 0
    before = {row["task"]: row for row in read_rows(first / "runs.csv")}
    after = {row["task"]: row for row in read_rows(again / "runs.csv")}
    assert list(before) == list(after)
    for task, row in before.items():
        same = ("multiple_choice", "multiple_choice_low", "other_measures", "split_sha256", "arm")
        assert [after[task][name] for name in same] == [row[name] for name in same]
        assert after[task]["metric_versions"] == row["metric_versions"]
        pairs = [
            [(line["question_id"], line["metrics"]) for line in read_predictions(path)]
            for path in (
                first / "predictions" / f"{row['run_id']}.jsonl",
                again / "predictions" / f"{after[task]['run_id']}.jsonl",
            )
        ]
        assert pairs[0] == pairs[1]


def test_a_task_name_cannot_leave_the_folder(tmp_path):
    folder, out = tmp_path / "results", tmp_path / "out"
    row = new_row(**{**IDENTITY, **MEASURES, "task": "../../evil"})
    append_row(folder / "runs.csv", row)
    assert export_command.main([str(folder), "--format", "lm-eval", "--out", str(out)]) == 0
    written = [path for path in tmp_path.rglob("*.json*") if path.is_file()]
    assert written
    assert all(out / "rag-s0" in path.parents for path in written)


def test_runs_without_measures_are_named(tmp_path, capsys):
    append_row(tmp_path / "runs.csv", new_row(**IDENTITY, total_energy_kwh=1.0))
    out = tmp_path / "out"
    arguments = [str(tmp_path), "--format", "lm-eval", "--out", str(out)]
    assert export_command.main(arguments) == 2
    assert "run rag-s0 has no measures" in capsys.readouterr().err


def test_damaged_predictions_are_named_and_the_row_is_exported(results, tmp_path, capsys):
    (results / "predictions" / "rag-s0.jsonl").write_text("{broken\n")
    assert (
        export_command.main([str(results), "--format", "lm-eval", "--out", str(tmp_path / "out")])
        == 0
    )
    assert "exported without its predictions" in capsys.readouterr().err


@pytest.mark.parametrize(("form", "out"), [("tidy", "folder"), ("lm-eval", "file.json")])
def test_a_folder_for_a_table_and_a_file_for_folders_are_refused(results, tmp_path, form, out):
    with pytest.raises(ConfigError, match="--out"):
        export_command.main([str(results), "--format", form, "--out", str(tmp_path / out)])


def test_help_and_a_wrong_command_line(capsys):
    assert export_command.main(["-h"]) == 0
    assert "usage: harness export" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="invalid choice: 'xml'"):
        export_command.main(["x", "--format", "xml", "--out", "y"])
