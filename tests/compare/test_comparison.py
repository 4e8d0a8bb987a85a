from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from harness.compare.comparison import compare
from harness.compare.options import Options
from harness.compare.result import (
    BETTER,
    NOT_SHOWN,
    NOT_TESTED,
    OVER_SEEDS,
    PRIMARY,
    SECONDARY,
    THESE_WEIGHTS,
    WORSE,
    Comparison,
)
from harness.errors import ConfigError, RecordError
from tests.compare.folders import OTHER_SPLIT, answers, write_lines, write_run

if TYPE_CHECKING:
    from harness.compare.result import Tested

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
RAG = {"arm": "rag", "retriever": "bm25"}
LORA = {"arm": "lora", "adapter": "lora"}
INTERVAL = {"exact_match": 0.5, "exact_match_low": 0.4, "exact_match_high": 0.6, "n_test": 90}


def the_test(
    found: Comparison, measure: str, estimand: str = THESE_WEIGHTS, **names: str
) -> Tested:
    """The one test of a measure, of the contrast with these baseline and arm."""
    (one,) = (
        t
        for t in (*found.results, *found.costs)
        if t.measure == measure
        and t.estimand == estimand
        and all(getattr(t.contrast, name) == label for name, label in names.items())
    )
    return one


def run(*paths: Path, **options: Any) -> Comparison:
    return compare(paths, Options(**options))


@pytest.fixture(scope="module")
def quickstart() -> Comparison:
    return run(REFERENCE / "quickstart")


def test_the_quickstart_is_compared_in_all_pairs_on_its_primary_measure(quickstart):
    assert quickstart.primary == ("contains",)
    assert [contrast.name for contrast in quickstart.contrasts] == [
        "rag − closed_book",
        "lora − closed_book",
        "rag_lora − closed_book",
        "lora − rag",
        "rag_lora − rag",
        "rag_lora − lora",
    ]
    # 85 and 3 of 114 questions, about 36 countries.
    rag = the_test(quickstart, "contains", baseline="closed_book", arm="rag")
    assert rag.difference == pytest.approx(82 / 114)
    assert (rag.verdict, rag.n, rag.clusters, rag.family) == (BETTER, 114, 36, PRIMARY)
    # 101, 101 and 100 of 114 by the three seeds.
    lora = the_test(quickstart, "contains", baseline="rag", arm="lora")
    assert lora.difference == pytest.approx(302 / 342 - 85 / 114)
    assert (lora.baseline_seeds, lora.arm_seeds, lora.paired) == (1, 3, True)


def test_frozen_arms_count_once_and_trained_ones_by_seed(quickstart):
    assert [(a.label, a.frozen, a.replicates) for a in quickstart.arms] == [
        ("closed_book", True, 1),
        ("rag", True, 1),
        ("lora", False, 3),
        ("rag_lora", False, 3),
    ]


def test_families_hold_the_contrasts_of_each_estimand(quickstart):
    sizes = {(f.name, f.estimand): len(f.members) for f in quickstart.families}
    assert sizes[PRIMARY, THESE_WEIGHTS] == 6
    assert sizes[PRIMARY, OVER_SEEDS] == 5  # two frozen arms have nothing that depends on a seed
    frozen = the_test(quickstart, "contains", OVER_SEEDS, baseline="closed_book", arm="rag")
    assert (frozen.verdict, frozen.low) == (NOT_TESTED, None)
    assert "frozen" in frozen.reason


def test_intervals_agree_with_verdicts(quickstart):
    with_interval = [t for t in (*quickstart.results, *quickstart.costs) if t.low is not None]
    assert len(with_interval) > 100
    for one in with_interval:
        assert one.low is not None and one.high is not None
        assert (one.low <= 0 <= one.high) == (one.verdict == NOT_SHOWN), one


def test_forgetting_is_paired_by_item_with_zero_for_frozen_weights(quickstart):
    name = "forgetting_facts_generated"
    lora = the_test(quickstart, name, baseline="closed_book", arm="lora")
    assert (lora.baseline_value, lora.verdict, lora.n) == (0, WORSE, 200)
    assert lora.arm_value == pytest.approx((0.25 + 0.24 + 0.25) / 3)
    assert lora.paired
    both = the_test(quickstart, name, baseline="closed_book", arm="rag")
    assert (both.verdict, both.difference) == (NOT_TESTED, 0)
    assert "by construction" in both.reason


def test_retrieval_is_compared_between_arms_that_retrieve(quickstart):
    recall = [t for t in quickstart.results if t.measure == "recall_at_k"]
    assert {t.contrast.name for t in recall} == {"rag_lora − rag"}


