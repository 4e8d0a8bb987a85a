"""What a limit on answers' length costs each arm: one run's answers, cut shorter and scored again.

    harness run -m experiment=quickstart method=closed_book,rag,rag_oracle \\
        prompt.max_new_tokens=128 'forgetting.probes=[]' results=FOLDER
    python benchmarks/answer_limit.py FOLDER/quickstart

Greedy decoding writes the same tokens whatever the limit, so an answer under a lower one is the
beginning of the answer under a higher one; no model is run. Answers are split into tokens anew from
their text. One row an arm and limit in results/answer_limit.csv: ``contains``, and the share of the
answers that are cut there and hold no gold answer (the column ``wrong_at_limit`` of a run), of
which ``mended`` are right under the run's own limit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turns import RESULTS, append, smollm

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

LIMITS = (12, 20, 24, 32, 48, 64, 96, 128)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", help="folders of runs with a high limit")
    parser.add_argument("--out", type=Path, default=RESULTS / "answer_limit.csv")
    options = parser.parse_args()
    from harness.models.load import load_tokenizer, locate
    from harness.results import load_predictions, load_results

    tokenizer = load_tokenizer(locate(smollm()))
    found: list[dict[str, Any]] = []
    for run in load_results(*options.results).to_dict("records"):
        found += shortened(run, load_predictions(run), tokenizer)
    options.out.unlink(missing_ok=True)
    append(options.out, *found)
    print(table(found))
    return 0


def shortened(
    run: dict[str, Any], answers: pd.DataFrame, tokenizer: PreTrainedTokenizerBase
) -> Iterator[dict[str, Any]]:
    """A row for each limit up to the run's own."""
    from harness.measures.accuracy import contains

    outputs, golds = list(answers["output"]), list(answers["gold"])
    split = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in outputs]
    whole = [contains(text, gold) > 0 for text, gold in zip(outputs, golds, strict=True)]
    for limit in (limit for limit in LIMITS if limit <= run["max_new_tokens"]):
        kept = [tokenizer.decode(ids[:limit]) for ids in split]
        right = [contains(text, gold) > 0 for text, gold in zip(kept, golds, strict=True)]
        # an end token is one of the tokens written, so an answer of ``limit`` tokens was cut
        reached = [written >= limit for written in answers["tokens_out"]]
        wrong = [cut and not hit for cut, hit in zip(reached, right, strict=True)]
        yield {
            "task": run["task"],
            "arm": run["arm"],
            "seed": int(run["seed"]),
            "questions": len(outputs),
            "limit": limit,
            "contains": share(right),
            "at_limit": share(reached),
            "wrong_at_limit": share(wrong),
            "mended": share([lost and hit for lost, hit in zip(wrong, whole, strict=True)]),
        }


def share(flags: Sequence[bool]) -> float:
    """The share that is true, in four digits."""
    return round(sum(flags) / len(flags), 4)


def table(found: Sequence[dict[str, Any]]) -> str:
    """Markdown: an arm a row, a limit a column; right, and in brackets cut and wrong, in %."""
    limits = sorted({row["limit"] for row in found})
    cells = {(row["task"], row["arm"], row["seed"], row["limit"]): row for row in found}
    lines = [
        "| arm | " + " | ".join(f"{limit} tokens" for limit in limits) + " |",
        "|---|" + "---:|" * len(limits),
    ]
    for task, arm, seed in dict.fromkeys(key[:3] for key in cells):
        rows = [cells.get((task, arm, seed, limit)) for limit in limits]
        lines.append(f"| `{arm}` | " + " | ".join(map(_cell, rows)) + " |")
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None) -> str:
    return f"{row['contains']:.0%} ({row['wrong_at_limit']:.0%})" if row else "–"


if __name__ == "__main__":
    sys.exit(main())
