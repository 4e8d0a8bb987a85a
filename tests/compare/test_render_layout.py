"""What is printed, and in which order, of a comparison made by hand."""

from dataclasses import replace

from harness.compare.render.grid import Footnotes, Grid, Section, plain
from harness.compare.render.layout import sections
from harness.compare.result import (
    BETTER,
    OVER_SEEDS,
    THESE_WEIGHTS,
    ByBucket,
    Comparison,
    Contrast,
)

from .made import (
    BY_BUCKET,
    COMPARISON,
    RAG,
    RAG_LORA,
    arm,
    not_shown,
    not_tested,
    only,
    shown,
)


def section(title: str, comparison: Comparison = COMPARISON, **how) -> Section:
    return next(part for part in sections(comparison, **how) if part.title.startswith(title))


def lines_of(grid: Grid) -> list[str]:
    return [" | ".join(" ".join(cell.split()) for cell in line) for line in grid.lines]


def test_sections_come_in_the_order_of_reading():
    assert [part.title for part in sections(COMPARISON)] == [
        "Arms",
        "Primary measures: these trained weights",
        "Primary measures: the method over seeds",
        "Other measures: these trained weights",
        "Costs: figures of whole runs",
        "Effect in each bucket: 95 % intervals, not adjusted",
        "Families of tests, and methods",
        "Problems and marks",
        "In short",
    ]


def test_arms_show_what_they_rest_on_what_failed_and_what_was_refused():
    (grid,) = section("Arms").grids
    assert lines_of(grid) == [
        "closed_book | 0, 1, 2 | 1 | 600 | 0",
        "rag | 0, 1, 2 | 1 | 600 | 0",
        "rag_lora | 0, 1, 2 | 3 | 600 | 1",
        "other_split | 0 | 1 | – | 0",
    ]
    assert grid.notes == (
        "rag, rag_lora: retriever dense, top_k 3",
        "rag_lora: adapter lora, rank 16",
        "failed, not averaged in: rag_lora-s3",
        "not compared, another test split (split_sha256): other_split − closed_book",
    )


def test_columns_that_are_alike_for_all_arms_become_a_sentence():
    assert section("Arms").text == ("experiment quickstart, task world_facts, model SmolLM2-135M",)
    two = replace(COMPARISON, arms=(arm("a"), arm("b", model="Qwen")))
    assert section("Arms", two).text == ("experiment quickstart, task world_facts",)
    assert section("Arms", two).grids[0].headings[1] == "model"


def test_many_seeds_are_a_range():
    made = replace(COMPARISON, arms=(arm("a", seeds=tuple(range(10))), arm("b", seeds=(None,))))
    assert [line[1] for line in section("Arms", made).grids[0].lines] == ["0 to 9", "–"]


def test_the_primary_table_has_a_line_a_contrast_and_names_what_is_resampled():
    part = section("Primary measures: these")
    assert part.text == (
        "questions are a sample, the weights are given; says nothing of other seeds.",
    )
    (grid,) = part.grids
    assert " ".join(grid.title.split()) == "contains ↑ (%)"
    assert lines_of(grid) == [
        "rag − closed_book | 10.0 | 43.3 | +33.3 | [+28.1, +38.5] 97.5 % | <0.001 | better",
        "rag_lora − closed_book | 10.0 | 11.2 | +1.2 | [−1.8, +4.2] 95 % | 0.420 | "
        "no difference shown (could have seen ≥ 3.2)",
    ]
    assert grid.notes == ("600 questions in 200 clusters, seeds 1 vs 3 (base vs arm)",)


def test_a_common_level_stands_in_the_heading():
    grid = section("Primary measures: the method").grids[0]
    assert grid.headings[4] == "97.5 %\ninterval"
    assert grid.lines[1][4] == "–"


def test_why_nothing_was_tested_is_a_footnote():
    grid = section("Primary measures: the method").grids[0]
    assert grid.lines[1][6] == "not tested (1)"
    assert grid.notes[1:] == ("(1) needs three seeds or more",)


