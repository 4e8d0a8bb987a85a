"""Answering short questions against lm-evaluation-harness and transformers' pipeline.

    python benchmarks/answering.py [--questions 200] [--repeats 3] [--report]

The peers as their users run them: float32, batch 16, greedy. The harness as harness_auto in the
number format and attention that `harness run` chooses on this device; as harness in float32; as
harness_b16 with the peers' batch size; as harness_generate with its batches decoded by
transformers' generate, without the shared beginning and with ended rows kept. All get the same
prompts, in the same order. Contestants alternate; each turn is a process of its own, and loading
the model is not part of its time. On a machine that does other work CPU seconds tell more than
wall seconds. A turn that stands in results/answering.csv is not run again. Needs the extra "bench".
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from turns import RESULTS, append, processor, rows, smollm

CONTESTANTS = (
    *("harness_auto", "harness", "harness_b16"),
    *("lm_eval", "pipeline", "harness_generate"),
)
FLOORS = {"lm_eval": 3.0, "pipeline": 2.5}
"""How many times as fast the harness is asked to be."""
NEW_TOKENS, BATCH = 12, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "answering.csv")
    parser.add_argument("--report", action="store_true", help="print what is there, run nothing")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        contestant, path = options.child
        Path(path).write_text(json.dumps(turn(contestant, options.questions)), encoding="utf-8")
        return
    for repeat in range(0 if options.report else options.repeats):
        for contestant in CONTESTANTS:
            done = {(r["contestant"], r["questions"], r["repeat"]) for r in rows(options.out)}
            if (contestant, str(options.questions), str(repeat)) not in done:
                append(options.out, measured(contestant, options.questions, repeat))
    print(table([r for r in rows(options.out) if r["questions"] == str(options.questions)]))


def measured(contestant: str, questions: int, repeat: int) -> dict[str, Any]:
    """One row: a contestant's turn in a process of its own."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turn.json"
        child = ["--child", contestant, str(path), "--questions", str(questions)]
        subprocess.run([sys.executable, __file__, *child], check=True)
        found = json.loads(path.read_text(encoding="utf-8"))
    return {
        "contestant": contestant,
        "questions": questions,
        "repeat": repeat,
        **found,
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
    }


def turn(contestant: str, count: int) -> dict[str, Any]:
    """Seconds that a contestant takes to answer, and its answers."""
    import torch

    from harness.models import language_model
    from harness.models.calibrate import resolve_choices
    from harness.models.language_model import LanguageModel
    from harness.models.load import load_tokenizer, load_weights, locate
    from harness.prompts import PromptConfig, build_messages

    config = smollm()
    if contestant == "harness_b16":
        config.batch_size = BATCH
    if contestant == "harness_generate":
        language_model.keeps_every_token = lambda model: False
    files, device = locate(config), torch.device("cpu")
    config.dtype, config.attention = "float32", "sdpa"
    if contestant == "harness_auto":
        config = resolve_choices(replace(config, dtype="auto", attention="auto"), files, device)
    weights = load_weights(files, config.dtype, config.attention, device).requires_grad_(False)
    model = LanguageModel(weights, load_tokenizer(files), config, files.identity)
    asked = first_questions(count)
    prompts = [model.render(build_messages(PromptConfig(), one.question)) for one in asked]
    answer = {"lm_eval": lm_eval, "pipeline": pipeline}.get(contestant)
    if answer:
        del model, weights
        ask = answer(files.location)
    else:
        ask = lambda texts: [one.text for one in model.generate(texts, NEW_TOKENS)]  # noqa: E731
    ask(prompts[:2])  # what is made at the first call is not part of the time
    began, cpu_began = time.perf_counter(), time.process_time()
    answers = ask(prompts)
    return {
        "seconds": round(time.perf_counter() - began, 3),
        "cpu_seconds": round(time.process_time() - cpu_began, 3),
        "threads": torch.get_num_threads(),
        "answers": json.dumps([text.strip() for text in answers], ensure_ascii=False),
    }


