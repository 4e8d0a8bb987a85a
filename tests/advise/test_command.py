import json
import subprocess
import sys

import pytest

from harness.cli import main
from tests.advise.results import write_results


@pytest.fixture
def table(tmp_path):
    return str(write_results(tmp_path / "results"))


def run(capsys, *arguments):
    """The exit code and what was printed."""
    code = main(["advise", *arguments])
    return code, capsys.readouterr()


BASE = ("--queries-per-month", "100", "--months", "1", "--unit", "seconds")


def test_the_advice_is_printed_with_the_figures_behind_it(table, capsys):
    code, printed = run(capsys, table, *BASE, "--min-accuracy", "0.4")
    assert code == 0
    lines = printed.out.splitlines()
    assert lines[2] == (
        "- lora is advised (100 queries a month for 1 month; updates: none): it costs least of "
        "the 2 arms that meet the limits. 205 s in all, right in 75.0 %."
    )
    assert lines[3] == "- Runner-up: rag. 320 s in all, right in 50.0 %."
    assert any("How sure: advised in 2,000 draws" in line for line in lines)
    assert "| below 42        | rag     |" in lines
    assert any(line.startswith("| queries a month ") and "below 42: rag" in line for line in lines)


def test_without_a_least_accuracy_the_rule_is_said(table, capsys):
    printed = run(capsys, table, *BASE)[1].out
    assert (
        "a correct answer costs least of 2 arms. 205 s in all, 2.73 s a correct answer" in printed
    )
    assert "no least accuracy is set" in printed
    assert "not ranked, since no answer of theirs was right or known to be: closed_book" in printed


def test_if_no_arm_meets_the_limits_it_says_which_binds(table, capsys):
    code, printed = run(capsys, table, *BASE, "--min-accuracy", "contains=0.7", "--max-memory", "2")
    assert code == 1
    assert "- No arm meets the limits" in printed.out
    assert "memory binds: memory up to 2.50 GiB (from 2.00 GiB) would admit lora." in printed.out
    assert "accuracy binds: accuracy down to 50.0 % (from 70.0 %) would admit rag." in printed.out


def test_json_holds_the_same(table, capsys):
    told = json.loads(run(capsys, table, *BASE, "--json", "--min-accuracy", "0.4")[1].out)
    assert (told["advised"], told["runner_up"]) == ("lora", "rag")
    assert told["situation"]["accuracy"] == "contains"
    assert {one["arm"]: one["cost"] for one in told["arms"]} == {
        "closed_book": 200,
        "lora": 205,
        "rag": 320,
    }
    # 100 queries at 0.01 kWh and 1.05 kWh once, at 0.5 kg, in a month of twelve.
    carbon = {one["arm"]: one["carbon_kg_per_year"] for one in told["arms"]}
    assert carbon["lora"] == pytest.approx(12 * 0.5 * 2.05)
    assert [one["arm"] for one in told["by_volume"]] == ["rag", "lora"]
    assert told["by_volume"][0]["below"] == pytest.approx(42.5)
    assert told["energy_is_an_estimate"] is True


def test_the_files_are_written_and_repeat(table, tmp_path, capsys):
    for name in ("one", "two"):
        assert run(capsys, table, *BASE, "--out", str(tmp_path / name))[0] == 0
    for name in ("advice.md", "advice.json", "tornado.svg"):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()
    assert "](tornado.svg)" in (tmp_path / "one" / "advice.md").read_text()


def test_the_unit_is_kwh_where_no_price_is_stated_and_money_where_one_is(table, capsys):
    printed = run(capsys, table, "--queries-per-month", "100")[1].out
    assert "no price of a machine is stated: costs are in kWh" in printed
    assert "energy is an estimate" in printed
    printed = run(capsys, table, "--queries-per-month", "100", "--assume", "hourly_usd=3.6")[1].out
    assert "US$ in all" in printed
    assert "| hourly_usd " in printed


