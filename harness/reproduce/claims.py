"""What a paper claims, as ``claims.yaml`` states it before anything is run.

A claim has a direction and a least effect that matters; its contrast says what the effect is. A
claim that a formula holds has no direction: the effect is to stay within a factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import suggestion
from harness.measures.definitions import MEASURES
from harness.reproduce.yaml_file import Node, read_yaml

DIRECTIONS = ("greater", "less")
WITHIN = "within"
"""The direction of a claim that the effect is small, either way."""
TESTS = ("weights", "seeds")
"""What is judged: these trained weights, or the method over seeds."""


@dataclass(frozen=True)
class Difference:
    """arm − baseline."""

    arm: str
    baseline: str

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.arm, self.baseline)


@dataclass(frozen=True)
class Interaction:
    """(arm − baseline) − (other_arm − other_baseline): how much smaller a gain has become."""

    arm: str
    baseline: str
    other_arm: str
    other_baseline: str

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.arm, self.baseline, self.other_arm, self.other_baseline)


@dataclass(frozen=True)
class Buckets:
    """arm − baseline among questions of ``first``, minus the same among those of ``second``."""

    arm: str
    baseline: str
    column: str
    first: str
    second: str

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.arm, self.baseline)


@dataclass(frozen=True)
class Slope:
    """Least-squares slope of the measure over each arm's number, minus that of ``control``."""

    over: dict[str, float]
    control: dict[str, float]

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.over, *self.control)))


@dataclass(frozen=True)
class Matched:
    """Harm of the ``curve`` where its accuracy is that of an arm, minus that arm's harm.

    The curve's harm is read off between its two nearest arms; the mean over ``points`` within it.
    """

    points: tuple[str, ...]
    curve: tuple[str, ...]
    accuracy: str

    @property
    def arms(self) -> tuple[str, ...]:
        return (*self.points, *self.curve)


@dataclass(frozen=True)
class Choice:
    """Probability that the arm chosen on ``validation`` of the questions is not the rest's best."""

    among: tuple[str, ...]
    validation: float

    @property
    def arms(self) -> tuple[str, ...]:
        return self.among


@dataclass(frozen=True)
class VolumeRatio:
    """log2 of the volume above which ``arm`` is cheaper than ``against``: measured / predicted.

    Measured in seconds from metered blocks; predicted in FLOP, as 2D/r or 3D/r.
    """

    arm: str
    against: str

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.arm, self.against)


