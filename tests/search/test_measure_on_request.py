"""A search by a measure that needs a model of its own."""

from __future__ import annotations

import pytest

from harness.config import Config
from harness.errors import ConfigError
from harness.measures.config import MeasureConfig
from harness.models.config import ModelConfig
from harness.search.command import _measure
from harness.search.config import SearchConfig
from harness.tasks.config import FictionalConfig
from harness.types import Question, Task

OPEN = Question("q", "Where?", ("Lima",))
CHOICE = Question("c", "Where?", ("Lima",), choices=("Lima", "Quito"))


@pytest.mark.parametrize(("question", "applies"), [(OPEN, True), (CHOICE, False)])
def test_a_search_may_be_by_similarity_where_it_applies(question: Question, applies: bool):
    config = Config(
        arm="a",
        task=FictionalConfig(),
        model=ModelConfig(source="local", id="m"),
        measure=MeasureConfig(embedding_similarity=True),
        search=SearchConfig(measure="embedding_similarity"),
    )
    task = Task("t", (), (), (question,), ())
    if applies:
        assert _measure(config, task) == "embedding_similarity"
    else:
        with pytest.raises(ConfigError, match="applies to no validation question of t"):
            _measure(config, task)
