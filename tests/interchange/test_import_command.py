import json
import shutil

import pytest

from harness.errors import ConfigError, DataError
from harness.interchange.detect import KINDS, read_foreign
from harness.interchange.import_command import main
from harness.predictions import read_predictions
from harness.record import read_rows


def imported(out):
    return read_rows(out / "runs.csv")


def test_a_folder_of_every_kind_becomes_one_table(files, tmp_path, capsys):
    out = tmp_path / "results" / "peers"
    assert main([str(files), "--out", str(out), "--task", "t"]) == 0
    # lm-eval files hold several tasks, which one --task would make one.
    rows = imported(out)
    kinds = [row["source"].split()[0] for row in rows]
    assert kinds == ["codecarbon"] * 3 + ["optimum-benchmark"] * 2 + ["peft"] * 2
    assert {row["experiment"] for row in rows} == {"peers"}
    assert "which --task would give one name: leave it out" in capsys.readouterr().err


def test_predictions_are_written_beside_the_table(files, tmp_path):
    assert main([str(files / "lm_eval"), "--out", str(tmp_path)]) == 0
    rows = imported(tmp_path)
    assert len(rows) == 8
    for row in rows:
        lines = read_predictions(tmp_path / "predictions" / f"{row['run_id']}.jsonl")
        assert len(lines) == 12


def test_importing_twice_adds_nothing_and_says_so(files, tmp_path, capsys):
    arguments = [str(files / "peft"), str(files / "lm_eval"), "--out", str(tmp_path)]
    assert main(arguments) == 0
    before = (tmp_path / "runs.csv").read_bytes()
    capsys.readouterr()
    assert main(arguments) == 0
    assert (tmp_path / "runs.csv").read_bytes() == before
    told = capsys.readouterr()
    assert told.out.count("already there: ") == 10
    assert "0 imported" in told.out
    assert told.err == ""


