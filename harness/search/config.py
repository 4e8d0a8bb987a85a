"""The settings of a search; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.errors import ConfigError, suggestion

TRIAL, FINAL = "trial", "final"

TRAINING_COSTS = ("train_seconds", "train_energy_kwh")
"""Columns that may be a second objective beside the measures and costs of ``definitions``."""


@dataclass
class SearchConfig:
    """What a search with ``hydra/sweeper=optuna`` optimises, on validation questions only.

    Attributes:
        measure: the accuracy measure; null takes ``measure.primary``.
        second: a second objective, or null: a cost (train_seconds, answer_energy_kwh, …), a
            forgetting measure (forgetting_facts_options, …) or another accuracy measure.
        final_seeds: the seeds that the chosen setting is run on test with; null takes ``seed``.
        part, id, trials, over, number, settings: set by ``harness run``: whether a job is a trial
            or a final run, of which search, how many trials decide, the names of what is searched,
            and a trial's number and settings.
    """

    measure: str | None = None
    second: str | None = None
    final_seeds: list[int] | None = None
    part: str = ""
    id: str = ""
    trials: int = 0
    over: list[str] = field(default_factory=list)
    number: int = 0
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from harness.measures.definitions import ACCURACY

        _check_name("search.measure", self.measure, list(ACCURACY))
        _check_name("search.second", self.second, second_objectives())
        if self.second is not None and self.second == self.measure:
            raise ConfigError(f"search.second is search.measure, {self.second}: leave it out")
        if self.final_seeds is not None:
            seeds = self.final_seeds
            if not seeds or min(seeds) < 0 or len(set(seeds)) != len(seeds):
                raise ConfigError(
                    f"search.final_seeds is {list(seeds)}: list different seeds, each at least 0"
                )


def second_objectives() -> list[str]:
    """Every name that ``search.second`` can have."""
    from harness.measures.definitions import ACCURACY, COSTS, FORGETTING

    return [*TRAINING_COSTS, *COSTS, *FORGETTING, *ACCURACY]


def higher_is_better(name: str) -> bool:
    """Which way an objective is better, from the table of measures; costs are better low."""
    from harness.measures.definitions import COSTS, MEASURES

    measure = {**MEASURES, **COSTS}.get(name)
    return measure is not None and measure.higher_is_better


def _check_name(setting: str, name: str | None, choices: list[str]) -> None:
    if name is not None and name not in choices:
        hint = suggestion(name, choices)
        raise ConfigError(f"{setting} is '{name}'{hint}; it is one of {', '.join(choices)}")
