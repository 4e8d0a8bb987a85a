"""The advice with all that stands behind it, as plain data: text, tables and chart only read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.advise.assumptions import assumptions
from harness.advise.binding import Relaxation, relaxations
from harness.advise.certainty import Against, Certainty, against, certainty, drawn_figures
from harness.advise.figures import carbon_per_year
from harness.advise.readings import FEW_READINGS, ArmReadings, Reading
from harness.advise.rule import Standing, meets, on_front, ranking, rival, standings
from harness.advise.sensitivity import Bar, tornado
from harness.advise.situation import Situation
from harness.advise.volumes import Stretch, advice_by_volume
from harness.economics.breakeven import UNITS
from harness.errors import ConfigError

HARDLY = 0.5
"""An advised arm that is right less often than this share of the best arm's answers is remarked."""

MEETS, FAILS, UNKNOWN = "meets", "fails", "unknown: fails"
NOT_SURELY, NO_SPREAD = ", not surely", ", spread unknown"


@dataclass(frozen=True)
class Advice:
    """What is advised in one situation.

    Attributes:
        standings: of every arm, in the order of the results.
        best: the advised arm; None if none meets the limits.
        other: the runner-up, which may fail a limit (``fails`` says which); None if there is none.
        front: arms that no other beats in every respect.
        verdicts: arm -> limit -> whether it meets it, with its interval in view.
        against: the two of them, where noise could be all there is.
        relaxations: if no arm meets the limits: what has to give way.
        remarks: what the reader must know: what was assumed, estimated and left out.
    """

    situation: Situation
    arms: tuple[ArmReadings, ...]
    standings: tuple[Standing, ...]
    best: Standing | None
    other: Standing | None
    front: tuple[str, ...]
    verdicts: dict[str, dict[str, str]]
    certainty: Certainty
    against: Against | None
    bars: tuple[Bar, ...]
    stretches: tuple[Stretch, ...]
    relaxations: tuple[Relaxation, ...]
    remarks: tuple[str, ...]

    @property
    def estimated(self) -> bool:
        """Whether the costs rest on energy that is an estimate."""
        return self.situation.rates.kwh > 0 and any(arm.estimated for arm in self.arms)


def advise(arms: Sequence[ArmReadings], situation: Situation, seed: int = 0) -> Advice:
    """The advice for a situation.

    Raises:
        ConfigError: no arm's cost is known in the situation's unit, or a price is not stated.
    """
    found = standings([arm.figures for arm in arms], situation)
    if all(one.cost is None for one in found):
        raise ConfigError(
            f"no run knows its cost in {UNITS[situation.unit]}"
            f"{'' if situation.unit == 'seconds' else ': its energy was not measured'}; "
            "--unit seconds needs time alone"
        )
    ranked = ranking(found)
    best = ranked[0] if ranked else None
    other = rival(found, best)
    drawn = drawn_figures(arms, seed=seed)
    named = {arm.name: arm for arm in arms}
    names = (best.arm if best else None, other.arm if best and other else None)
    return Advice(
        situation=situation,
        arms=tuple(arms),
        standings=tuple(found),
        best=best,
        other=other,
        front=tuple(on_front(found)),
        verdicts={arm.name: _verdicts(arm, situation) for arm in arms},
        certainty=certainty(drawn, situation),
        against=against(named[best.arm], named[other.arm], drawn, situation)
        if best is not None and other is not None
        else None,
        bars=tuple(tornado(assumptions(arms, situation, *names), *names)),
        stretches=tuple(advice_by_volume([arm.figures for arm in arms], situation)),
        relaxations=() if best else tuple(relaxations(found)),
        remarks=tuple(_remarks(arms, found, best, situation)),
    )


