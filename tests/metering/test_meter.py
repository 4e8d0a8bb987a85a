import threading
import time

import pytest
import torch
from metering_fakes import JOULES_PER_KWH, ConstantPower, Counter, FakeCuda, Machine

from harness.metering.device import GIB
from harness.metering.energy import EnergySource
from harness.metering.meter import Meter

CPU = torch.device("cpu")


@pytest.fixture
def machine():
    return Machine()


def meter_on(machine, *components, missing=(), **more):
    return Meter(
        more.pop("device", CPU),
        EnergySource(components, missing),
        clock=machine.wall,
        cpu_clock=machine.cpu,
        **more,
    )


def test_a_phase_takes_the_time_between_its_ends_and_no_other(machine):
    meter = meter_on(machine)
    machine.work(5, cpu_seconds=5)
    with meter.phase("train"):
        machine.work(3, cpu_seconds=6)
    machine.work(7, cpu_seconds=7)
    reading = meter.readings()["train"]
    assert reading.wall_seconds == pytest.approx(3)
    assert reading.cpu_seconds == pytest.approx(6)


def test_a_phase_that_runs_twice_is_summed(machine):
    meter = meter_on(machine)
    for seconds, tokens in ((3, 10), (4, 20)):
        with meter.phase("retrieve"):
            machine.work(seconds)
            meter.count(tokens_in=tokens)
    reading = meter.readings()["retrieve"]
    assert (reading.wall_seconds, reading.tokens_in) == (pytest.approx(7), 30)


def test_a_phase_inside_another_is_an_error_that_names_both_and_spoils_neither(machine):
    meter = meter_on(machine)
    with meter.phase("train"):
        machine.work(1)
        with (
            pytest.raises(RuntimeError, match="'probe' was begun inside phase 'train'"),
            meter.phase("probe"),
        ):
            pass
        assert meter.current == "train"
        machine.work(1)
    assert list(meter.readings()) == ["train"]
    assert meter.readings()["train"].wall_seconds == pytest.approx(2)


def test_an_unknown_phase_is_refused_with_the_nearest_name(machine):
    with (
        pytest.raises(ValueError, match="did you mean 'prefill'"),
        meter_on(machine).phase("prefil"),
    ):
        pass


def test_an_exception_inside_a_phase_ends_it_and_passes_through(machine):
    meter = meter_on(machine)
    with pytest.raises(KeyError, match="mine"), meter.phase("train"):
        machine.work(2)
        raise KeyError("mine")
    assert meter.current is None
    machine.work(9)
    assert meter.readings()["train"].wall_seconds == pytest.approx(2)
    with meter.phase("probe"):
        machine.work(1)
    assert meter.readings()["probe"].wall_seconds == pytest.approx(1)


def test_switches_leave_no_gap_so_the_parts_sum_to_the_whole(machine):
    meter = meter_on(machine)
    with meter.phase("prefill") as span:
        for prefill, decode in ((0.3, 0.7), (0.2, 0.9)):
            meter.switch("prefill")
            meter.count(tokens_in=50)
            machine.work(prefill)
            meter.switch("decode")
            meter.count(tokens_out=12)
            machine.work(decode)
    readings = span.readings()
    assert readings["prefill"].wall_seconds == pytest.approx(0.5)
    assert readings["decode"].wall_seconds == pytest.approx(1.6)
    assert span.wall_seconds == pytest.approx(2.1)
    assert (readings["prefill"].tokens_in, readings["prefill"].tokens_out) == (100, 0)
    assert (readings["decode"].tokens_in, readings["decode"].tokens_out) == (0, 24)


def test_an_exception_after_a_switch_ends_the_phase_switched_to(machine):
    meter = meter_on(machine)
    with pytest.raises(KeyError), meter.phase("prefill"):
        meter.switch("decode")
        machine.work(2)
        raise KeyError
    assert meter.current is None
    assert meter.readings()["decode"].wall_seconds == pytest.approx(2)


def test_a_switch_to_the_phase_that_runs_leaves_it_whole(machine):
    meter = meter_on(machine)
    with meter.phase("latency"):
        machine.work(1)
        meter.switch("latency")
        machine.work(1)
    assert list(meter.readings()) == ["latency"]


