import pytest

from harness.economics.carbon import Embodied
from harness.economics.plan.catalogue import Device
from harness.economics.plan.devices import (
    Assumed,
    QueryWork,
    device_bytes,
    fit_serving,
    fit_training,
)
from harness.economics.plan.process import (
    HELD,
    HELD_IN_HALF_TRAINING,
    PROCESS_BYTES,
    held_in_training,
)
from harness.economics.plan.terms import Terms
from harness.economics.prices import Figure, OwnedDevice, Prices, RentedDevice
from harness.errors import ConfigError
from harness.metering.grid import Grid


def figure(value: float) -> Figure:
    return Figure(value, "made up", "2026-01-31")


def device(kind: str = "GPU", **figures: float) -> Device:
    known = {"memory_gb": 10, "bandwidth_gb_s": 1000, "half_tflops": 1, "watts": 500} | figures
    return Device("toy", kind, {name: figure(value) for name, value in known.items() if value})


ASSUMED = Assumed(mfu=0.5, bandwidth_share=1, memory_share=0.9, power_share=0.8, pue=1.5, most=4)
HALF_HOUR = 0.5e12 * 1800
GRID = Grid(0.4, "stated", "made up")


def trained(parts=None, flop=HALF_HOUR, terms=None, toy=None, **more):
    return fit_training(
        toy or device(),
        parts or {"weights": 8e9},
        flop,
        "bfloat16",
        ASSUMED,
        terms or Terms(),
        **more,
    )


def test_time_is_flop_over_the_share_of_the_peak_and_energy_is_watts_with_the_facility():
    fit = trained(terms=Terms(grid=GRID))
    assert fit.fits and (fit.count, fit.bound_by) == (1, "")
    assert fit.hours == pytest.approx(0.5)
    assert fit.kwh == pytest.approx(0.5 * 0.4 * 1.5)  # 500 W x .8 x half an hour x PUE
    assert fit.kg == pytest.approx(0.3 * 0.4)
    assert fit.usd is None


def test_memory_decides_how_many_devices_and_they_share_the_work():
    fit = trained({"weights": 26e9})
    assert not fit.fits and (fit.count, fit.bound_by) == (3, "memory")
    assert fit.hours == pytest.approx(0.5 / 3)
    assert fit.kwh == pytest.approx(0.3)  # as much work, on three at once


def test_more_devices_work_together_to_be_done_in_time():
    fit = trained(within_hours=0.2)
    assert (fit.count, fit.bound_by) == (3, "time")
    assert fit.hours == pytest.approx(0.5 / 3)


def test_what_takes_more_than_the_most_devices_does_not_fit_and_takes_no_time():
    fit = trained({"weights": 91e9})
    assert (fit.count, fit.wanted, fit.bound_by) == (None, 11, "memory")
    assert fit.hours is fit.kwh is fit.usd is fit.kg is None


@pytest.mark.parametrize("unknown", ["half_tflops", "watts"])
def test_what_the_catalogue_lacks_leaves_what_rests_on_it_unknown(unknown):
    fit = trained(toy=device(**{unknown: 0}), terms=Terms(grid=GRID))
    assert fit.count == 1
    assert fit.kwh is fit.kg is None
    assert (fit.hours is None) == (unknown == "half_tflops")


def test_without_flop_there_is_memory_and_no_time():
    fit = trained(flop=None)
    assert fit.fits and fit.hours is None


def test_a_rented_device_costs_its_hours_whatever_the_energy():
    fit = trained({"weights": 26e9}, toy=device(usd_per_hour=6))
    assert (fit.usd, fit.usd_of) == (pytest.approx(3.0), "rent")  # three of them for ten minutes


def test_electricity_alone_is_what_a_table_of_devices_can_be_charged():
    prices = Prices(electricity=figure(0.2), device=RentedDevice(figure(5)), pue=figure(1.5))
    fit = trained(terms=Terms(prices))
    assert (fit.usd, fit.usd_of) == (pytest.approx(0.3 * 0.2), "electricity")
    alone = trained(terms=Terms(prices, machine=True))
    assert (alone.usd, alone.usd_of) == (pytest.approx(2.5), "rent")


