"""Tiny runs whose artifacts are put to use: six fictional questions, a cache of their own."""

from __future__ import annotations

from pathlib import Path

from harness.adapters.config import AdapterConfig
from harness.config import Config
from harness.measures.config import ForgettingConfig, MeasureConfig
from harness.metering.config import CostConfig
from harness.models.config import ModelConfig
from harness.prompts import PromptConfig
from harness.retrieval import RetrieverConfig
from harness.tasks.config import FictionalConfig

LORA = AdapterConfig(rank=2, alpha=4.0, epochs=1, batch_size=8, learning_rate=1e-2)
BM25 = RetrieverConfig(kind="bm25", top_k=2, chunk_tokens=40, chunk_overlap=4)


def settings(
    model: Path,
    results: Path,
    arm: str,
    retriever: RetrieverConfig | None = None,
    adapter: AdapterConfig | None = None,
) -> Config:
    """An arm on a tiny model, without probes, latencies and energy."""
    return Config(
        experiment="made",
        arm=arm,
        results=str(results),
        task=FictionalConfig(
            entities=6, distractor_entities=3, phrasings=1, test_questions=6, validation_questions=0
        ),
        model=ModelConfig(
            name="tiny",
            source="local",
            id=str(model),
            dtype="float32",
            attention="eager",
            train_dtype="float32",
            train_attention="eager",
        ),
        retriever=retriever,
        adapter=adapter,
        prompt=PromptConfig(max_new_tokens=6),
        measure=MeasureConfig(latency_questions=0, latency_warmup=0),
        forgetting=ForgettingConfig(probes=[]),
        cost=CostConfig(energy="none", country="FRA"),
    )
