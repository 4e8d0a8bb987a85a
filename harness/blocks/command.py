"""``harness meter``: the phases of finished runs metered again, in blocks that hold every arm."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.arguments import refusing
from harness.errors import ConfigError, RecordError

if TYPE_CHECKING:
    from harness.blocks.plan import Plan

HELP = """\
Meter finished runs again, in blocks: each arm once a block, in an order that rotates.

usage: harness meter FOLDER --arms A,B[,C...] [OPTIONS]

FOLDER is that of an experiment. Each reading is added to blocks.csv in it as it is
taken, and `harness breakeven` and the report read that table. Killed and started
again, it takes the readings that are missing.

  --arms A,B         the arms, which were run before
  --blocks 5         how many blocks there are to be
  --warmup 1         rounds before them that are not counted
  --phases all       all: index, prepare, train and answer, all anew, nothing from
                     the store, which stays as it is; serving: answer alone
  --task, --model, --seed   which runs, where there are several

Example:
  harness meter results/quickstart --arms lora,rag

Exit code: 0 metered, 1 metered, but an arm answered otherwise than in its run,
2 the input is wrong. docs/blocks.md says more."""

SCRATCH = ".metering-"
"""How the folders begin in which arms are made again; they go at the end, or at the next start."""


@dataclass(frozen=True)
class Asked:
    """What is to be metered, as the command line says it; see ``HELP``.

    Attributes:
        narrowed: column -> the value that rows must have; None: any.
    """

    folder: Path
    arms: tuple[str, ...]
    blocks: int = 5
    warmup: int = 1
    phases: str = "all"
    narrowed: dict[str, str | int | None] = field(default_factory=dict)


def main(arguments: Sequence[str]) -> int:
    """Take the readings that the arguments ask for, and return the exit code.

    Raises:
        HarnessError: the arguments make no sense, or a run cannot be metered again.
    """
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    return meter(parse(arguments))


def meter(asked: Asked) -> int:
    """Take the readings that are missing of what is asked for, and return the exit code.

    Raises:
        HarnessError: a run is not there or cannot be metered again.
    """
    from harness.blocks.plan import make_plan
    from harness.results import read_results

    if not asked.folder.is_dir():
        raise ConfigError(f"{asked.folder} is not there: name the folder of an experiment")
    frame = read_results([asked.folder]).frame
    plan = make_plan(frame, asked.arms, asked.phases, asked.narrowed)
    with _alone(plan.folder):
        return _meter(plan, asked.blocks, asked.warmup)


def parse(arguments: Sequence[str]) -> Asked:
    """What the arguments ask for.

    Raises:
        ConfigError: an unknown flag, or a value that cannot be.
    """
    parser = argparse.ArgumentParser("harness meter", add_help=False, allow_abbrev=False)
    refusing(parser, "meter")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--arms", required=True)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--phases", choices=("all", "serving"), default="all")
    parser.add_argument("--task")
    parser.add_argument("--model")
    parser.add_argument("--seed", type=int)
    found = parser.parse_args(list(arguments))
    if found.blocks < 1 or found.warmup < 0:
        raise ConfigError(
            f"--blocks is {found.blocks} and --warmup {found.warmup}; they are 1 or more, and 0 or "
            "more"
        )
    arms = tuple(name.strip() for name in found.arms.split(",") if name.strip())
    if not arms:
        raise ConfigError("--arms names no arm; it is written lora,rag")
    narrowed = {"task": found.task, "model": found.model, "seed": found.seed}
    return Asked(found.folder, arms, found.blocks, found.warmup, found.phases, narrowed)


def _meter(plan: Plan, blocks: int, warmup: int) -> int:
    from harness.blocks.metering import meter_again
    from harness.blocks.table import NAME, put_reading, read_blocks
    from harness.store_use import session

    there = read_blocks(plan.folder)
    missing = plan.missing(there, blocks)
    before = len({one["set_id"] for one in there if one["set_id"] != plan.set_id})
    table = plan.folder / NAME
    if before:
        _say(f"{table} has readings of other sets ({before}): other arms, machine or version")
    if not missing:
        _say(f"{table}: all {blocks} blocks of set {plan.set_id} are there")
        return _verdict(plan)
    rounds = [number for _ in range(warmup) for number in plan.order(1)]
    _say(_announced(plan, rounds, [number for _, _, number in missing], blocks))
    begun, done = time.perf_counter(), 0
    turns = [(0, 0, number) for number in rounds] + missing
    with session():
        for block, position, number in turns:
            with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=plan.folder) as scratch:
                started = time.perf_counter()
                reading = meter_again(plan, number, Path(scratch))
                seconds = time.perf_counter() - started
            if block:
                put_reading(plan.folder, {**reading, "block": block, "position": position})
            done += 1
            left = (time.perf_counter() - begun) / done * (len(turns) - done)
            where = f"block {block} of {blocks}" if block else "warm-up, not counted"
            _say(f"{where}: {reading['arm']} {seconds:.1f} s; about {_time(left)} left")
            if reading["same_answers"] is False:
                _say(
                    f"WARNING: {reading['arm']} answered otherwise than in run {reading['run_id']}"
                )
    return _verdict(plan)


def _announced(plan: Plan, rounds: list[int], missing: list[int], blocks: int) -> str:
    """What is going to be done, and how long the runs' own rows say that it takes."""
    seed = plan.rows[0]["seed"]
    each = [plan.expected_seconds(number) for number in range(len(plan.rows))]
    told = ", ".join(
        f"{row['arm']} {'unknown' if seconds is None else f'{seconds:.0f} s'}"
        for row, seconds in zip(plan.rows, each, strict=True)
    )
    whole = sum(each[number] or 0 for number in (*rounds, *missing))
    return (
        f"set {plan.set_id}, seed {seed}: {len(missing)} readings missing of {blocks} blocks, and "
        f"{len(rounds)} to warm up; a reading takes ({told}), all of them about {_time(whole)}"
    )


def _verdict(plan: Plan) -> int:
    """Say where the readings are and whether answers were the runs' own; the exit code."""
    from harness.blocks.table import NAME, read_blocks

    readings = [one for one in read_blocks(plan.folder) if one["set_id"] == plan.set_id]
    other = sorted({one["arm"] for one in readings if one["same_answers"] is False})
    unknown = sorted({one["arm"] for one in readings if one["same_answers"] is None})
    shared = sum(one["device_exclusive"] is False for one in readings)
    print(f"{plan.folder / NAME}: {len(readings)} readings in set {plan.set_id}")
    if shared:
        print(f"another process used the device in {shared} of them: measure on a quiet machine")
    if unknown:
        print(
            f"{', '.join(unknown)}: predictions are not kept, so answers could not be held to them"
        )
    if other:
        print(
            f"WARNING: {', '.join(other)} answered otherwise than in the run: these readings are "
            "of other answers than its accuracy is (another machine, other packages, or a defect)"
        )
        return 1
    return 0


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While no other process meters in ``folder``; what a killed one left there is removed.

    Raises:
        RecordError: one does, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / f"{SCRATCH}lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RecordError(f"another harness meter works in {folder}: wait for it to end") from error
    except OSError as error:
        raise RecordError(f"{folder} cannot be written ({error.strerror})") from error
    try:
        for left in folder.glob(f"{SCRATCH}*"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()
        lock_file = folder / f"{SCRATCH}lock"
        lock_file.unlink(missing_ok=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
