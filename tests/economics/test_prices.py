import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.economics.prices import Figure, OwnedDevice, Prices, RentedDevice, machine_cost
from harness.errors import ConfigError


def figure(value):
    return Figure(value, "made up", "2026-01-31")


OWNED = OwnedDevice(figure(8760), figure(2), figure(0.5))  # one US$ an hour of work
RENTED = RentedDevice(figure(3))
HOME = Prices(electricity=figure(0.25), device=OWNED, pue=figure(1.5))


def test_an_owned_device_spreads_its_purchase_over_the_hours_of_work():
    assert OWNED.usd_per_hour() == 1


def test_owned_machine_costs_its_share_and_electricity_with_overhead():
    # 2 h · 1 $/h + 4 kWh · 1.5 · .25 $/kWh
    assert machine_cost(HOME, 7200, 4) == 3.5


def test_rent_includes_electricity():
    assert machine_cost(Prices(device=RENTED, electricity=figure(0.25)), 1800, 4) == 1.5
    assert machine_cost(Prices(device=RENTED), 1800, None) == 1.5


def test_unknown_time_or_energy_has_no_cost():
    assert machine_cost(HOME, None, 4) is None
    assert machine_cost(HOME, 7200, None) is None


@pytest.mark.parametrize(
    ("prices", "missing"),
    [
        (Prices(), "the price of the device"),
        (Prices(device=OWNED, pue=figure(1)), "the price of electricity"),
        (Prices(device=OWNED, electricity=figure(1)), "the PUE"),
    ],
)
def test_a_missing_price_is_named_rather_than_taken_for_nothing(prices, missing):
    with pytest.raises(ConfigError, match=missing):
        machine_cost(prices, 1, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: figure(-0.1), "is -0.1; it is 0 or more"),
        (lambda: Figure(1, " ", "2026-01-31"), "has no source"),
        (lambda: Figure(1, "x", "last year"), "the date 'last year'"),
        (lambda: OwnedDevice(figure(1), figure(0), figure(1)), "the device's life is 0"),
        (lambda: OwnedDevice(figure(1), figure(1), figure(0)), "the device's utilisation is 0"),
        (lambda: OwnedDevice(figure(1), figure(1), figure(50)), "utilisation is 50; it is a share"),
        (lambda: Prices(pue=figure(0.5)), "the PUE is 0.5"),
    ],
)
def test_a_price_that_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@given(price=st.floats(0, 10), more=st.floats(0, 10), kwh=st.floats(0, 1e3))
def test_cost_never_falls_with_the_price_of_electricity(price, more, kwh):
    cheap, dear = (
        machine_cost(Prices(electricity=figure(p), device=OWNED, pue=figure(1)), 60, kwh)
        for p in (price, price + more)
    )
    assert dear >= cheap


@given(seconds=st.floats(0, 1e7))
def test_an_hour_and_3600_seconds_are_the_same(seconds):
    cost = machine_cost(Prices(device=RENTED), seconds, None)
    assert cost / 3 * 3600 == pytest.approx(seconds)
