"""The course of a load test, on an arm whose answers take a set time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ModelError
from harness.load.config import LoadConfig
from harness.load.measure import alone_latency, digest_of, measure
from harness.load.over_http import OverHttp
from harness.load.served import Driven, Request, Served
from harness.models.endpoint_config import EndpointConfig

CONFIG = LoadConfig(rates=(1.0, 2.0), requests=3, tokens=(2,), alone=2)


@dataclass
class SetDriver:
    """Every request ends a number of seconds after it was meant to be sent, the next of a list."""

    latencies: list[float]
    error: str = ""
    questions: int = 2
    asked: list[tuple[int, int]] = field(default_factory=list)

    def drive(self, schedule: Sequence[Request], tokens: int) -> Driven:
        served = []
        for one in schedule:
            self.asked.append((one.question, tokens))
            end = one.intended_seconds + self.latencies.pop(0)
            served.append(
                Served("q", one.intended_seconds, None, (), None, self.error)
                if self.error
                else Served("q", one.intended_seconds, one.intended_seconds, (end,), end)
            )
        return Driven(served, 10.0, 5.0)

    def exclusive(self) -> bool | None:
        return True


@dataclass
class SetTarget:
    driver: SetDriver
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    opened: int = 0

    @property
    def about(self) -> dict[str, Any]:
        names = ("run_id", "model", "endpoint", "search", "device")
        return {"arm": "rag", **dict.fromkeys(names, "x")}

    @property
    def table(self) -> Path:
        return self.folder / "run.csv"

    @contextmanager
    def open(self) -> Iterator[SetDriver]:
        self.opened += 1
        yield self.driver


def test_the_latency_alone_is_the_median_after_one_that_warms_up():
    driver = SetDriver([50.0, 2.0, 4.0])
    assert alone_latency(driver, CONFIG, 7) == 3.0
    assert driver.asked == [(0, 7), (1, 7), (0, 7)]


def test_it_is_measured_once_for_each_length_and_questions_go_round(tmp_path: Path):
    target = SetTarget(SetDriver([9.0, 1.0, 1.0] + [1.5] * 6), tmp_path)
    rows = measure(target, CONFIG)
    assert [row["alone_latency_seconds"] for row in rows] == [1.0, 1.0]
    assert [row["latency_p50_seconds"] for row in rows] == pytest.approx([1.5, 1.5])
    assert target.driver.asked[3:] == [(0, 2), (1, 2), (0, 2)] * 2
    assert measure(target, CONFIG) == rows
    assert target.opened == 1  # the arm is not even loaded for what is there


def test_an_arm_that_answers_nothing_is_an_error_and_leaves_no_row(tmp_path: Path):
    target = SetTarget(SetDriver([1.0] * 9, error="status 500"), tmp_path)
    with pytest.raises(ModelError, match="a request alone was not answered: status 500"):
        measure(target, CONFIG)
    assert not target.table.exists()


@pytest.mark.parametrize(
    "other",
    [
        {"requests": 4},
        {"forced": False},
        {"batch": 2},
        {"seed": 1},
        {"limit_seconds": 200.0},
        {"alone": 3},
        {"first_token_seconds": 2.0},
        {"tokens_per_second": 9.0},
    ],
)
def test_every_setting_that_changes_a_figure_has_a_row_of_its_own(tmp_path: Path, other: dict):
    target = SetTarget(SetDriver([]), tmp_path)
    digest = digest_of(target, CONFIG, 2, 1.0)
    assert digest_of(target, replace(CONFIG, **other), 2, 1.0) != digest


def test_length_and_rate_have_rows_of_their_own_and_what_only_reads_them_has_not(tmp_path: Path):
    target = SetTarget(SetDriver([]), tmp_path)
    digest = digest_of(target, CONFIG, 2, 1.0)
    assert len({digest, digest_of(target, CONFIG, 3, 1.0), digest_of(target, CONFIG, 2, 2.0)}) == 3
    for other in ({"knee": 3.0}, {"rates": (1.0, 3.0)}, {"tokens": (2, 5)}):
        assert digest_of(target, replace(CONFIG, **other), 2, 1.0) == digest


@pytest.mark.parametrize(
    "other",
    [
        {"endpoint": {"base_url": "http://127.0.0.1:2/v1"}},
        {"endpoint": {"id": "n"}},
        {"endpoint": {"api": "completions"}},
        {"endpoint": {"timeout_seconds": 9.0}},
        {"endpoint": {"seed": 7}},
        {"extra": {"ignore_eos": True}},
        {"asked": ("Who?", "Why?")},
    ],
)
def test_every_setting_of_an_endpoint_has_a_row_of_its_own(other: dict):
    endpoint = {"id": "m", "base_url": "http://127.0.0.1:1/v1"}
    common = {"config": CONFIG, "asked": ("Who?",), "extra": {}}
    first = OverHttp(endpoint=EndpointConfig(**endpoint), **common)
    changed = EndpointConfig(**endpoint | other.pop("endpoint", {}))
    second = OverHttp(endpoint=changed, **common | other)
    assert digest_of(first, CONFIG, 2, 1.0) != digest_of(second, CONFIG, 2, 1.0)
