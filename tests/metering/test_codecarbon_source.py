import socket
import sys
import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

import harness.metering.codecarbon_source as codecarbon_module
from harness.errors import ConfigError
from harness.metering.codecarbon_source import (
    CodeCarbonComponent,
    codecarbon_source,
    open_energy_source,
)
from harness.metering.config import CostConfig
from harness.metering.energy import EnergySource, cost_assumptions
from harness.metering.grid import Grid, grid_of
from harness.metering.meter import Meter

CPU = torch.device("cpu")


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError(f"a socket was opened: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def busy(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(1000))


def test_the_real_source_meters_a_busy_loop_without_network_or_files(
    no_network, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = CostConfig()
    source = open_energy_source(config, CPU)
    grid = grid_of(config)
    with Meter(CPU, source, sample_seconds=0.2) as meter, meter.phase("train"):
        busy(0.5)
    reading = meter.readings()["train"]
    assert reading.energy_kwh > 0
    assert reading.energy_kwh == pytest.approx(reading.cpu_energy_kwh + reading.memory_energy_kwh)
    assert reading.gpu_energy_kwh is None
    assert grid.emissions_kg(reading.energy_kwh, config.pue) > 0
    assert list(tmp_path.iterdir()) == []
    assert {part.origin for part in source.components} <= {"counter", "assumed"}
    assert all(part.detail for part in source.components)


def test_stated_watts_are_billed_by_the_share_of_cpu_time(no_network):
    import psutil

    threads = psutil.cpu_count()
    source = codecarbon_source(CostConfig(cpu_watts=100.0 * threads, memory_watts=36.0), CPU)
    assert {part.name: part.origin for part in source.components} == {
        "cpu": "stated",
        "memory": "stated",
    }
    meter = Meter(CPU, source)
    with meter.phase("train"):
        busy(0.6)
    reading = meter.readings()["train"]
    # 100 W a thread: 100 J for each CPU second. The kernel's steps of 10 ms set the tolerance.
    joules = reading.cpu_energy_kwh * 3.6e6
    assert joules == pytest.approx(100 * reading.cpu_seconds, rel=0.1)
    memory_joules = reading.memory_energy_kwh * 3.6e6
    assert memory_joules == pytest.approx(36 * reading.wall_seconds, rel=0.05)
    assert reading.assumed_energy_kwh == 0.0


def test_opening_the_source_leaves_no_slow_start_to_the_first_phase(no_network):
    source = codecarbon_source(CostConfig(), CPU)
    for part in source.components:
        started = time.process_time()
        part.read_kwh(0.01)
        assert time.process_time() - started < 0.1


def test_energy_none_has_no_components_and_no_total():
    source = open_energy_source(CostConfig(energy="none"), CPU)
    assert source == EnergySource()
    assert not source.has_total


def test_a_gpu_asked_for_where_none_can_be_read_is_refused(monkeypatch):
    import codecarbon.core.gpu

    monkeypatch.setattr(codecarbon.core.gpu, "PYNVML_AVAILABLE", False)
    with pytest.raises(ConfigError, match=r"cost\.gpu is true.*nvidia-ml-py"):
        codecarbon_source(CostConfig(gpu=True), CPU)


def test_a_gpu_run_whose_gpu_cannot_be_read_has_no_total(monkeypatch):
    import codecarbon.core.gpu

    monkeypatch.setattr(codecarbon.core.gpu, "PYNVML_AVAILABLE", False)
    source = codecarbon_source(CostConfig(cpu_watts=10, memory_watts=1), torch.device("cuda"))
    assert source.missing == ("gpu",)
    assert not source.has_total


@pytest.mark.skipif(sys.platform != "linux", reason="RAPL files are Linux's")
def test_a_readable_rapl_counter_is_used_and_named(tmp_path, monkeypatch):
    """A package counter as Linux lays it out; 3.6 kJ pass between two reads."""
    import codecarbon.core.cpu
    import codecarbon.core.resource_tracker
    from codecarbon.external.hardware import CPU as HardwareCPU

    package = tmp_path / "intel-rapl" / "intel-rapl:0"
    package.mkdir(parents=True)
    (package / "name").write_text("package-0\n")
    (package / "max_energy_range_uj").write_text("262143328850\n")
    counter = package / "energy_uj"
    counter.write_text("1000000\n")

    real = HardwareCPU.from_utils
    folder = str(tmp_path / "intel-rapl")

    def with_folder(output_dir, mode, tracking_mode="machine", **more):
        return HardwareCPU(output_dir, mode, "fake", 85, rapl_dir=folder)

    monkeypatch.setattr(codecarbon.core.cpu, "is_rapl_available", lambda *_: True)
    monkeypatch.setattr(HardwareCPU, "from_utils", with_folder)
    source = codecarbon_source(CostConfig(memory_watts=1), CPU)
    monkeypatch.setattr(HardwareCPU, "from_utils", real)

    cpu = source.components[0]
    assert (cpu.name, cpu.origin, cpu.watts) == ("cpu", "counter", None)
    assert "RAPL" in cpu.detail
    counter.write_text(f"{1_000_000 + 3_600_000_000}\n")
    assert cpu.read_kwh(10.0) == pytest.approx(0.001, rel=1e-4)
    (beside,) = source.estimates
    assert (beside.name, beside.origin, beside.watts) == ("cpu, estimated", "assumed", 85)


class PowerOnly:
    """A GPU of 100 W whose counter says 200 W, as CodeCarbon's devices are read."""

    def __init__(self) -> None:
        from codecarbon.core.gpu_device import GPUDevice

        class Device(GPUDevice):
            joules = 0.0

            def _init_static_details(self):
                self._gpu_name = self._uuid = "fake"

            def _get_total_energy_consumption(self):
                self.joules += 2000  # 200 W for the 10 s between two reads
                return 1000 * self.joules

            def _get_power_usage(self):
                return 100

        self.one = Device(handle=None, gpu_index=0)
        self.devices = SimpleNamespace(devices=[self.one])

    def start(self):
        self.one.start()

    def measure_power_and_energy(self, last_duration):
        from codecarbon.core.units import Time

        self.one.delta(Time.from_seconds(last_duration))
        return self.one.power, self.one.energy_delta


def test_beside_a_gpus_counter_stands_what_its_power_readings_say(monkeypatch):
    def found(_held):
        detail = f"{codecarbon_module.COUNTED}: fake"
        return CodeCarbonComponent(PowerOnly(), "gpu", "counter", None, detail)

    monkeypatch.setattr(codecarbon_module, "_gpu", found)
    source = codecarbon_source(CostConfig(gpu=True, cpu_watts=10, memory_watts=1), CPU)
    counter = next(part for part in source.components if part.name == "gpu")
    (beside,) = source.estimates
    assert beside.name == "gpu, estimated"
    assert counter.read_kwh(10) == pytest.approx(2000 / 3.6e6)
    assert beside.read_kwh(10) == pytest.approx(1000 / 3.6e6)


def test_without_a_counter_there_is_one_source_and_no_estimate_beside_it():
    assert codecarbon_source(CostConfig(cpu_watts=10, memory_watts=1), CPU).estimates == ()


@dataclass
class FakeHardware:
    kwh: float = 0.0
    error: Exception | None = None

    def measure_power_and_energy(self, last_duration):
        if self.error:
            raise self.error
        return None, self

    @property
    def kWh(self):
        return self.kwh


def counter_on(hardware):
    return CodeCarbonComponent(hardware, "cpu", "counter", None, "fake")


def test_a_counter_that_stays_silent_for_a_second_is_null_and_may_come_back():
    hardware = FakeHardware()
    component = counter_on(hardware)
    assert component.read_kwh(0.5) == 0.0
    assert component.read_kwh(0.6) is None
    hardware.kwh = 0.25
    assert component.read_kwh(1.0) == 0.25
    hardware.kwh = 0.0
    assert component.read_kwh(0.5) == 0.0


def test_an_estimate_of_zero_is_zero():
    idle = CodeCarbonComponent(FakeHardware(), "cpu", "assumed", 8.0, "fake")
    assert idle.read_kwh(100.0) == 0.0


def test_a_read_that_raises_is_null_and_warned_about_once(caplog):
    component = counter_on(FakeHardware(error=OSError("gone")))
    assert component.read_kwh(1.0) is None
    assert component.read_kwh(1.0) is None
    assert len([record for record in caplog.records if "gone" in record.message]) == 1


def test_assumptions_name_every_figure_with_its_origin():
    config = CostConfig(memory_watts=3.0)
    memory = CodeCarbonComponent(FakeHardware(), "memory", "stated", 3.0, "cost.memory_watts")
    source = EnergySource((memory,), missing=("gpu",))
    named = cost_assumptions(source, Grid(0.475, "assumed", "world average"), config)
    assert named["memory"] == {
        "value": 3.0,
        "unit": "W",
        "origin": "stated",
        "detail": "cost.memory_watts",
    }
    assert named["gpu"]["origin"] == "none"
    assert named["carbon_intensity"]["origin"] == "assumed"
    assert named["pue"]["value"] == 1.0
