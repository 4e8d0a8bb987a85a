"""The shape of a decoder of the Llama family and its number of parameters; no weights are read.

Covered are blocks with grouped queries and a gated feed-forward network: Llama, Mistral, Qwen 2 and
3, Gemma 1 and 2, SmolLM. Other families (mixtures of experts, GPT-2, state-space models) count
otherwise and are refused.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, suggestion

TABLE = Path(__file__).resolve().parents[2] / "data" / "model_shapes.csv"
HUB_PAGE = "https://huggingface.co/"

FAMILIES = {
    "llama": {"tied": False, "qkv_bias": False, "qk_norm": False, "norms": 2},
    "mistral": {"tied": False, "qkv_bias": False, "qk_norm": False, "norms": 2},
    "qwen2": {"tied": False, "qkv_bias": True, "qk_norm": False, "norms": 2},
    "qwen3": {"tied": False, "qkv_bias": False, "qk_norm": True, "norms": 2},
    "gemma": {"tied": True, "qkv_bias": False, "qk_norm": False, "norms": 2},
    "gemma2": {"tied": True, "qkv_bias": False, "qk_norm": False, "norms": 4},
}
"""``model_type`` of a config.json -> what its config leaves unsaid."""


@dataclass(frozen=True)
class Shape:
    """What decides a model's size and work.

    Attributes:
        tied: the output head is the embedding matrix.
        qkv_bias: the projections to queries, keys and values have a bias.
        qk_norm: queries and keys are normalised, head by head.
        norms: normalisations in a block.
        positions: the longest context it was made for.
        source: where the figures are from.
    """

    name: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    positions: int | None
    tied: bool
    qkv_bias: bool
    qk_norm: bool
    norms: int
    source: str

    def __post_init__(self) -> None:
        for field in (
            *("layers", "hidden", "intermediate", "heads", "kv_heads", "head_dim", "vocabulary"),
        ):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{self.source}: {field} is {value}; it is a number of 1 or more")
        if self.heads % self.kv_heads:
            raise ConfigError(
                f"{self.source}: {self.heads} heads cannot share {self.kv_heads} KV heads"
            )

    @property
    def query_width(self) -> int:
        """Values of all heads' queries of a token."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Values of a token's keys, or values, in one layer."""
        return self.kv_heads * self.head_dim

    @property
    def linear_shapes(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of a block's linear layers: query, key, value, output, gate, up, down."""
        h, q, kv, i = self.hidden, self.query_width, self.kv_width, self.intermediate
        return ((h, q), (h, kv), (h, kv), (q, h), (h, i), (h, i), (i, h))

    @property
    def linear(self) -> int:
        """Weights of the blocks' linear layers: what matrix products and LoRA work on."""
        return self.layers * sum(rows * columns for rows, columns in self.linear_shapes)

    @property
    def embedding(self) -> int:
        """Weights of the embedding; the output head has as many."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All parameters, a tied head counted once."""
        biases = (self.query_width + 2 * self.kv_width) if self.qkv_bias else 0
        norms = self.norms * self.hidden + (2 * self.head_dim if self.qk_norm else 0)
        outside = self.embedding * (1 if self.tied else 2) + self.hidden
        return self.linear + self.layers * (biases + norms) + outside

    def lora_parameters(self, rank: int) -> int:
        """Parameters of a LoRA of ``rank`` on every linear layer of the blocks."""
        if rank < 1:
            raise ConfigError(f"the rank is {rank}; it is at least 1")
        return self.layers * rank * sum(rows + columns for rows, columns in self.linear_shapes)


def known_shapes() -> dict[str, Shape]:
    """Name -> shape, of the bundled table."""
    return {row["name"]: _from_row(row) for row in shape_rows()}


