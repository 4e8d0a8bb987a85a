"""Every setting of a cell changes the keys of the artifacts that it changes, and no others."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import method_keys
from harness.adapters.config import AdapterConfig, RaftConfig, ReplayConfig
from harness.config import Config
from harness.economics.config import (
    BudgetConfig,
    HardwareConfig,
    PricesConfig,
    Source,
    SourcesConfig,
    Stated,
    UseConfig,
)
from harness.measures.config import ForgettingConfig, MeasureConfig
from harness.metering.config import STATED_LATER, CostConfig
from harness.models.backends import key_of
from harness.models.config import ModelConfig
from harness.models.endpoint_config import EndpointConfig
from harness.models.estimate import EstimatedTokenizer
from harness.retrieval import index_key
from harness.retrieval.chunk import chunk
from harness.retrieval.config import (
    BM25Config,
    EncoderConfig,
    FaissConfig,
    RerankConfig,
    RetrieverConfig,
)
from harness.shots import draw_shots
from harness.store import Artifact
from harness.tasks.config import FictionalConfig
from harness.types import Document, Question, Task, TrainingPair, sha256_of

TASK = Task(
    "t",
    train=(TrainingPair("Who?", "Ann", "d"),),
    validation=(Question("v", "Who else?", ("Ben",)),),
    test=(Question("q", "And who?", ("Cem",)),),
    corpus=(Document("d", " ".join(f"word{n}" for n in range(200)), "Title"),),
)
CPU = torch.device("cpu")
STATED = Stated(0.5, "a contract", "2026-01-31")

ALL = "index replay adapter answers probes"
FITTED = "adapter answers probes"
"""What a change of training changes: the adapter, and what its weights say."""


def artifact(kind: str, key: dict[str, Any]) -> Artifact:
    return Artifact(kind, sha256_of({"kind": kind, **key}), Path(), {}, reused=False)


def keys(config: Config, task: Task = TASK) -> dict[str, str]:
    """The key of each artifact that a run of ``config`` makes, as ``Method`` builds it."""
    around = method_keys.circumstances(config, CPU)
    made: dict[str, Artifact] = {}
    retriever, adapter = config.retriever, config.adapter
    if retriever is not None:
        size, overlap = retriever.chunk_tokens, retriever.chunk_overlap
        passages = chunk(task.corpus, size, overlap, EstimatedTokenizer())
        made["index"] = artifact("index", {**index_key(retriever, passages), **around})
    if adapter is not None:
        asked = [f"general {number}" for number in range(adapter.replay.prompts)]
        if adapter.replay.share:
            # Prompts are rendered with the instruction, and through the chat template or not.
            shown = [[config.prompt.system, config.model.chat, one] for one in asked]
            own = method_keys.replay_key(config, adapter, "base", shown)
            made["replay"] = artifact("replay", {**own, **around})
        own = method_keys.adapter_key(config, adapter, task, "base", made.get("index"), asked)
        made["adapter"] = artifact("adapter", {**own, **around})
    weights = method_keys.weights_key(config, "base", made.get("adapter"))
    weights |= key_of(config.model)
    shots = draw_shots(task, config.prompt.shots, config.seed)
    own = method_keys.answers_key(config, task, weights, made.get("index"), shots)
    made["answers"] = artifact("answers", {**own, **around})
    own = method_keys.probes_key(config, weights, "items")
    made["probes"] = artifact("probes", {**own, **around})
    return {kind: one.key for kind, one in made.items()}


MODEL = ModelConfig(
    source="local", id="m", dtype="float32", attention="sdpa", train_dtype="float32",
    train_attention="sdpa",
)  # fmt: skip
DENSE = RetrieverConfig(
    index="ivf_pq", faiss=FaissConfig(nlist=4, nprobe=2, pq_bytes=8), chunk_tokens=32,
    chunk_overlap=8, rerank=RerankConfig(source="local", id="r"),
)  # fmt: skip
LORA = AdapterConfig(
    train_passages="retrieved", early_stopping_patience=2, replay=ReplayConfig(share=0.5)
)

BASES: dict[str, Config] = {
    "rag_lora": Config(
        arm="a", task=FictionalConfig(), model=MODEL, retriever=DENSE, adapter=LORA,
    ),
    "two processes": Config(
        arm="a", task=FictionalConfig(), model=MODEL, adapter=AdapterConfig(processes=2),
    ),
    "hnsw": Config(
        arm="a", task=FictionalConfig(), model=MODEL,
        retriever=RetrieverConfig(index="hnsw", faiss=FaissConfig(m=4)),
    ),
    "hybrid": Config(
        arm="a", task=FictionalConfig(), model=MODEL, retriever=RetrieverConfig(kind="hybrid"),
    ),
    "raft": Config(
        arm="a", task=FictionalConfig(), model=MODEL, retriever=RetrieverConfig(kind="bm25"),
        adapter=AdapterConfig(train_passages="raft"),
    ),
    "raft final": Config(
        arm="a", task=FictionalConfig(), model=MODEL, retriever=RetrieverConfig(kind="bm25"),
        adapter=AdapterConfig(train_passages="raft"), measure=MeasureConfig(answer_part="final"),
    ),
    "raft retrieved": Config(
        arm="a", task=FictionalConfig(), model=MODEL,
        retriever=RetrieverConfig(kind="bm25", rerank=RerankConfig(source="local", id="r")),
        adapter=AdapterConfig(
            train_passages="raft", raft=RaftConfig(distractors_from="retrieved")
        ),
    ),
    "bm25": Config(
        arm="a", task=FictionalConfig(), model=MODEL, retriever=RetrieverConfig(kind="bm25"),
    ),
    "endpoint": Config(
        arm="a", task=FictionalConfig(),
        model=EndpointConfig(
            base_url="http://127.0.0.1:1/v1", id="m", api="completions", tokenizer="t",
        ),
    ),
}  # fmt: skip

CHANGES: dict[str, dict[str, tuple[Any, str]]] = {
    "rag_lora": {
        "seed": (1, FITTED),
        "model.dtype": ("bfloat16", "answers probes"),
        "model.attention": ("eager", "answers probes"),
        "model.train_dtype": ("bfloat16", f"replay {FITTED}"),
        "model.train_attention": ("eager", f"replay {FITTED}"),
        "model.train_quantization": ("nf4", f"replay {FITTED}"),
        "model.chat": (False, f"replay {FITTED}"),
        "model.batch_size": (8, f"replay {FITTED}"),
        "model.batch_tokens": (512, f"replay {FITTED}"),
        "model.context_tokens": (128, "answers"),  # what is too long is refused, never cut
        "model.name": ("other", ""),
        "retriever.kind": ("oracle", f"index {FITTED}"),
        "retriever.index": ("ivf_sq", f"index {FITTED}"),
        "retriever.faiss.nlist": (8, f"index {FITTED}"),
        "retriever.faiss.nprobe": (1, f"index {FITTED}"),
        "retriever.faiss.pq_bytes": (4, f"index {FITTED}"),
        "retriever.encoder.query_prefix": ("query: ", f"index {FITTED}"),
        "retriever.encoder.passage_prefix": ("passage: ", f"index {FITTED}"),
        "retriever.encoder.normalise": (False, f"index {FITTED}"),
        "retriever.encoder.dtype": ("bfloat16", f"index {FITTED}"),
        "retriever.encoder.batch_size": (8, ""),  # vectors are rounded before they are ranked
        "retriever.encoder.name": ("other", ""),
        "retriever.chunk_tokens": (16, f"index {FITTED}"),
        "retriever.chunk_overlap": (0, f"index {FITTED}"),
        "retriever.rerank.candidates": (5, FITTED),
        "retriever.rerank.max_tokens": (64, FITTED),
        "retriever.rerank.dtype": ("bfloat16", FITTED),
        "retriever.rerank.batch_size": (8, ""),  # scores are rounded before they are ranked
        "retriever.rerank.name": ("other", ""),
        "retriever.top_k": (2, FITTED),
        "retriever.top_k_candidates": ([1, 2], FITTED),
        "retriever.top_k_default": (1, FITTED),
        "adapter.kind": ("full", FITTED),
        "adapter.rank": (8, FITTED),
        "adapter.alpha": (8.0, FITTED),
        "adapter.dropout": (0.1, FITTED),
        "adapter.target_modules": ("q_proj", FITTED),
        "adapter.learning_rate": (1e-4, FITTED),
        "adapter.epochs": (1, FITTED),
        "adapter.batch_size": (8, FITTED),
        "adapter.micro_batch_size": (4, FITTED),
        "adapter.weight_decay": (0.1, FITTED),
        "adapter.max_grad_norm": (0.5, FITTED),
        "adapter.warmup_share": (0.0, FITTED),
        "adapter.schedule": ("cosine", FITTED),
        "adapter.max_tokens": (128, FITTED),
        "adapter.gradient_checkpointing": (True, FITTED),
        "adapter.mixed_precision": ("bf16", FITTED),
        "adapter.early_stopping_patience": (1, FITTED),
        "adapter.checkpoint_steps": (5, ""),  # a resumed training gives the same weights
        "adapter.processes": (2, FITTED),
        "adapter.train_passages": ("gold", FITTED),
        "adapter.merge": (False, "answers probes"),
        "adapter.variant": ("dora", FITTED),
        "adapter.options": ({"use_bdlora": True}, FITTED),
        "adapter.lr_ratio": (4.0, FITTED),
        "adapter.kl.weight": (0.5, FITTED),
        "adapter.kl.tokens": ("replay", FITTED),
        "adapter.replay.share": (0.25, FITTED),
        "adapter.replay.prompts": (100, f"replay {FITTED}"),
        "adapter.replay.max_new_tokens": (12, f"replay {FITTED}"),
        "prompt.system": ("Say.", f"replay {FITTED}"),
        "prompt.system_with_passages": ("Read.", FITTED),
        "prompt.context_budget_tokens": (256, FITTED),
        "prompt.max_new_tokens": (10, FITTED),
        "prompt.show_choices": (True, FITTED),
        "prompt.shots": (1, "answers"),  # adapters are trained, and probed, without examples
        "measure.primary": ("f1", FITTED),  # chooses top_k, and so what training sees
        "measure.answer_part": ("first_line", FITTED),
        "measure.latency_questions": (5, "answers"),
        "measure.latency_warmup": (0, "answers"),
        "measure.confidence": (0.9, ""),  # computed from the stored answers
        "measure.reuse": (False, ""),
        "measure.exclusive": (True, ""),
        "measure.embedding_similarity": (True, ""),  # computed from the stored answers, by:
        "measure.similarity_encoder.query_prefix": ("query: ", ""),
        "measure.similarity_encoder.passage_prefix": ("passage: ", ""),
        "measure.similarity_encoder.normalise": (False, ""),
        "measure.similarity_encoder.dtype": ("bfloat16", ""),
        "measure.similarity_encoder.batch_size": (8, ""),
        "measure.similarity_encoder.name": ("other", ""),
        "forgetting.text_tokens": (32, "probes"),
        "cost.energy": ("none", ALL),
        "cost.cpu_watts": (50.0, ALL),
        "cost.memory_watts": (5.0, ALL),
        "cost.gpu": (False, ALL),
        "cost.country": ("FRA", ""),  # emissions are computed from the stored energy
        "cost.carbon_intensity_kg_per_kwh": (0.1, ""),
        "cost.pue": (1.5, ""),
        "cost.sample_seconds": (2.0, ""),  # how often is looked, not what is there
        # Applied when results are read.
        "cost.prices": (PricesConfig(hourly_usd=STATED), ""),
        "cost.hardware": (HardwareConfig(idle_watts=STATED), ""),
        "cost.use": (UseConfig(queries_per_month=STATED), ""),
        "cost.budget": (BudgetConfig(STATED, 2025, STATED, "1"), ""),
        "cost.sources": (SourcesConfig(pue=Source("the operator", "2026-01-31")), ""),
    },
    "two processes": {"adapter.strategy": ("fsdp", FITTED)},
    "hnsw": {
        "retriever.faiss.m": (8, "index answers"),
        "retriever.faiss.ef_construction": (8, "index answers"),
        "retriever.faiss.ef_search": (8, "index answers"),
    },
    "hybrid": {
        "retriever.hybrid.rrf_k": (10, "index answers"),
        "retriever.hybrid.depth": (10, "index answers"),
        "retriever.hybrid.bm25_weight": (2.0, "index answers"),
    },
    "raft": {
        "adapter.raft.gold_share": (0.5, FITTED),
        "adapter.raft.distractors": (1, FITTED),
        "adapter.raft.distractors_from": ("retrieved", FITTED),
    },
    "raft final": {"adapter.raft.quote": (True, FITTED)},
    "raft retrieved": {"retriever.rerank.candidates": (5, FITTED)},
    "bm25": {
        "retriever.bm25.k1": (0.9, "index answers"),
        "retriever.bm25.b": (0.4, "index answers"),
        "retriever.bm25.method": ("atire", "index answers"),
    },
    "endpoint": {
        "model.api": ("chat", "answers probes"),
        "model.tokenizer": ("other", "answers probes"),
        "model.seed": (1, "answers probes"),
        "model.limit_field": ("max_completion_tokens", "answers probes"),
        # How an endpoint is asked, and what its answers cost: a refused run goes on more slowly.
        "model.api_key_env": ("KEY", ""),
        "model.concurrency": (1, ""),
        "model.timeout_seconds": (1.0, ""),
        "model.retries": (0, ""),
        "model.requests_per_minute": (1.0, ""),
        "model.price_per_million_in": (1.0, ""),
        "model.price_per_million_cached_in": (1.0, ""),
        "model.price_per_million_out": (1.0, ""),
    },
}
"""Base -> setting -> another value, and the artifacts that come out differently."""

BYTES = ("source", "id", "revision", "package", "version", "sha256", "member", "base_url")
ELSEWHERE = {
    *(f"model.{name}" for name in BYTES),  # the model's identity: a hash of what was loaded
    *(f"retriever.encoder.{name}" for name in BYTES if name != "base_url"),  # likewise
    *(f"retriever.rerank.{name}" for name in BYTES if name != "base_url"),
    *(f"measure.similarity_encoder.{name}" for name in BYTES if name != "base_url"),
    "model.device",  # among the circumstances, by what it is
    *("forgetting.probes", "forgetting.items", "forgetting.texts"),  # the items: hashed
    *("experiment", "arm", "results", "tracking"),  # names and places
}
"""Settings that keys hold by what they lead to, or that lead to nothing stored."""

CASES = [
    (base, name, value, changed)
    for base, settings in CHANGES.items()
    for name, (value, changed) in settings.items()
]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Config]:
    """The bases, their encoder a folder whose files are hashed and never loaded."""
    folder = tmp_path_factory.mktemp("encoder")
    (folder / "modules.json").write_text("[]")
    (folder / "config.json").write_text("{}")
    found = {}
    for name, base in BASES.items():
        retriever = base.retriever
        if retriever is not None:
            encoder = EncoderConfig(source="local", id=str(folder))
            rerank = replace(retriever.rerank, id=str(folder) if retriever.rerank.on else None)
            retriever = replace(retriever, encoder=encoder, rerank=rerank)
        found[name] = replace(base, retriever=retriever)
    return found


def changed_to(settings: Any, path: str, value: Any) -> Any:
    name, _, rest = path.partition(".")
    return replace(
        settings, **{name: changed_to(getattr(settings, name), rest, value) if rest else value}
    )


@pytest.mark.parametrize(("base", "name", "value", "changed"), CASES, ids=[c[1] for c in CASES])
def test_a_setting_changes_the_keys_of_what_it_changes(bases, base, name, value, changed):
    config = bases[base]
    if name == "retriever.kind" or name == "retriever.index":
        config = changed_to(config, "retriever.faiss", FaissConfig(nlist=4, nprobe=2))
        config = changed_to(config, "retriever.index", "ivf")
        config = changed_to(config, "retriever.rerank", RerankConfig())  # oracle takes none
        value = "ivf_sq" if name == "retriever.index" else value
    before, after = keys(config), keys(changed_to(config, name, value))
    assert {kind for kind in before if before[kind] != after[kind]} == set(changed.split())


def leaves(kind: type, prefix: str = "") -> set[str]:
    found = set()
    for one in fields(kind):
        made = one.default_factory() if callable(one.default_factory) else None
        name = f"{prefix}{one.name}"
        found |= leaves(type(made), f"{name}.") if is_dataclass(made) else {name}
    return found


def test_no_setting_is_left_out():
    groups = {
        "model.": EndpointConfig,  # it has those of ModelConfig too
        "retriever.": RetrieverConfig,
        "adapter.": AdapterConfig,
        "forgetting.": ForgettingConfig,
        "cost.": CostConfig,
    }
    every = {name for prefix, kind in groups.items() for name in leaves(kind, prefix)}
    whole = leaves(Config) - {group[:-1] for group in groups} - {"task"}  # its content is hashed
    # What a generator writes has its keys in tests/pairs; what is trained on is hashed.
    every = {name for name in every if not name.startswith("adapter.pairs.")}
    # How cells are run, and a search's own: trials differ from runs by their questions.
    every |= {name for name in whole if not name.startswith(("sweep.", "search."))}
    named = {name for settings in CHANGES.values() for name in settings}
    # What is stated for the reading of results is changed a block at a time.
    blocks = {f"cost.{block}" for block in STATED_LATER}
    every = {name for name in every if name.rsplit(".", 2)[0] not in blocks}
    every = {name for name in every if name.rsplit(".", 1)[0] not in blocks} | blocks
    assert named | ELSEWHERE == every
    assert not named & ELSEWHERE


OTHER = Question("q", "And who?", ("Dan",))


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"train": (TrainingPair("Who?", "Ben", "d"),)}, FITTED),
        ({"validation": (OTHER,)}, FITTED),  # chooses top_k, and when training stops
        ({"test": (OTHER,)}, "answers"),
        ({"corpus": (Document("d", "Other text."),)}, f"index {FITTED}"),
        ({"name": "other", "notes": ("n",), "parity": "none"}, ""),
    ],
)
def test_what_a_task_holds_changes_the_keys_of_what_it_changes(bases, changes, changed):
    before = keys(bases["rag_lora"])
    after = keys(bases["rag_lora"], replace(TASK, **changes))
    assert {kind for kind in before if before[kind] != after[kind]} == set(changed.split())


def test_the_usual_batch_sizes_leave_keys_as_they_were_without_them(bases):
    config = bases["rag_lora"]
    assert method_keys.batching(config) == {}
    assert "batch_size" not in method_keys.probes_key(config, {}, "items")
    other = changed_to(config, "model.batch_size", 8)
    assert method_keys.probes_key(other, {}, "items")["batch_size"] == 8


def test_arms_that_share_work_share_its_key(bases):
    both = bases["rag_lora"]
    assert keys(both)["index"] == keys(replace(both, adapter=None))["index"]
    lora = replace(both, adapter=replace(LORA, train_passages="none"))
    assert keys(lora)["adapter"] == keys(replace(lora, retriever=None))["adapter"]
    assert keys(lora)["probes"] == keys(replace(lora, retriever=None))["probes"]
    frozen = replace(both, adapter=None)
    assert keys(frozen)["answers"] == keys(replace(frozen, seed=1))["answers"]


def test_bm25_constants_are_known_to_the_test_of_bm25():
    assert {f"retriever.bm25.{one.name}" for one in fields(BM25Config)} == set(CHANGES["bm25"])