def test_switching_or_counting_outside_a_phase_is_an_error(machine):
    meter = meter_on(machine)
    with pytest.raises(RuntimeError, match="no phase runs"):
        meter.switch("decode")
    with pytest.raises(RuntimeError, match="no phase runs"):
        meter.count(tokens_out=1)


def test_a_reading_of_a_running_phase_is_refused(machine):
    meter = meter_on(machine)
    with (
        meter.phase("train") as span,
        pytest.raises(RuntimeError, match="while phase 'train' runs"),
    ):
        span.readings()


def test_a_span_reads_its_own_part_of_a_phase_only(machine):
    meter = meter_on(machine, ConstantPower(watts=36.0))
    with meter.phase("index"):
        machine.work(100)
    with meter.phase("index") as second:
        machine.work(10)
    assert second.reading().wall_seconds == pytest.approx(10)
    # 36 W × 10 s = 360 J
    assert second.reading().memory_energy_kwh == pytest.approx(360 / JOULES_PER_KWH)
    assert meter.readings()["index"].wall_seconds == pytest.approx(110)


def test_constant_power_is_integrated_over_each_phase_and_not_between(machine):
    meter = meter_on(machine, ConstantPower(watts=36.0))
    machine.work(50)
    with meter.phase("load"):
        machine.work(100)
    machine.work(50)
    with meter.phase("train"):
        machine.work(1000)
    readings = meter.readings()
    # 36 W for 100 s is 3.6 kJ = 0.001 kWh; for 1000 s ten times that.
    assert readings["load"].energy_kwh == pytest.approx(0.001)
    assert readings["train"].energy_kwh == pytest.approx(0.01)


def test_power_that_follows_cpu_time_goes_where_the_cpu_time_was(machine):
    # One read covers both phases: 10 s, 8 CPU seconds, 800 J.
    cpu = Counter(origin="stated", follows_cpu_time=True)
    meter = meter_on(machine, cpu, ConstantPower(watts=36.0), sample_seconds=60)
    with meter.phase("prefill"):
        machine.work(5, cpu_seconds=6)
        meter.switch("decode")
        machine.work(5, cpu_seconds=2)
        cpu.joules = 800
    readings = meter.readings()
    assert readings["prefill"].cpu_energy_kwh == pytest.approx(600 / JOULES_PER_KWH)
    assert readings["decode"].cpu_energy_kwh == pytest.approx(200 / JOULES_PER_KWH)
    # Memory draws the same all the time: half each.
    assert readings["prefill"].memory_energy_kwh == readings["decode"].memory_energy_kwh
    assert readings["prefill"].energy_kwh == pytest.approx((600 + 180) / JOULES_PER_KWH)


def test_a_cheap_counter_is_read_at_each_switch_so_each_phase_gets_its_own(machine):
    counter = Counter(name="gpu", reads_cheaply=True)
    meter = meter_on(machine, counter)
    with meter.phase("prefill"):
        machine.work(0.1)
        counter.joules = 70
        meter.switch("decode")
        machine.work(0.1)
        counter.joules = 30
    readings = meter.readings()
    assert readings["prefill"].gpu_energy_kwh == pytest.approx(70 / JOULES_PER_KWH)
    assert readings["decode"].gpu_energy_kwh == pytest.approx(30 / JOULES_PER_KWH)


def test_switches_faster_than_a_counter_moves_share_its_energy_by_time(machine):
    counter = Counter(name="gpu", reads_cheaply=True)
    meter = meter_on(machine, counter)
    with meter.phase("prefill"):
        machine.work(0.01)
        meter.switch("decode")  # 10 ms after the last read: too soon for another
        machine.work(0.03)
        counter.joules = 100
    readings = meter.readings()
    assert readings["prefill"].gpu_energy_kwh == pytest.approx(25 / JOULES_PER_KWH)
    assert readings["decode"].gpu_energy_kwh == pytest.approx(75 / JOULES_PER_KWH)


def test_a_dear_component_is_not_read_at_every_switch(machine):
    power = ConstantPower()
    meter = meter_on(machine, power, sample_seconds=1.0)
    with meter.phase("prefill"):
        for _ in range(10):
            machine.work(0.25)
            meter.switch("decode")
            machine.work(0.25)
            meter.switch("prefill")
    meter.readings()
    assert len(power.reads) == 5
    assert sum(power.reads) == pytest.approx(5.0)


