from dataclasses import replace

import pytest

from harness.economics.memory import full_training_bytes, lora_training_bytes
from harness.economics.plan.shape import from_config, known_shapes
from harness.economics.plan.training import (
    Training,
    activation_bytes,
    trained_parameters,
    training_bytes,
    training_flop,
)
from harness.errors import ConfigError

SHAPE = from_config(
    {
        "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 8, "intermediate_size": 20,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 10,
    },
    "made", "made",
)  # fmt: skip
LLAMA = known_shapes()["llama_2_7b"]
STATE = ("weights", "adapter", "gradients", "moments")


def test_full_fine_tuning_in_float32_with_adam_is_16_bytes_a_parameter():
    parts = training_bytes(LLAMA, Training(method="full", dtype="float32"))
    state = sum(parts[name] for name in STATE if name in parts)
    assert state == full_training_bytes(LLAMA.parameters)
    # the published 112 GB are of 7e9 parameters
    assert state * 7e9 / LLAMA.parameters == pytest.approx(112e9)


def test_lora_on_bfloat16_weights_trained_in_float32_is_the_published_formula():
    training = Training(dtype="bfloat16", trained_dtype="float32", rank=16)
    parts = training_bytes(LLAMA, training)
    trained = trained_parameters(LLAMA, training)
    expected = lora_training_bytes(LLAMA.parameters, trained / LLAMA.parameters)
    assert sum(parts[name] for name in STATE) == pytest.approx(expected)


def test_qlora_takes_4127_bits_of_a_linear_weight():
    parts = training_bytes(LLAMA, Training(method="qlora"))
    rest = 2 * (LLAMA.parameters - LLAMA.linear)
    largest = 2 * 4096 * 11008
    assert parts["weights"] == pytest.approx(LLAMA.linear * 4.127 / 8 + rest + largest, rel=1e-4)
    assert parts["weights"] < 4.1e9


def test_zeroth_order_training_keeps_no_gradient_no_moment_and_one_blocks_activations():
    parts = training_bytes(LLAMA, Training(method="mezo"))
    assert set(parts) == {"weights", "activations", "logits"}
    full = training_bytes(LLAMA, Training(method="full", trained_dtype="float32"))
    # MeZO's table: full fine-tuning takes up to 12 times the memory of inference
    assert 5 < sum(full.values()) / sum(parts.values()) < 12


def test_moments_follow_the_optimiser():
    def moments(name: str) -> float:
        return training_bytes(SHAPE, Training(method="full", dtype="float32", optimiser=name))[
            "moments"
        ]

    n = SHAPE.parameters
    assert (moments("adamw"), moments("adamw_8bit"), moments("sgd")) == (8 * n, 2 * n, 0)


def test_activations_are_counted_tensor_by_tensor():
    lora = Training(method="lora", rank=4, dtype="float32", micro_batch=3, tokens=5)
    # a token and block: 8 values of 8 (two norms in and out, query, repeated key and value,
    # output), 4 of 20 in the network, 7 adapters of 4; a mask's row of 5, a sum for each head
    values = 8 * 8 + 4 * 20 + 7 * 4 + 5 + 4
    assert activation_bytes(SHAPE, lora) == 4 * 2 * 3 * 5 * values
    # eager: 4 x 5 probabilities in place of the last two
    eager = 8 * 8 + 4 * 20 + 7 * 4 + 4 * 5
    assert activation_bytes(SHAPE, replace(lora, attention="eager")) == 4 * 2 * 3 * 5 * eager
    full = values - 7 * 4 + 2 * 8
    assert activation_bytes(SHAPE, replace(lora, method="full")) == 4 * 2 * 3 * 5 * full
    # of 3 x 5 tokens 2 are shared: 11 are computed, and 3 x 2 more keys and values of 8
    shared = 11 * values + 3 * 2 * 2 * 8
    assert activation_bytes(SHAPE, replace(lora, shared=2)) == 4 * 2 * shared


