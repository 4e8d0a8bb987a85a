"""Gates: which side of the number the interval lies on, and the exit code that follows."""

from dataclasses import replace

import pytest

from harness.compare.gate import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    Gate,
    check_gates,
    exit_code,
    judge,
    parse_gate,
)
from harness.compare.render.gate_line import gate_line
from harness.compare.result import OVER_SEEDS, THESE_WEIGHTS, Contrast
from harness.errors import ConfigError

from .made import COMPARISON, RAG, RAG_LORA, arm, not_tested, only, shown


def outcome_of(expression: str, low: float, high: float) -> str:
    comparison = only(shown(RAG, "f1", low=low, high=high))
    return judge(parse_gate(expression), comparison, THESE_WEIGHTS).result


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("exact_match < -0.02", (None, "exact_match", "<", -0.02)),
        ("exact_match<−0.02", (None, "exact_match", "<", -0.02)),
        ("  rag.f1  >  1e-3 ", ("rag", "f1", ">", 0.001)),
        ("rag_k3.5.f1 > .5", ("rag_k3.5", "f1", ">", 0.5)),
        ("test accuracy < 0", (None, "test accuracy", "<", 0.0)),
    ],
)
def test_an_expression_names_arm_measure_side_and_number(text: str, gate: tuple):
    found = parse_gate(text)
    assert (found.arm, found.measure, found.side, found.number) == gate


@pytest.mark.parametrize(
    "text",
    ["", "f1", "f1 <", "< 0", "f1 < x", "f1 <= 0", "f1 = 0", "f1 < nan", "f1 < 2 %", "rag.<1"],
)
def test_anything_else_is_refused(text: str):
    with pytest.raises(ConfigError, match=r"is not '\[ARM\.\]MEASURE < NUMBER'"):
        parse_gate(text)


@pytest.mark.parametrize(
    ("low", "high", "result"),
    [
        (-0.08, -0.03, FAIL),
        (-0.08, -0.02, INCONCLUSIVE),  # the end itself is not below
        (-0.08, 0.01, INCONCLUSIVE),
        (-0.02, 0.01, PASS),
        (0.01, 0.02, PASS),
    ],
)
def test_below(low: float, high: float, result: str):
    assert outcome_of("f1 < -0.02", low, high) == result


@pytest.mark.parametrize(
    ("low", "high", "result"),
    [(0.11, 0.2, FAIL), (0.1, 0.2, INCONCLUSIVE), (0.0, 0.2, INCONCLUSIVE), (0.0, 0.1, PASS)],
)
def test_above(low: float, high: float, result: str):
    assert outcome_of("f1 > 0.1", low, high) == result


def test_equal_answers_pass_a_gate_at_zero():
    assert outcome_of("f1 < 0", 0.0, 0.0) == PASS


def test_of_several_contrasts_the_worst_counts_and_is_named():
    comparison = only(
        shown(RAG, "f1", low=0.1, high=0.2),
        shown(RAG_LORA, "f1", difference=-0.05, low=-0.0804, high=-0.0204),
    )
    outcome = judge(parse_gate("f1 < -0.02"), comparison, THESE_WEIGHTS)
    assert (outcome.result, outcome.contrast) == (FAIL, RAG_LORA)
    # Three decimals would print the upper end on the number it lies below.
    assert gate_line(outcome, False) == (
        "gate fail: f1 < -0.02; rag_lora − closed_book −0.0500 [−0.0804, −0.0204] at 97.5 %; "
        "the worst of 2 contrasts"
    )
    assert judge(parse_gate("rag.f1 < -0.02"), comparison, THESE_WEIGHTS).result == PASS


@pytest.mark.parametrize(("expression", "nearest"), [("f1 < -1", RAG), ("f1 > 1", RAG_LORA)])
def test_of_contrasts_that_all_pass_the_nearest_to_failing_is_named(
    expression: str, nearest: Contrast
):
    comparison = only(shown(RAG, "f1", low=0.1, high=0.2), shown(RAG_LORA, "f1", low=0.3, high=0.4))
    outcome = judge(parse_gate(expression), comparison, THESE_WEIGHTS)
    assert (outcome.result, outcome.contrast) == (PASS, nearest)


def test_a_bare_name_means_every_arm_of_that_name():
    first, second = Contrast("base", "rag (a)"), Contrast("base", "rag (b)")
    comparison = replace(
        only(shown(first, "f1", low=0.1, high=0.2), shown(second, "f1", low=-0.2, high=-0.1)),
        arms=(arm("base"), arm("rag (a)", arm="rag"), arm("rag (b)", arm="rag")),
    )
    gate = parse_gate("rag.f1 < 0")
    check_gates([gate], comparison)
    outcome = judge(gate, comparison, THESE_WEIGHTS)
    assert (outcome.result, outcome.contrast, outcome.contrasts) == (FAIL, second, 2)
    one = judge(parse_gate("rag (a).f1 < 0"), comparison, THESE_WEIGHTS)
    assert (one.result, one.contrasts) == (PASS, 1)


