"""The vLLM backend against a stand-in for the part of vLLM that it uses.

vLLM needs a GPU, so what is tested here is our side: what it is given and how its answers are read.
The stand-in computes with the tiny real model, so the backend must agree with transformers'. Names
and shapes follow vLLM's documentation (LLM, SamplingParams, TokensPrompt, RequestOutput).
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import load_tiny

from harness.adapters.config import AdapterConfig
from harness.errors import ModelError
from harness.models import vllm_backend
from harness.models.backends import key_of, open_model
from harness.models.config import VllmConfig
from harness.models.load import ModelFiles, load_tokenizer, load_weights
from harness.models.vllm_backend import VllmModel
from harness.prompts import Messages

QUESTIONS = ["What is the capital of Peru", "river", "Rome Oslo Lima two three four"]


@dataclass
class SamplingParams:
    """The fields of vLLM's that are used; another name is a TypeError, as there."""

    temperature: float = 1.0
    max_tokens: int = 16
    stop_token_ids: list[int] | None = None
    prompt_logprobs: int | None = None
    detokenize: bool = True


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class CompletionOutput:
    token_ids: list[int]
    text: str = ""
    finish_reason: str = "length"


@dataclass
class RequestOutput:
    prompt_token_ids: list[int]
    prompt_logprobs: list[dict[int, Logprob] | None] | None
    outputs: list[CompletionOutput]


@dataclass
class LLM:
    """``vllm.LLM`` on the CPU, one prompt at a time."""

    model: str
    skip_tokenizer_init: bool = False
    dtype: str = "auto"
    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.9
    max_num_seqs: int = 256
    seed: int = 0
    trust_remote_code: bool = False
    generation_config: str = "auto"

    def __post_init__(self) -> None:
        if "broken" in self.model:
            raise ValueError("No supported config format found\nmore")
        MADE.append(self)
        self.weights = load_weights(
            ModelFiles(self.model, None, ""), self.dtype, "eager", torch.device("cpu")
        )
        limit = self.max_model_len or self.weights.config.max_position_embeddings
        config = types.SimpleNamespace(max_model_len=limit)
        self.llm_engine = types.SimpleNamespace(model_config=config)

    def generate(
        self, prompts: list[dict[str, Any]], sampling_params: SamplingParams, use_tqdm: bool = True
    ) -> list[RequestOutput]:
        assert not use_tqdm
        assert sampling_params.temperature == 0.0
        return [self._one(prompt["prompt_token_ids"], sampling_params) for prompt in prompts]

    def _one(self, ids: list[int], asked: SamplingParams) -> RequestOutput:
        with torch.inference_mode():
            known, produced = list(ids), []
            for _ in range(asked.max_tokens):
                token = int(self.weights(torch.tensor([known])).logits[0, -1].argmax())
                known.append(token)
                produced.append(token)
                if token in (asked.stop_token_ids or []):
                    break
            read = self.weights(torch.tensor([ids])).logits[0].log_softmax(-1)
        logprobs: list[dict[int, Logprob] | None] | None = None
        if asked.prompt_logprobs is not None:
            # The prompt's own token and the likeliest; nothing for the first, as in vLLM.
            logprobs = [None]
            for at, token in enumerate(ids[1:]):
                best = int(read[at].argmax())
                logprobs.append({t: Logprob(float(read[at, t])) for t in (best, token)})
        return RequestOutput(ids, logprobs, [CompletionOutput(produced)])


MADE: list[LLM] = []


