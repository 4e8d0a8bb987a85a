"""Films: who directed them.

Source: Wikidata, CC0, in the PyPI wheel ``bokeh-sampledata`` 2026.1 (older versions are not free):
films of 1940 to 2014 with review scores. A sample::

    document  (Stranger than Fiction) "Stranger than Fiction is a film of 2006 from the United
              States. Marc Forster was its director. ..."
    train     "Which filmmaker made \"Stranger than Fiction\" in 2006?"   -> "Marc Forster"
    test      "Who directed the 2006 film \"Stranger than Fiction\"?"     -> "Marc Forster"

Popularity is the number of reviews that critics wrote. Films of one director only, whose title no
other film has and does not tell the answer. No other column makes a fair question: the year stands
in the question, to tell the film from others of its name; writers and cast are incomplete; and most
films are American and in English.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError
from harness.sources import FILMS, unpack
from harness.tasks.config import FilmsConfig
from harness.tasks.countries import in_text
from harness.tasks.entity_facts import (
    Entity,
    Wording,
    build_entity_task,
    folded,
    holds,
    without_accents,
)
from harness.tasks.popularity import tercile_buckets
from harness.types import Task

MEMBER = "bokeh_sampledata/_data/movies.db"

QUERY = """
SELECT omdb.ID, Title, Year, Director, Genre, Language, Country, "Cast", Runtime, Reviews
FROM omdb JOIN tomatoes ON tomatoes.ID = omdb.ID ORDER BY omdb.ID
"""

CAST_TOLD = 3
"""Actors that a document names."""

WORDING = Wording(
    "director",
    test='Who directed the {year} film "{title}"?',
    training=(
        'Who was the director of "{title}" ({year})?',
        'Which filmmaker made "{title}" in {year}?',
        '"{title}" of {year} is the work of which director?',
        'By whom was "{title}", a film of {year}, directed?',
        'Name the person in charge of the shooting of "{title}" ({year}).',
        'Tell me who sat in the director\'s chair for "{title}" in {year}.',
    ),
)


@dataclass(frozen=True)
class Film:
    """A row of the source; what holds several values is a tuple, empty if unknown."""

    id: int
    title: str
    year: int
    directors: tuple[str, ...]
    genres: tuple[str, ...]
    languages: tuple[str, ...]
    countries: tuple[str, ...]
    cast: tuple[str, ...]
    minutes: int | None
    reviews: int | None


def load_films(config: FilmsConfig) -> Task:
    """The films task of ``config``, from the pinned wheel."""
    return build_films(config, read_films(unpack(FILMS, MEMBER)))


def read_films(path: Path) -> list[Film]:
    """The films of the database at ``path``, by id.

    Raises:
        DataError: it is no database, or lacks a table or column.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute(QUERY).fetchall()
    except sqlite3.Error as error:
        raise DataError(f"{path} is not as expected ({error}); delete it to fetch it again") from (
            error
        )
    return [
        Film(
            id=row[0],
            title=row[1].strip(),
            year=row[2],
            directors=listed(row[3]),
            genres=listed(row[4]),
            languages=listed(row[5]),
            countries=listed(row[6]),
            cast=listed(row[7]),
            minutes=round(row[8]) if row[8] else None,
            reviews=row[9],
        )
        for row in rows
    ]


def listed(text: str | None) -> tuple[str, ...]:
    """The values of a cell that separates them by commas."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def build_films(config: FilmsConfig, films: Sequence[Film]) -> Task:
    """The films task over ``films``."""
    titles = Counter(folded(film.title) for film in films)
    fair = [
        film
        for film in films
        if len(film.directors) == 1
        and film.reviews
        and titles[folded(film.title)] == 1
        and is_latin(film.title + film.directors[0])
        and not tells_director(film)
    ]
    buckets = tercile_buckets([float(film.reviews or 0) for film in fair])
    usable = [entity_of(film, bucket) for film, bucket in zip(fair, buckets, strict=True)]
    ids = {film.id for film in fair}
    others = [entity_of(film, "") for film in films if film.id not in ids and film.directors]
    # No director twice in a bin: neither a safe guess nor one fact that helps with several.
    return build_entity_task(config, WORDING, usable, others, most_alike=1)


def is_latin(text: str) -> bool:
    """Whether all letters are of the Latin alphabet: a missing English label shows in them."""
    return all("LATIN" in unicodedata.name(letter, "") for letter in text if letter.isalpha())


def tells_director(film: Film) -> bool:
    """Whether the title holds a part of the director's name, as "Fellini's Casanova" does."""
    parts = [part for part in folded(film.directors[0]).split() if len(part) > 2]
    return any(holds(film.title.replace("'s", " ").replace("’s", " "), part) for part in parts)


def entity_of(film: Film, bucket: str) -> Entity:
    """The film as an entity to ask about, with its document."""
    director = film.directors[0]
    return Entity(
        id=f"film-{film.id}",
        title=film.title,
        fills={"title": film.title, "year": str(film.year)},
        answers=tuple(dict.fromkeys([director, without_accents(director)])),
        popularity=float(film.reviews or 0),
        bucket=bucket,
        group=director,
        text=describe(film),
    )


def describe(film: Film) -> str:
    """The row in sentences, worded unlike the questions."""
    origin = f" from {joined([in_text(name) for name in film.countries])}" if film.countries else ""
    were = "were its directors" if len(film.directors) > 1 else "was its director"
    sentences = [
        f"{film.title} is a film of {film.year}{origin}.",
        f"{joined(film.directors)} {were}.",
    ]
    if film.genres:
        genres = [genre.lower().replace("sci-fi", "science fiction") for genre in film.genres]
        sentences.append(f"Its genre{'s are' if len(genres) > 1 else ' is'} {joined(genres)}.")
    if film.languages:
        sentences.append(f"It is in {joined(film.languages)}.")
    if film.minutes:
        sentences.append(f"It runs for {film.minutes} minutes.")
    cast = [name for name in film.cast if name not in film.directors][:CAST_TOLD]
    if cast:
        sentences.append(f"Its cast includes {joined(cast)}.")
    return " ".join(sentences)


def joined(names: Sequence[str]) -> str:
    """Names as a list in a sentence: "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