def test_lining_up_two_experiments_does_not_double_a_repeated_run():
    # A gate lines up what has a namesake, although the second table holds another arm as well.
    folders = (REFERENCE / "quickstart", REFERENCE / "forget_less")
    found = run(*folders, measures=("contains",), has_gates=True)
    (contrast,) = found.contrasts
    assert contrast.name == "forget_less/lora − quickstart/lora"
    assert contrast.marks == ("other seeds: 0, 1, 2 against 0",)
    one = the_test(found, "contains")
    assert (one.baseline_seeds, one.arm_seeds, one.verdict) == (3, 1, NOT_SHOWN)
    assert any("closed_book, rag, rag_lora, lora_replay: in one of" in p for p in found.problems)
    seeds = the_test(found, "contains", OVER_SEEDS)
    assert (seeds.verdict, seeds.reason) == (NOT_TESTED, "1 seed of a trained arm, 3 needed")


def test_two_experiments_of_other_arms_are_pooled():
    folders = (REFERENCE / "quickstart", REFERENCE / "forget_less")
    found = run(*folders, measures=("contains",))
    assert {contrast.baseline for contrast in found.contrasts} == {"closed_book"}
    assert {contrast.arm for contrast in found.contrasts} == {
        "rag",
        "rag_lora",
        "quickstart/lora",
        "forget_less/lora",
        "lora_replay",
    }


def test_the_same_comparison_twice_is_the_same():
    options = {"by": ("popularity",), "measures": ("contains",), "arms": ("rag", "lora")}
    assert run(REFERENCE / "quickstart", **options) == run(REFERENCE / "quickstart", **options)


def test_another_split_is_refused_and_the_others_are_compared(tmp_path):
    write_run(tmp_path, answers(5))
    write_run(tmp_path, answers(35), **RAG)
    write_run(tmp_path, answers(30), **LORA, split_sha256=OTHER_SPLIT)
    found = run(tmp_path)
    refused = {c.name: c.refused for c in found.contrasts}
    assert refused["rag − closed_book"] == ""
    assert refused["lora − rag"] == "other test questions: split 1a2b1a2b… against 3c4d3c4d…"
    assert {t.contrast.name for t in found.results} == {"rag − closed_book"}


def test_another_task_is_refused(tmp_path):
    write_run(tmp_path, answers(5))
    write_run(tmp_path, answers(35), **RAG, task="capitals")
    assert run(tmp_path).contrasts[0].refused == "other task: facts against capitals"


def test_one_id_for_other_questions_is_refused_where_the_split_is_unknown(tmp_path):
    def asked(word: str) -> dict[str, dict[str, str]]:
        return {name: {"question": f"{word} {name}?"} for name in answers(0)}

    write_run(tmp_path, answers(5), fields=asked("Who is"))
    write_run(tmp_path, answers(9), fields=asked("What is"), **RAG, split_sha256=None)
    write_run(tmp_path, answers(9), fields=asked("Who is"), **LORA, split_sha256=None)
    found = {c.name: c for c in run(tmp_path).contrasts}
    assert found["rag − closed_book"].refused == (
        "other test questions: 40 of 40 that share an id differ in wording or gold"
    )
    assert found["lora − closed_book"].refused == ""
    assert found["lora − closed_book"].marks == (
        "test split of lora not known: questions are matched by id",
    )


def test_no_question_in_common_is_refused(tmp_path):
    write_run(tmp_path, {"a": 1, "b": 0})
    write_run(tmp_path, {"c": 1, "d": 0}, **RAG)
    assert run(tmp_path).contrasts[0].refused == "no question in common"


def test_shared_questions_alone_are_compared_and_the_others_counted(tmp_path):
    write_run(tmp_path, {"a": 1, "b": 0, "c": 1})
    write_run(tmp_path, {"a": 1, "b": 1, "x": 0, "y": 0}, **RAG)
    found = run(tmp_path)
    assert found.contrasts[0].marks == (
        "2 questions in common; left out: 1 of closed_book, 2 of rag",
    )
    one = the_test(found, "exact_match")
    assert (one.n, one.baseline_value, one.arm_value) == (2, 0.5, 1.0)


