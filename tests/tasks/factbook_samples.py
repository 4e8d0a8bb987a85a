"""Hand-made Factbook entries in the wheel's own shape, small enough to check by eye."""

from __future__ import annotations

from typing import Any

from harness.tasks.factbook import REGIONS, Country, parse_country


def text(value: str) -> dict[str, str]:
    return {"text": value}


def entry(
    name: str = "Avalon",
    highest: str = "Mont Agou 986 m",
    symbol: str = "lion",
    anthem: str = '"Mila Rodino" (Dear Homeland)',
    legislature: str = "Parliament (Knesset)",
    capital: str = "Camelot",
    population: str = "1,234,567 (2025 est.)",
    independence: str = "1 May 1901",
    dependency: str = "",
    history: str = "adopted 1902",
    adjective: str = "Avalonian",
) -> dict[str, Any]:
    government: dict[str, Any] = {
        "Country name": {"conventional short form": text(name)},
        "Independence": text(independence),
        "National symbol(s)": text(symbol),
        "National anthem(s)": {"title": text(anthem), "history": text(history)},
        "Legislative branch": {"legislature name": text(legislature)},
        "Capital": {"name": text(capital)},
    }
    if dependency:
        government["Dependency status"] = text(dependency)
    return {
        "Introduction": {"Background": text(f"{name} has a long history.")},
        "Geography": {"Elevation": {"highest point": text(highest)}},
        "People and Society": {
            "Population": {"total": text(population)},
            "Nationality": {"adjective": text(adjective)},
        },
        "Government": government,
    }


def country(code: str = "zz", **fields: str) -> Country:
    parsed = parse_country(code, REGIONS["europe"], entry(**fields))
    assert parsed is not None
    return parsed


def countries(count: int) -> list[Country]:
    """``count`` sovereign countries with different facts; the n-th has n million inhabitants."""
    return [
        country(
            f"c{number:02d}",
            name=f"Land{number}",
            highest=f"Peak{number} {number} m",
            symbol=f"beast{number}",
            anthem=f'"Song{number}"',
            legislature=f"Council{number}",
            capital=f"Town{number}",
            population=f"{number},000,000",
        )
        for number in range(1, count + 1)
    ]
