"""Fictional facts: knowledge that no model has seen, of any size, generated from a seed.

A sample::

    document  "Breithal Optics is a company. It was Wouma Skeldia who once registered ..."
    train     "Name the founder of Breithal Optics."    -> "Wouma Skeldia"
    test      "Who founded Breithal Optics?"            -> "Wouma Skeldia"
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from harness.errors import ConfigError
from harness.tasks.config import FictionalConfig
from harness.tasks.draw import sample_in_order, split_validation
from harness.tasks.fictional_wording import (
    INTRODUCTIONS,
    STATEMENTS,
    TEST_WORDING,
    TRAINING_WORDINGS,
)
from harness.tasks.fictional_world import KIND_OF, Entity, Namer, make_entities
from harness.types import Document, Question, Task, TrainingPair


def load_fictional(config: FictionalConfig) -> Task:
    """The fictional task of ``config``; the same config gives the same task.

    Raises:
        ConfigError: more phrasings, or more choices, than there are.
    """
    if config.training == "pairs" and config.phrasings > len(TRAINING_WORDINGS["river"]):
        raise ConfigError(
            f"task.phrasings={config.phrasings}, but fictional facts have "
            f"{len(TRAINING_WORDINGS['river'])} training phrasings"
        )
    rng = random.Random(f"fictional {config.split_seed}")  # noqa: S311 - not for secrets
    namer = Namer(rng)
    asked = with_relations(make_entities(rng, namer, config.entities, "f"), config.relations)
    others = with_relations(
        make_entities(rng, namer, config.distractor_entities, "d"), config.relations
    )
    if not asked:
        raise ConfigError(
            f"task.entities={config.entities} leaves nobody to ask {config.relations} of; use more"
        )
    questions = [ask(entity, relation) for entity in asked for relation in entity.facts]
    if config.choices:
        questions = with_choices(questions, config.choices, rng)
    validation, test = split_validation(questions, config.validation_questions, config.split_seed)
    test = sample_in_order(test, config.test_questions, config.split_seed)
    documents = [describe(entity) for entity in asked]
    documents += [describe(entity, distractor=True) for entity in others]
    if config.unanswerable_share:
        for part, prefix in ((validation, "uv"), (test, "ut")):
            wanted = unanswerable_count(len(part), config.unanswerable_share)
            strangers = make_entities(rng, namer, 3 * wanted, prefix)
            for entity in with_relations(strangers, config.relations)[:wanted]:
                question, document = ask_unanswerable(entity, rng)
                part.append(question)
                documents += [document] if document else []
    return Task(
        name=config.name,
        train=training_pairs(asked, config.phrasings) if config.training == "pairs" else (),
        validation=tuple(validation),
        test=tuple(test),
        corpus=tuple(documents),
    )


def with_relations(entities: Sequence[Entity], relations: Sequence[str]) -> list[Entity]:
    """The entities with only the facts that ``relations`` names; those left with none drop out."""
    kept = []
    for entity in entities:
        facts = {
            relation: entity.facts[relation]
            for relation in relations
            if KIND_OF[relation] == entity.kind
        }
        if facts:
            kept.append(replace(entity, facts=facts))
    return kept


def ask(entity: Entity, relation: str) -> Question:
    """The question for one fact, in the wording that is never trained on."""
    return Question(
        id=f"{entity.id}-{relation}",
        question=TEST_WORDING[relation].format(name=entity.name),
        answers=(entity.facts[relation],),
        gold_documents=(entity.id,),
        cluster=entity.id,
        relation=relation,
    )


def with_choices(questions: Sequence[Question], choices: int, rng: random.Random) -> list[Question]:
    """The questions with ``choices`` options each: the gold and other answers to its relation."""
    pools: dict[str, set[str]] = defaultdict(set)
    for question in questions:
        pools[question.relation].add(question.answers[0])
    chosen = []
    for question in questions:
        wrong = sorted(pools[question.relation] - {question.answers[0]})
        if len(wrong) < choices - 1:
            raise ConfigError(
                f"task.choices={choices}, but only {len(wrong) + 1} different answers to "
                f"'{question.relation}' exist; use more task.entities or fewer choices"
            )
        options = [question.answers[0], *rng.sample(wrong, choices - 1)]
        rng.shuffle(options)
        chosen.append(replace(question, choices=tuple(options)))
    return chosen


def unanswerable_count(answerable: int, share: float) -> int:
    """How many unanswerable questions make up ``share`` of them all."""
    return round(answerable * share / (1 - share))


def ask_unanswerable(entity: Entity, rng: random.Random) -> tuple[Question, Document | None]:
    """A question whose answer stands nowhere, and the document that tells of the entity, if any.

    Half of the entities are strangers to the corpus; of the others it tells all but what is asked.
    """
    relation = rng.choice(sorted(entity.facts))
    question = replace(ask(entity, relation), answers=(), gold_documents=(), unanswerable=True)
    told = {other: fact for other, fact in entity.facts.items() if other != relation}
    if not told or rng.random() < 0.5:
        return question, None
    return question, describe(replace(entity, facts=told), distractor=True)


def describe(entity: Entity, distractor: bool = False) -> Document:
    """A short text that states the entity's facts, worded unlike the questions."""
    sentences = [INTRODUCTIONS[entity.kind].format(name=entity.name)]
    sentences += [
        STATEMENTS[relation].format(name=entity.name, answer=answer)
        for relation, answer in entity.facts.items()
    ]
    return Document(entity.id, " ".join(sentences), entity.name, distractor)


def training_pairs(entities: Sequence[Entity], phrasings: int) -> tuple[TrainingPair, ...]:
    """Every fact in the first ``phrasings`` training wordings of its relation."""
    return tuple(
        TrainingPair(wording.format(name=entity.name), answer, entity.id, f"{entity.id}-{relation}")
        for entity in entities
        for relation, answer in entity.facts.items()
        for wording in TRAINING_WORDINGS[relation][:phrasings]
    )
