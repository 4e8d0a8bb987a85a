"""LoRA training against TRL's SFTTrainer, as its users run it.

    python benchmarks/training.py [--steps 10] [--repeats 3] [--report]

SmolLM2-135M, rank 16 on all linear layers, AdamW, batch 16, the same examples with loss on the
answers only, the same learning rate, schedule, length limit and number of steps, no dropout:

- harness: its defaults, in the number format and attention that `harness run` chooses here
- trl: SFTTrainer in float32, the rest its defaults (gradient checkpointing among them)
- trl_no_checkpointing: the same without recomputing activations
- trl_bf16: SFTTrainer's own default, bfloat16 autocast over float32 weights

Tokens are those of the examples, without padding. The harness computes what all of them begin with
once a batch: its share of the matrix peak is of what was computed. Contestants alternate; each turn
is a process of its own. Loading, tokenising and saving are not timed. A turn that stands in
results/training.csv is not run again. Needs the extra "bench". On a machine that does other work
CPU seconds tell more than wall seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from turns import RESULTS, append, processor, rows, smollm

CONTESTANTS = ("harness", "trl", "trl_bf16", "trl_no_checkpointing")
FLOORS = {"trl": 3.0, "trl_bf16": 2.5}
"""How many times as fast the harness is asked to be, on a processor with matrix tiles (AMX)."""
BATCH, RANK, LEARNING_RATE, MAX_TOKENS, HELD_OUT = 16, 16, 1e-3, 1024, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=CONTESTANTS)
    parser.add_argument("--out", type=Path, default=RESULTS / "training.csv")
    parser.add_argument("--report", action="store_true", help="print what is there, run nothing")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        contestant, path = options.child
        Path(path).write_text(json.dumps(turn(contestant, options.steps)), encoding="utf-8")
        return
    for repeat in range(0 if options.report else options.repeats):
        for contestant in options.contestants:
            done = {(r["contestant"], r["steps"], r["repeat"]) for r in rows(options.out)}
            if (contestant, str(options.steps), str(repeat)) not in done:
                append(options.out, measured(contestant, options.steps, repeat))
    print(table([r for r in rows(options.out) if r["steps"] == str(options.steps)]))


def measured(contestant: str, steps: int, repeat: int) -> dict[str, Any]:
    """One row: a contestant's turn in a process of its own."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turn.json"
        child = ["--child", contestant, str(path), "--steps", str(steps)]
        subprocess.run([sys.executable, __file__, *child], check=True, cwd=folder)
        found = json.loads(path.read_text(encoding="utf-8"))
    return {
        "contestant": contestant,
        "steps": steps,
        "repeat": repeat,
        **found,
        "processor": processor(),
        "amx": "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8"),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(load, 2),
    }


def turn(contestant: str, steps: int) -> dict[str, Any]:
    """Seconds and tokens of one training, and the loss on examples that it did not see."""
    import torch

    from harness.adapters.data import question_examples
    from harness.models.calibrate import resolve_choices
    from harness.models.language_model import LanguageModel
    from harness.models.load import load_tokenizer, load_weights, locate
    from harness.prompts import PromptConfig
    from harness.tasks import load_task
    from harness.tasks.config import WorldFactsConfig
    from harness.types import Question

    config = smollm()
    files, device = locate(config), torch.device("cpu")
    own = contestant == "harness"
    if own:
        config = resolve_choices(config, files, device)
    dtype, attention = (config.train_dtype, config.train_attention) if own else ("float32", "sdpa")
    torch.manual_seed(0)
    weights = load_weights(files, dtype, attention, device).requires_grad_(False)
    model = LanguageModel(weights, load_tokenizer(files), config, files.identity)
    pairs = load_task(WorldFactsConfig(countries=81)).train
    questions = [
        Question(id=str(n), question=pair.question, answers=(pair.answer,))
        for n, pair in enumerate(pairs)
    ]
    random.Random(0).shuffle(questions)
    lora = adapter_config()
    examples = question_examples(
        model, PromptConfig(), lora, questions[: steps * BATCH + HELD_OUT], None
    )
    if len(examples) < steps * BATCH + HELD_OUT:
        raise SystemExit(f"{len(pairs)} training pairs are too few for {steps} steps")
    seen, unseen = examples[HELD_OUT:], examples[:HELD_OUT]
    train = by_harness if own else by_trl
    trained, seconds, cpu_seconds, shared = train(contestant, model, lora, seen)
    tokens = sum(len(one.input_ids) for one in seen)
    computed = tokens - shared * (len(seen) - steps)
    peak = {name: matrix_gflops(getattr(torch, name)) for name in ("float32", "bfloat16")}
    parameters = sum(p.numel() for n, p in trained.named_parameters() if "lora_" not in n)
    gflops = 4 * parameters * computed / cpu_seconds / 1e9 * torch.get_num_threads()
    return {
        "dtype": f"{dtype} autocast bfloat16" if contestant == "trl_bf16" else dtype,
        "attention": attention,
        "tokens": tokens,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "held_out_loss": round(held_out_loss(trained, unseen), 4),
        "peak_float32_gflops": round(peak["float32"]),
        "peak_bfloat16_gflops": round(peak["bfloat16"]),
        "share_of_peak": round(gflops / max(peak.values()), 3),
        "threads": torch.get_num_threads(),
    }


