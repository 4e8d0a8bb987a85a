"""The charts of a report: which there are, what they hold, and that they render."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import altair as alt
import numpy as np
import pytest

from harness.report.drawing import Figure, to_png
from harness.report.figures import MOST_ARMS, figures, to_svg, vega_bundle
from harness.report.theme import DARK, LIGHT
from harness.scores import RunScores

from .runs import comparison_of, exact_match, frame_of, full_comparison, full_frame, outcome, run


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    frame = full_frame()
    return {figure.name: figure for figure in figures(frame, full_comparison(frame))}


def draw(*rows, **more) -> dict[str, Figure]:
    frame = frame_of(*rows)
    return {figure.name: figure for figure in figures(frame, comparison_of(frame, **more))}


def axis_titles(figure: Figure) -> set[str]:
    """Every axis title of the chart, its lines joined."""
    found = set()

    def walk(part: object) -> None:
        if isinstance(part, list):
            for item in part:
                walk(item)
        elif isinstance(part, dict):
            axis = part.get("axis")
            if isinstance(axis, dict) and axis.get("title"):
                title = axis["title"]
                found.add(title if isinstance(title, str) else " ".join(title))
            for item in part.values():
                walk(item)

    walk({key: value for key, value in figure.chart.items() if key not in ("data", "datasets")})
    return found


def rows_with(figure: Figure, *keys: str) -> list[dict]:
    """The distinct rows of the chart's data that have all the keys."""
    sets = figure.chart["datasets"].values()
    rows = [row for data in sets for row in data if set(keys) <= row.keys()]
    return [row for position, row in enumerate(rows) if row not in rows[:position]]


def test_runs_with_every_figure_have_every_chart_in_reading_order(drawn):
    assert list(drawn) == [
        "accuracy_exact_match",
        "contrasts_exact_match",
        "pareto_total_energy_kwh_exact_match",
        "pareto_answer_seconds_exact_match",
        "pareto_setup_seconds_exact_match",
        "pareto_forgetting_facts_options_exact_match",
        "pareto_forgetting_text_loss_nats_exact_match",
        "forgetting",
        "forgetting_loss",
        "popularity_exact_match",
        "time_by_phase",
        "energy_by_phase",
        "retrieval",
    ]


ONE_OF_EACH_KIND = ("accuracy_exact_match", "contrasts_exact_match", "forgetting", "time_by_phase",
    "pareto_total_energy_kwh_exact_match")  # fmt: skip


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_chart_of_each_kind_keeps_to_the_schema_of_vega_lite(drawn, name):
    alt.Chart.from_dict(drawn[name].chart)  # raises SchemaValidationError


def test_latency_is_drawn_beside_the_time_in_batches_and_money_where_it_is_known():
    common = {"prefill_seconds": 2.0, "latency_p50_seconds": 0.1}
    rows = [
        run("a", **exact_match(0.1, 0.05, 0.2), **common, api_cost_usd=0.5),
        run("b", **exact_match(0.6, 0.5, 0.7), **common, api_cost_usd=2.0),
    ]
    drawn = draw(*rows)
    assert [name for name in drawn if name.startswith("pareto")] == [
        "pareto_api_cost_usd_exact_match",
        "pareto_answer_seconds_exact_match",
        "pareto_latency_p50_seconds_exact_match",
        "pareto_setup_seconds_exact_match",
    ]
    titles = axis_titles(drawn["pareto_api_cost_usd_exact_match"])
    assert "money paid to an endpoint, US$ (lower is better)" in titles


def test_every_chart_fills_its_container_and_has_no_config(drawn):
    for figure in drawn.values():
        assert "config" not in figure.chart
        assert figure.chart["width"] == "container"


def test_no_chart_names_an_address(drawn):
    for figure in drawn.values():
        chart = {key: value for key, value in figure.chart.items() if key != "$schema"}
        text = json.dumps(chart)
        assert '"url"' not in text and "http" not in text


def test_every_chart_has_words(drawn):
    for figure in drawn.values():
        assert figure.title and figure.caption and figure.alt.endswith(".")


def test_svg_holds_the_names_of_the_arms(drawn):
    for figure in drawn.values():
        svg = to_svg(figure)
        present = {row["arm"] for row in rows_with(figure, "arm")} or {"rag", "lora"}
        for name in present:
            assert f">{name}<" in svg, (figure.name, name)


