"""FAISS indexes at 10 k, 100 k and 1 M passages: time to build, memory, queries/s and recall.

    python benchmarks/faiss_at_size.py [--corpora real 10000 100000 1000000] [--threads 1]

Every kind of ``retriever.index`` with the settings that a run would take, and with more and less
search; built by the harness's own code. Building and searching are processes of their own, so that
each one's peak memory is its own. Vectors are made by benchmarks/faiss_vectors.py (the first run
encodes some 16,000 passages). A kind at a size that stands in the CSV is not run again: the
benchmark can be stopped and goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from turns import append, processor, rows

from harness.metering.memory import highest_resident_bytes, resident_bytes
from harness.retrieval.config import FAISS_SETTINGS, FaissConfig
from harness.retrieval.faiss_kinds import build_index, read_index, resolve, write_index
from harness.sources import cache_folder

T = TypeVar("T")

RESULTS = Path(__file__).parent / "results" / "faiss_at_size.csv"
CORPORA = ("real", "10000", "100000", "1000000")
HELD_OUT, DRAWN_QUERIES = 300, 300
NEAREST = (1, 5, 10)
SINGLE = 200
"""Questions that are asked one at a time."""
REPEATS, ENOUGH_SECONDS = 3, 20
SEARCH = {"nprobe": (0.25, 0.5, 1, 2, 4), "ef_search": (0.25, 0.5, 1, 2, 4)}
"""Times the default of the setting that trades recall for speed."""
GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", nargs="+", default=list(CORPORA))
    parser.add_argument("--kinds", nargs="+", default=list(FAISS_SETTINGS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=cache_folder() / "benchmarks" / "faiss")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--child", choices=("build", "search"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        act = build if options.child == "build" else search
        print(json.dumps(act(options.work, options.corpora[0], options.kinds[0])))
        return
    prepare(options.work, options.corpora)
    for corpus in options.corpora:
        for kind in options.kinds:
            if (corpus, kind) not in {(r["corpus"], r["kind"]) for r in rows(options.out)}:
                measured = measure(options, corpus, kind)
                told = [{**row, "settings": json.dumps(row["settings"])} for row in measured]
                append(options.out, *told)
    print(markdown(rows(options.out)))


def prepare(work: Path, corpora: list[str]) -> None:
    """Write each corpus, the queries, and how well what was drawn matches what is real."""
    from faiss_vectors import draw, fit, profile, real_vectors

    if all(corpus_path(work, corpus).exists() for corpus in corpora):
        return
    passages, questions = real_vectors(work)
    shuffled = passages[np.random.default_rng(0).permutation(len(passages))]
    held_out, real = shuffled[:HELD_OUT], shuffled[HELD_OUT:]
    mixture = fit(real)
    near = draw(mixture, len(real) + DRAWN_QUERIES, seed=1)
    queries = np.concatenate([questions, held_out, near[:DRAWN_QUERIES]])
    keep(work / "queries.npy", queries)
    (work / "questions.json").write_text(json.dumps(len(questions)), encoding="utf-8")
    matched = [profile(real, held_out), profile(near[DRAWN_QUERIES:], near[:DRAWN_QUERIES])]
    matched.append(profile(near[DRAWN_QUERIES:], held_out))
    for corpus in corpora:
        vectors = real if corpus == "real" else draw(mixture, int(corpus), seed=2)
        keep(exact_path(work, corpus), nearest(vectors, queries))
        keep(corpus_path(work, corpus), vectors)
    lines = [f"{len(real):,} real passages, as many drawn; neighbours of:", ""]
    lines += ["| | real, held out | drawn, drawn | drawn, held out |", "|---|---|---|---|"]
    lines += [
        f"| {name} | " + " | ".join(f"{one[name]:.3f}" for one in matched) + " |"
        for name in matched[0]
    ]
    (work / "matched.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines) + "\n")


def nearest(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Positions of each query's nearest vectors, by comparing with all."""
    import faiss

    found: np.ndarray = faiss.knn(queries, vectors, max(NEAREST), faiss.METRIC_INNER_PRODUCT)[1]
    return found


def exact_path(work: Path, corpus: str) -> Path:
    return work / f"nearest-{corpus}.npy"


def corpus_path(work: Path, corpus: str) -> Path:
    return work / f"corpus-{corpus}.npy"


def keep(path: Path, vectors: np.ndarray) -> None:
    """Write an array in one step."""
    scratch = path.with_suffix(".tmp.npy")
    np.save(scratch, vectors, allow_pickle=False)
    scratch.replace(path)


