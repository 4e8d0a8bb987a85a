"""A whole cell whose model is behind an endpoint: the row, the price, failing and going on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openai_server import MODEL, FakeOpenAI, Fault, asked, serving

from harness.config import Config
from harness.measures.config import ForgettingConfig, MeasureConfig
from harness.measures.costs import costs
from harness.metering.config import CostConfig
from harness.models import pacing
from harness.models.endpoint_config import EndpointConfig
from harness.predictions import read_predictions
from harness.prompts import PromptConfig
from harness.record import read_rows
from harness.retrieval import RetrieverConfig
from harness.run import run
from harness.tasks.config import FictionalConfig

BM25 = RetrieverConfig(kind="bm25", chunk_tokens=40, chunk_overlap=4, top_k_candidates=[1, 2])


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with serving(FakeOpenAI()) as fake:
        yield fake


@pytest.fixture
def config(
    server: FakeOpenAI, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Config:
    """A closed-book arm on six fictional questions."""
    monkeypatch.setattr(pacing, "FIRST_WAIT_SECONDS", 0.01)
    return Config(
        experiment="test",
        arm="closed_book",
        results=str(tmp_path / "results"),
        task=FictionalConfig(
            entities=6,
            distractor_entities=3,
            phrasings=1,
            test_questions=6,
            validation_questions=3,
        ),
        model=EndpointConfig(
            base_url=server.base_url,
            id=MODEL,
            retries=1,
            timeout_seconds=5,
            price_per_million_in=2.0,
            price_per_million_cached_in=1.0,
            price_per_million_out=10.0,
        ),
        prompt=PromptConfig(max_new_tokens=4),
        measure=MeasureConfig(latency_questions=2, latency_warmup=1),
        forgetting=ForgettingConfig(probes=[], items=4),
        cost=CostConfig(energy="none", country="FRA"),
    )


def predictions(config: Config, row: dict[str, Any]) -> list[dict[str, Any]]:
    return read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")


def test_the_row_says_what_is_known_of_a_remote_model(config: Config, server: FakeOpenAI):
    row = run(config)
    host = server.base_url.removeprefix("http://").removesuffix("/v1")
    assert (row["status"], row["model"], row["n_test"]) == ("ok", MODEL, 6)
    assert row["model_identity"] == (
        f"endpoint {host}/v1; chat {MODEL}; reports {MODEL}-2026, fingerprint fp_1"
    )
    assert row["device"].startswith(f"remote: {host}; the rest on ")
    for unknown in ("dtype", "attention", "device_exclusive", "total_energy_kwh", "emissions_kg"):
        assert row[unknown] is None, unknown
    assert row["energy_source"] == "none"
    assert "its weights could not be verified" in row["notes"]
    assert row["decode_seconds"] > 0
    assert row["latency_n"] == 2
    # One greeting, six questions, and two of them again behind one that warms up.
    assert len(server.bodies) == 1 + 6 + 1 + 2
    lines = predictions(config, row)
    assert all(line["prompt"].startswith("[system]\nAnswer the question.") for line in lines)
    assert [line["output"] for line in lines] == [
        f"answer to {line['prompt'][-11:]}" for line in lines
    ]
    assert row["prefill_tokens"] == sum(line["tokens_in"] for line in lines)


def test_the_price_is_that_of_the_tokens_that_answered(config: Config):
    row = run(config)
    # Of every prompt four tokens came from the provider's cache.
    cached = 4 * 6
    paid = (row["prefill_tokens"] - cached) * 2.0 + cached * 1.0 + row["decode_tokens"] * 10.0
    assert row["api_cost_usd"] == pytest.approx(paid / 1e6)
    again = run(replace(config, seed=1))
    assert again["reused"] == ["answers"]
    assert again["api_cost_usd"] == row["api_cost_usd"]  # full cost, like every other
    unpriced = replace(config, model=replace(config.model, price_per_million_out=None))
    assert run(unpriced)["api_cost_usd"] is None


def test_energy_here_is_kept_where_the_work_was_done_here(config: Config):
    here = CostConfig(cpu_watts=10, memory_watts=1, country="FRA")
    row = run(replace(config, arm="rag_bm25", retriever=BM25, cost=here))
    assert row["index_energy_kwh"] > 0
    assert row["retrieve_energy_kwh"] > 0
    for phase in ("tune", "prefill", "decode", "latency_sample"):
        assert row[f"{phase}_seconds"] > 0, phase
        assert row[f"{phase}_energy_kwh"] is None, phase
    assert row["total_energy_kwh"] is None
    assert row["spent_energy_kwh"] is None
    assert row["energy_source"] == "none"
    figures = costs(row)
    assert figures["setup_energy_kwh"] == row["index_energy_kwh"]
    assert figures["answer_energy_kwh"] is None  # not that of retrieving alone
    assert figures["answer_seconds"] > 0  # type: ignore[operator]


def test_retrieval_puts_passages_into_the_messages(config: Config, server: FakeOpenAI):
    row = run(replace(config, arm="rag_bm25", retriever=BM25))
    assert row["top_k_chosen_by"].startswith("best on validation")
    assert row["recall_at_k"] > 0.5
    assert "characters / 4" in row["notes"]
    lines = predictions(config, row)
    assert all("Context: " in line["prompt"] for line in lines)
    sent = {asked(body) for body in server.bodies}
    for line in lines:
        system, user = line["prompt"].removeprefix("[system]\n").split("\n\n[user]\n")
        assert f"{system}\n{user}" in sent


def test_probes_that_need_likelihoods_are_left_empty(config: Config):
    row = run(replace(config, forgetting=replace(config.forgetting, probes=["facts", "glosses"])))
    assert row["forgetting_by_construction"] is True
    assert row["forgetting_facts_generated"] == 0.0
    assert row["facts_generated_before"] is not None
    assert row["facts_options_before"] is None
    assert row["forgetting_glosses_options"] is None


def choices(config: Config) -> Config:
    task = replace(config.task, choices=2)  # type: ignore[type-var]
    return replace(config, task=task)


def test_options_are_read_by_letter_and_the_measure_says_so(config: Config, server: FakeOpenAI):
    server.reply = lambda body: "B."
    row = run(choices(config))
    assert row["metric_versions"]["multiple_choice"] == 101
    assert row["metric_versions"]["exact_match"] == 1
    assert "multiple choice by the letter that the model says" in row["notes"]
    lines = predictions(config, row)
    for line in lines:
        assert f"\nB. {line['choices'][1]}\n" in line["prompt"]
        assert line["output"] == line["choices"][1]
        assert line["option_scores"] == []
    right = [line["choices"][1] in line["gold"] for line in lines]
    assert row["multiple_choice"] == pytest.approx(sum(right) / 6)
    assert row["multiple_choice_normalised"] is None


def test_an_answer_without_a_letter_is_wrong_and_counted(config: Config, server: FakeOpenAI):
    server.reply = lambda body: "who knows"
    row = run(choices(config))
    assert row["multiple_choice"] == 0.0
    assert "6 of 6 answers named no option" in row["notes"]


def test_options_are_scored_where_the_endpoint_gives_likelihoods(
    config: Config, server: FakeOpenAI
):
    server.echoes = True
    config = choices(replace(config, model=replace(config.model, api="completions")))
    row = run(replace(config, forgetting=replace(config.forgetting, probes=["glosses", "text"])))
    assert row["model_identity"].endswith("gives likelihoods")
    assert row["metric_versions"]["multiple_choice"] == 1
    assert "letter" not in row["notes"]
    assert row["multiple_choice_normalised"] is not None
    assert row["glosses_options_before"] is not None
    assert row["text_loss_nats_before"] > 0
    assert all(len(line["option_scores"]) == 2 for line in predictions(config, row))


def test_a_failed_run_goes_on_from_the_answers_it_had(config: Config, server: FakeOpenAI):
    config = replace(config, model=replace(config.model, concurrency=1))
    done = run(replace(config, results=f"{config.results}-whole", measure=_fresh(config)))
    questions = [line["question"] for line in predictions(_in(config, "-whole"), done)]
    server.bodies.clear()

    def fault_for(body: dict[str, Any]) -> Fault | None:
        return Fault(500) if questions[4] in asked(body) else None

    server.fault_for = fault_for
    fresh_cache(config)
    failed = run(config)
    assert failed["status"] == "failed"
    assert "answered 500 (scripted 500) (tried 2 times); answers received so far" in failed["error"]
    assert failed["contains"] is None
    assert len(server.bodies) == 1 + 4 + 2
    server.fault_for = lambda body: None
    server.bodies.clear()
    row = run(config)
    assert row["status"] == "ok"
    assert len(server.bodies) == 1 + 2 + 3  # greeting, the two missing, three for latency
    assert "4 of 6 answers were received by an earlier attempt" in row["notes"]
    assert row["api_cost_usd"] == done["api_cost_usd"]
    outputs = [line["output"] for line in predictions(config, row)]
    assert outputs == [line["output"] for line in predictions(_in(config, "-whole"), done)]
    assert [r["status"] for r in read_rows(config.folder() / "runs.csv")].count("ok") == 1
    assert not list(Path(config.results).parent.rglob("received.jsonl"))


def _fresh(config: Config) -> MeasureConfig:
    return replace(config.measure, reuse=False)


def _in(config: Config, ending: str) -> Config:
    return replace(config, results=config.results + ending)


def fresh_cache(config: Config) -> None:
    """Forget the answers, so that they are asked again."""
    import shutil

    shutil.rmtree(Path(config.results).parent / "cache" / "store" / "answers")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": "no-such-model"}, "knows no model 'no-such-model'"),
        ({"base_url": "http://127.0.0.1:9/v1"}, "cannot be reached"),
        ({"api_key_env": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE"),
    ],
)
def test_what_is_wrong_with_the_endpoint_is_known_first_and_a_failed_row(
    config: Config, server: FakeOpenAI, change: dict[str, Any], says: str
):
    row = run(replace(config, model=replace(config.model, **change)))
    assert row["status"] == "failed"
    assert says in row["error"]
    assert len(server.bodies) <= 1


def test_the_key_stands_nowhere_in_results_or_cache(
    config: Config, server: FakeOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    key = "sk-proj-0123456789"
    monkeypatch.setenv("MY_KEY", key)
    config = replace(config, model=replace(config.model, api_key_env="MY_KEY"))
    assert run(config)["status"] == "ok"
    refuse = Fault(400, {"error": {"message": f"bad key {key}"}})
    server.fault_for = lambda body: refuse
    assert run(replace(config, prompt=PromptConfig(max_new_tokens=5)))["status"] == "failed"
    assert server.headers[-1]["authorization"] == f"Bearer {key}"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        assert key.encode() not in path.read_bytes(), path


def test_tokens_that_nobody_counts_are_empty_cells(config: Config, server: FakeOpenAI):
    server.counts_tokens = False
    row = run(config)
    assert row["status"] == "ok"
    assert (row["prefill_tokens"], row["decode_tokens"], row["api_cost_usd"]) == (None, None, None)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_predictions_are_the_same_whatever_the_concurrency(
    config: Config, server: FakeOpenAI, concurrency: int
):
    server.delay = lambda body: len(asked(body)) % 7 / 100
    config = replace(config, model=replace(config.model, concurrency=concurrency))
    row = run(config)
    got = [(line["question_id"], line["output"]) for line in predictions(config, row)]
    assert got == [
        (line["question_id"], f"answer to {line['prompt'][-11:]}")
        for line in predictions(config, row)
    ]
    assert server.most_at_once <= concurrency
