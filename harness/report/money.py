"""Money and carbon in a report: the account of its arms, what to know of it, and their prices."""

from __future__ import annotations

from collections.abc import Sequence

from harness.economics.study import Study, measures_of_correctness, study
from harness.economics.tokenomics import QueryCost
from harness.metering.config import CostConfig
from harness.report.gather import ReportData
from harness.report.headline import headline_measures
from harness.report.money_tables import ESTIMATE
from harness.report.pareto_charts import Prices
from harness.report.readings import OWNED, RENTED
from harness.report.text import one_line


def account_of(data: ReportData, cost: CostConfig | None, apis: Sequence[str]) -> Study:
    """The account of a report's arms, by the cost settings and what ``--api`` names.

    Raises:
        ConfigError: one of them cannot be.
    """
    correct = measures_of_correctness()
    usual = [one.name for one in headline_measures(data) if one.name in correct]
    return study(
        [(arm.label, arm.runs, len(arm.measured)) for arm in data.arms],
        cost,
        apis,
        usual[0] if usual else None,
    )


def prices_of(account: Study) -> Prices:
    """What a thousand queries of each arm cost: on the machine, and at each named price."""

    def thousand(cost: QueryCost | None) -> float | None:
        return None if cost is None else cost.per_thousand

    machine = OWNED if account.owned else RENTED
    found = {machine: {arm.label: thousand(arm.per_query["usd"]) for arm in account.arms}}
    for name in account.apis:
        at = f"at {name}"
        found[at] = {arm.label: thousand(arm.api[name].cost) for arm in account.arms}
    return found


def money_lines(study: Study) -> tuple[str, ...]:
    """What a reader must know before the figures."""
    lines = []
    if study.money_needs:
        lines.append(f"The machine's time has no price: {study.money_needs}.")
    elif study.devices:
        lines.append(
            "The stated prices are taken for those of the machine that ran "
            f"({one_line('; '.join(study.devices), 300)}): its seconds are what is priced."
        )
    if study.estimated:
        lines.append(f"{ESTIMATE} marks estimates: here energy that no counter measured.")
    if study.without_energy:
        lines.append(
            f"Energy is unknown in {study.without_energy:,} runs: what rests on it is empty for "
            "their arms, and they are in no sum."
        )
    if study.accuracy is None:
        lines.append("No row says what is correct, so nothing is said of a correct answer.")
    if not study.embodied and study.full_kwh is not None:
        lines.append(
            "There is no Software Carbon Intensity: it needs embodied_kg and life_years, with "
            "--cost or --assume."
        )
    return tuple(lines)
