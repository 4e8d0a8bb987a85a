"""Kill a sweep 100 times at random, with one process and with two workers: ``make faults``.

    python -m tests.faults.campaign [--kills 100] [--folder FOLDER] [--only single|two_workers]

One sweep is killed again and again, and resumed each time, until it is through; then it is
compared with an undisturbed one, and the next begins, until there were so many kills. Some of them
come after a time drawn at random, more at a file system event drawn from a stage drawn at random,
since half of the time of so small a sweep nothing is made or written. Stages that were not hit by
then are hit on purpose. What a kill cannot do, cut a single write of a row in the middle, is done
to the table by hand after most of the kills at a row.

Stopped and given again with the same FOLDER, it goes on. The counts are written to
benchmarks/results/faults.json. Exit code: 1 if anything was lost, doubled or altered.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from . import stages
from .appenders import appended_by_two
from .forks import ROOT, Ended, Forks, Kill
from .sweeps import TWO_WORKERS, Sweep, faults_in, litter, make_model
from .trap import STAGES

RESULT = ROOT / "benchmarks" / "results" / "faults.json"
MODES = {"single": (), "two_workers": TWO_WORKERS}
TIMED_SHARE = 0.4
"""Of the kills, those that come after a time."""

LATEST_EVENT = 6
"""Events are drawn among so many of a stage: a resumed sweep may have few of them left."""

MOST_ATTEMPTS = 5
"""…for each kill: a sweep whose work is done ends before the moment drawn."""


@dataclass
class State:
    """How far a campaign has come; kept in its folder.

    Attributes:
        attempts: commands given, killed or not.
        sweeps: sweeps that were killed, resumed, went through and were compared.
        hit: kills by stage; a kill may hit several stages, of several processes or nested ones.
        torn: rows cut in the middle by hand.
        faults: what was lost, doubled, altered or damaged, in any sweep.
        left: half-written files that nobody removed, all sweeps together.
        undisturbed_seconds: of a sweep that nobody kills.
    """

    kills: int = 0
    attempts: int = 0
    sweeps: int = 0
    at_events: int = 0
    torn: int = 0
    processes: int = 0
    hit: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    left: int = 0
    seconds: float = 0.0
    undisturbed_seconds: float = 0.0
    done: bool = False


class Campaign:
    """The kills of one mode, in a folder."""

    def __init__(self, mode: str, folder: Path, model: Path, kills: int, seed: int) -> None:
        self.mode, self.folder, self.model = mode, folder / mode, model
        self.wanted, self.seed = kills, seed
        self.path = self.folder / "state.json"
        self.state = State(**json.loads(self.path.read_text())) if self.path.exists() else State()
        self.undisturbed = Sweep(self.folder / "undisturbed", model, MODES[mode])

    def run(self, forks: Forks) -> State:
        """Kill until there were enough, then let the last sweep end."""
        if not self.state.undisturbed_seconds:
            shutil.rmtree(self.undisturbed.folder, ignore_errors=True)
            ended = forks.run(self.undisturbed.arguments, self.undisturbed.folder)
            if ended.code != 0:
                raise SystemExit(f"the undisturbed sweep failed: {self.undisturbed.log()[-2000:]}")
            self.state.undisturbed_seconds = ended.seconds
            self._keep()
        while not self.state.done:
            self._attempt(forks)
            self._keep()
        return self.state

    def _attempt(self, forks: Forks) -> None:
        state = self.state
        state.attempts += 1
        sweep = Sweep(self.folder / f"sweep-{state.sweeps}", self.model, MODES[self.mode])
        rows = sweep.finished_rows()
        random = Random(f"{self.seed} {self.mode} {state.attempts}")
        kill = self._draw(random)
        ended = forks.run(sweep.arguments, sweep.folder, kill)
        state.seconds += ended.seconds
        if not ended.killed:
            self._through(sweep, ended)
            state.done = kill is None
            return
        state.kills += 1
        state.at_events += bool(ended.met)
        state.processes += ended.processes
        for stage in ended.stages:
            state.hit[stage] = state.hit.get(stage, 0) + 1
        if "row" in ended.stages and random.random() < 0.8:
            state.torn += self._tears_row(sweep, random)
        for run_id, line in rows.items():
            if sweep.finished_rows().get(run_id, line) != line:
                self._fault("finished rows made again", f"{sweep.folder}: {run_id}")
        print(
            f"{self.mode}: kill {state.kills} of {self.wanted} after {ended.seconds:.1f} s: "
            f"{', '.join(ended.stages)}; {len(sweep.finished_rows())} rows",
            flush=True,
        )

    def _draw(self, random: Random) -> Kill | None:
        """The next kill; None once there were enough, so that the sweep goes through."""
        missing = [stage for stage in stages.ALL if stage not in self.state.hit]
        enough = self.state.kills >= self.wanted
        if enough and (not missing or self.state.attempts > MOST_ATTEMPTS * self.wanted):
            return None
        if enough:
            return self._on_purpose(missing[0], random)
        if random.random() < TIMED_SHARE:
            return Kill(seconds=random.uniform(0.05, self.state.undisturbed_seconds))
        return Kill(at=random.choice(list(STAGES)), number=random.randint(1, LATEST_EVENT))

    @staticmethod
    def _on_purpose(stage: str, random: Random) -> Kill:
        if stage == "training":  # after a step, before the folder of its checkpoint is made
            return Kill(at=rf"os.mkdir .*/checkpoint-{random.randint(2, 4)}$")
        if stage == "between":
            return Kill(seconds=0.2)
        return Kill(at=stage, number=random.randint(1, 2))

    def _tears_row(self, sweep: Sweep, random: Random) -> bool:
        """Whether half a row was put at the end of the table, as of one write cut short."""
        rows = list(self.undisturbed.finished_rows().values())
        if not sweep.table.exists() or not sweep.finished_rows():
            return False
        row = random.choice(rows)
        with sweep.table.open("ab") as file:
            file.write(row[: random.randint(1, len(row) - 1)])
        return True

    def _through(self, sweep: Sweep, ended: Ended) -> None:
        """Compare a sweep that ended by itself with the undisturbed one."""
        if ended.code != 0:
            self._fault("sweeps that failed", f"{sweep.folder}: exit code {ended.code}")
        for kind, times in faults_in(sweep, self.undisturbed).items():
            for _ in range(times):
                self._fault(kind, "")
        if not verified(sweep):
            self._fault("stores that do not verify", str(sweep.folder))
        self.state.left += len(litter(sweep))
        self.state.sweeps += 1
        told = sum(self.state.faults.values())
        print(
            f"{self.mode}: sweep {self.state.sweeps} is through; faults so far: {told}", flush=True
        )
        if not told:
            shutil.rmtree(sweep.folder)

    def _fault(self, kind: str, what: str) -> None:
        self.state.faults[kind] = self.state.faults.get(kind, 0) + 1
        if what:
            print(f"{kind}: {what}", file=sys.stderr)

    def _keep(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self.state)))
        part.replace(self.path)


def verified(sweep: Sweep) -> bool:
    """Whether every artifact of its store has the checksums of its manifest."""
    from harness.store_use import checked_manifest

    folders = [path for path in (sweep.folder / "cache" / "store").glob("*/[!.]*") if path.is_dir()]
    for folder in folders:
        try:
            checked_manifest(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"{folder}: {error}", file=sys.stderr)
            return False
    return bool(folders)


def main() -> int:
    """Run the campaigns, write the counts, print a table; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description="Kill sweeps at random and resume them.")
    parser.add_argument("--kills", type=int, default=100, help="in each mode")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="kept, and gone on from")
    parser.add_argument("--only", choices=list(MODES), help="one of the modes")
    parser.add_argument(
        "--rows", type=int, default=10_000, help="appended by each of two processes"
    )
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.gettempdir()) / f"faults-{options.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    model = make_model(folder / "model")
    states = {}
    with Forks() as forks:
        for mode in [options.only] if options.only else list(MODES):
            states[mode] = Campaign(mode, folder, model, options.kills, options.seed).run(forks)
    began = time.monotonic()
    appended = appended_by_two(folder / "runs.csv", options.rows)
    appending = {"rows": appended, "wanted": 2 * options.rows, "seconds": time.monotonic() - began}
    write(options.out, options.seed, states, appending)
    print(table(states))
    print(f"\n{appended} sound rows of {2 * options.rows} that two processes appended")
    wrong = any(state.faults for state in states.values()) or appended != 2 * options.rows
    missed = any(set(stages.ALL) - set(state.hit) for state in states.values())
    if not wrong and options.folder is None:
        shutil.rmtree(folder)
    return int(wrong or missed)


