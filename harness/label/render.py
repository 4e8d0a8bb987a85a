"""A scorecard in words and tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.label.agreement import Agreement
from harness.label.scoring import Disagreement, Scorecard
from harness.report.text import one_line
from harness.stats import Interval

LONGEST = 200
"""Characters of a question or an answer that are printed."""

_ENDS = ("yes yes", "yes no", "no yes", "no no")
_NO_KAPPA = "none: all say the same"


def shown(card: Scorecard) -> str:
    """The whole scorecard. Counts stand in the order people, then the measure."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Scorecard) -> Iterator[str]:
    for file in card.files:
        yield f"{file.file}: {file.yes} yes, {file.no} no, {file.unsure} unsure, {file.empty} empty"
    tied = f"; {card.ties} left out, labelers being evenly divided" if card.ties else ""
    yield f"{card.items} items with a yes or no{tied}"
    if card.between:
        yield from ("", "Labelers with each other")
        yield from _agreements("files", card.between)
    if card.agreement:
        yield from ("", "People against each measure")
        yield from _agreements("measure", card.agreement)
    else:
        yield from ("", "No measure in the predictions says whether these answers are correct")
    if card.ranking:
        yield from ("", "How often a correct answer scores above another (AUC; 0.5: chance)")
        rows = [(name, *_interval(one), str(one.n)) for name, one in card.ranking.items()]
        yield from _table([("measure", "AUC", "95 % interval", "items"), *rows])
    yield from ("", "Share correct, of the same answers")
    shares = [(one.arm, one.by, *_interval(one.share), str(one.share.n)) for one in card.shares]
    yield from _table([("arm", "by", "share", "95 % interval", "answers"), *shares])
    yield ""
    if not card.disagreed:
        yield "People and the measures agree on every item"
        return
    first = len(card.disagreements)
    which = f", the first {first}" if first < card.disagreed else ""
    yield f"Items that people see otherwise than a measure: {card.disagreed}{which}"
    for one in card.disagreements:
        yield from _disagreement(one)


def _agreements(heading: str, found: Mapping[str, Agreement]) -> list[str]:
    rows: list[tuple[str, ...]] = [
        (heading, "kappa", "95 % interval", "agree", "95 % interval", *_ENDS, "items")
    ]
    for name, one in found.items():
        kappa = _interval(one.kappa) if one.kappa else ("–", _NO_KAPPA)
        counts = (one.both_yes, one.first_only, one.second_only, one.both_no, one.n)
        rows.append((name, *kappa, *_interval(one.agree), *map(str, counts)))
    return _table(rows)


def _disagreement(one: Disagreement) -> Iterator[str]:
    says = ", ".join(f"{name}: {_word(value)}" for name, value in one.verdicts.items())
    yield f"  {one.place} ({', '.join(one.arms)})"
    yield f"    question  {one_line(one.shown.question, LONGEST)}"
    yield f"    gold      {one_line(' | '.join(one.shown.gold), LONGEST) or '–'}"
    yield f"    answer    {one_line(one.shown.answer, LONGEST) or '(empty)'}"
    yield f"    people: {_word(one.people)}; {says}"
    for comment in one.comments:
        yield f"    comment   {one_line(comment, LONGEST)}"


def _interval(one: Interval) -> tuple[str, str]:
    if one.low is None or one.high is None:
        return f"{one.mean:.3f}", one.method
    return f"{one.mean:.3f}", f"{one.low:.3f} to {one.high:.3f}"


def _word(value: bool) -> str:
    return "yes" if value else "no"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
