"""Money and carbon in the report: with and without prices, as tables and as charts."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.report.command import main, parse
from harness.report.figures import figures
from harness.report.readings import OWNED, RENTED

from .report_samples import write_results
from .runs import comparison_of, exact_match, frame_of, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_results(tmp_path_factory.mktemp("sample"))


def markdown(folder: Path, out: Path, *arguments: str) -> str:
    assert main([str(folder), "--out", str(out), *arguments]) == 0
    return (out / "report.md").read_text(encoding="utf-8")


def test_the_flags_are_part_of_the_request(folder: Path) -> None:
    asked = parse([str(folder), "--cost", "laptop", "--assume", "pue=2", "--assume", "country=FRA"])
    assert (asked.cost, asked.assume, asked.api) == ("laptop", ("pue=2", "country=FRA"), ())


def test_without_prices_the_section_says_what_to_state(folder: Path, tmp_path: Path) -> None:
    text = markdown(folder, tmp_path)
    section = text.split("## Money and carbon")[1].split("\n## ")[0]
    assert "has no price" in section
    assert "What this rests on" in section or "Before the first query" in section
    assert not list((tmp_path / "figures").glob("money_*"))


def test_prices_are_charted_and_every_assumption_stands_with_source_and_date(
    folder: Path, tmp_path: Path
) -> None:
    text = markdown(folder, tmp_path, "--cost", "server", "--api", "gpt-4o-mini")
    section = text.split("## Money and carbon")[1].split("\n## ")[0]
    assert "Electric Power Annual" in section
    assert "2024-10-17" in section
    assert "2026-11-26" in section
    assert "price of 1,000 queries on the owned machine" in section
    assert len(list((tmp_path / "figures").glob("money_*"))) == 1  # the sample counts no tokens


def test_a_bad_price_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hourly_usd") as error:
        main([str(folder), "--out", str(tmp_path), "--assume", "hourly_usd=-3"])
    assert "\n" not in str(error.value)


def test_each_price_has_a_chart_of_its_own() -> None:
    frame = frame_of(
        run("bare", **exact_match(0.2, 0.1, 0.3)),
        run("lora", **exact_match(0.6, 0.5, 0.7)),
    )
    prices = {OWNED: {"bare": 1.0, "lora": 2.0}, "at a model": {"bare": 30.0, "lora": 20.0}}
    drawn = figures(frame, comparison_of(frame), prices=prices)
    found = {figure.name: figure for figure in drawn if figure.name.startswith("money_")}
    assert len(found) == 2
    ours, theirs = found.values()
    assert ours.title.endswith("price of 1,000 queries on the owned machine")
    assert "On the Pareto front" in ours.alt
    assert "not of the one that the price is of" in theirs.caption
    assert "not of the one that the price is of" not in ours.caption
    assert "dominated: bare" in theirs.alt  # dearer there, and less often right
    assert "dominated" not in ours.alt


def test_a_price_that_one_arm_alone_has_is_no_chart() -> None:
    frame = frame_of(
        run("bare", **exact_match(0.2, 0.1, 0.3)),
        run("lora", **exact_match(0.6, 0.5, 0.7)),
    )
    drawn = figures(frame, comparison_of(frame), prices={RENTED: {"bare": None, "lora": 2.0}})
    assert not [figure for figure in drawn if figure.name.startswith("money_")]


def test_the_machines_price_on_several_devices_has_no_front() -> None:
    frame = frame_of(
        run("bare", **exact_match(0.2, 0.1, 0.3)),
        run("lora", **exact_match(0.6, 0.5, 0.7), device="another"),
    )
    prices = {OWNED: {"bare": 1.0, "lora": 2.0}, "at a model": {"bare": 3.0, "lora": 4.0}}
    drawn = figures(frame, comparison_of(frame), prices=prices)
    ours, theirs = (figure for figure in drawn if figure.name.startswith("money_"))
    assert "several devices" in ours.alt
    assert "On the Pareto front" in theirs.alt