def write(path: Path, seed: int, states: dict[str, State], appending: dict[str, float]) -> None:
    """Write the counts; those of a mode that was not run now are kept."""
    known = json.loads(path.read_text()) if path.exists() else {}
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    known |= {"seed": seed, "commit": commit.stdout.strip(), "platform": platform.platform()}
    known |= {mode: asdict(state) for mode, state in states.items()}
    known["appending"] = appending
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1) + "\n")


def table(states: dict[str, State]) -> str:
    """The counts as a Markdown table."""
    modes = list(states)
    lines = [f"| | {' | '.join(modes)} |", "|---|" + "---:|" * len(modes)]

    def line(name: str, values: list[object]) -> None:
        lines.append(f"| {name} | {' | '.join(str(value) for value in values)} |")

    line("kills", [state.kills for state in states.values()])
    line("of which at a file system event", [state.at_events for state in states.values()])
    line("rows cut in the middle", [state.torn for state in states.values()])
    line("sweeps, killed until through", [state.sweeps for state in states.values()])
    for stage in stages.ALL:
        line(f"hit: {stage}", [state.hit.get(stage, 0) for state in states.values()])
    kinds = sorted(Counter(kind for state in states.values() for kind in state.faults))
    for kind in kinds or ["lost, doubled, altered, damaged"]:
        line(kind, [state.faults.get(kind, 0) for state in states.values()])
    line("half-written files left over", [state.left for state in states.values()])
    line("minutes", [f"{state.seconds / 60:.0f}" for state in states.values()])
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
