"""What each device of a catalogue would take: whether it holds the work, how many, how long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from harness.economics.checks import checked_positive, checked_pue, checked_share
from harness.economics.memory import (
    Accelerator,
    accelerators_in_time,
    accelerators_to_hold,
    decode_tokens_per_second,
)
from harness.economics.plan.catalogue import Device
from harness.economics.plan.process import HELD, held_in_training, process_bytes
from harness.economics.plan.terms import Terms, carbon, money
from harness.errors import ConfigError


@dataclass(frozen=True)
class Assumed:
    """What is taken for granted about every device; each can be set.

    Attributes:
        mfu: share of the peak FLOP/s that training and reading prompts reach.
        bandwidth_share: share of the memory's bandwidth that decoding reaches.
        memory_share: of a device's memory that can be filled.
        power_share: share of its watts that a device draws while it works.
        pue: facility energy over the machine's own.
        most: devices that are set to work together at most.
    """

    mfu: float = 0.3
    bandwidth_share: float = 0.6
    memory_share: float = 0.9
    power_share: float = 1.0
    pue: float = 1.0
    most: int = 8

    def __post_init__(self) -> None:
        for name in ("mfu", "bandwidth_share", "memory_share", "power_share"):
            flag = f"--{name.replace('_', '-')}"
            checked_positive(checked_share(getattr(self, name), flag), flag)
        checked_pue(self.pue)
        if self.most < 1:
            raise ConfigError(f"--most is {self.most}; it is at least 1")


@dataclass(frozen=True)
class Fit:
    """One device's answer; None is unknown or not stated, never zero.

    Attributes:
        needed_bytes: on this device, all parts together.
        usable_bytes: of one device.
        count: devices that it takes, the memory spread evenly; None if more than the most.
        bound_by: what decides the count or stands in the way: "memory" or "time"; "" with one.
        kwh: of the devices, facility included.
        usd_of: what the money is for.
        tokens_per_second: decoded, of one group of devices; with serving alone.
    """

    device: Device
    needed_bytes: float
    usable_bytes: float
    count: int | None
    wanted: int
    bound_by: str
    hours: float | None = None
    kwh: float | None = None
    usd: float | None = None
    usd_of: str = ""
    kg: float | None = None
    tokens_per_second: float | None = None

    @property
    def fits(self) -> bool:
        """Whether one device holds it."""
        return self.needed_bytes <= self.usable_bytes


def device_bytes(
    parts: Mapping[str, float], device: Device, held_share: float = HELD
) -> dict[str, float]:
    """The parts as they lie on a device: in a GPU's own memory, or with a whole process."""
    return dict(parts) if device.is_gpu else process_bytes(parts, held_share)


def fit_training(
    device: Device,
    parts: Mapping[str, float],
    flop: float | None,
    dtype: str,
    assumed: Assumed,
    terms: Terms,
    within_hours: float | None = None,
) -> Fit:
    """Devices, time, energy, money and carbon of a training.

    Args:
        flop: None where it is not said how much is trained on: then there is no time.
        within_hours: it has to be done in; more devices work together for it.
    """
    needed = sum(device_bytes(parts, device, held_in_training(dtype)).values())
    to_hold = accelerators_to_hold(_accelerator(device, dtype), needed, assumed.memory_share)
    peak = device.peak_flops(dtype)
    wanted = to_hold
    if within_hours is not None and flop is not None and peak is not None:
        checked_positive(within_hours, "--within-hours")
        in_time = accelerators_in_time(
            _accelerator(device, dtype), flop, within_hours * 3600, assumed.mfu
        )
        wanted = max(to_hold, in_time)
    bound = "memory" if to_hold > 1 and wanted == to_hold else "time" if wanted > 1 else ""
    count = wanted if wanted <= assumed.most else None
    seconds = None
    if flop is not None and peak is not None and count is not None:
        seconds = flop / (peak * assumed.mfu * count)
    return _fit(device, needed, assumed, terms, wanted, count, bound, seconds)


