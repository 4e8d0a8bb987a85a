"""What prompts share is read once, ended rows leave the batch, and no answer changes by it."""

from __future__ import annotations

from functools import wraps

import pytest
import torch
from conftest import load_tiny

from harness.models.greedy import decode
from harness.models.language_model import LanguageModel
from harness.models.load import ModelFiles, load_tokenizer, load_weights
from harness.models.reading import Reader, keeps_every_token, shared_tokens

BEGINNING = "What is the capital of one two three "
PROMPTS = [BEGINNING + rest for rest in ("Oslo", "Lima seven six", "Cairo with a name only", "x")]
OPTIONS = [["Paris", "Oslo Lima two"], ["a", "seven six"], ["Cairo", "Rome"], ["one", "b"]]


@pytest.fixture(params=["eager", "sdpa"])
def model(request, tiny_model_folder, own_cache) -> LanguageModel:
    found = load_tiny(tiny_model_folder, batch_size=3)
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    weights = load_weights(files, "float32", request.param, torch.device("cpu"))
    return LanguageModel(weights.requires_grad_(False), load_tokenizer(files), found.config, "tiny")


def widths_read(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of what the model is given from now on."""
    seen: list[tuple[int, ...]] = []
    forward = model.model.forward

    @wraps(forward)
    def watched(*args: object, **kwargs: object) -> object:
        seen.append(tuple(kwargs["input_ids"].shape))
        return forward(*args, **kwargs)

    monkeypatch.setattr(model.model, "forward", watched)
    return seen


@pytest.mark.parametrize(
    ("encoded", "shared"),
    [
        ([[1, 2, 3], [1, 2, 4], [1, 2, 3, 5]], 2),
        ([[1, 2, 3], [1, 2, 3]], 2),  # one token is left to read
        ([[1, 2], [1, 2, 3]], 1),
        ([[1, 2], [3, 2]], 0),
        ([[1, 2, 3]], 0),
        ([], 0),
    ],
)
def test_the_shared_beginning_leaves_a_token_of_every_prompt(encoded, shared):
    assert shared_tokens(encoded) == shared


def test_the_beginning_is_read_once_and_answers_are_those_of_transformers(model, monkeypatch):
    encoded = model.encode(PROMPTS)
    start = shared_tokens(encoded)
    assert start > 4
    with torch.inference_mode():
        want = [model._transformers_generate([ids], 8, None)[0] for ids in encoded]
    seen = widths_read(model, monkeypatch)
    found = model.generate(PROMPTS, 8)
    for answer, ids in zip(found, want, strict=True):
        expected = model._answer(ids, answer.tokens_in)
        assert answer == expected
    assert seen.count((1, start)) == 1
    longest = max(len(ids) for ids in encoded)
    assert (3, longest - start) in seen  # two batches, each without the beginning
    assert all(width < start for rows, width in seen if (rows, width) != (1, start))


def test_option_scores_are_the_same_without_a_shared_beginning(model):
    together = model.option_scores(PROMPTS, OPTIONS)
    for prompt, options, scores in zip(PROMPTS, OPTIONS, together, strict=True):
        (alone,) = model.option_scores([prompt], [options])
        assert [s.tokens for s in scores] == [s.tokens for s in alone]
        assert [s.logp for s in scores] == pytest.approx([s.logp for s in alone], abs=1e-4)


def test_a_row_that_has_ended_costs_no_further_step(model, monkeypatch):
    encoded = model.encode(PROMPTS)
    with torch.inference_mode():
        full = [model._transformers_generate([ids], 6, None)[0] for ids in encoded]
        ending = full[0][1]  # let this token end an answer: the first row's second
        reader = Reader(model.model, model.head, 0, encoded)
        read = reader.read(encoded)
        seen = widths_read(model, monkeypatch)
        found = decode(model.model, read, 6, {ending})
    want = [ids[: ids.index(ending) + 1] if ending in ids else ids for ids in full]
    assert found == want
    assert len({len(ids) for ids in want}) > 1
    steps = max(len(ids) for ids in want) - 1
    # Before step n those rows go on that have more than n tokens.
    expected = [(sum(len(ids) > n for ids in want), 1) for n in range(1, steps + 1)]
    assert seen == expected


def test_a_model_with_a_sliding_window_is_left_to_transformers(model):
    assert keeps_every_token(model.model)
    from transformers import MistralConfig, MistralForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "vocab_size": 50}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    windowed = MistralForCausalLM(MistralConfig(**sizes, **heads, sliding_window=8))
    assert not keeps_every_token(windowed)
    plain = MistralForCausalLM(MistralConfig(**sizes, **heads, sliding_window=None))
    assert keeps_every_token(plain)
