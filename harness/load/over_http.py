"""An OpenAI-compatible endpoint under load: its prompts made beforehand, its answers streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, ModelError
from harness.load.config import LoadConfig
from harness.load.in_process import free_questions, table_of
from harness.load.loopback import check_loopback
from harness.load.sender import Address, send
from harness.load.served import Driven, Request
from harness.models import tokens
from harness.models.endpoint_config import EndpointConfig
from harness.models.requests import chat_body, text_body
from harness.models.transport import api_key
from harness.prompts import Messages, PromptConfig, build_messages
from harness.recorded import Row, open_run, settings_of
from harness.retrieval import fit_context
from harness.types import sha256_of

REFUSES_FIELDS = (400, 422)
"""What servers answer to a field that they do not know, as stream_options may be."""


@dataclass(frozen=True)
class Prompts:
    """What is asked, in order, and a tokenizer's way to write it as one text, if there is one."""

    names: Sequence[str]
    messages: Sequence[Messages]
    tokenizer: Any = None

    def texts(self) -> list[str]:
        """The messages as a completions API gets them."""
        template = bool(getattr(self.tokenizer, "chat_template", None))
        if not template:
            return [tokens.plain(one) for one in self.messages]
        return [tokens.render(self.tokenizer, True, one) for one in self.messages]


@dataclass(frozen=True)
class OverHttp:
    """An endpoint that is to answer an arm's prompts, or questions of a file.

    Attributes:
        endpoint: where, and which model.
        row: the arm whose prompts are sent; None: ``asked`` are.
        asked: questions of the user's own.
        folder: where the table of such questions is kept.
        extra: fields for the request body, such as ``ignore_eos``.
        remote: whether it may be on another machine.
    """

    endpoint: EndpointConfig
    config: LoadConfig
    row: Row | None = None
    asked: Sequence[str] = ()
    folder: Path = Path("results")
    extra: Mapping[str, Any] = field(default_factory=dict)
    remote: bool = False
    rebuild: bool = False

    def __post_init__(self) -> None:
        if not self.remote:
            check_loopback(self.endpoint.base_url)
        if self.config.batch != 1:
            raise ConfigError("--batch does nothing with an endpoint, which batches as it likes")

    @property
    def about(self) -> dict[str, Any]:
        """Columns that say what is asked and who answers."""
        searches = self.row is not None and settings_of(self.row).retriever is not None
        return {
            "arm": self.row["arm"] if self.row else "endpoint",
            "run_id": self.row["run_id"] if self.row else None,
            "model": self.endpoint.id,
            "endpoint": self.endpoint.base_url,
            "search": "beforehand" if searches else None,
            "device": None,
        }

    @property
    def settings(self) -> dict[str, Any]:
        """What else decides its figures."""
        return {
            "api": self.endpoint.api,
            "limit_field": self.endpoint.limit_field,
            "seed": self.endpoint.seed,
            "timeout_seconds": self.endpoint.timeout_seconds,
            "extra": dict(self.extra),
            "asked": sha256_of(list(self.asked)),
        }

    @property
    def table(self) -> Path:
        """Where its rows are kept."""
        return table_of(self.row) if self.row else self.folder / "load" / "endpoint.csv"

    @contextmanager
    def open(self) -> Iterator[Remote]:
        """The endpoint, which has answered once, with every prompt made.

        Raises:
            ModelError: it does not answer.
        """
        prompts = prompts_of(self.row, self.rebuild) if self.row else _plain(self.asked)
        yield Remote(self.endpoint, self.config, prompts, self.extra, self.remote).greeted()


@dataclass(frozen=True)
class Remote:
    """An endpoint that is ready for requests.

    Attributes:
        counts: whether it is asked for its count of tokens.
    """

    endpoint: EndpointConfig
    config: LoadConfig
    prompts: Prompts
    extra: Mapping[str, Any]
    remote: bool
    counts: bool = True

    @property
    def questions(self) -> int:
        """How many different ones there are."""
        return len(self.prompts.names)

    def exclusive(self) -> bool | None:
        """Unknown: the device is the endpoint's."""
        return None

    def greeted(self) -> Remote:
        """The same, once it has answered with one token.

        Raises:
            ModelError: it does not; in one line.
        """
        served = self.drive([Request(0, 0.0)], 1).served[0]
        if self.counts and served.error.startswith(tuple(f"status {n} " for n in REFUSES_FIELDS)):
            return replace(self, counts=False).greeted()
        if served.error:
            raise ModelError(
                f"the endpoint {self.endpoint.base_url} does not stream an answer of model "
                f"'{self.endpoint.id}': {served.error}"
            )
        return self

    def drive(self, schedule: Sequence[Request], tokens: int) -> Driven:
        """Send each request at its time, whatever became of those before."""
        key = api_key(self.endpoint) if self.endpoint.api_key_env else None
        path = "chat/completions" if self.endpoint.api == "chat" else "completions"
        address = Address(
            f"{self.endpoint.base_url.rstrip('/')}/{path}",
            key,
            self.endpoint.timeout_seconds,
            environment=self.remote,
        )
        bodies = self._bodies(tokens)
        served, window = send(
            address, schedule, self.prompts.names, bodies, self.config.limit_seconds
        )
        return Driven(served, window)

    def _bodies(self, tokens: int) -> list[dict[str, Any]]:
        if self.endpoint.api == "chat":
            bodies = [chat_body(self.endpoint, one, tokens) for one in self.prompts.messages]
        else:
            bodies = [text_body(self.endpoint, one, tokens) for one in self.prompts.texts()]
        more: dict[str, Any] = {"stream": True}
        if self.counts:
            more["stream_options"] = {"include_usage": True}
        return [{**body, **more, **self.extra} for body in bodies]


def prompts_of(row: Row, rebuild: bool) -> Prompts:
    """The prompts of a recorded run's test questions, passages found and put in."""
    opened = open_run(row, rebuild)
    method, prompt = opened.method, opened.config.prompt
    questions = free_questions(opened)
    retriever = method.retriever
    found = retriever.retrieve(questions, opened.top_k or 0) if retriever else None
    tokenizer: Any = method.tokenizer

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    messages = []
    for position, question in enumerate(questions):
        passages = tuple(found[position]) if found is not None else ()
        used = fit_context(passages, prompt.context_budget_tokens, count)
        shown = [scored.passage for scored in used]
        shots = method.shots.of(question)
        messages.append(build_messages(prompt, question.question, shown, (), shots))
    return Prompts([question.id for question in questions], messages, tokenizer)


def _plain(asked: Sequence[str]) -> Prompts:
    """Questions of the user's own, under the harness' instruction."""
    prompt = PromptConfig()
    names = [f"line {number}" for number in range(1, len(asked) + 1)]
    return Prompts(names, [build_messages(prompt, text) for text in asked])
