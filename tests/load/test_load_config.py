from __future__ import annotations

import math

import pytest

from harness.errors import ConfigError
from harness.load.config import LoadConfig


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rates": ()}, "--rates is empty"),
        ({"rates": (0.0,)}, "--rates holds 0; it is requests a second, above 0"),
        ({"rates": (-1.0,)}, "--rates holds -1"),
        ({"rates": (math.nan,)}, "--rates holds nan"),
        ({"rates": (math.inf,)}, "--rates holds inf"),
        ({"rates": (2.0, 1.0)}, "ascending"),
        ({"rates": (1.0, 1.0)}, "each stands there once"),
        ({"rates": (1.0,), "requests": 0}, "--requests is 0; it is 1 or more"),
        ({"rates": (1.0,), "requests": -3}, "--requests is -3"),
        ({"rates": (1.0,), "tokens": ()}, "--tokens is empty"),
        ({"rates": (1.0,), "tokens": (0,)}, "--tokens holds 0"),
        ({"rates": (1.0,), "batch": 0}, "--batch is 0"),
        ({"rates": (1.0,), "alone": 0}, "--alone is 0"),
        ({"rates": (1.0,), "limit_seconds": 0.0}, "--limit is 0; it is above 0"),
        ({"rates": (1.0,), "limit_seconds": math.nan}, "--limit is nan"),
        ({"rates": (1.0,), "knee": 1.0}, "--knee is 1; it is above 1"),
        ({"rates": (1.0,), "tokens_per_second": 0.0}, "--pace is 0; it is above 0"),
        ({"rates": (1.0,), "first_token_seconds": -1.0}, "--ttft is -1; it is 0 s or more"),
        ({"rates": (0.01, 1.0)}, "longer than --limit 300"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(settings: dict, told: str):
    with pytest.raises(ConfigError) as error:
        LoadConfig(**settings)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_first_token_may_be_expected_at_once():
    assert LoadConfig(rates=(1.0,), first_token_seconds=0.0).expected.first_token_seconds == 0