def verdict(limit: str, reading: Reading | None, bound: float) -> str:
    """Whether a limit is met at the point estimate, and if the interval leaves that open."""
    if reading is None:
        return UNKNOWN
    said = MEETS if meets(limit, reading.value, bound) else FAILS
    if reading.low is None or reading.high is None:
        return said + NO_SPREAD
    ends = {meets(limit, end, bound) for end in (reading.low, reading.high)}
    return said + (NOT_SURELY if len(ends) > 1 else "")


def reading_of(arm: ArmReadings, limit: str, situation: Situation) -> Reading | None:
    """What an arm has of what a limit is set on, with its interval."""
    if limit == "carbon":
        figures = arm.figures
        return arm.of_runs(
            [
                carbon_per_year(
                    replace(figures, train=one.train, index=one.index, query=one.query), situation
                )
                for one in arm.costs
            ]
        )
    found: Reading | None = getattr(arm, limit)
    return found


def _verdicts(arm: ArmReadings, situation: Situation) -> dict[str, str]:
    return {
        name: verdict(name, reading_of(arm, name, situation), bound)
        for name, bound in situation.limits.given().items()
    }


def _remarks(
    arms: Sequence[ArmReadings],
    found: Sequence[Standing],
    best: Standing | None,
    situation: Situation,
) -> Iterator[str]:
    energy = situation.rates.kwh > 0 or situation.limits.carbon is not None
    if energy and any(arm.estimated for arm in arms):
        yield (
            "energy is an estimate, not read from a counter, and so is every figure that rests on "
            "it"
        )
    right = max((one.figures.accuracy or 0.0 for one in found), default=0.0)
    if best is not None and (best.figures.accuracy or 0.0) < HARDLY * right:
        most = next(one.arm for one in found if (one.figures.accuracy or 0.0) == right)
        yield (
            f"beware: {best.arm} is right in {best.figures.accuracy or 0:.1%} of its answers, "
            f"{most} in {right:.1%}; set a least accuracy if that is too little"
        )
    unknown = [one.arm for one in found if one.cost is None]
    if unknown:
        yield (
            f"not ranked, since their cost in {UNITS[situation.unit]} is unknown: "
            f"{', '.join(unknown)}"
        )
    never = [one.arm for one in found if one.cost is not None and one.ranked_by is None]
    if never:
        yield (
            f"not ranked, since no answer of theirs was right or known to be: {', '.join(never)}"
        )
    yield from _about_limits(arms, situation)
    yield from _about_spread(arms)
    devices = sorted({str(row.get("device")) for arm in arms for row in arm.arm.runs})
    if len(devices) > 1:
        yield f"the runs used different devices ({', '.join(devices)}): costs are those of each"


def _about_limits(arms: Sequence[ArmReadings], situation: Situation) -> Iterator[str]:
    limits = situation.limits
    if limits.memory is not None and any(one.train.seconds for arm in arms for one in arm.costs):
        yield (
            "memory is the peak of the whole run, training included: a trained arm may answer in "
            "less"
        )
    if limits.forgetting is not None and arms[0].asked.probe is None:
        yield "forgetting is the largest harm among the probes of shares, loss of text left out"


def _about_spread(arms: Sequence[ArmReadings]) -> Iterator[str]:
    seeds = max(len(arm.seeds) for arm in arms)
    if all(len(set(arm.costs)) == 1 for arm in arms):
        yield "every cost was read once: costs add no spread to how sure the advice is"
    else:
        readings = [
            f"{arm.name} {len({(one.train, one.index) for one in arm.costs})} and "
            f"{len({one.query for one in arm.costs})}"
            for arm in arms
        ]
        yield (
            f"different readings of what is paid once and of a query: {', '.join(readings)}; what "
            "was read once adds no spread"
        )
    if 1 < seeds < FEW_READINGS:
        yield f"{seeds} seeds say little of the spread between trainings"
    if seeds == 1:
        yield "one seed: how much another training would differ is not known"
    unpaired = [arm.name for arm in arms if arm.scored is None]
    if unpaired:
        yield (
            f"no predictions of {', '.join(unpaired)}: their accuracy is that of the rows, and "
            "adds no spread"
        )
