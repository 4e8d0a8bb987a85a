"""How fast this device trains a model: some ten seconds of the very training, on made-up tokens."""

from __future__ import annotations

import logging
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.adapters.config import AdapterConfig
from harness.adapters.examples import IGNORED, Example
from harness.adapters.train import train
from harness.metering.device import choose_device, synchronise
from harness.models.config import ModelConfig
from harness.models.language_model import LanguageModel
from harness.models.load import load_tokenizer, load_weights, locate
from harness.sweep.turns import turns_on

logger = logging.getLogger(__name__)

SECONDS = 10.0
"""What the timed steps are to take together, after a training of one step."""

LEAST_STEPS = 3
SPREAD = 0.15
"""Lengths are spread evenly so far around their mean, so that batches are padded as real ones."""


@dataclass(frozen=True)
class Pace:
    """Seconds of a training: what it begins with, and each token of its examples.

    Fields that begin with ``cpu_`` are of all threads; on a CPU they do not grow with what else
    runs there.
    """

    begin: float
    token: float
    cpu_begin: float
    cpu_token: float

    def seconds(self, tokens: float) -> float:
        """Of a training on so many tokens."""
        return self.begin + tokens * self.token

    def cpu_seconds(self, tokens: float) -> float:
        """CPU seconds of a training on so many tokens."""
        return self.cpu_begin + tokens * self.cpu_token


@dataclass(frozen=True)
class _Spent:
    """What some training steps took."""

    tokens: int
    seconds: float
    cpu_seconds: float


def training_pace(
    model: ModelConfig,
    adapter: AdapterConfig,
    mean_tokens: float,
    loss_share: float,
    shared_tokens: int,
) -> Pace:
    """What training costs on this device, measured in some ten seconds.

    The loop is that of a real run (``harness.adapters.train``), with its number format, attention,
    batch sizes and adapter. What it trains is thrown away, and nothing is stored.

    Args:
        model: with format and attention decided.
        loss_share: share of an example's tokens, at its end, that carry loss.
        shared_tokens: how many tokens all examples begin with; a batch computes them once, where
            the adapter's settings allow it.

    Raises:
        HarnessError: the model is not here, or the training does not run.
    """
    files = locate(model)
    tokenizer = load_tokenizer(files)
    device = choose_device(model.device)
    adapter = replace(
        adapter, epochs=1, early_stopping_patience=None, checkpoint_steps=0, processes=1
    )

    def once(steps: int) -> _Spent:
        weights = load_weights(
            files, model.train_dtype, model.train_attention, device, model.train_quantization
        )
        weights.requires_grad_(False)
        loaded = LanguageModel(weights, tokenizer, model, files.identity)
        seconds = cpu_seconds = 0.0

        def timed(loop: Callable[[], None]) -> None:
            nonlocal seconds, cpu_seconds
            synchronise(device)
            wall, cpu = time.perf_counter(), time.process_time()
            loop()
            synchronise(device)
            seconds += time.perf_counter() - wall
            cpu_seconds += time.process_time() - cpu

        examples = made_examples(
            steps * adapter.batch_size, mean_tokens, loss_share, len(tokenizer), shared_tokens
        )
        with tempfile.TemporaryDirectory() as folder:
            summary = train(loaded, adapter, examples, [], 0, Path(folder), timed)
        return _Spent(summary.tokens, seconds, cpu_seconds)

    with turns_on(device)():
        one = once(1)
        steps = max(LEAST_STEPS, math.floor(SECONDS / one.seconds))
        logger.info("calibrating: %d training steps of %s", steps, model.name)
        many = once(steps)
    begin, token = _line(one.tokens, one.seconds, many.tokens, many.seconds)
    cpu_begin, cpu_token = _line(one.tokens, one.cpu_seconds, many.tokens, many.cpu_seconds)
    return Pace(begin, token, cpu_begin, cpu_token)


def _line(few: int, short: float, many: int, long: float) -> tuple[float, float]:
    """What a training begins with, and each token, from a short and a longer one.

    Where the longer one took no longer, by a busy moment, all of it counts for its tokens.
    """
    token = (long - short) / (many - few)
    if token <= 0 or short < few * token:
        return 0.0, long / many
    return short - few * token, token


def made_examples(
    count: int, mean_tokens: float, loss_share: float, vocabulary: int, shared_tokens: int = 0
) -> list[Example]:
    """Examples of made-up tokens whose lengths lie evenly around their mean.

    Args:
        shared_tokens: how many of its prompt's tokens each begins with alike.
    """
    examples = []
    for n in range(count):
        place = 2 * ((n * 7919) % count) / max(1, count - 1) - 1  # from -1 to 1, in no order
        length = max(2, round(mean_tokens * (1 + SPREAD * place)))
        answer = min(length - 1, max(1, round(length * loss_share)))
        alike = min(shared_tokens, length - answer - 1)
        ids = [
            ((0 if position < alike else (n + 1) * 104729) + position * 7919) % vocabulary
            for position in range(length)
        ]
        labels = [IGNORED] * (length - answer) + ids[length - answer :]
        examples.append(Example(ids, labels))
    return examples
