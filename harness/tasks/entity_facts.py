"""Tasks that ask one fact of each of many entities: a bin of popularity is drawn from at a time.

What ``cities`` and ``films`` share: entities drawn evenly over three bins, one question each in a
wording that is never trained on, training pairs in other wordings, a document for each entity, and
documents of other entities as distractors.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.tasks.config import EntityFactsConfig
from harness.tasks.draw import sample_in_order, split_validation
from harness.tasks.popularity import BUCKETS
from harness.types import Document, Question, Task, TrainingPair

_DROPPED = re.compile("[\u0300-\u036f'`‘’ʻʼ]")  # accents, and apostrophes of every kind
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Wording:
    """How a relation is asked: ``test`` never trained on, ``training`` for the pairs."""

    relation: str
    test: str
    training: tuple[str, ...]


@dataclass(frozen=True)
class Entity:
    """One row of the source that can be asked about.

    Attributes:
        fills: what the wordings' braces hold, e.g. {"city": "Kyoto"}.
        answers: gold answer first, then its aliases.
        group: entities of one group are alike in their answer; a draw limits how many it takes.
        text: the document that states the fact.
    """

    id: str
    title: str
    fills: Mapping[str, str]
    answers: tuple[str, ...]
    popularity: float
    bucket: str
    group: str
    text: str


def build_entity_task(
    config: EntityFactsConfig,
    wording: Wording,
    usable: Sequence[Entity],
    others: Sequence[Entity],
    most_alike: int,
) -> Task:
    """The task over ``usable`` entities.

    Args:
        others: entities that are not fit to be asked about; documents of theirs, and of usable
            ones that were not drawn, are distractors.
        most_alike: at most so many entities of one group are asked about in a bin.

    Raises:
        ConfigError: more entities, or more phrasings, than there are.
    """
    if config.training == "pairs" and config.phrasings > len(wording.training):
        raise ConfigError(
            f"task.phrasings={config.phrasings}, but {config.name} has {len(wording.training)} "
            "training phrasings"
        )
    asked = draw_entities(config, usable, most_alike)
    questions = [ask(entity, wording) for entity in asked]
    validation, test = split_validation(questions, config.validation_questions, config.split_seed)
    test = sample_in_order(test, config.test_questions, config.split_seed)
    taken = {entity.id for entity in asked}
    rest = [entity for entity in (*usable, *others) if entity.id not in taken]
    rng = random.Random(f"distractors {config.split_seed}")  # noqa: S311 - not for secrets
    distractors = rng.sample(rest, min(config.distractor_entities, len(rest)))
    documents = [Document(entity.id, entity.text, entity.title) for entity in asked]
    documents += [
        Document(entity.id, entity.text, entity.title, distractor=True)
        for entity in sorted(distractors, key=lambda entity: entity.id)
    ]
    return Task(
        name=config.name,
        train=training_pairs(asked, wording, config.phrasings)
        if config.training == "pairs"
        else (),
        validation=tuple(validation),
        test=tuple(test),
        corpus=tuple(documents),
    )


def draw_entities(
    config: EntityFactsConfig, usable: Sequence[Entity], most_alike: int
) -> list[Entity]:
    """Equally many entities of each bin, drawn by ``split_seed``, in the order of their ids."""
    rng = random.Random(config.split_seed)  # noqa: S311 - not for secrets
    wanted = config.entities // 3
    drawn: dict[str, list[Entity]] = {}
    for bucket in BUCKETS:
        members = [entity for entity in usable if entity.bucket == bucket]
        groups: Counter[str] = Counter()
        drawn[bucket] = []
        for entity in rng.sample(members, len(members)):
            if groups[entity.group] < most_alike:
                groups[entity.group] += 1
                drawn[bucket].append(entity)
    fewest = min(len(entities) for entities in drawn.values())
    if wanted > fewest:
        raise ConfigError(
            f"task.entities={config.entities}, but {config.name} has {fewest} fair ones in its "
            f"smallest popularity bin; use at most {3 * fewest}"
        )
    return sorted(
        (entity for entities in drawn.values() for entity in entities[:wanted]),
        key=lambda entity: entity.id,
    )


def ask(entity: Entity, wording: Wording) -> Question:
    """The question of one entity, in the wording that is never trained on."""
    return Question(
        id=f"{entity.id}-{wording.relation}",
        question=wording.test.format(**entity.fills),
        answers=entity.answers,
        popularity=entity.popularity,
        bucket=entity.bucket,
        gold_documents=(entity.id,),
        cluster=entity.id,
        relation=wording.relation,
    )


def training_pairs(
    asked: Sequence[Entity], wording: Wording, phrasings: int
) -> tuple[TrainingPair, ...]:
    """Every asked fact in the first ``phrasings`` training wordings."""
    return tuple(
        TrainingPair(
            question=form.format(**entity.fills),
            answer=entity.answers[0],
            document_id=entity.id,
            question_id=f"{entity.id}-{wording.relation}",
        )
        for entity in asked
        for form in wording.training[:phrasings]
    )


def folded(text: str) -> str:
    """``text`` in lower case, without accents and punctuation: "Xi’an" and "Xian" are one."""
    bare = _DROPPED.sub("", unicodedata.normalize("NFKD", text))
    return _NO_WORD.sub(" ", bare).casefold().strip()


def without_accents(text: str) -> str:
    """``text`` with accents taken off its letters: "González" becomes "Gonzalez"."""
    return "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(letter)
    )


def holds(text: str, words: str) -> bool:
    """Whether the folded ``words`` stand in the folded ``text`` as whole words."""
    return f" {folded(words)} " in f" {folded(text)} "
