"""Number format and attention: measured once, stored, the same for every arm."""

from __future__ import annotations

import pytest
import torch

from harness.models import calibrate
from harness.models.calibrate import measure_choices, resolve_choices
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles

FILES = ModelFiles("somewhere", None, "identity")
CPU = torch.device("cpu")
CHOSEN = {
    "dtype": "bfloat16",
    "attention": "eager",
    "train_dtype": "float32",
    "train_attention": "sdpa",
}


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

    def measured(files: ModelFiles, device: torch.device) -> dict[str, object]:
        calls.append(files.identity)
        return {"chosen": CHOSEN, "seconds": {}}

    monkeypatch.setattr(calibrate, "measure_choices", measured)
    config = ModelConfig(source="hub", id="a/b", train_dtype="bfloat16")
    for _ in range(2):
        resolved = resolve_choices(config, FILES, CPU)
        assert (resolved.dtype, resolved.attention) == ("bfloat16", "eager")
        assert (resolved.train_dtype, resolved.train_attention) == ("bfloat16", "sdpa")
    assert calls == ["identity"]
    resolve_choices(config, ModelFiles("elsewhere", None, "another"), CPU)
    assert calls == ["identity", "another"]


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
    assert measure_choices(files, CPU)["chosen"] == {
        "dtype": "bfloat16",
        "attention": "sdpa",
        "train_dtype": "float32",
        "train_attention": "eager",
    }


def test_the_real_timings_run_on_a_model(tiny_model_folder, own_cache):
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    found = measure_choices(files, CPU)
    assert set(found["seconds"]) == {"answer", "train"}
    for times in found["seconds"].values():
        assert set(times) == {
            f"{dtype} {attention}"
            for dtype in ("float32", "bfloat16")
            for attention in ("sdpa", "eager")
        }
        assert all(0 < value < float("inf") for value in times.values())
