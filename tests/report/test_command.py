"""``harness report`` from its arguments to the files it writes."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from harness.errors import ConfigError, RecordError
from harness.report.command import main, parse

from .report_samples import write_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def written(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where a report was written, and what was printed."""
    out = tmp_path_factory.mktemp("out") / "new" / "place"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main([str(folder), "--out", str(out), "--baseline", "closed_book"]) == 0
    return out, printed.getvalue()


def test_it_writes_page_markdown_and_figures_and_says_so(written: tuple[Path, str]) -> None:
    out, printed = written
    assert re.search(r"report\.html {3}\d\.\d MB", printed)
    assert (out / "report.html").stat().st_size < 15_000_000
    text = (out / "report.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\((figures/[^)]+)\)", text)
    drawn = {f"figures/{path.name}" for path in (out / "figures").iterdir()}
    assert set(named) == drawn
    assert len(drawn) >= 5
    for name in drawn:
        assert (out / name).read_text(encoding="utf-8").startswith("<svg")


def test_the_same_results_give_the_same_page(
    folder: Path, written: tuple[Path, str], tmp_path: Path
) -> None:
    main([str(folder), "--out", str(tmp_path), "--baseline", "closed_book"])
    first, second = ((out / "report.html").read_bytes() for out in (written[0], tmp_path))
    assert first == second


def test_markdown_has_question_answer_table_and_failed_run(written: tuple[Path, str]) -> None:
    text = (written[0] / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# Retrieve, fine-tune, both or neither, on towns with tiny?\n")
    assert "| rag (40 questions) | 0 | 50.0 (" in text
    assert "| lora (40 questions) | 0, 1, 2 (1 failed, left out) | 75.0 (" in text
    assert "seeds 75.0 · 72.5 · 77.5" in text
    assert r"loss is \<b\>NaN\</b\> at step 3" in text
    assert "with uncommitted changes" in text
    assert "estimate, 90 % of it on assumed watts" in text


def test_the_first_folder_is_where_the_report_goes() -> None:
    assert parse(["tests", "docs"]).out == Path("tests")
    assert parse(["README.md"]).out == Path()
    assert parse(["tests", "--out", "x"]).out == Path("x")


def test_columns_may_be_given_in_one_or_in_many() -> None:
    assert parse(["tests", "--by", "bucket,relation", "--by", "bucket"]).by == (
        "bucket",
        "relation",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"FOLDER"),
        (["tests", "--colour"], r"--colour"),
        (["no/such/folder"], r"no/such/folder does not exist"),
        (["tests", "--out"], r"--out"),
    ],
)
def test_misuse_is_one_line_that_names_it(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(arguments)


def test_help_explains_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "usage: harness report FOLDER" in capsys.readouterr().out


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        main([str(tmp_path)])


def test_an_unknown_baseline_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"closed_bok"):
        main([str(folder), "--out", str(tmp_path), "--baseline", "closed_bok"])


def test_a_place_that_cannot_be_written_is_one_line(folder: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(RecordError, match=r"cannot be written .*--out FOLDER"):
        main([str(folder), "--out", str(blocked)])
