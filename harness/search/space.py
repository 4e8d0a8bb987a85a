"""The settings that a search tries, read from the command line and found to be searchable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig

from harness.errors import ConfigError, suggestion

NOT_CHOSEN = {
    "seed": "the best of several seeds is luck; for several final runs use search.final_seeds=[…]",
    "method": "each arm is searched by itself, with as many trials: name one with method=…",
    "arm": "each arm is searched by itself, with as many trials: name one with method=…",
    "task": "it would choose the questions; only task.phrasings and task.training can be searched",
    "experiment": "it names the results",
    "results": "it names the results",
    "measure": "it would choose how answers are judged",
    "forgetting": "it would choose how forgetting is judged",
    "cost": "it would choose how costs are counted",
    "search": "it says how the search itself goes",
    "tracking": "it changes no result",
    "hydra": "it says how the search itself goes",
}
"""First part of a setting -> why a search does not choose it."""

CHOSEN_STILL = ("task.phrasings", "task.training")
"""Settings of the task that leave its questions as they are."""


@dataclass(frozen=True)
class Space:
    """What is searched, how, and the jobs that show whether all of it is valid.

    Attributes:
        settings: name -> the values as the command line has them.
        trials: how many settings are tried.
        sampler: of Optuna, its settings included.
        fixed: the settings that every trial shares, as the command line and the experiment have
            them; Hydra's own left out.
        jobs: the overrides of trials at the ends of every interval and at each choice.
    """

    settings: dict[str, str]
    trials: int
    sampler: dict[str, Any]
    fixed: tuple[str, ...]
    jobs: list[tuple[str, ...]]

    @property
    def swept(self) -> list[str]:
        """What is searched, as overrides."""
        return [f"{name}={text}" for name, text in self.settings.items()]

    @property
    def sampler_name(self) -> str:
        """The sampler as people call it: TPE, Random, Grid."""
        return str(self.sampler["_target_"]).rpartition(".")[2].removesuffix("Sampler")


def is_search(hydra: DictConfig) -> bool:
    """Whether the composed ``hydra`` node searches rather than runs every combination."""
    return "optuna" in str(hydra.sweeper.get("_target_", "")).lower()


def searched(hydra: DictConfig, params: Sequence[Override], asked: Sequence[Override]) -> Space:
    """The space of a command line.

    Args:
        hydra: the composed ``hydra`` node.
        params: of the experiment (``hydra.sweeper.params``).
        asked: of the command line, which wins.

    Raises:
        ConfigError: nothing to search, something that a search must not choose, or a range that
            cannot be drawn from.
    """
    _check_sweeper(hydra)
    asked = [one for one in asked if not one.is_hydra_override()]
    last = {one.get_key_element(): one for one in [*params, *asked]}
    for one in params:
        if not one.is_sweep_override() and last[one.get_key_element()].is_sweep_override():
            raise ConfigError(
                f"'{one.input_line}' is set by the experiment's hydra.sweeper.params and would "
                f"win over '{last[one.get_key_element()].input_line}': take it out of there"
            )
    swept = {name: one for name, one in last.items() if one.is_sweep_override()}
    if not swept:
        raise ConfigError(
            "hydra/sweeper=optuna has nothing to search: give a setting several values, for "
            "instance 'adapter.rank=choice(8,16,32)'"
        )
    for one in swept.values():
        _check_searchable(one)
    ends = {name: values_at_ends(one) for name, one in swept.items()}
    own = [
        f"{name}={one.get_value_element_as_str()}"
        for name, one in last.items()
        if name not in swept
    ]
    first = {name: values[0] for name, values in ends.items()}
    # Each value stands in one job, the other settings at their first: not every combination.
    varied = [{**first, name: value} for name, values in ends.items() for value in values[1:]]
    picks = [
        f"{name}={value}"
        for name, value in hydra.runtime.choices.items()
        if name in ("hydra/sweeper", "hydra/launcher") and value is not None
    ]
    return Space(
        settings={name: str(one.input_line).partition("=")[2] for name, one in swept.items()},
        trials=int(hydra.sweeper.n_trials),
        sampler=dict(hydra.sweeper.sampler),
        fixed=tuple(own),
        jobs=[
            (*picks, *own, *(f"{name}={value}" for name, value in values.items()))
            for values in [first, *varied]
        ],
    )


def refuse_range(swept: Sequence[Override]) -> None:
    """Say what a range needs, where the sweeper runs every combination.

    Raises:
        ConfigError: one of ``swept`` is an interval.
    """
    for one in swept:
        if not one.is_discrete_sweep():
            raise ConfigError(
                f"'{one.input_line}' is a range to search, not a list of values: add "
                f"hydra/sweeper=optuna, or list the values ({one.get_key_element()}=a,b,c)"
            )


def values_at_ends(override: Override) -> list[str]:
    """Every choice of an override, or both ends of its range."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [str(value.start), str(value.end)]
    return list(override.sweep_string_iterator())


