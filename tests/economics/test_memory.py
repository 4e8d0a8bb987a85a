import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.economics.memory import (
    Accelerator,
    decode_tokens_per_second,
    full_training_bytes,
    inference_accelerators,
    kv_cache_bytes,
    lora_training_bytes,
    training_accelerators,
)
from harness.errors import ConfigError

DEVICE = Accelerator("toy", memory_bytes=100, peak_flops=1e12, bandwidth=1000, source="made up")


def test_full_fine_tuning_of_7b_takes_112_gb():
    assert full_training_bytes(7e9) == 112e9


def test_lora_of_7b_with_one_percent_trained_takes_15_12_gb():
    assert lora_training_bytes(7e9, 0.01) == pytest.approx(15.12e9)


def test_llama_3_8b_keeps_128_kib_a_token():
    assert kv_cache_bytes(layers=32, kv_heads=8, head_dim=128, tokens=1) == 128 * 1024


def test_kv_cache_grows_with_tokens_and_sequences():
    one = kv_cache_bytes(2, 1, 4, tokens=1)
    assert one == 32
    assert kv_cache_bytes(2, 1, 4, tokens=5, batch=3) == 15 * one
    assert kv_cache_bytes(2, 1, 4, tokens=0) == 0


def test_decoding_is_bound_by_what_each_step_reads():
    # 1000 bytes/s ÷ (40 + 10 bytes) = 20 steps a second, of 4 sequences each
    assert decode_tokens_per_second(DEVICE, 40, 10, batch=4) == 80


def test_training_devices_follow_flop_where_memory_is_no_limit():
    # 6 · 1e6 · 1e9 = 6e15 FLOP; one device gives .5e12 · 1000 s = 5e14
    assert training_accelerators(DEVICE, 1e6, 1e9, seconds=1000, utilisation=0.5) == 12


def test_training_devices_follow_memory_where_it_is_the_limit():
    count = training_accelerators(
        DEVICE, 1e6, 1e3, seconds=1000, utilisation=0.5, needed_bytes=271, memory_share=0.9
    )
    assert count == 4  # 271 / 90


def test_inference_devices_are_the_larger_of_memory_and_rate():
    assert inference_accelerators(DEVICE, 91, 10, 100) == 2
    assert inference_accelerators(DEVICE, 50, 301, 100) == 4
    assert inference_accelerators(DEVICE, 50, 0, 100) == 1


@given(n=st.floats(1, 1e12), share=st.floats(0, 1), more=st.floats(0, 1))
def test_lora_memory_grows_with_the_trained_share(n, share, more):
    larger = min(1.0, share + more)
    assert lora_training_bytes(n, larger) >= lora_training_bytes(n, share) >= 2 * n


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: full_training_bytes(0), "the number of parameters is 0; it is above 0"),
        (lambda: lora_training_bytes(7e9, 1.5), "the trainable share is 1.5; it is a share"),
        (lambda: kv_cache_bytes(0, 8, 128, 1), "the number of layers is 0"),
        (lambda: kv_cache_bytes(1, 8, 128, -1), "the number of tokens is -1"),
        (lambda: training_accelerators(DEVICE, 1, 1, 1, 0), "the utilisation is 0"),
        (lambda: inference_accelerators(DEVICE, 1, 1, 0), "the rate of one device is 0"),
        (lambda: Accelerator("x", 1, 0, 1, ""), "peak_flops of x is 0"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
