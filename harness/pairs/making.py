"""Documents to training pairs: what a generator writes, kept in the store, sifted and counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import store
from harness.errors import ModelError, TrainingError
from harness.ledger import Ledger
from harness.models.protocol import Account
from harness.pairs.config import HERE, PairsConfig, called_as_here
from harness.pairs.protocol import Generator, Pair, Writing, Written
from harness.pairs.sentences import parts_of
from harness.pairs.sift import Sifted, sift_pairs, sift_paraphrases
from harness.tasks.custom import RAW_TEXT
from harness.tasks.overlap import nearest
from harness.types import Document, Question, Task, TrainingPair, sha256_of

WRITTEN, ACCOUNT = "written.jsonl", "account.json"
LONGEST_EXAMPLE = 160
"""Characters of an example in an error's line."""


@dataclass(frozen=True)
class MadePair:
    """A training pair and where it came from.

    Attributes:
        paraphrase: whether its question is another wording of the generator's first.
        written: what it was read from, as it came.
    """

    pair: TrainingPair
    paraphrase: bool
    written: str


@dataclass(frozen=True)
class NearHeldOut:
    """A pair that was removed, and the held-out question that it was too like."""

    question: str
    held_out: str
    likeness: float


@dataclass(frozen=True)
class Made:
    """Training pairs made from a corpus.

    Attributes:
        dropped: reason -> how many pairs and wordings; those of ``near`` not among them.
        examples: reason -> one of them.
        near: what was removed for being worded nearly like a held-out question.
        accounts: how what was written was had, for each time that a generator was asked.
    """

    config: PairsConfig
    made: tuple[MadePair, ...]
    dropped: dict[str, int]
    examples: dict[str, str]
    near: tuple[NearHeldOut, ...]
    accounts: tuple[Account, ...]

    @property
    def train(self) -> tuple[TrainingPair, ...]:
        """What is trained on."""
        return tuple(one.pair for one in self.made)

    @property
    def paraphrases(self) -> int:
        """How many of the pairs are other wordings."""
        return sum(one.paraphrase for one in self.made)

    def sha256(self) -> str:
        """Hash of the pairs and of the settings that they were made with."""
        return sha256_of([asdict(self.config), [asdict(pair) for pair in self.train]])


def make_pairs(
    config: PairsConfig,
    task: Task,
    generator: Generator,
    count: Callable[[str], int],
    ledger: Ledger,
    circumstances: dict[str, Any],
) -> Made | None:
    """Pairs from the documents of ``task`` that are not distractors.

    None if the ledger only looks for what is stored, and something is not.

    Args:
        count: tokens of a text.
        circumstances: part of the key of what is written on this machine.

    Raises:
        TrainingError: there is no document, or no pair is left.
        ModelError: the generator cannot be asked, or failed; what it wrote until then is kept.
    """
    documents = [document for document in task.corpus if not document.distractor]
    if not documents:
        raise TrainingError(f"{HERE}: every document of the task {task.name} is a distractor")
    with ledger.phase("prepare"):
        parts = parts_of(documents, config.pairs_per_document, config.part_tokens, count)
    kept = _Kept(generator, ledger, circumstances)
    written = kept.obtain(generator.pairs(parts))
    if written is None:
        return None
    with ledger.phase("prepare"):
        first = sift_pairs(config, {one.id: one for one in documents}, parts, written)
    wordings, reworded = Sifted(), list[Written]()
    if config.paraphrases and first.kept:
        again = kept.obtain(generator.paraphrases(first.kept))
        if again is None:
            return None
        reworded = again
        with ledger.phase("prepare"):
            wordings = sift_paraphrases(config, first.kept, reworded)
    with ledger.phase("prepare"):
        together = _together(first, written, wordings, reworded)
        left, near = _apart_from(together, task.test + task.validation, config.overlap_threshold)
    made = Made(
        config,
        tuple(left),
        dict(first.dropped + wordings.dropped),
        {**wordings.examples, **first.examples},
        tuple(near),
        tuple(kept.accounts),
    )
    if not left:
        raise TrainingError(_nothing_left(made, documents))
    return made