def test_an_estimand_without_any_test_is_a_sentence():
    made = only(
        not_tested(RAG, "contains", "one seed", estimand=OVER_SEEDS),
        not_tested(RAG_LORA, "contains", "one seed", estimand=OVER_SEEDS),
    )
    part = section("Primary measures: the method", made)
    assert part.grids == ()
    assert part.text[1] == (
        "not tested, one seed: contains (rag − closed_book; rag_lora − closed_book)"
    )


def test_sizes_that_vary_are_columns():
    made = only(
        shown(RAG, "contains"), shown(RAG_LORA, "contains", n=1300, clusters=None, baseline_seeds=3)
    )
    grid = section("Primary", made).grids[0]
    assert grid.headings[7:] == ("n in\nclusters", "seeds")
    assert [line[7:] for line in grid.lines] == [("600 in\n200", "1 vs 3"), ("1,300 in\n–", "3")]


def test_other_measures_have_a_table_a_contrast_under_one_estimand():
    part = section("Other measures")
    assert [grid.title for grid in part.grids] == ["rag − closed_book", "rag_lora − closed_book"]
    assert part.text == (
        "not tested, closed_book retrieves nothing: recall_at_k (rag − closed_book)",
    )
    rows = lines_of(part.grids[0])
    assert rows[1].startswith("false_refusal ↓ (%) | 0.17 | 0.33 | +0.16 | [+0.01, +0.42] 97.5 %")
    assert rows[2].endswith("equivalent (within ±5)")
    assert rows[3].endswith("no difference shown (could have seen ≥ 3.2), unpaired")


def test_the_other_estimand_can_be_asked_for():
    (grid,) = section("Other measures: the method over seeds", estimand=OVER_SEEDS).grids
    assert len(grid.lines) == 1


def test_everything_shows_both_estimands_and_what_was_not_tested():
    titles = [part.title for part in sections(COMPARISON, everything=True)]
    assert "Other measures: the method over seeds" in titles
    rows = lines_of(section("Other measures: these", everything=True).grids[0])
    assert rows[4] == "recall_at_k ↑ (%) | – | – | – | – | – | not tested (2)"


def test_costs_are_in_a_readable_unit_with_their_direction():
    (grid,) = section("Costs").grids
    assert lines_of(grid) == [
        "answer_energy_kwh ↓ (mWh per question) | 2.13 | 4.05 | +1.92 | [+1.50, +2.34] | <0.001 "
        "| worse",
        "peak_memory_gib ↓ (GiB) | 1.21 | 1.84 | +0.63 | – | – | not tested (1)",
    ]


def test_a_table_without_any_interval_has_no_columns_for_them():
    made = replace(COMPARISON, costs=COMPARISON.costs[1:])
    (grid,) = section("Costs", made).grids
    assert lines_of(grid) == ["peak_memory_gib ↓ (GiB) | 1.21 | 1.84 | +0.63 | not tested (1)"]
    assert grid.words == {0, 4}


def test_a_measure_keeps_one_unit_in_all_tables():
    energy = COMPARISON.costs[0]
    large = replace(energy, contrast=RAG_LORA, arm_value=0.5, difference=0.5, low=0.4, high=0.6)
    grids = section("Costs", replace(COMPARISON, costs=(energy, large))).grids
    assert {" ".join(grid.lines[0][0].split()) for grid in grids} == {
        "answer_energy_kwh ↓ (kWh per question)"
    }


def test_buckets_show_each_effect_and_whether_it_differs():
    (grid,) = section("Effect in each bucket").grids
    assert " ".join(grid.title.split()) == "contains ↑ (%) by bucket: rag − closed_book"
    assert lines_of(grid)[0] == "low | 2.0 | 41.0 | +39.0 | [+30.0, +48.0] | 200 | 70"
    assert grid.notes == (
        "that the effect differs between buckets is shown: p 0.012, adjusted 0.024 "
        "(permutation of clusters)",
        "left out: 4 questions without a value of bucket",
    )


