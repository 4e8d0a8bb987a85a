"""What one arm takes and gives, as plain figures, and what that comes to in a situation."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.advise.situation import MONTHS_A_YEAR, Rates, Situation


@dataclass(frozen=True)
class Use:
    """What a piece of work took; None is unknown, never 0.

    Attributes:
        bill_usd: paid to an endpoint.
    """

    seconds: float | None = 0.0
    kwh: float | None = 0.0
    bill_usd: float = 0.0

    def cost(self, rates: Rates) -> float | None:
        """The work in the unit of ``rates``; None where a quantity that counts is unknown."""
        total = self.bill_usd * rates.bill
        for quantity, rate in ((self.seconds, rates.second), (self.kwh, rates.kwh)):
            if rate:
                if quantity is None:
                    return None
                total += quantity * rate
        return total

    def with_energy(self, factor: float) -> Use:
        """The same work, had it drawn ``factor`` times the energy."""
        return Use(self.seconds, None if self.kwh is None else self.kwh * factor, self.bill_usd)


@dataclass(frozen=True)
class Figures:
    """What the choice between arms reads of one of them. None is unknown.

    Attributes:
        train: preparing and training, anew after each update.
        index: of the whole corpus; an update pays for the share that changed.
        query: one query.
        forgetting: harm to the probe that is limited, or to the one that lost most.
        elsewhere: whether answers come from an endpoint, whose energy nobody here has measured.
    """

    arm: str
    train: Use = field(default_factory=Use)
    index: Use = field(default_factory=Use)
    query: Use = field(default_factory=Use)
    accuracy: float | None = None
    forgetting: float | None = None
    latency: float | None = None
    memory: float | None = None
    elsewhere: bool = False


@dataclass(frozen=True)
class Line:
    """A cost as fixed + updates · update + queries · per_query."""

    fixed: float
    update: float
    per_query: float

    def total(self, queries: float, updates: float) -> float:
        """The cost of so many queries and updates."""
        return self.fixed + updates * self.update + queries * self.per_query


def line(figures: Figures, rates: Rates, changed_share: float) -> Line | None:
    """What the arm costs in the unit of ``rates``; None where a part of it is unknown."""
    train, index, query = (use.cost(rates) for use in (figures.train, figures.index, figures.query))
    if train is None or index is None or query is None:
        return None
    if rates.waiting:
        if figures.query.seconds is None:
            return None
        query += figures.query.seconds * rates.waiting
    return Line(train + index, train + changed_share * index, query)


def cost(figures: Figures, situation: Situation) -> float | None:
    """The arm's cost over the whole time of the situation."""
    if figures.elsewhere and situation.unit in ("kwh", "kgco2e"):
        return None
    found = line(figures, situation.rates, situation.changed_share)
    return None if found is None else found.total(situation.queries, situation.updates)


def carbon_per_year(figures: Figures, situation: Situation) -> float | None:
    """kg CO2e a year, what is paid once spread over the situation's time."""
    found = carbon_line(figures, situation)
    if found is None:
        return None
    total = found.total(situation.queries, situation.updates)
    return total * MONTHS_A_YEAR / situation.months


def carbon_line(figures: Figures, situation: Situation) -> Line | None:
    """Emissions as a line in queries and updates; None where energy is unknown."""
    if figures.elsewhere:
        return None
    return line(figures, situation.carbon_rates, situation.changed_share)
