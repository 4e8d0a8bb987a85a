"""Fake clocks, counters and CUDA: every expected number can be worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

JOULES_PER_KWH = 3.6e6


class Clock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Machine:
    """A wall clock and a CPU clock that move together."""

    wall: Clock = field(default_factory=Clock)
    cpu: Clock = field(default_factory=Clock)

    def work(self, seconds: float, cpu_seconds: float = 0.0) -> None:
        self.wall.pass_seconds(seconds)
        self.cpu.pass_seconds(cpu_seconds)


@dataclass
class ConstantPower:
    """Draws ``watts`` all the time."""

    name: str = "memory"
    origin: str = "assumed"
    watts: float | None = 36.0
    detail: str = "fake"
    follows_cpu_time: bool = False
    reads_cheaply: bool = False
    reads: list[float] = field(default_factory=list)

    def read_kwh(self, seconds: float) -> float | None:
        self.reads.append(seconds)
        return None if self.watts is None else self.watts * seconds / JOULES_PER_KWH


@dataclass
class Counter:
    """A counter that gives what was put into it (joules), like RAPL or NVML."""

    name: str = "cpu"
    origin: str = "counter"
    watts: float | None = None
    detail: str = "fake"
    follows_cpu_time: bool = False
    reads_cheaply: bool = False
    joules: float = 0.0
    dead: bool = False

    def read_kwh(self, seconds: float) -> float | None:
        joules, self.joules = self.joules, 0.0
        return None if self.dead else joules / JOULES_PER_KWH


class FakeCuda:
    """Stands for ``torch.cuda``: events take the time of a device clock that runs on its own."""

    def __init__(self) -> None:
        self.milliseconds = 0.0
        self.allocated = 0
        self.peak = 0
        self.calls: list[str] = []
        self.broken = False

    def synchronize(self, device: object) -> None:
        self.calls.append("synchronize")
        if self.broken:
            raise RuntimeError("CUDA error: device-side assert triggered")

    def current_stream(self, device: object) -> str:
        return "stream"

    def Event(self, enable_timing: bool) -> FakeEvent:
        assert enable_timing
        return FakeEvent(self)

    def reset_peak_memory_stats(self, device: object) -> None:
        self.peak = self.allocated

    def max_memory_allocated(self, device: object) -> int:
        return self.peak

    def allocate(self, size: int) -> None:
        self.allocated += size
        self.peak = max(self.peak, self.allocated)


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda

    def record(self, stream: str) -> None:
        if self.cuda.broken:
            raise RuntimeError("CUDA error: device-side assert triggered")
        self.cuda.calls.append("record")
        self.at = self.cuda.milliseconds

    def synchronize(self) -> None:
        self.cuda.calls.append("wait for event")

    def elapsed_time(self, end: FakeEvent) -> float:
        return end.at - self.at
