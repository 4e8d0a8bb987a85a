from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import pytest
from compare.folders import write_run

from harness.report.drawing import Figure, to_svg
from harness.reproduce.charts import paper_figures
from harness.reproduce.paper_file import read_paper
from harness.reproduce.reading import Reading

from .samples import PAPER, write_paper

LINES = """\
figures:
  - id: epochs
    title: Accuracy by epochs
    kind: lines
    x: epochs
    ours: {stage: main, task: films, measure: contains}
    series:
      LoRA: {e1: 1, e2: 2, e4: 4}
  - id: tradeoff
    title: Learning against forgetting
    kind: scatter
    x: correct answers, %
    across: contains
    ours: {stage: main, task: films, measure: forgetting_facts_options}
    series:
      LoRA: [e1, e2]
"""


@pytest.fixture
def drawn(tmp_path: Path) -> list[Figure]:
    """e1: 1 of 4 right, harm 0 of 2; e2: 3 of 4, harm 1 of 2; e4 was not run."""
    write_paper(tmp_path, PAPER[: PAPER.index("figures:")] + LINES)
    results = tmp_path / "results"
    for arm, right, harmed in (("e1", 1, 0), ("e2", 3, 1)):
        write_run(
            results / "main",
            {f"q{n}": {"contains": float(n < right)} for n in range(4)},
            harm={f"p{n}": float(n < harmed) for n in range(2)},
            experiment="main",
            task="films",
            arm=arm,
            adapter="lora",
        )
    return paper_figures(read_paper("paper2024", tmp_path), Reading(results), None)


def points(figure: Figure) -> list[dict[str, Any]]:
    return [row for layer in figure.chart["layer"] for row in _rows(figure, layer)]


def _rows(figure: Figure, layer: dict[str, Any]) -> list[dict[str, Any]]:
    if layer["mark"]["type"] != "point":
        return []
    data = layer.get("data", figure.chart.get("data", {}))
    if "name" in data:
        found: list[dict[str, Any]] = figure.chart["datasets"][data["name"]]
        return found
    values: list[dict[str, Any]] = data["values"]
    return values


def test_lines_show_each_arm_at_its_number(drawn: list[Figure]) -> None:
    assert [(row["x"], row["value"]) for row in points(drawn[0])] == [(1.0, 25.0), (2.0, 75.0)]
    assert "Left out: e4 was not run on films." in drawn[0].caption


def test_a_scatter_shows_one_measure_against_another(drawn: list[Figure]) -> None:
    assert [(row["x"], row["value"]) for row in points(drawn[1])] == [(25.0, 0.0), (75.0, 50.0)]


def test_the_charts_are_valid_and_can_be_drawn(drawn: list[Figure]) -> None:
    for figure in drawn:
        alt.Chart.from_dict(figure.chart)
        assert to_svg(figure).startswith("<svg")


def test_a_figure_without_any_run_is_left_out(tmp_path: Path) -> None:
    write_paper(tmp_path)
    assert paper_figures(read_paper("paper2024", tmp_path), Reading(tmp_path), None) == []