def shape_rows() -> list[dict[str, str]]:
    """The bundled table as text, with each model's published number of parameters."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def shape_of(model: str) -> Shape:
    """The shape that ``model`` names.

    A model of the bundled table by its name, or the hub id that is its source, or of
    ``conf/model/``, a folder or file with a config.json, or a hub id that is cached. Nothing is
    fetched, and no weights are read.

    Raises:
        ConfigError: it names none of them, or its family is not covered.
    """
    known = known_shapes()
    if _plain(model) in known:
        return known[_plain(model)]
    for shape in known.values():
        if shape.source == f"{HUB_PAGE}{model}":
            return shape
    path = Path(model).expanduser()
    if path.is_dir():
        path = path / "config.json"
    if path.is_file():
        return _from_file(path, model)
    stated = _id_in_conf(model)
    if stated is not None:
        return shape_of(stated)
    cached = _cached_on_hub(model)
    if cached is not None:
        return _from_file(cached, model)
    near = suggestion(_plain(model), list(known))
    raise ConfigError(
        f"model '{model}' is not in the table{near}; it is one of {', '.join(known)}, or a folder "
        "or file with a config.json, or a hub id that is cached here"
    )


def from_config(config: Mapping[str, Any], name: str, source: str) -> Shape:
    """The shape that the contents of a config.json say.

    Raises:
        ConfigError: a field is missing, or the family is not covered.
    """
    family = config.get("model_type")
    if family not in FAMILIES:
        raise ConfigError(
            f"{source}: model_type is '{family}'; a plan covers {', '.join(FAMILIES)}"
        )
    unsaid = FAMILIES[str(family)]
    if config.get("mlp_bias"):
        raise ConfigError(f"{source}: mlp_bias is true, which a plan does not cover")
    if config.get("attention_bias") and not unsaid["qkv_bias"]:
        raise ConfigError(f"{source}: attention_bias is true, which a plan does not cover")
    needed = (
        *("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads"),
        "vocab_size",
    )
    missing = [field for field in needed if config.get(field) is None]
    if missing:
        raise ConfigError(f"{source}: {missing[0]} is missing; it is not a model's config.json")
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    if not isinstance(heads, int) or heads < 1 or not isinstance(hidden, int):
        raise ConfigError(f"{source}: num_attention_heads is {heads}; it is a number of 1 or more")
    return Shape(
        name=name,
        layers=config["num_hidden_layers"],
        hidden=hidden,
        intermediate=config["intermediate_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or hidden // heads,
        vocabulary=config["vocab_size"],
        positions=config.get("max_position_embeddings"),
        tied=bool(config.get("tie_word_embeddings", unsaid["tied"])),
        qkv_bias=bool(unsaid["qkv_bias"]),
        qk_norm=bool(unsaid["qk_norm"]),
        norms=int(unsaid["norms"]),
        source=source,
    )


def _from_row(row: Mapping[str, str]) -> Shape:
    counts: dict[str, Any] = {
        name: int(row[name])
        for name in (
            *("layers", "hidden", "intermediate", "heads", "kv_heads", "head_dim"),
            *("vocabulary", "positions", "norms"),
        )
    }
    flags: dict[str, Any] = {name: row[name] == "yes" for name in ("tied", "qkv_bias", "qk_norm")}
    return Shape(name=row["name"], source=row["source"], **counts, **flags)


def _from_file(path: Path, model: str) -> Shape:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a model's config.json: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} is not a model's config.json: it holds no object")
    return from_config(config, model.rstrip("/").rsplit("/", 1)[-1], str(path))


def _id_in_conf(model: str) -> str | None:
    """The folder or hub id that ``conf/model/<model>.yaml`` names; None without such a file."""
    from omegaconf import DictConfig, OmegaConf

    from harness.config import CONF

    path = CONF / "model" / f"{model}.yaml"
    if "/" in model or not path.is_file():
        return None
    settings = OmegaConf.load(path)
    stated = settings.get("id") if isinstance(settings, DictConfig) else None
    return str(stated) if stated and stated != model else None


def _cached_on_hub(model: str) -> Path | None:
    """The config.json of a hub id that was fetched before; nothing is fetched."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def _plain(model: str) -> str:
    """ "Llama-3-8B" and "llama_3_8b" are one name."""
    return model.lower().replace("-", "_")
