"""A tiny real model made on the spot, and a cache of its own for every test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WORDS = (
    "What is the capital of Answer with a name only from text The river mayor town person "
    "company Paris London Rome Berlin Oslo Lima Cairo Accra one two three four five six seven"
)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What a test's run has Hydra log to, a stream that pytest closes, is gone with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test alone."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(folder))
    return folder


class KilledError(BaseException):
    """What stops a training in the middle, where no process is to die."""


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Makes the next trainings die in the forward pass after so many steps; None lets them live."""
    from harness.adapters.trainer import HeadOnAnswersTrainer

    compute_loss = HeadOnAnswersTrainer.compute_loss
    at: list[int | None] = [None]

    def mortal(trainer: HeadOnAnswersTrainer, *args: Any, **kwargs: Any) -> Any:
        if trainer.model.training and trainer.state.global_step == at[0]:
            raise KilledError
        return compute_loss(trainer, *args, **kwargs)

    monkeypatch.setattr(HeadOnAnswersTrainer, "compute_loss", mortal)

    def kill(step: int | None) -> None:
        at[0] = step

    return kill


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of some ten thousand parameters with a byte-level tokenizer, saved."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny", chat=True)


@pytest.fixture(scope="session")
def tiny_base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a chat template: a base model."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "base", chat=False)


def make_tiny_model(folder: Path, chat: bool, seed: int = 0) -> Path:
    """Write a random Llama and its tokenizer to ``folder``."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    if chat:
        fast.chat_template = CHAT_TEMPLATE
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(fast),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=512,
            # Wide enough that logits differ: with tied embeddings of 0.02 every token is as likely.
            initializer_range=0.3,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=fast.eos_token_id,
            pad_token_id=fast.pad_token_id,
        )
    )
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(tiny_model_folder: Path, own_cache: Path) -> Iterator[object]:
    """The tiny chat model, loaded."""
    yield load_tiny(tiny_model_folder)


def load_tiny(folder: Path, **settings: object):
    """The model in ``folder`` as a LanguageModel, its weights frozen as for answering."""
    import torch

    from harness.models.config import ModelConfig
    from harness.models.language_model import LanguageModel
    from harness.models.load import ModelFiles, load_tokenizer, load_weights

    files = ModelFiles(str(folder), None, "tiny")
    weights = load_weights(files, "float32", "eager", torch.device("cpu")).requires_grad_(False)
    config = ModelConfig(name="tiny", source="local", id=str(folder), **settings)  # type: ignore[arg-type]
    return LanguageModel(weights, load_tokenizer(files), config, files.identity)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder: random BERT of width 8 that reads letters."""
    import string

    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny_encoder")
    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    torch.manual_seed(0)
    bert = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=512,
    )
    BertModel(bert).save_pretrained(folder / "bert")
    BertTokenizerFast(vocab={word: i for i, word in enumerate(vocabulary)}).save_pretrained(
        folder / "bert"
    )
    modules = [Transformer(str(folder / "bert"), max_seq_length=512), Pooling(8)]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"))
    return folder / "model"
