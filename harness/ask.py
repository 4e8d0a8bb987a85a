"""``harness ask``: questions put to an arm that was run, with the passages that it was given."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.arguments import refusing
from harness.errors import ConfigError, DataError

if TYPE_CHECKING:
    from harness.recorded import Opened
    from harness.types import Prediction

HELP = """\
Put questions to an arm that was run: its answer, the passages it was given, the time.

usage: harness ask ["QUESTION" ...] [--arm ARM] [OPTIONS]

Without a question, each line of standard input is one. The index and the adapter
are those that the run made and left in the store.

  --arm ARM         the arm to ask; its newest finished run is taken
  --run ID          the very run (run_id in runs.csv)
  --results FOLDER  where to look (default: results)
  --rebuild         make again what was removed from the store
  --json            one JSON object a question

Examples:
  harness ask "What is the highest point in Bolivia?" --arm rag_lora
  harness ask --arm rag --results results/quickstart --json < questions.txt

Exit code: 0 answered, 2 the question or the run is not there.
docs/using.md says more."""

SHOWN, LONGEST = 160, 2000
"""Characters of a passage, and of a question or an answer, that are printed."""


COUNTED = {"tokens_in": "tokens read", "tokens_out": "tokens written"}


def main(arguments: Sequence[str]) -> int:
    """Answer the questions of the command line, or of standard input, and return the exit code.

    Raises:
        HarnessError: a question is empty, there is no such run, or it cannot be opened.
    """
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    options = _parse(arguments)
    for question in options.questions:
        if not question.strip():
            raise ConfigError("the question is empty; write one in quotes")
    if not options.results.exists():
        raise ConfigError(f"--results {options.results}: there is no such file or folder")
    from harness.recorded import find_run, open_run
    from harness.store_use import session

    with session():
        row = find_run([options.results], options.arm, options.run)
        started = time.perf_counter()
        opened = open_run(row, options.rebuild)
        opened.method.model()
        _ = opened.method.retriever
        seconds = time.perf_counter() - started
        print(f"{row['run_id']}, {row['model']}: opened in {seconds:.1f} s", file=sys.stderr)
        for text in options.questions or _lines():
            prediction, seconds = put(opened, text)
            found = told(opened, prediction, seconds)
            print(json.dumps(found, ensure_ascii=False) if options.json else shown(found))
            sys.stdout.flush()
    return 0


def put(opened: Opened, text: str) -> tuple[Prediction, float]:
    """The arm's answer to a question, and the seconds from question to answer.

    A question worded as one of the task's is that one, its options and gold passages included.

    Raises:
        DataError: the arm is given gold passages, which a new question does not have.
    """
    from harness.answering import answer
    from harness.types import Question

    method, retriever = opened.method, opened.config.retriever
    known = {one.question: one for one in (*method.task.validation, *method.task.test)}
    question = known.get(text.strip()) or Question("asked", text.strip(), ())
    if retriever is not None and retriever.kind == "oracle" and not question.gold_documents:
        raise DataError(
            f"arm '{opened.config.arm}' is given the gold passages, which a new question does not "
            "have; ask an arm that searches"
        )
    model, found = method.model(), method.retriever
    started = time.perf_counter()
    (prediction,) = answer(
        model, opened.config.prompt, [question], found, opened.top_k or 0, shots=method.shots
    )
    return prediction, time.perf_counter() - started


def told(opened: Opened, prediction: Prediction, seconds: float) -> dict[str, Any]:
    """What ``--json`` prints of one question."""
    return {
        "question": prediction.question.question,
        "answer": prediction.answer.text,
        "gold": list(prediction.question.answers),
        "seconds": seconds,
        "tokens_in": prediction.answer.tokens_in,
        "tokens_out": prediction.answer.tokens_out,
        "passages": [
            {
                "rank": rank,
                "score": float(scored.score),
                "in_prompt": scored.passage.id in prediction.used_passage_ids,
                "passage_id": scored.passage.id,
                "document_id": scored.passage.document_id,
                "title": scored.passage.title,
                "text": scored.passage.text,
            }
            for rank, scored in enumerate(prediction.retrieved, start=1)
        ],
        "run_id": opened.row["run_id"],
        "arm": opened.config.arm,
        "model": opened.row["model"],
    }


def shown(found: dict[str, Any]) -> str:
    """The same for a terminal; control characters of text that others wrote are made visible."""
    from harness.report.text import cut

    seconds = found["seconds"]
    counts = [f"{found[name]} {what}" for name, what in COUNTED.items() if found[name] is not None]
    lines = [
        f"question  {cut(_flat(found['question']), LONGEST)}",
        f"answer    {cut(_flat(found['answer']), LONGEST)}",
        f"time      {', '.join([f'{seconds:.2f} s', *counts])}",
    ]
    if found["gold"]:
        lines.insert(2, f"gold      {cut(_flat(found['gold'][0]), LONGEST)}")
    for passage in found["passages"]:
        left = "" if passage["in_prompt"] else "  (not in the prompt: over the budget, or repeated)"
        name = cut(passage["passage_id"], SHOWN)
        lines.append(f"passage {passage['rank']}  {passage['score']:.3f}  {name}{left}")
        lines.append(f"          {cut(_flat(passage['text']), SHOWN)}")
    return "\n".join(lines) + "\n"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _lines() -> Iterator[str]:
    """The questions on standard input, one a line; empty lines are passed over."""
    if sys.stdin.isatty():
        print("a question a line, Ctrl-D to end", file=sys.stderr)
    any_there = False
    for line in sys.stdin:
        if line.strip():
            any_there = True
            yield line.strip()
    if not any_there:
        raise ConfigError("there is no question, in the command or on standard input")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("harness ask", add_help=False, allow_abbrev=False)
    refusing(parser, "ask")
    parser.add_argument("questions", nargs="*", metavar="QUESTION")
    parser.add_argument("--arm")
    parser.add_argument("--run")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--rebuild", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_intermixed_args(list(arguments))
