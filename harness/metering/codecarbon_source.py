"""Energy components made of CodeCarbon's hardware objects, without its tracker.

The tracker looks up a location, reads the user's global settings, takes a lock file and writes a
CSV; the hardware objects do none of this. Written against CodeCarbon 3.3.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError
from harness.metering.config import CostConfig
from harness.metering.energy import EnergySource, estimate_name
from harness.metering.quiet import quiet_codecarbon

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# CodeCarbon's names of the ways to read a processor that rest on a sensor or counter.
CPU_COUNTERS = ("RAPL", "Windows EMI", "Power Gadget", "PowerMetrics", "raspberry")
# A counter that adds nothing for this long has failed: CodeCarbon swallows read errors as 0 kWh.
SILENT_SECONDS = 1.0
COUNTED = "NVML's energy counter"
GPU_REMEDY = "an NVIDIA GPU needs `pip install nvidia-ml-py`, and cost.gpu not false"


@dataclass
class CodeCarbonComponent:
    """An ``EnergyComponent`` read from one of CodeCarbon's hardware objects."""

    hardware: Any
    name: str
    origin: str
    watts: float | None
    detail: str
    follows_cpu_time: bool = False
    reads_cheaply: bool = False
    _silent_seconds: float = 0.0
    _warned: bool = False

    def read_kwh(self, seconds: float) -> float | None:
        """Energy since the previous read; None if it cannot be read.

        A counter that adds nothing for a second counts as failed.
        """
        try:
            _, energy = self.hardware.measure_power_and_energy(last_duration=seconds)
        except Exception as error:  # driver libraries raise their own; a run outlives its meter
            self._warn_once(f"it could not be read: {error}")
            return None
        kwh = float(energy.kWh)
        self._silent_seconds = 0.0 if kwh > 0 else self._silent_seconds + seconds
        if self.origin == "counter" and self._silent_seconds >= SILENT_SECONDS:
            self._warn_once("its counter adds nothing")
            return None
        return kwh

    def _warn_once(self, why: str) -> None:
        """Say so at the first failure only: reads go on, in case the counter comes back."""
        if not self._warned:
            logger.warning("the energy of the %s is left empty: %s", self.name, why)
        self._warned = True


def open_energy_source(config: CostConfig, device: torch.device, gpus: int = 1) -> EnergySource:
    """The energy source for a run on ``device``; up to 3 s, so that no phase pays for its start.

    Args:
        gpus: how many GPUs the run holds if it holds several: ``device`` and those after it.
    """
    return EnergySource() if config.energy == "none" else codecarbon_source(config, device, gpus)


def codecarbon_source(config: CostConfig, device: torch.device, gpus: int = 1) -> EnergySource:
    """Processor, memory and GPUs as CodeCarbon sees them on this machine, warmed up."""
    quiet_codecarbon()
    uses_gpu = device.type != "cpu"
    wants_gpu = uses_gpu if config.gpu is None else config.gpu
    gpu = _gpu(devices_held(device, gpus)) if wants_gpu else None
    if config.gpu and gpu is None:
        raise ConfigError(f"cost.gpu is true, but no GPU's energy can be read; {GPU_REMEDY}")
    if uses_gpu and gpu is None:
        logger.warning("no energy total: the GPU's energy is not counted; %s", GPU_REMEDY)
    found = [part for part in (_cpu(config), _memory(config), gpu) if part is not None]
    needed = {"cpu", "memory", "gpu"} if uses_gpu else {"cpu", "memory"}
    missing = sorted(needed - {component.name for component in found})
    counted = {component.name for component in found if component.origin == "counter"}
    estimates = [_cpu_by_load()] if "cpu" in counted else []
    if "gpu" in counted:
        estimates += [part for part in [_gpu_by_power(devices_held(device, gpus))] if part]
    for component in (*found, *estimates):
        component.hardware.start()
        component.read_kwh(1e-3)  # the first read sets baselines: none of it falls into a phase
    return EnergySource(tuple(found), tuple(missing), tuple(estimates))


def _cpu(config: CostConfig) -> CodeCarbonComponent | None:
    """The processor: the user's watts, else a counter, else CodeCarbon's table or guess.

    An estimate bills this process and its children alone: watts × their CPU time / all threads
    (CodeCarbon's "process" mode). Its "machine" mode would bill runs in parallel for one another.
    """
    from codecarbon.core.resource_tracker import ResourceTracker
    from codecarbon.core.util import count_physical_cpus
    from codecarbon.external.hardware import CPU, MODE_CPU_LOAD

    if config.cpu_watts is not None:
        # A model name is given so that CodeCarbon does not spend 2 s looking one up.
        watts: Any = config.cpu_watts  # CodeCarbon says int, and takes any number
        hardware = CPU.from_utils(
            tempfile.gettempdir(), MODE_CPU_LOAD, "stated", watts, tracking_mode="process"
        )
        detail = "cost.cpu_watts at full load, by this process' share of CPU time"
        return CodeCarbonComponent(
            hardware, "cpu", "stated", config.cpu_watts, detail, follows_cpu_time=True
        )
    # ResourceTracker picks the best way on this system and notes it on what stands for a tracker.
    tracker = SimpleNamespace(
        _tracking_mode="process",
        _conf={"cpu_physical_count": count_physical_cpus()},
        _hardware=[],
        _output_dir=tempfile.gettempdir(),
        _force_cpu_power=None,
        _rapl_include_dram=False,
        _rapl_prefer_psys=False,
    )
    chosen = ResourceTracker(tracker)
    chosen.set_CPU_tracking()
    hardware = tracker._hardware[0]
    if chosen.cpu_tracker in CPU_COUNTERS:
        # Only these read a file or a register; the others start a program for each reading.
        cheap = chosen.cpu_tracker in ("RAPL", "Windows EMI")
        detail = f"{chosen.cpu_tracker}: the whole processor, whoever uses it"
        return CodeCarbonComponent(hardware, "cpu", "counter", None, detail, reads_cheaply=cheap)
    follows = chosen.cpu_tracker == MODE_CPU_LOAD
    # Without psutil's load CodeCarbon takes half of the full-load watts, all the time.
    detail = f"{_how_guessed(hardware)}, " + (
        "by this process' share of CPU time" if follows else "half of it all the time"
    )
    return CodeCarbonComponent(
        hardware, "cpu", "assumed", float(hardware._tdp), detail, follows_cpu_time=follows
    )


