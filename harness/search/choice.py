"""Which of the tried settings is chosen, how a row tells of it, and what finding it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, TrainingError
from harness.ledger import Ledger
from harness.metering.reading import PhaseReading
from harness.search.config import FINAL, SearchConfig, higher_is_better
from harness.search.trials import Trial, distinct, of_search, tune_reading

AS_CHEAP = 1.1
"""Among equal scores a setting counts as cheaper if the other took so many times as long: less
than that is the machine's noise, and the one that was tried first is taken."""


@dataclass(frozen=True)
class Chosen:
    """Where a final run's settings come from.

    Attributes:
        told: the cell ``settings_chosen_by`` of its row.
        tune: what all trials took; None where nothing was metered.
    """

    told: str
    tune: PhaseReading | None

    def enter(self, ledger: Ledger) -> None:
        """Enter the search in a run's ledger: a part of what its arm costs."""
        if self.tune is not None:
            ledger.continued("search", {"tune": self.tune})


def chosen_settings(folder: Path, search: SearchConfig) -> Chosen | None:
    """What a row says of the search that chose its settings; None if none did.

    Raises:
        ConfigError: the search's trials are not there.
    """
    if search.part != FINAL:
        return None
    sampler, _, identity = search.id.partition("-")
    trials = of_search(folder, search.id, search.trials)
    if not any(one.ok for one in trials):
        raise ConfigError(
            f"{folder} holds no trial of the search '{identity}': give the search's command again"
        )
    return Chosen(told(trials, sampler), tune_reading(trials))


def best(trials: Sequence[Trial]) -> Trial:
    """The trial with the best score; of equal ones the better second objective, then the cheaper.

    Raises:
        TrainingError: no trial has a score.
    """
    scored = [one for one in trials if one.ok]
    if not scored:
        first = trials[0].error if trials else "none was run"
        raise TrainingError(f"no trial of the search gave a score; the first: {first}")
    top = max(_first(one) for one in scored)
    equal = [one for one in scored if _first(one) == top]
    if equal[0].second is not None:
        top_second = max(_second(one) for one in equal)
        equal = [one for one in equal if _second(one) == top_second]
    least = min(_seconds(one) for one in equal)
    return next(one for one in equal if _seconds(one) <= AS_CHEAP * least)


def front(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that none beats in one objective without losing in the other, best first."""
    scored = distinct([one for one in trials if one.ok])
    kept = [one for one in scored if not any(_beats(other, one) for other in scored)]
    return sorted(kept, key=_first, reverse=True)


def told(trials: Sequence[Trial], sampler: str) -> str:
    """How the settings were chosen: sampler, trials, and the best one's validation score."""
    failed = sum(not one.ok for one in trials)
    repeated = len(trials) - len(distinct(trials))
    marks = [f"{failed} failed"] if failed else []
    marks += [f"{repeated} repeated"] if repeated else []
    count = f"{len(trials)} trials" + (f" ({', '.join(marks)})" if marks else "")
    parts = [f"optuna {sampler}", count]
    chosen = best(trials)
    if chosen.second is not None:
        parts.append(f"a front of {len(front(trials))}, on it the best first objective")
    return ", ".join([*parts, f"validation {score(chosen)}"])


def score(trial: Trial) -> str:
    """A trial's objectives in words, the first with its interval."""
    if trial.value is None:
        return f"failed: {trial.error}"
    text = f"{trial.measure} {trial.value:.2f}"
    if trial.low is not None and trial.high is not None:
        text += f" ({trial.low:.2f}–{trial.high:.2f})"
    if trial.second is not None:
        text += f" and {trial.second} {trial.second_value:.3g}"
    return text


def _first(trial: Trial) -> float:
    return _signed(trial.measure, trial.value)


def _second(trial: Trial) -> float:
    return 0.0 if trial.second is None else _signed(trial.second, trial.second_value)


def _signed(name: str, value: float | None) -> float:
    """The value such that more is better."""
    if value is None:
        return float("-inf")
    return value if higher_is_better(name) else -value


def _seconds(trial: Trial) -> float:
    return trial.seconds if trial.seconds is not None else float("inf")


def _beats(one: Trial, other: Trial) -> bool:
    pairs = ((_first(one), _first(other)), (_second(one), _second(other)))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
