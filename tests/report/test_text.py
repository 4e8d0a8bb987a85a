"""Foreign text made fit to show."""

from __future__ import annotations

from harness.report.tables import Cell, Heading, Table, markdown, plain
from harness.report.text import cut, one_line, visible


def test_control_characters_become_pictures_and_lone_surrogates_a_replacement() -> None:
    assert visible("a\x00b\x1bc\x7f\x85\ud800z") == "a␀b␛c␡\ufffd\ufffdz"


def test_line_ends_and_tabs_stay() -> None:
    assert visible("a\tb\nc\r\nd") == "a\tb\nc\nd"


def test_long_text_is_cut_and_says_so() -> None:
    assert cut("x" * 1500, 10) == "xxxxxxxxxx … [cut: 1,500 characters]"
    assert cut("short", 10) == "short"


def test_one_line_has_no_break_and_no_full_stop() -> None:
    assert one_line(" a\n b.\n") == "a b"


def test_markdown_finds_nothing_to_act_on() -> None:
    hostile = "<img src=x> [a](b) `c` *d* _e_ |f| #g ~h~ &lt; snake_case"
    expected = r"\<img src=x\> \[a\](b) \`c\` \*d\* \_e\_ \|f\| \#g \~h\~ \&lt; snake_case"
    assert plain(hostile) == expected


def test_a_table_keeps_its_columns_whatever_its_cells_hold() -> None:
    table = Table(
        "A | title",
        (Heading("arm", number=False), Heading("value", "%")),
        ((Cell("a|b\nc"), Cell("1", "0 to 2")),),
        ("a note",),
    )
    assert markdown(table).splitlines() == [
        r"### A \| title",
        "",
        "| arm | value (%) |",
        "| --- | ---: |",
        r"| a\|b c | 1 (0 to 2) |",
        "",
        "- a note",
    ]


def test_a_table_without_rows_is_its_title_and_notes() -> None:
    table = Table("Nothing", (Heading("arm"),), (), ("because",))
    assert markdown(table) == "### Nothing\n\n- because\n"