def test_the_adjusted_interaction_decides():
    by = replace(BY_BUCKET, p=0.04, p_adjusted=0.12, left_out=0)
    (note,) = section("Effect", replace(COMPARISON, by=(by,))).grids[0].notes
    assert note.startswith("that the effect differs between buckets is not shown: p 0.040")


def test_an_interaction_that_was_not_tested_says_why():
    by = ByBucket(RAG, "contains", "bucket", BY_BUCKET.buckets, None, None, "one bucket alone")
    (note,) = section("Effect", replace(COMPARISON, by=(by,))).grids[0].notes
    assert note == "whether the effect differs between buckets was not tested: one bucket alone"


def test_families_say_over_how_many_tests():
    assert section("Families").text[0] == (
        "Holm over 1 test at α = 0.05 (primary, these trained weights): rag − closed_book: contains"
    )


def test_problems_and_marks_are_named():
    assert section("Problems").text == (
        "results/quickstart/runs.csv, line 7: ragged row, left out",
        "adapter_merged differs: rag_lora − closed_book",
    )


def test_the_end_repeats_the_verdicts_on_primary_measures():
    assert section("In short").text == (
        "contains, these trained weights: better: rag − closed_book; "
        "no difference shown: rag_lora − closed_book",
        "contains, the method over seeds: better: rag − closed_book; "
        "not tested: rag_lora − closed_book",
    )


def test_a_shown_difference_within_the_margin_says_so():
    made = only(shown(RAG, "contains", margin=0.5, equivalent=True, verdict=BETTER))
    assert section("Primary", made).grids[0].lines[0][6] == ("better, but within the margin of 50")


def test_long_tables_are_cut_with_a_note_unless_all_is_asked_for():
    contrasts = [Contrast("base", f"arm{number}") for number in range(50)]
    made = only(*(shown(contrast, "contains") for contrast in contrasts), arms=COMPARISON.arms)
    grid = section("Primary", made).grids[0]
    assert len(grid.lines) == 40
    assert grid.notes[-1] == "… and 10 more: --all prints them, --format csv writes them."
    assert len(section("Primary", made, everything=True).grids[0].lines) == 50


def test_many_contrasts_have_other_measures_only_if_asked_for():
    contrasts = [Contrast("base", f"arm{number}") for number in range(9)]
    made = only(shown(RAG, "contains"), *(shown(contrast, "f1") for contrast in contrasts))
    part = section("Other measures", made)
    assert len(part.grids) == 6
    assert part.text == ("3 more contrasts: --all prints them.",)
    assert len(section("Other measures", made, everything=True).grids) == 9


def test_a_comparison_of_nothing_still_says_what_is_there():
    made = only(not_shown(RAG, "contains"), contrasts=(), results=())
    titles = [part.title for part in sections(made)]
    assert titles == ["Arms", "Families of tests, and methods"]


def test_steering_characters_become_visible():
    assert plain("a\x1b[2Jb\nc\u202ed") == "a�[2Jb c�d"
    assert plain("Łódź 東京 \u200f") == "Łódź 東京 \u200f"


def test_footnotes_are_numbered_once_and_in_order():
    footnotes = Footnotes()
    assert footnotes.mark(["a", "b"]) == " (1) (2)"
    assert footnotes.mark(["b", "c", "a"]) == " (1) (2) (3)"
    assert footnotes.mark([]) == ""
    assert footnotes.lines() == ("(1) a", "(2) b", "(3) c")


def test_the_estimand_in_every_title_is_one_of_the_two():
    titles = [part.title for part in sections(COMPARISON) if "measures" in part.title]
    assert all(title.endswith((THESE_WEIGHTS, OVER_SEEDS)) for title in titles)
