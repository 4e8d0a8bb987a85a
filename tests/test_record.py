import csv
import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import record
from harness.columns import COLUMNS, columns_markdown
from harness.errors import RecordError
from harness.record import append_row, prepare_table, put_row, read_rows
from harness.row import cells_of, new_row

IDENTITY = {
    "run_id": "r1",
    "experiment": "quickstart",
    "arm": "rag",
    "task": "world_facts",
    "model": "smollm2",
    "seed": 0,
    "status": "ok",
}
# What a spreadsheet, a CSV reader or a line splitter could stumble over, often.
TEXT = st.text(alphabet=st.one_of(st.sampled_from("=+-@'\"\t\r\n, "), st.characters(codec="utf-8")))


def row(run_id: str = "r1", **values):
    return new_row(**{**IDENTITY, "run_id": run_id, **values})


APPEND_MANY = """
import json, sys
from pathlib import Path
from harness.record import append_row
from harness.row import new_row

path, process, count, identity = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
for number in range(count):
    # Rows of very different length, so that an overlap would show.
    own = {"run_id": f"p{process}-{number}", "seed": number, "notes": "x" * (number % 700)}
    append_row(path, new_row(**{**json.loads(identity), **own}))
"""


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs ``code`` with the harness importable."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def test_rows_of_two_processes_all_arrive_whole(tmp_path):
    path, count = tmp_path / "runs.csv", 1000
    both = [python(APPEND_MANY, path, p, count, json.dumps(IDENTITY)) for p in (0, 1)]
    assert [process.wait(120) for process in both] == [0, 0]
    rows = read_rows(path)
    assert {r["run_id"] for r in rows} == {f"p{p}-{n}" for p in (0, 1) for n in range(count)}
    assert len(rows) == 2 * count
    assert all(len(r["notes"] or "") == r["seed"] % 700 for r in rows)
    assert path.read_text().count("schema_version") == 1  # one header


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "notes": TEXT,
                "parity": TEXT,
                "cost_assumptions": st.dictionaries(TEXT, TEXT, max_size=2),
                "f1": st.floats(allow_nan=False, allow_infinity=False),
                "top_k": st.integers(),
                "cold_start": st.booleans(),
            },
        ),
        min_size=1,
        max_size=3,
    )
)
def test_rows_read_back_as_they_were_written(many):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        written = [row(f"r{number}", **values) for number, values in enumerate(many)]
        for one in written:
            append_row(path, one)
        assert read_rows(path) == written


def test_line_breaks_in_text_do_not_break_the_row(tmp_path):
    path = tmp_path / "runs.csv"
    for text in ("a\rb", "a\nb", "a\r\nb", 'say "x", then'):
        append_row(path, row(notes=text))
    assert [r["notes"] for r in read_rows(path)] == ["a\rb", "a\nb", "a\r\nb", 'say "x", then']


def test_pandas_reads_the_same_table(tmp_path):
    path = tmp_path / "runs.csv"
    append_row(path, row(f1=0.1 + 0.2, cold_start=True, notes="x,y"))
    frame = pd.read_csv(path, float_precision="round_trip")
    assert frame.loc[0, "f1"] == 0.1 + 0.2
    assert bool(frame.loc[0, "cold_start"]) is True
    assert frame.loc[0, "notes"] == "x,y"


def test_a_disk_that_fills_up_takes_nothing_from_the_table(tmp_path, monkeypatch):
    path = tmp_path / "runs.csv"
    append_row(path, row("kept"))
    before, write, calls = path.read_bytes(), os.write, []

    def half_then_full(descriptor, data):
        calls.append(len(data))
        if len(calls) == 1:
            return write(descriptor, bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(record.os, "write", half_then_full)
    with pytest.raises(RecordError, match=r"No space left.*results=FOLDER") as caught:
        append_row(path, row("lost"))
    monkeypatch.undo()
    assert len(calls) == 2
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    append_row(path, row("next"))
    assert [r["run_id"] for r in read_rows(path)] == ["kept", "next"]


def test_a_real_limit_on_file_size_leaves_whole_rows_only(tmp_path):
    path = tmp_path / "runs.csv"
    append_row(path, row("kept"))
    limit = path.stat().st_size + 100
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from harness.errors import RecordError\n"
        "from harness.record import append_row\n"
        "from harness.row import new_row\n"
        f"IDENTITY = {IDENTITY!r}\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try: append_row(Path(sys.argv[1]), new_row(notes='x' * 500, **IDENTITY))\n"
        "except RecordError as error: print(error)\n"
    )
    process = python(code, path)
    assert "cannot be written (File too large)" in process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert [r["run_id"] for r in read_rows(path)] == ["kept"]