def adapter_config() -> Any:
    """LoRA as all contestants train it."""
    from harness.adapters.config import AdapterConfig

    return AdapterConfig(
        rank=RANK,
        alpha=2 * RANK,
        epochs=1,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        max_tokens=MAX_TOKENS,
        checkpoint_steps=0,
    )


def by_harness(_: str, model: Any, lora: Any, examples: Any) -> tuple[Any, float, float, int]:
    """The trained model, wall and CPU seconds of the loop, tokens that a batch computed once."""
    from harness.adapters.train import train

    took: list[float] = []

    def timed(loop: Any) -> None:
        began, cpu_began = time.perf_counter(), time.process_time()
        loop()
        took.extend((time.perf_counter() - began, time.process_time() - cpu_began))

    with tempfile.TemporaryDirectory() as folder:
        summary = train(model, lora, examples, [], 0, Path(folder), timed)
    return model.model, took[0], took[1], summary.shared_tokens


def by_trl(contestant: str, model: Any, lora: Any, examples: Any) -> tuple[Any, float, float, int]:
    """The trained model, wall and CPU seconds of the loop, and 0: no token is computed once."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    more = {"gradient_checkpointing": False} if contestant == "trl_no_checkpointing" else {}
    steps = -(-len(examples) // BATCH)
    data = Dataset.from_list(
        [
            {
                "input_ids": one.input_ids,
                "completion_mask": [int(label >= 0) for label in one.labels],
            }
            for one in examples
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=model.model,
            args=SFTConfig(
                output_dir=folder,
                per_device_train_batch_size=BATCH,
                num_train_epochs=1,
                learning_rate=LEARNING_RATE,
                lr_scheduler_type=lora.schedule,
                warmup_steps=round(steps * lora.warmup_share),
                max_length=MAX_TOKENS,
                completion_only_loss=True,  # by default only for data that it tokenises itself
                bf16=contestant == "trl_bf16",
                use_cpu=True,
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
                seed=0,
                **more,
            ),
            train_dataset=data,
            processing_class=model.tokenizer,
            peft_config=LoraConfig(
                r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM"
            ),
        )
        began, cpu_began = time.perf_counter(), time.process_time()
        trainer.train()
        took = time.perf_counter() - began, time.process_time() - cpu_began
    return trainer.model, *took, 0


def held_out_loss(model: Any, examples: Any) -> float:
    """Mean cross-entropy (nats) of the answers' tokens, computed alike for all contestants."""
    import torch

    model.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for one in examples:
            logits = model(input_ids=torch.tensor([one.input_ids]), use_cache=False).logits[0]
            labels = torch.tensor(one.labels[1:])
            total += float(
                torch.nn.functional.cross_entropy(logits[:-1].float(), labels, reduction="sum")
            )
            count += int((labels >= 0).sum())
    return total / count


def matrix_gflops(dtype: Any, size: int = 1536, repeats: int = 8) -> float:
    """The machine's rate for a product of two square matrices, in 1e9 operations a second."""
    import torch

    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    left @ right
    began = time.process_time()
    for _ in range(repeats):
        left @ right
    seconds = (time.process_time() - began) / torch.get_num_threads()
    return 2 * size**3 * repeats / seconds / 1e9


def table(found: list[dict[str, str]]) -> str:
    """Medians, and how many times as long each takes as the harness."""
    by = {name: [r for r in found if r["contestant"] == name] for name in CONTESTANTS}
    if not by["harness"]:
        return "nothing is measured yet"
    own = middle(by["harness"], "cpu_seconds")
    own_loss = middle(by["harness"], "held_out_loss")
    lines = [
        "| contestant | turns | tokens/s (wall) | tokens/CPU s | times the harness' CPU s "
        "| asked for | share of matrix peak | held-out loss | against the harness |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, turns in by.items():
        if not turns:
            continue
        tokens, cpu, wall = (middle(turns, k) for k in ("tokens", "cpu_seconds", "seconds"))
        loss = middle(turns, "held_out_loss")
        lines.append(
            f"| {name} ({turns[0]['dtype']}, {turns[0]['attention']}) | {len(turns)} "
            f"| {tokens / wall:.0f} | {tokens / cpu:.0f} | {cpu / own:.2f} "
            f"| {FLOORS.get(name, '')} | {middle(turns, 'share_of_peak'):.0%} "
            f"| {loss:.3f} | {loss / own_loss - 1:+.1%} |"
        )
    return "\n".join(lines)


def middle(turns: list[dict[str, str]], column: str) -> float:
    """The median of a column."""
    return median(float(one[column]) for one in turns)


if __name__ == "__main__":
    main()
