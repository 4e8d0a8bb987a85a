"""Vectors for benchmarks/faiss_at_size.py: real ones, and any number drawn like them.

Real: every English passage that can be had without a hub, 96 tokens each as in a run: the world
facts corpus, 10,033 Wikipedia summaries and the 150 held-out texts of the forgetting probes,
encoded with MiniLM; and the world facts questions.

Drawn: three levels, as a corpus has topics, groups of near passages (often of one document) and
passages. Groups are k-means cells of three real passages on average, topics k-means cells of the
groups' centres. A passage is its group's centre and Gaussian noise with the covariance within
groups. The centres are the real ones as far as they go; further ones are a topic's centre and
Gaussian noise with the covariance within topics. So groups grow in number with the corpus, not in
size, and the variance of the real passages is kept. The size of the groups was fitted by how near
the nearest neighbour lies (2: cosine 0.83, 3: 0.75, 4: 0.70; real passages 0.74).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.progress import track
from harness.prompts import passage_text
from harness.retrieval.chunk import chunk
from harness.retrieval.config import EncoderConfig
from harness.retrieval.encoder import encoder_folder, load_encoder
from harness.sources import unpack
from harness.tasks import load_task
from harness.tasks.config import WorldFactsConfig
from harness.tasks.distractors import SUMMARIES, WIKIPEDIA
from harness.tasks.probes import fact_probe, held_out_texts
from harness.types import Document

Vectors = NDArray[np.float32]

CHUNK_TOKENS, CHUNK_OVERLAP = 96, 16
COUNTRIES = 81
"""All that have a fair answer to each of the four questions."""
PASSAGES_A_GROUP = 3
GROUPS_A_TOPIC = 8
BLOCK = 1 << 14
SHARD = 512
"""Texts that are encoded before they are kept: so much is lost when the encoding is stopped."""


def real_texts() -> tuple[list[str], list[str]]:
    """All real passages as they are indexed, in a fixed order, and the real questions."""
    from transformers import AutoTokenizer

    task = load_task(WorldFactsConfig(countries=COUNTRIES))
    summaries = json.loads(unpack(WIKIPEDIA, SUMMARIES).read_text(encoding="utf-8"))
    documents = list(task.corpus)
    documents += [
        Document(f"wikipedia-{n}", one["extract"], one["title"])
        for n, one in enumerate(summaries.values())
        if one["extract"].strip()
    ]
    documents += [Document(f"held-out-{n}", text) for n, text in enumerate(held_out_texts())]
    tokenizer = AutoTokenizer.from_pretrained(encoder_folder(EncoderConfig()))
    passages = chunk(documents, CHUNK_TOKENS, CHUNK_OVERLAP, tokenizer)
    texts = list(dict.fromkeys(passage_text(passage) for passage in passages))
    asked = [*task.test, *task.validation, *fact_probe()]
    return texts, [question.question for question in asked]


def real_vectors(folder: Path) -> tuple[Vectors, Vectors]:
    """Unit vectors of the real passages and of the real questions; kept in ``folder``."""
    passages, questions = real_texts()
    return _encoded(passages, folder / "passages"), _encoded(questions, folder / "questions")


def _encoded(texts: list[str], folder: Path) -> Vectors:
    """The texts' vectors, those encoded by an earlier call read from ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [start for start in range(0, len(texts), SHARD) if not _shard(folder, start).exists()]
    if missing:
        encoder = load_encoder(EncoderConfig(), "cpu")
        for start in track(missing, f"encoding {folder.name}", total=len(missing)):
            part = _shard(folder, start)
            scratch = part.with_suffix(".tmp.npy")
            np.save(scratch, encoder.encode_passages(texts[start : start + SHARD]))
            scratch.replace(part)
    shards = [np.load(_shard(folder, s), allow_pickle=False) for s in range(0, len(texts), SHARD)]
    return np.concatenate(shards)


def _shard(folder: Path, start: int) -> Path:
    return folder / f"{start:07d}.npy"


