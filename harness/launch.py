"""``harness run``: a Hydra application that runs each arm and ends with a table of them."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.arguments import refusing
from harness.cli import report
from harness.errors import ConfigError, HarnessError

if TYPE_CHECKING:
    from harness.config import Config
    from harness.sweep.outcome import Outcome

logger = logging.getLogger(__name__)

# Hydra warns of every file in conf/hydra/launcher, which has its plugin's schema by its name. Here,
# since a worker composes its job's settings before it calls anything else of ours.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/\w+' is validated")

INVOCATION = "HARNESS_INVOCATION"
"""Environment variable with this command's id; each row it makes carries it as ``invocation``."""

RERUN = "HARNESS_RERUN"
"""Environment variable with the value of ``--rerun``: processes that a launcher starts need it."""

REFUSED = {
    "config_path": "add a folder of your own YAML files with --config-dir",
    "config_name": "state the differences in an experiment file and add it with --config-dir",
    "experimental_rerun": "it would unpickle a file; run the same settings again instead",
}
"""Hydra's flags that do not fit this command, and what to do instead."""

HELP = """\
Run arms on a task and record what each gave and cost.

usage: harness run [-m] [GROUP=CHOICE ...] [SETTING=VALUE ...]

Groups (each choice is a file conf/GROUP/CHOICE.yaml):
{groups}

Examples:
  harness run experiment=quickstart                 the four arms on world facts
  harness run experiment=quickstart seed=0,1,2      the same over three seeds
  harness run method=rag retriever=bm25 retriever.top_k=5 seed=3
  harness run -m method=closed_book,rag task=custom task.corpus=my_docs/ task.questions=my.csv
  harness run -m experiment=quickstart seed=0,1,2 hydra/launcher=joblib sweep.workers=4
  harness run experiment=quickstart --cfg job       print the settings, run nothing

A cell whose row is there is not run again: the same command resumes a sweep that was stopped.
--rerun failed runs failed cells once more, --rerun all every cell anew.
hydra/launcher=joblib, ray, submitit_local, ray_cluster or submitit_slurm runs cells side by side;
sweep.timeout_minutes=60 ends one that hangs.

Flags: -m runs every combination of comma-separated values; --cfg job prints the settings
(-p task: only that part); --config-dir DIR adds a folder of your own YAML files; --hydra-help
lists the rest. The record: RESULTS/EXPERIMENT/runs.csv and predictions/.
Exit code: 0 done, 1 an arm failed, 2 wrong input, 130 interrupted."""


@dataclass
class Progress:
    """What this process has run so far.

    Attributes:
        jobs: how many there will be.
        codes: the exit code that each job so far calls for.
        folders: where they were recorded.
    """

    jobs: int = 1
    codes: list[int] = field(default_factory=list)
    folders: set[Path] = field(default_factory=set)

    def start(self, jobs: int) -> None:
        """Forget what ran before: ``jobs`` jobs are to come."""
        self.jobs, self.codes, self.folders = jobs, [], set()


progress = Progress()


