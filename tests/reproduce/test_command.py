"""``harness reproduce`` from its arguments to its pages, with a tiny model."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from harness.blocks import metering
from harness.blocks.table import read_blocks
from harness.errors import ConfigError
from harness.report.page import render_tables
from harness.report.sections import Section
from harness.report.tables import Cell, Heading, Table
from harness.reproduce import running
from harness.reproduce.command import main, parse
from harness.reproduce.paper import Blocks

from .samples import write_paper


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(write_paper(tmp_path))


def test_scale_small_is_the_default() -> None:
    request = parse(["soudani2024", "model=local"])
    assert (request.scale, request.papers, request.more) == (
        "small",
        ("soudani2024",),
        ("model=local",),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a paper, or say --all"),
        (["a", "--all"], "name a paper, or say --all"),
        (["a", "--scale", "huge"], "invalid choice: 'huge'"),
        (["a", "--plan", "--read"], "--plan runs nothing and reads nothing"),
        (["--all", "--table", "t"], "--table is of one paper"),
        (["a", "results=x"], "give --results DIR"),
        (["a", "--tabel", "t"], "--tabel"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(arguments)
    assert message in str(caught.value)


def test_a_plan_runs_nothing(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    assert main([folder, "--plan", "--results", str(results)]) == 0
    said = capsys.readouterr().out
    assert "main: 2 cells; closed_book, rag_bm25 on fictional" in said
    assert "C1: least effect 0.1, needs 238, has 40" in said  # (2.2414 + 0.8416)² · 25 = 237.6
    assert "C3: not tested: one size only" in said
    assert not results.exists()


def test_scale_full_is_not_started_by_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.overrides.MOST_JOBS_CHECKED", 1)
    with pytest.raises(ConfigError, match="add --yes to start it"):
        main(["gekhman2024", "--scale", "full", "--results", str(tmp_path)])


def test_an_unknown_table_is_told_with_the_nearest(folder: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no table 'table2'; did you mean 'table1'"):
        main([folder, "--table", "table2", "--results", str(tmp_path)])


def test_a_scale_that_a_paper_lacks_is_told(folder: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no scale 'full'; it has smoke, small"):
        main([folder, "--scale", "full", "--results", str(tmp_path)])


def test_a_paper_is_run_read_and_resumed(
    folder: str,
    tmp_path: Path,
    tiny_model_folder: Path,
    own_cache: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = tmp_path / "results"
    more = [
        "model=local",
        f"model.id='{tiny_model_folder}'",
        "model.dtype=float32",
        "model.attention=eager",
    ]
    arguments = [folder, "--scale", "smoke", "--results", str(results), *more]
    assert main(arguments) == 0
    out = results / "paper2024_smoke"
    with (out / "main" / "runs.csv").open(newline="") as file:
        assert [row["arm"] for row in csv.DictReader(file)] == ["closed_book", "rag_bm25"]
    text = (out / "reproduction.md").read_text(encoding="utf-8")
    assert "3 claims: 3 not judged." in text
    assert "Run with other settings than the paper's folder says: model=local" in text
    page = (out / "reproduction.html").read_text(encoding="utf-8")
    assert page.index("What the paper claims") < page.index("Where time and energy went")
    capsys.readouterr()

    assert main(arguments) == 0
    with (out / "main" / "runs.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2
    assert main([folder, "--scale", "smoke", "--read", "--results", str(results)]) == 0
    assert "3 claims: 3 not judged." in capsys.readouterr().out


STUDY = """\
kind: study
title: A formula
citation: derived here
scales:
  small:
    minutes: 1
    note: tiny
    seeds: one
    stages:
      - name: main
        overrides: [experiment=main_of_paper, "method=rag_bm25,lora"]
        blocks: {count: 2, arms: [rag_bm25, lora]}