OfScores = Difference | Interaction | Buckets | Slope | Matched | Choice
Contrast = OfScores | VolumeRatio


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        published: what the paper reports, in a few words.
        stage: the experiment whose runs are read.
        tasks: whose questions are put together; each claim is about all of them.
        measures: a question's score; of several the items are put together.
        direction: one of ``DIRECTIONS``, or ``WITHIN`` of a ``VolumeRatio``.
        test: one of ``TESTS``.
        only: column of the predictions -> value: only these questions count.
        least: the least effect that matters, in the measure's own unit; of a ``VolumeRatio`` log2
            of the factor within which it is to stay.
        spread: standard deviation of a question's effect that the size was planned with.
        cannot: why no run of this size can speak to the claim; it has no contrast then.
    """

    id: str
    claim: str
    published: str
    why: str
    stage: str = ""
    tasks: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    contrast: Contrast | None = None
    direction: str = "greater"
    test: str = "weights"
    least: float = 0.0
    spread: float | None = None
    only: tuple[tuple[str, str], ...] = ()
    cannot: str = ""


@dataclass(frozen=True)
class Claims:
    """All claims of a paper: one family, whose error rate ``alpha`` is divided among its tests."""

    claims: tuple[Claim, ...]
    alpha: float

    @property
    def tests(self) -> int:
        """How many of them are tested."""
        return sum(claim.contrast is not None for claim in self.claims)

    @property
    def level(self) -> float:
        """The level of each interval (Bonferroni): fixed before the run, missing runs included."""
        return self.alpha / max(1, self.tests)


def read_claims(path: Path) -> Claims:
    """The claims in the file.

    Raises:
        DataError: it cannot be read, or a field is missing, unknown or of the wrong kind.
    """
    root = read_yaml(path).known(("alpha", "claims"))
    alpha = root.number("alpha", 0.05, above=0)
    if alpha >= 0.5:
        root.wrong(f"alpha is {alpha:g}; it is below 0.5")
    found: dict[str, Claim] = {}
    for node in root.nodes("claims", "claim"):
        claim = _claim(Node(node.values, f"{path}: claim '{node.text('id')}'"))
        if claim.id in found:
            root.wrong(f"two claims are called '{claim.id}'")
        found[claim.id] = claim
    if not found:
        root.wrong("there is no claim in it")
    return Claims(tuple(found.values()), alpha)


_ALWAYS = ("id", "claim", "published", "why")
_TESTED = ("stage", "tasks", "measure", "contrast", "direction", "test", "least", "spread", "only")
_OF_VOLUMES = ("stage", "tasks", "contrast", WITHIN)


def _claim(node: Node) -> Claim:
    said = Claim(node.text("id"), node.text("claim"), node.text("published"), node.text("why"))
    if "cannot" in node.values:
        node.known((*_ALWAYS, "cannot"))
        return replace(said, cannot=node.text("cannot"))
    contrast = _contrast(node.node("contrast"))
    if isinstance(contrast, VolumeRatio):
        return _of_volumes(node, said, contrast)
    node.known((*_ALWAYS, *_TESTED))
    only = node.node("only", {})
    return replace(
        said,
        stage=node.text("stage"),
        tasks=node.texts("tasks"),
        measures=_measures(node),
        contrast=contrast,
        direction=node.choice("direction", DIRECTIONS),
        test=node.choice("test", TESTS),
        least=node.number("least", above=0),
        spread=node.number("spread", above=0) if "spread" in node.values else None,
        only=tuple((name, only.text(name)) for name in only.values),
    )


def _of_volumes(node: Node, said: Claim, contrast: VolumeRatio) -> Claim:
    node.known((*_ALWAYS, *_OF_VOLUMES))
    tasks = node.texts("tasks")
    if len(tasks) > 1:
        node.wrong(f"tasks are {', '.join(tasks)}; blocks are metered on one task")
    return replace(
        said,
        stage=node.text("stage"),
        tasks=tasks,
        contrast=contrast,
        direction=WITHIN,
        least=math.log2(node.number(WITHIN, above=1)),
    )


def _measures(node: Node) -> tuple[str, ...]:
    value = node.values.get("measure")
    names = node.texts("measure") if isinstance(value, list) else (node.text("measure"),)
    for name in names:
        _check_measure(node, "measure", name)
    return names


def _check_measure(node: Node, field: str, name: str) -> None:
    if name not in MEASURES:
        node.wrong(
            f"{field}: no measure '{name}'{suggestion(name, list(MEASURES))}; "
            "docs/measures.md lists them"
        )


def _contrast(node: Node) -> Contrast:
    kind = node.choice("kind", tuple(_KINDS))
    return _KINDS[kind](Node({k: v for k, v in node.values.items() if k != "kind"}, node.where))


def _difference(node: Node) -> Difference:
    names = ("arm", "baseline")
    node.known(names)
    return Difference(*(node.text(name) for name in names))


def _interaction(node: Node) -> Interaction:
    names = ("arm", "baseline", "other_arm", "other_baseline")
    node.known(names)
    return Interaction(*(node.text(name) for name in names))


def _buckets(node: Node) -> Buckets:
    names = ("arm", "baseline", "column", "first", "second")
    node.known(names)
    return Buckets(*(node.text(name) for name in names))


def _slope(node: Node) -> Slope:
    node.known(("over", "control"))
    over = node.numbers("over")
    control = node.numbers("control") if "control" in node.values else {}
    for name, one in (("over", over), ("control", control)):
        if one and len(set(one.values())) < 2:
            node.wrong(f"{name}: all arms have the same number, so there is no slope")
    return Slope(over, control)


def _matched(node: Node) -> Matched:
    node.known(("points", "curve", "accuracy"))
    curve = node.texts("curve")
    if len(curve) < 2:
        node.wrong("curve has one arm; it has two or more, to read between them")
    accuracy = node.text("accuracy")
    _check_measure(node, "accuracy", accuracy)
    return Matched(node.texts("points"), curve, accuracy)


def _choice(node: Node) -> Choice:
    node.known(("among", "validation"))
    among, share = node.texts("among"), node.number("validation", above=0)
    if len(among) < 2 or share >= 1:
        node.wrong("among has two arms or more, and validation is a share below 1")
    return Choice(among, share)


def _volume_ratio(node: Node) -> VolumeRatio:
    node.known(("arm", "against"))
    return VolumeRatio(node.text("arm"), node.text("against"))


_KINDS: dict[str, Callable[[Node], Contrast]] = {
    "difference": _difference,
    "interaction": _interaction,
    "buckets": _buckets,
    "slope": _slope,
    "matched": _matched,
    "choice": _choice,
    "breakeven": _volume_ratio,
}