def main(arguments: Sequence[str]) -> int:
    """Check the arguments, run every arm they ask for, print the table; return the exit code."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP.format(groups=_groups()))
        return 0
    from harness.overrides import check
    from harness.record import prepare_table
    from harness.search.command import prepare, search
    from harness.search.job import CELL
    from harness.summary import summarise
    from harness.sweep import journal, workers
    from harness.sweep.watch import combined, watching
    from harness.tracking import require_tracker

    arguments, rerun = _without_rerun(arguments)
    flags = _parse_flags(arguments)
    # Hydra's parser wants all overrides in one place: behind the flags.
    ordered = [text for text in arguments if text not in flags.overrides] + flags.overrides
    if flags.hydra_help or flags.shell_completion:
        _start_hydra(ordered)
        return 0
    extra = Path(flags.config_dir) if flags.config_dir else None
    plan = check(flags.overrides, flags.multirun, extra)
    if (flags.cfg or flags.info) and flags.multirun:
        raise ConfigError("--cfg and --info print the settings of one run: leave out -m")
    if flags.cfg or flags.info:
        _start_hydra(ordered)
        return 0
    workers.check_launcher(plan.launcher)
    for config in plan.configs:
        require_tracker(config.tracking)
    found = prepare(plan.space, plan.configs[0]) if plan.space else None
    jobs = found.jobs if found else plan.jobs
    folders = {config.folder() for config in plan.configs}
    for folder in sorted(folders):
        prepare_table(folder / "runs.csv")  # a wrong place is known before anything is run
    invocation = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    os.environ[INVOCATION], os.environ[RERUN] = invocation, rerun
    for folder in folders:
        journal.begin(folder, invocation, jobs)
    progress.start(jobs)
    parallel = plan.launcher != "basic"
    with (
        workers.started(plan.launcher, invocation) as launchers_own,
        watching([journal.path_of(folder, invocation) for folder in folders], live=parallel),
    ):
        own = [*launchers_own, *_handed()]
        if found is None:
            _launch(lambda: _start_hydra([*ordered, *own]), min(folders) / "logs")
        else:
            others = [text for text in arguments if text not in flags.overrides]
            overrides = [*flags.overrides, *own]
            _launch(lambda: search(found, overrides, others, _start_hydra), min(folders) / "logs")
    folders |= progress.folders
    journals = [journal.path_of(folder, invocation) for folder in sorted(folders)]
    failed = summarise(sorted(folders), invocation, journal.run_ids(journals))
    ended = combined(journals)
    # A trial that failed is told to the sampler, and the search went on.
    cells = [one for one in ended.cells.values() if not one.cell.startswith(CELL)]
    failed += sum(one.state == journal.FAILED for one in cells) + len(ended.lost())
    return max([*progress.codes, int(failed > 0)])


def _launch(jobs: Callable[[], None], logs: Path) -> None:
    """Have Hydra run all jobs; a launcher that gives up leaves the rows of what had ended."""
    try:
        jobs()
    except HarnessError:
        raise
    except Exception as error:
        progress.codes.append(report(error, logs))
        print("the sweep stopped early: the same command goes on with it", file=sys.stderr)


def _handed() -> list[str]:
    """Overrides by which every process that runs a cell gets what this command has set."""
    from harness.sweep import workers

    # Not by inheritance: workers may run on another machine, or be older than this command.
    names = [INVOCATION, RERUN, workers.COMMAND_VARIABLE, workers.FOLDER_VARIABLE]
    values = {name: os.environ[name].replace("\\", "\\\\").replace("'", "\\'") for name in names}
    return [f"++hydra.job.env_set.{name}='{value}'" for name, value in values.items()]


def _without_rerun(arguments: Sequence[str]) -> tuple[list[str], str]:
    """The arguments that are Hydra's, and the value of ``--rerun``."""
    from harness.sweep.cell import check_rerun

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--rerun", default="missing")
    refusing(parser, "run")
    known, others = parser.parse_known_args(list(arguments))
    check_rerun(known.rerun)
    return others, known.rerun


def _parse_flags(arguments: Sequence[str]) -> argparse.Namespace:
    """Hydra's flags and, as ``overrides``, what is no flag; in any order."""
    # Private, but the only definition of the flags; pyproject bounds Hydra's version.
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    refusing(parser, "run")
    flags = parser.parse_intermixed_args(list(arguments))
    for name, instead in REFUSED.items():
        if getattr(flags, name):
            raise ConfigError(f"--{name.replace('_', '-')} is not supported here: {instead}")
    return flags


def _start_hydra(arguments: list[str]) -> None:
    """Hand over to Hydra, which calls ``run_job`` for each job (or prints what it was asked)."""
    import hydra
    from hydra.errors import HydraException

    from harness.config import CONF, first_line, register

    register()
    # Hydra reads sys.argv, and would print tracebacks of its own without this variable.
    kept, sys.argv = sys.argv, ["harness run", *arguments]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(run_job)()
    except HydraException as error:
        cause = f" ({first_line(error.__cause__)})" if error.__cause__ else ""
        raise ConfigError(f"{first_line(error)}{cause}") from error
    finally:
        sys.argv = kept