tables: []
"""
FORMULA = """\
claims:
  - id: C10
    claim: LoRA overtakes RAG at 2D/r queries
    published: derived
    why: as it is
    stage: main
    tasks: [fictional]
    contrast: {kind: breakeven, arm: lora, against: rag_bm25}
    within: 1.5
"""


def test_a_study_is_run_metered_in_blocks_and_resumed(
    tmp_path: Path,
    tiny_model_folder: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, results = str(write_paper(tmp_path, STUDY, FORMULA)), tmp_path / "results"
    (Path(folder) / "published.csv").unlink()
    more = [
        "model=local",
        f"model.id='{tiny_model_folder}'",
        "model.dtype=float32",
        "model.attention=eager",
        "adapter.epochs=1",
    ]
    arguments = [folder, "--results", str(results), *more]
    whole, calls = metering.meter_again, []

    def dies_fourth(*given: Any) -> Any:  # after a warm-up of two and one reading that counts
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return whole(*given)

    monkeypatch.setattr(metering, "meter_again", dies_fourth)
    with pytest.raises(KeyboardInterrupt):
        main(arguments)
    out = results / "paper2024"
    first = read_blocks(out / "main")
    assert [one["arm"] for one in first] == ["rag_bm25"]

    monkeypatch.setattr(metering, "meter_again", whole)
    assert main(arguments) == 0
    readings = read_blocks(out / "main")
    assert readings[:1] == first
    assert [(one["block"], one["arm"]) for one in readings] == [
        *((1, "rag_bm25"), (1, "lora"), (2, "lora"), (2, "rag_bm25"))
    ]
    text = (out / "reproduction.md").read_text(encoding="utf-8")
    assert "A study of formulas that this harness derives" in text
    assert "2 metered blocks, 6 needed for an interval at this level" in text
    assert "### Break-even, measured and predicted" in text
    page = (out / "reproduction.html").read_text(encoding="utf-8")
    assert "What is claimed" in page and "The paper" not in page.split("Where time and")[0]

    capsys.readouterr()
    (out / "main" / "blocks.csv").write_text("mine\n", encoding="utf-8")
    assert running._meter(out / "main", Blocks(2, ("rag_bm25", "lora"))) == 1  # and raises nothing
    said = capsys.readouterr().err
    assert "blocks.csv is no table that this version of harness meter wrote" in said


def test_all_claims_stand_on_one_page_without_any_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--all", "--read", "--results", str(tmp_path)]) == 0
    text = (tmp_path / "reproduction.md").read_text(encoding="utf-8")
    assert "5 papers, and a study of this harness's own formulas (break_even)." in text.replace(
        "\\", ""
    )
    for paper in (
        "biderman2024",
        "break_even",
        "gekhman2024",
        "ovadia2024",
        "raft2024",
        "soudani2024",
    ):
        assert f"| {paper} | " in text
    assert "it was not run at this scale" in text
    assert "confirmed" not in text and "refuted" not in text
    assert {path.name for path in tmp_path.iterdir()} == {"reproduction.md", "reproduction.html"}
    page = (tmp_path / "reproduction.html").read_text(encoding="utf-8")
    assert "<bdi>soudani2024</bdi>" in page and "it was not run at this scale" in page
    assert "<script" not in page and "script-src &#39;none&#39;" in page


def test_the_page_of_all_claims_leads_to_each_papers_own_and_escapes_its_text() -> None:
    cells = (Cell("p<1>", link="p/reproduction.html"), Cell("<b>said</b>"))
    headings = (Heading("Paper", number=False), Heading("Claim", number=False))
    section = Section("claims", "All", tables=(Table("Claims", headings, (cells,)),))
    page = render_tables("<i>", "lead", [section])
    assert '<a href="p/reproduction.html">p&lt;1&gt;</a>' in page
    assert "&lt;b&gt;said&lt;/b&gt;" in page and "<b>" not in page and "<i>" not in page


def test_help_names_the_papers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "soudani2024" in capsys.readouterr().out