def test_svg_is_drawn_on_the_background_of_its_theme(drawn):
    for dark, theme in ((False, LIGHT), (True, DARK)):
        assert theme["background"] in to_svg(drawn["forgetting"], dark)


def test_no_text_is_smaller_than_11_pixels(drawn):
    import re

    for figure in drawn.values():
        sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)px"', to_svg(figure))]
        assert sizes and min(sizes) >= 11


def test_png_is_a_picture_of_the_asked_size(drawn):
    figure = drawn["accuracy_exact_match"]
    small, large = to_png(figure, scale=1), to_png(figure)
    assert small.startswith(b"\x89PNG")
    assert int.from_bytes(large[16:20]) == pytest.approx(2 * int.from_bytes(small[16:20]), abs=2)


def test_axes_name_their_unit(drawn):
    expected = {
        "accuracy_exact_match": {"exact match, %"},
        "contrasts_exact_match": {
            "difference in exact match from closed, percentage points (right of 0 is better)"
        },
        "pareto_total_energy_kwh_exact_match": {
            "total energy, Wh (estimated, log scale, lower is better)",
            "exact match, % (higher is better)",
        },
        "pareto_forgetting_text_loss_nats_exact_match": {
            "forgetting as loss on held-out text, nats per token (lower is better)",
            "exact match, % (higher is better)",
        },
        "forgetting": {"harm, percentage points (right is worse)"},
        "forgetting_loss": {"harm, nats per token (right is worse)"},
        "popularity_exact_match": {"exact match, %"},
        "time_by_phase": {"wall time, s"},
        "energy_by_phase": {"energy, Wh (estimated)"},
        "retrieval": {"mean over questions, %"},
    }
    assert {name: axis_titles(drawn[name]) for name in expected} == expected


def test_energy_that_was_counted_is_not_called_estimated():
    rows = [
        run(arm, **exact_match(0.5, 0.4, 0.6), total_energy_kwh=1.0, energy_source=source)
        for arm, source in (("a", "counter"), ("b", "counter"))
    ]
    title = "total energy, Wh (lower is better)"
    assert title in axis_titles(draw(*rows)["pareto_total_energy_kwh_exact_match"])
    rows[0]["energy_source"] = "estimate"
    title = "total energy, Wh (partly estimated, lower is better)"
    assert title in axis_titles(draw(*rows)["pareto_total_energy_kwh_exact_match"])


def test_accuracy_is_a_mean_over_seeds_best_first_in_percent(drawn):
    figure = drawn["accuracy_exact_match"]
    rows = rows_with(figure, "text")
    assert [(row["arm"], row["text"]) for row in rows] == [
        ("lora", "85.0 %"),
        ("rag", "60.0 %"),
        ("closed", "10.0 %"),
    ]
    # lora: (0.7 + 0.8) / 2 and (0.85 + 0.95) / 2
    assert rows[0]["low"] == pytest.approx(75) and rows[0]["high"] == pytest.approx(90)
    seeds = [row for row in rows_with(figure, "value") if row.keys() == {"arm", "value"}]
    assert sorted(row["value"] for row in seeds) == pytest.approx([80, 90])
    assert "never narrower" in figure.caption


def test_a_measure_for_which_lower_is_better_is_sorted_the_other_way():
    rows = [run("a", false_refusal=0.3), run("b", false_refusal=0.1)]
    figure = draw(*rows, primary=("false_refusal",))["accuracy_false_refusal"]
    assert [row["arm"] for row in rows_with(figure, "text")] == ["b", "a"]
    assert "No intervals are known." in figure.caption


def test_intervals_that_are_known_better_replace_those_of_the_rows():
    frame = full_frame()
    (figure, *_) = figures(
        frame, full_comparison(frame), intervals={("lora", "exact_match"): (0.82, 0.88)}
    )
    (lora,) = [row for row in rows_with(figure, "text") if row["arm"] == "lora"]
    assert (lora["low"], lora["high"]) == (82, 88)
    assert "never narrower" not in figure.caption


