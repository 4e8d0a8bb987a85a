"""The command: help without heavy imports, exit codes, errors as one line."""

import subprocess
import sys

import pytest

from harness import cli
from harness.cli import COMMANDS, main, report, write_traceback
from harness.errors import DataError

HEAVY = ("torch", "transformers", "pandas", "faiss", "scipy", "codecarbon", "hydra", "numpy")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["doctor", "--help"], ["reproduce", "--help"], []],
)
def test_help_imports_nothing_heavy(arguments: list[str]):
    code = f"import sys; from harness.cli import main; main({arguments})"
    done = python("-c", f"{code}; print([m for m in {HEAVY} if m in sys.modules])")
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert "usage: harness" in done.stdout


def test_help_lists_every_command_and_each_of_them_exists(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in text
        assert main([name, "--help"]) == 0
        assert f"usage: harness {name}" in capsys.readouterr().out


def test_run_help_lists_the_choices_of_each_group(capsys: pytest.CaptureFixture[str]):
    main(["run", "--help"])
    lines = capsys.readouterr().out.splitlines()
    (methods,) = (line for line in lines if line.startswith("  method "))
    assert {"closed_book,", "rag,", "lora,"} <= set(methods.split())
    assert not any(line.startswith("  hydra ") for line in lines)


def test_python_dash_m_is_the_command_and_a_mistake_is_one_line():
    for module in ("harness", "harness.cli"):
        done = python("-m", module, "rnu")
        assert done.returncode == 2
        assert done.stderr == (
            "error: unknown command 'rnu'; did you mean 'run'?; it is one of: "
            f"{', '.join(COMMANDS)}\n"
        )


def test_without_a_command_the_help_is_printed_and_it_counts_as_wrong_input():
    assert main([]) == 2


def test_the_bars_of_libraries_are_off_where_nobody_watches():
    code = "from harness.cli import main; main(['--help']); from tqdm import tqdm; list(tqdm([1]))"
    assert python("-c", code).stderr == ""


def fake_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def raising(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_dispatch", raising)


def test_an_input_error_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake_command(monkeypatch, DataError("questions.csv, line 3:\nno answer"))
    assert main(["run"]) == 2
    assert capsys.readouterr().err == "error: questions.csv, line 3: no answer\n"


def test_an_interrupt_is_one_line_and_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake_command(monkeypatch, KeyboardInterrupt())
    assert main(["run"]) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_an_unexpected_error_is_one_line_and_its_traceback_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path
):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    fake_command(monkeypatch, ZeroDivisionError("division by zero"))
    assert main(["run"]) == 1
    (log,) = (tmp_path / "logs").iterdir()
    assert capsys.readouterr().err == (
        f"error: ZeroDivisionError: division by zero (traceback: {log})\n"
    )
    text = log.read_text()
    assert text.startswith("Traceback")
    assert "in raising" in text


def test_a_missing_package_says_how_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake_command(monkeypatch, ModuleNotFoundError("No module named 'hydra'"))
    assert main(["run"]) == 1
    assert "make .venv" in capsys.readouterr().err


def test_an_error_without_a_message_is_named_by_its_type(capsys: pytest.CaptureFixture[str]):
    assert report(DataError()) == 2
    assert capsys.readouterr().err == "error: DataError\n"


def test_a_traceback_that_cannot_be_written_does_not_hide_the_error(
    tmp_path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("")
    assert report(ValueError("odd"), tmp_path / "file" / "logs") == 1
    assert "ValueError: odd (traceback: not written" in capsys.readouterr().err


def test_tracebacks_of_one_second_share_a_file_and_are_all_kept(tmp_path):
    for name in ("one", "two"):
        write_traceback(ValueError(name), tmp_path)
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "one" in text
    assert "two" in text
