"""The endpoint backend against a real inference server: ``transformers serve`` on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import load_tiny

from harness.config import Config
from harness.measures.config import ForgettingConfig, MeasureConfig
from harness.metering.config import CostConfig
from harness.models.endpoint_config import EndpointConfig
from harness.predictions import read_predictions
from harness.prompts import Messages, PromptConfig
from harness.retrieval import RetrieverConfig
from harness.run import run
from harness.tasks.config import FictionalConfig

STARTS_WITHIN_SECONDS = 180


@pytest.fixture(scope="module")
def base_url(tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the tiny model is served by a process of its own."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log"
    command = [Path(sys.executable).with_name("transformers"), "serve", tiny_model_folder]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("w") as out:
        process = subprocess.Popen([*command, *options], stdout=out, stderr=out, env=quiet)
    try:
        ends = time.monotonic() + STARTS_WITHIN_SECONDS
        while not healthy(port):
            if process.poll() is not None or time.monotonic() > ends:
                pytest.fail(f"transformers serve did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def config(base_url: str, tiny_model_folder: Path, tmp_path: Path, own_cache: Path) -> Config:
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
            base_url=base_url,
            id=str(tiny_model_folder),
            tokenizer=str(tiny_model_folder),
            timeout_seconds=60,
        ),
        prompt=PromptConfig(max_new_tokens=4),
        measure=MeasureConfig(latency_questions=2, latency_warmup=0),
        forgetting=ForgettingConfig(probes=["facts"], items=3),
        cost=CostConfig(energy="none", country="FRA"),
    )


@pytest.mark.parametrize(
    "retriever", [None, RetrieverConfig(kind="bm25", top_k=1, chunk_tokens=40, chunk_overlap=4)]
)
def test_an_arm_answers_as_it_does_with_the_weights_here(
    config: Config, retriever: RetrieverConfig | None, tiny_model_folder: Path
):
    arm = "closed_book" if retriever is None else "rag"
    config = replace(config, arm=arm, retriever=retriever)
    row = run(config)
    assert (row["status"], row["error"]) == ("ok", None)
    assert f"reports {tiny_model_folder}@main, fingerprint none" in row["model_identity"]
    assert row["forgetting_facts_generated"] == 0.0
    assert row["facts_options_before"] is None
    lines = read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")
    assert len(lines) == 6
    if retriever is not None:
        assert row["recall_at_k"] > 0.5
        assert row["passage_tokens"] > 0
    # The same prompts through the same weights in this process, one at a time as the server does.
    here = load_tiny(tiny_model_folder, batch_size=1)
    prompts = []
    for line in lines:
        system, user = line["prompt"].removeprefix("[system]\n").split("\n\n[user]\n")
        prompts.append(here.render(Messages(system, user)))
    answers = here.generate(prompts, 4)
    assert [line["output"] for line in lines] == [answer.text for answer in answers]
    assert [line["tokens_in"] for line in lines] == [answer.tokens_in for answer in answers]


def test_a_server_that_leaves_out_echo_reads_letters(config: Config):
    model = replace(config.model, api="completions")
    task = replace(config.task, choices=2)  # type: ignore[type-var]
    row = run(replace(config, model=model, task=task, forgetting=ForgettingConfig(probes=[])))
    assert row["status"] == "ok"
    assert row["metric_versions"]["multiple_choice"] == 101
    assert "answers named no option" in row["notes"]  # random weights say no letter


def test_a_model_that_the_server_does_not_have_is_one_line(config: Config):
    row = run(replace(config, model=replace(config.model, id="other")))
    assert row["status"] == "failed"
    assert "Server is pinned to" in row["error"]
    assert "requested 'other'" in row["error"]
