"""The columns of a result row: one ordered list, from which file, checks and docs are made.

Add columns anywhere; files written before are migrated when a row is appended. Removing or
renaming a column, or changing its meaning, raises SCHEMA_VERSION.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from harness.measures.definitions import ACCURACY, FORGETTING, PROBES, RETRIEVAL, Measure

SCHEMA_VERSION = 1

PHASES: dict[str, str] = {
    "load": "loading the model",
    "prepare": "making training data: pairs, paraphrases",
    "tune": "choosing settings on validation",
    "index": "chunking and indexing the corpus",
    "train": "training the adapter, evaluation left out",
    "retrieve": "searching for passages",
    "prefill": "reading prompts",
    "decode": "generating answers",
    "probe": "forgetting probes, before and after",
    "latency": "the batch-1 sample that latencies are taken from",
}


@dataclass(frozen=True)
class Column:
    """One column of runs.csv.

    Attributes:
        type: "str", "int", "float", "bool" or "json" (an object or a list).
        unit: of the number; empty for text and pure identity.
        group: heading in docs/columns.md.
        choices: the only values allowed; empty: any.
    """

    name: str
    type: str
    unit: str
    meaning: str
    group: str
    choices: tuple[str, ...] = ()


# name, type, unit, meaning[, choices]
_Entry = tuple[str, str, str, str] | tuple[str, str, str, str, tuple[str, ...]]

_IDENTITY: tuple[_Entry, ...] = (
    ("schema_version", "int", "", "version of this table when the row was written"),
    ("run_id", "str", "", "names the row and its predictions file"),
    ("created_at", "str", "UTC, ISO 8601", "when the row was written"),
    ("status", "str", "", "whether the run finished", ("ok", "failed")),
    ("error", "str", "", "why it failed, in one line; empty if ok"),
    ("invocation", "str", "", "identifies the command that ran this cell, shared by its cells"),
    ("experiment", "str", "", "name of the experiment"),
    ("arm", "str", "", "label of the method: what fills its retriever and adapter slots"),
    ("task", "str", "", "name of the task"),
    ("model", "str", "", "name of the model"),
    ("model_identity", "str", "", "sha256 of the model's files, or the hub's commit"),
    ("seed", "int", "", "varies adapter initialisation, data order, dropout, few-shot examples"),
    ("config_hash", "str", "sha256", "hash of the settings that decide the figures"),
    ("split_sha256", "str", "sha256", "hash of the test questions: equal means comparable"),
    ("corpus_sha256", "str", "sha256", "hash of the documents"),
    ("code_version", "str", "git commit", "commit of the harness"),
    ("code_dirty", "bool", "", "whether the working tree had uncommitted changes"),
    ("package_versions", "json", "", "package -> version of what can change results"),
    ("platform", "str", "", "operating system, processor and Python"),
)

_SETTINGS: tuple[_Entry, ...] = (
    ("retriever", "str", "", "kind of retriever; empty without one"),
    ("encoder", "str", "", "sentence encoder of a dense or hybrid retriever"),
    (
        "index_kind",
        "str",
        "",
        "FAISS index of a dense or hybrid retriever; all but flat are approximate",
        ("flat", "ivf", "hnsw", "ivf_sq", "ivf_pq"),
    ),
    ("reranker", "str", "", "cross-encoder that orders what was found anew; empty without one"),
    ("rerank_candidates", "int", "passages", "passages of the first ranking that it scores"),
    ("distractors", "str", "", "source of the documents added as distractors; empty: none added"),
    ("distractors_chosen", "str", "", "how those were chosen", ("random", "hard")),
    (
        "distractor_documents",
        "int",
        "documents",
        "documents of the corpus that are distractors, the task's own among them",
    ),
    ("top_k", "int", "passages", "passages retrieved for a question"),
    ("top_k_chosen_by", "str", "", "how top_k was chosen: validation, or set in the config"),
    ("chunk_tokens", "int", "tokens", "longest passage"),
    ("chunk_overlap", "int", "tokens", "tokens that neighbouring passages share"),
    (
        "context_budget_tokens",
        "int",
        "tokens",
        "most tokens of passages in a prompt, if any",
    ),
    ("shots", "int", "examples", "few-shot examples before a question; empty without them"),
    ("adapter", "str", "", "kind of fine-tuning; empty without it"),
    (
        "adapter_variant",
        "str",
        "",
        "variant of LoRA; empty for other kinds",
        ("plain", "dora", "rslora", "pissa", "olora"),
    ),
    ("rank", "int", "", "rank of the adapter's matrices"),
    ("alpha", "float", "", "alpha of LoRA, LoHa and LoKr: updates are scaled by alpha / rank"),
    ("learning_rate", "float", "", "highest learning rate"),
    ("epochs", "float", "", "passes over the training data that were run"),
    ("train_batch_size", "int", "sequences", "sequences an optimiser step, accumulation included"),
    (
        "train_passages",
        "str",
        "",
        "passages in the training prompts",
        ("none", "retrieved", "gold", "raft"),
    ),
    (
        "training_data",
        "str",
        "",
        "what was trained on: question–answer pairs or raw text",
        ("pairs", "text"),
    ),
    ("training_pairs", "int", "", "distinct training examples"),
    (
        "pair_generator",
        "str",
        "",
        "what made the training pairs from the corpus; empty: they are the task's own, or none",
        ("templates", "model", "endpoint"),
    ),
    ("generated_pairs", "int", "", "questions that were made and trained on, other wordings apart"),
    ("generated_paraphrases", "int", "", "other wordings of them, trained on as well"),
    ("generated_dropped", "json", "", "reason -> pairs and wordings that were made and dropped"),
    (
        "generated_near_held_out",
        "int",
        "",
        "made pairs removed because they were worded nearly like a test or validation question",
    ),
    (
        "generated_sha256",
        "str",
        "sha256",
        "hash of the made pairs; its first 16 digits name the report in training_data/",
    ),
    (
        "generated_cost_usd",
        "float",
        "US$",
        "price of the tokens of making pairs at an endpoint; empty if not known",
    ),
    ("train_processes", "int", "processes", "processes that trained together"),
    ("trained_tokens", "int", "tokens", "tokens of the training examples, all epochs"),
    (
        "train_shared_tokens",
        "int",
        "tokens",
        "tokens that all training examples begin with: counted in each, computed once a batch",
    ),
    ("trained_steps", "int", "", "optimiser steps"),
    ("replay_share", "float", "share", "share of training examples that replay general data"),
    ("kl_weight", "float", "", "weight of the KL penalty to the base model in the training loss"),
    ("raft_gold_share", "float", "share", "RAFT: share of training prompts with a gold passage"),
    (
        "raft_quoting",
        "int",
        "",
        "RAFT: training answers that quote their passage; empty: not asked",
    ),
    ("trainable_parameters", "int", "", "numbers that were trained"),
    ("adapter_bytes", "int", "bytes", "size of the adapter's stored weights"),
    ("dtype", "str", "", "number format when answering"),
    ("attention", "str", "", "attention implementation when answering"),
    ("train_dtype", "str", "", "number format in training"),
    ("update_dtype", "str", "", "number format in which updates are added to trained weights"),
    ("train_attention", "str", "", "attention implementation in training"),
    ("train_quantization", "str", "", "of the frozen weights in training: none or nf4"),
    ("max_new_tokens", "int", "tokens", "longest answer"),
    (
        "answer_part",
        "str",
        "",
        "part of the answer that was scored; empty: the whole",
        ("first_line", "final"),
    ),
    ("adapter_merged", "bool", "", "whether the adapter was merged into the weights to answer"),
    ("device", "str", "", "where the model ran"),
    ("parity", "str", "", "whether retriever and training saw the same facts"),
    ("notes", "str", "", "caveats about the task and the settings"),
    (
        "settings_chosen_by",
        "str",
        "",
        "sampler, trials and validation score of the search that chose the settings; empty: none",
    ),
)

_COUNTS: tuple[_Entry, ...] = (
    ("n_test", "int", "questions", "test questions answered"),
    ("n_clusters", "int", "", "entities they ask about, which intervals are clustered by"),
    ("by_bucket", "json", "", "popularity bucket -> measure -> mean, low, high, n"),
    ("metric_versions", "json", "", "measure -> version of its definition"),
    (
        "answers_at_limit",
        "float",
        "share",
        "generated answers to answerable questions that are max_new_tokens long: most were cut",
    ),
    (
        "wrong_at_limit",
        "float",
        "share",
        "such answers that hold no gold answer: the most that a higher limit could mend",
    ),
    ("quoting", "int", "answers", "answers with a closed quote, where final answers are scored"),
    ("quoting_verbatim", "int", "answers", "those that quote a passage of their prompt verbatim"),
    ("quoting_unfinished", "int", "answers", "answers that end within a quote: no final answer"),
    (
        "similarity_encoder",
        "str",
        "",
        "sentence encoder of embedding_similarity; empty: not measured",
    ),
)

_TOTALS: tuple[_Entry, ...] = (
    ("prefill_tokens", "int", "tokens", "prompt tokens of the test questions"),
    ("decode_tokens", "int", "tokens", "generated tokens"),
    ("passage_tokens", "int", "tokens", "those prompt tokens that are passages"),
    ("shot_tokens", "int", "tokens", "those prompt tokens that are few-shot examples"),
    ("train_tokens_per_second", "float", "tokens/s", "trained_tokens / train_seconds"),
    ("latency_p50_seconds", "float", "s", "median time to answer one question"),
    ("latency_p95_seconds", "float", "s", "95th percentile of the same"),
    ("latency_p99_seconds", "float", "s", "99th percentile; empty below 500 requests"),
    ("latency_n", "int", "requests", "requests that the latencies are taken from"),
    ("latency_batch_size", "int", "requests", "requests answered at once in that sample"),
    (
        "peak_memory_gib",
        "float",
        "GiB",
        "highest resident memory of the process in the phases that make and serve the arm",
    ),
    ("peak_gpu_memory_gib", "float", "GiB", "highest memory allocated on the GPU"),
    (
        "total_energy_kwh",
        "float",
        "kWh",
        "the full cost of the arm: reused artifacts at what they first took",
    ),
    (
        "estimated_energy_kwh",
        "float",
        "kWh",
        "total_energy_kwh with CodeCarbon's estimates in place of counters; empty without any",
    ),
    ("emissions_kg", "float", "kg CO2e", "total_energy_kwh × PUE × carbon intensity"),
    ("spent_seconds", "float", "s", "what this run itself took: reused artifacts cost nothing"),
    ("spent_energy_kwh", "float", "kWh", "what this run itself used"),
    (
        "energy_source",
        "str",
        "",
        "where energy figures come from",
        ("counter", "estimate", "none"),
    ),
    ("energy_assumed_share", "float", "share", "part of the energy that rests on assumed watts"),
    ("carbon_intensity_kg_per_kwh", "float", "kg/kWh", "of the electricity used"),
    ("carbon_intensity_source", "str", "", "where that figure comes from"),
    ("cost_assumptions", "json", "", "every assumption behind energy and emissions"),
    ("meter_overhead_share", "float", "share", "part of the run's time spent on metering"),
    (
        "api_cost_usd",
        "float",
        "US$",
        "price of the tokens of tune, prefill and decode at an endpoint; empty if not known",
    ),
)

_VALIDITY: tuple[_Entry, ...] = (
    ("device_exclusive", "bool", "", "whether no other process used the device"),
    ("reused", "json", "", "kinds of artifact that were reused rather than made"),
    ("cold_start", "bool", "", "whether nothing was loaded or cached when the run began"),
    (
        "forgetting_by_construction",
        "bool",
        "",
        "true: weights are frozen, so forgetting is 0 without being measured",
    ),
)

_IMPORTED: tuple[_Entry, ...] = (
    ("source", "str", "", "tool and file an imported row came from; empty for an own run"),
    (
        "other_measures",
        "json",
        "",
        "measures without a column: name -> value, low, high, higher_is_better, unit, n",
    ),
    ("other_fields", "json", "", "what else the imported file said and no column holds"),
)


def _measured(measures: dict[str, Measure]) -> Iterator[_Entry]:
    for measure in measures.values():
        better = "higher" if measure.higher_is_better else "lower"
        yield measure.name, "float", measure.unit, f"{measure.definition} ({better} is better)"
        yield f"{measure.name}_low", "float", measure.unit, "lower end of its interval"
        yield f"{measure.name}_high", "float", measure.unit, "upper end of its interval"


def _forgetting() -> Iterator[_Entry]:
    for probe in PROBES.values():
        yield f"{probe.name}_before", "float", probe.unit, f"{probe.definition} Base model."
        yield f"{probe.name}_after", "float", probe.unit, "the same with this arm's weights"
        yield from _measured({probe.name: FORGETTING[f"forgetting_{probe.name}"]})
        yield f"forgetting_{probe.name}_n", "int", "items", "items of the probe"


def _phases() -> Iterator[_Entry]:
    for phase, what in PHASES.items():
        # "latency_seconds" would read as the latency of an answer.
        prefix = "latency_sample" if phase == "latency" else phase
        yield f"{prefix}_seconds", "float", "s", f"wall time of {what}"
        yield f"{prefix}_cpu_seconds", "float", "s", f"processor time of {what}"
        yield f"{prefix}_gpu_seconds", "float", "s", "GPU time; empty without a GPU"
        yield f"{prefix}_energy_kwh", "float", "kWh", "energy; empty if not known"


_GROUPS: dict[str, tuple[_Entry, ...]] = {
    "Identity": _IDENTITY,
    "Settings": _SETTINGS,
    "Accuracy": (*_COUNTS, *_measured(ACCURACY)),
    "Retrieval": (
        *_measured(RETRIEVAL),
        ("retrieval_n", "int", "questions", "questions with gold documents"),
        (
            "index_recall_at_k",
            "float",
            "share",
            "the top_k nearest passages that an approximate index found; empty if it is exact",
        ),
    ),
    "Forgetting": tuple(_forgetting()),
    "Cost by phase": tuple(_phases()),
    "Cost": _TOTALS,
    "Validity": _VALIDITY,
    "Imported": _IMPORTED,
}

COLUMNS: dict[str, Column] = {
    entry[0]: Column(*entry[:4], group=group, choices=entry[4] if len(entry) == 5 else ())
    for group, entries in _GROUPS.items()
    for entry in entries
}

MEASURED_GROUPS = ("Accuracy", "Retrieval", "Forgetting")
"""Groups that are empty in a failed row, apart from counts and versions."""


@cache
def phase_columns(phase: str) -> tuple[str, str, str, str]:
    """Names of a phase's columns: wall, CPU and GPU seconds, and energy."""
    prefix = "latency_sample" if phase == "latency" else phase
    return (
        f"{prefix}_seconds",
        f"{prefix}_cpu_seconds",
        f"{prefix}_gpu_seconds",
        f"{prefix}_energy_kwh",
    )


def columns_markdown() -> str:
    """The text of docs/columns.md."""
    lines = [
        "# Columns of runs.csv",
        "",
        "Made from `harness/columns.py` by `python -m harness.columns > docs/columns.md`.",
        "",
        f"Schema version {SCHEMA_VERSION}, {len(COLUMNS)} columns, one row for each arm and seed.",
        "An empty cell means unknown or not applicable, never zero. Booleans are `true` and",
        "`false`; `json` cells hold an object or a list; numbers carry every digit. Text that a",
        "spreadsheet would take for a formula is stored behind a `'`, which reading removes.",
        "Measures are defined in [measures.md](measures.md).",
    ]
    for group in _GROUPS:
        lines += ["", f"## {group}", "", "| column | type | unit | meaning |", "|---|---|---|---|"]
        for column in COLUMNS.values():
            if column.group == group:
                kind = " \\| ".join(f"`{c}`" for c in column.choices) or column.type
                lines.append(f"| `{column.name}` | {kind} | {column.unit} | {column.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(columns_markdown())
