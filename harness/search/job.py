"""What a search adds to a job: which trial it is, and the figures that the sampler is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.config import Config
from harness.errors import HarnessError
from harness.search.trials import of_search

CELL = "trial "
"""What the name of a trial begins with in the journal."""


class TrialError(HarnessError):
    """A trial gave no score: the sampler marks it as failed and goes on."""


def numbered(config: Config, number: int, overrides: Sequence[str]) -> Config:
    """The config with the trial's number and settings, as Hydra composed the job from."""
    found = dict(text.partition("=")[::2] for text in overrides)
    settings = {name: found[name] for name in config.search.over if name in found}
    return replace(config, search=replace(config.search, number=number, settings=settings))


def cell_name(config: Config) -> str:
    """What the trial is called among the cells of its command."""
    settings = [f"{name}={value}" for name, value in config.search.settings.items()]
    return f"{CELL}{config.search.number}: {', '.join([config.arm, *settings])}"


def objectives(config: Config) -> float | list[float]:
    """The figures of the job's trial, as search.csv has them.

    Raises:
        TrialError: there are none.
    """
    search = config.search
    own = of_search(config.folder(), search.id, search.number + 1)
    trial = own[-1] if own and own[-1].number == search.number else None
    if trial is None or not trial.ok or trial.value is None:
        raise TrialError(trial.error or "no score" if trial else "it left no trace")
    if trial.second is None:
        return trial.value
    return [trial.value, float(trial.second_value or 0.0)]
