"""Processes that work for this one: counted while they live, once, and with their GPUs."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import torch
from metering_fakes import FakeCuda, Machine

from harness.metering.codecarbon_source import devices_held
from harness.metering.device import GIB
from harness.metering.helpers import Helpers
from harness.metering.meter import Meter

BURN = """
import sys, time
held = bytearray(60_000_000)
while time.process_time() < 0.6:
    sum(range(1000))
print("burnt", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def burner():
    """A process that has used 0.6 s of CPU time and 60 MB, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate("")


def test_a_living_helpers_cpu_time_and_memory_are_the_phases(burner):
    meter = Meter(torch.device("cpu"))
    with meter.helped_by([burner.pid]):
        with meter.phase("train"):
            assert burner.stdout.readline() == "burnt\n"
        lived = meter.readings()["train"]
        assert burner.poll() is None
        with meter.phase("load"):
            burner.communicate("")
    assert 0.5 < lived.cpu_seconds < 2.0
    # Its CPU time is the system's to tell once it was waited for: not counted a second time.
    assert meter.readings()["load"].cpu_seconds < 0.4
    alone = Meter(torch.device("cpu"))
    with alone.phase("train"):
        pass
    assert lived.peak_memory_gib > alone.readings()["train"].peak_memory_gib + 60e6 / GIB


def test_helpers_that_are_gone_use_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    gone = process.pid
    process.wait()
    assert Helpers([gone]).cpu_seconds() == 0
    assert Helpers([gone]).resident_bytes() == 0


def test_without_the_helpers_the_meter_counts_this_process_alone(burner):
    meter = Meter(torch.device("cpu"))
    with meter.phase("train"):
        burner.stdout.readline()
        time.sleep(0.01)
    assert meter.readings()["train"].cpu_seconds < 0.4


def test_gpu_seconds_count_every_gpu_and_the_peak_is_the_highest_of_one():
    machine, cuda = Machine(), FakeCuda()
    meter = Meter(torch.device("cuda"), clock=machine.wall, cpu_clock=machine.cpu, cuda=cuda)
    with meter.helped_by([], devices=4) as helpers, meter.phase("train"):
        cuda.milliseconds += 1500
        helpers.saw_gpu_memory(3 * GIB)
        helpers.saw_gpu_memory(2 * GIB)
    with meter.phase("decode"):
        cuda.milliseconds += 500
    assert meter.readings()["train"].gpu_seconds == pytest.approx(6.0)
    assert meter.readings()["train"].peak_gpu_memory_gib == pytest.approx(3.0)
    assert meter.readings()["decode"].gpu_seconds == pytest.approx(0.5)
    assert meter.readings()["decode"].peak_gpu_memory_gib == 0


def test_a_run_on_several_gpus_holds_its_device_and_those_after_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices_held(torch.device("cuda"), 2) == [
        torch.device("cuda:0"),
        torch.device("cuda:1"),
    ]
    # Too few are refused where training begins, in a line of its own.
    assert devices_held(torch.device("cuda:1"), 4) == [torch.device("cuda:1")]
    assert devices_held(torch.device("cuda:1"), 1) == [torch.device("cuda:1")]
    assert devices_held(torch.device("cpu"), 3) == [torch.device("cpu")]


def test_the_energy_of_all_gpus_held_is_counted_or_none(monkeypatch):
    import codecarbon.core.gpu
    from codecarbon.external.hardware import GPU

    from harness.metering import codecarbon_source, sharing

    class Device:
        def __init__(self, index: int) -> None:
            self.gpu_index, self.last_energy = index, 1.0

    class Hardware:
        def __init__(self, ids: list[str], present: int) -> None:
            self.ids = ids
            self.devices = type("Devices", (), {"devices": [Device(n) for n in range(present)]})

        def _get_gpu_ids(self) -> list[int]:
            return list(range(min(len(self.ids), len(self.devices.devices))))

        def start(self) -> None:
            pass

    monkeypatch.setattr(codecarbon.core.gpu, "PYNVML_AVAILABLE", True)
    monkeypatch.setattr(sharing, "gpu_uuid", lambda device: f"GPU-{device.index}")
    held = [torch.device("cuda:0"), torch.device("cuda:1")]
    monkeypatch.setattr(GPU, "from_utils", lambda ids: Hardware(ids, present=2))
    both = codecarbon_source._gpu(held)
    assert both is not None
    assert both.hardware.ids == ["GPU-0", "GPU-1"]
    assert "all 2 GPUs that the run holds" in both.detail
    monkeypatch.setattr(GPU, "from_utils", lambda ids: Hardware(ids, present=1))
    assert codecarbon_source._gpu(held) is None
