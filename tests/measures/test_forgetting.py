"""Harm: positive is worse, paired, and no zero where nothing was measured."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.measures.config import ForgettingConfig, MeasureConfig
from harness.measures.forgetting import Probes, forgetting, load_probes, probe, spread
from harness.prompts import PromptConfig
from harness.types import Passage, Question


def question(name: str, *answers: str, choices: tuple[str, ...] = ()) -> Question:
    return Question(name, f"What is the capital of {name}", answers, choices, cluster=name)


def test_an_accuracy_that_falls_is_harm():
    found = forgetting(
        {"facts_generated": [1.0, 1.0, 1.0, 0.0]},
        {"facts_generated": [0.0, 1.0, 0.0, 0.0]},
        {},
        0.95,
    )["facts_generated"]
    assert (found.before.mean, found.after.mean) == (0.75, 0.25)
    assert found.harm.mean == pytest.approx(0.5)
    assert found.harm.n == 4


def test_a_loss_that_rises_is_harm():
    found = forgetting({"text_loss_nats": [2.0, 3.0]}, {"text_loss_nats": [2.5, 3.1]}, {}, 0.95)[
        "text_loss_nats"
    ]
    assert found.harm.mean == pytest.approx(0.3)
    assert found.harm.low is not None
    assert found.harm.low < 0.3 < found.harm.high


def test_other_items_after_than_before_are_refused():
    with pytest.raises(ConfigError, match="not asked alike"):
        forgetting({"facts_options": [1.0, 0.0]}, {"facts_options": [1.0]}, {}, 0.95)


def test_probing_gives_one_value_an_item(tiny):
    items = Probes(
        facts=(
            question("one", "Oslo", choices=("Oslo", "Lima")),
            question("two", "Rome", choices=("Rome", "Cairo")),
            question("three", "Lima", choices=("Paris", "Lima")),
        ),
        glosses=(question("four", "Paris", choices=("Paris", "Oslo")),),
        texts=("one two three", "four five six"),
        context=((question("five", "Rome"), Passage("p", "p", "Rome is five")),),
    )
    scores = probe(tiny, items, ForgettingConfig(), PromptConfig(max_new_tokens=3))
    assert {name: len(values) for name, values in scores.items()} == {
        "facts_generated": 3,
        "facts_options": 3,
        "glosses_options": 1,
        "text_loss_nats": 2,
        "context_use": 1,
    }
    assert all(
        value in (0.0, 1.0)
        for name, values in scores.items()
        if name != "text_loss_nats"
        for value in values
    )
    again = probe(tiny, items, ForgettingConfig(), PromptConfig(max_new_tokens=3))
    assert again == scores


def test_an_option_wins_by_its_likelihood_a_token(tiny, monkeypatch):
    from harness.models.language_model import OptionScore

    items = Probes(glosses=(question("x", "long", choices=("short", "long")),))
    # Summed, the short option is ahead (-2 to -3); a token, the long one is (-2 to -1).
    monkeypatch.setattr(
        tiny,
        "option_scores",
        lambda prompts, options: [[OptionScore(-2.0, 1), OptionScore(-3.0, 3)]],
    )
    assert probe(tiny, items, ForgettingConfig(), PromptConfig())["glosses_options"] == [1.0]


def test_only_the_probes_asked_for_are_loaded():
    items = load_probes(ForgettingConfig(probes=["glosses"], items=7), [])
    assert len(items.glosses) == 7
    assert (items.facts, items.texts, items.context) == ((), (), ())


def test_items_are_spread_over_all_sources():
    assert spread(list("abcdefghij"), 5) == ["a", "c", "e", "g", "i"]
    assert spread(["a", "b"], 5) == ["a", "b"]


def test_the_hash_follows_the_items():
    one = Probes(glosses=(question("x", "a", choices=("a", "b")),))
    two = Probes(glosses=(question("x", "a", choices=("b", "a")),))
    assert one.sha256() != two.sha256()
    assert one.sha256() == Probes(glosses=one.glosses).sha256()


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (ForgettingConfig, {"probes": ["fact"]}, "forgetting.probes has 'fact'.*'facts'"),
        (ForgettingConfig, {"text_tokens": 1}, "forgetting.text_tokens 2"),
        (MeasureConfig, {"primary": "contain"}, "measure.primary is 'contain'.*'contains'"),
        (MeasureConfig, {"answer_part": "firstline"}, "measure.answer_part is 'firstline'"),
        (MeasureConfig, {"confidence": 95}, "measure.confidence is 95"),
        (MeasureConfig, {"latency_questions": -1}, "0 or more"),
    ],
)
def test_settings_that_do_not_fit_are_refused(kind, settings, message):
    with pytest.raises(ConfigError, match=message):
        kind(**settings)
