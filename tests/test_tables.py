"""A table that was edited, cut short or written elsewhere: what is kept and what is said of it."""

import csv
import gc
import json
import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.columns import COLUMNS
from harness.errors import RecordError
from harness.foreign import SHOWN, Problems
from harness.record import append_row, read_rows
from harness.row import new_row
from harness.tables import read_table

IDENTITY = {
    "run_id": "r1",
    "experiment": "quickstart",
    "arm": "rag",
    "task": "world_facts",
    "model": "smollm2",
    "seed": 0,
    "status": "ok",
}
SMALL = ["run_id", "status", "arm", "seed", "exact_match", "adapter_merged", "reused", "notes"]
GOOD = ["r1", "ok", "rag", "0", "0.5", "true", '["index"]', "fine"]


def write(path: Path, *rows: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def read(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The frame, and the problems but for the note on missing columns."""
    problems = Problems()
    frame = read_table(path, problems)
    return frame, [line for line in problems.lines() if "migrated" not in line]


def with_cell(name: str, cell: str) -> list[str]:
    row = list(GOOD)
    row[SMALL.index(name)] = cell
    return row


def test_every_column_comes_back_with_its_type_and_value(tmp_path):
    path = tmp_path / "runs.csv"
    append_row(
        path,
        new_row(
            **IDENTITY,
            exact_match=0.1 + 0.2,
            trained_tokens=2**40,
            adapter_merged=False,
            reused=["index"],
            notes="=SUM(A1)",
        ),
    )
    append_row(path, new_row(**IDENTITY | {"run_id": "r2"}, notes='two\nlines, and a "quote"'))
    frame, problems = read(path)
    assert problems == []
    assert list(frame.columns) == [*COLUMNS, "line"]
    expected = {"int": "Int64", "float": "float64", "bool": "boolean"}
    for name, column in COLUMNS.items():
        assert str(frame[name].dtype) == expected.get(column.type, "object"), name
    first, second = frame.iloc[0], frame.iloc[1]
    assert first["exact_match"] == 0.1 + 0.2
    assert first["trained_tokens"] == 2**40
    assert not first["adapter_merged"]
    assert first["reused"] == ["index"]
    assert first["notes"] == "=SUM(A1)"
    assert second["notes"] == 'two\nlines, and a "quote"'
    assert math.isnan(second["exact_match"])
    assert second["trained_tokens"] is pd.NA
    assert second["adapter_merged"] is pd.NA
    assert second["reused"] is None
    assert second["error"] is None
    assert frame["line"].tolist() == [2, 3]


TEXT = st.text(alphabet=st.one_of(st.sampled_from("=+-@'\"\t\r\n, "), st.characters(codec="utf-8")))


@settings(deadline=None, max_examples=30)
@given(TEXT, TEXT, st.floats(0, 1), st.booleans())
def test_whatever_the_strict_reader_reads_is_read_alike(
    tmp_path_factory, notes, parity, figure, merged
):
    path = tmp_path_factory.mktemp("table") / "runs.csv"
    values = {"notes": notes, "parity": parity, "f1": figure, "adapter_merged": merged}
    append_row(path, new_row(**IDENTITY, **values))
    append_row(path, new_row(**IDENTITY | {"run_id": "r2"}))
    frame, problems = read(path)
    assert problems == []
    for strict, (_, tolerant) in zip(read_rows(path), frame.iterrows(), strict=True):
        for name, value in strict.items():
            if value is None:
                assert pd.isna(tolerant[name])
            else:
                assert tolerant[name] == value


@pytest.mark.parametrize("cells", [GOOD[:-1], [*GOOD, "more"], ["r1"], [" "]])
def test_a_ragged_row_is_left_out_and_named(tmp_path, cells):
    path = write(tmp_path / "runs.csv", SMALL, cells, ["r2", *GOOD[1:]])
    frame, problems = read(path)
    assert frame["run_id"].tolist() == ["r2"]
    assert frame["line"].tolist() == [3]
    assert problems == [
        f"{path}, line 2: {len(cells)} cells where the header has 8; the row is left out"
    ]


def test_a_row_that_was_cut_off_while_written_leaves_the_others(tmp_path):
    path = write(tmp_path / "runs.csv", SMALL, GOOD)
    with path.open("a") as file:
        file.write('r2,ok,rag,1,0.5,true,"[""ind')
    frame, problems = read(path)
    assert frame["run_id"].tolist() == ["r1"]
    assert len(problems) == 1
    assert f"{path}, line 3: 7 cells" in problems[0]


def test_a_quote_that_is_not_closed_costs_its_own_row_only(tmp_path):
    path = write(tmp_path / "runs.csv", SMALL, ["r0", *GOOD[1:]], ["r1", *GOOD[1:]])
    text = path.read_text().replace("r0,ok,rag", 'r0,ok,"rag')
    path.write_text(text + "r2,ok,lora,1,0.75,,,\n")
    frame, problems = read(path)
    assert frame["run_id"].tolist() == ["r1", "r2"]
    assert frame["line"].tolist() == [3, 4]
    assert len(problems) == 1
    assert ", line 2: " in problems[0]


def test_a_file_of_nothing_but_open_quotes_ends_soon(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(",".join(SMALL) + "\n" + 'a"b,"c\n' * 20_000)
    frame, problems = read(path)
    assert len(frame) == 0
    assert "more like these" in problems[-1]


@pytest.mark.parametrize(
    ("name", "cell", "reads"),
    [
        ("seed", "three", "seed' holds int, not 'three'"),
        ("seed", "1.5", "seed' holds int, not '1.5'"),
        ("seed", str(2**64), "seed' holds int"),
        ("seed", str(2**63), "seed' holds int"),
        ("seed", "1,2", "seed' holds int, not '1,2'"),
        ("seed", "true", "seed' holds int"),
        ("exact_match", "nan", "exact_match' holds float, not 'nan'"),
        ("exact_match", "-inf", "exact_match' holds float, not '-inf'"),
        ("exact_match", "1e999", "exact_match' holds float, not '1e999'"),
        ("exact_match", "0,5", "exact_match' holds float, not '0,5'"),
        ("exact_match", "null", "exact_match' holds float, not 'null'"),
        ("exact_match", "[0.5]", "exact_match' holds float"),
        ("adapter_merged", "maybe", "adapter_merged' holds bool, not 'maybe'"),
        ("reused", "{'a': 1}", "reused' holds json"),
        ("reused", "3", "reused' holds json, not '3'"),
        ("reused", "null", "reused' holds json, not 'null'"),
        ("reused", '{"a": NaN}', "reused'"),
        ("reused", '{"a": 1e999}', "reused'"),
        ("reused", "[" * 100_000, "reused' holds json"),
    ],
)
def test_a_cell_of_the_wrong_type_is_emptied_and_named_and_its_row_kept(
    tmp_path, name, cell, reads
):
    wrong, right = with_cell(name, cell), ["r2", *GOOD[1:]]
    path = write(tmp_path / "runs.csv", SMALL, wrong, right)
    frame, problems = read(path)
    assert frame["run_id"].tolist() == ["r1", "r2"]
    value = frame.at[0, name]
    assert value is None or value is pd.NA or math.isnan(value)
    assert not pd.Series([frame.at[1, name]]).isna().any()
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}, line 2: column '")
    assert reads in problems[0]
    assert problems[0].endswith("; the cell is left empty")
    assert "\n" not in problems[0]


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("seed", "3.0", 3),  # pandas writes so where a column has gaps
        ("seed", "+3", 3),
        ("seed", str(2**63 - 1), 2**63 - 1),
        ("exact_match", "1", 1.0),
        ("exact_match", ".5", 0.5),
        ("exact_match", "+5e-1", 0.5),
        ("exact_match", " 0.5 ", 0.5),
        ("adapter_merged", "TRUE", True),
        ("adapter_merged", "False", False),
        ("notes", "'=1+1", "=1+1"),
        ("notes", "'quoted'", "'quoted'"),
        ("notes", "=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("reused", '{"a": "\\ud800x"}', {"a": "\ufffdx"}),
    ],
)
def test_cells_as_other_programs_write_them_are_read_without_a_word(tmp_path, name, cell, value):
    frame, problems = read(write(tmp_path / "runs.csv", SMALL, with_cell(name, cell)))
    assert frame.at[0, name] == value
    assert problems == []


def test_a_column_damaged_in_every_row_is_five_lines_and_a_count(tmp_path):
    rows = [[f"r{n}", *GOOD[1:4], "n/a", *GOOD[5:]] for n in range(1000)]
    path = write(tmp_path / "runs.csv", SMALL, *rows)
    frame, problems = read(path)
    assert len(frame) == 1000
    assert frame["exact_match"].isna().all()
    assert len(problems) == SHOWN + 1
    assert problems[-1] == f"{path}: column 'exact_match': and 995 more like these"


def test_a_status_that_is_none_of_ours_leaves_the_row_out(tmp_path):
    path = write(tmp_path / "runs.csv", SMALL, with_cell("status", "done"), ["r2", *GOOD[1:]])
    frame, problems = read(path)
    assert frame["run_id"].tolist() == ["r2"]
    assert "'done', not one of ok, failed" in problems[0]
    assert problems[1] == f"{path}, line 2: no status; the row is left out"


def test_a_failed_run_stays_in_the_table(tmp_path):
    path = tmp_path / "runs.csv"
    append_row(path, new_row(**IDENTITY | {"status": "failed"}, error="out of memory"))
    frame, problems = read(path)
    assert problems == []
    assert frame.at[0, "status"] == "failed"
    assert frame.at[0, "error"] == "out of memory"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/b", "..", "a\\b", "x" * 201]
)
def test_a_run_id_that_is_no_file_name_leaves_the_row_out(tmp_path, name):
    path = write(tmp_path / "runs.csv", SMALL, with_cell("run_id", name), ["r2", *GOOD[1:]])
    frame, problems = read(path)
    assert frame["run_id"].tolist() == ["r2"]
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}, line 2: run id ")
    assert "could lead out of the folder" in problems[0]


@pytest.mark.parametrize("name", ["run_id", "arm"])
def test_a_row_that_says_not_what_ran_is_left_out(tmp_path, name):
    path = write(tmp_path / "runs.csv", SMALL, with_cell(name, ""), ["r2", *GOOD[1:]])
    frame, problems = read(path)
    assert frame["run_id"].tolist() == ["r2"]
    assert problems == [f"{path}, line 2: no {name}; the row is left out"]


def test_of_rows_with_one_run_id_the_last_counts(tmp_path):
    rows = [["r1", "ok", "rag", "0", figure, "", "", ""] for figure in ("0.1", "0.2", "0.3")]
    path = write(tmp_path / "runs.csv", SMALL, *rows, ["r2", *GOOD[1:]])
    frame, problems = read(path)
    assert frame["exact_match"].tolist() == [0.3, 0.5]
    assert problems == [
        f"{path}, line 3: run 'r1' stood in line 2 before; the last counts",
        f"{path}, line 4: run 'r1' stood in line 3 before; the last counts",
    ]


def test_an_older_schema_is_migrated_with_one_note(tmp_path):
    problems = Problems()
    frame = read_table(write(tmp_path / "runs.csv", SMALL, GOOD), problems)
    assert len(frame.columns) == len(COLUMNS) + 1
    assert math.isnan(frame.at[0, "f1"])
    (note,) = problems.lines()
    assert f"{len(COLUMNS) - 8} of {len(COLUMNS)} columns are missing (schema_version, " in note


def test_rows_of_a_newer_schema_are_read_and_said_to_be(tmp_path):
    path = write(tmp_path / "runs.csv", ["schema_version", *SMALL], ["7", *GOOD])
    frame, problems = read(path)
    assert len(frame) == 1
    assert len(problems) == 1
    assert "rows of schema 7" in problems[0]


def test_an_unknown_column_is_kept_in_other_fields(tmp_path):
    header = [*SMALL, "exact_mach", "empty", "other_fields"]
    path = write(
        tmp_path / "runs.csv",
        header,
        [*GOOD, "'=0.7", "", '{"kept": 1}'],
        ["r2", *GOOD[1:], "", "", ""],
        ["r3", *GOOD[1:], "0.8", "", '["list"]'],
    )
    frame, problems = read(path)
    assert frame["other_fields"].tolist() == [
        {"kept": 1, "exact_mach": "=0.7"},
        None,
        {"other_fields": ["list"], "exact_mach": "0.8"},
    ]
    assert problems == [
        f"{path}: column 'exact_mach' is unknown and kept in other_fields; did you mean "
        "'exact_match'?"
    ]


def test_a_column_that_stands_twice_counts_once_and_both_are_kept(tmp_path):
    path = write(tmp_path / "runs.csv", [*SMALL, "exact_match"], [*GOOD, "0.9"])
    frame, problems = read(path)
    assert frame.at[0, "exact_match"] == 0.5
    assert frame.at[0, "other_fields"] == {"exact_match (column 9)": "0.9"}
    assert "stands twice" in problems[0]


def test_no_name_in_a_header_can_hide_another_column(tmp_path):
    header = [*SMALL, "notes (column 10)", "notes"]
    frame, _ = read(write(tmp_path / "runs.csv", header, [*GOOD, "a", "b"]))
    assert frame.at[0, "notes"] == "fine"
    assert sorted(frame.at[0, "other_fields"].values()) == ["a", "b"]


def test_a_header_of_very_many_columns_is_read(tmp_path):
    more = [f"x{n}" for n in range(20_000)]
    frame, problems = read(write(tmp_path / "runs.csv", [*SMALL, *more], [*GOOD, *more]))
    assert len(frame.at[0, "other_fields"]) == 20_000
    assert len(problems) == SHOWN + 1


def test_trailing_commas_of_a_spreadsheet_do_no_harm(tmp_path):
    path = write(tmp_path / "runs.csv", [*SMALL, "", ""], [*GOOD, "", ""])
    frame, problems = read(path)
    assert frame["run_id"].tolist() == ["r1"]
    assert problems == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_table_with_a_byte_order_mark_is_read(tmp_path, encoding):
    path = write(tmp_path / "runs.csv", SMALL, with_cell("notes", "Ελλάδα, ਊ, 😀"))
    mark = "\ufeff" if encoding.endswith("e") else ""
    path.write_bytes((mark + path.read_text()).encode(encoding))
    frame, problems = read(path)
    assert frame.at[0, "notes"] == "Ελλάδα, ਊ, 😀"
    assert problems == []


def test_a_line_that_is_not_utf8_is_read_as_windows_1252_and_named(tmp_path):
    path = write(tmp_path / "runs.csv", SMALL, with_cell("notes", "Málaga – ok"))
    with path.open("ab") as file:
        file.write(",".join(["r2", *GOOD[1:6], "", "Málaga – ok\n"]).encode("cp1252"))
        file.write(b"r3,ok,rag,2,,,,\x81\n")  # a byte that Windows-1252 does not have
    frame, problems = read(path)
    assert frame["notes"].tolist() == ["Málaga – ok", "Málaga – ok", "\ufffd"]
    assert problems == [
        f"{path}, line 3: not UTF-8; read as Windows-1252",
        f"{path}, line 4: not UTF-8; read as Windows-1252",
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_of_any_system_are_read(tmp_path, line_end):
    path = tmp_path / "runs.csv"
    path.write_bytes(line_end.join([",".join(SMALL), "r1,ok,rag,0,0.5,,,x", ""]).encode())
    frame, problems = read(path)
    assert frame["notes"].tolist() == ["x"]
    assert problems == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty: it has no header"),
        (b"\n\n\n", "is empty: it has no header"),
        (b"\xef\xbb\xbf", "is empty: it has no header"),
        (b"run_id;status;arm\nr1;ok;rag\n", "no column 'run_id', so this is no table of results"),
        (b"arm,run_id\nrag,r1\n", "no column 'status', so this is no table of results"),
        (b'{"results": {}}\n', "harness import makes one from another tool's file"),
        ("run_id,status\nr1,ok\n".encode("utf-16-le"), "if it is UTF-16, save it as UTF-8"),
        (b"\xff\xfe\x00", "begins as UTF-16 but is not"),
        (bytes(range(256)) * 4, "no table of results"),
    ],
)
def test_what_is_no_table_of_results_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    with pytest.raises(RecordError) as error:
        read_table(path, Problems())
    assert says in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_the_garbage_collector_is_on_again_whether_reading_succeeds_or_not(tmp_path):
    read(write(tmp_path / "runs.csv", SMALL, GOOD))
    assert gc.isenabled()
    with pytest.raises(RecordError):
        read(tmp_path / "missing.csv")
    assert gc.isenabled()


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 60))
def test_no_bytes_bring_the_reader_down(tmp_path_factory, junk, start, cut):
    path = tmp_path_factory.mktemp("table") / "runs.csv"
    whole = (",".join(SMALL) + "\n" + ",".join(GOOD) + "\n").encode()
    path.write_bytes(whole[:start] + junk + whole[start + cut :])
    try:
        frame = read_table(path, Problems())
    except RecordError:
        return
    assert set(frame["status"]) <= {"ok", "failed"}
    assert frame["run_id"].is_unique


INTERVALS = ["run_id", "status", "arm", "exact_match", "exact_match_low", "exact_match_high"]


@pytest.mark.parametrize("ends", [("0.6", "0.9"), ("0.1", "0.4"), ("0.9", "0.1")])
def test_an_interval_that_does_not_hold_its_mean_counts_as_unknown(tmp_path, ends):
    good = ["r2", "ok", "rag", "0.5", "0.4", "0.6"]
    path = write(tmp_path / "runs.csv", INTERVALS, ["r1", "ok", "rag", "0.5", *ends], good)
    frame, problems = read(path)
    assert frame["exact_match"].tolist() == [0.5, 0.5]
    assert frame["exact_match_low"].isna().tolist() == [True, False]
    assert frame["exact_match_high"].isna().tolist() == [True, False]
    assert problems == [
        f"{path}, line 2: columns 'exact_match_low' and 'exact_match_high' hold {ends[0]} and "
        f"{ends[1]}, which do not hold its mean, 0.5; the interval counts as unknown"
    ]


@pytest.mark.parametrize(
    ("column", "cell", "limits"),
    [
        ("exact_match", "50", "0 to 1 (in percent?)"),
        ("f1", "-0.1", "0 to 1"),
        ("mrr", "1.5", "0 to 1 (in percent?)"),
        ("embedding_similarity", "-1.5", "-1 to 1"),
        ("facts_options_before", "1.01", "0 to 1 (in percent?)"),
        ("forgetting_facts_options", "-1.2", "-1 to 1"),
    ],
)
def test_a_share_that_cannot_be_is_left_out_and_named(tmp_path, column, cell, limits):
    path = write(tmp_path / "runs.csv", [*INTERVALS[:3], column], ["r1", "ok", "rag", cell])
    frame, problems = read(path)
    assert math.isnan(frame[column][0])
    assert problems == [
        f"{path}, line 2: column '{column}' holds {cell}, which is not from {limits}; "
        "the cell is left empty"
    ]


def test_harm_below_zero_and_losses_above_one_are_kept(tmp_path):
    names = ["forgetting_facts_options", "text_loss_nats_before", "forgetting_text_loss_nats"]
    cells = ["-0.5", "3.5", "1.5"]
    path = write(tmp_path / "runs.csv", [*INTERVALS[:3], *names], ["r1", "ok", "rag", *cells])
    frame, problems = read(path)
    assert frame[names].to_numpy().tolist() == [[-0.5, 3.5, 1.5]]
    assert problems == []


def test_imported_figures_that_cannot_be_are_left_out_and_named(tmp_path):
    others = {
        "acc": {"value": 71.0, "unit": "share"},
        "loss": {"value": 2.0, "low": 3.0, "high": 4.0, "unit": "nats"},
        "good": {"value": 0.5, "low": 0.4, "high": 0.6, "unit": "share"},
    }
    header, cells = [*INTERVALS[:3], "other_measures"], ["ok", "rag", json.dumps(others)]
    path = write(tmp_path / "runs.csv", header, ["r1", *cells], ["r2", *cells])
    frame, problems = read(path)
    kept = {"loss": others["loss"] | {"low": None, "high": None}, "good": others["good"]}
    assert frame["other_measures"].tolist() == [kept, kept]
    assert [line.removeprefix(f"{path}, ") for line in problems[:2]] == [
        "line 2: other_measures: 'acc' is 71, which is not from 0 to 1 (in percent?); "
        "it is left out",
        "line 2: other_measures: 'loss' has 'low' and 'high' of 3 and 4, which do not hold its "
        "mean, 2; the interval counts as unknown",
    ]
