"""Forgetting probes: what a model knew before training, of which training tells it nothing.

Only the items; asking them before and after training is ``harness.measures.forgetting``'s work.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from importlib import resources

from harness.errors import ConfigError, DataError
from harness.sources import EVALS, unpack
from harness.tasks.config import FictionalConfig
from harness.tasks.factbook import Country, countries
from harness.tasks.fictional import load_fictional
from harness.tasks.gold import Gold, gold
from harness.types import Document, Question

CAPITAL_WORDING = "What is the capital of {country}?"
GLOSS_WORDING = 'Which word means "{gloss}"?'

# openai/evals, MIT; the texts are samples of public corpora, so they are fetched, never bundled.
EVALS_MEMBER = "evals/registry/data/text_compression/samples.jsonl"
HELD_OUT_KINDS = ("wikipedia", "c4", "openwebtext")  # 50 texts each

# A seed of its own, far from any task.split_seed: the probe's names are never trained on.
CONTEXT_SEED = 9_000_000


def fact_probe(exclude: Iterable[str] = (), seed: int = 0) -> list[Question]:
    """Country -> capital, for every country and territory with one: open, with four options too.

    ``exclude`` names the relations that training teaches. A capital named like its country
    (Singapore) is left out, since repeating the question would count as right.

    Raises:
        ConfigError: the capital is among the trained relations.
    """
    if "capital" in set(exclude):
        raise ConfigError(
            "the fact probe asks for capitals, which this task trains on: probe and training must "
            "be disjoint; take 'capital' out of task.relations"
        )
    return capital_questions(countries(), seed)


def capital_questions(entries: Iterable[Country], seed: int) -> list[Question]:
    """The capital question of every entry that has one; options drawn by ``seed``."""
    found: list[tuple[Country, Gold]] = []
    for country in entries:
        capital = gold(country, "capital")
        if capital:
            found.append((country, capital))
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    questions = []
    for country, capital in found:
        own = {answer.casefold() for answer in capital.answers}
        others = [other.text for _, other in found if other.text.casefold() not in own]
        choices = [capital.text, *rng.sample(sorted(set(others)), 3)]
        rng.shuffle(choices)
        questions.append(
            Question(
                id=f"capital-{country.code}",
                question=CAPITAL_WORDING.format(country=country.in_text),
                answers=capital.answers,
                choices=tuple(choices),
                popularity=float(country.population) if country.population else None,
                cluster=country.code,
                relation="capital",
            )
        )
    return questions


def gloss_probe() -> list[Question]:
    """200 questions from a WordNet gloss to the word that it defines, with four options each."""
    return [
        Question(
            id=f"gloss-{item['id']}",
            question=GLOSS_WORDING.format(gloss=item["gloss"]),
            answers=(item["word"],),
            choices=tuple(item["choices"]),
            cluster=item["id"],
            relation="gloss",
        )
        for item in map(json.loads, data_lines("wordnet_glosses.jsonl"))
    ]


def held_out_texts() -> list[str]:
    """150 texts for the held-out loss: 50 each of Wikipedia, C4 and OpenWebText."""
    path = unpack(EVALS, EVALS_MEMBER)
    texts: dict[str, list[str]] = {kind: [] for kind in HELD_OUT_KINDS}
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            sample = json.loads(line)
            if sample["type"] in texts:
                texts[sample["type"]].append(sample["text"])
    for kind, found in texts.items():
        if not found:
            raise DataError(f"{path} holds no '{kind}' texts; delete it to fetch it again")
    return [text for kind in HELD_OUT_KINDS for text in texts[kind]]


def context_probe(n: int = 200, seed: int = 0) -> list[tuple[Question, Document]]:
    """``n`` fictional questions, each with the document that answers it.

    No model knows these facts, so an answer must be read from the document: the probe tells
    whether a model still uses a passage that it is given.
    """
    task = load_fictional(
        FictionalConfig(
            split_seed=CONTEXT_SEED + seed,
            entities=max(3, (n + 1) // 2),  # two facts an entity
            distractor_entities=0,
            validation_questions=0,
            test_questions=n,
            phrasings=1,
        )
    )
    documents = {document.id: document for document in task.corpus}
    return [(question, documents[question.gold_documents[0]]) for question in task.test]


def data_lines(name: str) -> list[str]:
    """The non-empty lines of a bundled file of ``harness/data``."""
    text = resources.files("harness").joinpath("data", name).read_text(encoding="utf-8")
    return [line for line in text.split("\n") if line.strip()]