def test_runs_of_two_folders_with_one_id_are_told_apart():
    rows = [
        run("a", **exact_match(0.5, 0.4, 0.6)) | {"run_id": "same", "folder": "one"},
        run("b", **exact_match(0.7, 0.6, 0.8)) | {"run_id": "same", "folder": "other"},
    ]
    found = rows_with(draw(*rows)["accuracy_exact_match"], "text")
    assert [(row["arm"], row["text"]) for row in found] == [("b", "70.0 %"), ("a", "50.0 %")]


def test_a_frozen_arm_counts_once_however_many_rows_it_has():
    rows = [run("closed", seed, **exact_match(0.1, 0.0, 0.2)) for seed in range(3)]
    figure = draw(*rows, frozen=("closed",))["accuracy_exact_match"]
    assert "seed" not in figure.caption


def test_front_holds_what_nothing_dominates_and_steps_between(drawn):
    # Cost 1, 2, 50 Wh; accuracy 10, 60, 85 %: each is on the front.
    figure = drawn["pareto_total_energy_kwh_exact_match"]
    marks = [layer["mark"] for layer in figure.chart["layer"]]
    (line,) = [mark for mark in marks if mark["type"] == "line"]
    assert line["interpolate"] == "step-after"
    assert figure.alt.endswith("closed, rag, lora.")
    # Answering takes 60, 70 and 30 ms: lora is quicker and better than both.
    assert drawn["pareto_answer_seconds_exact_match"].alt.endswith("lora; dominated: closed, rag.")


def test_costs_over_a_decade_are_on_a_log_scale_without_zero(drawn):
    scales = {
        layer["encoding"]["x"]["scale"].get("type"): layer["encoding"]["x"]["scale"]["domain"]
        for layer in drawn["pareto_total_energy_kwh_exact_match"].chart["layer"]
    }
    assert list(scales) == ["log"]
    assert 0 < scales["log"][0] < 1 and scales["log"][1] > 50
    within = drawn["pareto_answer_seconds_exact_match"].chart["layer"][0]["encoding"]["x"]["scale"]
    assert "type" not in within and within["domain"][0] <= 0


def test_a_cost_of_zero_keeps_the_scale_linear():
    rows = [
        run(arm, **exact_match(0.5, 0.4, 0.6), total_energy_kwh=energy)
        for arm, energy in (("a", 0.0), ("b", 1.0), ("c", 100.0))
    ]
    figure = draw(*rows)["pareto_total_energy_kwh_exact_match"]
    assert "type" not in figure.chart["layer"][0]["encoding"]["x"]["scale"]


def test_an_arm_without_the_cost_is_left_out_and_named():
    rows = [
        run(arm, **exact_match(0.5, 0.4, 0.6), total_energy_kwh=energy)
        for arm, energy in (("a", None), ("b", 1.0), ("c", 2.0))
    ]
    figure = draw(*rows)["pareto_total_energy_kwh_exact_match"]
    assert {row["arm"] for row in rows_with(figure, "cost")} == {"b", "c"}
    assert "Left out (no total energy or exact match recorded): a." in figure.caption


def test_an_arm_with_both_slots_empty_has_no_setup_to_pay(drawn):
    figure = drawn["pareto_setup_seconds_exact_match"]
    cost = {row["arm"]: row["cost"] for row in rows_with(figure, "cost")}
    assert cost["closed"] == 0


def test_times_of_several_devices_have_no_front():
    rows = [
        run(arm, **exact_match(0.5, 0.4, 0.6), total_energy_kwh=1.0, device=device)
        for arm, device in (("a", "one processor"), ("b", "another processor"))
    ]
    figure = draw(*rows)["pareto_total_energy_kwh_exact_match"]
    assert "several devices, so no front" in figure.caption and "no front" in figure.alt
    (line,) = [layer for layer in figure.chart["layer"] if layer["mark"]["type"] == "line"]
    assert figure.chart["datasets"][line["data"]["name"]] == []


def test_frozen_arms_forget_nothing_by_construction(drawn):
    rows = rows_with(drawn["forgetting"], "text")
    assert {(row["arm"], row["text"]) for row in rows} == {
        ("closed", "0 by construction"),
        ("rag", "0 by construction"),
    }
    assert "0 by construction" in to_svg(drawn["forgetting"])
    assert drawn["forgetting"].alt == "The largest harm is +20.0 points: lora, facts, by options."


