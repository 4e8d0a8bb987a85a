"""``harness compare``: what it prints where, what it writes, its exit codes and its errors."""

import json
import os
import pty
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from harness.cli import report
from harness.compare.command import main
from harness.compare.options import Options
from harness.compare.result import Comparison
from harness.errors import ConfigError, HarnessError

from .made import COMPARISON


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Options]:
    """A fake comparison in place of reading files; the value is what it was asked for."""
    found: list[Options] = []

    def compare(paths: Sequence[Path], options: Options) -> Comparison:
        found.append(options)
        return COMPARISON

    fake = ModuleType("harness.compare.comparison")
    fake.compare = compare  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "harness.compare.comparison", fake)
    monkeypatch.chdir(tmp_path)
    Path("runs.csv").write_text("schema_version,run_id\n")
    return found


def test_help_names_every_flag_and_exit_code(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    flags = "baseline arms measures primary by margin alpha seed format out estimand all"
    for flag in f"{flags} fail-if require-shown".split():
        assert f"  --{flag} " in text
    assert "0 done and every gate passed, 1 a gate failed, 2 wrong input, 3 a gate" in text
    assert max(map(len, text.splitlines())) <= 90


def test_without_a_terminal_the_table_is_markdown(capsys: pytest.CaptureFixture[str]):
    assert main(["runs.csv"]) == 0
    assert capsys.readouterr().out.startswith("## Arms\n")


def test_on_a_terminal_the_table_is_drawn(monkeypatch: pytest.MonkeyPatch):
    ours, theirs = pty.openpty()
    monkeypatch.setenv("COLUMNS", "100")
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        reading = _reader(ours)
        assert main(["runs.csv"]) == 0
        terminal.flush()
    text = reading()
    assert "\x1b[1mArms" in text
    assert "────" in text
    assert "## Arms" not in text


def _reader(descriptor: int):
    """Reads the terminal's other end while it is written, so that its buffer never fills up."""
    import threading

    chunks: list[bytes] = []

    def read() -> None:
        try:
            while chunk := os.read(descriptor, 65536):
                chunks.append(chunk)
        except OSError:  # the other end is closed
            return

    thread = threading.Thread(target=read)
    thread.start()

    def text() -> str:
        thread.join(10)
        return b"".join(chunks).decode()

    return text


def test_options_reach_the_comparison(asked: list[Options]):
    main(["runs.csv", "--baseline", "rag", "--alpha", "0.01", "--by", "bucket", "--seed", "7"])
    assert asked == [Options(baseline="rag", alpha=0.01, by=("bucket",), seed=7)]


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.md", "## Arms"), ("a.csv", "baseline,arm,"), ("a.tex", "% Needs"), ("a.json", "{")],
)
def test_a_file_is_written_whole(name: str, begins: str, capsys: pytest.CaptureFixture[str]):
    Path(name).write_text("older")
    assert main(["runs.csv", "--out", name]) == 0
    assert Path(name).read_text(encoding="utf-8").startswith(begins)
    assert capsys.readouterr().out == f"written: {name}\n"
    assert sorted(path.name for path in Path().iterdir()) == sorted([name, "runs.csv"])


def test_data_on_standard_output_is_nothing_but_data(capsys: pytest.CaptureFixture[str]):
    assert main(["runs.csv", "--format", "json", "--fail-if", "rag.contains < 0"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["alpha"] == 0.05
    assert "line 7: ragged row, left out" in printed.err
    assert "gate pass: rag.contains < 0; rag − closed_book +0.333 [+0.281, +0.385]" in printed.err


@pytest.mark.parametrize(
    ("gates", "code", "printed"),
    [
        (["rag.contains < 0.02"], 0, ["gate pass"]),
        (["contains < -0.02"], 3, ["other_split − closed_book; not compared: another test split"]),
        (["contains > 0.1"], 1, ["gate fail"]),
        (["contains < 0"], 3, ["gate inconclusive"]),
        (["rag.contains<0", "contains<0", "contains>0.1"], 1, ["pass", "inconclusive", "fail"]),
        (["contains < 0", "--require-shown"], 1, ["gate fail"]),
        (["rag.recall_at_k < 0"], 3, ["closed_book retrieves nothing"]),
    ],
)
def test_gates_decide_the_exit_code(
    gates: list[str], code: int, printed: list[str], capsys: pytest.CaptureFixture[str]
):
    flags = [text for gate in gates for text in ([gate] if gate[0] == "-" else ["--fail-if", gate])]
    assert main(["runs.csv", *flags]) == code
    lines = capsys.readouterr().out.splitlines()
    lines = [line for line in lines if line.startswith("gate ")]
    assert len(lines) == len(printed)
    assert all(words in line for words, line in zip(printed, lines, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], r"^nowhere: there is no such file or folder$"),
        (["runs.csv", "--fail-if", "containz < 0"], r"did you mean 'contains'"),
        (["runs.csv", "--fail-if", "rga.contains < 0"], r"no arm 'rga'; did you mean 'rag'"),
        (["runs.csv", "--out", "no/x.md"], r"there is no folder no; make it first"),
        (["runs.csv", "--out", "."], r"it is a folder"),
        (["runs.csv", "--out", "runs.csv"], r"it is one of the inputs"),
        (["runs.csv", "--out", "./other/../runs.csv"], r"there is no folder|one of the inputs"),
        (["runs.csv", "--out", "/dev/null"], r"no ordinary file"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_two(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(ConfigError, match=message) as error:
        main(arguments)
    assert report(error.value) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["old/runs.csv", "predictions/a.jsonl", "probes/a.md", "kept.csv"])
def test_results_are_never_written_over(name: str, asked: list[Options]):
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("schema_version,run_id\n1,a\n")
    with pytest.raises(ConfigError, match=r"runs are recorded there"):
        main(["runs.csv", "--out", name])
    assert path.read_text() == "schema_version,run_id\n1,a\n"
    assert asked == []  # known before anything is computed


def test_a_link_to_results_is_not_followed():
    Path("link.md").symlink_to("runs.csv")
    with pytest.raises(ConfigError, match=r"it is one of the inputs"):
        main(["runs.csv", "--out", "link.md"])


def test_a_file_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(HarnessError, match=r"--out a.md: cannot be written: No space left"):
        main(["runs.csv", "--out", "a.md"])
    assert not Path(".a.md.part").exists()


def test_a_terminal_that_lacks_characters_gets_question_marks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["runs.csv"]) == 0
    assert "rag ? closed_book" in (tmp_path / "out").read_text()
