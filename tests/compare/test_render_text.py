"""Markdown, LaTeX, CSV and JSON: complete, and with text from files shown as text."""

import csv
import io
import json
import math
import re
import shutil
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import pytest

from harness.compare.render import latex, markdown
from harness.compare.render.csv_table import HEADINGS, to_csv
from harness.compare.render.grid import Grid, Section
from harness.compare.render.json_text import to_json
from harness.compare.render.latex import to_latex
from harness.compare.render.layout import sections
from harness.compare.render.markdown import to_markdown
from harness.compare.result import Comparison, Contrast
from harness.row import cells_of, new_row

from .made import COMPARISON, RAG, arm, only, shown

HOSTILE = "a|b`c\n# $ % & _ { } ~ ^ \\ < <script>alert(1)</script> [x](y) *z* =1"


def hostile() -> Comparison:
    made = only(shown(Contrast(HOSTILE, HOSTILE, marks=(HOSTILE,)), HOSTILE))
    return replace(made, arms=(arm(HOSTILE, settings={HOSTILE: HOSTILE}),), problems=(HOSTILE,))


def table_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def test_markdown_has_headings_and_pipe_tables():
    text = to_markdown(sections(COMPARISON))
    assert text.startswith("## Arms\n\nexperiment quickstart, task world_facts")
    assert "### contains ↑ (%)\n\n| contrast" in text
    assert re.search(
        r"^\| rag − closed_book +\| 10\.0 \| 43\.3 \| +\+33\.3 \| \[\+28\.1, \+38\.5\] 97\.5 % \| "
        r"<0\.001 \| better +\|$",
        text,
        re.M,
    )
    assert "\n- not compared, another test split (split_sha256): other_split" in text


def test_markdown_tables_have_as_many_cells_in_every_line():
    text = to_markdown(sections(hostile()))
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1


def test_markdown_escapes_what_would_be_more_than_text():
    assert markdown.escaped("a|b`c`") == r"a\|b\`c\`"
    assert markdown.escaped("<script> 1 <0.001 a<b") == r"\<script> 1 <0.001 a\<b"
    assert markdown.escaped("[x](http://y) [+1.0, +2.0] 95 %") == (
        r"[x]\(http://y) [+1.0, +2.0] 95 %"
    )
    assert markdown.escaped("exact_match _x_ *y* ~~z~~") == r"exact_match \_x\_ \*y\* \~\~z\~\~"
    assert markdown.escaped("&lt; a & b \\") == r"\&lt; a & b \\"
    assert markdown.escaped("two\nlines") == "two lines"


def test_latex_escapes_every_special_character():
    assert latex.escaped("# $ % & _ { } ~ ^ \\ <") == (
        r"\# \$ \% \& \_\allowbreak{} \{ \} \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{} \textless{}"
    )


def test_latex_of_hostile_text_has_no_bare_special_character():
    text = to_latex(sections(hostile()))
    cells = [line for line in text.splitlines() if line.endswith(r"\tabularnewline")]
    assert cells
    for line in cells:
        assert not re.search(r"(?<!\\)[#%_^]", line)
        assert not re.search(r"(?<!\\)~", line)
        assert "<" not in line


def test_latex_uses_booktabs_alone():
    text = to_latex(sections(COMPARISON))
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == text.count(r"\end{table}")
    assert r"\raggedright rag $-$ closed\_\allowbreak{}book & 10.0 & 43.3 & +33.3" in text
    assert r"contains $\uparrow$~(\%)" in text


def test_latex_lets_tables_go_before_it_holds_too_many():
    grids = tuple(Grid(str(number), ("a", "b"), (("x", "1"),)) for number in range(40))
    assert to_latex([Section("t", (), grids)]).count(r"\clearpage") == 2


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("make", [lambda: COMPARISON, hostile])
def test_latex_compiles(make, tmp_path: Path):
    (tmp_path / "doc.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        + to_latex(sections(make(), everything=True))
        + "\\end{document}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "doc.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-1500:]


def rows_of(comparison: Comparison) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(comparison))))


def test_csv_has_a_line_a_test_with_every_field_and_digit():
    rows = rows_of(COMPARISON)
    assert len(rows) == len(COMPARISON.results) + len(COMPARISON.costs)
    assert set(HEADINGS) >= {field.name for field in fields(COMPARISON.results[0])} - {"contrast"}
    first = rows[0]
    assert (first["baseline"], first["arm"], first["kind"]) == ("closed_book", "rag", "primary")
    assert (first["difference"], first["low"], first["p"]) == ("0.333", "0.281", "1e-05")
    assert (first["higher_is_better"], first["margin"], first["equivalent"]) == ("true", "", "")
    assert [row["kind"] for row in rows[-2:]] == ["cost", "cost"]


def test_csv_leaves_unknown_figures_empty():
    (row,) = rows_of(only(shown(RAG, "f1", low=None, difference=math.nan, high=math.inf)))
    assert (row["low"], row["difference"], row["high"]) == ("", "", "")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@sum", "'=1", "plain", "'plain", "a=b"])
def test_csv_writes_text_as_the_record_does(text: str):
    (row,) = rows_of(only(shown(Contrast("closed_book", text), "f1")))
    record = new_row(run_id="r", experiment="e", arm=text, task="t", model="m", seed=0, status="ok")
    assert row["arm"] in cells_of(record)
    assert row["arm"] == ("'" + text if text.lstrip("'")[0] in "=+-@" else text)


def test_csv_keeps_numbers_below_zero_numbers():
    (row,) = rows_of(only(shown(RAG, "f1", difference=-0.02)))
    assert row["difference"] == "-0.02"


def test_json_is_the_whole_comparison():
    found = json.loads(to_json(COMPARISON))
    assert set(found) == {field.name for field in fields(Comparison)}
    assert found["results"][0]["contrast"] == {
        "baseline": "closed_book",
        "arm": "rag",
        "refused": "",
        "marks": [],
    }
    assert found["results"][0]["low"] == 0.281
    assert found["by"][0]["buckets"][2]["value"] == "high"


def test_json_has_null_where_there_is_no_figure():
    made = only(shown(RAG, "f1", low=math.nan, high=-math.inf, p=None))
    (result,) = json.loads(to_json(made), parse_constant=pytest.fail)["results"]
    assert (result["low"], result["high"], result["p"]) == (None, None, None)