def test_inconclusive_is_worse_than_pass_and_better_than_fail():
    comparison = only(
        shown(RAG, "f1", low=0.1, high=0.2), shown(RAG_LORA, "f1", low=-0.1, high=0.2)
    )
    outcome = judge(parse_gate("f1 < 0"), comparison, THESE_WEIGHTS)
    assert outcome.result == INCONCLUSIVE
    assert "the interval lies on both sides" in gate_line(outcome, False)


def test_the_estimand_asked_for_is_judged():
    comparison = only(
        shown(RAG, "f1", low=-0.5, high=-0.3),
        shown(RAG, "f1", estimand=OVER_SEEDS, low=-0.5, high=0.3),
    )
    gate = parse_gate("f1 < 0")
    assert judge(gate, comparison, THESE_WEIGHTS).result == FAIL
    assert judge(gate, comparison, OVER_SEEDS).result == INCONCLUSIVE


def test_a_measure_that_was_not_tested_is_inconclusive_with_the_reason():
    comparison = only(not_tested(RAG, "f1", "too few clusters"))
    outcome = judge(parse_gate("f1 < 0"), comparison, THESE_WEIGHTS)
    assert (outcome.result, outcome.reason) == (INCONCLUSIVE, "too few clusters")
    absent = judge(parse_gate("mrr < 0"), comparison, THESE_WEIGHTS)
    assert (absent.result, absent.reason) == (
        INCONCLUSIVE,
        "mrr was not tested (these trained weights)",
    )


def test_a_refused_contrast_is_inconclusive():
    comparison = only(shown(RAG, "f1", low=0.1, high=0.2))
    refused = Contrast("closed_book", "rag_lora", refused="another test split")
    comparison = replace(comparison, contrasts=(RAG, refused))
    outcome = judge(parse_gate("f1 < 0"), comparison, THESE_WEIGHTS)
    assert (outcome.result, outcome.reason) == (INCONCLUSIVE, "not compared: another test split")


def test_an_arm_that_was_compared_with_nothing_cannot_pass():
    comparison = only(shown(RAG, "f1", low=0.1, high=0.2))
    crashed = arm("lora")  # all its runs failed, or it is missing from a table
    comparison = replace(comparison, arms=(*comparison.arms, crashed))
    outcome = judge(parse_gate("f1 < 0"), comparison, THESE_WEIGHTS)
    assert (outcome.result, outcome.reason) == (INCONCLUSIVE, "lora was compared with nothing")
    assert exit_code([outcome], require_shown=True) == 1
    named = judge(parse_gate("rag.f1 < 0"), comparison, THESE_WEIGHTS)
    assert named.result == PASS


def test_nothing_to_compare_is_inconclusive():
    comparison = replace(COMPARISON, contrasts=(), results=(), costs=())
    assert judge(parse_gate("f1 < 0"), comparison, THESE_WEIGHTS).result == INCONCLUSIVE


def test_a_cost_can_be_gated_under_either_estimand():
    gate = parse_gate("rag.answer_energy_kwh > 1e-6")
    assert judge(gate, COMPARISON, THESE_WEIGHTS).result == FAIL
    assert judge(gate, COMPARISON, OVER_SEEDS).result == FAIL


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("containz < 0", r"no measure 'containz' in these results; did you mean 'contains'"),
        ("rga.contains < 0", r"no arm 'rga'; did you mean 'rag'"),
        ("closed_book.contains < 0", r"'closed_book' is set against no other arm"),
    ],
)
def test_an_unknown_measure_or_arm_is_wrong_input(expression: str, message: str):
    with pytest.raises(ConfigError, match=message):
        check_gates([parse_gate(expression)], COMPARISON)


def test_a_measure_that_the_harness_knows_but_no_run_has_is_no_error():
    check_gates([parse_gate("ndcg < 0"), parse_gate("rag.setup_seconds > 1")], COMPARISON)


@pytest.mark.parametrize(
    ("results", "require_shown", "code"),
    [
        ([], False, 0),
        ([PASS, PASS], False, 0),
        ([PASS, INCONCLUSIVE], False, 3),
        ([PASS, INCONCLUSIVE], True, 1),
        ([INCONCLUSIVE, FAIL], False, 1),
    ],
)
def test_exit_codes(results: list[str], require_shown: bool, code: int):
    gate = Gate("f1 < 0", None, "f1", "<", 0.0)
    base = judge(gate, only(shown(RAG, "f1")), THESE_WEIGHTS)
    assert exit_code([replace(base, result=r) for r in results], require_shown) == code


def test_the_line_says_that_an_inconclusive_gate_was_required_to_pass():
    outcome = judge(parse_gate("f1<0"), only(shown(RAG, "f1", low=-0.1)), THESE_WEIGHTS)
    assert gate_line(outcome, False).startswith("gate inconclusive: f1<0; rag − closed_book")
    line = gate_line(outcome, True)
    assert line.startswith("gate fail: f1<0")
    assert line.endswith("inconclusive fails with --require-shown")