def test_in_half_precision_the_normalisations_inputs_stay_in_float32():
    half = Training(method="lora", rank=4, dtype="bfloat16", micro_batch=1, tokens=1)
    assert activation_bytes(SHAPE, half) == 2 * (2 * (6 * 8 + 80 + 28 + 1) + 4 * (2 * 8 + 4))


@pytest.mark.parametrize("shared", [0, 16])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_autograd_keeps_what_was_counted(attention, method, shared):
    """What four real blocks save; rotary tables and the last norm are not counted."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from harness.adapters.beginning import logits_at
    from harness.models.head import AnswerHead

    settings = LlamaConfig(
        num_hidden_layers=4, hidden_size=64, intermediate_size=160, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=10, pad_token_id=0, attn_implementation=attention,
    )  # fmt: skip
    model = LlamaForCausalLM(settings)
    head = AnswerHead(model)
    if method == "lora":
        adapter = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(model, adapter)
    fixed = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in fixed:
            kept[storage.data_ptr()] = storage  # held, so that no address is given out twice
        return tensor

    ids = torch.ones(4, 48, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[0, -2:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits_at(model, head, inputs, mask < 0, shared)
    counted = activation_bytes(
        from_config(settings.to_dict() | {"model_type": "llama"}, "made", "made"),
        Training(
            method, 4, "float32", micro_batch=4, tokens=48, attention=attention, shared=shared
        ),
    )
    assert sum(s.nbytes() for s in kept.values()) == pytest.approx(counted, rel=0.05)


def test_checkpointing_keeps_each_blocks_input_and_one_block():
    training = Training(method="lora", rank=4, dtype="float32", micro_batch=3, tokens=5)
    whole = activation_bytes(SHAPE, training)
    kept = activation_bytes(SHAPE, replace(training, checkpointing=True))
    assert kept == whole / 2 + 2 * 15 * 8 * 4


def test_logits_are_those_of_the_positions_with_loss():
    parts = training_bytes(
        SHAPE, Training(dtype="bfloat16", micro_batch=2, tokens=10, loss_share=0.5)
    )
    assert parts["logits"] == 10 * 10 * (2 + 4 + 4)


def test_full_training_takes_6_flop_a_weight_and_token_and_lora_4():
    full = training_flop(SHAPE, Training(method="full", tokens=1), 100)
    assert full["blocks"] == 6 * SHAPE.linear * 100
    assert full["head"] == 6 * 80 * 100
    assert full["attention"] == 12 * 2 * 8 * 1 * 100  # PaLM's 12 LHQT a token
    assert full["adapter"] == full["recomputed"] == 0
    lora = training_flop(SHAPE, Training(method="lora", rank=4, tokens=1), 100)
    assert lora["blocks"] == 4 * SHAPE.linear * 100
    assert lora["adapter"] == 6 * SHAPE.lora_parameters(4) * 100
    mezo = training_flop(SHAPE, Training(method="mezo", tokens=1), 100)
    assert mezo["blocks"] == 4 * SHAPE.linear * 100
    again = training_flop(SHAPE, Training(method="full", tokens=1, checkpointing=True), 100)
    assert again["recomputed"] == 2 * SHAPE.linear * 100 + full["attention"] / 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "lorra"}, "--train is 'lorra'; it is one of full, lora, qlora, mezo"),
        ({"dtype": "int8"}, "--train-dtype is 'int8'"),
        ({"optimiser": "adam"}, "--optimiser is 'adam'; .*did you mean 'adamw'"),
        ({"attention": "flash"}, "--attention is 'flash'"),
        ({"tokens": 0}, "--example-tokens is 0; it is at least 1"),
        ({"rank": 0}, "--rank is 0"),
        ({"loss_share": 0}, "--loss-share is 0"),
        ({"loss_share": 2}, "--loss-share is 2; it is a share"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Training(**settings)


def test_no_tokens_are_refused():
    with pytest.raises(ConfigError, match="the number of trained tokens is 0"):
        training_flop(SHAPE, Training(), 0)
