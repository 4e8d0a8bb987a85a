"""An arm in this process as a server: search and answer are one request's work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.answering import build_prompts
from harness.errors import DataError, ModelError
from harness.load.config import LoadConfig
from harness.load.queue import Clock, Token, WallClock, serve
from harness.load.served import Driven, Request
from harness.metering.codecarbon_source import open_energy_source
from harness.metering.device import choose_device, device_description
from harness.metering.meter import Meter
from harness.models.language_model import LanguageModel
from harness.recorded import Opened, Row, open_run, settings_of
from harness.types import Question


@dataclass(frozen=True)
class InProcess:
    """A recorded run that is to answer in this process."""

    row: Row
    config: LoadConfig
    rebuild: bool = False

    @property
    def about(self) -> dict[str, Any]:
        """Columns that say which arm it is and where it answers."""
        own = settings_of(self.row)
        return {
            "arm": self.row["arm"],
            "run_id": self.row["run_id"],
            "model": self.row["model"],
            "endpoint": None,
            "search": "in the answer" if own.retriever else None,
            "device": device_description(choose_device(own.model.device)),
        }

    @property
    def settings(self) -> dict[str, Any]:
        """Nothing: the run's id says all."""
        return {}

    @property
    def table(self) -> Path:
        """Where its rows are kept."""
        return table_of(self.row)

    @contextmanager
    def open(self) -> Iterator[Server]:
        """The arm, loaded, with a meter that runs.

        Raises:
            ModelError: its model streams nothing in this process.
            DataError: its task has no question that is answered freely.
        """
        opened = open_run(self.row, self.rebuild)
        model = opened.method.model()
        if not isinstance(model, LanguageModel):
            raise ModelError(
                f"arm '{self.row['arm']}' answers with {opened.config.model.name}, whose tokens "
                "are not told one by one in this process; serve it and use --endpoint"
            )
        questions = free_questions(opened)
        _ = opened.method.retriever  # opened now, not within the first request
        settings = opened.config.cost
        device = opened.method.device
        energy = open_energy_source(settings, device)
        with Meter(device, energy, sample_seconds=settings.sample_seconds) as meter:
            yield Server(opened, model, questions, self.config, meter)


@dataclass(frozen=True)
class Server:
    """An arm that is ready for requests, in this process."""

    opened: Opened
    model: LanguageModel
    asked: Sequence[Question]
    config: LoadConfig
    meter: Meter
    clock: Clock = field(default_factory=WallClock)

    @property
    def questions(self) -> int:
        """How many different ones it has."""
        return len(self.asked)

    def exclusive(self) -> bool | None:
        """Whether nobody else used the device so far; None if unknown."""
        return self.meter.device_exclusive()

    def drive(self, schedule: Sequence[Request], tokens: int) -> Driven:
        """Answer each request once its time has come, in the order of arrival."""
        names = [question.id for question in self.asked]
        config = self.config

        def answer(taken: Sequence[int], told: Token) -> list[int | None]:
            return self.answer([self.asked[number] for number in taken], tokens, told)

        with self.meter.phase("latency") as span:
            served, window, busy = serve(
                schedule, names, answer, config.batch, config.limit_seconds, self.clock
            )
        return Driven(served, window, busy, span.reading())

    def answer(self, questions: Sequence[Question], tokens: int, told: Token) -> list[int | None]:
        """Answer the questions together as the run did, telling each token; tokens of prompts."""
        method, prompt = self.opened.method, self.opened.config.prompt
        found = None
        if method.retriever is not None:
            found = method.retriever.retrieve(questions, self.opened.top_k or 0)
        asked = build_prompts(self.model, prompt, questions, found, method.shots)
        ends = [] if self.config.forced else self.model.end_ids
        answers = self.model.generate(
            [one.prompt for one in asked],
            tokens,
            on_token=lambda position, token: told(position, token not in ends),
            ends=not self.config.forced,
        )
        return [one.tokens_in for one in answers]


def free_questions(opened: Opened) -> list[Question]:
    """The run's test questions that are answered freely.

    Raises:
        DataError: all have options, which are chosen among and not streamed.
    """
    found = [one for one in opened.method.task.test if not one.choices]
    if not found:
        raise DataError(
            f"every question of task '{opened.method.task.name}' has options, and a choice is not "
            "streamed; load an arm of a task that is answered freely"
        )
    return found


def table_of(row: Row) -> Path:
    """The table of a recorded run's loads."""
    return Path(str(row["folder"])) / "load" / f"{Path(str(row['run_id'])).name}.csv"