def test_an_owned_machine_costs_its_hours_and_its_electricity():
    owned = OwnedDevice(figure(8760), figure(1), figure(0.5))  # 2 US$ an hour of work
    prices = Prices(figure(0.2), owned, figure(1.5))
    made = Embodied(total_kg=100, life_hours=1000, source="made up")
    fit = trained(terms=Terms(prices, GRID, made, machine=True))
    assert fit.usd == pytest.approx(1.0 + 0.06)
    assert fit.usd_of == "purchase and electricity"
    assert fit.kg == pytest.approx(0.12 + 0.05)
    nothing_stated = trained(terms=Terms(Prices(device=owned), machine=True))
    assert nothing_stated.usd is None


def test_a_cpu_holds_the_process_and_what_its_heap_keeps():
    parts = {"weights": 1.0, "activations": 10.0, "logits": 5.0}
    assert sum(device_bytes(parts, device("data-centre GPU")).values()) == 16
    on_cpu = device_bytes(parts, device("laptop CPU"))
    assert sum(on_cpu.values()) == pytest.approx(1 + HELD * 15 + PROCESS_BYTES)


WORK = QueryWork(
    prefill_flop=0.5e12, decode_flop=1e9, retrieval_flop=0, weight_bytes=8e9, kv_bytes=2e9, batch=4,
    answer_tokens=100,
)  # fmt: skip


def test_answering_is_bound_by_bandwidth_and_reading_by_flop():
    fit = fit_serving(device(), {"weights": 8e9}, WORK, 3600, None, ASSUMED, Terms())
    # 10 GB a step at 1000 GB/s: 100 steps of 4 sequences a second
    assert fit.tokens_per_second == pytest.approx(400)
    # a query: 1 s of reading and 100 tokens at 400 a second
    assert fit.hours == pytest.approx(1.25)


def test_retrieval_adds_its_time():
    from dataclasses import replace

    work = replace(WORK, retrieval_flop=1e12)
    fit = fit_serving(device(), {"weights": 8e9}, work, 3600, None, ASSUMED, Terms())
    # at .5 TFLOP/s it is 2 s; the vectors it reads, 2 TB, take as long
    assert fit.hours == pytest.approx(3.25)


def test_demand_is_met_by_whole_copies_of_the_model():
    parts = {"weights": 12e9}
    one = fit_serving(device(), parts, WORK, None, None, ASSUMED, Terms())
    assert (one.count, one.bound_by, one.hours) == (2, "memory", None)
    both = fit_serving(device(), parts, WORK, 3600, 2.0, ASSUMED, Terms())
    # two devices answer 1.6 queries a second, so two such pairs are needed
    assert (both.count, both.bound_by) == (4, "time")
    assert both.hours == pytest.approx(3600 / 3.2 / 3600)
    much = fit_serving(device(), parts, WORK, 3600, 4.0, ASSUMED, Terms())
    assert much.count is None and much.tokens_per_second is None


def test_a_device_of_unknown_bandwidth_has_no_rate():
    fit = fit_serving(
        device(bandwidth_gb_s=0), {"weights": 8e9}, WORK, 3600, None, ASSUMED, Terms()
    )
    assert fit.count == 1 and fit.hours is None and fit.tokens_per_second is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Assumed(mfu=0), "--mfu is 0"),
        (lambda: Assumed(power_share=1.5), "--power-share is 1.5; it is a share"),
        (lambda: Assumed(pue=0.9), "the PUE is 0.9"),
        (lambda: Assumed(most=0), "--most is 0"),
        (lambda: trained(within_hours=0), "--within-hours is 0; it is above 0"),
        (
            lambda: fit_serving(device(), {"w": 1}, WORK, 0, None, ASSUMED, Terms()),
            "--queries is 0; it is above 0",
        ),
        (
            lambda: fit_serving(device(), {"w": 1}, WORK, 1, -1, ASSUMED, Terms()),
            "--demand is -1; it is above 0",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


def test_the_heap_keeps_more_of_a_training_in_bfloat16():
    assert held_in_training("float32") == HELD
    assert held_in_training("bfloat16") == HELD_IN_HALF_TRAINING
    parts = {"weights": 1.0, "activations": 10.0}
    found = device_bytes(parts, device("laptop CPU"), held_in_training("bfloat16"))
    assert sum(found.values()) == pytest.approx(1 + HELD_IN_HALF_TRAINING * 10 + PROCESS_BYTES)
    assert sum(device_bytes(parts, device("data-centre GPU"), 3.0).values()) == 11