def test_without_a_source_energy_is_null_and_not_zero(machine):
    meter = meter_on(machine)
    with meter.phase("train"):
        machine.work(3)
    reading = meter.readings()["train"]
    assert reading.energy_kwh is None
    assert reading.cpu_energy_kwh is None
    assert reading.assumed_energy_kwh is None
    assert reading.gpu_seconds is None
    assert reading.peak_gpu_memory_gib is None


def test_a_counter_that_fails_makes_the_total_null_and_leaves_the_rest(machine):
    counter = Counter(name="cpu")
    meter = meter_on(machine, counter, ConstantPower(watts=36.0))
    with meter.phase("load"):
        machine.work(100)
        counter.joules = 500
    with meter.phase("train"):
        machine.work(100)
        counter.dead = True
    readings = meter.readings()
    assert readings["load"].energy_kwh is not None
    assert readings["train"].cpu_energy_kwh is None
    assert readings["train"].memory_energy_kwh == pytest.approx(0.001)
    assert readings["train"].energy_kwh is None


def test_a_gpu_whose_energy_nobody_counts_leaves_no_total(machine):
    meter = meter_on(machine, ConstantPower(watts=36.0), missing=("gpu",))
    with meter.phase("train"):
        machine.work(100)
    reading = meter.readings()["train"]
    assert reading.memory_energy_kwh == pytest.approx(0.001)
    assert reading.energy_kwh is None


def test_energy_is_split_by_what_it_rests_on(machine):
    counter = Counter(name="gpu")
    stated = ConstantPower(name="cpu", origin="stated", watts=72.0)
    meter = meter_on(machine, counter, stated, ConstantPower(watts=36.0))
    with meter.phase("train"):
        machine.work(100)
        counter.joules = 10_000
    reading = meter.readings()["train"]
    assert reading.counter_energy_kwh == pytest.approx(10_000 / JOULES_PER_KWH)
    assert reading.assumed_energy_kwh == pytest.approx(3_600 / JOULES_PER_KWH)
    assert reading.energy_kwh == pytest.approx((10_000 + 7_200 + 3_600) / JOULES_PER_KWH)


def test_beside_a_counter_the_estimate_is_kept_and_is_no_part_of_the_total(machine):
    counter = Counter(name="cpu")
    beside = ConstantPower(name="cpu, estimated", watts=72.0)
    source = EnergySource((counter, ConstantPower(watts=36.0)), estimates=(beside,))
    meter = Meter(CPU, source, clock=machine.wall, cpu_clock=machine.cpu)
    with meter.phase("train"):
        machine.work(100)
        counter.joules = 10_000
    reading = meter.readings()["train"]
    assert reading.energy_kwh == pytest.approx((10_000 + 3_600) / JOULES_PER_KWH)
    assert reading.estimated_energy_kwh == pytest.approx((7_200 + 3_600) / JOULES_PER_KWH)
    assert reading.cpu_energy_kwh == pytest.approx(10_000 / JOULES_PER_KWH)


def test_a_counter_that_fails_leaves_the_estimate(machine):
    source = EnergySource(
        (Counter(name="cpu", dead=True),), estimates=(ConstantPower(name="cpu, estimated"),)
    )
    meter = Meter(CPU, source, clock=machine.wall, cpu_clock=machine.cpu)
    with meter.phase("train"):
        machine.work(100)
    reading = meter.readings()["train"]
    assert reading.energy_kwh is None
    assert reading.estimated_energy_kwh == pytest.approx(3_600 / JOULES_PER_KWH)


def test_with_one_source_nothing_is_estimated_beside_it(machine):
    meter = meter_on(machine, ConstantPower(watts=36.0))
    with meter.phase("train"):
        machine.work(100)
    assert meter.readings()["train"].estimated_energy_kwh is None


def test_gpu_seconds_come_from_events_with_the_device_synchronised_at_both_ends(machine):
    cuda = FakeCuda()
    meter = meter_on(machine, device=torch.device("cuda"), cuda=cuda)
    with meter.phase("prefill"):
        machine.work(1.0)
        cuda.milliseconds += 900
        meter.switch("decode")
        machine.work(2.0)
        cuda.milliseconds += 1500
    readings = meter.readings()
    assert readings["prefill"].gpu_seconds == pytest.approx(0.9)
    assert readings["decode"].gpu_seconds == pytest.approx(1.5)
    # Each change waits first, then records one event that ends one phase and begins the next.
    assert [call for call in cuda.calls if call != "wait for event"] == [
        "synchronize",
        "record",
    ] * 3


