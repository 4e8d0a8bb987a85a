"""Labels joined with the answers that they are about: measures held against people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from harness.errors import DataError, RecordError
from harness.foreign import Problems
from harness.label.agreement import Agreement, agreement, auc
from harness.label.answers import Answered, Experiment, Shown, read_answers
from harness.label.key import Entry, Key, read_keys
from harness.label.sheet import Label, read_sheet
from harness.label.verdicts import grades, judged, verdicts
from harness.stats import Interval, share_interval

PEOPLE = "people"
EXAMPLES = 10
"""Disagreements that are shown."""


@dataclass(frozen=True)
class Counts:
    """The verdicts in one file."""

    file: str
    yes: int
    no: int
    unsure: int
    empty: int


@dataclass(frozen=True)
class Share:
    """The share of an arm's drawn answers that ``by`` calls correct."""

    arm: str
    by: str
    share: Interval


@dataclass(frozen=True)
class Disagreement:
    """An item that people and at least one verdict see differently.

    Attributes:
        place: file and line of the item in the first sheet.
    """

    place: str
    shown: Shown
    people: bool
    verdicts: Mapping[str, bool]
    arms: tuple[str, ...]
    comments: tuple[str, ...]


@dataclass(frozen=True)
class Scorecard:
    """What the labels say.

    Attributes:
        items: with a verdict of people: a yes or no that is no tie.
        ties: items that as many labelers call correct as wrong.
        agreement: measure -> people (first) against it (second).
        ranking: graded measure -> its AUC.
        between: pair of files -> agreement of the two.
        disagreements: the first ``EXAMPLES`` of ``disagreed``, in the sheet's order.
    """

    files: tuple[Counts, ...]
    items: int
    ties: int
    agreement: Mapping[str, Agreement]
    ranking: Mapping[str, Interval]
    between: Mapping[str, Agreement]
    shares: tuple[Share, ...]
    disagreed: int
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True)
class _Drawn:
    """An answer with what measures and judges say of it."""

    answered: Answered
    arm: str
    says: Mapping[str, bool]


@dataclass(frozen=True)
class _Item:
    name: str
    place: str
    people: bool | None
    votes: int
    comments: tuple[str, ...]
    drawn: tuple[_Drawn, ...]

    @property
    def cluster(self) -> str:
        return self.drawn[0].answered.cluster

    @property
    def says(self) -> Mapping[str, bool]:
        """Of answers that are equal, the first that a measure applies to speaks."""
        return {name: value for one in reversed(self.drawn) for name, value in one.says.items()}

    @property
    def grades(self) -> Mapping[str, float]:
        return grades(self.drawn[0].answered.metrics)


def score(
    paths: Sequence[Path], experiment: Experiment, threshold: float, problems: Problems
) -> Scorecard:
    """The labels of the sheets in ``paths`` held against the experiment's measures.

    Raises:
        DataError: a sheet is no sheet, or holds an item that is not of these results.
        RecordError: the results have changed since the sheet was exported, or cannot be read.
    """
    sheets = [(path, {label.item: label for label in read_sheet(path)}) for path in paths]
    key = read_keys(experiment.folder)
    for path, labels in sheets:
        _check_known(path, labels.values(), key, experiment.folder)
    items = _items(sheets, key, experiment, threshold, problems)
    counted = [item for item in items if item.people is not None]
    if not counted:
        raise DataError("no item has a yes or no that labelers agree on; there is nothing to score")
    disagreements = [
        _disagreement(item)
        for item in counted
        if any(value != item.people for value in item.says.values())
    ]
    return Scorecard(
        files=tuple(_counts(path, labels.values()) for path, labels in sheets),
        items=len(counted),
        ties=sum(item.people is None and item.votes > 0 for item in items),
        agreement=_agreements(counted),
        ranking=_rankings(counted),
        between=_between(sheets, items),
        shares=tuple(_shares(counted)),
        disagreed=len(disagreements),
        disagreements=tuple(disagreements[:EXAMPLES]),
    )


def _check_known(path: Path, labels: Iterable[Label], key: Key, folder: Path) -> None:
    for label in labels:
        if label.item not in key.items:
            raise DataError(
                f"{path}, line {label.line}: item {label.item[:40]!r} is on no sheet that was "
                f"exported from {folder}"
            )


def _items(
    sheets: Sequence[tuple[Path, Mapping[str, Label]]],
    key: Key,
    experiment: Experiment,
    threshold: float,
    problems: Problems,
) -> list[_Item]:
    """Every item of the sheets, in the order of the first that holds it."""
    places = {
        name: f"{path}, line {label.line}"
        for path, labels in reversed(sheets)
        for name, label in labels.items()
    }
    names = list(dict.fromkeys(name for _, labels in sheets for name in labels))
    read = _Reader(experiment, key, threshold, problems)
    items = []
    for name in names:
        labels = [labels[name] for _, labels in sheets if name in labels]
        yes = sum(label.correct is True for label in labels)
        no = sum(label.correct is False for label in labels)
        items.append(
            _Item(
                name=name,
                place=places[name],
                people=None if yes == no else yes > no,
                votes=yes + no,
                comments=tuple(label.comment for label in labels if label.comment.strip()),
                drawn=read.drawn(key.items[name]),
            )
        )
    return items


