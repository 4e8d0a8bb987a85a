"""A folder of results whose figures can be counted on fingers, some answers of it hostile.

40 questions, two about each entity; buckets low (0 to 9), middle (10 to 24), high (25 to 39).
Right: closed_book 0, 10, 20, 30; rag the even ones; lora below 30 (seed 0), 29 (1), 31 (2).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.predictions import write_predictions
from harness.probe_items import ProbeLine, write_probe_items
from harness.record import append_row
from harness.row import interval_cells, new_row
from harness.stats import mean_interval
from harness.types import Answer, Passage, Prediction, Question, ScoredPassage

HOSTILE = {
    3: "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>",
    4: "</script><script>window.pwned = 1</script> \"double\" 'single' & &amp; ]]> <!--",
    5: "x" * 5000,
    6: "\u202eمرحبا بالعالم\u202e שלום",
    7: "nul \x00 bell \x07 escape \x1b",
    8: "half a pair \ud800 here",
    9: "= HYPERLINK('http://example.invalid')",
}
"""Question -> what rag answers to it."""

QUESTIONS = 40


def bucket(position: int) -> str:
    return "low" if position < 10 else "middle" if position < 25 else "high"


def write_results(
    folder: Path, failed: bool = True, hostile: bool = True, questions: int = QUESTIONS
) -> Path:
    """Rows, predictions and probe items of closed_book, rag and lora (three seeds)."""
    answers = HOSTILE if hostile else {}
    _run(folder, "closed_book", 0, questions, lambda i: i % 10 == 0)
    _run(folder, "rag", 0, questions, lambda i: i % 2 == 0, answers, retriever="dense", top_k=2)
    for seed, most in enumerate((30, 29, 31)):
        _run(
            folder, "lora", seed, questions, lambda i, most=most: i < most, adapter="lora", rank=16
        )
    if failed:
        row = new_row(
            run_id="lora-s9-broken",
            experiment="sample",
            arm="lora",
            task="towns",
            model="tiny",
            seed=9,
            status="failed",
            error="loss is <b>NaN</b> at step 3",
            adapter="lora",
            rank=16,
        )
        append_row(folder / "runs.csv", row)
    return folder


def question(position: int) -> Question:
    needle = " with a needle" if position == 17 else ""
    return Question(
        id=f"q{position}",
        question=f"Who is mayor of town {position}{needle}?",
        answers=(f"Mayor {position}", f"M. {position}"),
        bucket=bucket(position),
        cluster=f"c{position // 2}",
        relation="mayor",
        popularity=float(position),
        gold_documents=(f"town-{position}",),
    )


def _run(
    folder: Path,
    arm: str,
    seed: int,
    questions: int,
    right: Callable[[int], bool],
    said: dict[int, str] | None = None,
    **settings: object,
) -> None:
    run_id = f"{arm}-s{seed}-sample"
    retrieves = "retriever" in settings
    predictions, scores = [], []
    for position in range(questions):
        text = (said or {}).get(position, f"{'Mayor' if right(position) else 'Nobody'} {position}")
        passage = Passage(f"town-{position}#0", f"town-{position}", f"Town {position}.")
        predictions.append(
            Prediction(
                question=question(position),
                prompt=f"Town {position}, {arm}: who?",
                answer=Answer(text, tokens_in=10, tokens_out=3),
                retrieved=(ScoredPassage(passage, 0.75),) if retrieves else (),
                used_passage_ids=(passage.id,) if retrieves else (),
            )
        )
        scores.append({"contains": float(right(position))})
        if retrieves:
            scores[-1]["recall_at_k"] = 1.0
    write_predictions(folder / "predictions", run_id, predictions, scores)
    values = [score["contains"] for score in scores]
    clusters = [f"c{position // 2}" for position in range(questions)]
    trained = "adapter" in settings
    lost = [1.0 if trained and item < 5 else 0.0 for item in range(20)]
    probe = [
        ProbeLine("facts_options", f"p{item}", "", before=1.0, after=1.0 - lost[item])
        for item in range(20)
    ]
    write_probe_items(folder / "probes", run_id, probe)
    by_bucket = {
        name: {"contains": {"mean": _mean(name, values), "low": None, "high": None, "n": n}}
        for name, n in (("low", 10), ("middle", 15), ("high", 15))
    }
    row = new_row(
        run_id=run_id,
        experiment="sample",
        arm=arm,
        task="towns",
        model="tiny",
        seed=seed,
        status="ok",
        config_hash="c" * 64,
        split_sha256="5" * 64,
        corpus_sha256="d" * 64,
        model_identity="e" * 64,
        code_version="f" * 40,
        code_dirty=True,
        package_versions={"torch": "2.13.0"},
        device="abacus, 2 rods",
        n_test=questions,
        n_clusters=questions // 2,
        by_bucket=by_bucket,
        metric_versions={"contains": 1, "facts_options": 1},
        **interval_cells("contains", mean_interval(values, clusters)),
        **({"recall_at_k": 1.0, "retrieval_n": questions} if retrieves else {}),
        facts_options_before=1.0,
        facts_options_after=0.75 if trained else 1.0,
        **interval_cells("forgetting_facts_options", mean_interval(lost)),
        forgetting_facts_options_n=20,
        forgetting_by_construction=not trained,
        **({"train_seconds": 100.0 + seed, "train_energy_kwh": 0.001} if trained else {}),
        prefill_seconds=2.0,
        prefill_energy_kwh=0.0001,
        decode_seconds=2.0,
        decode_energy_kwh=0.0001,
        total_energy_kwh=0.0012 if trained else 0.0002,
        energy_source="estimate",
        energy_assumed_share=0.9,
        carbon_intensity_kg_per_kwh=0.475,
        carbon_intensity_source="world average",
        reused=["index"],
        **settings,
    )
    append_row(folder / "runs.csv", row)


def _mean(name: str, values: list[float]) -> float:
    found = [value for position, value in enumerate(values) if bucket(position) == name]
    return sum(found) / len(found)
