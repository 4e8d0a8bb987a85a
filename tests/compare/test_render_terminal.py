"""Tables on a terminal: words fold, figures stay whole, nothing is wider than the window."""

import re

import pytest
from rich.cells import cell_len

from harness.compare.render.grid import Grid, Section
from harness.compare.render.layout import sections
from harness.compare.render.terminal import folded, to_terminal

from .made import COMPARISON, RAG, RAG_LORA, only, shown

FIGURES = ("+33.3", "[+28.1, +38.5]", "[−1.8, +4.2]", "<0.001", "[+0.01, +0.42]", "97.5 %")


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 120, 200])
def test_every_figure_is_whole_and_every_line_fits(width: int):
    text = to_terminal(sections(COMPARISON, everything=True), width, colour=False)
    assert max(map(cell_len, text.splitlines())) <= width
    for figure in FIGURES:
        assert figure in text
    assert "…" not in text


def test_every_figure_is_whole_where_the_level_stands_beside_the_interval():
    text = to_terminal(sections(COMPARISON), 160, colour=False)
    assert "[+28.1, +38.5] 97.5 %" in text
    assert "  [−1.8, +4.2]   95 %" in text  # brackets stand below each other


def test_at_eighty_columns_the_primary_table_is_a_table():
    text = to_terminal(sections(COMPARISON), 80, colour=False)
    assert re.search(r"^rag − closed_book +10\.0 +43\.3 +\+33\.3 +\[\+28\.1, \+38\.5\]", text, re.M)
    assert "contrast:" not in text


def test_a_window_too_narrow_for_a_table_gets_lists():
    text = to_terminal(sections(COMPARISON), 34, colour=False)
    assert "contrast: rag − closed_book\nbase: 10.0\narm: 43.3\narm − base: +33.3\n" in text


def test_colour_only_where_asked_for():
    assert "\x1b[" in to_terminal(sections(COMPARISON), 80, colour=True)
    assert "\x1b" not in to_terminal(sections(COMPARISON), 80, colour=False)


def test_labels_are_text_and_not_markup():
    made = only(shown(RAG, "[bold]x[/bold] :smile: \x1b[31m"), shown(RAG_LORA, "[/]"))
    text = to_terminal(sections(made), 120, colour=False)
    assert "[bold]x[/bold] :smile: �[31m" in text


def test_very_long_names_are_broken_and_not_lost():
    name = "x" * 300
    text = to_terminal(sections(only(shown(RAG, "f1"), shown(RAG, name))), 80, colour=False)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert text.count("x") >= 300


def test_wide_characters_count_as_two_columns():
    grid = Grid("", ("measure", "n"), (("正解率" * 30, "12"),))
    text = to_terminal([Section("t", (), (grid,))], 40, colour=False)
    assert max(map(cell_len, text.splitlines())) <= 40
    assert text.count("正") == 30


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("rag − closed_book", 11, ["rag −", "closed_book"]),
        ("forgetting_facts_generated ↓", 17, ["forgetting_facts_", "generated ↓"]),
        ("results/quickstart/runs.csv", 20, ["results/quickstart/", "runs.csv"]),
        ("", 10, [""]),
    ],
)
def test_folding_prefers_spaces_and_breaks_long_words_after_underscores(
    text: str, width: int, lines: list[str]
):
    assert folded(text, width) == lines
