"""The device that computes: choosing it, waiting for it, describing it, timing it."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError

if TYPE_CHECKING:
    import torch

GIB = 2**30


def choose_device(name: str = "auto") -> torch.device:
    """The device to run on; "auto" takes CUDA, else MPS, else the CPU.

    Args:
        name: "auto", "cpu", "mps", "cuda" or "cuda:1".

    Raises:
        ConfigError: the device is unknown or this machine does not have it.
    """
    import torch

    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        best = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
        return torch.device(best)
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "mps", "cuda") or (index and not index.isdigit()):
        raise ConfigError(f"unknown device '{name}'; it is auto, cpu, mps, cuda or e.g. cuda:1")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"device '{name}' was asked for, but torch {torch.__version__} finds no CUDA device; "
            "use 'auto' or 'cpu', or install the driver and a CUDA build of torch"
        )
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise ConfigError(
            f"device '{name}' was asked for, but there are {torch.cuda.device_count()} CUDA "
            "devices, numbered from 0"
        )
    if kind == "mps" and not has_mps:
        raise ConfigError(
            f"device '{name}' was asked for, but this is no Apple GPU; use 'auto' or 'cpu'"
        )
    return torch.device(name)


def synchronise(device: torch.device) -> None:
    """Wait until everything queued on ``device`` is done; on a CPU there is nothing to wait for."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def device_description(device: torch.device) -> str:
    """The processor, and the GPU if ``device`` is one, with their memory; for the record and keys.

    A processor that is to compute with fewer threads than it has is said to: sums come out in
    another order then, and so other weights and answers, and every phase takes another time.
    """
    import psutil
    import torch

    memory_gib = psutil.virtual_memory().total / GIB
    threads, used = psutil.cpu_count(), torch.get_num_threads()
    working = f"{used} of {threads}" if device.type == "cpu" and used != threads else threads
    host = f"{_processor_name()}, {working} threads, {memory_gib:.1f} GiB"
    if device.type == "cuda":
        gpu = torch.cuda.get_device_properties(device)
        return f"{gpu.name}, {gpu.total_memory / GIB:.1f} GiB; {host}"
    return f"Apple GPU; {host}" if device.type == "mps" else host


def _processor_name() -> str:
    """The processor's model name as the system gives it, else its architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


class DeviceClock:
    """Synchronises one device, times spans on it by CUDA events and reads its peak memory.

    Without CUDA the events, seconds and peaks are None.

    Args:
        cuda: what stands for ``torch.cuda``; tests give a fake.
    """

    def __init__(self, device: torch.device, cuda: Any = None) -> None:
        import torch

        self._device = device
        self._cuda = (cuda or torch.cuda) if device.type == "cuda" else None

    def synchronise(self) -> None:
        """Wait for the device."""
        if self._cuda is not None:
            self._cuda.synchronize(self._device)
        else:
            synchronise(self._device)

    def event(self) -> Any:
        """A timing event recorded on the current stream now."""
        if self._cuda is None:
            return None
        event = self._cuda.Event(enable_timing=True)
        event.record(self._cuda.current_stream(self._device))
        return event

    def seconds_between(self, start: Any, end: Any) -> float | None:
        """Seconds on the device's own clock from one event to another, both completed."""
        if start is None or end is None:
            return None
        end.synchronize()
        return float(start.elapsed_time(end)) / 1000  # CUDA gives milliseconds

    def start_peak(self) -> None:
        """Forget the peak so far, so that the next one is that of the coming phase."""
        if self._cuda is not None:
            self._cuda.reset_peak_memory_stats(self._device)

    def peak_gpu_memory_gib(self) -> float | None:
        """The most memory that torch's allocator has held since ``start_peak``."""
        if self._cuda is None:
            return None
        return float(self._cuda.max_memory_allocated(self._device)) / GIB
