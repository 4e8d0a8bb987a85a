"""The closing table: figures from rows, empty ones never shown as zero."""

from pathlib import Path
from typing import Any

import pytest

from harness.record import append_row
from harness.row import Row, new_row
from harness.summary import (
    arms_grid,
    footer,
    phases_grid,
    popularity_grid,
    probes_grid,
    show,
    summarise,
    what_was_lost,
)


def row(**values: Any) -> Row:
    base = {
        "run_id": "r",
        "experiment": "quickstart",
        "arm": "rag",
        "task": "world_facts",
        "model": "tiny",
        "seed": 0,
        "status": "ok",
        "invocation": "now",
    }
    return new_row(**(base | values))


FULL = row(
    contains=0.576,
    contains_low=0.5,
    contains_high=0.65,
    exact_match=0.25,
    forgetting_facts_generated=0.6,
    forgetting_facts_options=-0.02,
    train_seconds=140.4,
    retrieve_seconds=0.5,
    prefill_seconds=1.0,
    decode_seconds=1.5,
    n_test=100,
    total_energy_kwh=0.00123,
    energy_source="estimate",
    energy_assumed_share=0.9,
    spent_seconds=12.0,
)


def test_a_row_shows_percent_correct_points_forgotten_and_cost():
    # 0.5 + 1.0 + 1.5 s for 100 questions: 30 ms each. 0.00123 kWh: 1.23 Wh.
    assert arms_grid([FULL]).lines == (
        ("rag", "0", "58 (50–65)", "25", "+60", "-2", "140", "30", "~1.23"),
    )


def test_an_unknown_figure_is_a_dash_and_a_counted_energy_has_no_mark():
    (line,) = arms_grid([row(contains=0.0, total_energy_kwh=0.0, energy_source="counter")]).lines
    assert line == ("rag", "0", "0", "–", "–", "–", "–", "–", "0.00")


def test_where_questions_have_options_their_accuracy_is_what_is_correct():
    (line,) = arms_grid([row(multiple_choice=0.69)]).lines
    assert line[2] == "69"


def test_the_status_is_shown_only_where_an_arm_failed():
    failed = row(status="failed", error="out of memory")
    assert "status" not in arms_grid([FULL]).headings
    grid = arms_grid([FULL, failed])
    assert [line[-1] for line in grid.lines] == ["ok", "failed"]
    assert "failed: rag, seed 0: out of memory" in footer([FULL, failed], Path("x"))


def test_popularity_goes_from_low_to_high_and_is_a_mean_over_seeds():
    def buckets(low: float, high: float) -> dict[str, Any]:
        return {"high": {"contains": {"mean": high}}, "low": {"contains": {"mean": low}}}

    grid = popularity_grid(
        [
            row(contains=0.3, by_bucket=buckets(0.1, 0.5)),
            row(contains=0.4, by_bucket=buckets(0.2, 0.6), seed=1),
            row(contains=0.4, arm="lora"),
        ]
    )
    assert grid.headings == ("arm", "low", "high")
    assert grid.lines == (("rag", "15", "55"),)


def test_phases_are_means_over_seeds_with_totals_and_unused_phases_left_out():
    rows = [
        row(load_seconds=1.0, decode_seconds=3.0, spent_seconds=2.0),
        row(load_seconds=2.0, decode_seconds=5.0, spent_seconds=7.0, seed=1),
        row(load_seconds=1.0, train_seconds=9.0, arm="lora"),
        row(status="failed", error="no", arm="full"),
    ]
    grid = phases_grid(rows)
    assert grid.headings == ("phase", "rag", "lora")
    assert grid.lines == (
        ("load", "1.5", "1.0"),
        ("train", "–", "9.0"),
        ("decode", "4.0", "–"),
        ("all phases", "5.5", "10.0"),
        ("spent now", "4.5", "–"),
    )


def test_estimated_energy_is_explained_and_counted_energy_is_not():
    assert any("90% of it rests on assumed watts" in line for line in footer([FULL], Path("x")))
    assert not any("estimated" in line for line in footer([row(energy_source="counter")], Path()))


