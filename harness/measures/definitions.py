"""Every measure the harness reports: name, version, direction, unit, definition, source.

This is the one table that scorers, the record, the docs and comparisons read. A measure whose
definition changes gets a new version, so that old rows are never compared with new ones unseen.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One measure: what it is called, which way is better, and where its definition is from."""

    name: str
    version: int
    higher_is_better: bool
    unit: str
    definition: str
    source: str

    @property
    def a_share(self) -> bool:
        """Whether a question's score lies between 0 and 1."""
        return self.unit.startswith(("share", "mean over"))


SQUAD = "SQuAD evaluation script, Rajpurkar et al. 2016, arXiv:1606.05250"
SQUAD_2 = "SQuAD 2.0 (the no-answer case), Rajpurkar et al. 2018, arXiv:1806.03822"
ROUGE = "ROUGE-L, Lin 2004, ACL W04-1013 (the F-measure with equal weights)"
SOUDANI = "Soudani, Kanoulas, Hasibi 2024, arXiv:2403.01432 (after PopQA, arXiv:2212.10511)"
SENTENCE_BERT = "cosine of sentence embeddings, Reimers & Gurevych 2019, arXiv:1908.10084"
LM_EVAL = "lm-evaluation-harness, `acc` and `acc_norm`"
TREC_EVAL = "trec_eval through ir_measures (pytrec_eval)"
HARNESS = "this project"


def _table(*measures: Measure) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures}


ACCURACY = _table(
    Measure(
        "exact_match",
        1,
        True,
        "share of open answerable questions",
        "The normalised answer equals a normalised gold answer or alias.",
        SQUAD,
    ),
    Measure(
        "f1",
        1,
        True,
        "mean over open answerable questions",
        "Harmonic mean of token precision and recall, the best over gold answer and aliases.",
        SQUAD,
    ),
    Measure(
        "rouge_l",
        1,
        True,
        "mean over open answerable questions",
        "F1 of the longest common subsequence of normalised tokens, the best over gold answer and "
        "aliases.",
        ROUGE,
    ),
    Measure(
        "contains",
        1,
        True,
        "share of open answerable questions",
        "The normalised tokens of a gold answer or alias stand in the answer as one unbroken run.",
        HARNESS,
    ),
    Measure(
        "contains_paper",
        1,
        True,
        "share of open answerable questions",
        "A gold answer or alias, as it is, lower-cased or capitalised, is a substring of the "
        "answer as it is.",
        SOUDANI,
    ),
    Measure(
        "embedding_similarity",
        1,
        True,
        "mean cosine over open answerable questions",
        "Cosine of the answer's sentence embedding with that of the gold answer or alias nearest "
        "to it; 0 for an empty answer. Near is not correct.",
        SENTENCE_BERT,
    ),
    Measure(
        "multiple_choice",
        1,
        True,
        "share of answerable multiple-choice questions",
        "The option with the highest log-likelihood is the gold one.",
        LM_EVAL,
    ),
    Measure(
        "multiple_choice_normalised",
        1,
        True,
        "share of answerable multiple-choice questions",
        "The option with the highest log-likelihood per character is the gold one.",
        LM_EVAL,
    ),
    Measure(
        "false_answer",
        2,
        False,
        "share of unanswerable questions",
        "The model answers although the question has no answer: it neither refuses nor stays "
        "silent.",
        SQUAD_2,
    ),
    Measure(
        "false_refusal",
        2,
        False,
        "share of open answerable questions",
        "The model refuses or stays silent although the question has an answer.",
        SQUAD_2,
    ),
)

ON_REQUEST = ("embedding_similarity",)
"""Accuracy measures that a run has only if it asks for them: they need a model of their own."""

RETRIEVAL = _table(
    Measure(
        "recall_at_k",
        1,
        True,
        "mean over questions with gold documents",
        "Share of a question's gold documents among the documents of its first k passages.",
        TREC_EVAL,
    ),
    Measure(
        "mrr",
        1,
        True,
        "mean over questions with gold documents",
        "1 / rank of the first gold document among the documents of the first k passages, "
        "0 if there is none.",
        TREC_EVAL,
    ),
    Measure(
        "ndcg",
        1,
        True,
        "mean over questions with gold documents",
        "nDCG@k with binary gain and log2 discount, over the documents of the first k passages.",
        TREC_EVAL + "; Järvelin & Kekäläinen 2002",
    ),
    Measure(
        "answer_in_context",
        1,
        True,
        "share of answerable questions",
        "A gold answer or alias is contained (as in `contains`) in a passage that was put into "
        "the prompt.",
        HARNESS,
    ),
)

# Probe -> (higher is better for the probe itself, unit, definition).
_PROBES: dict[str, tuple[bool, str, str]] = {
    "facts_generated": (
        True,
        "share of probe questions",
        "Facts of relations that are not trained, answered by generation.",
    ),
    "facts_options": (
        True,
        "share of probe questions",
        "The same facts, answered by the likelihood of options.",
    ),
    "glosses_options": (
        True,
        "share of probe questions",
        "WordNet gloss to word, answered by the likelihood of options.",
    ),
    "text_loss_nats": (
        False,
        "nats per token",
        "Mean cross-entropy per token of held-out text, logits shifted by one.",
    ),
    "context_use": (
        True,
        "share of probe questions",
        "Questions answered with the gold passage in the prompt.",
    ),
}

PROBES = _table(
    *(
        Measure(
            name, 1, higher, unit, definition, "PEFT method_comparison" if not higher else HARNESS
        )
        for name, (higher, unit, definition) in _PROBES.items()
    )
)

FORGETTING = _table(
    *(
        Measure(
            f"forgetting_{name}",
            1,
            False,
            probe.unit,
            f"Harm to {name}: {'before − after' if probe.higher_is_better else 'after − before'}; "
            "positive is worse.",
            probe.source,
        )
        for name, probe in PROBES.items()
    )
)

# Name -> (unit, definition). What each is computed from: harness.measures.costs.
_COSTS: dict[str, tuple[str, str]] = {
    "setup_seconds": ("s", "Wall time before the first answer: prepare, index and train."),
    "answer_seconds": (
        "s per question",
        "Wall time of retrieve, prefill and decode, divided by the test questions.",
    ),
    "latency_p50_seconds": ("s", "Median time to answer one question by itself."),
    "latency_p95_seconds": ("s", "95th percentile of the same."),
    "setup_energy_kwh": ("kWh", "Energy of prepare, index and train."),
    "answer_energy_kwh": (
        "kWh per question",
        "Energy of retrieve, prefill and decode, divided by the test questions.",
    ),
    "total_energy_kwh": ("kWh", "Energy of every phase that makes and serves the arm."),
    "emissions_kg": ("kg CO2e", "total_energy_kwh × PUE × carbon intensity."),
    "peak_memory_gib": ("GiB", "Highest resident memory of the process."),
    "peak_gpu_memory_gib": ("GiB", "Highest memory allocated on the GPU."),
    "prompt_tokens": ("tokens per question", "Prompt tokens of a test question, passages too."),
    "answer_tokens": ("tokens per question", "Generated tokens of a test question."),
}

COSTS = _table(
    *(Measure(name, 1, False, unit, text, HARNESS) for name, (unit, text) in _COSTS.items())
)
"""Figures of a whole run: compared between runs, never between questions."""

MEASURES: dict[str, Measure] = {**ACCURACY, **RETRIEVAL, **PROBES, **FORGETTING}


def metric_versions() -> dict[str, int]:
    """Name -> version of every measure, as stored in each row."""
    return {name: measure.version for name, measure in MEASURES.items()}
