"""Similarity to gold, with vectors written down here, a tiny encoder, and the real one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import ConfigError, RetrievalError, SourceError
from harness.measures.accuracy import summarise
from harness.measures.config import MeasureConfig, SimilarityEncoderConfig
from harness.measures.definitions import ON_REQUEST
from harness.measures.similarity import (
    NAME,
    fetch_encoder,
    measure_similarity,
    similarities,
    similarity_values,
)
from harness.telling import telling
from harness.types import Answer, Prediction, Question

VECTORS = {
    "east": [2.0, 0.0],
    "north": [0.0, 1.0],
    "between": [3.0, 4.0],  # cosine 0.6 with east, 0.8 with north
    "west": [-1.0, 0.0],
    "nothing": [0.0, 0.0],
    "broken": [float("nan"), 1.0],
}


class FixedEncoder:
    """Gives the vectors above and remembers what it was asked."""

    def __init__(self):
        self.asked: list[str] = []

    def encode_queries(self, texts):
        self.asked += texts
        return np.array([VECTORS[text] for text in texts], dtype=np.float32)


def predicted(text: str, *golds: str, **question) -> Prediction:
    return Prediction(Question(text or "q", "Where?", golds, **question), "", Answer(text, 1, 1))


def similarity(text: str, *golds: str, **question) -> float | None:
    return similarities([predicted(text, *golds, **question)], "whole", FixedEncoder())[0]


def test_similarity_is_the_cosine_with_the_nearest_gold_answer():
    assert similarity("between", "east") == pytest.approx(0.6)
    assert similarity("between", "east", "north") == pytest.approx(0.8)
    assert similarity("west", "east") == -1.0
    assert similarity("east", "east") == 1.0


def test_an_empty_answer_and_a_text_without_direction_are_0():
    assert similarity("", "east") == 0.0
    assert similarity("nothing", "east") == 0.0


def test_whether_it_applies_depends_on_the_question_alone():
    assert similarity("east", unanswerable=True) is None
    assert similarity("east", "east", choices=("east", "west")) is None
    assert similarity("", unanswerable=True) is None
    assert similarity("north", "east") is not None  # a wrong answer has one, as a refusal has


def test_it_is_of_the_part_of_the_answer_that_is_scored():
    spoken = predicted("between\nor west", "north")
    assert similarities([spoken], "first_line", FixedEncoder()) == [pytest.approx(0.8)]


def test_each_text_is_encoded_once_and_gold_apart_from_answers():
    encoder = FixedEncoder()
    asked = [predicted(text, "east", "north") for text in ("east", "west", "west", "")]
    assert similarities(asked, "whole", encoder) == [1.0, 0.0, 0.0, 0.0]
    assert encoder.asked == ["east", "north", "west"]


def test_vectors_that_are_no_numbers_are_refused():
    with pytest.raises(RetrievalError, match=r"'broken'; use measure.similarity_encoder.dtype="):
        similarity("broken", "east")


def test_a_mean_below_0_keeps_its_interval():
    predictions = [predicted("west", "east"), predicted("between", "north")]
    values = similarities(predictions, "whole", FixedEncoder())
    found = summarise(predictions, [{NAME: value} for value in values])[NAME]
    assert found.mean == pytest.approx(-0.1)
    assert found.low < -1  # a t interval of two values, not cut at 0


def test_nothing_is_measured_unless_it_is_asked_for():
    scores: list[dict[str, float]] = [{}]
    config = MeasureConfig(
        similarity_encoder=SimilarityEncoderConfig(source="local", id="/nowhere")
    )
    fetch_encoder(config)
    measure_similarity(config, "cpu", [predicted("east", "east")], scores)
    assert scores == [{}]
    assert similarity_values(config, {}) == {}
    with pytest.raises(SourceError, match=r"check measure.similarity_encoder.id"):
        fetch_encoder(replace(config, embedding_similarity=True))


def test_no_question_that_it_applies_to_loads_no_encoder():
    missing = SimilarityEncoderConfig(source="local", id="/nowhere")
    config = MeasureConfig(embedding_similarity=True, similarity_encoder=missing)
    measure_similarity(config, "cpu", [predicted("east", unanswerable=True)], [{}])


def test_the_encoder_is_part_of_the_measures_version(tiny_encoder):
    folder = SimilarityEncoderConfig(source="local", id=str(tiny_encoder))
    config = MeasureConfig(embedding_similarity=True, similarity_encoder=folder)
    values = similarity_values(config, {"f1": 1, NAME: 1})
    assert values["similarity_encoder"] == "model"
    assert values["metric_versions"]["f1"] == 1
    version = values["metric_versions"][NAME]
    assert version.startswith("1 by model ")
    other = replace(config, similarity_encoder=replace(folder, query_prefix="query: "))
    assert similarity_values(other, {})["metric_versions"][NAME] != version


def test_an_encoder_that_measures_nothing_is_no_part_of_a_runs_hash():
    before = {"primary": None}
    encoder = {"source": "wheel"}
    off = {**before, "embedding_similarity": False, "similarity_encoder": encoder}
    assert telling("measure", off) == before
    on = {**off, "embedding_similarity": True}
    assert telling("measure", on) == on


def test_messages_name_the_measures_encoder():
    with pytest.raises(ConfigError, match=r"measure.similarity_encoder.source=hub needs"):
        SimilarityEncoderConfig(source="hub")


def test_nothing_is_chosen_by_what_is_measured_last():
    with pytest.raises(ConfigError, match=r"can choose no top_k"):
        MeasureConfig(primary=NAME)


def test_each_measure_on_request_has_a_setting_that_asks_for_it():
    assert all(getattr(MeasureConfig(), name) is False for name in ON_REQUEST)


@pytest.mark.real
def test_near_is_not_correct_with_the_real_encoder():
    config = MeasureConfig(embedding_similarity=True)
    golds = "The capital of Peru is Lima."
    texts = {
        "same": "Lima is Peru's capital city.",
        "other": "The capital of Peru is Quito.",
        "short": "It is Lima.",
        "refused": "I don't know.",
    }
    predictions = [predicted(text, golds) for text in texts.values()]
    scores: list[dict[str, float]] = [{} for _ in predictions]
    measure_similarity(config, "cpu", predictions, scores)
    same, other, short, refused = (round(one[NAME], 2) for one in scores)
    assert (same, other, short, refused) == (0.97, 0.79, 0.74, 0.05)  # as in docs/measures.md