def run_job(cfg: object) -> str | float | list[float]:
    """Run one composed cell and return its status; an error ends this arm, not the others.

    A search's trial returns its objectives, and raises where it has none.
    """
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig

    from harness.config import to_dataclass
    from harness.search.config import TRIAL
    from harness.search.job import cell_name, numbered, objectives
    from harness.sweep import workers

    assert isinstance(cfg, DictConfig)
    config = to_dataclass(cfg)
    trial = config.search.part == TRIAL
    if trial:
        job = HydraConfig.get()
        config = numbered(config, int(job.job.num), list(job.overrides.task))
    progress.folders.add(config.folder())
    if workers.is_worker():  # of its cells the command itself tells
        workers.join_command()
    elif trial:
        logger.info("%s", cell_name(config))
    else:
        number = len(progress.codes) + 1
        logger.info("run %d of %d: %s, seed %d", number, progress.jobs, config.arm, config.seed)
    outcome = _in_journal(config)
    if trial:
        return objectives(config)
    progress.codes.append(outcome.code)
    return str(outcome.row["status"]) if outcome.row else "failed"


def _in_journal(config: Config) -> Outcome:
    """Run a cell; the journal is told that it runs, is lost and tried again, and how it ended."""
    from harness.sweep.journal import AGAIN, DONE, FAILED, KEPT, RUNNING, Event, tell
    from harness.sweep.workers import attempt

    invocation = os.environ.get(INVOCATION, "")
    folder, event = config.folder(), Event(_cell_name(config), config.arm, config.seed, RUNNING)

    def now(state: str, **values: Any) -> None:
        tell(folder, invocation, replace(event, state=state, at=time.time(), **values))

    began: list[float] = []

    def runs() -> None:
        began.append(time.monotonic())
        now(RUNNING)

    def again(error: str) -> None:
        now(AGAIN, error=error)

    handed = {name: os.environ.get(name, "") for name in (INVOCATION, RERUN)}
    rerun = os.environ.get(RERUN) or "missing"
    outcome = attempt(config, rerun, handed, _job_logging(), runs, again)
    row = outcome.row
    kept = row is not None and row["invocation"] != invocation
    now(
        FAILED if outcome.error else KEPT if kept else DONE,
        run_id=row["run_id"] if row is not None else "",
        seconds=time.monotonic() - began[0] if began else None,
        energy_kwh=None if row is None or kept else row["spent_energy_kwh"],
        error=outcome.error,
    )
    return outcome


def _job_logging() -> dict[str, Any]:
    """How Hydra has this process log; empty outside Hydra."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    if not HydraConfig.initialized():
        return {}
    settings = OmegaConf.to_container(HydraConfig.get().job_logging, resolve=True)
    return (
        {str(name): value for name, value in settings.items()} if isinstance(settings, dict) else {}
    )


def _cell_name(config: Config) -> str:
    """Arm, seed and whatever else this job sets, but for how it is run: names it in its sweep."""
    from hydra.core.hydra_config import HydraConfig

    from harness.search.config import TRIAL
    from harness.search.job import cell_name

    if config.search.part == TRIAL:
        return cell_name(config)
    said = ("method=", "seed=", "experiment=", "results=", "search.")
    how = (
        "sweep.",
        "tracking=",
        "measure.exclusive=",
        "measure.reuse=",
        "adapter.checkpoint_steps=",
    )
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    others = [text for text in overrides if not text.startswith((*said, *how))]
    return ", ".join([config.arm, f"seed {config.seed}", *others])


def _groups() -> str:
    """The groups and their choices, read from the file names alone."""
    conf = Path(__file__).resolve().parent.parent / "conf"
    found = {
        group.name: sorted(path.stem for path in group.glob("*.yaml"))
        for group in sorted(conf.iterdir())
        if group.is_dir() and group.name != "hydra"
    }
    return "\n".join(f"  {name:<11} {', '.join(choices)}" for name, choices in found.items())