def test_a_file_of_an_older_schema_gets_the_new_columns_empty(tmp_path):
    path = tmp_path / "runs.csv"
    old = ["status", "run_id", "seed", "notes"]  # fewer columns, in another order
    path.write_text(",".join(old) + "\nok,old,3,'=x\n")
    append_row(path, row("new"))
    rows = read_rows(path)
    assert [(r["run_id"], r["status"], r["f1"]) for r in rows] == [
        ("old", "ok", None),
        ("new", "ok", None),
    ]
    assert (rows[0]["seed"], rows[0]["notes"]) == (3, "=x")
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert [p.name for p in tmp_path.iterdir() if p.name != ".runs.csv.lock"] == ["runs.csv"]


def test_an_older_file_can_be_read_without_being_changed(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run_id,status\nold,ok\n")
    assert read_rows(path)[0]["f1"] is None
    assert path.read_text() == "run_id,status\nold,ok\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run_id,status,exact_macth\nr,ok,1\n", "'exact_macth' is unknown.*'exact_match'"),
        ("run_id,status,run_id\nr,ok,r\n", "'run_id' stands twice"),
        ("timestamp,emissions\n1,2\n", "'timestamp' is unknown"),
        ("f1,seed\n.5,2\n", "no column 'run_id'"),
        ("run_id,status\nr,ok\nr,ok,1\n", "line 3: 3 cells where the header has 2"),
        ('run_id,status,notes\nr,ok,"a\nb"\nr,ok\n', "line 4: 2 cells"),
        ('run_id,status\n"r,ok\n', "line 2: damaged CSV"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_and_left_alone(tmp_path, text, message):
    path = tmp_path / "runs.csv"
    path.write_text(text)
    for act in (read_rows, prepare_table, lambda p: append_row(p, row())):
        with pytest.raises(RecordError, match=message):
            act(path)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("cell", "message"),
    [("seed\nr,ok,two", "'seed' holds int"), ("f1\nr,ok,NaN", "'f1' holds float"),
     ("f1\nr,ok,inf", "'f1' holds float"), ("cold_start\nr,ok,yes", "'cold_start' holds bool"),
     ("reused\nr,ok,[", "'reused' holds json"), ("reused\nr,ok,3", "'reused' holds json"),
     ("energy_source\nr,ok,guess", "'energy_source' is 'guess', not one of counter")],
)  # fmt: skip
def test_a_cell_of_the_wrong_type_is_named_by_line_and_column(tmp_path, cell, message):
    path = tmp_path / "runs.csv"
    path.write_text(f"run_id,status,{cell}\n")
    with pytest.raises(RecordError, match=f"line 2: column {message}"):
        read_rows(path)


def test_a_row_cut_short_anywhere_is_taken_away_by_the_next_writer(tmp_path, caplog):
    path = tmp_path / "runs.csv"
    kept = row("kept", notes='a "quoted",\nbroken line', by_bucket={"é": {"f1": 1}})
    append_row(path, kept)
    whole = path.read_bytes()
    append_row(path, {**kept, "run_id": "torn"})
    line = path.read_bytes()[len(whole) :]
    for cut in range(1, len(line) - 1):
        if line[:cut].endswith(b"\n"):
            continue  # within a cell that holds a line break: reads as damaged, not as torn
        path.write_bytes(whole + line[:cut])
        prepare_table(path)
        assert path.read_bytes() == whole, cut
    assert "cut short" in caplog.text
    path.write_bytes(whole + b"1,torn,2026")
    append_row(path, row("next"))
    assert [r["run_id"] for r in read_rows(path)] == ["kept", "next"]