@dataclass(frozen=True)
class Mixture:
    """What vectors are drawn from; ``(…, dimension)`` each.

    Attributes:
        groups: centres of the groups of near passages, ``sizes`` the passages that each holds.
        topics: centres of the topics, ``weights`` their shares of the groups.
        within_group, within_topic: Cholesky factors of the pooled covariances.
    """

    groups: Vectors
    sizes: NDArray[np.int64]
    topics: Vectors
    weights: NDArray[np.float64]
    within_group: Vectors
    within_topic: Vectors


def fit(vectors: Vectors) -> Mixture:
    """The mixture for these passages."""
    groups, group_of = _cells(vectors, len(vectors) // PASSAGES_A_GROUP)
    topics, topic_of = _cells(groups, len(groups) // GROUPS_A_TOPIC)
    return Mixture(
        groups=groups,
        sizes=np.bincount(group_of, minlength=len(groups)),
        topics=topics,
        weights=np.bincount(topic_of, minlength=len(topics)) / len(groups),
        within_group=_factor(vectors - groups[group_of]),
        within_topic=_factor(groups - topics[topic_of]),
    )


def _cells(vectors: Vectors, count: int) -> tuple[Vectors, NDArray[np.int64]]:
    """Centroids of ``count`` k-means cells, empty ones left out, and each vector's cell."""
    import faiss

    kmeans = faiss.Kmeans(vectors.shape[1], count, niter=15, seed=1, min_points_per_centroid=1)
    kmeans.train(vectors)
    cells = kmeans.index.search(vectors, 1)[1][:, 0]
    kept, cells = np.unique(cells, return_inverse=True)
    # Means of their members: those of the last step are of the members before it.
    sums = np.zeros((len(kept), vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, cells, vectors)
    sums /= np.bincount(cells)[:, None]
    return sums, cells


def _factor(residuals: Vectors) -> Vectors:
    """L with L Lᵀ the mean square of the residuals.

    Not divided by the degrees of freedom: a centre holds its members' noise already, divided by
    their number, and only the rest is to be added.
    """
    covariance = residuals.T @ residuals / len(residuals)
    return np.linalg.cholesky(covariance + 1e-6 * np.eye(len(covariance))).astype(np.float32)


def draw(mixture: Mixture, count: int, seed: int) -> Vectors:
    """``count`` unit vectors, in random order, a block at a time, so that memory holds one copy."""
    rng = np.random.default_rng(seed)
    centres = _group_centres(mixture, count, rng)
    sizes = rng.choice(mixture.sizes, size=len(centres)).astype(np.float64)
    dimension = centres.shape[1]
    drawn = np.empty((count, dimension), dtype=np.float32)
    for start in range(0, count, BLOCK):
        block = drawn[start : start + BLOCK]
        group = rng.choice(len(centres), size=len(block), p=sizes / sizes.sum())
        noise = rng.standard_normal((len(block), dimension), dtype=np.float32)
        block[:] = centres[group] + noise @ mixture.within_group.T
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return drawn


def _group_centres(mixture: Mixture, count: int, rng: np.random.Generator) -> Vectors:
    """Centres for the groups of ``count`` passages: real ones first, then drawn ones."""
    needed = max(1, count * len(mixture.groups) // int(mixture.sizes.sum()))
    real = mixture.groups[rng.permutation(len(mixture.groups))[:needed]]
    more = needed - len(real)
    topic = rng.choice(len(mixture.topics), size=more, p=mixture.weights)
    noise = rng.standard_normal((more, real.shape[1]), dtype=np.float32)
    return np.concatenate([real, mixture.topics[topic] + noise @ mixture.within_topic.T])


def profile(passages: Vectors, queries: Vectors) -> dict[str, float]:
    """How the passages lie: shares of variance, and cosines of queries with their neighbours."""
    variances = np.linalg.eigvalsh(np.cov(passages.T))[::-1]
    share = np.cumsum(variances) / variances.sum()
    cosines = queries @ passages.T
    nearest = -np.sort(-np.partition(cosines, -10, axis=1)[:, -10:], axis=1)
    told = {f"variance in {n} components": float(share[n - 1]) for n in (1, 10, 50, 100, 200)}
    for rank in (1, 10):
        for percent in (10, 50, 90):
            name = f"cosine of neighbour {rank}, percentile {percent}"
            told[name] = float(np.percentile(nearest[:, rank - 1], percent))
    told["cosine of any two, median"] = float(np.median(cosines))
    return told
