"""Turns passages and questions into vectors with a sentence-transformers model."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import RetrievalError, SourceError
from harness.retrieval.config import EncoderConfig
from harness.retrieval.model_files import files_sha256, model_folder
from harness.types import sha256_of

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)


class Encoder(Protocol):
    """What dense retrieval needs of an encoder; vectors are float32, ``(texts, dimension)``.

    Two encoders with the same ``identity`` give the same vectors.
    """

    name: str
    identity: str
    dimension: int

    def encode_passages(self, texts: Sequence[str]) -> np.ndarray: ...

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray: ...


class SentenceEncoder:
    """An Encoder around a sentence-transformers model that has been loaded."""

    def __init__(self, model: Any, config: EncoderConfig, identity: str) -> None:
        self.name = config.label
        self.identity = identity
        self.dimension = int(model.get_embedding_dimension())
        self._model = model
        self._config = config

    def encode_passages(self, texts: Sequence[str]) -> np.ndarray:
        """The passages' vectors; warns where the encoder does not read a passage to its end."""
        texts = [self._config.passage_prefix + text for text in texts]
        self._warn_of_truncation(texts)
        return self._encode(texts)

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """The questions' vectors."""
        return self._encode([self._config.query_prefix + text for text in texts])

    def _encode(self, texts: list[str]) -> np.ndarray:
        import numpy as np

        # Batches are made by length inside encode(), so little is spent on padding.
        vectors = self._model.encode(
            texts,
            batch_size=self._config.batch_size,
            normalize_embeddings=self._config.normalise,
            show_progress_bar=len(texts) > 512 and sys.stderr.isatty(),
            convert_to_numpy=True,
        )
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if self._config.normalise and self._config.dtype != "float32":
            # A length of 1 in half precision is up to 0.4 % off, which would reorder near passages.
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def _warn_of_truncation(self, texts: list[str]) -> None:
        limit = self._model.max_seq_length
        # A token is at least one character, so a short text needs no counting.
        long = [text for text in texts if limit and len(text) > limit - 2]
        if not long:
            return
        counted = self._model.tokenizer(long, truncation=False, verbose=False)["input_ids"]
        cut = sum(len(ids) > limit for ids in counted)
        if cut:
            logger.warning(
                "%d of %d passages are longer than the %d tokens that %s reads: their ends are not "
                "searched; set retriever.chunk_tokens lower",
                cut,
                len(texts),
                limit,
                self.name,
            )


def load_encoder(config: EncoderConfig, device: str) -> SentenceEncoder:
    """The encoder named in ``config``, on ``device`` ("cpu", "cuda", "cuda:1").

    Raises:
        SourceError: its files cannot be had, or are no sentence-transformers model.
        RetrievalError: they cannot be loaded.
    """
    import torch
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    folder = encoder_folder(config)
    try:
        model = SentenceTransformer(
            str(folder),
            device=str(device),
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": getattr(torch, config.dtype)},
        )
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RetrievalError(f"encoder '{config.label}' cannot be loaded: {reason}") from error
    return SentenceEncoder(model.eval(), config, encoder_identity(config))


def encoder_identity(config: EncoderConfig) -> str:
    """Hex sha256 of all that decides the encoder's vectors: files, prefixes, normalising, dtype.

    Loads nothing. The batch size is left out: it moves vectors by rounding errors only.
    """
    return sha256_of(
        {
            "files": files_sha256(encoder_folder(config)),
            "query_prefix": config.query_prefix,
            "passage_prefix": config.passage_prefix,
            "normalise": config.normalise,
            "dtype": config.dtype,
        }
    )


def encoder_folder(config: EncoderConfig) -> Path:
    """The folder of the encoder's files, fetched if they are not cached.

    Raises:
        SourceError: they cannot be had, or are no sentence-transformers model in safetensors.
    """
    folder = model_folder(config, "encoder", config.setting)
    if not (folder / "modules.json").is_file():
        raise SourceError(
            f"encoder '{config.label}': no modules.json in {folder}, so it is no "
            f"sentence-transformers model; check {config.setting}.id (or member)"
        )
    return folder
