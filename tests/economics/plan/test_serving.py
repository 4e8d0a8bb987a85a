import pytest

from harness.economics.plan.serving import (
    Serving,
    decode_flop,
    kv_cache,
    prefill_flop,
    serving_bytes,
    weight_bytes,
)
from harness.economics.plan.shape import known_shapes
from harness.errors import ConfigError

LLAMA = known_shapes()["llama_3_8b"]


def test_llama_3_8b_keeps_128_kib_a_token_and_a_gib_for_8192():
    one = Serving(prompt_tokens=8000, answer_tokens=192)
    assert kv_cache(LLAMA, one, 1) == 128 * 1024
    assert serving_bytes(LLAMA, one)["kv cache"] == 2**30


def test_the_cache_has_room_for_the_context_of_every_sequence():
    few = Serving(prompt_tokens=100, answer_tokens=28, concurrency=4)
    assert serving_bytes(LLAMA, few)["kv cache"] == 4 * 128 * 128 * 1024
    much = Serving(
        prompt_tokens=100, answer_tokens=28, concurrency=4, context=1024, kv_format="int8"
    )
    assert serving_bytes(LLAMA, much)["kv cache"] == 4 * 1024 * 64 * 1024


def test_weights_in_quantised_formats():
    n = LLAMA.parameters
    assert weight_bytes(LLAMA, "bfloat16") == 2 * n
    assert weight_bytes(LLAMA, "q4_0") == 18 / 32 * n  # 16 bytes of codes and a scale of 2
    assert weight_bytes(LLAMA, "q8_0") == 34 / 32 * n
    assert weight_bytes(LLAMA, "q4_0") == pytest.approx(4.52e9, rel=1e-3)


def test_reading_takes_2_flop_a_weight_and_token_and_the_head_once():
    attention = 4 * 32 * 4096 * 10 * 10
    expected = 2 * LLAMA.linear * 10 + 2 * 128256 * 4096 + attention
    assert prefill_flop(LLAMA, 10) == expected


def test_generating_takes_2_flop_a_weight_and_token():
    weights = LLAMA.linear + 128256 * 4096
    assert decode_flop(LLAMA, 10, 2) == 2 * (2 * weights + 4 * 32 * 4096 * 11)
    # what is looked up in the embedding costs nothing; all the rest does
    assert decode_flop(LLAMA, 0, 1) == pytest.approx(
        2 * (LLAMA.parameters - 128256 * 4096), rel=1e-3
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "q4_k"}, "--format is 'q4_k'; it is one of .*did you mean 'q4_"),
        ({"kv_format": "nf4"}, "--kv-format is 'nf4'"),
        ({"concurrency": 0}, "--concurrency is 0; it is at least 1"),
        ({"answer_tokens": -1}, "--answer-tokens is -1"),
        ({"context": 100}, "--context is 100; a prompt and its answer are 576 tokens"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Serving(**settings)


def test_a_context_beyond_the_models_own_is_refused():
    with pytest.raises(ConfigError, match="9000 tokens exceeds the 8192 that llama_3_8b"):
        serving_bytes(LLAMA, Serving(context=9000))