@pytest.fixture(autouse=True)
def vllm(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[types.ModuleType]:
    """A module ``vllm`` in which the stand-ins stand."""
    module = types.ModuleType("vllm")
    module.LLM, module.SamplingParams = LLM, SamplingParams  # type: ignore[attr-defined]
    module.TokensPrompt = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setattr(vllm_backend, "version", lambda name: "0.0-test")
    monkeypatch.setenv(vllm_backend.IN_PROCESS, "0")
    MADE.clear()
    yield module


def both(folder: Path, **settings: Any) -> tuple[VllmModel, Any]:
    """The model under vLLM's stand-in and under transformers."""
    config = VllmConfig(name="tiny", source="local", id=str(folder), dtype="float32", **settings)
    files = ModelFiles(str(folder), None, "tiny")
    model = open_model(config, files, torch.device("cpu"), load_tokenizer(files), "tiny")
    assert isinstance(model, VllmModel)
    return model, load_tiny(folder, **settings)


@pytest.mark.parametrize("kind", ["chat", "base"])
def test_it_agrees_with_transformers(kind: str, tiny_model_folder: Path, tiny_base_folder: Path):
    ours, theirs = both(tiny_model_folder if kind == "chat" else tiny_base_folder)
    prompts = [ours.render(Messages("Answer.", text)) for text in QUESTIONS]
    assert prompts == [theirs.render(Messages("Answer.", text)) for text in QUESTIONS]
    assert ours.generate(prompts, 6) == theirs.generate(prompts, 6)
    assert ours.prompt_tokens(prompts) == theirs.prompt_tokens(prompts)
    assert ours.count_tokens("river Rome") == theirs.count_tokens("river Rome")
    options = [["Paris", "London town"], ["one"], ["Lima", "Cairo", "six seven"]]
    for mine, other in zip(
        ours.option_scores(prompts, options), theirs.option_scores(prompts, options), strict=True
    ):
        assert [one.tokens for one in mine] == [one.tokens for one in other]
        assert [one.logp for one in mine] == pytest.approx([one.logp for one in other], abs=1e-4)
    assert ours.text_losses(QUESTIONS, 5) == pytest.approx(
        theirs.text_losses(QUESTIONS, 5), abs=1e-4
    )


def test_an_answer_ends_at_the_models_own_end_tokens_too(tiny_model_folder: Path):
    ours, _ = both(tiny_model_folder)
    prompt = ours.render(Messages("Answer.", "river"))
    (whole,) = ours.generate([prompt], 6)
    assert whole.tokens_out == 6
    produced = (
        MADE[0]
        ._one(ours._encode([prompt])[0], SamplingParams(temperature=0.0, max_tokens=6))
        .outputs[0]
    )
    ours._end_ids = [produced.token_ids[2]]
    (cut,) = ours.generate([prompt], 6)
    assert cut.tokens_out == produced.token_ids.index(produced.token_ids[2]) + 1
    assert whole.text.startswith(cut.text)


def test_vllm_is_given_stated_settings_and_no_code_of_the_model(tiny_model_folder: Path):
    both(tiny_model_folder, context_tokens=200, batch_size=7)
    given = MADE[0]
    assert (given.model, given.dtype, given.max_model_len) == (
        str(tiny_model_folder),
        "float32",
        200,
    )
    assert (given.max_num_seqs, given.gpu_memory_utilization) == (7, 0.85)
    assert given.trust_remote_code is False
    assert given.generation_config == "vllm"


def test_phases_are_told_and_all_generating_is_one(tiny_model_folder: Path):
    ours, _ = both(tiny_model_folder)
    heard: list[str] = []
    ours.generate(
        [ours.render(Messages("A", "B"))] * 3,
        2,
        on_prefill=lambda: heard.append("prefill"),
        on_decode=lambda: heard.append("decode"),
    )
    assert heard == ["prefill", "decode"]
    assert "decode_seconds holds reading and generating" in ours.account().notes[0]


def test_nothing_asked_is_nothing_answered(tiny_model_folder: Path):
    ours, _ = both(tiny_model_folder)
    assert ours.generate([], 4) == [] == ours.option_scores([], [])


def test_what_is_too_long_is_refused(tiny_model_folder: Path):
    ours, _ = both(tiny_model_folder, context_tokens=20)
    with pytest.raises(ModelError, match="exceed the 20 tokens of tiny"):
        ours.generate(["river " * 30], 4)


def test_a_model_that_vllm_cannot_run_is_one_line(tiny_model_folder: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    broken.symlink_to(tiny_model_folder)
    with pytest.raises(
        ModelError, match=r"vLLM cannot run tiny: No supported config format found$"
    ):
        both(broken)


def test_an_adapter_is_merged_into_files_for_vllm(tiny_model_folder: Path, tmp_path: Path):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    base = load_weights(
        ModelFiles(str(tiny_model_folder), None, ""), "float32", "eager", torch.device("cpu")
    )
    adapted = get_peft_model(
        base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    )
    adapted.save_pretrained(tmp_path / "adapter")
    config = VllmConfig(name="tiny", source="local", id=str(tiny_model_folder), dtype="float32")
    files = ModelFiles(str(tiny_model_folder), None, "tiny")
    model = open_model(
        config,
        files,
        torch.device("cpu"),
        load_tokenizer(files),
        "tiny+adapter",
        (tmp_path / "adapter", AdapterConfig(rank=2)),
    )
    assert MADE[0].model != str(tiny_model_folder)
    assert not Path(MADE[0].model).exists()  # read, and gone
    ids = load_tokenizer(files)("river Rome", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        merged, expected = MADE[0].weights(ids).logits, adapted.eval()(ids).logits
    assert torch.allclose(merged, expected, atol=1e-4)
    assert model.identity == "tiny+adapter"


def test_answers_of_another_vllm_are_not_reused():
    config = VllmConfig(id="x")
    assert key_of(config) == {"backend": "vllm", "version": "0.0-test"}


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModelError, match=r"needs the package vllm and a GPU: .*\[vllm\]"):
        vllm_backend.import_vllm()
    with pytest.raises(ModelError, match=r"\[vllm\]"):
        key_of(VllmConfig(id="x"))
