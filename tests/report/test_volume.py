"""What arms cost at volume: the chart with the crossing and its band, and the table beside it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import altair as alt
import pytest

from harness.blocks.table import put_reading
from harness.columns import COLUMNS
from harness.compare.options import Options
from harness.economics.stated import load_cost
from harness.report.command import parse as parse_report
from harness.report.command import write_report
from harness.report.figures import to_svg
from harness.report.gather import ReportData, gather
from harness.report.sections import Section, placed
from harness.report.volume import volume_section
from harness.row import cells_of, new_row

from .runs import exact_match, run

LORA = {"adapter": "lora", "train_seconds": 100.0, "decode_seconds": 100.0, "trained_tokens": 900}
RAG = {"retriever": "bm25", "index_seconds": 20.0, "decode_seconds": 300.0}
TOKENS = {"prefill_tokens": 1000}


def write(folder: Path, *rows: dict[str, Any]) -> ReportData:
    folder.mkdir(exist_ok=True)
    with (folder / "runs.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow(cells_of(new_row(**row)))
    return gather([folder], Options())


def lora(**cells: Any) -> dict[str, Any]:
    return run("lora", **exact_match(0.5, 0.4, 0.6), **(LORA | TOKENS | cells))


def rag(**cells: Any) -> dict[str, Any]:
    return run("rag", **exact_match(0.25, 0.2, 0.3), **(RAG | {"prefill_tokens": 4000} | cells))


def blocks(folder: Path, count: int) -> None:
    for block in range(1, count + 1):
        for position, (arm, row) in enumerate((("lora", LORA), ("rag", RAG)), start=1):
            metered = {name: value for name, value in row.items() if name.endswith("_seconds")}
            metered["decode_seconds"] += block
            put_reading(
                folder,
                {"set_id": "s", "run_id": f"{arm}-0", "arm": arm, "seed": 0, "phases": "all"}
                | {"block": block, "position": position, "started_at": "2026-01-01T00:00:00"}
                | {"n_test": 100, "device": "a processor", **metered},
            )


def cells(section: Section) -> list[list[tuple[str, str]]]:
    (table,) = section.tables
    return [[(cell.text, cell.detail) for cell in row] for row in table.rows]


def layer(chart: dict, mark: str) -> list[dict]:
    """The data of the first layer with a mark."""
    found = next(one for one in chart["layer"] if one["mark"]["type"] == mark)
    return chart["datasets"][found["data"]["name"]]


def test_the_crossing_is_drawn_where_the_table_says_that_it_is(tmp_path: Path):
    section = volume_section(write(tmp_path, lora(), rag()))
    assert section is not None
    # 80 s more at the start, 2 s less a query; per correct answer (200 − 80) / (12 − 2); 2·900/30.
    assert cells(section) == [
        [(text, "") for text in ("lora", "rag", "s", "above 40", "above 12", "above 60")]
    ]
    (figure,) = section.figures
    assert figure.alt == "lora is cheaper than rag above 40 queries."
    (ringed,) = layer(figure.chart, "point")
    assert (ringed["queries"], ringed["cost"]) == (40, 140)
    curves = layer(figure.chart, "line")
    start = {row["arm"]: row["cost"] for row in curves if row["queries"] == 1}
    assert start == {"lora": 101, "rag": 23}
    assert layer(figure.chart, "rect") == []
    assert "No interval is known" in figure.caption
    alt.Chart.from_dict(figure.chart, validate=True)
    assert "40 queries" in to_svg(figure)


def test_blocks_give_the_crossing_its_band(tmp_path: Path):
    write(tmp_path, lora(), rag())
    blocks(tmp_path, 5)
    section = volume_section(gather([tmp_path], Options()))
    assert section is not None
    ((_, _, _, (text, detail), _, _),) = cells(section)
    assert (text, detail) == ("above 40", "40 to 40")  # what slowed a block slowed both arms
    (band,) = layer(section.figures[0].chart, "rect")
    assert band == pytest.approx({"low": 40, "high": 40})
    assert "Read from 5 metered blocks (set s, seed 0, a processor)." in section.lines


def test_money_and_idle_power_are_reckoned_where_they_are_stated(tmp_path: Path):
    data = write(tmp_path, lora(), rag())
    section = volume_section(data, load_cost(None, ["hourly_usd=36"]))
    assert section is not None
    assert [row[2][0] for row in cells(section)] == ["s", "US$"]
    assert [figure.name for figure in section.figures] == ["volume_seconds", "volume_usd"]
    (ringed,) = layer(section.figures[1].chart, "point")
    assert ringed["cost"] == pytest.approx(1.4)  # 140 s at a cent
    assert any("idle is not stated" in line for line in section.lines)


def test_an_arm_that_never_wins_has_no_crossing(tmp_path: Path):
    section = volume_section(write(tmp_path, lora(decode_seconds=900.0), rag()))
    assert section is not None
    assert cells(section)[0][3] == ("never", "")
    assert layer(section.figures[0].chart, "point") == []
    assert "lora is cheaper than rag at no volume" in section.figures[0].alt


def test_without_a_pair_there_is_no_section(tmp_path: Path):
    both = lora(retriever="bm25")
    assert volume_section(write(tmp_path, both, rag())) is None
    assert volume_section(write(tmp_path, lora())) is None


def test_a_table_of_blocks_that_cannot_be_read_is_told_and_costs_nothing_else(tmp_path: Path):
    write(tmp_path, lora(), rag())
    (tmp_path / "blocks.csv").write_text("torn", encoding="utf-8")
    section = volume_section(gather([tmp_path], Options()))
    assert section is not None
    assert "blocks.csv is no table" in section.lines[0]
    assert section.tables == section.figures == ()


def test_a_section_stands_behind_the_one_named():
    parts = [Section("a", "A"), Section("b", "B")]
    new = Section("new", "N")
    assert [one.id for one in placed(new, parts, after="a")] == ["a", "new", "b"]
    assert [one.id for one in placed(new, parts, after="x")] == ["a", "b", "new"]
    assert placed(None, parts, after="a") == parts


def test_the_report_holds_it_with_its_figure(tmp_path: Path):
    write(tmp_path, lora(), rag())
    request = parse_report([str(tmp_path), "--assume", "hourly_usd=1"])
    assert request.assume == ("hourly_usd=1",)
    written = [path.name for path, _ in write_report(request)]
    assert {"volume_seconds.svg", "volume_usd.svg"} <= set(written)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "## What it costs at volume" in text
    assert "figures/volume_seconds.svg" in text
    assert "What it costs at volume" in (tmp_path / "report.html").read_text(encoding="utf-8")
