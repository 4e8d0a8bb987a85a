"""Which settings tell what a run does: the rest is left out of hashes and keys.

A setting that came after rows had been written, at the value that means what was done before, says
nothing new: so rows and artifacts keep the hashes and keys that they had.
"""

from __future__ import annotations

from typing import Any

ADDED_LATER: dict[str, dict[str, Any]] = {
    "task": {
        "distractors": {"source": "none", "path": "", "count": "matched", "choose": "random"},
    },
    "task.columns": {"document": ""},
    "retriever": {
        "index": "flat",
        "faiss": {
            "nlist": None,
            "nprobe": None,
            "m": None,
            "ef_construction": None,
            "ef_search": None,
            "pq_bytes": None,
        },
        "hybrid": {"rrf_k": 60, "depth": 100, "bm25_weight": 1.0},
        "rerank": {
            "source": "none",
            "name": "",
            "id": None,
            "revision": None,
            "package": None,
            "version": None,
            "sha256": None,
            "member": None,
            "candidates": 20,
            "max_tokens": None,
            "batch_size": 32,
            "dtype": "float32",
        },
    },
    "prompt": {"shots": 0},
    "model": {"train_quantization": "none"},
    "adapter": {
        "variant": "plain",
        "options": {},
        "lr_ratio": 1.0,
        "kl": {"weight": 0.0, "tokens": "answers"},
        "raft": {"gold_share": 0.8, "distractors": 4, "distractors_from": "random"},
    },
    "adapter.raft": {"quote": False},  # later than the rest of its group
    "measure": {"embedding_similarity": False},
    # Parts of keys alone, named as no group of settings is.
    "batching": {"batch_size": 64, "batch_tokens": 16384},
    "endpoint": {"limit_field": "max_tokens"},
}
"""Group of settings -> setting -> the value that means what was done before it was there.

A nested group that came as a whole is given as the dictionary of all its values then; what came to
it later has an entry of its own.
"""


def telling(group: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a group ("adapter", "prompt", …) without those that say nothing."""
    settings = {
        name: telling(f"{group}.{name}", value) if isinstance(value, dict) else value
        for name, value in settings.items()
    }
    silent = {
        name for name, value in ADDED_LATER.get(group, {}).items() if settings.get(name) == value
    }
    if group == "adapter" and settings["processes"] == 1:
        silent |= {"processes", "strategy"}  # one process has no strategy
    if group == "adapter" and settings.get("pairs", {}).get("generator") == "none":
        silent |= {"pairs"}  # without a generator, nothing is made
    if group == "measure" and not settings.get("embedding_similarity"):
        silent |= {"similarity_encoder"}  # encodes nothing then
    return {name: value for name, value in settings.items() if name not in silent}