def _check_sweeper(hydra: DictConfig) -> None:
    if find_spec("hydra_plugins.hydra_optuna_sweeper") is None:
        raise ConfigError(
            "hydra/sweeper=optuna needs hydra-optuna-sweeper, which is not installed: "
            "pip install -c constraints.txt -e '.[search]'"
        )
    sweeper = hydra.sweeper
    for name in ("n_trials", "n_jobs"):
        value = sweeper[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"hydra.sweeper.{name} is {value}: give a whole number from 1")
    if sweeper.storage is not None:
        raise ConfigError(
            "hydra.sweeper.storage is not used here: trials are kept in "
            "RESULTS/EXPERIMENT/search.csv, and a search goes on from there; leave it out"
        )
    if sweeper.direction != "maximize":
        raise ConfigError(
            "hydra.sweeper.direction is set by harness run, from the measures' own directions: "
            "leave it out, and name the objectives with search.measure and search.second"
        )
    if sweeper.custom_search_space is not None or sweeper.search_space is not None:
        raise ConfigError(
            "hydra.sweeper.search_space and custom_search_space are not supported here: list "
            "the settings under hydra.sweeper.params, or on the command line"
        )
    if sweeper.sampler.get("seed") is None:
        raise ConfigError(
            "the sampler has no seed, so the same command would try other settings each time: "
            "set hydra.sweeper.sampler.seed=0"
        )


def _check_searchable(override: Override) -> None:
    name, text = override.get_key_element(), override.input_line
    if name.startswith(("+", "~")):
        raise ConfigError(
            f"'{text}': a search only varies settings that there are; leave out the '{name[0]}'"
        )
    reason = NOT_CHOSEN.get(name.replace("/", ".").partition(".")[0])
    if reason is not None and name not in CHOSEN_STILL:
        raise ConfigError(f"'{text}' cannot be searched: {reason}")
    value = override.value()
    tags = set(getattr(value, "tags", ()) or ())
    for tag in sorted(tags - {"log"}):
        raise ConfigError(f"'{text}': unknown tag '{tag}'{suggestion(tag, ['log'])}; it is log")
    if isinstance(value, IntervalSweep):
        _check_interval(text or "", value)
    elif tags:
        raise ConfigError(f"'{text}': only an interval can be drawn from by its logarithm")
    elif getattr(value, "shuffle", False):
        raise ConfigError(f"'{text}': leave out shuffle, the sampler has an order of its own")
    elif not override.is_choice_sweep() and not isinstance(value, RangeSweep):
        raise ConfigError(f"'{text}': a search takes choice(…), range(…) or interval(…)")
    elif len(values_at_ends(override)) < 2:
        raise ConfigError(f"'{text}' leaves nothing to choose: give two values or more")


def _check_interval(text: str, value: IntervalSweep) -> None:
    start, end = value.start, value.end
    if start is None or end is None or not (math.isfinite(start) and math.isfinite(end)):
        raise ConfigError(f"'{text}': an interval has two finite ends")
    if start >= end:
        raise ConfigError(f"'{text}' is empty: write the smaller end first")
    if "log" in value.tags and start <= 0:
        raise ConfigError(f"'{text}': on a logarithmic scale the smaller end is above 0")


def check_ends(override: Override, kind: Any) -> None:
    """Check that what lies between the ends of an interval fits the setting's type.

    Args:
        kind: the declared type of the setting.

    Raises:
        ConfigError: a whole number drawn from fractions, a number drawn from whole ones alone, or
            a setting that is no number.
    """
    value = override.value()
    if not isinstance(value, IntervalSweep):
        return
    text, whole = override.input_line, isinstance(value.start, int) and isinstance(value.end, int)
    if kind in (int, int | None):
        if not whole:
            raise ConfigError(
                f"'{text}': {override.get_key_element()} is a whole number: give "
                "whole ends, such as interval(4, 32)"
            )
    elif kind in (float, float | None):
        if whole:
            raise ConfigError(
                f"'{text}' would try whole numbers alone: give ends with a decimal "
                f"point, such as interval({value.start}.0, {value.end}.0)"
            )
    else:
        raise ConfigError(
            f"'{text}': {override.get_key_element()} is no number: list its values with choice(…)"
        )