def fit_serving(
    device: Device,
    parts: Mapping[str, float],
    work: QueryWork,
    queries: float | None,
    demand: float | None,
    assumed: Assumed,
    terms: Terms,
) -> Fit:
    """Devices, time, energy, money and carbon of answering ``queries``.

    Several devices that hold a model together share weights and bandwidth evenly; more of them for
    the demand's sake each hold it whole.

    Args:
        demand: queries a second that have to be answered.
    """
    needed = sum(device_bytes(parts, device).values())
    to_hold = accelerators_to_hold(_accelerator(device, "bfloat16"), needed, assumed.memory_share)
    rate, tokens = _rates(device, work, assumed, to_hold)
    groups = 1
    if demand is not None and rate is not None:
        groups = max(1, math.ceil(checked_positive(demand, "--demand") / rate))
    wanted = to_hold * groups
    bound = "time" if groups > 1 else "memory" if to_hold > 1 else ""
    count = wanted if wanted <= assumed.most else None
    seconds = None
    if queries is not None and rate is not None and count is not None:
        seconds = checked_positive(queries, "--queries") / (rate * groups)
    return _fit(
        device, needed, assumed, terms, wanted, count, bound, seconds,
        tokens if count is not None else None,
    )  # fmt: skip


@dataclass(frozen=True)
class QueryWork:
    """What one query takes, and what a decoding step reads.

    Attributes:
        prefill_flop, decode_flop: of one query; the retriever's in ``retrieval_flop``.
        weight_bytes: read in every step of decoding.
        kv_bytes: of the whole batch, half-way through the answers.
    """

    prefill_flop: float
    decode_flop: float
    retrieval_flop: float
    weight_bytes: float
    kv_bytes: float
    batch: int
    answer_tokens: int


def _rates(
    device: Device, work: QueryWork, assumed: Assumed, together: int
) -> tuple[float | None, float | None]:
    """Queries a second, and tokens a second while decoding, of ``together`` devices.

    A step of decoding takes the longer of reading weights and KV cache and of computing; reading
    prompts is bound by FLOP, and so is retrieval but for the vectors it reads: 4 bytes for 2 FLOP.
    """
    bandwidth, half, full = (
        device.get("bandwidth_gb_s"), device.peak_flops("bfloat16"), device.peak_flops("float32")
    )  # fmt: skip
    if bandwidth is None:
        return None, None
    reachable = bandwidth * 1e9 * assumed.bandwidth_share * together
    shared = Accelerator(device.name, device.memory_bytes, 1, reachable, "")
    tokens = decode_tokens_per_second(shared, work.weight_bytes, work.kv_bytes, work.batch)
    peak = half
    if peak is None:
        return None, tokens
    rate = peak * assumed.mfu * together
    tokens = min(tokens, rate * work.answer_tokens / work.decode_flop)
    searching = (full or peak) * assumed.mfu * together
    retrieval = max(work.retrieval_flop / searching, 2 * work.retrieval_flop / reachable)
    each = retrieval + work.prefill_flop / rate + work.answer_tokens / tokens
    return 1 / each, tokens


def _fit(
    device: Device,
    needed: float,
    assumed: Assumed,
    terms: Terms,
    wanted: int,
    count: int | None,
    bound: str,
    seconds: float | None,
    tokens: float | None = None,
) -> Fit:
    usable = device.memory_bytes * assumed.memory_share
    hours = None if seconds is None else seconds / 3600
    watts = device.get("watts")
    machine_kwh = None
    if hours is not None and watts is not None and count is not None:
        machine_kwh = watts * assumed.power_share * count * hours / 1000
    usd, usd_of = money(device, terms, seconds, count, machine_kwh, assumed.pue)
    return Fit(
        device=device,
        needed_bytes=needed,
        usable_bytes=usable,
        count=count,
        wanted=wanted,
        bound_by=bound,
        hours=hours,
        kwh=None if machine_kwh is None else machine_kwh * assumed.pue,
        usd=usd,
        usd_of=usd_of,
        kg=carbon(terms, machine_kwh, seconds, count, assumed.pue),
        tokens_per_second=tokens,
    )


def _accelerator(device: Device, dtype: str) -> Accelerator:
    """The device as the formulas take it; a rate that is unknown stands as 1 and is not used."""
    return Accelerator(
        name=device.name,
        memory_bytes=device.memory_bytes,
        peak_flops=device.peak_flops(dtype) or 1,
        bandwidth=device.get("bandwidth_gb_s") or 1,
        source="",
    )
