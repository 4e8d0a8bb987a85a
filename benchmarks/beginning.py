"""What it saves to compute once a batch what all training examples begin with.

    python benchmarks/beginning.py [--repeats 3] [--report]

The same LoRA training (rank 16, batch 16, 64 short examples of world facts, three epochs) with
every example computed whole and with the shared beginning (harness/adapters/beginning.py), in
alternation, in bfloat16 and float32, on one thread. One row a turn in results/beginning.csv.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from turns import RESULTS, append, processor, rows, smollm

OUT = RESULTS / "beginning.csv"
EXAMPLES, EPOCHS = 64, 3
PATHS = ("whole", "shared")
DTYPES = ("bfloat16", "float32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--report", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    if not options.report:
        OUT.unlink(missing_ok=True)
        for repeat in range(options.repeats):
            for dtype in DTYPES:
                for path in PATHS:
                    append(OUT, {"repeat": repeat, **turn(dtype, path)})
    print(table(rows(OUT)))


def turn(dtype: str, path: str) -> dict[str, Any]:
    """One training, timed without loading."""
    import torch

    from harness.adapters import train as training
    from harness.adapters.config import AdapterConfig
    from harness.adapters.data import question_examples
    from harness.models.language_model import LanguageModel
    from harness.models.load import load_tokenizer, load_weights, locate
    from harness.prompts import PromptConfig
    from harness.tasks import load_task
    from harness.tasks.config import WorldFactsConfig
    from harness.types import Question

    torch.set_num_threads(1)
    config = smollm()
    files = locate(config)
    pairs = list(load_task(WorldFactsConfig(countries=81)).train)
    random.Random(0).shuffle(pairs)
    questions = [
        Question(id=str(n), question=pair.question, answers=(pair.answer,))
        for n, pair in enumerate(pairs[:EXAMPLES])
    ]
    lora = AdapterConfig(
        rank=16, alpha=32, epochs=EPOCHS, batch_size=16, learning_rate=1e-3, checkpoint_steps=0
    )
    weights = load_weights(files, dtype, "eager", torch.device("cpu")).requires_grad_(False)
    model = LanguageModel(weights, load_tokenizer(files), config, files.identity)
    examples = question_examples(model, PromptConfig(), lora, questions, None)
    took: list[float] = []

    def timed(loop: Callable[[], None]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        loop()
        took.extend((time.perf_counter() - wall, time.process_time() - cpu))

    shared = training.shared_in_training if path == "shared" else lambda *_: 0
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(training, "shared_in_training", shared),
    ):
        told = training.train(model, lora, examples, [], 0, Path(folder), timed)
    print(f"{dtype} {path}: {took[1]:.1f} CPU s", file=sys.stderr)
    return {
        "dtype": dtype,
        "path": path,
        "steps": told.steps,
        "trained_tokens": told.tokens,
        "shared_tokens": told.shared_tokens,
        "computed_tokens": told.tokens - told.shared_tokens * (EXAMPLES * EPOCHS - told.steps),
        "seconds": round(took[0], 2),
        "cpu_seconds": round(took[1], 2),
        "last_loss": round(told.last_loss, 6),
        "processor": processor(),
    }


def table(kept: list[dict[str, str]]) -> str:
    """Medians of both paths in each number format, and what was saved."""
    lines = [
        "| format | computed tokens, whole / shared | CPU s, whole / shared | tokens saved | "
        "CPU s saved | last loss, whole / shared |",
        "|---|---|---|---:|---:|---|",
    ]
    for dtype in DTYPES:
        own = [[row for row in kept if (row["dtype"], row["path"]) == (dtype, p)] for p in PATHS]
        tokens = [int(of_path[0]["computed_tokens"]) for of_path in own]
        cpu = [median(float(row["cpu_seconds"]) for row in of_path) for of_path in own]
        losses = [float(of_path[0]["last_loss"]) for of_path in own]
        lines.append(
            f"| {dtype} | {tokens[0]:,} / {tokens[1]:,} | {cpu[0]:.1f} / {cpu[1]:.1f} | "
            f"{1 - tokens[1] / tokens[0]:.0%} | {1 - cpu[1] / cpu[0]:.0%} | "
            f"{losses[0]:.4f} / {losses[1]:.4f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