def test_another_version_of_a_measure_leaves_out_that_measure_alone(tmp_path):
    scores = {name: {"f1": s, "exact_match": s} for name, s in answers(20).items()}
    write_run(tmp_path, scores, metric_versions={"f1": 1, "exact_match": 1}, f1=0.5)
    write_run(tmp_path, scores, **RAG, metric_versions={"f1": 2, "exact_match": 1}, f1=0.6)
    found = run(tmp_path)
    f1 = the_test(found, "f1")
    assert (f1.verdict, f1.reason) == (NOT_TESTED, "another version of f1: 1 against 2")
    assert (f1.baseline_value, f1.arm_value) == (0.5, 0.6)
    assert the_test(found, "exact_match").verdict == NOT_SHOWN


def test_without_predictions_rows_are_compared_unpaired_and_it_is_said(tmp_path):
    write_run(tmp_path, answers(20), **INTERVAL)
    write_run(tmp_path, None, **RAG, **INTERVAL | {"exact_match": 0.55})
    found = run(tmp_path)
    one = the_test(found, "exact_match")
    assert (one.paired, one.n) == (False, 90)
    assert one.difference == pytest.approx(0.05)
    assert one.notes == ("unpaired: no predictions of rag",)
    assert any(p.startswith("rag: no predictions of 1 of its 1 runs") for p in found.problems)


def test_without_predictions_and_interval_values_are_shown_untested(tmp_path):
    write_run(tmp_path, None, exact_match=0.2)
    write_run(tmp_path, None, **RAG, exact_match=0.5)
    one = the_test(run(tmp_path), "exact_match")
    assert (one.verdict, one.difference) == (NOT_TESTED, pytest.approx(0.3))
    assert "neither predictions nor an interval" in one.reason


def test_forgetting_without_probe_files_comes_from_the_rows(tmp_path):
    name = "forgetting_facts_options"
    harm = {name: 0.3, f"{name}_low": 0.2, f"{name}_high": 0.4, f"{name}_n": 100}
    write_run(tmp_path, answers(20))
    write_run(tmp_path, answers(20), **LORA, **harm)
    one = the_test(run(tmp_path), name)
    assert (one.paired, one.baseline_value, one.arm_value) == (False, 0, 0.3)
    assert one.verdict == WORSE
    assert one.notes == ("unpaired: no probe items of lora",)


def test_forgetting_of_two_trained_arms_is_paired_by_item(tmp_path):
    items = {f"i{n}": float(n < 30) for n in range(60)}
    less = {f"i{n}": float(n < 10) for n in range(60)}
    write_run(tmp_path, answers(20), **LORA, harm=items)
    write_run(tmp_path, answers(20), arm="replay", adapter="lora", replay_share=0.25, harm=less)
    found = run(tmp_path)
    one = the_test(found, "forgetting_facts_options")
    assert (one.paired, one.verdict) == (True, BETTER)
    assert one.difference == pytest.approx(-20 / 60)


def test_a_failed_run_is_shown_and_never_averaged(tmp_path):
    write_run(tmp_path, answers(5))
    write_run(tmp_path, answers(20), **LORA)
    write_run(tmp_path, None, **LORA, seed=1, status="failed", error="out of memory")
    found = run(tmp_path)
    lora = next(arm for arm in found.arms if arm.label == "lora")
    assert (lora.run_ids, lora.failed) == (("lora-s0",), ("lora-s1",))
    assert the_test(found, "exact_match").arm_value == 0.5
    assert "lora: run lora-s1 failed and is left out: out of memory" in found.problems


def test_both_estimands_are_given_from_three_seeds(tmp_path):
    write_run(tmp_path, answers(5))
    for seed in range(3):
        write_run(tmp_path, answers(30 + seed), **LORA, seed=seed)
    found = run(tmp_path)
    weights = the_test(found, "exact_match")
    seeds = the_test(found, "exact_match", OVER_SEEDS)
    assert weights.difference == seeds.difference == pytest.approx(31 / 40 - 5 / 40)
    assert weights.low is not None and seeds.low is not None
    assert seeds.low < weights.low  # it speaks of other seeds too


def test_too_few_seeds_are_said_once_for_the_primary_measure_only(tmp_path):
    scores = {name: {"f1": s, "exact_match": s} for name, s in answers(20).items()}
    write_run(tmp_path, scores)
    write_run(tmp_path, scores, **LORA)
    found = run(tmp_path)
    untested = [t for t in found.results if t.estimand == OVER_SEEDS]
    assert [(t.measure, t.reason) for t in untested] == [
        ("exact_match", "1 seed of a trained arm, 3 needed")
    ]