def with_pairs(task: Task, made: Made) -> Task:
    """The task with the pairs that were made in the place of its own."""
    notes = [note for note in task.notes if note != RAW_TEXT]
    if task.train:
        notes.append(f"{len(task.train)} training pairs of the task left unused: others were made")
    if made.config.generator == "endpoint":
        notes.append(
            f"training pairs written by {made.config.endpoint.id} at an endpoint: its weights "
            "could not be verified, and the energy of prepare is not known"
        )
    return replace(task, train=made.train, notes=tuple(notes))


class _Kept:
    """What a generator writes, kept in the store with what it cost and how it was had."""

    def __init__(self, generator: Generator, ledger: Ledger, circumstances: dict[str, Any]) -> None:
        self.generator = generator
        self.ledger = ledger
        # What another machine wrote is the same whatever runs here, and may have been paid for.
        self.circumstances = {} if generator.remote else circumstances
        self.accounts: list[Account] = []

    def obtain(self, writing: Writing) -> list[Written] | None:
        """What was written; None if it is only looked for and is not there."""
        key = {**writing.key, **self.circumstances}
        work = store.work_folder("pairs", key)

        def make(folder: Path) -> None:
            try:
                with self.ledger.phase("load"):
                    self.generator.open()
                with self.ledger.phase("prepare"):
                    written = writing.write(work)
            except ModelError as error:
                raise ModelError(_told(error, self.generator.remote)) from error
            with (folder / WRITTEN).open("w", encoding="utf-8") as file:
                file.writelines(
                    f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in written
                )
            told = json.dumps(asdict(self.generator.account()))
            (folder / ACCOUNT).write_text(told, encoding="utf-8")

        artifact = self.ledger.obtain("pairs", key, make)
        if not (artifact.reused or self.ledger.makes):
            return None
        folder = artifact.folder
        told = json.loads((folder / ACCOUNT).read_text(encoding="utf-8"))
        self.accounts.append(Account.from_dict(told))
        # Not splitlines: it takes characters for line ends that JSON leaves as they are.
        lines = (folder / WRITTEN).read_text(encoding="utf-8").split("\n")
        return [Written(**json.loads(line)) for line in lines if line]


def _told(error: ModelError, remote: bool) -> str:
    """What a model's error says, in the words of the settings that are in force here."""
    if remote:
        return f"making training pairs: {called_as_here(str(error))}"
    return (
        f"making training pairs: {error} (here: {HERE}.part_tokens, {HERE}.max_new_tokens or "
        "model.batch_tokens)"
    )


def _together(
    first: Sifted, written: Sequence[Written], wordings: Sifted, reworded: Sequence[Written]
) -> list[MadePair]:
    """Every pair with its other wordings behind it."""
    others: dict[int, list[Pair]] = {}
    for wording in wordings.kept:
        others.setdefault(wording.source, []).append(wording)
    together = []
    for position, pair in enumerate(first.kept):
        output = written[pair.source].output
        together.append(MadePair(_training(pair, position), False, output))
        for other in others.get(position, []):
            output = reworded[other.source].output
            together.append(MadePair(_training(other, position), True, output))
    return together


def _training(pair: Pair, position: int) -> TrainingPair:
    return TrainingPair(pair.question, pair.answer, pair.document_id, f"made-{position}")


def _apart_from(
    made: Sequence[MadePair], held_out: Sequence[Question], threshold: float
) -> tuple[list[MadePair], list[NearHeldOut]]:
    """(what is worded unlike any held-out question, what is not)."""
    asked = [question.question for question in held_out]
    near = nearest([one.pair.question for one in made], asked, threshold)
    left = [one for position, one in enumerate(made) if position not in near]
    removed = [
        NearHeldOut(made[position].pair.question, asked[other], likeness)
        for position, (other, likeness) in sorted(near.items())
    ]
    return left, removed


def _nothing_left(made: Made, documents: Sequence[Document]) -> str:
    """The one line for an empty result: the counts, and an example of what came."""
    counts = Counter(made.dropped)
    counts["near a held-out question"] = len(made.near)
    told = ", ".join(f"{number} {reason}" for reason, number in counts.most_common() if number)
    example = next(iter(made.examples.values()), made.near[0].question if made.near else "")
    shown = " ".join(example.split())[:LONGEST_EXAMPLE]
    return (
        f"{HERE}.generator={made.config.generator} left no training pair of {len(documents)} "
        f"documents: {told}; for example {shown!r}. What was written is kept: the same settings "
        f"give it again. Try another {HERE}.generator, or a longer {HERE}.max_new_tokens"
    )
