"""The ledger: full cost and cost of this run, told apart."""

from pathlib import Path

import pytest
import torch

from harness.ledger import Ledger
from harness.metering.meter import Meter


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def new_ledger(clock: Clock, reuse: bool = True) -> Ledger:
    return Ledger(Meter(torch.device("cpu"), clock=clock, cpu_clock=lambda: 0.0), reuse)


def spend(ledger: Ledger, clock: Clock, phase: str, seconds: float) -> None:
    with ledger.phase(phase):
        clock.now += seconds


def test_a_reused_artifact_counts_in_full_but_is_not_spent(own_cache: Path, clock: Clock):
    first = new_ledger(clock)
    first.obtain("adapter", {}, lambda folder: spend(first, clock, "train", 7.0))
    assert first.full()["train"].wall_seconds == 7.0
    assert first.spent()["train"].wall_seconds == 7.0
    assert first.reused == []

    second = new_ledger(clock)
    second.obtain("adapter", {}, lambda folder: pytest.fail("made twice"))
    spend(second, clock, "decode", 2.0)
    assert second.full()["train"].wall_seconds == 7.0
    assert "train" not in second.spent()
    assert second.spent()["decode"].wall_seconds == 2.0
    assert second.reused == ["adapter"]


def test_an_artifact_carries_the_cost_of_what_it_was_made_from(own_cache: Path, clock: Clock):
    first = new_ledger(clock)
    first.obtain("replay", {}, lambda folder: spend(first, clock, "prepare", 3.0))

    def adapter(ledger: Ledger):
        def make(folder: Path) -> None:
            ledger.obtain("replay", {}, lambda inner: pytest.fail("made twice"))
            spend(ledger, clock, "train", 5.0)

        return make

    second = new_ledger(clock)
    second.obtain("adapter", {}, adapter(second))
    third = new_ledger(clock)
    third.obtain("adapter", {}, adapter(third))
    assert third.full()["prepare"].wall_seconds == 3.0
    assert third.full()["train"].wall_seconds == 5.0
    assert third.spent() == {}


def test_what_came_before_is_not_an_artifacts_cost(own_cache: Path, clock: Clock):
    ledger = new_ledger(clock)
    spend(ledger, clock, "train", 11.0)
    made = ledger.obtain("adapter", {}, lambda folder: spend(ledger, clock, "train", 1.0))
    assert made.costs["train"]["wall_seconds"] == 1.0
    assert ledger.full()["train"].wall_seconds == 12.0


def test_without_reuse_everything_is_spent_again(own_cache: Path, clock: Clock):
    for _ in range(2):
        ledger = new_ledger(clock, reuse=False)
        ledger.obtain("adapter", {}, lambda folder: spend(ledger, clock, "train", 1.0))  # noqa: B023
        assert ledger.spent()["train"].wall_seconds == 1.0
        assert ledger.reused == []


def test_laps_tell_what_a_phase_cost_while_it_goes_on(clock: Clock):
    ledger = new_ledger(clock)
    spend(ledger, clock, "train", 100.0)  # before: not of these laps
    laps = ledger.laps("train")
    with laps:
        clock.now += 3.0
        first = laps.so_far()["train"]["wall_seconds"]
        ledger.meter.switch("tune")
        clock.now += 2.0
        ledger.meter.switch("train")
        clock.now += 4.0
        second = {name: one["wall_seconds"] for name, one in laps.so_far().items()}
        clock.now += 1.0
    assert first == 3.0
    assert second == {"train": 7.0, "tune": 2.0}
    assert ledger.spent()["train"].wall_seconds == 108.0


def test_work_gone_on_from_counts_in_full_but_is_not_spent(own_cache: Path, clock: Clock):
    kept: dict[str, dict[str, object]] = {}

    def making(ledger: Ledger, dies: bool):
        def make(folder: Path) -> None:
            spend(ledger, clock, "load", 1.0)
            laps = ledger.laps("train")
            if kept:
                laps.resumed(kept)
            with laps:
                clock.now += 5.0
                if dies:
                    kept.update(laps.so_far())  # the checkpoint holds so much
                    clock.now += 30.0  # lost
                    raise KeyboardInterrupt
                assert laps.so_far()["train"]["wall_seconds"] == 10.0  # the next checkpoint would

        return make

    first = new_ledger(clock)
    with pytest.raises(KeyboardInterrupt):
        first.obtain("adapter", {}, making(first, dies=True))
    second = new_ledger(clock)
    second.obtain("adapter", {}, making(second, dies=False))
    assert second.full()["train"].wall_seconds == 10.0
    assert second.spent()["train"].wall_seconds == 5.0
    # Loading was not kept, it was done again: an arm is not charged for it twice.
    assert second.full()["load"].wall_seconds == 1.0
    assert second.reused == ["checkpoint"]

    third = new_ledger(clock)
    third.obtain("adapter", {}, lambda folder: pytest.fail("made twice"))
    assert third.full()["train"].wall_seconds == 10.0
    assert third.spent() == {}


def test_what_is_made_aside_leaves_the_store_as_it_is(
    own_cache: Path, clock: Clock, tmp_path: Path
):
    first = new_ledger(clock)
    first.obtain("adapter", {}, lambda folder: spend(first, clock, "train", 7.0))
    aside = Ledger(first.meter, aside=tmp_path)

    def make(folder: Path) -> None:
        (folder / "made").write_text("anew")
        spend(aside, clock, "train", 5.0)

    found = aside.obtain("adapter", {}, make)
    again = aside.obtain("adapter", {}, lambda folder: pytest.fail("made twice"))
    assert found == again
    assert (found.folder / "made").read_text() == "anew"
    assert found.folder.is_relative_to(tmp_path)
    assert aside.full()["train"].wall_seconds == 5.0
    assert aside.reused == []
    assert aside.work_folder("adapter", {}).is_relative_to(tmp_path)
    kept = new_ledger(clock)
    stored = kept.obtain("adapter", {}, lambda folder: pytest.fail("not in the store any more"))
    assert kept.full()["train"].wall_seconds == 7.0
    assert stored.key == found.key


def test_a_making_aside_that_fails_leaves_nothing_to_be_taken_for_whole(
    own_cache: Path, clock: Clock, tmp_path: Path
):
    ledger = Ledger(new_ledger(clock).meter, aside=tmp_path)
    with pytest.raises(ZeroDivisionError):
        ledger.obtain("index", {}, lambda folder: 1 / 0)
    assert [path for path in (tmp_path / "index").iterdir() if path.name[0] != "."] == []
