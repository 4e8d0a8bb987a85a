"""A load curve: every length of answer at every rate, each rate once for its settings."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from harness.errors import ModelError
from harness.load.config import LoadConfig
from harness.load.curve import measured, median_latency
from harness.load.served import Driven, Request
from harness.load.table import Row, put_row, read_table
from harness.progress import bar
from harness.types import sha256_of

logger = logging.getLogger(__name__)


class Driver(Protocol):
    """An arm that is ready for requests.

    Attributes:
        questions: how many different ones it has.
    """

    @property
    def questions(self) -> int: ...

    def drive(self, schedule: Sequence[Request], tokens: int) -> Driven:
        """Send each request at its time, whatever became of those before."""
        ...

    def exclusive(self) -> bool | None:
        """Whether nobody else used the device so far; None if unknown."""
        ...


class Target(Protocol):
    """An arm before its model is loaded.

    Attributes:
        about: columns that say which arm it is and where it answers.
        settings: what else decides its figures.
        table: where its rows are kept.
    """

    @property
    def about(self) -> Mapping[str, Any]: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...
    @property
    def table(self) -> Path: ...

    def open(self) -> AbstractContextManager[Driver]: ...


@dataclass(frozen=True)
class _Cell:
    tokens: int
    rate: float
    digest: str


def measure(target: Target, config: LoadConfig, again: bool = False) -> list[Row]:
    """A row for each length and rate; those that are there already are not measured again.

    Raises:
        ModelError: the arm does not answer at all.
    """
    cells = [
        _Cell(tokens, rate, digest_of(target, config, tokens, rate))
        for tokens in config.tokens
        for rate in config.rates
    ]
    kept = {} if again else {row["settings_sha256"]: row for row in read_table(target.table)}
    missing = [cell for cell in cells if cell.digest not in kept]
    if missing:
        with target.open() as driver, bar(f"load on {target.about['arm']}", len(missing)) as done:
            alone: dict[int, float] = {}
            for cell in missing:
                if cell.tokens not in alone:
                    alone[cell.tokens] = alone_latency(driver, config, cell.tokens)
                row = _row(target, config, cell, driver, alone[cell.tokens])
                kept[cell.digest] = row
                done(1)
    return [kept[cell.digest] for cell in cells]


def digest_of(target: Target, config: LoadConfig, tokens: int, rate: float) -> str:
    """Hash of all that decides a row's figures; ``knee`` only reads them."""
    settings = asdict(config)
    for name in ("rates", "tokens", "knee"):
        del settings[name]
    said = {"rate": rate, "tokens": tokens, **settings}
    return sha256_of({"about": dict(target.about), "of": dict(target.settings), "load": said})


def alone_latency(driver: Driver, config: LoadConfig, tokens: int) -> float:
    """Median seconds of requests sent one after the other, after one that warms up.

    Raises:
        ModelError: one was not answered.
    """
    served = []
    for number in range(config.alone + 1):
        one = driver.drive([Request(number % driver.questions, 0.0)], tokens).served[0]
        if one.error:
            raise ModelError(f"a request alone was not answered: {one.error}")
        served.append(one)
    found = median_latency(served[1:])
    if found is None:
        raise AssertionError("a request without an error has a latency")
    return found


def _row(target: Target, config: LoadConfig, cell: _Cell, driver: Driver, alone: float) -> Row:
    schedule = [
        Request(number % driver.questions, seconds)
        for number, seconds in enumerate(config.arrivals(cell.rate))
    ]
    driven = driver.drive(schedule, cell.tokens)
    errors = Counter(one.error for one in driven.served if one.error)
    if not any(one.finished_seconds is not None for one in driven.served):
        (error, count), *_ = errors.most_common()
        raise ModelError(
            f"at {cell.rate:g} a second no request was answered; {count} of {config.requests}: "
            f"{error}"
        )
    for error, count in errors.most_common():
        logger.warning("%d of %d requests: %s", count, config.requests, error)
    row: Row = {
        "settings_sha256": cell.digest,
        **target.about,
        "device_exclusive": driver.exclusive(),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "answer_tokens": cell.tokens,
        "forced": config.forced,
        "batch": config.batch,
        "seed": config.seed,
        "rate_per_second": cell.rate,
        "requests": config.requests,
        "alone_latency_seconds": alone,
        "expected_first_token_seconds": config.first_token_seconds,
        "expected_tokens_per_second": config.tokens_per_second,
        **measured(driven, config),
    }
    put_row(target.table, row, driven.served)
    return row
