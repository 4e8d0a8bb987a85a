"""Foreign units in the harness's own: seconds, kWh, GiB."""

from __future__ import annotations

from harness.errors import DataError

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
KWH = {
    "kWh": 1.0,
    "Wh": 1e-3,
    "mWh": 1e-6,
    "J": 1 / 3.6e6,
    "mJ": 1 / 3.6e9,
    "kJ": 1 / 3600,
    "MJ": 1 / 3.6,
}
GIB = {
    "B": 2.0**-30,
    "kB": 1e3 * 2.0**-30,
    "KB": 1e3 * 2.0**-30,
    "MB": 1e6 * 2.0**-30,
    "GB": 1e9 * 2.0**-30,
    "KiB": 2.0**-20,
    "MiB": 2.0**-10,
    "GiB": 1.0,
}
"""MB is a million bytes, as the tools that write it divide by 1e6."""


def factor(unit: object, known: dict[str, float], where: str) -> float:
    """What a figure in ``unit`` is multiplied by; ``where`` begins the error message.

    Raises:
        DataError: the unit is missing or unknown: a guess would be wrong by orders of magnitude.
    """
    if isinstance(unit, str) and unit in known:
        return known[unit]
    raise DataError(f"{where}: unit {unit!r:.40} is unknown; known are {', '.join(known)}")
