"""Number format and attention: measured once, stored, the same for every arm."""

from __future__ import annotations

import pytest
import torch

from harness.errors import ModelError
from harness.models import calibrate
from harness.models.calibrate import measure_choices, resolve_choices
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles

FILES = ModelFiles("somewhere", None, "identity")
CPU = torch.device("cpu")


def test_what_is_set_is_kept_and_nothing_is_measured(own_cache, monkeypatch):
    monkeypatch.setattr(calibrate, "measure_choices", lambda *a: pytest.fail("measured"))
    config = ModelConfig(
        source="hub",
        id="a/b",
        dtype="float32",
        attention="eager",
        train_dtype="float32",
        train_attention="eager",
    )
    assert resolve_choices(config, FILES, CPU) == config


def test_the_measurement_is_made_once_and_fills_only_the_autos(own_cache, monkeypatch):
    calls = []

    def measured(
        files: ModelFiles, device: torch.device, candidates: dict[str, list[str]]
    ) -> dict[str, object]:
        calls.append(candidates)
        fastest = {prefix: names[-1].split() for prefix, names in candidates.items()}
        chosen = {f"{prefix}dtype": pair[0] for prefix, pair in fastest.items()}
        chosen |= {f"{prefix}attention": pair[1] for prefix, pair in fastest.items()}
        return {"chosen": chosen, "seconds": {}}

    monkeypatch.setattr(calibrate, "measure_choices", measured)
    config = ModelConfig(source="hub", id="a/b", train_dtype="float16", train_attention="sdpa")
    for _ in range(2):
        resolved = resolve_choices(config, FILES, CPU)
        assert (resolved.dtype, resolved.attention) == ("bfloat16", "eager")
        assert (resolved.train_dtype, resolved.train_attention) == ("float16", "sdpa")
    # Only answering was open; and what the user set is never measured against anything else.
    assert calls == [{"": ["float32 sdpa", "float32 eager", "bfloat16 sdpa", "bfloat16 eager"]}]
    resolve_choices(config, ModelFiles("elsewhere", None, "another"), CPU)
    assert len(calls) == 2


def test_a_format_that_is_set_leaves_only_the_attention_open():
    config = ModelConfig(source="hub", id="a/b", dtype="bfloat16")
    assert calibrate._candidates(config, "", CPU) == ["bfloat16 sdpa", "bfloat16 eager"]
    gpu = torch.device("cuda")
    assert "float16 sdpa" in calibrate._candidates(ModelConfig(source="hub", id="a/b"), "", gpu)
    train = calibrate._candidates(ModelConfig(source="hub", id="a/b"), "train_", gpu)
    assert not any(name.startswith("float16") for name in train)


CANDIDATES = {
    prefix: ["float32 sdpa", "float32 eager", "bfloat16 sdpa", "bfloat16 eager"]
    for prefix in ("", "train_")
}


def test_the_fastest_of_each_work_is_chosen(tiny_model_folder, own_cache, monkeypatch):
    seconds = {
        ("_answer", "float32 sdpa"): 3.0,
        ("_answer", "float32 eager"): 2.0,
        ("_answer", "bfloat16 sdpa"): 1.0,
        ("_answer", "bfloat16 eager"): float("inf"),
        ("_train_step", "float32 sdpa"): 2.0,
        ("_train_step", "float32 eager"): 1.5,
        ("_train_step", "bfloat16 sdpa"): 4.0,
        ("_train_step", "bfloat16 eager"): 4.0,
    }
    monkeypatch.setattr(
        calibrate, "_seconds", lambda model, work, device, name: seconds[work.__name__, name]
    )
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    assert measure_choices(files, CPU, CANDIDATES)["chosen"] == {
        "dtype": "bfloat16",
        "attention": "sdpa",
        "train_dtype": "float32",
        "train_attention": "eager",
    }


def test_the_real_timings_run_on_a_model(tiny_model_folder, own_cache):
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    found = measure_choices(files, CPU, CANDIDATES)
    assert set(found["seconds"]) == {"answer", "train"}
    for times in found["seconds"].values():
        assert set(times) == set(CANDIDATES[""])
        assert all(0 < value < float("inf") for value in times.values())


def test_a_format_that_does_not_load_is_not_chosen_and_none_at_all_is_one_line(
    tiny_model_folder, own_cache, monkeypatch
):
    real = calibrate.load_weights

    def only_bfloat16(files, dtype, attention, device):
        if dtype != "bfloat16":
            raise ModelError("does not fit")
        return real(files, dtype, attention, device)

    monkeypatch.setattr(calibrate, "load_weights", only_bfloat16)
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    assert measure_choices(files, CPU, CANDIDATES)["chosen"]["dtype"] == "bfloat16"
    with pytest.raises(ModelError, match=r"runs in none of float32 sdpa on cpu; use a smaller"):
        measure_choices(files, CPU, {"": ["float32 sdpa"]})
