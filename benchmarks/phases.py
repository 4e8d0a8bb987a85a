"""Where the time of a run goes, and how it grows with the work.

    python benchmarks/phases.py [--report]

One arm with both slots (rag_lora: every phase happens) on invented facts, with 100 questions over
1,000 passages and with 1,000 questions over 10,000, the real model, nothing reused. Each size is a
run of its own. The table sets each phase's growth beside the growth of what it works on: a phase
that grows faster than its work (clearly above 1 in the last column) is a defect. Then the
quickstart's seconds by phase, from its committed rows. A busy machine stretches wall seconds, so
CPU seconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from turns import RESULTS, append, rows

HERE = Path(__file__).parent
OUT = RESULTS / "phases.csv"
QUICKSTART = HERE.parent / "results" / "reference" / "quickstart" / "runs.csv"
VALIDATION = 20
SIZES = {100: 1_000, 1_000: 10_000}
"""Passages, by number of test questions."""
WORK = {
    "prepare": "trained_tokens",
    "index": "passages",
    "train": "trained_tokens",
    "retrieve": "n_test",
    "prefill": "prefill_tokens",
    "decode": "decode_tokens",
}
"""What each phase works on. The others do the same work at both sizes."""
CONSTANT = ("load", "tune", "probe", "latency_sample")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="print what is there, run nothing")
    if not parser.parse_args().report:
        OUT.unlink(missing_ok=True)
        for questions, passages in SIZES.items():
            append(OUT, {"passages": str(passages), **measured(questions, passages)})
    print(growth(rows(OUT)))
    print()
    print(shares([row for row in rows(QUICKSTART) if row["seed"] == "0"]))


def measured(questions: int, passages: int) -> dict[str, str]:
    """The columns of one run that this is about."""
    entities = (questions + VALIDATION) // 2  # two facts each
    settings = [
        "method=rag_lora",
        "task=fictional",
        f"task.entities={entities}",
        f"task.distractor_entities={passages - entities}",
        f"task.validation_questions={VALIDATION}",
        "task.phrasings=2",
        "adapter.epochs=1",
        "retriever.top_k_candidates=[1,3]",
        "forgetting.items=50",
        "forgetting.texts=20",
        "forgetting.text_tokens=64",
        "measure.reuse=false",
    ]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "harness", "run", *settings, f"results={folder}"]
        subprocess.run(command, check=True)
        (path,) = Path(folder).glob("*/runs.csv")
        (row,) = rows(path)
    if row["status"] != "ok":
        raise SystemExit(row["error"])
    kept = ["n_test", "trained_tokens", "prefill_tokens", "decode_tokens", "top_k", "device"]
    seconds = [f"{p}_{unit}" for p in (*CONSTANT, *WORK) for unit in ("seconds", "cpu_seconds")]
    return {
        **{name: row[name] for name in [*kept, *seconds]},
        "peak_memory_gib": row["peak_memory_gib"],
        "cores": str(len(os.sched_getaffinity(0))),
    }


def growth(found: list[dict[str, str]]) -> str:
    """Each phase's seconds and share at both sizes, and its growth over that of its work."""
    if len(found) < len(SIZES):
        return "nothing is measured yet"
    small, large = found
    lines = [
        f"| phase | {small['n_test']} questions, CPU s | share "
        f"| {large['n_test']} questions, CPU s | share | grew | its work grew | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    totals = [sum(cpu(row, phase) for phase in (*CONSTANT, *WORK)) for row in found]
    for phase in (*CONSTANT, *WORK):
        one, other = cpu(small, phase), cpu(large, phase)
        work = float(large[WORK[phase]]) / float(small[WORK[phase]]) if phase in WORK else 1.0
        grew = other / one if one else 0.0
        lines.append(
            f"| {phase} | {one:.2f} | {one / totals[0]:.1%} | {other:.2f} "
            f"| {other / totals[1]:.1%} | {grew:.1f} | {work:.1f} | {grew / work:.2f} |"
        )
    lines.append(
        f"| all | {totals[0]:.1f} |  | {totals[1]:.1f} |  | {totals[1] / totals[0]:.1f} |  |  |"
    )
    memory = " and ".join(f"{float(row['peak_memory_gib']):.2f}" for row in found)
    return "\n".join([*lines, "", f"Peak memory: {memory} GiB."])


def shares(found: list[dict[str, str]]) -> str:
    """Seconds by phase and arm, as committed: shared work (probes, adapter) is told in each arm."""
    phases = (*CONSTANT, *WORK)
    lines = [
        "| quickstart, wall s | " + " | ".join(row["arm"] for row in found) + " |",
        "|---" * (len(found) + 1) + "|",
    ]
    for phase in phases:
        cells = [row[f"{phase}_seconds"] for row in found]
        told = " | ".join(f"{float(cell):.1f}" if cell else "" for cell in cells)
        lines.append(f"| {phase} | {told} |")
    spent = " | ".join(f"{float(row['spent_seconds']):.0f}" for row in found)
    return "\n".join([*lines, f"| spent by this run | {spent} |"])


def cpu(row: dict[str, str], phase: str) -> float:
    """CPU seconds of a phase; 0 where it did not happen."""
    return float(row[f"{phase}_cpu_seconds"] or 0)


if __name__ == "__main__":
    main()