def test_buckets_stand_in_order_of_popularity(drawn):
    figure = drawn["popularity_exact_match"]
    assert figure.chart["layer"][0]["encoding"]["y"]["sort"] == ["low", "middle", "high"]
    assert "low 50, middle 50, high 50" in figure.caption
    assert "Left out (no buckets): lora." in figure.caption


def test_phases_are_laid_end_to_end_and_probes_apart(drawn):
    bars = [row for row in rows_with(drawn["time_by_phase"], "phase") if row["arm"] == "closed"]
    assert {(bar["phase"], bar["kind"], bar["start"], bar["end"]) for bar in bars} == {
        ("load", "the arm's cost", 0, 1),
        ("prefill", "the arm's cost", 1, 3),
        ("decode", "the arm's cost", 3, 6),
        ("probe*", "measuring it", 0, 50),
    }
    assert ">6.00 s<" in to_svg(drawn["time_by_phase"])


def test_retrieval_shows_only_arms_that_retrieve(drawn):
    rows = rows_with(drawn["retrieval"], "group")
    assert {row["arm"] for row in rows} == {"rag"}
    assert {row["group"] for row in rows} == {"Recall@k", "MRR"}
    assert "rag k = 3" in drawn["retrieval"].caption


def test_accuracy_given_the_answer_in_context_comes_from_scores():
    frame = full_frame()
    # Of three questions with the answer in context, two are right; the fourth does not count.
    scores = RunScores(
        question_ids=["a", "b", "c", "d"],
        clusters=["", "", "", ""],
        measures={
            "exact_match": np.array([1.0, 1.0, 0.0, 1.0]),
            "answer_in_context": np.array([1.0, 1.0, 1.0, 0.0]),
        },
        columns={},
        problems=(),
    )
    *_, figure = figures(frame, full_comparison(frame), scores={"rag": [scores]})
    (row,) = [r for r in rows_with(figure, "group") if r["group"] == "Exact match, if so"]
    assert row["value"] == pytest.approx(200 / 3)
    assert row["low"] < row["value"] < row["high"]


def test_contrasts_say_their_verdict_in_the_unit_of_the_axis(drawn):
    svg = to_svg(drawn["contrasts_exact_match"])
    assert "these trained weights: better" in svg
    assert "could have seen ≥ 15.0 points" in svg
    assert "not tested: 2 seeds, 3" in svg
    rows = rows_with(drawn["contrasts_exact_match"], "value", "low")
    assert [(row["contrast"], row["value"]) for row in rows] == [
        ("rag", pytest.approx(30)),
        ("lora", pytest.approx(2)),
    ]


def test_contrasts_of_several_baselines_name_both_arms():
    rows = [run(arm, **exact_match(0.5, 0.4, 0.6)) for arm in "abc"]
    figure = draw(*rows, results=(outcome("a", "b"), outcome("b", "c")))["contrasts_exact_match"]
    assert {row["contrast"] for row in rows_with(figure, "contrast")} == {"b − a", "c − b"}


def test_a_contrast_without_an_interval_is_no_chart():
    rows = [run(arm, **exact_match(0.5, 0.4, 0.6)) for arm in "ab"]
    none = outcome("a", "b", low=None, high=None)
    assert "contrasts_exact_match" not in draw(*rows, results=(none,))


def test_one_arm_has_no_pareto_chart():
    found = draw(run("a", **exact_match(0.5, 0.4, 0.6), total_energy_kwh=1.0))
    assert list(found) == ["accuracy_exact_match"]


def test_what_was_not_measured_has_no_chart():
    assert draw(run("a"), run("b")) == {}
    found = draw(*(run(arm, **exact_match(0.5, 0.4, 0.6)) for arm in "ab"))
    assert list(found) == ["accuracy_exact_match"]
    assert figures(frame_of(), comparison_of(frame_of())) == []


def test_one_bucket_is_no_chart():
    bucket = {"all": {"exact_match": {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 9}}}
    found = draw(run("a", **exact_match(0.5, 0.4, 0.6), by_bucket=bucket))
    assert "popularity_exact_match" not in found


