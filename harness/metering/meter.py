"""The meter: phases kept apart, each with its time, tokens, memory and energy.

How phases are told apart, and what each number includes: docs/metering.md.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from harness.errors import suggestion
from harness.metering import memory
from harness.metering.device import GIB, DeviceClock
from harness.metering.energy import EnergySource
from harness.metering.helpers import Helpers
from harness.metering.reading import PHASES, PhaseReading
from harness.metering.sharing import Neighbours
from harness.metering.windows import EnergyWindow, Segment, readings_by_phase

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# A counter that is cheap to read is read at each change of phase, unless it was within this time:
# NVML's counter itself moves only every 0.02 to 0.1 s.
LEAST_WINDOW_SECONDS = 0.05


def process_cpu_seconds() -> float:
    """CPU time of this process, all its threads, and of children that were waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


class Span:
    """What one ``with meter.phase(...)`` metered, switches within it included."""

    def __init__(self, meter: Meter, phase: str) -> None:
        self._meter = meter
        self._phase = phase
        self.segments: list[Segment] = []

    @property
    def wall_seconds(self) -> float:
        """Seconds from the span's start to its end (so far, while it is open)."""
        return sum(segment.wall_seconds for segment in self.segments)

    def reading(self) -> PhaseReading:
        """What the phase that the span began with cost; once the span has ended."""
        return self.readings()[self._phase]

    def readings(self) -> dict[str, PhaseReading]:
        """What each phase of the span cost, by name; once the span has ended."""
        return self._meter.readings_of(self.segments)


