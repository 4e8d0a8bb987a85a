"""Whether a run had its device to itself."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Other processes may use this share of the machine's CPU time before a run counts as disturbed.
FOREIGN_CPU_SHARE = 0.05
# The kernel accounts CPU time in steps of 10 ms: a shorter run tells nothing.
LEAST_SECONDS = 1.0


class Neighbours:
    """Watches for other users of a device from its creation on.

    GPU: other compute processes on it, as NVML lists them, when watched (start and end of a run).
    CPU: other processes' share of the machine's CPU time (the container's host included), over
    the whole run, or over the stretches between ``resume`` and ``pause``.

    Args:
        paused: whether only such stretches count. Processes on the GPU cannot be told apart by
            what they do there, so they are not looked at: taking turns keeps them from computing.
    """

    def __init__(self, device: torch.device, paused: bool = False) -> None:
        self._device = device
        self._in_turns = paused
        self._watching = False
        self._seconds = self._foreign_seconds = self._all_seconds = 0.0
        self._foreign_on_gpu: bool | None = None
        if not paused:
            self.resume()
            self.watch_gpu()

    def resume(self) -> None:
        """Count other processes' CPU time from here."""
        self._watching = True
        self._started = time.perf_counter()
        self._machine_busy, self._machine_all = _machine_cpu_seconds()
        self._own = own_tree_cpu_seconds()

    def pause(self) -> None:
        """Count it up to here."""
        busy, everything = _machine_cpu_seconds()
        foreign = busy - self._machine_busy - (own_tree_cpu_seconds() - self._own)
        self._foreign_seconds += foreign
        self._all_seconds += everything - self._machine_all
        self._seconds += time.perf_counter() - self._started
        self._watching = False

    def watch_gpu(self) -> None:
        """Look once for foreign processes on the GPU; one sighting is kept."""
        if self._in_turns:
            return
        if self._device.type == "cuda" and self._foreign_on_gpu is not True:
            self._foreign_on_gpu = foreign_processes_on_gpu(self._device)

    def device_exclusive(self) -> bool | None:
        """True if nobody else used the device; None if that cannot be told."""
        if self._device.type == "cuda" and not self._in_turns:
            self.watch_gpu()
            return None if self._foreign_on_gpu is None else not self._foreign_on_gpu
        share = self.foreign_cpu_share()
        return None if share is None else share <= FOREIGN_CPU_SHARE

    def foreign_cpu_share(self) -> float | None:
        """Other processes' share of all CPU time that was watched, 0 to 1; None if too short."""
        if self._watching:
            self.pause()
            self.resume()
        if self._seconds < LEAST_SECONDS or self._all_seconds <= 0:
            return None
        return min(max(self._foreign_seconds / self._all_seconds, 0.0), 1.0)


def foreign_processes_on_gpu(device: torch.device) -> bool | None:
    """Whether a process other than this one computes on ``device``; None if that cannot be told.

    In a container NVML gives the host's process ids, or none: then our own entry cannot be told
    from a stranger's, and only a second entry is proof.
    """
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(gpu_uuid(device).encode())
        pids = {process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)}
    except Exception:  # NVML absent, too old, or not permitted: each has its own exception type
        return None
    if os.getpid() in pids:
        return len(pids) > 1
    return True if len(pids) > 1 else None


def gpu_uuid(device: torch.device) -> str:
    """The GPU's UUID as NVML writes it: right whatever CUDA_VISIBLE_DEVICES renumbers."""
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def own_tree_cpu_seconds() -> float:
    """CPU time of this process, its ended children and its living descendants."""
    import psutil

    times = os.times()
    seconds = times.user + times.system + times.children_user + times.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            used = child.cpu_times()
        except psutil.Error:  # it ended between listing and reading: counted once reaped
            continue
        seconds += used.user + used.system
    return seconds


def _machine_cpu_seconds() -> tuple[float, float]:
    """CPU seconds the machine spent busy, and altogether, since it started."""
    import psutil

    times = psutil.cpu_times()
    # Linux counts guest time within user time; iowait is idle time.
    everything = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    # Steal is another virtual machine's use of this one's CPU: it disturbs, so it stays "busy".
    return everything - times.idle - getattr(times, "iowait", 0.0), everything
