"""Checks on the figures that go into a cost: one clear line for what cannot be a cost."""

from __future__ import annotations

import math
from datetime import date

from harness.errors import ConfigError


def checked_amount(value: float, what: str, unit: str = "") -> float:
    """``value``, which is 0 or more and finite.

    Raises:
        ConfigError: it is not; the message calls it ``what``.
    """
    if not _is_number(value) or not math.isfinite(value) or value < 0:
        raise ConfigError(f"{what} is {value}; it is 0 or more{_in(unit)}")
    return float(value)


def checked_positive(value: float, what: str, unit: str = "") -> float:
    """``value``, which is above 0 and finite.

    Raises:
        ConfigError: it is not; the message calls it ``what``.
    """
    if not _is_number(value) or not math.isfinite(value) or value <= 0:
        raise ConfigError(f"{what} is {value}; it is above 0{_in(unit)}")
    return float(value)


def checked_share(value: float, what: str) -> float:
    """``value``, a share from 0 to 1.

    Raises:
        ConfigError: it is not; the message calls it ``what``.
    """
    if not _is_number(value) or not 0 <= value <= 1:
        raise ConfigError(f"{what} is {value}; it is a share, from 0 to 1")
    return float(value)


def checked_pue(value: float) -> float:
    """``value``, a power usage effectiveness: facility energy over the machine's own.

    Raises:
        ConfigError: it is not.
    """
    if not 1 <= value <= 10:
        raise ConfigError(f"the PUE is {value}; it is 1 (no overhead) or more, up to 10")
    return float(value)


def checked_date(text: str, what: str) -> str:
    """``text``, which is an ISO date.

    Raises:
        ConfigError: it is not.
    """
    try:
        date.fromisoformat(text)
    except (TypeError, ValueError):
        raise ConfigError(f"{what} has the date '{text}'; it is written like 2026-01-31") from None
    return text


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in(unit: str) -> str:
    return f" {unit}" if unit else ""
