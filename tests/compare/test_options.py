"""The command line of compare: what it asks for, and one line for what it cannot mean."""

from pathlib import Path

import pytest

from harness.compare.options import parse
from harness.compare.result import OVER_SEEDS, THESE_WEIGHTS
from harness.errors import ConfigError


def test_paths_alone_ask_for_everything_at_five_percent():
    request = parse(["a.csv", "results/b"])
    assert request.paths == (Path("a.csv"), Path("results/b"))
    assert request.options.baseline is None
    assert request.options.measures == request.options.primary == request.options.arms == ()
    assert request.options.alpha == 0.05
    assert request.format == "table"
    assert request.estimand == THESE_WEIGHTS


def test_lists_are_separated_by_commas_or_by_repeating_the_flag():
    options = parse(["r", "--measures", "f1, contains", "--measures", "f1,mrr"]).options
    assert options.measures == ("f1", "contains", "mrr")


def test_a_name_with_a_comma_stands_in_quotes():
    assert parse(["r", "--measures", '"acc,none",f1']).options.measures == ("acc,none", "f1")


def test_flags_may_stand_before_and_between_paths():
    request = parse(["--by", "bucket", "a", "--by", "relation", "b", "--estimand", "seeds"])
    assert request.paths == (Path("a"), Path("b"))
    assert request.options.by == ("bucket", "relation")
    assert request.estimand == OVER_SEEDS


def test_a_margin_is_in_the_measures_own_unit():
    margins = parse(["r", "--margin", "f1=0.02", "--margin", "a=b=1e-3"]).options.margins
    assert margins == {"f1": 0.02, "a=b": 0.001}


def test_the_measure_of_a_gate_becomes_primary():
    assert parse(["r", "--fail-if", "rag.f1 < 0"]).options.primary == ("f1",)
    both = parse(["r", "--primary", "contains,f1", "--fail-if", "f1<0"])
    assert both.options.primary == ("contains", "f1")
    added = parse(["r", "--primary", "contains", "--fail-if", "f1<0"])
    assert added.options.primary == ("contains", "f1")


def test_a_cost_gate_leaves_the_primary_family_alone():
    assert parse(["r", "--fail-if", "answer_seconds > 0.1"]).options.primary == ()


def test_restricting_measures_keeps_primary_and_gated_ones():
    request = parse(["r", "--measures", "mrr", "--primary", "f1", "--fail-if", "answer_seconds>1"])
    assert request.options.measures == ("mrr", "f1", "answer_seconds")


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("x.md", "markdown"),
        ("x.CSV", "csv"),
        ("x.tex", "latex"),
        ("x.json", "json"),
        ("x", "table"),
    ],
)
def test_the_name_of_the_file_chooses_the_format(name: str, format: str):
    assert parse(["r", "--out", name]).format == format


def test_a_stated_format_wins_over_the_name():
    assert parse(["r", "--out", "x.md", "--format", "json"]).format == "json"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"required: PATH"),
        (["r", "--basline", "rag"], r"unrecognized arguments"),
        (["r", "--format", "latx"], r"did you mean 'latex'"),
        (["r", "--estimand", "seed"], r"did you mean 'seeds'"),
        (["r", "--alpha", "5"], r"--alpha '5' is no error rate"),
        (["r", "--alpha", "nan"], r"--alpha 'nan' is no error rate"),
        (["r", "--alpha", "0"], r"above 0"),
        (["r", "--margin", "f1"], r"MEASURE=VALUE"),
        (["r", "--margin", "f1=-0.1"], r"above 0"),
        (["r", "--margin", "f1=inf"], r"above 0"),
        (["r", "--seed", "-1"], r"--seed '-1' is no whole number"),
        (["r", "--require-shown"], r"add --fail-if"),
        (["r", "--fail-if", "f1 <= 0"], r"such as 'exact_match < -0.02'"),
    ],
)
def test_wrong_input_is_one_line_that_says_what_would_be_right(arguments: list[str], message: str):
    with pytest.raises(ConfigError, match=message) as error:
        parse(arguments)
    assert "\n" not in str(error.value)
