"""A loaded language model that answers prompts: greedy text, option log-likelihoods, text loss.

Batches are made of prompts of like length, what all prompts begin with is read once
(``harness.models.reading``), and the output head is applied only where its logits are needed
(``harness.models.head``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from harness.errors import ModelError
from harness.models import greedy, tokens
from harness.models.config import ModelConfig
from harness.models.head import AnswerHead
from harness.models.protocol import Account, Listener, OptionScore
from harness.models.reading import Reader, keeps_every_token, padded, positions
from harness.progress import bar
from harness.prompts import Messages
from harness.types import Answer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["LanguageModel", "OptionScore", "is_out_of_memory"]


class _FirstToken(LogitsProcessor):
    """Calls back once, when the prompt has been read and the first token is about to be chosen."""

    def __init__(self, listener: Listener) -> None:
        self._listener: Listener | None = listener

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> Any:
        if self._listener is not None:
            self._listener()
            self._listener = None
        return scores


class LanguageModel:
    """A causal model with its tokenizer, in this process: the backend that can also be trained.

    Attributes:
        identity: hash of the weights that answer, adapter included.
        context_tokens: the longest prompt and answer together.
    """

    gives_likelihoods = True

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        config: ModelConfig,
        identity: str,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.config = config
        self.identity = identity
        self.head = AnswerHead(model)
        # Greedy means greedy: a model's own settings may bring a repetition penalty, which counts
        # the prompt too and so punishes copying an answer from a passage.
        own = model.generation_config
        ends = own.eos_token_id if own else None
        self.end_ids = sorted(
            {*([ends] if isinstance(ends, int) else ends or []), int(tokenizer.eos_token_id)}
        )
        model.generation_config = GenerationConfig(
            eos_token_id=self.end_ids, pad_token_id=tokenizer.pad_token_id, do_sample=False
        )
        self.chat = bool(tokenizer.chat_template) if config.chat is None else config.chat
        if self.chat and not tokenizer.chat_template:
            raise ModelError(
                f"model.chat=true, but {config.name} has no chat template; set model.chat=false"
            )
        limit = getattr(model.config, "max_position_embeddings", None) or 1 << 20
        self.context_tokens = min(limit, config.context_tokens or limit)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.model.device

    @property
    def end_id(self) -> int:
        """The token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    def render(self, messages: Messages) -> str:
        """The exact text that the model is given, up to where its answer begins."""
        return tokens.render(self.tokenizer, self.chat, messages)

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` without special ones."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text; a chat prompt already holds its special tokens."""
        return tokens.encode(self.tokenizer, self.chat, texts)

    def prompt_tokens(self, prompts: Sequence[str]) -> list[int | None]:
        """Tokens of each prompt as the model reads it."""
        return [len(ids) for ids in self.encode(prompts)]

    def remembering(self, folder: Path) -> AbstractContextManager[None]:
        """Nothing: answers made here cost time alone."""
        del folder
        return nullcontext()

    def account(self) -> Account:
        """Nothing that the row does not say already."""
        return Account()

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        on_prefill: Listener | None = None,
        on_decode: Listener | None = None,
        on_token: greedy.TokenListener | None = None,
        ends: bool = True,
    ) -> list[Answer]:
        """The greedy answer to each prompt, in the order of the prompts.

        Args:
            on_prefill: called before each batch.
            on_decode: called when a batch's prompts have been read: prefill ends, decode begins.
            on_token: called for each token as it is chosen, with its prompt's position.
            ends: False goes on after an end token, to exactly ``max_new_tokens``.

        Raises:
            ModelError: a prompt and its answer exceed the context, memory ran out, or tokens are
                asked for one by one of a model that is left to transformers.
        """
        encoded = self.encode(prompts)
        self._check_lengths([len(ids) for ids in encoded], max_new_tokens)
        reader = self._reader(encoded)
        own_loop = keeps_every_token(self.model)
        if not own_loop and (on_token or not ends):
            raise ModelError(
                f"{self.config.name} is left to transformers' own decoding, which tells no token "
                "as it is chosen; serve it behind an address instead (--endpoint)"
            )
        end_ids = self.end_ids if ends else []
        answers: dict[int, Answer] = {}
        for batch in self._shown("answering", [len(ids) for ids in encoded]):
            if on_prefill:
                on_prefill()
            prompts_of_batch = [encoded[i] for i in batch]
            with torch.inference_mode(), out_of_memory_is_one_line(self.config):
                if own_loop:
                    read = reader.read(prompts_of_batch)
                    if on_decode:
                        on_decode()
                    told = _by_position(on_token, batch)
                    produced = greedy.decode(self.model, read, max_new_tokens, end_ids, told)
                else:
                    produced = self._transformers_generate(
                        prompts_of_batch, max_new_tokens, on_decode
                    )
            for i, ids in zip(batch, produced, strict=True):
                answers[i] = self._answer(ids, len(encoded[i]))
        return [answers[i] for i in range(len(prompts))]

    def _reader(self, encoded: Sequence[list[int]]) -> Reader:
        return Reader(self.model, self.head, int(self.tokenizer.pad_token_id), encoded)

    def _transformers_generate(
        self, prompts: list[list[int]], max_new_tokens: int, on_decode: Listener | None
    ) -> list[list[int]]:
        """What follows each prompt, for a model whose cache only transformers knows how to keep."""
        ids, mask = self._pad(prompts)
        output = self.model.generate(  # type: ignore[operator]
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            logits_processor=LogitsProcessorList([_FirstToken(on_decode)] if on_decode else []),
            pad_token_id=self.tokenizer.pad_token_id,
        )
        produced: list[list[int]] = output[:, ids.shape[1] :].tolist()
        return produced

    def _answer(self, ids: list[int], tokens_in: int) -> Answer:
        """Generated ids as an answer: cut at the end token; a base model's also at a line's end."""
        text, length = tokens.answer_text(self.tokenizer, self.chat, self.end_ids, ids)
        return Answer(text=text, tokens_in=tokens_in, tokens_out=min(length + 1, len(ids)))

    def option_scores(
        self, prompts: Sequence[str], options: Sequence[Sequence[str]]
    ) -> list[list[OptionScore]]:
        """Log-likelihood of each option as the continuation of its prompt.

        Every prompt is read once; its options continue from its cached keys and values.
        """
        contexts = self.encode(prompts)
        tails = [
            [self._continuation(prompt, context, option) for option in choices]
            for prompt, context, choices in zip(prompts, contexts, options, strict=True)
        ]
        self._check_lengths(
            [len(c) + max(len(t) for t in ts) for c, ts in zip(contexts, tails, strict=True)], 0
        )
        reader = self._reader(contexts)
        widest = max((len(ts) for ts in tails), default=1)
        scores: dict[int, list[OptionScore]] = {}
        # An option's cache row is a copy of its prompt's, so the batch shrinks accordingly.
        for batch in self._shown("scoring options", [len(c) for c in contexts], widest):
            with torch.inference_mode(), out_of_memory_is_one_line(self.config):
                found = self._score_batch(
                    reader, [contexts[i] for i in batch], [tails[i] for i in batch]
                )
            scores.update(zip(batch, found, strict=True))
        return [scores[i] for i in range(len(prompts))]

    def _continuation(self, prompt: str, context: list[int], option: str) -> list[int]:
        """Ids of ``option`` after ``prompt``, as tokenised together where that splits cleanly."""
        return tokens.continuation(self.tokenizer, self.chat, prompt, context, option)

    def _score_batch(
        self, reader: Reader, contexts: list[list[int]], tails: list[list[list[int]]]
    ) -> list[list[OptionScore]]:
        logits, cache, mask = reader.read(contexts)
        first = logits.float().log_softmax(-1)  # (prompts, vocabulary)
        count = max(len(ts) for ts in tails)
        flat = [ts[n] if n < len(ts) else [0] for ts in tails for n in range(count)]
        width = max(len(t) for t in flat)
        rest = torch.tensor([t + [0] * (width - len(t)) for t in flat], device=self.device)
        real = torch.tensor(
            [[1] * len(t) + [0] * (width - len(t)) for t in flat], device=self.device
        )
        rows = torch.arange(len(tails), device=self.device).repeat_interleave(count)
        total = first[rows, rest[:, 0]]
        if width > 1:
            cache.batch_repeat_interleave(count)
            together = torch.cat([mask[rows], real], dim=1)
            predicts = real[:, 1:].bool()  # position t predicts token t + 1
            with self.head.only(predicts):
                logits = self.model(
                    input_ids=rest[:, :-1],
                    attention_mask=together[:, :-1],
                    position_ids=positions(together)[:, mask.shape[1] : -1],
                    past_key_values=cache,
                    use_cache=True,
                ).logits
            picked = logits.float().log_softmax(-1)
            gained = picked.gather(1, rest[:, 1:][predicts].unsqueeze(1)).squeeze(1)
            owner = predicts.nonzero()[:, 0]
            total = total.index_add(0, owner, gained)
        values = total.tolist()
        return [
            [OptionScore(values[p * count + n], len(t)) for n, t in enumerate(ts)]
            for p, ts in enumerate(tails)
        ]

    def text_losses(self, texts: Sequence[str], max_tokens: int) -> list[float]:
        """Mean next-token cross-entropy of each text, in nats a token, cut at ``max_tokens``.

        The logits at position t are held against token t + 1 (the shift that is easily forgotten).
        """
        encoded = [list(ids)[:max_tokens] for ids in self.tokenizer(list(texts))["input_ids"]]
        short = [i for i, ids in enumerate(encoded) if len(ids) < 2]
        if short:
            raise ModelError(f"text {short[0]} has fewer than two tokens: it has no loss")
        losses: dict[int, float] = {}
        # The head's output is wide (vocabulary), so batches stay small.
        for batch in self._shown("reading texts", [len(ids) for ids in encoded], 8):
            ids, mask = self._pad([encoded[i] for i in batch])
            predicts = torch.zeros_like(mask, dtype=torch.bool)
            predicts[:, :-1] = (mask[:, :-1] * mask[:, 1:]).bool()
            with (
                torch.inference_mode(),
                out_of_memory_is_one_line(self.config),
                self.head.only(predicts),
            ):
                logits = self.model(
                    input_ids=ids, attention_mask=mask, position_ids=positions(mask)
                ).logits
                nll = torch.nn.functional.cross_entropy(
                    logits.float(), ids[:, 1:][predicts[:, :-1]], reduction="none"
                )
                owner = predicts.nonzero()[:, 0]
                sums = torch.zeros(len(batch), device=self.device).index_add(0, owner, nll)
            for row, i in enumerate(batch):
                losses[i] = float(sums[row]) / (len(encoded[i]) - 1)
        return [losses[i] for i in range(len(texts))]

    def _shown(self, what: str, lengths: Sequence[int], shrink: int = 1) -> Iterator[list[int]]:
        """The batches, with a progress bar where there are several."""
        found = list(self.batches(lengths, shrink))
        if len(found) < 2:
            yield from found
            return
        with bar(what, len(lengths)) as advance:
            for batch in found:
                yield batch
                advance(len(batch))

    def batches(self, lengths: Sequence[int], shrink: int = 1) -> Iterator[list[int]]:
        """Indices in batches of like length, longest first, so that running out shows at once."""
        order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
        size = max(1, self.config.batch_size // max(1, shrink // 4))
        budget = max(1, self.config.batch_tokens // shrink)
        batch: list[int] = []
        for i in order:
            longest = lengths[batch[0]] if batch else lengths[i]
            if batch and (len(batch) == size or longest * (len(batch) + 1) > budget):
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def _pad(self, encoded: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask ``(batch, longest)``, padded on the left, on the model's device."""
        return padded(encoded, int(self.tokenizer.pad_token_id), self.device)

    def _check_lengths(self, lengths: Sequence[int], max_new_tokens: int) -> None:
        longest = max(lengths, default=0)
        if longest + max_new_tokens > self.context_tokens:
            raise ModelError(
                f"a prompt of {longest} tokens and an answer of {max_new_tokens} exceed the "
                f"{self.context_tokens} tokens of {self.config.name}; lower "
                "prompt.context_budget_tokens, retriever.top_k, prompt.shots or "
                "prompt.max_new_tokens"
            )


def _by_position(
    on_token: greedy.TokenListener | None, batch: Sequence[int]
) -> greedy.TokenListener | None:
    """The listener as a batch calls it: its rows stand for other positions among all prompts."""
    return on_token and (lambda row, token: on_token(batch[row], token))


@contextmanager
def out_of_memory_is_one_line(config: ModelConfig) -> Iterator[None]:
    """Turn the device's or the allocator's out-of-memory into one clear line."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise ModelError(memory_advice(config)) from error
        raise


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device, or the allocator of the CPU (a plain RuntimeError), ran out."""
    told = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "not enough memory" in told or "can't allocate memory" in told
    )


def memory_advice(config: ModelConfig) -> str:
    """The one line printed when a batch does not fit."""
    return (
        f"out of memory with model.batch_size={config.batch_size} and "
        f"model.batch_tokens={config.batch_tokens}; halve model.batch_tokens or use "
        "model.dtype=bfloat16"
    )