def test_use_and_the_carbon_budget_come_from_the_cost_settings(table, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text(
        """\
use:
  queries_per_month: {value: 1000, source: ours, date: 2026-01-01}
  updates_per_month: {value: 1, source: ours, date: 2026-01-01}
  changed_share: {value: 0.5, source: ours, date: 2026-01-01}
budget:
  base_kg: {value: 100, source: ours, date: 2026-01-01}
  base_year: 2020
  rate: {value: 0.05, source: ours, date: 2026-01-01}
  method_version: a test
"""
    )
    options = ["--cost", str(path), "--year", "2030", "--unit", "kwh"]
    printed = run(capsys, table, *options)[1].out
    assert "(1,000 queries a month for 12 months; updates: 1 a month, each changing 50 %" in printed
    assert "the allowance of cost.budget for 2030: 50 kg" in printed


def test_what_is_taken_for_granted_is_said(table, capsys):
    printed = run(capsys, table, *BASE, "--updates-per-month", "1")[1].out
    assert "an update is taken to change the whole corpus" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "how much is asked is not stated: give --queries-per-month"),
        (["--queries-per-month", "0"], "the number of queries a month is 0"),
        (["--queries-per-month", "-5"], "the number of queries a month is -5"),
        (["--queries-per-month", "many"], "--queries-per-month: 'many' is no number"),
        (["--queries-per-month", "nan"], "--queries-per-month is nan"),
        ([*BASE, "--months", "0"], "the number of months is 0"),
        ([*BASE, "--updates-per-month", "-1"], "the number of updates a month is -1"),
        ([*BASE, "--min-accuracy", "60"], "--min-accuracy is 60"),
        ([*BASE, "--min-accuracy", "containz=0.6"], "did you mean 'contains'"),
        ([*BASE, "--min-accuracy", "f1=0.6"], "no arm has the measure f1"),
        ([*BASE, "--min-accuracy", "f1=0.6", "--accuracy", "contains"], "name one measure"),
        ([*BASE, "--max-forgetting", "facts=0.1"], "--max-forgetting 'facts' is not one of"),
        ([*BASE, "--max-latency", "p90=1"], "--max-latency 'p90' is not one of p50, p95, p99"),
        ([*BASE, "--max-memory", "-1"], "--max-memory is -1"),
        ([*BASE, "--unit", "money"], "--unit 'money' is not one of"),
        (["--queries-per-month", "9", "--unit", "usd"], "needs the price of the device"),
        ([*BASE, "--assume", "hourly_usd=-1"], "hourly_usd is -1"),
        ([*BASE, "--assume", "country=ZZZ"], "cost.country is 'ZZZ'"),
        ([*BASE, "--task", "u"], "--task is 'u'"),
        ([*BASE, "--year", "soon"], "--year 'soon' is no whole number"),
        ([*BASE, "--limit", "1"], "harness advise --help explains"),
    ],
)
def test_what_cannot_be_answered_is_one_line(table, capsys, options, message):
    code, printed = run(capsys, table, *options)
    assert code == 2
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_a_path_that_is_not_there_is_one_line(capsys):
    code, printed = run(capsys, "no/such", *BASE)
    assert (code, printed.err) == (2, "error: no/such: there is no such file or folder\n")


def test_runs_without_energy_are_one_line(tmp_path, capsys):
    phases = ("train", "index", "retrieve", "decode")
    nothing = {f"{phase}_energy_kwh": "" for phase in phases}
    path = write_results(tmp_path, **nothing)
    code, printed = run(capsys, str(path), "--queries-per-month", "10")
    assert code == 2
    assert "no run knows its cost in kWh: its energy was not measured" in printed.err


def test_help_loads_nothing_heavy(capsys):
    code = (
        "import sys\nfrom harness.cli import main\nmain(['advise', '--help'])\n"
        "print({'torch', 'pandas', 'altair', 'numpy', 'scipy'} & set(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "usage: harness advise PATH" in printed
    assert printed.endswith("set()\n")


def test_a_runner_up_that_is_cheaper_but_fails_a_limit_costs_less(table, capsys):
    printed = run(capsys, table, *BASE, "--max-forgetting", "0.1", "--min-accuracy", "0.4")[1].out
    assert "rag is advised" in printed
    assert "the only arm that meets the limits" in printed
    assert "Nearest otherwise: lora" in printed
    assert "lora costs 110 to 120 s less" in printed
