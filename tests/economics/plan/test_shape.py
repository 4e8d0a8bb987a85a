import json

import pytest

from harness.economics.plan.shape import from_config, known_shapes, shape_of, shape_rows
from harness.errors import ConfigError

LLAMA = {
    "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 8, "intermediate_size": 16,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 10,
}  # fmt: skip


@pytest.mark.parametrize("row", shape_rows(), ids=lambda row: row["name"])
def test_every_shape_of_the_table_has_its_published_number_of_parameters(row):
    assert known_shapes()[row["name"]].parameters == int(row["parameters"])
    assert row["source"].startswith("https://")


def test_llama_3_8b_has_its_published_parameters_and_lora():
    shape = shape_of("llama-3-8b")
    assert shape.parameters == 8_030_261_248
    assert shape_of("Mistral-7B").parameters == 7_241_732_096
    # rank 16 on q, k, v, o, gate, up, down: what PEFT prints for it
    assert shape.lora_parameters(16) == 41_943_040


def test_a_made_model_has_as_many_parameters_as_its_shape(tiny_model_folder):
    from transformers import AutoModelForCausalLM

    shape = shape_of(str(tiny_model_folder))
    model = AutoModelForCausalLM.from_pretrained(tiny_model_folder)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    assert shape_of(str(tiny_model_folder / "config.json")).parameters == shape.parameters


@pytest.mark.parametrize("family", ["Qwen2", "Qwen3", "Gemma", "Gemma2", "Mistral"])
def test_other_families_count_as_transformers_does(family, tmp_path):
    import transformers

    settings = getattr(transformers, f"{family}Config")(
        num_hidden_layers=2, hidden_size=32, intermediate_size=48, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, vocab_size=50, pad_token_id=0,
    )  # fmt: skip
    model = getattr(transformers, f"{family}ForCausalLM")(settings)
    settings.save_pretrained(tmp_path)
    assert shape_of(str(tmp_path)).parameters == sum(p.numel() for p in model.parameters())


def test_lora_counts_as_peft_does(tiny_model_folder):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model_folder)
    settings = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    trained, _ = get_peft_model(model, settings).get_nb_trainable_parameters()
    assert shape_of(str(tiny_model_folder)).lora_parameters(4) == trained


def test_a_model_of_conf_is_found_where_its_file_says(tiny_model_folder, tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(f"source: local\nid: {tiny_model_folder}\n")
    monkeypatch.setattr("harness.config.CONF", tmp_path)
    assert shape_of("mine").parameters == shape_of(str(tiny_model_folder)).parameters


def test_a_cached_hub_id_is_read_and_nothing_is_fetched(tiny_model_folder, monkeypatch):
    cached = {"me/tiny": str(tiny_model_folder / "config.json")}
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda name, _: cached.get(name))
    assert shape_of("me/tiny").name == "tiny"
    with pytest.raises(ConfigError, match="or a hub id that is cached here"):
        shape_of("me/other")


def test_what_a_config_leaves_unsaid_follows_the_family():
    shape = from_config(LLAMA, "x", "x")
    assert (shape.head_dim, shape.tied, shape.positions) == (2, False, None)
    assert from_config(LLAMA | {"model_type": "gemma"}, "x", "x").tied
    assert from_config(LLAMA | {"num_key_value_heads": None}, "x", "x").kv_heads == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2'; a plan covers llama"),
        ({"model_type": None}, "model_type is 'None'"),
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"num_hidden_layers": 0}, "layers is 0; it is a number of 1 or more"),
        ({"num_hidden_layers": "two"}, "layers is two; it is a number"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"num_key_value_heads": 3}, "4 heads cannot share 3 KV heads"),
        ({"mlp_bias": True}, "mlp_bias is true"),
        ({"attention_bias": True}, "attention_bias is true"),
    ],
)
def test_a_config_that_is_not_covered_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        from_config(LLAMA | change, "x", "folder/config.json")


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(ConfigError, match="'llama_3_9b' is not in the table; did you mean"):
        shape_of("llama_3_9b")


@pytest.mark.parametrize("text", ["{", "[]", json.dumps("x")])
def test_a_file_that_is_no_config_is_refused(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json"):
        shape_of(str(tmp_path))