class _Reader:
    """Reads each run of the experiment once."""

    def __init__(
        self, experiment: Experiment, key: Key, threshold: float, problems: Problems
    ) -> None:
        self.experiment, self.key = experiment, key
        self.threshold, self.problems = threshold, problems
        self.answers: dict[tuple[str, bool], Mapping[str, Answered]] = {}
        self.judges: dict[str, Mapping[str, Mapping[str, bool]]] = {}

    def drawn(self, entry: Entry) -> tuple[_Drawn, ...]:
        return tuple(
            self._one(run_id, question, entry.passages, entry.sha256)
            for run_id, question in entry.drawn
        )

    def _one(self, run_id: str, question: str, passages: bool, sha256: str) -> _Drawn:
        since = "the results have changed since the sheet was exported"
        if (run_id, passages) not in self.answers:
            path = self.experiment.folder / "predictions" / f"{run_id}.jsonl"
            if not path.exists():
                raise RecordError(f"{path} is not there: {since}; export a new sheet")
            self.answers[run_id, passages] = read_answers(
                self.experiment, run_id, passages, self.problems
            )
            self.judges[run_id] = judged(self.experiment.folder, run_id, self.problems)
        answered = self.answers[run_id, passages].get(question)
        if answered is None or answered.shown.sha256() != sha256:
            raise RecordError(
                f"run {run_id} does not answer question '{question}' as the sheet says: {since}; "
                "export a new sheet"
            )
        says = verdicts(answered.metrics, self.threshold)
        said = self.judges[run_id].items()
        says |= {judge: told[question] for judge, told in said if question in told}
        return _Drawn(answered, self.key.arms.get(run_id, run_id), says)


def _counts(path: Path, labels: Iterable[Label]) -> Counts:
    given = [label.correct if label.given else "" for label in labels]
    return Counts(str(path), *(given.count(value) for value in (True, False, None, "")))


def _agreements(items: Sequence[_Item]) -> dict[str, Agreement]:
    found = {}
    for name in dict.fromkeys(name for item in items for name in item.says):
        of = [item for item in items if name in item.says]
        people = [bool(item.people) for item in of]
        one = agreement(people, [item.says[name] for item in of], [item.cluster for item in of])
        if one is not None:
            found[name] = one
    return found


def _rankings(items: Sequence[_Item]) -> dict[str, Interval]:
    found = {}
    for name in dict.fromkeys(name for item in items for name in item.grades):
        of = [item for item in items if name in item.grades]
        values = [item.grades[name] for item in of]
        one = auc([bool(item.people) for item in of], values, [item.cluster for item in of])
        if one is not None:
            found[name] = one
    return found


def _between(
    sheets: Sequence[tuple[Path, Mapping[str, Label]]], items: Sequence[_Item]
) -> dict[str, Agreement]:
    """Each pair of files, on the items that both answer with yes or no."""
    found = {}
    for (one, first), (other, second) in combinations(sheets, 2):
        both = [
            (a.correct, b.correct, item.cluster)
            for item in items
            if (a := first.get(item.name)) is not None
            and (b := second.get(item.name)) is not None
            and a.correct is not None
            and b.correct is not None
        ]
        result = agreement([a for a, _, _ in both], [b for _, b, _ in both], [c for *_, c in both])
        if result is not None:
            found[f"{one} and {other}"] = result
    return found


def _shares(items: Sequence[_Item]) -> Iterable[Share]:
    """Of each arm, what people and each measure make of the same drawn answers."""
    arms: dict[str, list[tuple[str, dict[str, bool]]]] = {}
    for item in items:
        for one in item.drawn:
            said = {PEOPLE: bool(item.people), **one.says}
            arms.setdefault(one.arm, []).append((one.answered.cluster, said))
    for arm in sorted(arms):
        for by in dict.fromkeys(name for _, said in arms[arm] for name in said):
            of = [(cluster, float(said[by])) for cluster, said in arms[arm] if by in said]
            share = share_interval([value for _, value in of], [cluster for cluster, _ in of])
            if share is not None:
                yield Share(arm, by, share)


def _disagreement(item: _Item) -> Disagreement:
    return Disagreement(
        place=item.place,
        shown=item.drawn[0].answered.shown,
        people=bool(item.people),
        verdicts=dict(item.says),
        arms=tuple(dict.fromkeys(one.arm for one in item.drawn)),
        comments=item.comments,
    )
