"""The first table and the tables of the parts, against figures counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.compare.options import Options
from harness.measures.definitions import ACCURACY, FORGETTING
from harness.report.breakdown import (
    forgetting_table,
    phases_table,
    popularity_table,
    retrieval_table,
)
from harness.report.contrasts import bucket_tables, contrast_tables
from harness.report.gather import ArmRuns, ReportData, gather
from harness.report.headline import headline, read
from harness.report.provenance import failed_table, problems, provenance_tables
from harness.report.tables import Table
from harness.stats import mean_interval

from .report_samples import write_results


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    folder = write_results(tmp_path_factory.mktemp("sample"))
    return gather([folder], Options(baseline="closed_book", by=("bucket",)))


def arm(data: ReportData, label: str) -> ArmRuns:
    return next(arm for arm in data.arms if arm.label == label)


def row(table: Table | None, name: str) -> list[str]:
    assert table is not None
    return next([cell.text for cell in row] for row in table.rows if row[0].text == name)


def test_the_headline_has_a_row_an_arm_with_units(data: ReportData) -> None:
    table = headline(data)
    assert [(heading.label, heading.unit) for heading in table.headings] == [
        ("arm", ""),
        ("seeds", ""),
        ("correct answers (contains) ↑", "%"),
        ("forgetting of facts, by options ↓", "points"),
        ("setup time ↓", "s"),
        ("time per answer, in batches ↓", "ms per question"),
        ("total energy ↓", "Wh"),
    ]
    assert row(table, "closed_book") == ["closed_book", "0", "10.0", "0", "0", "100", "~0.200"]
    assert row(table, "rag") == ["rag", "0", "50.0", "0", "–", "100", "~0.200"]
    # Nothing to set up; not known; trained 100, 101 and 102 s. Then 4 s over 40 questions.
    assert row(table, "lora") == ["lora", "0, 1, 2", "75.0", "+25.0", "101", "100", "~1.20"]


def test_one_run_shows_the_interval_of_its_row(data: ReportData) -> None:
    reading = read(arm(data, "rag"), ACCURACY["contains"])
    run = arm(data, "rag").runs[0]
    assert reading is not None
    assert reading.interval == (run["contains_low"], run["contains_high"])
    assert reading.by_seed == (0.5,)


def test_several_seeds_show_the_interval_of_each_questions_mean(data: ReportData) -> None:
    reading = read(arm(data, "lora"), ACCURACY["contains"])
    means = [1.0] * 29 + [2 / 3, 1 / 3] + [0.0] * 9
    expected = mean_interval(means, [f"c{i // 2}" for i in range(40)])
    assert reading is not None and reading.interval is not None and expected is not None
    assert reading.mean == pytest.approx(0.75)
    assert reading.interval == pytest.approx((expected.low, expected.high))
    assert reading.by_seed == (0.75, 0.725, 0.775)


def test_forgetting_of_seeds_is_averaged_item_by_item(data: ReportData) -> None:
    reading = read(arm(data, "lora"), FORGETTING["forgetting_facts_options"])
    assert reading is not None and reading.interval is not None
    assert reading.mean == pytest.approx(0.25)
    assert reading.interval[0] < 0.25 < reading.interval[1]


def test_a_failed_run_is_counted_and_in_no_figure(data: ReportData) -> None:
    cell = next(row[1] for row in headline(data).rows if row[0].text == "lora")
    assert cell.detail == "1 failed, left out"
    table = failed_table(data)
    assert row(table, "lora-s9-broken") == [
        "lora-s9-broken",
        "lora",
        "9",
        "loss is <b>NaN</b> at step 3",
    ]
    assert any("lora-s9-broken failed" in line for line in problems(data))


def test_primary_tests_stand_open_and_say_over_what_they_were_adjusted(data: ReportData) -> None:
    tables = contrast_tables(data.comparison)
    first = tables[0]
    assert first.title == "Primary measures: these trained weights"
    assert not first.folded
    assert [row[1].text for row in first.rows] == ["rag", "lora"]
    assert "over the 2 tests of this table" in " ".join(first.notes)
    assert all(table.folded for table in tables if not table.title.startswith("Primary"))


def test_what_was_not_tested_is_named_with_its_reason(data: ReportData) -> None:
    over_seeds = contrast_tables(data.comparison)[1]
    assert over_seeds.title == "Primary measures: the method over seeds"
    assert any(
        note.startswith("Not tested (") and "rag − closed_book" in note for note in over_seeds.notes
    )


def test_the_difference_in_each_bucket_is_listed(data: ReportData) -> None:
    (table,) = bucket_tables(data.comparison)
    rag = [row for row in table.rows if row[0].text == "rag"]
    # low: 5 of 10 against 1 of 10; middle: 10, 12, … 24 are 8 of 15 against 10, 20; high: 26 … 38.
    assert {row[1].text: (row[2].text, row[3].text, row[5].text) for row in rag} == {
        "low": ("10.0", "50.0", "10"),
        "middle": ("13.3", "53.3", "15"),
        "high": ("6.7", "46.7", "15"),
    }


def test_buckets_stand_from_low_to_high(data: ReportData) -> None:
    table = popularity_table(data)
    assert table is not None
    assert [heading.label for heading in table.headings] == ["arm", "low", "middle", "high"]
    assert row(table, "closed_book") == ["closed_book", "10.0", "13.3", "6.7"]


def test_probes_show_before_and_after(data: ReportData) -> None:
    table = forgetting_table(data)
    assert row(table, "lora") == ["lora", "+25.0"]
    assert table is not None
    lora = next(row for row in table.rows if row[0].text == "lora")
    assert lora[1].detail.startswith("100.0 → 75.0 %; ")


def test_phases_that_did_not_take_place_are_dashes(data: ReportData) -> None:
    table = phases_table(data)
    assert row(table, "train") == ["train", "–", "–", "101"]
    assert row(table, "decode") == ["decode", "2.00", "2.00", "2.00"]
    assert table is not None
    assert "index" not in [row[0].text for row in table.rows]


def test_only_arms_that_retrieve_have_retrieval_figures(data: ReportData) -> None:
    table = retrieval_table(data)
    assert table is not None
    assert [[cell.text for cell in row] for row in table.rows] == [["rag", "dense", "2", "100.0"]]


def test_provenance_says_what_differs_and_what_all_share(data: ReportData) -> None:
    tables = {table.title: table for table in provenance_tables(data)}
    settings = tables["Settings in which arms differ"]
    assert row(settings, "retriever") == ["retriever", "–", "dense", "–"]
    facts = {row[0].text: (row[1].text, row[2].text) for row in tables["Circumstances"].rows}
    assert facts["code commit"] == ("all arms", "f" * 12 + ", with uncommitted changes")
    assert facts["energy from"] == ("all arms", "estimate, 90 % of it on assumed watts")
    assert facts["carbon intensity"] == ("all arms", "0.475 kg CO2e per kWh (world average)")
    assert row(tables["Package versions"], "torch") == ["torch", "2.13.0"]
    assert row(tables["Runs"], "rag-s0-sample")[:5] == [
        "rag-s0-sample",
        "rag",
        "0",
        "c" * 12,
        "index",
    ]


def test_rows_without_predictions_still_have_their_figures(tmp_path: Path) -> None:
    import shutil

    folder = write_results(tmp_path)
    shutil.rmtree(folder / "predictions")
    shutil.rmtree(folder / "probes")
    table = headline(gather([folder], Options()))
    lora = next(row for row in table.rows if row[0].text == "lora")
    assert (lora[2].text, lora[2].detail) == ("75.0", "seeds 75.0 · 72.5 · 77.5")
