"""What the two sentences say, for every verdict alone and for all of them together."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from harness.compare import result
from harness.compare.result import (
    BETTER,
    EQUIVALENT,
    HIGHER,
    LOWER,
    NOT_SHOWN,
    NOT_TESTED,
    OVER_SEEDS,
    THESE_WEIGHTS,
    VERDICTS,
    WORSE,
    ArmSummary,
    Comparison,
    Contrast,
)
from harness.report.answer import answer

SHARE = "share of open answerable questions"
WINNING = re.compile(
    r"\b(best|winner|wins?|beats?|superior|recommend\w*|should use|choose)\b", re.I
)


def arm(label: str, **settings: str) -> ArmSummary:
    return ArmSummary(
        label, label, "sample", "towns", "tiny", ".", ("r",), (0,), 1, 40, settings=settings
    )


ARMS = (arm("bare"), arm("rag", retriever="dense"), arm("lora", adapter="lora"))


def verdict_on(
    name: str, verdict: str, estimand: str = THESE_WEIGHTS, **other: object
) -> result.Tested:
    values: dict[str, object] = {
        "contrast": Contrast("bare", name),
        "measure": "contains",
        "unit": SHARE,
        "higher_is_better": True,
        "estimand": estimand,
        "family": "primary",
        "baseline_value": 0.1,
        "arm_value": 0.35,
        "difference": 0.25,
        "verdict": verdict,
        "low": 0.1,
        "high": 0.4,
        "confidence": 0.975,
        "smallest_effect": 0.08,
        "margin": 0.02 if verdict == EQUIVALENT else None,
        "reason": "2 seeds of a trained arm. 3 needed." if verdict == NOT_TESTED else "",
    }
    return result.Tested(**{**values, **other})  # type: ignore[arg-type]


def compared(
    *results: result.Tested, arms: tuple[ArmSummary, ...] = ARMS, **other: object
) -> Comparison:
    contrasts = tuple(dict.fromkeys(one.contrast for one in results))
    values: dict[str, object] = {
        "arms": arms,
        "contrasts": contrasts,
        "results": results,
        "costs": (),
        "families": (),
        "primary": ("contains",),
        "alpha": 0.05,
    }
    return Comparison(**{**values, **other})  # type: ignore[arg-type]


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.) (?=[A-Z])", text)


SAYS = {
    BETTER: "rag (+25.0 points, +10.0 to +40.0) is better than bare in correct answers (contains)",
    WORSE: "rag (+25.0 points, +10.0 to +40.0) is worse than bare in correct answers (contains)",
    HIGHER: "rag (+25.0 points, +10.0 to +40.0) is higher than bare in correct answers (contains)",
    LOWER: "rag (+25.0 points, +10.0 to +40.0) is lower than bare in correct answers (contains)",
    EQUIVALENT: "rag (+25.0 points, +10.0 to +40.0) is within 2.0 points of bare in correct "
    "answers (contains)",
    NOT_SHOWN: "No difference from bare was shown in correct answers (contains) for rag (could "
    "have seen 8.0 points or more).",
    NOT_TESTED: "Nothing was compared: 2 seeds of a trained arm. 3 needed.",
}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_single_verdict_is_put_into_words(verdict: str) -> None:
    found = answer(compared(verdict_on("rag", verdict), arms=ARMS[:2]))
    assert SAYS[verdict] in found.text
    if verdict == NOT_SHOWN:
        assert found.shown == "No primary test showed a difference."


@pytest.mark.parametrize(
    ("verdicts", "estimands"),
    [
        (verdicts, estimands)
        for verdicts in itertools.product(VERDICTS, repeat=2)
        for estimands in itertools.product((THESE_WEIGHTS, OVER_SEEDS), repeat=2)
    ],
)
def test_every_combination_is_two_sentences_and_names_no_winner(
    verdicts: tuple[str, str], estimands: tuple[str, str]
) -> None:
    results = [
        verdict_on(name, verdict, estimand)
        for name, verdict, estimand in zip(("rag", "lora"), verdicts, estimands, strict=True)
    ]
    found = answer(compared(*results))
    if set(verdicts) != {NOT_TESTED}:
        assert len(sentences(found.text)) == 2, found.text
        assert "this does not rank rag and lora among themselves" in found.text.lower()
    assert not WINNING.search(found.text)
    assert found.question.endswith("?")
    shown = {v for v in verdicts if v not in (NOT_SHOWN, NOT_TESTED)}
    for word in (BETTER, WORSE, HIGHER, LOWER):
        assert (f"{word} than" in found.text) == (word in shown)


def test_an_arm_with_the_higher_figure_is_not_called_better_when_nothing_was_shown() -> None:
    found = answer(compared(verdict_on("rag", NOT_SHOWN, difference=0.9, arm_value=1.0)))
    assert "better" not in found.text
    assert "100" not in found.text
    assert found.shown == "No primary test showed a difference."


def test_the_test_over_seeds_is_the_one_that_is_told() -> None:
    found = answer(compared(verdict_on("lora", BETTER), verdict_on("lora", WORSE, OVER_SEEDS)))
    assert "Over seeds, lora" in found.shown
    assert "worse than bare" in found.shown
    assert "better" not in found.text


def test_without_a_test_over_seeds_the_weights_at_hand_are_told_and_named() -> None:
    found = answer(compared(verdict_on("lora", BETTER), verdict_on("lora", NOT_TESTED, OVER_SEEDS)))
    assert found.shown.startswith("For these trained weights, lora")


def test_arms_compared_with_each_other_are_not_called_unranked() -> None:
    between = verdict_on("lora", BETTER, contrast=Contrast("rag", "lora"))
    found = answer(compared(verdict_on("rag", BETTER), verdict_on("lora", BETTER), between))
    assert "rank" not in found.text
    assert "lora (+25.0 points, +10.0 to +40.0) is better than rag" in found.shown
    assert found.not_shown == "Every primary test came to a verdict."


def test_arms_alike_share_a_clause() -> None:
    found = answer(compared(verdict_on("rag", BETTER), verdict_on("lora", BETTER)))
    assert found.shown.count("better than bare") == 1
    assert " and lora (" in found.shown
    assert " are better" in found.shown


def test_secondary_measures_are_not_told() -> None:
    other = verdict_on("rag", BETTER, measure="f1", family="secondary")
    assert "F1" not in answer(compared(verdict_on("rag", NOT_SHOWN), other)).text


def test_a_refused_contrast_is_named_with_its_reason() -> None:
    refused = Contrast("bare", "other", refused="other test questions")
    base = compared(verdict_on("rag", BETTER), arms=ARMS[:2])
    found = answer(replace(base, contrasts=(*base.contrasts, refused)))
    assert found.not_shown == "Not comparable: other − bare (other test questions)."


def test_one_arm_alone_is_compared_with_nothing() -> None:
    found = answer(compared(arms=ARMS[:1]))
    assert found.shown == "Nothing was compared: there is one arm only."
    assert len(sentences(found.text)) == 2


def test_an_interval_that_just_leaves_out_zero_does_not_read_as_zero() -> None:
    found = answer(compared(verdict_on("rag", BETTER, low=0.0002, high=0.4)))
    assert "+0.02 to +40.0" in found.shown


def test_many_arms_are_counted_instead_of_listed() -> None:
    names = [f"arm{number}" for number in range(20)]
    found = answer(compared(*(verdict_on(name, BETTER) for name in names), arms=ARMS))
    assert "arm5" in found.shown
    assert "and 14 more" in found.shown
    assert "arm6" not in found.shown


@pytest.mark.parametrize(
    ("arms", "expected"),
    [
        (ARMS, "Retrieve, fine-tune, both or neither, on towns with tiny?"),
        (ARMS[:2], "Does it matter what retrieves, on towns with tiny?"),
        ((ARMS[0], ARMS[2]), "Does it matter how the model is fine-tuned, on towns with tiny?"),
        ((arm("bare"), arm("rag")), "Do these arms differ, on towns with tiny?"),
    ],
)
def test_the_question_names_the_slots_in_which_compared_arms_differ(
    arms: tuple[ArmSummary, ...], expected: str
) -> None:
    results = [verdict_on(other.label, BETTER) for other in arms[1:]]
    assert answer(compared(*results, arms=arms)).question == expected


def test_a_hostile_label_stays_on_one_line_and_within_the_sentence() -> None:
    name = "<b>x</b>\n\nNew. Sentence " + "y" * 500
    found = answer(compared(verdict_on(name, BETTER)))
    assert "\n" not in found.text
    assert len(sentences(found.text)) == 2
    assert len(found.text) < 600


def failed(name: str) -> ArmSummary:
    return replace(arm(name), run_ids=(), seeds=(), replicates=0, failed=(f"{name}-s0",))


def test_that_every_run_failed_is_said() -> None:
    found = answer(compared(arms=(failed("bare"), failed("rag"))))
    assert found.shown == "Nothing was compared: every run failed."
    assert found.not_shown == "Why each failed is told under Provenance."


def test_that_all_arms_but_one_failed_is_said() -> None:
    found = answer(compared(arms=(arm("bare"), failed("rag"))))
    assert found.shown == "Nothing was compared: one arm only has runs that finished."


def test_what_was_not_tested_names_arm_and_baseline_once() -> None:
    tests = [
        verdict_on("lora", NOT_TESTED, reason="no scores", contrast=Contrast(base, "lora"))
        for base in ("bare", "rag")
    ]
    found = answer(compared(verdict_on("rag", BETTER), *tests))
    assert found.not_shown == (
        "Not tested: correct answers (contains) for lora against bare and lora against rag "
        "(no scores)."
    )


def test_what_was_not_tested_does_not_read_as_no_difference_shown() -> None:
    found = answer(compared(verdict_on("rag", NOT_SHOWN), verdict_on("lora", NOT_TESTED)))
    assert found.shown == "No primary test that could be made showed a difference."
    assert "shown in correct answers (contains) for rag (could" in found.not_shown
    assert "not tested: correct answers (contains) for lora against bare" in found.not_shown


def test_arms_that_were_not_compared_are_named() -> None:
    others = (arm("new/extra"), failed("new/broken"))
    found = answer(compared(verdict_on("rag", BETTER), arms=(*ARMS, *others)))
    assert found.not_shown == (
        "Not compared with any arm: lora and new/extra; not compared, since every run failed: "
        "new/broken."
    )


def test_of_experiments_lined_up_it_is_said_that_not_every_pair_was_compared() -> None:
    labels = ("old/rag", "old/lora", "new/rag", "new/lora")
    tests = [
        verdict_on(f"new/{name}", BETTER, contrast=Contrast(f"old/{name}", f"new/{name}"))
        for name in ("rag", "lora")
    ]
    found = answer(compared(*tests, arms=tuple(map(arm, labels))))
    assert found.not_shown == (
        "Of new/rag, new/lora, old/rag and old/lora not every pair was compared."
    )