def test_a_row_that_lacks_its_line_end_alone_is_kept(tmp_path, caplog):
    path = tmp_path / "runs.csv"
    append_row(path, row("first"))
    path.write_bytes(path.read_bytes()[:-1])
    append_row(path, row("second"))
    assert [r["run_id"] for r in read_rows(path)] == ["first", "second"]
    assert caplog.text == ""


def test_a_header_cut_short_by_a_crash_is_written_anew(tmp_path):
    path = tmp_path / "runs.csv"
    append_row(path, row("r1"))
    header = path.read_bytes().splitlines(keepends=True)[0]
    for cut in (1, 20, len(header) - 1):
        path.write_bytes(header[:cut])
        append_row(path, row("r2"))
        assert [r["run_id"] for r in read_rows(path)] == ["r2"]


def test_rows_cut_short_elsewhere_than_at_the_end_are_refused(tmp_path):
    path = tmp_path / "runs.csv"
    append_row(path, row("kept"))
    with path.open("a") as file:
        file.write("1,half,2026\n")
    with pytest.raises(RecordError, match=r"line 3: 3 cells"):
        put_row(path, row("next"))


def test_a_missing_line_end_and_a_spreadsheets_line_ends_are_put_right(tmp_path):
    path = tmp_path / "runs.csv"
    append_row(path, row("first"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").rstrip())
    append_row(path, row("second"))
    assert [r["run_id"] for r in read_rows(path)] == ["first", "second"]
    assert b"\r" not in path.read_bytes()


def test_a_very_long_cell_is_read_back(tmp_path):
    path = tmp_path / "runs.csv"
    append_row(path, row(status="failed", error="x" * 200_000))
    assert len(read_rows(path)[0]["error"]) == 200_000


def test_files_that_are_missing_empty_or_not_utf8_are_named(tmp_path):
    path = tmp_path / "runs.csv"
    with pytest.raises(RecordError, match="does not exist"):
        read_rows(path)
    path.write_text("")
    with pytest.raises(RecordError, match="is empty"):
        read_rows(path)
    path.write_bytes("run_id,status\nn\u00e9,ok\n".encode("latin-1"))
    with pytest.raises(RecordError, match="not UTF-8"):
        read_rows(path)


def test_preparing_a_table_makes_the_folder_and_adds_nothing(tmp_path):
    path = tmp_path / "results" / "quickstart" / "runs.csv"
    prepare_table(path)
    assert path.parent.is_dir()
    assert not path.exists()
    append_row(path, row())
    before = path.read_bytes()
    prepare_table(path)
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "runs.csv", Path("/proc/no/runs.csv")):
        with pytest.raises(RecordError, match="cannot be written") as caught:
            prepare_table(path)
        assert "\n" not in str(caught.value)


def test_a_lock_that_is_never_released_is_reported(tmp_path, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr(record, "LOCK_SECONDS", 0.1)
    with (
        FileLock(tmp_path / ".runs.csv.lock"),
        pytest.raises(RecordError, match="locked by another process"),
    ):
        append_row(tmp_path / "runs.csv", row())


def test_an_appended_row_is_checked_again(tmp_path):
    with pytest.raises(RecordError, match="holds float"):
        append_row(tmp_path / "runs.csv", {**row(), "f1": "high"})
    assert not (tmp_path / "runs.csv").exists()


def test_every_row_is_as_wide_as_the_header(tmp_path):
    path = tmp_path / "runs.csv"
    append_row(path, row())
    append_row(path, row(f1=0.5))
    with path.open(newline="") as file:
        assert {len(cells) for cells in csv.reader(file)} == {len(COLUMNS)}
    assert len(cells_of(row())) == len(COLUMNS)


def test_the_page_of_columns_is_up_to_date():
    page = Path(__file__).parent.parent / "docs" / "columns.md"
    assert page.read_text() == columns_markdown(), "python -m harness.columns > docs/columns.md"
