import csv
import json

import pytest
from account_rows import row, write_prompts

from harness.cli import main
from harness.columns import COLUMNS


def write(folder, *rows):
    with (folder / "runs.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(COLUMNS))
        writer.writeheader()
        writer.writerows(rows)
    return str(folder)


@pytest.fixture
def results(tmp_path):
    """An arm that is right half of the time, and one that never is and needs no setup."""
    write_prompts(tmp_path)
    none = {"index_seconds": "", "index_energy_kwh": "", "contains": 0}
    return write(
        tmp_path,
        row(adapter="lora", device="a laptop"),
        row(run_id="bare-s0-abc", arm="bare", **none),
    )


def said(capsys, *arguments):
    assert main(["costs", *arguments]) == 0
    return capsys.readouterr().out


def test_tables_tell_of_tokens_money_carbon_and_what_they_rest_on(results, capsys):
    out = said(capsys, results, "--assume", "hourly_usd=3.6", "--api", "gpt-4o-mini")
    for title in (
        "Tokens of a query",
        "A thousand queries",
        "A correct answer",
        "Before the first query",
        "A thousand queries at API prices",
        "What keeping the shared prefix saves in 1,000 queries",
        "The same study on five grids",
        "What this rests on",
    ):
        assert f"\n{title}\n" in out
    assert "~ marks estimates: here energy that no counter measured" in out
    assert "those of the machine that ran (a laptop)" in out
    assert "never correct" in out
    assert "no setup" in out
    assert "the command line" in out
    assert "developers.openai.com" in out


def test_without_prices_it_says_what_to_state(results, capsys):
    out = said(capsys, results)
    assert "The machine's time has no price: no price of the device is stated" in out
    assert "There is no Software Carbon Intensity" in out
    assert "US$" not in out.split("A thousand queries")[1].split("A correct answer")[0]


def test_energy_of_a_counter_bears_no_mark_and_shows_the_estimate_beside_it(tmp_path, capsys):
    counted = row(energy_source="counter", estimated_energy_kwh=0.915)
    out = said(capsys, write(tmp_path, counted), "--assume", "country=FRA")
    assert "~0" not in out.replace("~8", "")
    # 0.61 kWh by the counter, half as much again by the estimate.
    lines = out[out.index("Two sources of energy") :].splitlines()
    assert any("610" in line and "915" in line and "+50.0 %" in line for line in lines)


def test_json_is_plain_data_in_base_units(results, capsys):
    found = json.loads(said(capsys, results, "--assume", "hourly_usd=3.6", "--json"))
    arms = {arm["label"]: arm for arm in found["arms"]}
    assert arms["rag"]["per_query"]["usd"]["per_thousand"] == pytest.approx(1)
    assert arms["bare"]["per_query"]["usd"]["per_correct"] is None
    assert found["accuracy"] == "contains"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--cost", "lapto"], "--cost is 'lapto'"),
        (["--assume", "country=XXX"], "CodeCarbon has no figure"),
        (["--assume", "hourly_usd=-1"], "cost.prices.hourly_usd"),
        (["--api", "gpt-9"], "--api gpt-9"),
        (["--accuracy", "rightness"], "--accuracy is 'rightness'"),
        (["--assume", "embodied_kg=nan"], "embodied_kg"),
    ],
)
def test_bad_input_is_one_line(results, capsys, arguments, line):
    assert main(["costs", results, *arguments]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_results_without_a_finished_run_say_so(tmp_path, capsys):
    out = said(capsys, write(tmp_path, row(status="failed", error="no memory")))
    assert "failed and is left out: no memory" in out
