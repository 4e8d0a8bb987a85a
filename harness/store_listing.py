"""What the store holds: each artifact in words, its size, age, use and cost, and whether whole."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import store, store_use
from harness.store_use import Use

logger = logging.getLogger(__name__)

NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Entry:
    """One artifact, or a making that was not finished.

    Attributes:
        what: what it is, in words, from the manifest's key.
        whole: whether its manifest can be read; its files are checked by ``damage`` alone.
        size_bytes: of all its files.
        made_at: ISO time, as the manifest has it; "" if unknown.
        cost_seconds: metered seconds that making it took, what it was made from included.
    """

    kind: str
    folder: Path
    what: str
    whole: bool
    size_bytes: int
    made_at: str
    use: Use
    cost_seconds: float

    @property
    def name(self) -> str:
        """What it is called on the command line: kind and the first digits of its key."""
        return f"{self.kind}/{self.folder.name[:12]}"

    @property
    def age_order(self) -> tuple[int, str]:
        """Sorts the least recently used first, whatever the clock did meanwhile."""
        return self.use.tick, self.made_at

    @property
    def last_used_seconds(self) -> float | None:
        """Unix time of the last use, or else of the making; None if neither is known."""
        if self.use.last_seconds is not None or not self.made_at:
            return self.use.last_seconds
        try:
            return datetime.fromisoformat(self.made_at).timestamp()
        except ValueError:
            return None


def entries() -> list[Entry]:
    """All artifacts of the store, least recently used first."""
    models = _model_names()
    folders = (folder for kind in _kinds() for folder in _folders(kind, NAME.pattern))
    found = [_entry(folder, models) for folder in folders]
    return sorted(found, key=lambda entry: entry.age_order)


def unfinished() -> list[Path]:
    """Work folders: what makers that did not finish keep to go on from."""
    return [folder for kind in _kinds() for folder in _folders(kind, r"\.work-.*")]


def scratch() -> list[Path]:
    """Folders that makers are writing, or left behind when they died."""
    return [folder for kind in _kinds() for folder in _folders(kind, r"\.making-.*")]


def damage(folder: Path) -> str | None:
    """What is wrong with the artifact in ``folder``, every byte read; None if it is whole."""
    try:
        store_use.checked_manifest(folder)
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except KeyError as error:
        return f"the manifest has no {error}"
    except ValueError as error:
        broken = isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
        return "the manifest cannot be read" if broken else str(error)
    except (OSError, TypeError) as error:
        return str(error)
    return None


def size_of(folder: Path) -> int:
    """Bytes of all files in ``folder``; what goes away meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if not path.is_dir() else 0
        except OSError:
            continue
    return total


def describe(kind: str, key: Mapping[str, Any], models: Mapping[str, str] | None = None) -> str:
    """What an artifact is, in words: the parts of its key that tell it from others.

    Args:
        models: names of models by their identity, where known.
    """
    names = models or {}
    known = [part for part in (_word(name, key, names) for name in WORDS.get(kind, ())) if part]
    if not known:
        plain = ((name, value) for name, value in key.items() if isinstance(value, str | int))
        known = [f"{name} {_short(value)}" for name, value in plain][:4]
    return ", ".join(known)


WORDS: dict[str, tuple[str, ...]] = {
    "model": ("member",),
    "choices": ("model", "device"),
    "index": ("retriever", "passages", "corpus_sha256", "encoder"),
    "pairs": ("generator", "base", "messages", "given"),
    "replay": ("base", "prompts"),
    "adapter": ("base", "adapter", "seed", "train_dtype", "pairs", "texts"),
    "answers": ("weights", "index", "top_k", "test"),
    "probes": ("weights", "items"),
}
"""For each kind of artifact, the entries of its key that are worth reading, in this order."""

AS_THEY_ARE = ("device", "generator", "member", "retriever", "train_dtype")
"""Entries whose value says by itself what it is."""


def _word(name: str, key: Mapping[str, Any], models: Mapping[str, str]) -> str:
    """One entry of a key in words; "" where it says nothing."""
    value = key.get(name)
    if value in (None, "", []):
        return ""
    if name in ("base", "model"):
        return _model(value, models)
    if name == "weights":
        beside = " (beside it)" if value["merged"] is False else ""
        adapter = f" + adapter/{_short(value['adapter'])}{beside}" if value["adapter"] else ""
        return _model(value["base"], models) + adapter
    if name == "adapter":
        size = f" rank {value['rank']}" if value["kind"] == "lora" else ""
        return f"{value['kind']}{size}, rate {value['learning_rate']:g}, {value['epochs']} epochs"
    if name in AS_THEY_ARE:
        return str(value)
    between = "/" if name == "index" else " "
    return f"{name.removesuffix('_sha256')}{between}{_short(value)}"


def _model(identity: str, models: Mapping[str, str]) -> str:
    return models.get(identity, f"model {_short(identity)}")


def _short(value: Any) -> str:
    """A value as one short word: the first digits of a hash, text without line breaks."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if re.fullmatch(r"[0-9a-f]{40,}", text):
        return text[:8]
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:39] + "…"


def _entry(folder: Path, models: Mapping[str, str]) -> Entry:
    kind = folder.parent.name
    what, made_at, cost_seconds, whole = "its manifest cannot be read", "", 0.0, False
    try:
        manifest = _manifest(folder)
        what = describe(kind, manifest["key"], models)
        made_at = str(manifest["made_at"])
        readings = manifest["costs"].values()
        cost_seconds = sum(float(one["wall_seconds"]) for one in readings)
        whole = True
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.debug("%s: %s", folder, error)
    use = store_use.use_of(folder)
    return Entry(kind, folder, what, whole, size_of(folder), made_at, use, cost_seconds)


def _manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / store_use.MANIFEST).read_text(encoding="utf-8")))


def _model_names() -> dict[str, str]:
    """Names of the converted models in the store, by the identity that other keys hold.

    The identity is computed as ``models.load.folder_identity`` does, from the manifest's sums.
    """
    names = {}
    for folder in _folders(store.store_folder() / "model", NAME.pattern):
        try:
            manifest = _manifest(folder)
            sums = sorted(manifest["files"].items())
            told = "".join(f"{n}:{d};" for n, d in sums if Path(n).suffix in MODEL_FILES)
            names[hashlib.sha256(told.encode()).hexdigest()] = Path(manifest["key"]["member"]).stem
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return names


MODEL_FILES = (".safetensors", ".json", ".txt", ".model", ".jinja")


def _kinds() -> Iterator[Path]:
    yield from _folders(store.store_folder(), r"[^.].*")


def _folders(folder: Path, pattern: str) -> list[Path]:
    try:
        inner = sorted(folder.iterdir())
    except OSError:
        return []
    return [path for path in inner if re.fullmatch(pattern, path.name) and path.is_dir()]