def _cpu_by_load() -> CodeCarbonComponent:
    """What CodeCarbon says of a processor without a counter: its table, or a guess, by CPU time."""
    from codecarbon.core import cpu
    from codecarbon.core.hardware_cache import get_cached_tdp
    from codecarbon.external.hardware import CPU, MODE_CPU_LOAD

    known = get_cached_tdp(cpu)
    hardware = CPU.from_utils(
        tempfile.gettempdir(),
        MODE_CPU_LOAD,
        model=known.model,
        tdp=known.tdp,
        tracking_mode="process",
    )
    detail = f"{_how_guessed(hardware)}, by this process' share of CPU time, beside the counter"
    watts = float(hardware._tdp)
    return CodeCarbonComponent(
        hardware, estimate_name("cpu"), "assumed", watts, detail, follows_cpu_time=True
    )


def _how_guessed(hardware: Any) -> str:
    """Where CodeCarbon's full-load watts are from: its table, or a guess."""
    from codecarbon.core import cpu
    from codecarbon.core.hardware_cache import get_cached_tdp

    if hardware._is_generic_tdp:
        return f"CodeCarbon's constant for an unknown processor ({hardware.get_model()})"
    known = get_cached_tdp(cpu)._get_cpu_power_from_registry(hardware.get_model())
    if known:
        return f"TDP of {hardware.get_model()} in CodeCarbon's table"
    return (
        f"CodeCarbon's {cpu.DEFAULT_POWER_PER_CORE} W a thread, since its table lacks "
        f"{hardware.get_model()}"
    )


def _memory(config: CostConfig) -> CodeCarbonComponent | None:
    """The machine's memory at constant watts: it draws them whichever process uses it."""
    from codecarbon.external.ram import RAM

    stated: Any = config.memory_watts  # CodeCarbon says int, and takes any number
    hardware = RAM(tracking_mode="machine", force_ram_power=stated)
    watts = float(hardware.total_power().W)
    if config.memory_watts is not None:
        return CodeCarbonComponent(hardware, "memory", "stated", watts, "cost.memory_watts")
    if watts <= 0:  # CodeCarbon's answer to an error within
        return None
    detail = f"CodeCarbon's guess from {hardware.machine_memory_GB:.1f} GiB of memory"
    return CodeCarbonComponent(hardware, "memory", "assumed", watts, detail)


def devices_held(device: torch.device, gpus: int) -> list[torch.device]:
    """The devices of a run: ``device``, and on CUDA the ``gpus - 1`` after it that there are."""
    import torch

    if device.type != "cuda":
        return [device]
    first = device.index or 0
    past = min(first + gpus, max(torch.cuda.device_count(), first + 1))
    return [torch.device("cuda", number) for number in range(first, past)]


def _gpu(held: Sequence[torch.device]) -> CodeCarbonComponent | None:
    """The GPUs in use (all GPUs for a run on the CPU) through NVML; None if one cannot be read."""
    from codecarbon.core import gpu
    from codecarbon.external.hardware import GPU

    from harness.metering.sharing import gpu_uuid

    if held[0].type == "mps" or not gpu.PYNVML_AVAILABLE:
        return None
    used = [gpu_uuid(device) for device in held if device.type == "cuda"]
    hardware = GPU.from_utils(used or None)
    tracked = [d for d in hardware.devices.devices if d.gpu_index in hardware._get_gpu_ids()]
    if not tracked or len(tracked) < len(used):
        return None
    hardware.start()
    if all(one.last_energy is not None for one in tracked):
        detail = f"{COUNTED}: the whole GPU, whoever uses it"
    else:
        detail = "NVML's power readings, averaged: this GPU has no energy counter"
    if len(used) > 1:
        detail += f"; all {len(used)} GPUs that the run holds, idle or not"
    return CodeCarbonComponent(hardware, "gpu", "counter", None, detail, reads_cheaply=True)


def _gpu_by_power(held: Sequence[torch.device]) -> CodeCarbonComponent | None:
    """What CodeCarbon says of GPUs without an energy counter: the power they draw when read.

    None where ``_gpu`` itself has nothing better.
    """
    component = _gpu(held)
    if component is None or not component.detail.startswith(COUNTED):
        return None
    hardware = component.hardware
    for one in hardware.devices.devices:
        one._get_total_energy_consumption = lambda: None
    component.name, component.origin = estimate_name("gpu"), "assumed"
    component.detail = "NVML's power at each reading, beside its energy counter"
    component.reads_cheaply = False  # about once a second, as CodeCarbon samples it
    return component
