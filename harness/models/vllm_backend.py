"""Answers by vLLM on this machine's GPU; training stays with transformers and PEFT.

Prompts are rendered and tokenised here, as for every backend, and given to vLLM as token ids.
vLLM reads and generates in one continuous batch, so the two are metered as one phase, ``decode``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ModelError
from harness.models import tokens
from harness.models.config import VllmConfig
from harness.models.protocol import Account, Listener, OptionScore
from harness.prompts import Messages
from harness.types import Answer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IN_PROCESS = "VLLM_ENABLE_V1_MULTIPROCESSING"
"""vLLM otherwise computes in a process of its own, whose time and memory the meter cannot see."""

MISSING = "model=vllm needs the package vllm and a GPU: pip install 'rag-ft-harness[vllm]'"


class VllmModel:
    """A causal model that vLLM runs.

    Args:
        folder: the model's files; with an adapter those of the merged model.

    Raises:
        ModelError: vLLM is not installed, or cannot run the model.
    """

    gives_likelihoods = True

    def __init__(
        self,
        config: VllmConfig,
        folder: str,
        tokenizer: PreTrainedTokenizerBase,
        identity: str,
    ) -> None:
        self._vllm = import_vllm()
        self.config = config
        self.tokenizer = tokenizer
        self.identity = identity
        self.chat = bool(tokenizer.chat_template) if config.chat is None else config.chat
        if self.chat and not tokenizer.chat_template:
            raise ModelError(
                f"model.chat=true, but {config.name} has no chat template; set model.chat=false"
            )
        self._end_ids = end_ids(folder, tokenizer)
        try:
            self._llm = self._vllm.LLM(
                model=folder,
                # Token ids go in and come out: vLLM needs no tokenizer, and makes none of its own.
                skip_tokenizer_init=True,
                dtype=config.dtype,
                max_model_len=config.context_tokens,
                gpu_memory_utilization=config.gpu_memory_share,
                max_num_seqs=config.batch_size,
                seed=0,
                trust_remote_code=False,
                # A model's own generation settings may bring a repetition penalty.
                generation_config="vllm",
            )
        except (ValueError, RuntimeError, OSError, KeyError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"vLLM cannot run {config.name}: {reason}") from error
        self.context_tokens = int(self._llm.llm_engine.model_config.max_model_len)

    def render(self, messages: Messages) -> str:
        """The exact text that the model is given, up to where its answer begins."""
        return tokens.render(self.tokenizer, self.chat, messages)

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` without special ones."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt_tokens(self, prompts: Sequence[str]) -> list[int | None]:
        """Tokens of each prompt as the model reads it."""
        return [len(ids) for ids in self._encode(prompts)]

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        on_prefill: Listener | None = None,
        on_decode: Listener | None = None,
    ) -> list[Answer]:
        """The greedy answer to each prompt, in the order of the prompts.

        Raises:
            ModelError: a prompt and its answer exceed the context.
        """
        if on_prefill:
            on_prefill()
        encoded = self._encode(prompts)
        self._check_lengths(encoded, max_new_tokens)
        if on_decode:
            on_decode()
        ends = self._end_ids
        outputs = self._run(encoded, max_tokens=max_new_tokens, stop_token_ids=ends)
        answers = []
        for ids, output in zip(encoded, outputs, strict=True):
            produced = list(output.outputs[0].token_ids)
            text, length = tokens.answer_text(self.tokenizer, self.chat, ends, produced)
            answers.append(Answer(text, len(ids), min(length + 1, len(produced))))
        return answers

    def option_scores(
        self, prompts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[OptionScore]]:
        """Log-likelihood of each option as the continuation of its prompt."""
        contexts = self._encode(prompts)
        tails = [
            [
                tokens.continuation(self.tokenizer, self.chat, prompt, context, option)
                for option in choices
            ]
            for prompt, context, choices in zip(prompts, contexts, options, strict=True)
        ]
        whole = [c + tail for c, ts in zip(contexts, tails, strict=True) for tail in ts]
        read = iter(self._prompt_logprobs(whole))
        return [
            [OptionScore(sum(next(read)[len(c) :]), len(tail)) for tail in ts]
            for c, ts in zip(contexts, tails, strict=True)
        ]

    def text_losses(self, texts: Sequence[str], max_tokens: int) -> list[float]:
        """Mean next-token cross-entropy of each text, in nats a token, cut at ``max_tokens``."""
        encoded = [list(ids)[:max_tokens] for ids in self.tokenizer(list(texts))["input_ids"]]
        short = [i for i, ids in enumerate(encoded) if len(ids) < 2]
        if short:
            raise ModelError(f"text {short[0]} has fewer than two tokens: it has no loss")
        return [-sum(row[1:]) / (len(row) - 1) for row in self._prompt_logprobs(encoded)]

    def _prompt_logprobs(self, encoded: list[list[int]]) -> list[list[float]]:
        """The log-likelihood of each token given those before it; 0 for the first, which has none.

        Raises:
            ModelError: a prompt exceeds the context.
        """
        self._check_lengths(encoded, 1)
        outputs = self._run(encoded, max_tokens=1, prompt_logprobs=1)
        return [
            [
                0.0,
                *(
                    float(at[i].logprob)
                    for at, i in zip(o.prompt_logprobs[1:], ids[1:], strict=True)
                ),
            ]
            for ids, o in zip(encoded, outputs, strict=True)
        ]

    def _encode(self, prompts: Sequence[str]) -> list[list[int]]:
        return tokens.encode(self.tokenizer, self.chat, prompts)

    def _run(self, encoded: list[list[int]], **settings: Any) -> list[Any]:
        """vLLM's outputs, which are in the order of the prompts."""
        if not encoded:
            return []
        greedy = self._vllm.SamplingParams(temperature=0.0, detokenize=False, **settings)
        prompts = [self._vllm.TokensPrompt(prompt_token_ids=ids) for ids in encoded]
        return list(self._llm.generate(prompts, greedy, use_tqdm=False))

    def _check_lengths(self, encoded: list[list[int]], max_new_tokens: int) -> None:
        longest = max(map(len, encoded), default=0)
        if longest + max_new_tokens > self.context_tokens:
            raise ModelError(
                f"a prompt of {longest} tokens and an answer of {max_new_tokens} exceed the "
                f"{self.context_tokens} tokens of {self.config.name}; lower "
                "prompt.context_budget_tokens, retriever.top_k, prompt.shots or "
                "prompt.max_new_tokens"
            )

    def remembering(self, folder: Path) -> AbstractContextManager[None]:
        """Nothing: answers made here cost time alone."""
        del folder
        return nullcontext()

    def account(self) -> Account:
        """That vLLM answered, and what its phases hold."""
        return Account(
            notes=(
                f"answered by vLLM {vllm_version()}: decode_seconds holds reading and "
                "generating, and the GPU's memory is the share that vLLM takes at the start",
            )
        )


def import_vllm() -> Any:
    """The vllm module, set to compute in this process.

    Raises:
        ModelError: it is not installed.
    """
    os.environ.setdefault(IN_PROCESS, "0")
    try:
        import vllm
    except ImportError as error:
        raise ModelError(MISSING) from error
    return vllm


def vllm_version() -> str:
    """The installed version, read without loading it.

    Raises:
        ModelError: it is not installed.
    """
    try:
        return version("vllm")
    except PackageNotFoundError as error:
        raise ModelError(MISSING) from error


def end_ids(folder: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end an answer: the tokenizer's and those that the model's files name."""
    from transformers import AutoConfig, GenerationConfig

    try:
        own = GenerationConfig.from_pretrained(folder).eos_token_id
    except OSError:  # no generation_config.json
        own = AutoConfig.from_pretrained(folder).eos_token_id
    return sorted({*([own] if isinstance(own, int) else own or []), int(tokenizer.eos_token_id)})
