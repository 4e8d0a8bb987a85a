"""What fine-tuning cost the model: the same probes with the base weights and with the arm's.

Each probe gives one value an item, so before and after are paired. Accuracy by generation falls
both when knowledge is lost and when only the answer's form is; accuracy by the likelihood of
options falls only with the first. Chance is 0.25 for options.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.measures.accuracy import contains
from harness.measures.config import ForgettingConfig
from harness.models.protocol import Model
from harness.prompts import PromptConfig, build_messages
from harness.stats import Interval, mean_interval, paired_difference_interval
from harness.tasks import probes
from harness.types import Passage, Question, sha256_of

PROBE_VERSION = 1


@dataclass(frozen=True)
class Probes:
    """The items that are asked, the same for every arm.

    Attributes:
        facts: questions on relations that are not trained, with options.
        glosses: WordNet gloss to word, with options.
        texts: held-out text.
        context: questions with the passage that answers each.
    """

    facts: tuple[Question, ...] = ()
    glosses: tuple[Question, ...] = ()
    texts: tuple[str, ...] = ()
    context: tuple[tuple[Question, Passage], ...] = ()

    def sha256(self) -> str:
        """Hash of all items."""
        return sha256_of(
            [
                PROBE_VERSION,
                [[q.id, q.question, q.answers, q.choices] for q in self.facts + self.glosses],
                list(self.texts),
                [[q.id, q.question, q.answers, p.text] for q, p in self.context],
            ]
        )


Scores = dict[str, list[float]]
"""Probe measure -> one value an item; a loss in nats a token, else 0 or 1."""

HARM_IS_INCREASE = {"text_loss_nats"}


def load_probes(config: ForgettingConfig, trained_relations: Sequence[str]) -> Probes:
    """The items of the probes that ``config`` names.

    Raises:
        ConfigError: a probe asks what the task trains.
    """
    asked = set(config.probes)
    context = probes.context_probe(config.items) if "context" in asked else []
    return Probes(
        facts=tuple(
            probes.fact_probe(trained_relations)[: config.items] if "facts" in asked else []
        ),
        glosses=tuple(probes.gloss_probe()[: config.items] if "glosses" in asked else []),
        texts=tuple(spread(probes.held_out_texts(), config.texts) if "text" in asked else []),
        context=tuple(
            (question, Passage(document.id, document.id, document.text, document.title))
            for question, document in context
        ),
    )


def spread(items: Sequence[str], count: int) -> list[str]:
    """``count`` items at even distances, so that each of several sources in a row is drawn on."""
    if count >= len(items):
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def probe(model: Model, items: Probes, config: ForgettingConfig, prompt: PromptConfig) -> Scores:
    """One value an item for each measure of each probe.

    A model that gives no log-likelihoods (behind a chat endpoint) leaves out the measures that are
    made of them.
    """
    scores: Scores = {}
    if items.facts:
        prompts = [_rendered(model, prompt, question) for question in items.facts]
        answers = model.generate(prompts, prompt.max_new_tokens)
        scores["facts_generated"] = [
            contains(answer.text, question.answers)
            for answer, question in zip(answers, items.facts, strict=True)
        ]
        if model.gives_likelihoods:
            scores["facts_options"] = _choose(model, prompts, items.facts)
    if items.glosses and model.gives_likelihoods:
        prompts = [_rendered(model, prompt, question) for question in items.glosses]
        scores["glosses_options"] = _choose(model, prompts, items.glosses)
    if items.texts and model.gives_likelihoods:
        scores["text_loss_nats"] = model.text_losses(items.texts, config.text_tokens)
    if items.context:
        prompts = [
            model.render(build_messages(prompt, question.question, [passage]))
            for question, passage in items.context
        ]
        answers = model.generate(prompts, prompt.max_new_tokens)
        scores["context_use"] = [
            contains(answer.text, question.answers)
            for answer, (question, _) in zip(answers, items.context, strict=True)
        ]
    return scores


def _rendered(model: Model, prompt: PromptConfig, question: Question) -> str:
    return model.render(build_messages(prompt, question.question))


def _choose(model: Model, prompts: Sequence[str], questions: Sequence[Question]) -> list[float]:
    """1 where the gold option has the highest log-likelihood per token, else 0.

    Options differ in length, and a sum over tokens would favour the short ones.
    """
    found = model.option_scores(prompts, [question.choices for question in questions])
    right = []
    for question, options in zip(questions, found, strict=True):
        means = [option.logp / option.tokens for option in options]
        right.append(float(question.choices[means.index(max(means))] in question.answers))
    return right


@dataclass(frozen=True)
class Forgetting:
    """One probe measure before and after, and the harm (positive is worse) with its interval."""

    before: Interval
    after: Interval
    harm: Interval


def forgetting(
    before: Scores, after: Scores, clusters: dict[str, list[str]], confidence: float
) -> dict[str, Forgetting]:
    """Harm for each measure: before − after for an accuracy, after − before for a loss.

    Raises:
        ConfigError: the two were not measured on the same items.
    """
    result = {}
    for name, first in before.items():
        second = after.get(name)
        if second is None or len(second) != len(first):
            raise ConfigError(f"the probe {name} was not asked alike before and after")
        groups = clusters.get(name)
        pair = (second, first) if name in HARM_IS_INCREASE else (first, second)
        was = mean_interval(first, groups, confidence)
        now = mean_interval(second, groups, confidence)
        harm = paired_difference_interval(*pair, groups, confidence)
        if was is None or now is None or harm is None:
            continue
        result[name] = Forgetting(was, now, harm)
    return result


def items_of(items: Probes) -> dict[str, list[tuple[str, str]]]:
    """Probe measure -> (id, entity) of each item, in the order of its scores."""
    facts = [(question.id, question.cluster) for question in items.facts]
    return {
        "facts_generated": facts,
        "facts_options": facts,
        "glosses_options": [(question.id, "") for question in items.glosses],
        "text_loss_nats": [
            (f"text-{hashlib.sha256(text.encode()).hexdigest()[:12]}", "") for text in items.texts
        ],
        "context_use": [(question.id, question.cluster) for question, _ in items.context],
    }
