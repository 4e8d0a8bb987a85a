"""A comparison as JSON: every field of every result, figures with every digit."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from harness.compare.result import Comparison


def to_json(comparison: Comparison) -> str:
    """The whole comparison; null where there is no figure, never NaN."""
    return json.dumps(_finite(asdict(comparison)), indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
