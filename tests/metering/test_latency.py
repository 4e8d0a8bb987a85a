import math

import pytest

from harness.metering.latency import percentiles


def test_percentiles_interpolate_between_neighbours():
    # 0 to 100 in steps of 1: position 0.95 × 100 is the value 95 itself.
    exact = percentiles([float(n) for n in range(101)])
    assert exact["latency_p50_seconds"] == 50.0
    assert exact["latency_p95_seconds"] == pytest.approx(95.0)
    # Two values: the median lies halfway.
    assert percentiles([3.0, 1.0])["latency_p50_seconds"] == 2.0


def test_percentiles_agree_with_numpy():
    numpy = pytest.importorskip("numpy")
    seconds = list(numpy.random.default_rng(0).exponential(size=777))
    mine = percentiles(seconds)
    for percent in (50, 95, 99):
        expected = numpy.percentile(seconds, percent)
        assert mine[f"latency_p{percent}_seconds"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("requests", "known"),
    [
        (0, set()),
        (1, {50}),
        (19, {50}),
        (20, {50, 95}),
        (499, {50, 95}),
        (500, {50, 95, 99}),
    ],
)
def test_a_percentile_of_too_few_requests_is_null(requests, known):
    result = percentiles([1.0] * requests)
    assert {p for p in (50, 95, 99) if result[f"latency_p{p}_seconds"] is not None} == known


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf])
def test_an_impossible_latency_is_refused(wrong):
    with pytest.raises(ValueError, match="a latency is"):
        percentiles([1.0, wrong])
