"""Options' log-likelihoods against lm-evaluation-harness', on the same prompts in float32.

    python benchmarks/option_likelihoods.py [--questions 60] [--report]

Three sets of questions, MMLU and two that the model answers well above chance, each as a chat
prompt (the harness's own for this model) and as the plain one of a model without a template.
lm-evaluation-harness gets prompt and option once as strings, which it splits into tokens itself,
and once as the harness's token ids.

Where a prompt ends in space, as behind a chat template's last newline, lm-evaluation-harness counts
that space to the option. That adds the same to all options of a question, so no choice changes; the
column ``largest_shift`` says how much it is, by its own score of the space alone.

One row a set and form in results/option_likelihoods.csv. Exit code 1 if a log-likelihood is off by
more than 0.001, a choice differs, or a set that should be answered above chance is not. Needs the
extra "bench".
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from turns import RESULTS, append, rows, smollm

if TYPE_CHECKING:
    from harness.models.language_model import LanguageModel
    from harness.types import Question

TOLERANCE = 1e-3
ABOVE_CHANCE = ("glosses", "capitals")
"""Sets that the model answers above chance: a wrong option there is not picked by luck."""
BATCH = 16

Scores = list[list[float]]
"""Log-likelihood of each option of each question."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=60, help="of each set")
    parser.add_argument("--out", type=Path, default=RESULTS / "option_likelihoods.csv")
    parser.add_argument("--report", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    if not options.report:
        found = measured(options.questions)
        options.out.unlink(missing_ok=True)
        append(options.out, *found)
    kept = rows(options.out)
    print(table(kept))
    failed = [line for row in kept for line in failures(row)]
    print("\n".join(failed) or f"all within {TOLERANCE}, all choices the same")
    return 1 if failed else 0


def measured(count: int) -> list[dict[str, Any]]:
    """A row for each set of questions in each form of prompt."""
    import torch

    from harness.models.language_model import LanguageModel
    from harness.models.load import load_tokenizer, load_weights, locate

    config = smollm()
    files = locate(config)
    weights = load_weights(files, "float32", "sdpa", torch.device("cpu")).requires_grad_(False)
    tokenizer, peer = load_tokenizer(files), lm_eval_model(files.location)
    found = []
    for form, chat in (("chat", True), ("plain", False)):
        config.chat = chat
        model = LanguageModel(weights, tokenizer, config, files.identity)
        found += [
            {"questions_of": name, "prompt": form, **compared(model, peer, asked)}
            for name, asked in question_sets(count).items()
        ]
    return found


def question_sets(count: int) -> dict[str, list[Question]]:
    """Name -> ``count`` questions of a set, drawn by a fixed seed."""
    import random

    from harness.tasks import load_task
    from harness.tasks.config import MmluConfig
    from harness.tasks.probes import fact_probe, gloss_probe

    mmlu = load_task(MmluConfig(test_questions=count))
    sets = {"mmlu": list(mmlu.test), "glosses": gloss_probe(), "capitals": fact_probe()}
    return {name: random.Random(0).sample(asked, count) for name, asked in sets.items()}


def compared(model: LanguageModel, peer: Any, asked: Sequence[Question]) -> dict[str, Any]:
    """What the two make of the same questions."""
    from harness.models.tokens import after
    from harness.prompts import PromptConfig, build_messages

    prompts = [
        model.render(build_messages(PromptConfig(), one.question, (), one.choices)) for one in asked
    ]
    options = [one.choices for one in asked]
    texts = [[after(model.chat, option) for option in choices] for choices in options]
    ours = [[one.logp for one in scores] for scores in model.option_scores(prompts, options)]
    on_strings = scored(peer, prompts, texts)
    on_ids = scored_ids(peer, *token_ids(model, prompts, options))
    return {
        "questions": len(asked),
        "options": sum(len(choices) for choices in options),
        "right": sum(
            one.choices[chosen(values)] in one.answers
            for one, values in zip(asked, ours, strict=True)
        ),
        "chance": round(fmean(1 / len(choices) for choices in options), 4),
        "largest_difference": f"{apart(ours, on_strings):.2e}",
        "same_choices": alike(ours, on_strings),
        "largest_difference_same_ids": f"{apart(ours, on_ids):.2e}",
        "same_choices_same_ids": alike(ours, on_ids),
        "options_split_alike": same_split(model, peer, prompts, options, texts),
        "largest_shift": f"{max(abs(one) for one in ends_in_space(peer, prompts)):.2e}",
    }


def apart(ours: Scores, theirs: Scores) -> float:
    """The largest difference between two sets of scores."""
    return max(
        abs(one - other)
        for mine, peers in zip(ours, theirs, strict=True)
        for one, other in zip(mine, peers, strict=True)
    )


def alike(ours: Scores, theirs: Scores) -> int:
    """How many questions get the same option by both."""
    return sum(chosen(mine) == chosen(peers) for mine, peers in zip(ours, theirs, strict=True))


def chosen(values: Sequence[float]) -> int:
    """The option with the highest log-likelihood, the first of equal ones."""
    return list(values).index(max(values))


def lm_eval_model(folder: str) -> Any:
    """lm-evaluation-harness' Hugging Face backend on the model in ``folder``, in float32."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=folder, dtype="float32", batch_size=BATCH, device="cpu")


def scored(peer: Any, prompts: Sequence[str], texts: Sequence[Sequence[str]]) -> Scores:
    """lm-evaluation-harness' log-likelihood of each text after its prompt, both as strings."""
    from lm_eval.api.instance import Instance

    pairs = [
        (prompt, text) for prompt, several in zip(prompts, texts, strict=True) for text in several
    ]
    requests = [Instance("loglikelihood", {}, pair, n) for n, pair in enumerate(pairs)]
    values = iter(peer.loglikelihood(requests, disable_tqdm=True))
    return [[next(values)[0] for _ in several] for several in texts]


def ends_in_space(peer: Any, prompts: Sequence[str]) -> list[float]:
    """Log-likelihood of the space at each prompt's end, which the peer counts to options; or 0."""
    bare = [prompt.rstrip() for prompt in prompts]
    spaces = [[prompt[len(cut) :]] for prompt, cut in zip(prompts, bare, strict=True)]
    if not any(space for (space,) in spaces):
        return [0.0] * len(prompts)
    return [value for (value,) in scored(peer, bare, spaces)]


def token_ids(
    model: LanguageModel, prompts: Sequence[str], options: Sequence[Sequence[str]]
) -> tuple[list[list[int]], list[list[list[int]]]]:
    """Ids of each prompt, and of each option behind it, as the harness makes them."""
    from harness.models.tokens import continuation

    contexts = model.encode(prompts)
    return contexts, [
        [continuation(model.tokenizer, model.chat, prompt, ids, option) for option in choices]
        for prompt, ids, choices in zip(prompts, contexts, options, strict=True)
    ]


def scored_ids(peer: Any, contexts: list[list[int]], tails: list[list[list[int]]]) -> Scores:
    """lm-evaluation-harness' log-likelihood of ids after ids."""
    requests = [
        (("", ""), context, tail)
        for context, several in zip(contexts, tails, strict=True)
        for tail in several
    ]
    values = iter(peer._loglikelihood_tokens(requests, disable_tqdm=True))
    return [[next(values)[0] for _ in several] for several in tails]


def same_split(
    model: LanguageModel,
    peer: Any,
    prompts: Sequence[str],
    options: Sequence[Sequence[str]],
    texts: Sequence[Sequence[str]],
) -> int:
    """How many options give the peer the same ids as the harness, prompt and option together."""
    contexts, tails = token_ids(model, prompts, options)
    return sum(
        [*chain.from_iterable(peer._encode_pair(prompt, text))] == context + tail
        for prompt, context, several, ids in zip(prompts, contexts, texts, tails, strict=True)
        for text, tail in zip(several, ids, strict=True)
    )


def failures(row: dict[str, str]) -> list[str]:
    """What in a row is not as it should be, a line each."""
    from harness.stats import share_interval

    where = f"{row['questions_of']}, {row['prompt']} prompt"
    asked = int(row["questions"])
    found = []
    for column, how in (("", ""), ("_same_ids", " on the same ids")):
        if float(row[f"largest_difference{column}"]) > TOLERANCE:
            found.append(f"{where}: off by {row[f'largest_difference{column}']}{how}")
        other = asked - int(row[f"same_choices{column}"])
        if other:
            found.append(f"{where}: {other} of {asked} choices differ{how}")
    right = int(row["right"])
    sure = share_interval([1.0] * right + [0.0] * (asked - right))
    if row["questions_of"] in ABOVE_CHANCE and not (
        sure.low is not None and sure.low > float(row["chance"])
    ):
        found.append(f"{where}: {right} of {asked} right is not above chance")
    return found


def table(found: Sequence[dict[str, str]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| questions | prompt | right | chance | largest difference | same choices "
        "| same ids: difference | same choices | split alike | shift of space at the end |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found:
        asked = int(row["questions"])
        lines.append(
            f"| {row['questions_of']} | {row['prompt']} | {int(row['right']) / asked:.1%} "
            f"| {float(row['chance']):.0%} | {row['largest_difference']} "
            f"| {row['same_choices']} of {asked} | {row['largest_difference_same_ids']} "
            f"| {row['same_choices_same_ids']} of {asked} "
            f"| {row['options_split_alike']} of {row['options']} | {row['largest_shift']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