def test_a_limit_that_cut_answers_is_said_and_one_that_did_not_is_not():
    cut = row(max_new_tokens=20, wrong_at_limit=0.21)
    assert any(
        "21% of the answers of rag were cut at 20 tokens and count as wrong: raise" in line
        for line in footer([cut], Path("x"))
    )
    assert not any("were cut" in line for line in footer([row(wrong_at_limit=0.01)], Path("x")))


def test_the_next_command_is_more_seeds_of_an_experiment_then_own_data():
    assert footer([FULL], Path("x"))[-1].startswith(
        "Next: harness run experiment=quickstart seed=0,1,2"
    )
    for rows in ([FULL, row(seed=1)], [row(experiment="adhoc")]):
        assert "task=custom" in footer(rows, Path("x"))[-1]


def test_without_a_terminal_the_tables_are_markdown(capsys: pytest.CaptureFixture[str]):
    show([FULL], Path("results/quickstart"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["", "quickstart: world_facts, tiny", ""]
    assert lines[3].startswith("| arm | seed |")
    assert set(lines[4]) == {"|", "-", " "}
    assert lines[5] == (
        "| rag |    0 | 58 (50–65) |      25 |          +60 |             -2 |"
        "     140 |        30 |     ~1.23 |"
    )


def test_on_a_terminal_the_widest_table_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    longest = {**FULL, "arm": "rag_lora_passages", "total_energy_kwh": 0.01234}
    show([longest], Path("results/quickstart"))
    text = capsys.readouterr().out
    assert "rag_lora_passages" in text
    assert "58 (50–65)" in text
    assert "~12.34" in text
    assert "…" not in text


def test_only_the_rows_of_this_command_are_shown_and_failures_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    append_row(tmp_path / "runs.csv", row(run_id="a", arm="earlier", invocation="before"))
    append_row(tmp_path / "runs.csv", row(run_id="b", status="failed", error="no network"))
    append_row(tmp_path / "runs.csv", row(run_id="c", arm="lora"))
    assert summarise([tmp_path], "now") == 1
    out = capsys.readouterr().out
    assert "no network" in out
    assert "earlier" not in out


def test_a_folder_without_rows_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert summarise([tmp_path], "now") == 0
    assert "No row was added" in capsys.readouterr().out


def forgetful(**values: float) -> dict:
    return row(
        arm="lora",
        forgetting_by_construction=False,
        facts_generated_before=0.5,
        facts_generated_after=0.2,
        facts_options_before=0.7,
        facts_options_after=0.7,
        text_loss_nats_before=3.0,
        text_loss_nats_after=3.25,
        forgetting_facts_generated=0.3,
        forgetting_facts_generated_low=0.2,
        forgetting_facts_options=0.0,
        **values,
    )


def test_probes_show_the_base_model_then_each_trained_arm():
    grid = probes_grid([forgetful()])
    assert grid.headings == ("probe", "facts asked %", "facts options %", "text nats")
    assert grid.lines == (("base model", "50", "70", "3.00"), ("lora", "20", "70", "3.25"))
    assert probes_grid([row()]).lines == ()


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.04, 0.04, "the form of the answers changed, the facts are still there"),
        (0.01, 0.2, "the facts themselves were lost"),
        (-0.1, 0.1, "whether facts or only the form of the answers was lost is not shown"),
    ],
)
def test_lost_knowledge_is_told_from_a_changed_form_by_the_interval(low, high, verdict):
    (line,) = what_was_lost(
        [forgetful(forgetting_facts_options_low=low, forgetting_facts_options_high=high)]
    )
    assert line.startswith("lora: 30 points lost when asked, +0 by options")
    assert line.endswith(f": {verdict}.")


def test_where_nothing_was_measured_one_line_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    show([row(status="failed", error="no")], tmp_path)
    assert capsys.readouterr().out == (
        f"Nothing was measured. The failed rows are in {tmp_path / 'runs.csv'}.\n"
    )