def test_a_run_that_is_there_with_other_figures_is_named(files, tmp_path, capsys):
    path = tmp_path / "emissions.csv"
    path.write_text("run_id,project_name,duration,emissions\na,mine,1,0.1\n")
    out = tmp_path / "out"
    assert main([str(path), "--out", str(out), "--task", "t"]) == 0
    path.write_text("run_id,project_name,duration,emissions\na,mine,2,0.1\n")
    assert main([str(path), "--out", str(out), "--task", "t"]) == 0
    assert "is there already with other figures (spent_seconds)" in capsys.readouterr().err
    assert [row["spent_seconds"] for row in imported(out)] == [1.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ('{"run_info": {', "broken JSON"),
        ("[1, 2]", "list where a JSON object should be"),
        ('{"a": ' * 100_000, "broken JSON"),
        ('{"some": "settings"}', "is none of the files that are known: PEFT"),
        ("a,b,c\n1,2,3\n", "is none of the files that are known: PEFT"),
        ("run_id,status\nr1,ok\n", "is a table of this harness"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, capsys, content, message):
    path = tmp_path / "file.json"
    path.write_text(content)
    assert main([str(path), "--out", str(tmp_path / "out")]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if message in line]
    assert len(told) == 1
    assert told[0].startswith(f"note: {path}")
    assert not (tmp_path / "out").exists()


def test_the_kinds_that_were_looked_for_are_listed(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("{}")
    with pytest.raises(DataError) as caught:
        read_foreign(path)
    assert all(told in str(caught.value) for told in KINDS.values())


def test_a_file_of_another_kind_than_asked_for_is_refused(files, tmp_path, capsys):
    path = files / "peft" / "lora--toy-1B-rank8.json"
    assert main([str(path), "--kind", "lm-eval", "--out", str(tmp_path / "out")]) == 2
    assert "is PEFT method_comparison JSON" in capsys.readouterr().err


def test_what_can_be_imported_is_and_the_rest_is_named(files, tmp_path, capsys):
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    good = files / "peft" / "lora--toy-1B-rank8.json"
    assert main([str(broken), str(good), "--out", str(tmp_path / "out")]) == 1
    assert len(imported(tmp_path / "out")) == 1
    assert "1 not imported" in capsys.readouterr().out


def test_other_files_of_a_folder_are_passed_over_and_named(files, tmp_path, capsys):
    folder = shutil.copytree(files / "peft", tmp_path / "mixed")
    (folder / "settings.json").write_text('{"a": 1}')
    (folder / "readme.txt").write_text("not looked at")
    assert main([str(folder), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "1 other files passed over" in told.out
    assert "settings.json is none of the files" in told.err
    assert "readme" not in told.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--out", "o"], "nowhere: there is no such file or folder"),
        (["--out", "o"], "required: PATH"),
        (["nowhere"], "required: --out"),
        (["nowhere", "--out", "o", "--kind", "mlflow"], "invalid choice: 'mlflow'"),
        (["nowhere", "--out", "o", "--ou"], "unrecognized arguments: --ou"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, message):
    with pytest.raises(ConfigError, match=message) as caught:
        main(arguments)
    assert "\n" not in str(caught.value)


def test_help_lists_the_kinds(capsys):
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert "usage: harness import" in told
    assert all(f"  {kind} " in told for kind in KINDS)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a b"])
def test_an_experiment_that_leaves_the_folder_is_refused(files, tmp_path, name):
    arguments = [str(files / "peft"), "--out", str(tmp_path), "--experiment", name or "/"]
    with pytest.raises(ConfigError, match="is no name"):
        main(arguments)


def test_names_in_a_file_cannot_leave_the_folder(tmp_path):
    content = {
        "results": {"../../evil": {"acc,none": 0.5}, "=1+1": {"acc,none": 0.5}},
        "configs": {},
        "model_name": "../../../etc",
    }
    (tmp_path / "results_2026-01-01T00-00-00.json").write_text(json.dumps(content))
    # Samples are looked for in the folder of the results alone.
    (tmp_path.parent / "evil_2026-01-01T00-00-00.jsonl").write_text('{"doc_id": 0, "acc": 1.0}\n')
    out = tmp_path / "deep" / "out"
    assert main([str(tmp_path / "results_2026-01-01T00-00-00.json"), "--out", str(out)]) == 0
    rows = imported(out)
    assert [row["task"] for row in rows] == ["../../evil", "=1+1"]
    assert all("/" not in row["run_id"] and ".." not in row["run_id"] for row in rows)
    assert {path.name for path in out.iterdir()} <= {"runs.csv", ".runs.csv.lock"}
    assert "'=1+1" in (out / "runs.csv").read_text()


def test_arm_and_experiment_of_the_command_line_win(files, tmp_path):
    path = files / "peft" / "lora--toy-1B-rank8.json"
    arguments = [
        "--out",
        str(tmp_path),
        "--arm",
        "lora",
        "--experiment",
        "theirs",
        "--task",
        "maths",
    ]
    assert main([str(path), *arguments]) == 0
    (row,) = imported(tmp_path)
    assert (row["arm"], row["experiment"], row["task"]) == ("lora", "theirs", "maths")
    assert row["other_fields"]["arm in the file"] == "lora/toy-1B-rank8"


def test_compare_pairs_two_imported_lm_eval_runs(files, tmp_path):
    from harness.compare.comparison import compare
    from harness.compare.options import Options

    main([str(files / "lm_eval"), "--out", str(tmp_path)])
    arms = ("toy_capitals_choice/tiny-a", "toy_capitals_choice/tiny-b")
    found = compare([tmp_path], Options(baseline=arms[0], arms=arms))
    tested = next(one for one in found.results if one.measure == "multiple_choice")
    assert (tested.paired, tested.n) == (True, 12)
    assert (tested.baseline_value, tested.arm_value) == (0.25, pytest.approx(2 / 12))
