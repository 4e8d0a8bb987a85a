"""An invented world: people, towns and companies with unique, pronounceable names, from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

KINDS = ("person", "town", "company")
KIND_OF = {
    "birthplace": "person",
    "profession": "person",
    "river": "town",
    "mayor": "town",
    "founder": "company",
    "headquarters": "company",
}

_ONSETS = [
    "b",
    "br",
    "c",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "r",
    "s",
    "sk",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "y",
    "z",
]
_VOWELS = ["a", "a", "e", "e", "i", "i", "o", "o", "u", "u", "ae", "ia", "ou"]
_CODAS = ["", "", "l", "m", "n", "r", "s", "th", "x"]
_TOWN_ENDINGS = ["by", "dale", "fell", "ford", "gate", "haven", "holm", "mere", "stead", "wick"]
_RIVER_ENDINGS = ["a", "an", "el", "en", "is", "or"]
_COMPANY_ENDINGS = [
    "Foundry",
    "Instruments",
    "Mills",
    "Optics",
    "Pottery",
    "Shipping",
    "Textiles",
    "Works",
]
PROFESSIONS = [
    "beekeeper",
    "bookbinder",
    "botanist",
    "carpenter",
    "cartographer",
    "clockmaker",
    "dentist",
    "ferry-pilot",
    "florist",
    "gardener",
    "geologist",
    "glassblower",
    "goldsmith",
    "journalist",
    "judge",
    "librarian",
    "locksmith",
    "midwife",
    "notary",
    "optician",
    "organist",
    "painter",
    "pharmacist",
    "plumber",
    "potter",
    "sailmaker",
    "sculptor",
    "seamstress",
    "stonemason",
    "surveyor",
    "tailor",
    "translator",
    "veterinarian",
    "weaver",
]


@dataclass
class Entity:
    """A person, town or company: its name and what is true of it, by relation."""

    id: str
    kind: str
    name: str
    facts: dict[str, str] = field(default_factory=dict)


class Namer:
    """Names that never repeat, drawn from one random generator."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._used: set[str] = set()

    def person(self) -> str:
        """A first and a last name."""
        return self._new(lambda: f"{self._word(2)} {self._word(2)}")

    def town(self) -> str:
        """One word, e.g. "Drouvenholm"."""
        return self._new(lambda: self._word(2) + self.rng.choice(_TOWN_ENDINGS))

    def river(self) -> str:
        """One word, e.g. "Skaelis"."""
        return self._new(lambda: self._word(2) + self.rng.choice(_RIVER_ENDINGS))

    def company(self) -> str:
        """A name and a trade, e.g. "Breithal Optics"."""
        return self._new(lambda: f"{self._word(2)} {self.rng.choice(_COMPANY_ENDINGS)}")

    def _word(self, syllables: int) -> str:
        parts = [self.rng.choice(_ONSETS) + self.rng.choice(_VOWELS) for _ in range(syllables)]
        return ("".join(parts) + self.rng.choice(_CODAS)).capitalize()

    def _new(self, draw: Callable[[], str]) -> str:
        name = draw()
        while name in self._used:
            name = draw()
        self._used.add(name)
        return name


def make_entities(rng: random.Random, namer: Namer, count: int, prefix: str) -> list[Entity]:
    """``count`` entities, a third of each kind, with every fact that its kind has."""
    return [
        make_entity(rng, namer, KINDS[index % 3], f"{prefix}{index + 1:05d}")
        for index in range(count)
    ]


def make_entity(rng: random.Random, namer: Namer, kind: str, entity_id: str) -> Entity:
    """One entity of ``kind``; the places and people in its facts are of its own making."""
    if kind == "person":
        facts = {"birthplace": namer.town(), "profession": rng.choice(PROFESSIONS)}
        return Entity(entity_id, kind, namer.person(), facts)
    if kind == "town":
        return Entity(
            entity_id, kind, namer.town(), {"river": namer.river(), "mayor": namer.person()}
        )
    facts = {"founder": namer.person(), "headquarters": namer.town()}
    return Entity(entity_id, kind, namer.company(), facts)