def test_frozen_runs_that_answered_differently_count_and_are_marked(tmp_path):
    write_run(tmp_path, answers(5))
    write_run(tmp_path, answers(6), seed=1)
    write_run(tmp_path, answers(20), **LORA)
    found = run(tmp_path)
    assert found.arms[0].replicates == 2
    assert "frozen, yet its runs answered differently" in found.contrasts[0].marks[0]
    assert the_test(found, "exact_match").baseline_value == pytest.approx(5.5 / 40)


def test_measures_can_be_chosen_and_the_first_choice_among_them_is_primary(tmp_path):
    scores = {n: {"f1": s, "exact_match": s, "contains": s} for n, s in answers(20).items()}
    write_run(tmp_path, scores, total_energy_kwh=1.0)
    write_run(tmp_path, scores, **RAG, total_energy_kwh=2.0)
    assert run(tmp_path).primary == ("contains",)
    found = run(tmp_path, measures=("f1", "exact_match"))
    assert found.primary == ("exact_match",)
    assert {t.measure for t in found.results} == {"f1", "exact_match"}
    assert found.costs == ()
    assert the_test(found, "f1").family == SECONDARY
    found = run(tmp_path, measures=("total_energy_kwh",), primary=("f1",))
    assert {t.measure for t in found.results} == {"f1"}
    assert {t.measure for t in found.costs} == {"total_energy_kwh"}


def test_a_known_measure_that_no_arm_has_is_said_if_it_was_asked_for(tmp_path):
    write_run(tmp_path, answers(5))
    write_run(tmp_path, answers(9), **RAG)
    one = the_test(run(tmp_path, primary=("multiple_choice",)), "multiple_choice")
    assert (one.verdict, one.reason) == (
        NOT_TESTED,
        "closed_book has no multiple_choice; rag has no multiple_choice",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"baseline": "closed_bok"},
            r"--baseline: no arm 'closed_bok'; did you mean 'closed_book'",
        ),
        ({"measures": ("exact_mach",)}, r"--measures: .* did you mean 'exact_match'"),
        ({"primary": ("exact_mach",)}, r"--primary: .* did you mean 'exact_match'"),
        ({"margins": {"exact_mach": 0.1}}, r"--margin: .* did you mean 'exact_match'"),
        ({"arms": ("raag",)}, r"--arms: no arm 'raag'; did you mean 'rag'"),
        ({"by": ("clustr",)}, r"--by: .* did you mean 'cluster'\?; they have: cluster"),
    ],
)
def test_a_misspelt_option_is_refused_with_the_nearest_name(tmp_path, options, message):
    write_run(tmp_path, answers(5))
    write_run(tmp_path, answers(9), **RAG)
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, **options)


def test_imported_rows_are_compared_on_their_own_measures(tmp_path):
    def told(value: float) -> dict[str, Any]:
        return {"acc": {"value": value, "low": value - 0.02, "high": value + 0.02}}

    ours = told(0.3)
    ours["acc"] |= {"higher_is_better": True, "unit": "share of questions", "n": 1000}
    unknown = {"split_sha256": None, "corpus_sha256": None, "source": "peft: a.json"}
    write_run(tmp_path, None, arm="one", other_measures=ours, **unknown)
    write_run(tmp_path, None, arm="two", other_measures=told(0.5), **unknown)
    found = run(tmp_path)
    assert found.primary == ("acc",)
    one = the_test(found, "acc")
    assert (one.verdict, one.paired, one.unit) == (BETTER, False, "share of questions")
    assert "one was imported from peft: a.json" in found.contrasts[0].marks


def test_nan_scores_and_broken_lines_are_named_and_the_rest_is_compared(tmp_path):
    write_run(tmp_path, answers(20))
    run_id = write_run(tmp_path, answers(30), **RAG)
    path = tmp_path / "predictions" / f"{run_id}.jsonl"
    lines = path.read_text().splitlines()
    lines[0] = lines[0].replace("1.0", "NaN")
    write_lines(tmp_path, run_id, [*lines[:-1], "{"])
    found = run(tmp_path)
    one = the_test(found, "exact_match")
    assert one.n == 38
    assert one.notes == ("1 question left out: a run has no exact_match there",)
    assert any("line 1" in problem for problem in found.problems)
    assert any("line 40" in problem for problem in found.problems)


def test_questions_about_one_entity_leave_nothing_to_estimate(tmp_path):
    fields = {name: {"cluster": "oslo"} for name in answers(0)}
    write_run(tmp_path, answers(5), fields=fields)
    write_run(tmp_path, answers(9), fields=fields, **RAG)
    one = the_test(run(tmp_path), "exact_match")
    assert (one.verdict, one.difference) == (NOT_TESTED, pytest.approx(0.1))
    assert one.reason == "all questions are about one entity: no spread to estimate"


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(RecordError, match="holds no runs"):
        run(tmp_path)