def first_questions(count: int) -> list[Any]:
    """The questions that are put to all."""
    from harness.tasks import load_task
    from harness.tasks.config import WorldFactsConfig

    task = load_task(WorldFactsConfig(countries=81))
    asked = [*task.test, *task.validation][:count]
    if len(asked) < count:
        raise SystemExit(f"there are {len(asked)} questions; --questions is at most that")
    return asked


def lm_eval(folder: str) -> Any:
    """Answers by lm-evaluation-harness' Hugging Face backend."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=folder, dtype="float32", batch_size=BATCH, device="cpu")
    settings = {"until": [], "max_gen_toks": NEW_TOKENS, "do_sample": False}

    def ask(prompts: list[str]) -> list[str]:
        requests = [
            Instance("generate_until", {}, (prompt, dict(settings)), n)
            for n, prompt in enumerate(prompts)
        ]
        return model.generate_until(requests, disable_tqdm=True)

    return ask


def pipeline(folder: str) -> Any:
    """Answers by transformers' text-generation pipeline."""
    import torch
    import transformers

    pipe: Any = transformers.pipeline(
        "text-generation", model=folder, dtype=torch.float32, batch_size=BATCH, device="cpu"
    )
    settings = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "return_full_text": False}
    return lambda prompts: [one[0]["generated_text"] for one in pipe(prompts, **settings)]


def table(found: list[dict[str, str]]) -> str:
    """Medians, ratios to the harness in three settings, and how alike the answers are."""
    by = {name: turns for name in CONTESTANTS if (turns := of(found, name))}
    if "harness" not in by:
        return "nothing is measured yet"
    cpu = {name: median(float(one["cpu_seconds"]) for one in turns) for name, turns in by.items()}
    expected = json.loads(by["harness"][0]["answers"])
    lines = [
        "| contestant | turns | seconds | CPU s | times harness_auto | asked for | times harness "
        "| times harness_b16 | same answers as harness |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, turns in by.items():
        wall = median(float(one["seconds"]) for one in turns)
        pairs = list(zip(expected, json.loads(turns[0]["answers"]), strict=True))
        same = sum(one == other for one, other in pairs) / len(pairs)
        auto, plain, equal = (
            f"{cpu[name] / cpu[own]:.2f}" if own in cpu else "" for own in CONTESTANTS[:3]
        )
        lines.append(
            f"| {name} | {len(turns)} | {wall:.1f} | {cpu[name]:.1f} | {auto} "
            f"| {FLOORS.get(name, '')} | {plain} | {equal} | {same:.1%} |"
        )
    return "\n".join([*lines, "", *change_in_accuracy(by)])


def change_in_accuracy(by: dict[str, list[dict[str, str]]]) -> list[str]:
    """What the chosen number format does to correct answers, with its interval."""
    if "harness_auto" not in by:
        return []
    from harness.measures.accuracy import contains
    from harness.stats import paired_difference_interval

    auto, plain = (json.loads(by[name][0]["answers"]) for name in ("harness_auto", "harness"))
    asked = first_questions(len(plain))
    right = [
        [contains(text, one.answers) for text, one in zip(texts, asked, strict=True)]
        for texts in (auto, plain)
    ]
    change = paired_difference_interval(*right, [one.cluster or one.id for one in asked])
    if change is None or change.low is None or change.high is None:
        return ["The change in correct answers has no interval."]
    return [
        f"Correct (contains) in the chosen format: {100 * sum(right[0]) / len(asked):.1f} %, in "
        f"float32 {100 * sum(right[1]) / len(asked):.1f} %: {100 * change.mean:+.1f} points "
        f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}]."
    ]


def of(found: list[dict[str, str]], contestant: str) -> list[dict[str, str]]:
    """The contestant's turns."""
    return [one for one in found if one["contestant"] == contestant]


if __name__ == "__main__":
    main()