def test_missing_and_endless_numbers_never_reach_a_chart():
    rows = [
        run("a", **exact_match(math.nan, 0.1, 0.2), total_energy_kwh=math.inf),
        run("b", **exact_match(0.5, math.nan, math.inf), total_energy_kwh=1.0),
        run("c", **exact_match(0.5, 0.4, 0.6), total_energy_kwh=2.0, train_seconds=math.nan),
        run("d", by_bucket={"low": {"exact_match": {"mean": math.nan}}, "high": None}),
    ]
    results = (outcome("a", "b", math.nan), outcome("b", "c", low=-math.inf), outcome("a", "c"))
    for figure in draw(*rows, results=results).values():
        json.dumps(figure.chart, allow_nan=False)  # raises ValueError
        for data in figure.chart["datasets"].values():
            assert None not in [value for row in data for value in row.values()]
        to_svg(figure)


HOSTILE = [
    "</script><script>alert(1)</script>",
    "\"'`\\ {{datum.x}}",
    "x" * 500,
    "\u202eevil\u2066\x00\nname",
    "قیاس بازیابی",
    "",
]


def test_hostile_names_are_shown_as_text_and_cut():
    rows = [
        run("", **exact_match(0.1 * n, 0.1 * n, 0.2 * n), total_energy_kwh=n + 1.0)
        | {"run_id": f"r{n}", "arm": name}
        for n, name in enumerate(HOSTILE)
    ]
    results = (outcome(HOSTILE[0], HOSTILE[1]), outcome(HOSTILE[0], HOSTILE[2]))
    found = draw(*rows, results=results)
    names = {row["arm"] for row in rows_with(found["accuracy_exact_match"], "text")}
    assert len(names) == len(HOSTILE) and max(map(len, names)) <= 32
    assert {"evil name", "–", f"{'x' * 31}…"} <= names
    for figure in found.values():
        svg = to_svg(figure)
        assert "<script" not in svg


def test_names_that_are_equal_once_cut_stay_apart():
    rows = [
        run(f"{'x' * 100}{end}", **exact_match(0.5, 0.4, 0.6)) | {"run_id": end} for end in "ab"
    ]
    names = [row["arm"] for row in rows_with(draw(*rows)["accuracy_exact_match"], "text")]
    assert len(set(names)) == 2


def test_tasks_have_charts_of_their_own():
    rows = [
        run("a", **exact_match(0.5, 0.4, 0.6)),
        run("b", **exact_match(0.6, 0.5, 0.7), task="../other task", split_sha256="b" * 64),
    ]
    found = draw(*rows)
    assert list(found) == ["accuracy_exact_match_questions", "accuracy_exact_match_other_task"]
    assert found["accuracy_exact_match_questions"].title == "Exact match by arm (questions)"


def test_splits_of_one_task_are_told_apart():
    rows = [
        run("a", **exact_match(0.5, 0.4, 0.6)),
        run("b", **exact_match(0.6, 0.5, 0.7), split_sha256="b" * 64),
    ]
    assert len(draw(*rows)) == 2
    assert any("split bbbbbbbb" in figure.title for figure in draw(*rows).values())


def test_only_so_many_arms_are_drawn_and_the_caption_says_so():
    rows = [run(f"arm{n}", **exact_match(0.5, 0.4, 0.6)) for n in range(MOST_ARMS + 5)]
    figure = draw(*rows)["accuracy_exact_match"]
    assert len(rows_with(figure, "text")) == MOST_ARMS
    assert f"Only the first {MOST_ARMS} of {MOST_ARMS + 5} arms" in figure.caption


def test_an_imported_measure_is_drawn_with_the_unit_and_direction_it_states():
    rows = [
        run(arm, other_measures={"perplexity": {"value": value, "low": value - 1, "high": value + 1,
            "higher_is_better": False, "unit": "per word"}})
        for arm, value in (("a", 20.0), ("b", 10.0))
    ]  # fmt: skip
    figure = draw(*rows, primary=("perplexity",))["accuracy_perplexity"]
    assert axis_titles(figure) == {"perplexity, per word"}
    assert [row["arm"] for row in rows_with(figure, "text")] == ["b", "a"]


def test_page_script_defines_what_it_says_and_names_no_other_host():
    script = vega_bundle()
    assert "window.drawChart" in script
    assert "</script" not in script.lower()
    assert "cdn." not in script and "unpkg" not in script


def test_a_figure_is_rendered_without_changing_it(drawn):
    figure = drawn["forgetting"]
    before = json.dumps(figure.chart)
    to_svg(replace(figure))
    assert json.dumps(figure.chart) == before
