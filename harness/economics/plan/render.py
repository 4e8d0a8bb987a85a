"""A plan as text and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.economics.plan.devices import Fit
from harness.economics.plan.planning import Asked, Plan, Work
from harness.economics.plan.process import HELD, HELD_IN_HALF_TRAINING, PROCESS_BYTES

UNKNOWN = "-"


def as_text(plan: Plan, assumed_lines: Sequence[str]) -> str:
    """The plan for a terminal: what is needed, a table of the devices, what is assumed."""
    shape = plan.asked.shape
    lines = [f"{shape.name}: {shape.parameters:,} parameters ({shape.source})"]
    for work in plan.works:
        lines += ["", *_work_lines(plan, work), "", *table(_rows(work)), *_binding(work, plan)]
    return "\n".join([*lines, "", "Assumed:", *(f"  {line}" for line in assumed_lines)])


def as_data(plan: Plan, assumed_lines: Sequence[str]) -> dict[str, Any]:
    """The plan as JSON-ready data; a figure that is not known or not stated is None."""
    asked = plan.asked
    return {
        "model": asdict(asked.shape) | {"parameters": asked.shape.parameters},
        "training": asked.training and asdict(asked.training) | {"trained": plan.trained},
        "serving": asked.serving and asdict(asked.serving),
        "retrieval": asked.retrieval and asdict(asked.retrieval),
        "work": [
            {
                "what": work.what,
                "bytes": dict(work.bytes),
                "flop": dict(work.flop) or None,
                "devices": [_fit_data(fit) for fit in work.fits],
            }
            for work in plan.works
        ],
        "assumed": list(assumed_lines),
    }


def assumptions(asked: Asked, stated: Sequence[str]) -> list[str]:
    """What the figures rest on, one line each."""
    assumed, grid = asked.assumed, asked.terms.grid
    lines = [
        f"training, encoding and reading reach {assumed.mfu:.0%} of the peak FLOP/s (--mfu)",
        f"decoding reaches {assumed.bandwidth_share:.0%} of the bandwidth (--bandwidth-share)",
        f"{assumed.memory_share:.0%} of a device's memory can be filled (--memory-share)",
        f"a device draws {assumed.power_share:.0%} of its watts while it works (--power-share); "
        "the rest of the machine is not counted",
        f"PUE {assumed.pue:g} (--assume pue=…)",
        "several devices share memory and work evenly; their traffic takes no time",
    ]
    if not all(device.is_gpu for device in asked.devices):
        lines.append(
            f"beside a CPU's tensors lies a process of {gigabytes(PROCESS_BYTES)}, and the heap "
            f"keeps {HELD:g} bytes for one of activations ({HELD_IN_HALF_TRAINING:g} in training "
            "that is not in float32)"
        )
    if grid is not None:
        lines.append(f"{grid.kg_per_kwh:g} kg CO2e/kWh: {grid.origin}, {grid.detail}")
    return [*lines, *stated]


def _work_lines(plan: Plan, work: Work) -> list[str]:
    total = sum(work.bytes.values())
    parts = ", ".join(f"{name} {gigabytes(value)}" for name, value in work.bytes.items())
    lines = [f"{_title(plan, work)}: {gigabytes(total)} ({parts})"]
    if work.flop:
        flop = sum(work.flop.values())
        shares = ", ".join(
            f"{name} {value / flop:.1%}" for name, value in work.flop.items() if value
        )
        each = " a query" if work.what == "answering" else ""
        lines.append(f"  {flop:.3g} FLOP{each} ({shares})")
    else:
        lines.append("  no time: --examples says how much is trained on")
    return lines


def _title(plan: Plan, work: Work) -> str:
    asked = plan.asked
    if work.what == "training" and asked.training is not None:
        one = asked.training
        kind = f"{one.method} rank {one.rank}" if "lora" in one.method else one.method
        return (
            f"Training ({kind}, {plan.trained:,} trained, {one.dtype}, {one.optimiser}, "
            f"{one.micro_batch} x {one.tokens} tokens, {one.attention}"
            f"{', checkpointing' if one.checkpointing else ''})"
        )
    if work.what == "indexing" and asked.retrieval is not None:
        one_index = asked.retrieval
        return (
            f"Indexing ({one_index.passages:,} passages of {one_index.passage_tokens} tokens, "
            f"{one_index.encoder}, {one_index.index})"
        )
    assert asked.serving is not None
    serving = asked.serving
    return (
        f"Answering ({serving.format}, {serving.concurrency} at once, "
        f"{serving.prompt_tokens} + {serving.answer_tokens} tokens"
        f"{f' + {asked.top_k} passages' if asked.retrieval else ''})"
    )


def _rows(work: Work) -> list[list[str]]:
    head = ["device", "needs", "has", "fits", "how many", "hours", "kWh", "US$", "kg CO2e"]
    if work.what == "answering":
        head.append("tokens/s")
    return [head, *(_row(fit, work) for fit in work.fits)]


def _row(fit: Fit, work: Work) -> list[str]:
    many = str(fit.count) if fit.count is not None else f"more ({fit.wanted})"
    money = UNKNOWN if fit.usd is None else f"{number(fit.usd)} {fit.usd_of}"
    row = [
        fit.device.name,
        gigabytes(fit.needed_bytes),
        gigabytes(fit.usable_bytes),
        "yes" if fit.fits else "no",
        f"{many} ({fit.bound_by})" if fit.bound_by and fit.count is not None else many,
        number(fit.hours),
        number(fit.kwh),
        money,
        number(fit.kg),
    ]
    return [*row, number(fit.tokens_per_second)] if work.what == "answering" else row


def _binding(work: Work, plan: Plan) -> list[str]:
    """What stands in the way, where no device of those asked about does the work."""
    if any(fit.count is not None for fit in work.fits):
        return []
    most = plan.asked.assumed.most
    largest = max(work.bytes.items(), key=lambda part: part[1])
    nearest = min(work.fits, key=lambda fit: fit.wanted)
    if nearest.bound_by == "time":
        return [
            f"No device does it with {most} or fewer: time binds. {nearest.device.name} comes "
            f"nearest, with {nearest.wanted}."
        ]
    return [
        f"It fits on none of them, not on {most} together: memory binds, above all the "
        f"{largest[0]} ({gigabytes(largest[1])}). {nearest.device.name} comes nearest, with "
        f"{nearest.wanted} of them."
    ]


def _fit_data(fit: Fit) -> dict[str, Any]:
    return {
        "device": fit.device.name,
        "kind": fit.device.kind,
        "figures": {name: asdict(figure) for name, figure in fit.device.figures.items()},
        "needed_bytes": fit.needed_bytes,
        "usable_bytes": fit.usable_bytes,
        "fits": fit.fits,
        "count": fit.count,
        "wanted": fit.wanted,
        "bound_by": fit.bound_by or None,
        "hours": fit.hours,
        "kwh": fit.kwh,
        "usd": fit.usd,
        "usd_of": fit.usd_of or None,
        "kg_co2e": fit.kg,
        "tokens_per_second": fit.tokens_per_second,
    }


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, the first column to the left and the rest to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def gigabytes(value: float) -> str:
    """Bytes in GB of 10^9, as data sheets count, to three figures."""
    return f"{number(value / 1e9)} GB"


def number(value: float | None) -> str:
    """Three figures, and a dash for what is not known."""
    if value is None:
        return UNKNOWN
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = max(0, 2 - len(f"{abs(value):.0f}") + 1) if abs(value) >= 1 else 4
        return f"{value:,.{digits}f}"
    return f"{value:.2e}"