class Meter:
    """Meters phases of a run; ``with Meter(...) as meter`` also samples in the background.

    ``with meter.phase("train"): …`` meters a phase. Phases do not nest; inside one,
    ``meter.switch("decode")`` ends it and begins another. ``meter.count(tokens_in=…)`` adds to
    the phase that runs.

    Args:
        device: where the work runs; it is synchronised at both ends of each phase.
        energy: from ``open_energy_source``; without components every energy is None.
        sample_seconds: how often energy and memory are read in the background.
        turn: entered before each phase and left after it: cells that take turns on the device
            wait there, unmetered. Other users of the device are then looked for in phases only.
        cuda: what stands for ``torch.cuda``.
        clock, cpu_clock: wall and CPU seconds; tests give fakes.
    """

    def __init__(
        self,
        device: torch.device,
        energy: EnergySource | None = None,
        *,
        sample_seconds: float = 1.0,
        turn: Callable[[], AbstractContextManager[None]] | None = None,
        cuda: Any = None,
        clock: Callable[[], float] = time.perf_counter,
        cpu_clock: Callable[[], float] = process_cpu_seconds,
    ) -> None:
        self.energy = energy or EnergySource()
        self._device_clock = DeviceClock(device, cuda)
        self._turn = turn
        self._neighbours = Neighbours(device, paused=turn is not None)
        self._sample_seconds = sample_seconds
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._segments: list[Segment] = []
        self._outside = Segment("")
        self._current = self._outside
        self._span: Span | None = None
        self._event: Any = None
        self._helpers = Helpers()
        self._peak = memory.PhasePeak(self._helpers_bytes)
        self._switch_seconds = 0.0
        self._sampler_seconds = 0.0
        self._wall_mark = clock()
        self._cpu_mark = cpu_clock()
        parts = (*self.energy.components, *self.energy.estimates)
        self._windows = [EnergyWindow(part, self._wall_mark) for part in parts]
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._sampler: threading.Thread | None = None

    def __enter__(self) -> Meter:
        self._sampler = threading.Thread(target=self._sample, name="meter", daemon=True)
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._sampler is not None:
            self._sampler.join()
        self._neighbours.watch_gpu()

    @property
    def current(self) -> str | None:
        """The phase that runs, or None."""
        return self._current.phase or None

    @contextmanager
    def phase(self, name: str) -> Iterator[Span]:
        """Meter a phase; an exception inside ends it like a normal exit.

        Raises:
            RuntimeError: another phase runs.
        """
        _check_name(name)
        if self.current is not None:
            raise RuntimeError(
                f"phase '{name}' was begun inside phase '{self.current}'; phases do not nest: "
                f"use switch('{name}'), or end '{self.current}' first"
            )
        with self._our_turn():
            self._device_clock.synchronise()
            span = self._span = Span(self, name)
            try:
                self._change_to(name)
                yield span
            except BaseException:
                self._end_after_error()
                raise
            self._end_span()

    @contextmanager
    def _our_turn(self) -> Iterator[None]:
        """While the device is ours, if turns are taken; others are looked for then."""
        if self._turn is None:
            yield
            return
        with self._turn():
            self._neighbours.resume()
            try:
                yield
            finally:
                self._neighbours.pause()

    def switch(self, name: str) -> None:
        """End the phase that runs and begin another, without a gap.

        Raises:
            RuntimeError: no phase runs.
        """
        _check_name(name)
        if self.current is None:
            raise RuntimeError(f"switch to '{name}', but no phase runs; use phase('{name}')")
        if name == self.current:
            return
        self._device_clock.synchronise()
        self._change_to(name)

    @contextmanager
    def helped_by(self, pids: Sequence[int], devices: int = 1) -> Iterator[Helpers]:
        """Count what these processes use as used by this one, as long as the block lasts.

        They are to end, and be waited for, within it: then the system adds their CPU time to this
        process' without a gap.

        Args:
            devices: how many GPUs they compute on: ``gpu_seconds`` is of all of them.
        """
        with self._lock:
            self._helpers = Helpers(pids, devices)
        try:
            yield self._helpers
        finally:
            with self._lock:
                self._helpers = Helpers()

    def count(self, tokens_in: int = 0, tokens_out: int = 0) -> None:
        """Add tokens to the phase that runs.

        Raises:
            RuntimeError: no phase runs.
        """
        if self.current is None:
            raise RuntimeError("tokens were counted, but no phase runs")
        self._current.tokens_in += tokens_in
        self._current.tokens_out += tokens_out

    def readings(self) -> dict[str, PhaseReading]:
        """What each phase cost so far, summed over every time it ran; none may be running."""
        return self.readings_of(self._segments)

    def readings_of(self, segments: Sequence[Segment]) -> dict[str, PhaseReading]:
        """What ``segments`` cost, by phase; reads all energy first, so that nothing is pending."""
        for segment in segments:
            if segment.open:
                raise RuntimeError(f"a reading was asked for while phase '{segment.phase}' runs")
        started = self._clock()
        with self._lock:
            self._credit(started)
            self._read_energy(started, everything=True)
        self._switch_seconds += self._clock() - started
        return readings_by_phase(segments, self.energy)

    def device_exclusive(self) -> bool | None:
        """Whether nobody else used the device since the meter was made; None if unknown."""
        return self._neighbours.device_exclusive()

    @property
    def peak_memory_gib(self) -> float | None:
        """Highest resident memory of this process since it began, by the kernel's own mark."""
        highest = memory.highest_resident_bytes()
        return None if highest is None else highest / GIB

    @property
    def overhead_seconds(self) -> float:
        """The meter's own time: phase changes and readings, and the sampler's CPU time.

        Waiting for the device is not in it: that is the phase's own work.
        """
        return self._switch_seconds + self._sampler_seconds

    @property
    def overhead_share(self) -> float | None:
        """``overhead_seconds`` over the wall seconds of all phases; None before the first."""
        metered = sum(segment.wall_seconds for segment in self._segments)
        return self.overhead_seconds / metered if metered > 0 else None

    def _helpers_bytes(self) -> int:
        """Resident memory of the helpers there are now."""
        return self._helpers.resident_bytes()

    def _end_span(self) -> None:
        """Wait for the device and end the phase that runs."""
        try:
            self._device_clock.synchronise()
        finally:
            self._span = None
            self._change_to("")

    def _end_after_error(self) -> None:
        """End the phase; if the device fails as well, the first error is the one to raise."""
        try:
            self._end_span()
        except Exception as error:  # e.g. a CUDA error, which every later call raises again
            logger.warning("the device failed while a phase ended: %s", error)
            self._current.open = False
            self._current, self._span, self._event = self._outside, None, None

    def _change_to(self, name: str) -> None:
        """End what runs and begin ``name`` ("" for none) at the same instant."""
        now = self._clock()
        before, after = self._current, Segment(name) if name else self._outside
        with self._lock:
            self._credit(now)
            self._read_energy(now, everything=False)
            if before is not self._outside:
                self._peak.note()
                before.peak_memory_bytes = self._peak.peak_bytes
                before.open = False
            self._current = after
            if after is not self._outside:
                self._peak.start()
                self._segments.append(after)
                if self._span is not None:
                    self._span.segments.append(after)
        event = self._device_clock.event()
        if before is not self._outside:
            before.peak_gpu_memory_gib = self._helpers.higher_gpu_peak_gib(
                self._device_clock.peak_gpu_memory_gib()
            )
            seconds = self._device_clock.seconds_between(self._event, event)
            before.gpu_seconds = None if seconds is None else seconds * self._helpers.devices
        self._device_clock.start_peak()
        self._event = event
        self._switch_seconds += self._clock() - now

    def _credit(self, now: float) -> None:
        """Give the time since the last mark to what runs; the lock is held."""
        # In this order: one that ends in between is missed until the next look, not counted twice.
        cpu_now = self._cpu_clock()
        cpu_now += self._helpers.cpu_seconds()
        # The sampler may have moved the mark past an instant taken just before the lock was.
        wall, cpu = max(now - self._wall_mark, 0.0), max(cpu_now - self._cpu_mark, 0.0)
        self._wall_mark, self._cpu_mark = self._wall_mark + wall, self._cpu_mark + cpu
        self._current.wall_seconds += wall
        self._current.cpu_seconds += cpu
        for window in self._windows:
            window.credit(self._current, wall, cpu)

    def _read_energy(self, now: float, everything: bool) -> None:
        """Read the components that are due; the lock is held."""
        for window in self._windows:
            cheap = window.component.reads_cheaply
            least = LEAST_WINDOW_SECONDS if cheap else self._sample_seconds
            if everything or window.age(now) >= least:
                window.close(now)

    def _sample(self) -> None:
        """Read energy and memory every ``sample_seconds`` until the meter is left."""
        while not self._stop.wait(self._sample_seconds):
            started = time.thread_time()
            with self._lock:
                now = self._clock()
                self._credit(now)
                self._read_energy(now, everything=True)
                if self._current is not self._outside:
                    self._peak.note()
            self._sampler_seconds += time.thread_time() - started


def _check_name(name: str) -> None:
    """A misspelt phase would silently open a column of its own."""
    if name not in PHASES:
        raise ValueError(f"unknown phase '{name}'{suggestion(name, list(PHASES))}")