def test_gpu_peak_memory_is_that_of_the_phase(machine):
    cuda = FakeCuda()
    meter = meter_on(machine, device=torch.device("cuda"), cuda=cuda)
    with meter.phase("train"):
        cuda.allocate(3 * GIB)
        cuda.allocate(-2 * GIB)
    with meter.phase("prefill"):
        pass
    readings = meter.readings()
    assert readings["train"].peak_gpu_memory_gib == 3.0
    assert readings["prefill"].peak_gpu_memory_gib == 1.0


def test_a_device_that_breaks_inside_a_phase_still_ends_it_and_the_first_error_is_seen(machine):
    cuda = FakeCuda()
    meter = meter_on(machine, device=torch.device("cuda"), cuda=cuda)
    with pytest.raises(KeyError, match="mine"), meter.phase("train"):
        machine.work(2)
        cuda.broken = True
        raise KeyError("mine")
    assert meter.current is None
    assert meter.readings()["train"].wall_seconds == pytest.approx(2)
    assert meter.readings()["train"].gpu_seconds is None


def test_an_error_that_shows_only_when_the_device_is_waited_for_is_raised(machine):
    cuda = FakeCuda()
    meter = meter_on(machine, device=torch.device("cuda"), cuda=cuda)
    with pytest.raises(RuntimeError, match="device-side assert"), meter.phase("train"):
        cuda.broken = True
    assert meter.current is None


def test_peak_memory_sees_an_allocation_that_is_gone_by_the_end():
    meter = Meter(CPU)
    with meter.phase("load"):
        pass
    with meter.phase("train"):
        highest = meter.peak_memory_gib
        block = b"x" * int((highest + 0.2) * GIB)  # above the process' highest ever
        del block
    with meter.phase("probe"):
        pass
    readings = meter.readings()
    assert readings["train"].peak_memory_gib >= highest + 0.2
    assert meter.peak_memory_gib >= readings["train"].peak_memory_gib
    assert readings["probe"].peak_memory_gib < readings["train"].peak_memory_gib


def test_the_sampler_reads_in_the_background_and_stops_with_the_meter():
    power = ConstantPower(watts=36.0)
    with Meter(CPU, EnergySource((power,)), sample_seconds=0.1) as meter, meter.phase("train"):
        time.sleep(0.55)
    assert len(power.reads) >= 3
    assert not [thread for thread in threading.enumerate() if thread.name == "meter"]
    reading = meter.readings()["train"]
    # What was read in the background is the phase's, all of it: 36 W over its wall time.
    assert reading.energy_kwh == pytest.approx(36 * reading.wall_seconds / JOULES_PER_KWH, rel=0.05)


def overhead_of_a_busy_second():
    matrix = torch.randn(300, 300)
    with Meter(CPU, EnergySource((ConstantPower(),)), sample_seconds=0.5) as meter:
        with meter.phase("prefill"):
            for step in range(10):
                until = time.perf_counter() + 0.1
                while time.perf_counter() < until:
                    matrix @ matrix
                meter.switch("decode" if step % 2 == 0 else "prefill")
        meter.readings()
    assert meter.overhead_seconds > 0
    return meter.overhead_share


def test_overhead_is_below_two_per_cent_at_ten_switches_a_second():
    # Other processes may interrupt a switch; the least of three is what the meter itself takes.
    assert min(overhead_of_a_busy_second() for _ in range(3)) < 0.02


def test_the_meters_own_cost_is_what_its_clock_says(machine):
    class SlowPower(ConstantPower):
        def read_kwh(self, seconds):
            machine.work(0.5)
            return super().read_kwh(seconds)

    meter = meter_on(machine, SlowPower())
    assert meter.overhead_share is None
    with meter.phase("train"):
        machine.work(100)
    # The read at the end of the phase took half a second; there was none at its start.
    assert meter.overhead_seconds == pytest.approx(0.5)
    assert meter.overhead_share == pytest.approx(0.005)
