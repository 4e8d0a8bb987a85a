"""The settings that a search tries, read from the command line and found to be searchable."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig, OmegaConf

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

SAMPLER = "hydra.sweeper.sampler"
CHANGED = ("seed", "n_startup_trials")
OPTUNA_STARTUP, STARTUP = 10, 4
"""Trials that TPE draws at random first, by default: Optuna's would be most of a small search."""

CHOSEN_STILL = ("task.phrasings", "task.training")
"""Settings of the task that leave its questions as they are."""


@dataclass(frozen=True)
class Space:
    """What is searched, how, and the jobs that show whether all of it is valid.

    Attributes:
        settings: name -> the values as the command line has them.
        trials: how many settings are tried.
        sampler: settings of Optuna's sampler.
        own: overrides that Optuna's sweeper needs here.
        fixed: the settings that every trial shares, as the command line and the experiment have
            them; Hydra's own left out.
        jobs: the overrides of trials at the ends of every interval and at each choice.
    """

    settings: dict[str, str]
    trials: int
    sampler: dict[str, Any]
    own: tuple[str, ...]
    fixed: tuple[str, ...]
    jobs: list[tuple[str, ...]]

    @property
    def swept(self) -> list[str]:
        """What is searched, as overrides."""
        return [f"{name}={text}" for name, text in self.settings.items()]

    @property
    def sampler_name(self) -> str:
        """The sampler as people call it: TPE, Random, NSGAII."""
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
    _check_sweeper(hydra.sweeper)
    said = {one.key_or_group for one in asked}
    sampler = _sampler(hydra, said)
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
        sampler=sampler,
        own=(
            "hydra.sweeper.max_failure_rate=1.0",  # a trial that fails is no end of the search
            *(f"++{SAMPLER}.{name}={sampler[name]}" for name in CHANGED if name in sampler),
            *(() if "hydra.sweeper.n_jobs" in said else (_at_once(hydra),)),
        ),
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


def require_optuna() -> None:
    """Check that the sweeper is installed.

    Raises:
        ConfigError: it is not.
    """
    if (
        find_spec("hydra_plugins") is None
        or find_spec("hydra_plugins.hydra_optuna_sweeper") is None
    ):
        raise ConfigError(
            "hydra/sweeper=optuna needs hydra-optuna-sweeper, which is not installed: "
            "pip install -c constraints.txt -e '.[search]'"
        )


def _check_sweeper(sweeper: DictConfig) -> None:
    if sweeper.n_trials < 1 or sweeper.n_jobs < 1:
        raise ConfigError("hydra.sweeper.n_trials and hydra.sweeper.n_jobs are at least 1")
    if sweeper.storage is not None:
        raise ConfigError(
            "hydra.sweeper.storage is not used here: trials are kept in "
            "RESULTS/EXPERIMENT/search.csv, and a search goes on from there; leave it out"
        )
    if getattr(sweeper.direction, "name", sweeper.direction) != "minimize":  # the plugin's default
        raise ConfigError(
            "hydra.sweeper.direction is set by harness run, from the measures' own directions: "
            "leave it out, and name the objectives with search.measure and search.second"
        )
    if sweeper.custom_search_space is not None or sweeper.search_space is not None:
        raise ConfigError(
            "hydra.sweeper.search_space and custom_search_space are not supported here: list "
            "the settings under hydra.sweeper.params, or on the command line"
        )


def _at_once(hydra: DictConfig) -> str:
    """How many trials are proposed at once: one, unless a launcher has several workers."""
    several = hydra.runtime.choices["hydra/launcher"] != "basic"
    return f"hydra.sweeper.n_jobs={'${sweep.workers}' if several else 1}"


def _sampler(hydra: DictConfig, said: Collection[str]) -> dict[str, Any]:
    """The sampler's settings, a seed among them so that the same command tries the same."""
    sampler = OmegaConf.to_container(hydra.sweeper.sampler, resolve=True)
    assert isinstance(sampler, dict)
    settings = {str(name): value for name, value in sampler.items()}
    if "seed" not in settings:
        raise ConfigError(
            f"{settings['_target_']} takes no seed, so a search with it cannot be resumed: use "
            "hydra/sweeper/sampler=tpe or random"
        )
    if settings["seed"] is None:
        settings["seed"] = 0
    startup = f"{SAMPLER}.n_startup_trials"
    if settings.get("n_startup_trials") == OPTUNA_STARTUP and startup not in said:
        settings["n_startup_trials"] = STARTUP
    return settings


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
    elif isinstance(value, RangeSweep):
        # The sweeper would count the end in, Hydra leaves it out.
        raise ConfigError(
            f"'{text}': write int(interval(a, b)), which tries both ends too, or choice(…)"
        )
    elif tags:
        raise ConfigError(f"'{text}': only an interval can be drawn from by its logarithm")
    elif getattr(value, "shuffle", False):
        raise ConfigError(f"'{text}': leave out shuffle, the sampler has an order of its own")
    elif not override.is_choice_sweep():
        raise ConfigError(f"'{text}': a search takes choice(…) or interval(…)")
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
    name, text = override.get_key_element(), override.input_line
    whole = isinstance(value.start, int) and isinstance(value.end, int)
    if kind in (int, int | None):
        if not whole:
            raise ConfigError(
                f"'{text}' would try fractions, and {name} is a whole number: write "
                f"int(interval({value.start:g}, {value.end:g}))"
            )
    elif kind in (float, float | None):
        if whole:
            raise ConfigError(
                f"'{text}' would try whole numbers alone, and {name} is a number: write "
                f"interval({value.start}, {value.end})"
            )
    else:
        raise ConfigError(f"'{text}': {name} is no number: list its values with choice(…)")
