"""The settings of a model behind an OpenAI-compatible address; imports nothing heavy."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from harness.errors import ConfigError, suggestion
from harness.models.config import ModelConfig

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class EndpointConfig(ModelConfig):
    """A model behind an OpenAI-compatible address; its weights are not here, so it has no adapter.

    Attributes:
        id: the model's name there.
        base_url: where the API begins, mostly ending in /v1.
        api: "chat" sends messages; "completions" sends text, which the tokenizer's chat template
            makes if there is one, and scores options by log-likelihood where the server can.
        api_key_env: the environment variable that holds the key, never the key itself.
        tokenizer: hub id or folder of the model's tokenizer: it cuts and counts passages. Without
            it a token is taken to be four characters.
        seed: sent along; null leaves it out. It is not the run's, since frozen weights under greedy
            decoding answer once for all seeds.
        limit_field: what the API calls the longest answer.
        concurrency: most requests under way at once.
        timeout_seconds: longest wait for one answer.
        retries: how often a request that failed for a passing reason is sent again.
        requests_per_minute: most requests sent in a minute; null sets no limit.
        price_per_million_in, price_per_million_cached_in, price_per_million_out: US dollars for a
            million tokens; null where it is not known.
    """

    source: str = "endpoint"
    base_url: str = ""
    api: str = "chat"
    api_key_env: str | None = None
    tokenizer: str | None = None
    seed: int | None = 0
    limit_field: str = "max_tokens"
    concurrency: int = 4
    timeout_seconds: float = 60.0
    retries: int = 4
    requests_per_minute: float | None = None
    price_per_million_in: float | None = None
    price_per_million_cached_in: float | None = None
    price_per_million_out: float | None = None

    backend: ClassVar[str] = "endpoint"
    timed: ClassVar[tuple[str, ...]] = ()

    UNUSED: ClassVar[tuple[str, ...]] = (
        *("revision", "package", "version", "sha256", "member", "dtype", "attention"),
        *("train_dtype", "train_attention", "train_quantization"),
        *("batch_size", "batch_tokens"),
    )

    def __post_init__(self) -> None:
        self._check_address()
        if self.source != "endpoint":
            raise ConfigError(f"model.source is {self.source}; with model=endpoint it is endpoint")
        if not self.id:
            raise ConfigError("model=endpoint needs model.id, the model's name at the endpoint")
        self.name = self.name or self.id.rstrip("/").rsplit("/", 1)[-1]
        defaults = {field.name: field.default for field in dataclasses.fields(ModelConfig)}
        for name in self.UNUSED:
            if getattr(self, name) != defaults[name]:
                raise ConfigError(f"model.{name} does nothing with model=endpoint; leave it out")
        for name, value, choices in (
            ("api", self.api, ("chat", "completions")),
            ("limit_field", self.limit_field, ("max_tokens", "max_completion_tokens")),
        ):
            if value not in choices:
                raise ConfigError(
                    f"model.{name} is '{value}'; it is one of {', '.join(choices)}"
                    + suggestion(value, list(choices))
                )
        if self.chat is not None and self.api == "chat":
            raise ConfigError("model.chat does nothing with model.api=chat: the server has it")
        if self.chat and self.tokenizer is None:
            raise ConfigError("model.chat=true needs model.tokenizer, whose chat template it uses")
        # The value is not shown: somebody may have given the key itself.
        if self.api_key_env is not None and not _VARIABLE.fullmatch(self.api_key_env):
            raise ConfigError(
                "model.api_key_env is the name of an environment variable (letters, digits and _), "
                "never the key itself"
            )
        self._check_numbers()

    def _check_address(self) -> None:
        if not self.base_url:
            raise ConfigError(
                "model=endpoint needs model.base_url, where the API begins, "
                "for instance http://127.0.0.1:8000/v1"
            )
        try:
            parts = urlsplit(self.base_url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise ConfigError("model.base_url is no address such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            # It goes into the record: a key in it would be published.
            raise ConfigError(
                "model.base_url is host, port and path alone; put a key into an environment "
                "variable and name that with model.api_key_env"
            )

    def _check_numbers(self) -> None:
        if self.concurrency < 1 or self.timeout_seconds <= 0 or self.retries < 0:
            raise ConfigError(
                "model.concurrency is at least 1, model.timeout_seconds above 0 and model.retries "
                "0 or more"
            )
        if self.requests_per_minute is not None and self.requests_per_minute <= 0:
            raise ConfigError("model.requests_per_minute is above 0, or null for no limit")
        if self.context_tokens is not None and self.context_tokens < 16:
            raise ConfigError(f"model.context_tokens is {self.context_tokens}; it is at least 16")
        for name in ("in", "cached_in", "out"):
            price = getattr(self, f"price_per_million_{name}")
            if price is not None and price < 0:
                raise ConfigError(f"model.price_per_million_{name} is {price}; it is 0 or more")