def tokens(arm: int, every: int = 3) -> dict[str, dict[str, Any]]:
    """Prompts of 20 tokens and ``arm`` more, every third one token longer."""
    return {
        f"q{number}": {"tokens_in": 20 + arm + (number % every == 0), "tokens_out": 4}
        for number in range(40)
    }


def test_tokens_are_compared_question_by_question(tmp_path):
    write_run(tmp_path, answers(5), fields=tokens(0, every=50))
    write_run(tmp_path, answers(35), **RAG, fields=tokens(60))
    found = run(tmp_path)
    prompt = the_test(found, "prompt_tokens")
    # 14 of 40 questions differ by 61, the others by 60; the first is longer in both.
    assert prompt.difference == pytest.approx(60 + 13 / 40)
    assert (prompt.verdict, prompt.n, prompt.paired) == (WORSE, 40, True)
    answer = the_test(found, "answer_tokens")
    assert answer.says == "not tested: the same difference on every question: no spread to test by"
    assert answer.difference == 0.0


def test_a_table_without_the_column_adapter_makes_no_arm_frozen(tmp_path):
    for seed in (0, 1, 2):
        write_run(tmp_path, answers(10), seed=seed)
        write_run(tmp_path, answers(20 + seed), arm="other", seed=seed)
    frame = pd.read_csv(tmp_path / "runs.csv", dtype=str, keep_default_na=False)
    frame.drop(columns="adapter").to_csv(tmp_path / "runs.csv", index=False)
    found = compare([tmp_path], Options())
    assert [(arm.frozen, arm.replicates) for arm in found.arms] == [(False, 3), (False, 3)]
    assert "whether other was trained is not known: not taken as frozen" in found.contrasts[0].marks


@pytest.mark.parametrize(
    ("other", "bounded"),
    [({}, True), ({"model": "larger"}, False), ({**LORA, "arm": "frozen", "adapter": None}, True)],
)
def test_forgetting_is_bounded_only_where_both_arms_began_as_one_model(tmp_path, other, bounded):
    harm = {f"i{n}": float(n < 8) for n in range(40)}
    gain = {f"i{n}": -float(n > 30) for n in range(40)}
    write_run(tmp_path, answers(9), harm=harm, **LORA)
    write_run(tmp_path, answers(9), harm=gain, **{"arm": "b", "adapter": "lora"} | other)
    found = run(tmp_path, measures=("forgetting_facts_options",))
    assert the_test(found, "forgetting_facts_options").method.startswith("Bonett") is bounded


def test_the_runs_behind_figures_that_are_not_tested_are_counted(tmp_path):
    for seed in range(2):
        write_run(tmp_path, None, **LORA, seed=seed, exact_match=0.5)
    write_run(tmp_path, None, exact_match=0.4)
    one = the_test(run(tmp_path), "exact_match")
    assert (one.verdict, one.baseline_seeds, one.arm_seeds) == (NOT_TESTED, 1, 2)


def test_the_runs_behind_reported_intervals_are_counted(tmp_path):
    for seed in range(3):
        write_run(tmp_path, None, **LORA, seed=seed, **INTERVAL)
    write_run(tmp_path, None, **INTERVAL)
    one = the_test(run(tmp_path), "exact_match")
    assert (one.paired, one.baseline_seeds, one.arm_seeds) == (False, 1, 3)


def test_the_readings_behind_a_cost_that_is_not_tested_are_counted(tmp_path):
    for seed in range(2):
        write_run(tmp_path, answers(9), **LORA, seed=seed, total_energy_kwh=1.0 + seed)
    write_run(tmp_path, answers(9), total_energy_kwh=1.0)
    (one,) = [t for t in run(tmp_path).costs if t.measure == "total_energy_kwh"]
    assert (one.verdict, one.baseline_seeds, one.arm_seeds) == (NOT_TESTED, 1, 2)


def test_a_row_whose_interval_is_impossible_is_shown_and_not_tested(tmp_path):
    write_run(tmp_path, None, **INTERVAL)
    write_run(tmp_path, None, **RAG, **INTERVAL | {"exact_match_low": 0.55})
    found = run(tmp_path)
    one = the_test(found, "exact_match")
    assert (one.verdict, one.arm_value) == (NOT_TESTED, 0.5)
    assert any("line 3: columns 'exact_match_low' and" in line for line in found.problems)
