"""Processes that work for this one: what they use is part of what this one's phases cost."""

from __future__ import annotations

from collections.abc import Sequence

from harness.metering.device import GIB


class Helpers:
    """Living child processes, by id.

    Once they have ended and been waited for, the system counts their CPU time as this process'.

    Attributes:
        devices: how many GPUs they compute on, one each; gpu_seconds count all of them.
        peak_gpu_memory_bytes: the most that one of them said it held; None if none did.
    """

    def __init__(self, pids: Sequence[int] = (), devices: int = 1) -> None:
        import psutil

        self.devices = devices
        self.peak_gpu_memory_bytes: int | None = None
        self._processes = []
        for pid in pids:
            try:
                self._processes.append(psutil.Process(pid))
            except psutil.NoSuchProcess:
                continue

    def saw_gpu_memory(self, held_bytes: int) -> None:
        """Note the most memory that one of them held on its GPU."""
        self.peak_gpu_memory_bytes = max(self.peak_gpu_memory_bytes or 0, held_bytes)

    def higher_gpu_peak_gib(self, own_gib: float | None) -> float | None:
        """This process' own peak, or that of a helper if it is higher."""
        if own_gib is None or self.peak_gpu_memory_bytes is None:
            return own_gib
        return max(own_gib, self.peak_gpu_memory_bytes / GIB)

    def cpu_seconds(self) -> float:
        """CPU time of those that live, and of their own children that have ended."""
        import psutil

        seconds = 0.0
        for process in self._processes:
            try:
                used = process.cpu_times()
            except psutil.Error:  # it has been waited for
                continue
            seconds += used.user + used.system
            seconds += getattr(used, "children_user", 0.0) + getattr(used, "children_system", 0.0)
        return seconds

    def resident_bytes(self) -> int:
        """Resident memory of those that live; pages that several share count in each."""
        import psutil

        resident = 0
        for process in self._processes:
            try:
                resident += int(process.memory_info().rss)
            except psutil.Error:
                continue
        return resident
