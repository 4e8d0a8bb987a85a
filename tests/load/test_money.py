from __future__ import annotations

import pytest

from harness.economics.prices import Prices
from harness.errors import ConfigError
from harness.load.money import stated_prices, usd_per_request

HERE = {
    "endpoint": None,
    "busy_seconds_per_request": 1.8,
    "window_seconds_per_request": 3.6,
    "energy_kwh_per_request": 1e-5,
}
THERE = {"endpoint": "http://127.0.0.1/v1", "tokens_in": 300, "tokens_out": 60, "answered": 3}


def test_a_rented_machine_is_paid_for_while_it_waits():
    assert usd_per_request(HERE, stated_prices(None, ["hourly_usd=2"])) == pytest.approx(0.002)


def test_an_owned_machine_is_paid_for_while_it_answers_and_for_all_its_energy():
    # 8760 h · 10 years · 0.5 = 43,800 h; US$ 4,380 over them are 0.1 an hour.
    said = ["purchase_usd=4380", "life_years=10", "utilisation=0.5"]
    prices = stated_prices(None, [*said, "electricity_usd_per_kwh=0.2", "pue=1.5"])
    assert usd_per_request(HERE, prices) == pytest.approx(0.1 * 1.8 / 3600 + 1e-5 * 1.5 * 0.2)
    assert usd_per_request({**HERE, "energy_kwh_per_request": None}, prices) is None


def test_an_endpoint_is_paid_by_the_token():
    said = ["api_prompt_usd_per_million=1", "api_output_usd_per_million=4"]
    prices = stated_prices(None, said)
    assert usd_per_request(THERE, prices) == pytest.approx((100 * 1 + 20 * 4) / 1e6)
    assert usd_per_request({**THERE, "tokens_in": None}, prices) is None


def test_without_a_price_there_is_no_cost():
    assert stated_prices(None, []) == Prices()
    assert usd_per_request(HERE, Prices()) is None
    assert usd_per_request(THERE, Prices()) is None


def test_a_price_that_others_need_is_asked_for_at_once():
    said = ["purchase_usd=4380", "life_years=10", "utilisation=0.5"]
    with pytest.raises(ConfigError, match="needs the price of electricity"):
        stated_prices(None, said)
