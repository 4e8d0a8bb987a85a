"""The question that a comparison answers, and its answer in two sentences.

The first says what was shown, the second what was not. Only verdicts are put into words: an arm
with the higher figure is not called better unless a test says so, and arms that were compared
with the same baseline are not ranked among themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.result import (
    EQUIVALENT,
    NOT_SHOWN,
    NOT_TESTED,
    OVER_SEEDS,
    PRIMARY,
    Comparison,
    Tested,
)
from harness.report.quantities import (
    difference_unit,
    label,
    shown,
    shown_difference,
    shown_interval,
)
from harness.report.text import one_line

AT_MOST = 6
"""Arms named in one clause; the contrasts table has them all."""

SLOTS = ("retriever", "adapter")
_QUESTIONS = {
    frozenset({"retriever", "adapter"}): "Retrieve, fine-tune, both or neither",
    frozenset({"retriever"}): "Does it matter what retrieves",
    frozenset({"adapter"}): "Does it matter how the model is fine-tuned",
    frozenset(): "Do these arms differ",
}
"""By the slots in which arms differ."""


@dataclass(frozen=True)
class Answer:
    """Attributes:
    question: ends with a question mark.
    shown, not_shown: one sentence each.
    """

    question: str
    shown: str
    not_shown: str

    @property
    def text(self) -> str:
        return f"{self.shown} {self.not_shown}"


def answer(comparison: Comparison) -> Answer:
    """The question and its answer, from the primary verdicts alone."""
    tests = primary_tests(comparison)
    if not any(test.verdict != NOT_TESTED for test in tests):
        return Answer(
            question(comparison), _nothing_tested(comparison, tests), _figures_alone(comparison)
        )
    shown_tests = [t for t in tests if t.verdict not in (NOT_SHOWN, NOT_TESTED)]
    return Answer(
        question(comparison),
        _shown(shown_tests, every=all(t.verdict != NOT_TESTED for t in tests)),
        _not_shown([t for t in tests if t not in shown_tests], comparison),
    )


def question(comparison: Comparison) -> str:
    """What the arms were compared for, as a question."""
    tasks = _listed(sorted({one_line(arm.task, 60) for arm in comparison.arms}))
    models = _listed(sorted({one_line(arm.model, 60) for arm in comparison.arms}))
    where = f"on {tasks}" + (f" with {models}" if models else "") if tasks else "here"
    named = {name for c in comparison.contrasts for name in (c.arm, c.baseline)}
    compared = [arm.settings for arm in comparison.arms if arm.label in named]
    varied = {slot for slot in SLOTS if len({one.get(slot) for one in compared}) > 1}
    return f"{_QUESTIONS[frozenset(varied)]}, {where}?"


def primary_tests(comparison: Comparison) -> list[Tested]:
    """For each contrast and primary measure one test: over seeds where it could be made."""
    chosen: dict[tuple[str, str], Tested] = {}
    for test in (*comparison.results, *comparison.costs):
        if test.measure not in comparison.primary or not test.family.startswith(PRIMARY):
            continue
        if test.contrast.refused:
            continue
        key = test.contrast.name, test.measure
        known = chosen.get(key)
        over_seeds = test.estimand == OVER_SEEDS and test.verdict != NOT_TESTED
        if known is None or known.verdict == NOT_TESTED or over_seeds:
            chosen[key] = test
    return list(chosen.values())


def _shown(tests: Sequence[Tested], every: bool) -> str:
    """``every``: whether all primary tests could be made."""
    if not tests and not every:
        return "No primary test that could be made showed a difference."
    if not tests:
        return "No primary test showed a difference."
    parts, before = [], ""
    for (estimand, baseline, measure, verdict), group in _grouped(tests).items():
        names = _named([f"{_arm(test)} ({_size(test)})" for test in group])
        be = "is" if len(group) == 1 else "are"
        if verdict == EQUIVALENT:
            said = f"within {_amount(group[0].margin, group[0])} of"
        else:
            said = f"{verdict} than"
        lead = "" if estimand == before else f"{_as_read(estimand)}, "
        parts.append(f"{lead}{names} {be} {said} {one_line(baseline, 80)} in {label(measure)}")
        before = estimand
    return _sentence("; ".join(parts))


def _not_shown(tests: Sequence[Tested], comparison: Comparison) -> str:
    parts = _no_difference(tests) + _untested(tests) + _refused(comparison)
    parts += _alone(comparison) + _unranked(comparison)
    return _sentence("; ".join(parts)) if parts else "Every primary test came to a verdict."


def _no_difference(tests: Sequence[Tested]) -> list[str]:
    return [
        f"no difference from {one_line(baseline)} was shown in {label(measure)} for "
        + _named([_arm(test) + _could_have(test) for test in group])
        for (_, baseline, measure, verdict), group in _grouped(tests).items()
        if verdict == NOT_SHOWN
    ]


def _untested(tests: Sequence[Tested]) -> list[str]:
    """Pairs for which the same measures were not tested for the same reason are named together."""
    measures: dict[tuple[str, str], dict[str, None]] = {}
    for test in tests:
        if test.verdict == NOT_TESTED:
            both = f"{_arm(test)} against {one_line(test.contrast.baseline, 80)}"
            measures.setdefault((both, _reason(test)), {})[label(test.measure)] = None
    pairs: dict[tuple[str, str], list[str]] = {}
    for (both, reason), names in measures.items():
        pairs.setdefault((_listed(list(names)), reason), []).append(both)
    return [f"not tested: {what} for {_named(who)} ({why})" for (what, why), who in pairs.items()]


def _refused(comparison: Comparison) -> list[str]:
    names: dict[str, list[str]] = {}
    for contrast in comparison.contrasts:
        if contrast.refused:
            reason = one_line(contrast.refused, 200)
            names.setdefault(reason, []).append(one_line(contrast.name, 80))
    return [f"not comparable: {_named(who)} ({why})" for why, who in names.items()]


def _alone(comparison: Comparison) -> list[str]:
    """Arms that stand in no contrast, apart from those of which no run finished."""
    used = {name for c in comparison.contrasts for name in (c.arm, c.baseline)}
    left = [arm for arm in comparison.arms if arm.label not in used]
    finished = [one_line(arm.label, 80) for arm in left if arm.run_ids]
    failed = [one_line(arm.label, 80) for arm in left if not arm.run_ids]
    found = [f"not compared with any arm: {_named(finished)}"] if finished else []
    return found + ([f"not compared, since every run failed: {_named(failed)}"] if failed else [])


def _unranked(comparison: Comparison) -> list[str]:
    """Arms of one task that were compared, though not each with each other.

    Arms that were set against one baseline are not thereby set against each other, nor are those
    of two experiments whose namesakes were lined up.
    """
    tasks = {arm.label: arm.task for arm in comparison.arms}
    valid = [c for c in comparison.contrasts if not c.refused]
    arms = list(dict.fromkeys([c.arm for c in valid] + [c.baseline for c in valid]))
    compared = {frozenset((c.arm, c.baseline)) for c in comparison.contrasts}
    rivals = [
        a
        for a in arms
        if any(a != b and tasks.get(a) == tasks.get(b) and {a, b} not in compared for b in arms)
    ]
    if not rivals:
        return []
    names = _named([one_line(arm, 80) for arm in rivals])
    if any({c.arm, c.baseline} <= set(rivals) for c in valid):
        return [f"of {names} not every pair was compared"]
    return [f"this does not rank {names} among themselves"]


def _nothing_tested(comparison: Comparison, tests: Sequence[Tested]) -> str:
    reasons = [contrast.refused for contrast in comparison.contrasts if contrast.refused]
    reasons += [test.reason for test in tests]
    finished = sum(bool(arm.run_ids) for arm in comparison.arms)
    if comparison.arms and not finished:
        reasons = ["every run failed"]
    elif not reasons and len(comparison.arms) < 2:
        reasons = ["there is one arm only"]
    elif not reasons and finished < 2:
        reasons = ["one arm only has runs that finished"]
    elif not reasons and not comparison.contrasts:
        reasons = ["no arm was set against another"]
    elif not reasons:
        reasons = ["no primary measure is in both arms"]
    return f"Nothing was compared: {one_line(reasons[0])}."


def _figures_alone(comparison: Comparison) -> str:
    if comparison.arms and not any(arm.run_ids for arm in comparison.arms):
        return "Why each failed is told under Provenance."
    return "The figures below stand for each arm by itself."


def _grouped(tests: Sequence[Tested]) -> dict[tuple[str, str, str, str], list[Tested]]:
    groups: dict[tuple[str, str, str, str], list[Tested]] = {}
    for t in tests:
        groups.setdefault((t.estimand, t.contrast.baseline, t.measure, t.verdict), []).append(t)
    return groups


def _as_read(estimand: str) -> str:
    return "over seeds" if estimand == OVER_SEEDS else "for these trained weights"


def _arm(test: Tested) -> str:
    return one_line(test.contrast.arm, 80)


def _size(test: Tested) -> str:
    size = f"{shown_difference(test.difference, test.unit)} {difference_unit(test.unit)}"
    interval = shown_interval(test.low, test.high, test.unit, sign=True)
    return f"{size}, {interval}" if interval else size


def _could_have(test: Tested) -> str:
    if test.smallest_effect is None:
        return ""
    return f" (could have seen {_amount(test.smallest_effect, test)} or more)"


def _amount(value: float | None, test: Tested) -> str:
    return f"{shown(value, test.unit)} {difference_unit(test.unit)}"


def _reason(test: Tested) -> str:
    return one_line(test.reason or "no reason given", 200)


def _named(names: Sequence[str]) -> str:
    more = [f"{len(names) - AT_MOST} more"] if len(names) > AT_MOST else []
    return _listed([*names[:AT_MOST], *more])


def _listed(names: Sequence[str]) -> str:
    known = [name for name in names if name]
    if len(known) < 2:
        return "".join(known)
    return f"{', '.join(known[:-1])} and {known[-1]}"


def _sentence(text: str) -> str:
    """The text as one sentence: a full stop only at its end."""
    return text[:1].upper() + text[1:].replace(". ", "; ") + "."
