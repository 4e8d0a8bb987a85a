"""Figures that cannot be, taken out of rows: shares outside 0 to 1, intervals beside their mean.

Such a row was scored in percent, or edited, or two columns were swapped: which of its figures is
wrong cannot be told, so the figure counts as unknown and is named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.foreign import Problems
from harness.measures.definitions import ACCURACY, FORGETTING, MEASURES, PROBES, RETRIEVAL

ROUNDING = 1e-9
"""How far beyond an end a mean of floats may lie."""

SHARES = tuple(name for name, one in {**ACCURACY, **RETRIEVAL}.items() if one.a_share)
"""Measures that lie between 0 and 1 for each question, and so does their mean."""

REPORTED = (*ACCURACY, *RETRIEVAL, *FORGETTING)
"""Measures whose column has one beside it for each end of an interval."""


def _limits() -> dict[str, tuple[float, float]]:
    limits = dict.fromkeys(ACCURACY, (-1.0, 1.0))  # those that are no share are cosines
    limits |= dict.fromkeys(SHARES, (0.0, 1.0))
    for name in PROBES:
        if is_share(MEASURES[name].unit):
            limits |= {f"{name}_before": (0.0, 1.0), f"{name}_after": (0.0, 1.0)}
            limits[f"forgetting_{name}"] = (-1.0, 1.0)  # a difference of two shares
    return limits


def is_share(unit: object) -> bool:
    """Whether a unit says that a figure lies between 0 and 1."""
    return isinstance(unit, str) and unit.startswith("share")


LIMITS = _limits()
"""Column -> the least and the largest that it can hold."""


def without_impossible(frame: pd.DataFrame, path: Path, problems: Problems) -> None:
    """Empty the cells of ``frame``, one table's rows with ``line``, that cannot be."""
    lines = frame["line"].to_numpy()
    for name, (least, most) in LIMITS.items():
        values = frame[name].to_numpy()
        wrong = (values < least - ROUNDING) | (values > most + ROUNDING)
        for line, value in zip(lines[wrong], values[wrong], strict=True):
            problems.add(
                f"{path}: column '{name}'",
                f"{path}, line {line}: column '{name}' holds {value:g}, which is not from "
                f"{least:g} to {most:g}{_percent(value, least)}; the cell is left empty",
            )
        if wrong.any():
            frame.loc[wrong, name] = np.nan
    for name in REPORTED:
        low, mean, high = (frame[one].to_numpy() for one in (f"{name}_low", name, f"{name}_high"))
        wrong = (low > mean + ROUNDING) | (mean > high + ROUNDING) | (low > high)
        for at in map(int, np.flatnonzero(wrong)):
            problems.add(
                f"{path}: interval of '{name}'",
                f"{path}, line {lines[at]}: columns '{name}_low' and '{name}_high' hold "
                f"{_about(low[at], mean[at], high[at])}; the interval counts as unknown",
            )
        if wrong.any():
            frame.loc[wrong, [f"{name}_low", f"{name}_high"]] = np.nan
    _check_others(frame, path, problems)


def _check_others(frame: pd.DataFrame, path: Path, problems: Problems) -> None:
    """The same of measures without a column. Equal cells share an object, so they are replaced."""
    column = frame["other_measures"]
    known = column.notna().to_numpy()
    for at in map(int, np.flatnonzero(known)):
        found = column.iat[at]
        if not isinstance(found, dict):
            continue
        where = f"{path}, line {frame['line'].iat[at]}: other_measures: {{}} "
        kept = {name: _sound(name, told, where, path, problems) for name, told in found.items()}
        if any(kept[name] is not told for name, told in found.items()):
            frame.at[frame.index[at], "other_measures"] = {
                name: told for name, told in kept.items() if told is not None
            }


def _sound(name: str, told: Any, where: str, path: Path, problems: Problems) -> Any:
    """What is told of a measure without what cannot be; None where its figure cannot be."""
    if not isinstance(told, dict):
        return told
    low, mean, high = (_number(told.get(key)) for key in ("low", "value", "high"))
    if mean is None:
        return told
    shown, kind = repr(name[:60]), f"{path}: other_measures"
    if (is_share(told.get("unit")) or name in SHARES) and not (-ROUNDING <= mean <= 1 + ROUNDING):
        problems.add(
            kind,
            f"{where.format(shown)}is {mean:g}, which is not from 0 to 1{_percent(mean, 0)}; "
            "it is left out",
        )
        return None
    if low is None or high is None or low - ROUNDING <= mean <= high + ROUNDING:
        return told
    problems.add(
        kind,
        f"{where.format(shown)}has 'low' and 'high' of {_about(low, mean, high)}; the interval "
        "counts as unknown",
    )
    return told | {"low": None, "high": None}


def _about(low: float, mean: float, high: float) -> str:
    return f"{low:g} and {high:g}, which do not hold its mean, {mean:g}"


def _percent(value: float, least: float) -> str:
    return " (in percent?)" if least == 0 and 1 < value <= 100 else ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
