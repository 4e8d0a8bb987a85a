"""Money and carbon as tables: what a study's tokens, time and energy cost, and on what figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.economics.account import THOUSAND, ArmAccount
from harness.economics.study import Study
from harness.economics.tokenomics import QueryCost
from harness.report.quantities import EMPTY, digits, label, shown_difference
from harness.report.tables import Cell, Heading, Table

ESTIMATE = "~"
"""Stands before figures that rest on energy which no counter measured."""

UNITS = {
    "seconds": ("time", "s", 1.0),
    "kwh": ("energy", "Wh", 1e3),
    "kgco2e": ("emissions", "g CO2e", 1e3),
    "usd": ("money", "US$", 1.0),
}
"""Unit of an account -> heading, unit shown, and factor to it."""

GRAMS = 1e3
NEVER = "never correct"
NO_SETUP = "no setup"

Row = tuple[Cell, ...]


def money_tables(study: Study) -> list[Table]:
    """The tables that have something in them."""
    tables = [
        _tokens(study),
        _queries(study),
        _correct(study),
        _fixed(study),
        _at_prices(study),
        _prefix(study),
        _intensity(study),
        _grids(study),
        *_budget(study),
        _two_sources(study),
        _assumptions(study),
    ]
    return [table for table in tables if table.rows]


def _tokens(study: Study) -> Table:
    names = ("prompt", "passages in it", "examples in it", "shared by all prompts", "answer")
    rows = []
    for arm in study.arms:
        tokens = arm.tokens
        found = (tokens.prompt, tokens.passages, tokens.shots, tokens.shared, tokens.output)
        if any(found):
            shared = _marked(digits(tokens.shared), tokens.shared is not None)
            cells = [Cell(digits(value)) for value in found]
            rows.append((Cell(arm.label), *cells[:3], Cell(shared), cells[4]))
    notes = (
        "Means over the test questions, by the tokenizer of the model that ran: another counts "
        "otherwise. What all prompts begin with is estimated from its characters.",
    )
    return _table("Tokens of a query", [(name, "") for name in names], rows, notes)


def _queries(study: Study) -> Table:
    def cell(arm: ArmAccount, unit: str) -> Cell:
        cost, factor = arm.per_query[unit], UNITS[unit][2]
        if cost is None:
            return Cell(EMPTY)
        each, idle = f"{digits(cost.per_query * factor)} a query", arm.idle[unit]
        if idle:
            each = f"{each}, {digits(idle * factor)} of it idling"
        return Cell(_estimated(study, arm, unit, digits(cost.per_thousand * factor)), each)

    notes = (
        "Retrieving, reading the prompt and generating, in batches, on the machine that ran. "
        "Loading the model and setting up are not in it. "
        + (
            "Waiting for queries is, as idle watts and utilisation are stated."
            if any(arm.idle["kwh"] is not None for arm in study.arms)
            else "Nor is waiting for queries: cost.hardware.idle_watts and utilisation state it."
        ),
    )
    return _by_unit("A thousand queries", study, cell, notes)


def _correct(study: Study) -> Table:
    """Cost-of-pass; an arm that is never right has none, and no number says so."""
    if study.accuracy is None:
        return Table("A correct answer", (), ())

    def cell(arm: ArmAccount, unit: str) -> Cell:
        cost, factor = arm.per_query[unit], UNITS[unit][2]
        if cost is None or cost.per_correct is None:
            return Cell(NEVER if cost is not None and arm.accuracy == 0 else EMPTY)
        return Cell(_estimated(study, arm, unit, digits(cost.per_correct * factor)))

    notes = (f"The cost of a query over the share of {label(study.accuracy)}.",)
    return _by_unit("A correct answer", study, cell, notes)


def _fixed(study: Study) -> Table:
    def cell(arm: ArmAccount, unit: str) -> Cell:
        factor, tune = UNITS[unit][2], arm.tune[unit]
        chosen = f"tuning {digits(tune * factor)}" if tune else ""
        fixed = arm.fixed[unit]
        if fixed is None:
            return Cell(EMPTY, chosen)
        text = NO_SETUP if fixed == 0 else _estimated(study, arm, unit, digits(fixed * factor))
        return Cell(text, chosen)

    notes = (
        "Preparing, indexing and training, once. Choosing settings on validation questions "
        "(tuning) is no part of it and stands below.",
    )
    return _by_unit("Before the first query", study, cell, notes)


def _at_prices(study: Study) -> Table:
    rows = []
    for arm in study.arms:
        cells = [_price_cell(arm, arm.api[name].cost) for name in study.apis]
        rows.append((Cell(arm.label), *cells))
    notes = (
        "What the same tokens would cost at each price, nothing kept from query to query; below "
        "it, a correct answer. Tokens and accuracy are those of the model that ran, not of the "
        "one that the price is of; an endpoint may ask more for weights that were fine-tuned.",
        "Prices are what was seen on a day, listed below: history, not an offer.",
    )
    headings = [(name, "US$") for name in study.apis]
    return _table("A thousand queries at API prices", headings, rows if study.apis else [], notes)


def _price_cell(arm: ArmAccount, cost: QueryCost | None) -> Cell:
    if cost is None:
        return Cell(EMPTY)
    right = "" if cost.per_correct is None else f"{digits(cost.per_correct)} a correct answer"
    return Cell(digits(cost.per_thousand), NEVER if arm.accuracy == 0 else right)


def _prefix(study: Study) -> Table:
    rows = []
    for arm in study.arms:
        shared = arm.tokens.shared
        if shared is not None:
            unread = _marked(digits((THOUSAND - 1) * shared), True)
            savings = [Cell(_marked(digits(s), s is not None)) for s in _savings(study, arm)]
            share = _share(shared, arm.tokens.prompt)
            read = Cell(_marked(digits(shared), True), share)
            rows.append((Cell(arm.label), read, Cell(unread), *savings))
    headings = [("shared tokens", ""), ("not read again", "tokens")]
    headings += [(f"saved at {name}", "US$") for name in study.apis]
    notes = (
        f"{ESTIMATE} The tokens are estimated from characters. That a kept prefix is still there "
        "at every later query is assumed; endpoints keep one only above a least length, often "
        "1,024 tokens, and for some minutes. The harness reads it once a call already.",
    )
    return _table("What keeping the shared prefix saves in 1,000 queries", headings, rows, notes)


def _savings(study: Study, arm: ArmAccount) -> list[float | None]:
    return [arm.api[name].saving for name in study.apis]


def _share(part: float, whole: float | None) -> str:
    return f"{100 * part / whole:.0f} % of the prompt" if whole else ""


def _intensity(study: Study) -> Table:
    rows = []
    for arm in study.arms:
        carbon, operational = arm.carbon, arm.per_query["kgco2e"]
        if carbon is None or operational is None:
            continue
        # The embodied part of one query: what its SCI has beside the operational part.
        making = None if carbon.per_query is None else carbon.per_query - operational.per_query
        found = (operational.per_query, making, carbon.per_query)
        mark = "estimate" in arm.source
        marks = (mark, False, mark)  # making the machine rests on seconds, not on energy
        cells = [
            Cell(_grams(value, THOUSAND, marked))
            for value, marked in zip(found, marks, strict=True)
        ]
        right = NEVER if arm.accuracy == 0 else _grams(carbon.per_correct, THOUSAND, mark)
        rows.append((Cell(arm.label), *cells, Cell(right)))
    headings = [
        ("operational", "g CO2e"),
        ("embodied", "g CO2e"),
        ("SCI of queries", "g CO2e"),
        ("SCI of correct answers", "g CO2e"),
    ]
    notes = (
        "SCI = (E·I + M) / R, each figure for R = 1,000: energy with PUE times the grid's "
        "intensity, and the share of making the machine for the time that it worked. Setting up "
        "and idling are not in it.",
    )
    return _table("Software Carbon Intensity", headings, rows, notes)


def _grids(study: Study) -> Table:
    rows = [
        (
            Cell(one.country, one.source),
            Cell(digits(one.kg_per_kwh * GRAMS)),
            Cell(_grams(one.full, 1, study.estimated)),
            Cell(_grams(one.spent, 1, study.estimated)),
        )
        for one in study.emissions
        if study.full_kwh is not None or study.spent_kwh is not None
    ]
    headings = [
        ("intensity", "g CO2e/kWh"),
        ("all arms, each alone", "g CO2e"),
        ("what was metered", "g CO2e"),
    ]
    energy = [
        f"{_marked(digits(kwh * 1e3), study.estimated)} Wh {what}"
        for kwh, what in (
            (study.full_kwh, "of all arms, reused work at its first cost"),
            (study.spent_kwh, "that the runs metered themselves, probes and latency included"),
        )
        if kwh is not None
    ]
    notes = (f"The same energy on each grid: {'; '.join(energy)}.",) if energy else ()
    return _table("The same study on five grids", headings, rows, notes, "country")


def _budget(study: Study) -> list[Table]:
    if study.budget is None:
        return []
    budget = study.budget
    years = [(str(one.year), f"{digits(one.kg)} kg CO2e") for one in study.allowances]
    notes = (
        f"{digits(budget.base_kg)} kg CO2e in {budget.base_year}, less {100 * budget.rate:g} % of "
        f"that each year ({budget.method_version}): how many fit if the whole allowance went into "
        "them. A query counts with its SCI, or its operational part where nothing embodied is "
        "stated; a setup is preparing, indexing and training.",
        *(["They rest on energy that is an estimate."] if study.estimated else []),
    )
    queries = [
        (Cell(arm.label), *(_count(one.queries[arm.label], "") for one in study.allowances))
        for arm in study.arms
    ]
    setups = [
        (
            Cell(arm.label),
            *(
                _count(one.setups[arm.label], NO_SETUP if arm.fixed_kg == 0 else "")
                for one in study.allowances
            ),
        )
        for arm in study.arms
    ]
    return [
        _table("Queries that fit a year's carbon budget", years, queries, notes),
        _table("Setups that fit a year's carbon budget", years, setups, notes),
    ]


def _count(fitting: int | None, why: str) -> Cell:
    return Cell(why or EMPTY if fitting is None else f"{fitting:,}")


def _two_sources(study: Study) -> Table:
    rows = []
    for arm in study.arms:
        other = arm.other_energy_kwh
        known = [kwh for kwh in arm.energy_kwh if kwh is not None]
        if other is None or not known or len(known) < len(arm.energy_kwh):
            continue
        kwh = sum(known) / len(known)
        apart = f"{shown_difference(other / kwh - 1, 'share')} %" if kwh else EMPTY
        rows.append(
            (
                Cell(arm.label, arm.source),
                Cell(digits(kwh * 1e3)),
                Cell(digits(other * 1e3)),
                Cell(apart),
            )
        )
    headings = [("recorded", "Wh"), ("CodeCarbon's estimate", "Wh"), ("difference", "")]
    notes = (
        "The energy of the whole arm as it is recorded, counters included, and what CodeCarbon "
        "estimates in place of the counters.",
    )
    return _table("Two sources of energy", headings, rows, notes)


def _assumptions(study: Study) -> Table:
    rows = [
        (
            Cell(one.name),
            Cell(EMPTY if one.value is None else f"{one.value:,.10g}"),
            Cell(one.unit),
            Cell(one.source),
            Cell(one.date or EMPTY),
        )
        for one in study.assumptions
    ]
    headings = (
        Heading("assumption", number=False),
        Heading("figure"),
        *(Heading(name, number=False) for name in ("unit", "source", "date")),
    )
    return Table("What this rests on", headings, tuple(rows))


def _by_unit(
    title: str, study: Study, cell: Callable[[ArmAccount, str], Cell], notes: tuple[str, ...]
) -> Table:
    """A row an arm, a column each unit that any arm has a figure in."""
    rows = [(arm, {unit: cell(arm, unit) for unit in UNITS}) for arm in study.arms]
    units = [unit for unit in UNITS if any(cells[unit].text != EMPTY for _, cells in rows)]
    return _table(
        title,
        [UNITS[unit][:2] for unit in units],
        [(Cell(arm.label), *(cells[unit] for unit in units)) for arm, cells in rows if units],
        notes,
    )


def _table(
    title: str,
    headings: list[tuple[str, str]],
    rows: Sequence[Row],
    notes: tuple[str, ...],
    first: str = "arm",
) -> Table:
    drawn = (Heading(first, number=False), *(Heading(name, unit) for name, unit in headings))
    return Table(title, drawn, tuple(rows), notes)


def _estimated(study: Study, arm: ArmAccount, unit: str, text: str) -> str:
    rests = unit in ("kwh", "kgco2e") or (unit == "usd" and study.owned)
    return _marked(text, rests and "estimate" in arm.source)


def _grams(kg: float | None, times: int, mark: bool) -> str:
    return EMPTY if kg is None else _marked(digits(kg * times * GRAMS), mark)


def _marked(text: str, mark: bool) -> str:
    return f"{ESTIMATE}{text}" if mark and text not in (EMPTY, "0") else text
