"""What was made, to read before it is trusted: counts, figures, twenty pairs, and every pair.

Two files, named by the pairs' hash: ``<hash>.md``, and ``<hash>.jsonl`` with a line for each pair.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.models.backends import api_cost
from harness.models.protocol import Account
from harness.pairs.config import PairsConfig
from harness.pairs.diversity import coverage, diversity
from harness.pairs.making import Made, MadePair
from harness.pairs.sift import REASONS
from harness.record import replacing
from harness.report.tables import plain
from harness.types import Task

SHOWN = 20
LISTED = 20
"""Most documents without a pair, and most removed pairs, that are named."""


def write_training_data(folder: Path, made: Made, task: Task) -> Path:
    """Write both files into ``folder``, each in one step, and return the path of the first.

    Raises:
        RecordError: the folder cannot be written.
    """
    path = folder / f"{made.sha256()[:16]}.md"
    with replacing(path.with_suffix(".jsonl")) as file:
        file.writelines(f"{json.dumps(_line(one, made))}\n" for one in made.made)
    with replacing(path) as file:
        file.write(markdown(made, task))
    return path


def made_values(made: Made | None) -> dict[str, Any]:
    """The row's columns about made pairs; empty if none were made."""
    if made is None:
        return {}
    values: dict[str, Any] = {
        "generated_pairs": len(made.made) - made.paraphrases,
        "generated_paraphrases": made.paraphrases,
        "generated_dropped": made.dropped,
        "generated_near_held_out": len(made.near),
        "generated_sha256": made.sha256(),
    }
    if made.config.generator == "endpoint":
        values["generated_cost_usd"] = cost_usd(made.config, made.accounts)
    return values


def cost_usd(config: PairsConfig, accounts: Sequence[Account]) -> float | None:
    """US dollars for all that an endpoint wrote; None if a price or a count is unknown."""
    model = config.endpoint.as_model(config.seed)
    costs = [api_cost(model, account) for account in accounts]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _line(one: MadePair, made: Made) -> dict[str, Any]:
    return {
        "question": one.pair.question,
        "answer": one.pair.answer,
        "document_id": one.pair.document_id,
        "pair": one.pair.question_id,
        "paraphrase": one.paraphrase,
        "generator": made.config.generator,
        "written": one.written,
    }


def markdown(made: Made, task: Task) -> str:
    """The text of the report; what a model wrote is escaped."""
    return "\n".join(
        [
            *_counts(made),
            *_diversity(made),
            *_coverage(made, task),
            *_examples(made),
            *_removed(made),
        ]
    )


def _counts(made: Made) -> Iterator[str]:
    config = made.config
    yield f"# Training data by {config.generator}\n"
    yield (
        f"{len(made.made) - made.paraphrases} pairs and {made.paraphrases} other wordings of their "
        f"questions. Asked for: {config.pairs_per_document} pairs of a document, "
        f"{config.paraphrases} other wordings of a question. Every pair, with the text that it was "
        f"read from, stands in {made.sha256()[:16]}.jsonl.\n"
    )
    yield "## Dropped\n"
    if made.dropped:
        yield "| reason | number | meaning | example |\n|---|---:|---|---|"
        for reason, number in sorted(made.dropped.items(), key=lambda item: -item[1]):
            example = plain(made.examples.get(reason, ""))[:300]
            yield f"| {plain(reason)} | {number} | {plain(REASONS[reason])} | {example} |"
    else:
        yield "Nothing."
    yield (
        f"\nRemoved for being worded nearly like a test or validation question (Jaccard index of "
        f"their words {config.overlap_threshold:g} or more): {len(made.near)}.\n"
    )


def _diversity(made: Made) -> Iterator[str]:
    found = diversity(made.train, made.config.seed)
    alike = "unknown" if found.likeness is None else f"{found.likeness:.2f}"
    yield "## Diversity\n"
    yield (
        "- different pairs of neighbouring words in questions, as a share of all (distinct-2): "
        f"{found.distinct_2:.2f}"
    )
    yield f"- mean likeness of two questions (Jaccard index of their words): {alike}"
    yield f"- different answers: {found.answers} in {len(made.made)} pairs"
    yield f"- mean words of an answer: {found.answer_words:.1f}\n"


def _coverage(made: Made, task: Task) -> Iterator[str]:
    found = coverage(made.train, task)
    yield "## Coverage\n"
    named = ", ".join(plain(name) for name in found.without[:LISTED])
    more = f" and {len(found.without) - LISTED} more" if len(found.without) > LISTED else ""
    yield (
        f"- documents without a pair: {len(found.without)} of {found.documents}"
        f"{f' ({named}{more})' if named else ''}"
    )
    if found.gold:
        yield (
            f"- documents that state a test question's answer and have a pair: "
            f"{found.gold_covered} of {found.gold}. Whether a pair is about the same fact, this "
            "does not say.\n"
        )
    else:
        yield "- test questions name no documents that state their answers\n"


def _examples(made: Made) -> Iterator[str]:
    rng = random.Random(made.config.seed)  # noqa: S311 - no secret
    places = sorted(rng.sample(range(len(made.made)), min(SHOWN, len(made.made))))
    yield f"## {len(places)} to read, drawn by seed {made.config.seed}\n"
    yield "| document | question | answer | |\n|---|---|---|---|"
    for place in places:
        one = made.made[place]
        cells = (one.pair.document_id, one.pair.question, one.pair.answer)
        kind = "other wording" if one.paraphrase else ""
        yield f"| {' | '.join(plain(cell) for cell in cells)} | {kind} |"


def _removed(made: Made) -> Iterator[str]:
    if not made.near:
        yield ""
        return
    yield "\n## Removed for nearness to a held-out question\n"
    yield "| made | held out | likeness |\n|---|---|---:|"
    for one in made.near[:LISTED]:
        yield f"| {plain(one.question)} | {plain(one.held_out)} | {one.likeness:.2f} |"
    if len(made.near) > LISTED:
        yield f"\nand {len(made.near) - LISTED} more."
    yield ""
