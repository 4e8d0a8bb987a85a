"""Sheets of scores and papers on disk, small enough to compute by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.reproduce.claims import Claim, Contrast
from harness.reproduce.sheet import Sheet


def sheet(
    scores: Mapping[str, Sequence[float] | Sequence[Sequence[float]]],
    *,
    frozen: Sequence[str] = (),
    clusters: Sequence[int] | None = None,
    columns: Mapping[str, Sequence[object]] | None = None,
    bounded: bool = True,
) -> Sheet:
    """Arm -> a score a question, or a list of them a seed."""
    matrices = {}
    for arm, values in scores.items():
        matrix = np.array(values, dtype=float)
        matrices[arm] = matrix[:, None] if matrix.ndim == 1 else matrix.T
    n = len(next(iter(matrices.values())))
    return Sheet(
        scores=matrices,
        seeds={arm: tuple(range(matrix.shape[1])) for arm, matrix in matrices.items()},
        frozen=frozenset(frozen),
        clusters=np.arange(n) if clusters is None else np.array(clusters),
        columns={name: list(values) for name, values in (columns or {}).items()},
        bounded=bounded,
    )


def claim(contrast: Contrast | None, **fields: object) -> Claim:
    """A claim about ``contains`` on films."""
    values: dict[str, object] = {
        "id": "C1",
        "claim": "a beats b",
        "published": "3 of 3",
        "why": "as it is",
        "stage": "main",
        "tasks": ("films",),
        "measures": ("contains",),
        "contrast": contrast,
        "least": 0.1,
    }
    return Claim(**(values | fields))  # type: ignore[arg-type]


PUBLISHED = """\
paper,table,version,dataset,setting,model,condition,metric,value,unit,n,verification
arXiv:1,Table 1,,popqa,,big,closed_book,accuracy,20.0,percent,,two_sources
arXiv:1,Table 1,,popqa,,big,rag,accuracy,75.0,percent,,OCR_only
"""

CLAIMS = """\
alpha: 0.05
claims:
  - id: C1
    claim: RAG beats the model alone
    published: 1 of 1
    why: as it is
    stage: main
    tasks: [films]
    measure: contains
    contrast: {kind: difference, arm: rag, baseline: closed_book}
    direction: greater
    test: weights
    least: 0.1
    spread: 0.5
  - id: C2
    claim: RAG's gain is larger for the little known
    published: 1 of 1
    why: as it is
    stage: main
    tasks: [films]
    measure: contains
    contrast:
      {kind: buckets, arm: rag, baseline: closed_book, column: bucket, first: low, second: high}
    direction: greater
    test: weights
    least: 0.1
  - id: C3
    claim: size matters
    published: mixed
    why: as it is
    cannot: one size only
"""

PAPER = """\
title: A paper
citation: Somebody 2024, arXiv:1
scales:
  smoke:
    minutes: 1
    note: tiny
    seeds: one
    stages:
      - name: main
        tables: [table1]
        overrides: [experiment=main_of_paper, "method=closed_book,rag_bm25"]
  small:
    minutes: 1
    note: tiny
    seeds: one
    stages:
      - name: main
        tables: [table1]
        questions: 40
        overrides: [experiment=main_of_paper, "method=closed_book,rag_bm25"]
tables:
  - id: table1
    title: Table 1
    published: {table: Table 1}
    ours: {stage: main, task: films, measure: contains}
    rows:
      - {label: films, published: {dataset: popqa}}
    columns:
      - {label: closed-book, published: {condition: closed_book}, ours: {arm: closed_book}}
      - {label: RAG, published: {condition: rag}, ours: {arm: rag}}
      - {label: LoRA, published: none, ours: {arm: lora}}
figures:
  - id: buckets
    title: Accuracy by bucket
    kind: buckets
    x: popularity
    column: bucket
    values: [low, high]
    ours: {stage: main, task: films, measure: contains}
    series: {closed-book: closed_book, RAG: rag}
"""

EXPERIMENT = """\
# @package _global_
defaults:
  - override /task: fictional
  - _self_

experiment: main

task:
  entities: 6
  distractor_entities: 3
  phrasings: 1
  validation_questions: 0
  test_questions: 6
retriever:
  top_k: 1
measure:
  latency_questions: 0
forgetting:
  probes: []
prompt:
  max_new_tokens: 4
cost:
  energy: none
"""


def write_paper(experiments: Path, paper: str = PAPER, claims: str = CLAIMS) -> Path:
    """A paper's folder with two arms on one task."""
    folder = experiments / "paper2024"
    conf = folder / "conf" / "experiment"
    conf.mkdir(parents=True, exist_ok=True)
    (folder / "paper.yaml").write_text(paper, encoding="utf-8")
    (folder / "claims.yaml").write_text(claims, encoding="utf-8")
    (folder / "published.csv").write_text(PUBLISHED, encoding="utf-8")
    (conf / "main_of_paper.yaml").write_text(EXPERIMENT, encoding="utf-8")
    return folder