def measure(options: argparse.Namespace, corpus: str, kind: str) -> list[dict[str, Any]]:
    """The rows of one kind at one size: one for each search setting."""
    import torch

    from harness.metering.sharing import Neighbours

    print(f"{corpus} passages, {kind}", file=sys.stderr, flush=True)
    neighbours = Neighbours(torch.device("cpu"))
    built = child(options, "build", corpus, kind)
    searched = child(options, "search", corpus, kind)
    exclusive = neighbours.device_exclusive()
    common = {
        "machine_shared": None if exclusive is None else not exclusive,
        "other_processes_cpu_share": neighbours.foreign_cpu_share(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": options.threads,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return [{"corpus": corpus, **built, **one, **common} for one in searched]


def child(options: argparse.Namespace, what: str, corpus: str, kind: str) -> Any:
    """What ``build`` or ``search`` says when it runs in a process of its own."""
    command = [sys.executable, __file__, "--child", what, "--corpora", corpus, "--kinds", kind]
    threads = str(options.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    done = subprocess.run(
        [*command, "--work", str(options.work)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def build(work: Path, corpus: str, kind: str) -> dict[str, Any]:
    """Seconds and memory that building an index took; it is left in ``work``."""
    vectors = np.load(corpus_path(work, corpus), allow_pickle=False)
    settings = resolve(kind, FaissConfig(), *vectors.shape)
    index, spent = timed(lambda: build_index(kind, settings, vectors))
    path = index_path(work, corpus, kind)
    write_index(index, path)
    return {
        "kind": kind,
        "passages": len(vectors),
        "dimension": vectors.shape[1],
        "settings": settings,
        "build_seconds": spent.wall,
        "build_cpu_seconds": spent.cpu,
        "build_peak_memory_gib": peak_memory_gib(),
        "index_bytes": path.stat().st_size,
    }


def search(work: Path, corpus: str, kind: str) -> list[dict[str, Any]]:
    """Memory of the opened index, and speed and recall at each search setting."""
    queries = np.load(work / "queries.npy", allow_pickle=False)
    n_questions = json.loads((work / "questions.json").read_text(encoding="utf-8"))
    path = index_path(work, corpus, kind)
    before = resident_bytes() / GIB
    started = time.perf_counter()
    index = read_index(path)
    opened = {
        "open_seconds": time.perf_counter() - started,
        "resident_gib": resident_bytes() / GIB - before,
    }
    truth = np.load(exact_path(work, corpus), allow_pickle=False)
    defaults = resolve(kind, FaissConfig(), index.ntotal, index.d)
    knob = next((name for name in SEARCH if name in defaults), None)
    found: list[dict[str, Any]] = []
    for factor in SEARCH[knob] if knob else (1,):
        settings = {**defaults}
        if knob:
            most = defaults.get("nlist", index.ntotal)
            settings[knob] = min(most, max(1, round(defaults[knob] * factor)))
            set_search(index, knob, settings[knob])
        if any(one["settings"] == settings for one in found):
            continue
        found.append({"settings": settings, "default": factor == 1, **asked(index, queries)})
        positions = found[-1].pop("positions")
        hits = positions[:, :, None] == truth[:, None, :]  # (queries, found, nearest)
        for k in NEAREST:
            shares = hits[:, :k, :k].any(axis=1).mean(axis=1)
            found[-1][f"recall_at_{k}"] = float(shares.mean())
            found[-1][f"recall_at_{k}_questions"] = float(shares[:n_questions].mean())
    path.unlink()
    return [{**opened, **one, "search_peak_memory_gib": peak_memory_gib()} for one in found]


class Spent(NamedTuple):
    """Seconds of wall and of processor time; sharing the machine hardly changes the second."""

    wall: float
    cpu: float


def timed(work: Callable[[], T]) -> tuple[T, Spent]:
    """What ``work`` gave, and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return made, Spent(time.perf_counter() - wall, time.process_time() - cpu)


def asked(index: Any, queries: np.ndarray) -> dict[str, Any]:
    """Queries a second, all at once (best of three if that is quick) and alone; what was found."""
    k = max(NEAREST)
    batches: list[Spent] = []
    while len(batches) < REPEATS and sum(one.wall for one in batches) < ENOUGH_SECONDS:
        (_, positions), spent = timed(lambda: index.search(queries, k))
        batches.append(spent)
    few = queries[:: max(1, len(queries) // SINGLE)]
    _, alone = timed(lambda: [index.search(query[None], k) for query in few])
    return {
        "batch_queries_per_second": len(queries) / min(one.wall for one in batches),
        "batch_queries_per_cpu_second": len(queries) / min(one.cpu for one in batches),
        "single_queries_per_second": len(few) / alone.wall,
        "single_queries_per_cpu_second": len(few) / alone.cpu,
        "queries": len(queries),
        "positions": positions,
    }


def index_path(work: Path, corpus: str, kind: str) -> Path:
    return work / f"{kind}-{corpus}.faiss"


def set_search(index: Any, name: str, value: int) -> None:
    """Set nprobe, or ef_search of a graph."""
    if name == "nprobe":
        index.nprobe = value
    else:
        index.hnsw.efSearch = value


def peak_memory_gib() -> float:
    """Most resident memory of this process so far."""
    return (highest_resident_bytes() or 0) / GIB


def markdown(measured: list[dict[str, str]]) -> str:
    """The default settings' rows as a table; seconds are the processor's."""
    lines = [
        "| passages | index | build CPU s | peak GiB | resident GiB | bytes a passage "
        "| queries/CPU s, batch | one by one | recall@1 | @5 | @10 | @5, questions | shared |",
        "|---|" + "---|" * 12,
    ]
    for row in measured:
        if row["default"] != "True":
            continue
        name = f"{int(row['passages']):,}" + (" (real)" if row["corpus"] == "real" else "")
        peak = max(float(row["build_peak_memory_gib"]), float(row["search_peak_memory_gib"]))
        recalls = [f"{float(row[f'recall_at_{k}']):.3f}" for k in NEAREST]
        cells = [
            name,
            row["kind"],
            f"{float(row['build_cpu_seconds']):.1f}",
            f"{peak:.2f}",
            f"{float(row['resident_gib']):.2f}",
            f"{int(row['index_bytes']) / int(row['passages']):,.0f}",
            f"{float(row['batch_queries_per_cpu_second']):,.0f}",
            f"{float(row['single_queries_per_cpu_second']):,.0f}",
            *recalls,
            f"{float(row['recall_at_5_questions']):.3f}",
            {"True": "yes", "False": "no"}.get(row["machine_shared"], "?"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
