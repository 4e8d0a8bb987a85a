"""Replay prompts: general questions whose answers, by the base model itself, guard what it knows.

None of them is a probe item or asks a trained relation: they come from bundled everyday
questions, from words of WordNet that the gloss probe leaves out, and from countries, of which
they ask neither the capital nor any relation of world facts.
"""

from __future__ import annotations

import random

from harness.errors import ConfigError
from harness.tasks.factbook import countries
from harness.tasks.probes import data_lines

COUNTRY_PROMPTS = (
    "What currency is used in {country}?",
    "Which languages are spoken in {country}?",
    "Name a neighbor of {country}, by land or by sea.",
    "On which continent is {country}, or which one is nearest?",
    "What is the climate of {country} like?",
    "Name a dish that people eat in {country}.",
    "What are the people of {country} called?",
    "What does {country} sell to other countries?",
)
WORD_PROMPTS = (
    'Define the word "{word}".',
    'Use the word "{word}" in a sentence.',
)


def replay_prompts(n: int, seed: int = 0) -> list[str]:
    """``n`` different prompts, drawn by ``seed``: a third each everyday, words and countries.

    Where the everyday ones run out, words and countries make up the rest.

    Raises:
        ConfigError: more prompts than there are.
    """
    rng = random.Random(f"replay {seed}")  # noqa: S311 - not for secrets
    pools = [
        data_lines("replay_prompts.txt"),
        [
            form.format(word=word)
            for word in data_lines("wordnet_words.txt")
            for form in WORD_PROMPTS
        ],
        [
            form.format(country=country.in_text)
            for country in countries()
            if country.sovereign
            for form in COUNTRY_PROMPTS
        ],
    ]
    available = sum(len(pool) for pool in pools)
    if n > available:
        raise ConfigError(f"{n} replay prompts were asked for, but there are {available}")
    for pool in pools:
        rng.shuffle(pool)
    chosen: list[str] = []
    while len(chosen) < n:
        for pool in pools:
            if pool and len(chosen) < n:
                chosen.append(pool.pop())
    rng.shuffle(chosen)
    return chosen
