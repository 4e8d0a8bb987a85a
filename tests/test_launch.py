"""``harness run``: jobs, exit codes, files and the table, with a fake in place of a real run."""

import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.cli import main
from harness.config import Config
from harness.errors import TrainingError
from harness.record import append_row, read_rows
from harness.row import Row, new_row

# Seeds that make the fake run go wrong.
FAILED_ROW, INPUT_ERROR, CRASH, INTERRUPT = 6, 7, 8, 9


def fake_run(config: Config, rerun: str) -> Row:
    if config.seed == INPUT_ERROR:
        raise TrainingError("the loss is NaN; lower adapter.learning_rate")
    if config.seed == CRASH:
        raise ZeroDivisionError("division by zero")
    if config.seed == INTERRUPT:
        raise KeyboardInterrupt
    failed = config.seed == FAILED_ROW
    row = new_row(
        run_id=f"{config.arm}-{config.seed}-{os.environ['HARNESS_INVOCATION']}",
        experiment=config.experiment,
        arm=config.arm,
        task=config.task.name,
        model=config.model.name,
        seed=config.seed,
        status="failed" if failed else "ok",
        error="out of memory" if failed else None,
        invocation=os.environ["HARNESS_INVOCATION"],
        contains=None if failed else 0.5,
    )
    append_row(config.folder() / "runs.csv", row)
    return row


@pytest.fixture(autouse=True)
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An empty working folder and a fake run."""
    fake = ModuleType("harness.run")
    fake.run = fake_run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "harness.run", fake)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in ("HYDRA_FULL_ERROR", "HARNESS_INVOCATION"):
        monkeypatch.setenv(name, "")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["run", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_one_run_leaves_one_row_and_a_table_and_writes_only_into_results(capsys):
    code, out, err = run(capsys, "method=rag", "seed=3")
    assert code == 0
    (row,) = read_rows(Path("results/adhoc/runs.csv"))
    assert (row["arm"], row["seed"]) == ("rag", 3)
    assert re.search(r"\| rag +\| +3 \| +50 \|", out)
    assert "run 1 of 1: rag, seed 3" in err
    assert [path.name for path in Path().iterdir()] == ["results"]
    visible = [p.name for p in Path("results/adhoc").iterdir() if not p.name.startswith(".")]
    assert sorted(visible) == ["runs.csv", "sweep"]


def test_the_quickstart_runs_its_arms_in_order_and_names_what_comes_next(capsys):
    code, out, err = run(capsys, "experiment=quickstart")
    assert code == 0
    rows = read_rows(Path("results/quickstart/runs.csv"))
    assert [row["arm"] for row in rows] == ["closed_book", "rag", "lora", "rag_lora"]
    assert "run 4 of 4: rag_lora, seed 0" in err
    assert "results/quickstart/runs.csv" in out
    assert "Next: harness run experiment=quickstart seed=0,1,2" in out


def test_a_second_command_shows_only_its_own_rows(capsys):
    run(capsys, "method=rag")
    _, out, _ = run(capsys, "method=lora")
    assert len(read_rows(Path("results/adhoc/runs.csv"))) == 2
    assert "| lora " in out
    assert "| rag " not in out


def test_rows_of_one_command_share_an_invocation_and_commands_do_not(capsys):
    run(capsys, "-m", "seed=0,1")
    run(capsys, "seed=0")
    first, second, third = (row["invocation"] for row in read_rows(Path("results/adhoc/runs.csv")))
    assert first == second != third


def test_flags_may_stand_anywhere(capsys):
    code, _, _ = run(capsys, "method=rag", "-m", "seed=0,1")
    assert code == 0
    assert len(read_rows(Path("results/adhoc/runs.csv"))) == 2


def test_a_failed_row_makes_exit_code_1_and_the_other_arms_still_run(capsys):
    code, out, _ = run(capsys, "-m", f"seed={FAILED_ROW},1")
    assert code == 1
    assert [r["status"] for r in read_rows(Path("results/adhoc/runs.csv"))] == ["failed", "ok"]
    assert "failed: closed_book, seed 6: out of memory" in out


def test_an_input_error_within_a_run_is_one_line_and_the_other_arms_still_run(capsys):
    code, _, err = run(capsys, "-m", f"seed={INPUT_ERROR},1")
    assert code == 2
    assert "error: the loss is NaN; lower adapter.learning_rate\n" in err
    assert "Traceback" not in err
    assert [row["seed"] for row in read_rows(Path("results/adhoc/runs.csv"))] == [1]


def test_a_crash_within_a_run_leaves_its_traceback_in_the_experiments_logs(capsys):
    code, out, err = run(capsys, f"seed={CRASH}")
    assert code == 1
    (log,) = Path("results/adhoc/logs").iterdir()
    assert f"error: ZeroDivisionError: division by zero (traceback: {log})" in err
    assert "Traceback" not in err
    assert "in fake_run" in log.read_text()
    assert "No row was added" in out


def test_an_interrupt_keeps_the_rows_of_finished_arms(capsys):
    code, _, err = run(capsys, "-m", f"seed=1,{INTERRUPT},2")
    assert code == 130
    assert "interrupted" in err
    assert [row["seed"] for row in read_rows(Path("results/adhoc/runs.csv"))] == [1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["retriever.topk=5"],
        ["method=ragg"],
        ["seed=abc"],
        ["experiment=none_such"],
        ["a b"],
        ["--no-such-flag"],
        ["--info", "nothing"],
        ["--config-dir", "absent"],
        ["--config-name", "other"],
        ["--experimental-rerun", "job.pickle"],
        ["method=rag,lora", "--cfg", "job"],
        ["-m", "method=rag,lora", "--cfg", "job"],
    ],
    ids=" ".join,
)
def test_wrong_input_is_one_line_with_exit_code_2_and_nothing_is_written(arguments, capsys):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_a_results_folder_that_cannot_be_written_is_named_before_anything_runs(capsys):
    Path("taken").write_text("a file")
    code, _, err = run(capsys, "results=taken")
    assert code == 2
    assert "taken" in err
    assert err.count("\n") == 1


def test_cfg_job_prints_the_settings_and_runs_nothing(capsys):
    arguments = ("method=rag", "retriever=bm25", "retriever.top_k=5", "--cfg", "job")
    code, out, _ = run(capsys, *arguments, "-p", "retriever")
    assert code == 0
    assert "kind: bm25\n" in out
    assert "top_k: 5\n" in out
    assert "seed" not in out
    assert list(Path().iterdir()) == []


def test_cfg_job_prints_an_experiment_that_sweeps(capsys):
    code, out, _ = run(capsys, "experiment=quickstart", "--cfg", "job")
    assert code == 0
    assert "experiment: quickstart\n" in out


def test_info_is_hydras(capsys):
    code, out, _ = run(capsys, "method=rag", "--info", "defaults")
    assert code == 0
    assert "method/rag" in out
