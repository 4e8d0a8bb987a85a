"""One cell from config to row: every arm, every failure, what is reused and what it cost."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness import run as run_module
from harness.adapters.config import AdapterConfig, KlConfig, RaftConfig, ReplayConfig
from harness.config import Config
from harness.errors import HarnessError, RecordError, TrainingError
from harness.measures.config import (
    ForgettingConfig,
    MeasureConfig,
    SimilarityEncoderConfig,
)
from harness.metering.config import CostConfig
from harness.models.config import ModelConfig
from harness.predictions import read_predictions
from harness.probe_items import read_probe_items
from harness.prompts import PromptConfig
from harness.record import read_rows
from harness.retrieval import RetrieverConfig
from harness.run import run
from harness.tasks.config import CustomConfig, FictionalConfig

LORA = AdapterConfig(rank=2, alpha=4, epochs=1, batch_size=8, learning_rate=1e-2)
BM25 = RetrieverConfig(kind="bm25", top_k=1, chunk_tokens=40, chunk_overlap=4)


UNLIKE = (
    *("run_id", "config_hash", "created_at", "reused", "cold_start", "spent_seconds"),
    *("spent_energy_kwh", "meter_overhead_share", "device_exclusive"),
)
"""What two rows of the same answers may differ in."""


@pytest.fixture(autouse=True)
def cache(own_cache: Path) -> Path:
    return own_cache


@pytest.fixture
def config(tiny_model_folder: Path, tmp_path: Path) -> Config:
    """A closed-book arm on six fictional questions, without energy (it takes seconds to open)."""
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
        model=ModelConfig(
            name="tiny",
            source="local",
            id=str(tiny_model_folder),
            dtype="float32",
            attention="eager",
            train_dtype="float32",
            train_attention="eager",
        ),
        prompt=PromptConfig(max_new_tokens=4),
        measure=MeasureConfig(latency_questions=2, latency_warmup=1),
        forgetting=ForgettingConfig(probes=["glosses", "context"], items=6),
        cost=CostConfig(energy="none", country="FRA"),
    )


def table(config: Config) -> list[dict]:
    return read_rows(config.folder() / "runs.csv")


def test_a_frozen_arm_gives_a_row_and_a_prediction_a_question(config: Config):
    row = run(config)
    assert table(config) == [row]
    assert (row["status"], row["arm"], row["n_test"]) == ("ok", "closed_book", 6)
    lines = read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")
    assert len(lines) == 6
    assert row["contains"] == sum(line["metrics"]["contains"] for line in lines) / 6
    assert row["prefill_tokens"] == sum(line["tokens_in"] for line in lines)
    assert row["decode_tokens"] == sum(line["tokens_out"] for line in lines)
    assert sum(line["latency_seconds"] is not None for line in lines) == row["latency_n"] == 2
    assert row["latency_p95_seconds"] is None  # two requests have no 95th percentile


def test_similarity_is_measured_on_request_and_charged_to_no_arm(
    config: Config, tiny_encoder: Path
):
    plain = run(config)
    assert plain["embedding_similarity"] is None
    assert plain["similarity_encoder"] is None
    assert plain["answer_part"] is None  # the whole, as rows of before say it
    encoder = SimilarityEncoderConfig(source="local", id=str(tiny_encoder), name="tiny")
    measure = replace(config.measure, embedding_similarity=True, similarity_encoder=encoder)
    asked = run(replace(config, measure=measure))
    assert (asked["status"], asked["similarity_encoder"]) == ("ok", "tiny")
    assert asked["reused"] == ["answers", "probes"]  # so a finished run can be measured by it
    assert asked["spent_seconds"] == 0  # the encoder's time is in no phase
    lines = read_predictions(config.folder() / "predictions" / f"{asked['run_id']}.jsonl")
    own = [line["metrics"]["embedding_similarity"] for line in lines]
    assert all(-1 <= value <= 1 for value in own)
    assert asked["embedding_similarity"] == pytest.approx(sum(own) / 6)
    assert asked["embedding_similarity_low"] < asked["embedding_similarity_high"]
    assert asked["metric_versions"]["embedding_similarity"].startswith("1 by tiny ")
    assert asked["run_id"] != plain["run_id"]
    assert {name for name in plain if plain[name] != asked[name] and name not in UNLIKE} == {
        *("embedding_similarity", "embedding_similarity_low", "embedding_similarity_high"),
        *("similarity_encoder", "metric_versions"),
    }


def test_a_missing_encoder_is_known_before_any_long_work(config: Config, cache: Path):
    encoder = SimilarityEncoderConfig(source="local", id="/nowhere")
    measure = replace(config.measure, embedding_similarity=True, similarity_encoder=encoder)
    row = run(replace(config, measure=measure))
    assert "measure.similarity_encoder.id" in row["error"]
    assert not list(cache.rglob("answers"))


def test_null_is_not_zero(config: Config):
    row = run(config)
    for name in ("train_seconds", "index_seconds", "retrieve_seconds", "prefill_gpu_seconds"):
        assert row[name] is None, name
    for name in ("recall_at_k", "top_k", "adapter", "total_energy_kwh", "peak_gpu_memory_gib"):
        assert row[name] is None, name
    assert row["energy_source"] == "none"
    assert row["prefill_seconds"] > 0
    assert row["passage_tokens"] == 0


def test_frozen_weights_forget_nothing_by_construction(config: Config):
    row = run(config)
    assert row["forgetting_by_construction"] is True
    for probe in ("glosses_options", "context_use"):
        assert row[f"{probe}_before"] == row[f"{probe}_after"]
        assert row[f"forgetting_{probe}"] == row[f"forgetting_{probe}_high"] == 0.0
    assert row["forgetting_text_loss_nats"] is None  # a probe that was not asked


def test_an_adapter_is_probed_before_and_after(config: Config):
    row = run(replace(config, arm="lora", adapter=LORA))
    assert row["forgetting_by_construction"] is False
    difference = row["glosses_options_before"] - row["glosses_options_after"]
    assert row["forgetting_glosses_options"] == pytest.approx(difference)
    assert row["forgetting_glosses_options_low"] < row["forgetting_glosses_options_high"]
    items = read_probe_items(config.folder() / "probes" / f"{row['run_id']}.jsonl")
    glosses = [item for item in items if item.measure == "glosses_options"]
    assert len(glosses) == 6
    assert sum(item.after for item in glosses) / 6 == pytest.approx(row["glosses_options_after"])
    assert row["adapter_merged"] is True
    assert row["train_processes"] == 1
    assert row["training_pairs"] == row["trained_steps"] * 8 - (-row["training_pairs"] % 8)
    assert row["train_tokens_per_second"] == pytest.approx(
        row["trained_tokens"] / row["train_seconds"]
    )


def test_the_same_config_gives_the_same_predictions(config: Config):
    config = replace(config, arm="lora", adapter=LORA, measure=replace(config.measure, reuse=False))
    outputs = []
    for _ in range(2):
        row = run(config)
        lines = read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")
        outputs.append([(line["question_id"], line["output"]) for line in lines])
        assert row["reused"] == []
    assert outputs[0] == outputs[1]


def test_a_second_seed_of_a_frozen_arm_is_reused_and_keeps_its_cost(config: Config):
    first = run(config)
    second = run(replace(config, seed=1))
    assert first["reused"] == []
    assert second["reused"] == ["answers", "probes"]
    assert second["prefill_seconds"] == first["prefill_seconds"]
    assert first["spent_seconds"] > 0
    assert second["spent_seconds"] == 0
    assert second["contains"] == first["contains"]


def test_a_second_seed_of_an_adapter_is_trained_anew(config: Config):
    config = replace(config, arm="lora", adapter=LORA)
    run(config)
    second = run(replace(config, seed=1))
    assert "adapter" not in second["reused"]
    assert "answers" not in second["reused"]


def test_rag_lora_uses_the_adapter_that_lora_trained(config: Config):
    lora = run(replace(config, arm="lora", adapter=LORA))
    both = run(replace(config, arm="rag_lora", adapter=LORA, retriever=BM25))
    assert both["reused"] == ["adapter", "probes", "probes"]
    assert both["train_seconds"] == lora["train_seconds"]
    assert both["passage_tokens"] > 0
    assert both["retriever"] == "bm25"


def test_an_adapter_trained_with_passages_is_another(config: Config):
    both = replace(config, arm="rag_lora", adapter=LORA, retriever=BM25)
    plain = run(both)
    for passages in ("retrieved", "gold"):
        row = run(replace(both, adapter=replace(LORA, train_passages=passages)))
        assert "adapter" not in row["reused"]
        assert row["trained_tokens"] > plain["trained_tokens"]


def test_unmerged_is_the_same_training_and_another_answer(config: Config):
    config = replace(config, arm="lora", adapter=LORA)
    run(config)
    row = run(replace(config, adapter=replace(LORA, merge=False)))
    assert row["adapter_merged"] is False
    assert "adapter" in row["reused"]
    assert "answers" not in row["reused"]


def test_replay_adds_its_share_of_examples(config: Config):
    plain = run(replace(config, arm="lora", adapter=LORA))
    replay = ReplayConfig(share=0.5, prompts=8, max_new_tokens=3)
    row = run(replace(config, arm="lora_replay", adapter=replace(LORA, replay=replay)))
    assert row["training_pairs"] == 2 * plain["training_pairs"]
    assert row["prepare_seconds"] > 0
    assert row["replay_share"] == 0.5


def test_top_k_is_chosen_on_validation_and_says_so(config: Config):
    retriever = replace(BM25, top_k=None, top_k_candidates=[1, 2])
    row = run(replace(config, arm="rag", retriever=retriever))
    assert row["top_k"] in (1, 2)
    assert row["top_k_chosen_by"].startswith("best on validation (1: 0.")
    assert row["tune_seconds"] > 0


def test_without_validation_top_k_is_the_stated_default(config: Config):
    retriever = replace(BM25, top_k=None, top_k_default=2)
    task = replace(config.task, validation_questions=0)
    row = run(replace(config, arm="rag", retriever=retriever, task=task))
    assert row["top_k"] == 2
    assert row["top_k_chosen_by"] == "default 2: no validation questions"
    assert row["tune_seconds"] is None


def test_the_oracle_puts_the_answer_into_the_context(config: Config):
    oracle = replace(BM25, kind="oracle")
    row = run(replace(config, arm="rag_oracle", retriever=oracle))
    assert row["recall_at_k"] == 1.0
    assert row["answer_in_context"] == 1.0


def test_multiple_choice_is_scored_by_likelihood(config: Config):
    task = replace(config.task, choices=4, entities=18)
    row = run(replace(config, task=task))
    assert row["multiple_choice"] is not None
    assert row["contains"] is None
    assert row["decode_tokens"] == 0
    (line, *_) = read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")
    best = max(range(4), key=lambda n: line["option_scores"][n])
    assert line["output"] == line["choices"][best]


def test_raw_text_trains_on_the_documents_that_are_no_distractors(config: Config):
    task = replace(config.task, training="text")
    row = run(replace(config, arm="lora", adapter=LORA, task=task))
    assert row["training_data"] == "text"
    assert row["training_pairs"] >= 3


def test_own_data_without_a_split_trains_on_raw_text_and_says_so(config: Config, tmp_path: Path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "one.md").write_text("The mayor of Oslo is Ann.\n")
    (docs / "two.md").write_text("The river of Lima is Tor.\n")
    questions = tmp_path / "q.csv"
    questions.write_text("question,answer\nWho is the mayor of Oslo?,Ann\n")
    task = CustomConfig(corpus=str(docs), questions=str(questions))
    row = run(replace(config, arm="rag_lora", task=task, adapter=LORA, retriever=BM25))
    assert row["status"] == "ok", row["error"]
    assert row["training_data"] == "text"
    assert "split" in row["notes"]


def test_early_stopping_without_validation_is_noted(config: Config):
    task = replace(config.task, validation_questions=0)
    lora = replace(LORA, early_stopping_patience=1)
    row = run(replace(config, arm="lora", adapter=lora, task=task))
    assert row["status"] == "ok"
    assert "no validation questions: all epochs were trained" in row["notes"]


def test_raw_text_has_no_prompt_for_passages_to_stand_in(config: Config):
    task = replace(config.task, training="text")
    lora = replace(LORA, train_passages="gold")
    row = run(replace(config, arm="rag_lora", adapter=lora, task=task, retriever=BM25))
    assert row["status"] == "failed"
    assert "needs training questions" in row["error"]


def test_only_the_first_run_of_a_process_can_be_cold(config: Config):
    run(config)
    row = run(replace(config, measure=replace(config.measure, reuse=False)))
    assert row["reused"] == []
    assert row["cold_start"] is False


def test_probes_are_fetched_before_any_long_work(config: Config, monkeypatch):
    from harness.errors import SourceError

    def offline(*args: object) -> None:
        raise SourceError("cannot fetch evals, which is not cached")

    monkeypatch.setattr(run_module, "load_probes", offline)
    monkeypatch.setattr(run_module, "Method", lambda *a: pytest.fail("work was begun"))
    assert run(config)["status"] == "failed"


def test_a_failed_run_is_a_row_without_measures(config: Config):
    row = run(replace(config, arm="rag", retriever=replace(BM25, top_k=999)))
    assert row["status"] == "failed"
    assert "retriever.top_k=999 exceeds the corpus of" in row["error"]
    assert row["contains"] is None
    assert row["prefill_seconds"] is None
    assert table(config) == [row]


def test_what_was_done_before_a_failure_is_kept(config: Config):
    good = run(config)
    run(replace(config, arm="rag", retriever=replace(BM25, top_k=999)))
    assert [row["status"] for row in table(config)] == ["ok", "failed"]
    assert (config.folder() / "predictions" / f"{good['run_id']}.jsonl").exists()


def test_a_missing_corpus_fails_before_a_model_is_touched(config: Config, monkeypatch):
    monkeypatch.setattr(run_module, "locate", lambda *a: pytest.fail("the model was located"))
    task = CustomConfig(corpus="nowhere/", questions="nowhere.csv")
    row = run(replace(config, task=task))
    assert row["status"] == "failed"
    assert "nowhere" in row["error"]


def test_an_unexpected_error_is_recorded_and_raised(config: Config, monkeypatch):
    def broken(*args: object) -> None:
        raise ZeroDivisionError("division by zero\nsecond line")

    monkeypatch.setattr(run_module, "measure", broken)
    with pytest.raises(ZeroDivisionError):
        run(config)
    (row,) = table(config)
    assert row["error"] == "ZeroDivisionError: division by zero"


def test_a_training_error_leaves_no_adapter_behind(config: Config, cache: Path, monkeypatch):
    from harness.adapters import train

    def diverges(*args: object, **kwargs: object) -> None:
        raise TrainingError("the training loss became nan at step 3; lower it")

    monkeypatch.setattr(train, "train", diverges)
    row = run(replace(config, arm="lora", adapter=LORA))
    assert row["error"] == "the training loss became nan at step 3; lower it"
    assert [p for p in (cache / "store" / "adapter").iterdir() if p.is_dir()] == []


def test_a_results_folder_that_is_a_file_stops_before_any_work(config: Config, tmp_path: Path):
    (tmp_path / "results").write_text("")
    with pytest.raises(RecordError):
        run(config)


def test_predictions_that_cannot_be_written_fail_the_run(config: Config, monkeypatch):
    def full(*args: object) -> None:
        raise RecordError("no space left; free some")

    monkeypatch.setattr(run_module, "write_predictions", full)
    assert run(config)["status"] == "failed"


def test_a_context_longer_than_the_model_allows_is_refused(config: Config):
    model = replace(config.model, context_tokens=16)
    row = run(replace(config, model=model))
    assert row["status"] == "failed"
    assert "exceed the 16 tokens of tiny" in row["error"]


def test_a_device_that_is_not_there_fails_in_one_line(config: Config, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    row = run(replace(config, model=replace(config.model, device="cuda")))
    assert row["status"] == "failed"
    assert "finds no CUDA device; use 'auto' or 'cpu'" in row["error"]


def test_the_resolved_config_is_kept_beside_the_rows(config: Config):
    row = run(config)
    (path,) = (config.folder() / "configs").iterdir()
    assert path.name == f"{row['config_hash']}.yaml"
    text = path.read_text()
    assert "device: cpu" in text
    assert "auto" not in text


def test_energy_is_recorded_with_its_source_and_assumptions(config: Config):
    row = run(replace(config, cost=CostConfig(cpu_watts=50, memory_watts=5, country="FRA")))
    assert row["energy_source"] == "estimate"
    assert row["total_energy_kwh"] > 0
    assert row["energy_assumed_share"] == 0.0
    assert row["cost_assumptions"]["cpu"]["value"] == 50
    assert row["emissions_kg"] == pytest.approx(
        row["total_energy_kwh"] * row["carbon_intensity_kg_per_kwh"]
    )


def test_probing_and_the_latency_sample_are_no_cost_of_the_arm(config: Config):
    cost = CostConfig(cpu_watts=50, memory_watts=5, country="FRA")
    row = run(replace(config, cost=cost))
    phases = ("load", "prefill", "decode")
    want = sum(row[f"{phase}_energy_kwh"] for phase in phases)
    assert row["total_energy_kwh"] == pytest.approx(want)
    assert row["spent_energy_kwh"] > row["total_energy_kwh"]


def test_the_row_names_code_data_and_packages(config: Config):
    row = run(config)
    assert len(row["split_sha256"]) == len(row["corpus_sha256"]) == 64
    assert row["package_versions"]["torch"]
    assert row["code_version"]
    assert json.dumps(row["metric_versions"])


def test_only_errors_with_a_remedy_become_quiet_failures():
    assert issubclass(TrainingError, HarnessError)
    assert not issubclass(ZeroDivisionError, HarnessError)


def test_a_cell_that_is_there_is_not_run_again(config: Config, monkeypatch: pytest.MonkeyPatch):
    first = run(config)
    monkeypatch.setattr(run_module, "measure", None)  # whatever calls it fails
    again = run(config, rerun="missing")
    assert again["run_id"] == first["run_id"]
    assert again["created_at"] == first["created_at"]
    assert len(read_rows(config.folder() / "runs.csv")) == 1


def test_a_cell_run_anew_replaces_its_row_and_files(config: Config):
    first = run(config)
    second = run(config, rerun="all")
    assert second["run_id"] == first["run_id"]
    (row,) = read_rows(config.folder() / "runs.csv")
    assert row["reused"] == ["answers", "probes"]
    assert len(list((config.folder() / "predictions").iterdir())) == 1


def test_a_change_of_the_settings_or_of_the_users_files_is_a_new_run(config: Config):
    ids = {run(config)["run_id"]}
    ids.add(run(replace(config, seed=1), rerun="missing")["run_id"])
    changed = replace(config, prompt=replace(config.prompt, max_new_tokens=3))
    ids.add(run(changed, rerun="missing")["run_id"])
    assert len(ids) == len(read_rows(config.folder() / "runs.csv")) == 3


def test_a_failed_cell_is_replaced_by_the_run_that_succeeds(
    config: Config, monkeypatch: pytest.MonkeyPatch
):
    def fail(*arguments: object) -> None:
        raise TrainingError("out of memory; use smaller batches")

    with monkeypatch.context() as patched:
        patched.setattr(run_module, "measure", fail)
        assert run(config)["status"] == "failed"
    assert run(config, rerun="missing")["status"] == "failed"  # said, not tried again
    assert run(config, rerun="failed")["status"] == "ok"
    (row,) = read_rows(config.folder() / "runs.csv")
    assert row["status"] == "ok"


def test_few_shot_examples_are_drawn_by_seed_counted_and_help_any_arm(config: Config):
    config = replace(config, arm="few_shot", prompt=replace(config.prompt, shots=2))
    plain = run(replace(config, arm="plain", prompt=replace(config.prompt, shots=0)))
    first, second = run(config), run(replace(config, seed=1))
    assert (plain["shots"], plain["shot_tokens"]) == (None, None)
    assert (first["shots"], first["n_test"]) == (2, 6)
    assert first["shot_tokens"] > 6 * 2 * 3
    # The chat template's own tokens are in the prompt and in no count.
    assert first["prefill_tokens"] > plain["prefill_tokens"] + first["shot_tokens"]
    assert "answers" not in second["reused"]  # other examples
    both = run(replace(config, arm="rag_few", retriever=BM25, adapter=LORA))
    assert (both["status"], both["shots"]) == ("ok", 2)


def test_examples_that_do_not_fit_the_model_are_one_line(config: Config):
    row = run(replace(config, prompt=replace(config.prompt, shots=10)))
    assert row["status"] == "failed"
    assert "a question with prompt.shots=10 takes" in row["error"]
    assert "but tiny reads 512; lower prompt.shots" in row["error"]


def test_the_whole_corpus_stands_in_every_prompt_where_it_fits(config: Config):
    whole = RetrieverConfig(kind="whole_corpus", chunk_tokens=128, chunk_overlap=0)
    config = replace(
        config,
        arm="long_context",
        task=replace(config.task, entities=3, distractor_entities=0, test_questions=2),
        retriever=whole,
        prompt=replace(config.prompt, context_budget_tokens=None),
        forgetting=ForgettingConfig(probes=[]),
    )
    row = run(config)
    assert (row["status"], row["top_k_chosen_by"]) == ("ok", "config")
    assert row["context_budget_tokens"] is None
    lines = read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")
    given = [passage["passage_id"] for passage in lines[0]["retrieved"]]
    assert len(given) == row["top_k"] >= 3
    assert all(line["used_passage_ids"] == given for line in lines)
    assert row["passage_tokens"] > 0.5 * row["prefill_tokens"]

    row = run(replace(config, task=replace(config.task, entities=9), experiment="larger"))
    assert row["status"] == "failed"
    assert re.search(r"does not fit into a prompt: its 9 passages have \d+ ", row["error"])
    assert "tiny has room for 4" in row["error"]


def test_an_unmerged_adapter_answers_as_the_merged_one_up_to_float_error(config: Config):
    config = replace(config, task=replace(config.task, choices=2), forgetting=ForgettingConfig([]))
    found = {}
    for merge in (True, False):
        row = run(replace(config, arm=f"m{merge}", adapter=replace(LORA, merge=merge)))
        assert row["adapter_merged"] is merge
        assert ("adapter" in row["reused"]) is not merge  # trained once, answered twice
        lines = read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")
        found[merge] = [score for line in lines for score in line["option_scores"]]
    assert len(found[True]) == 12
    assert found[True] == pytest.approx(found[False], abs=1e-4)
    assert found[True] != found[False]  # the arithmetic is another


def test_a_row_tells_the_kind_of_adapter_and_its_size(config: Config):
    dora = replace(LORA, variant="dora", kl=KlConfig(weight=0.5))
    rows = [run(replace(config, arm="a", adapter=a)) for a in (LORA, dora)]
    assert [row["adapter_variant"] for row in rows] == ["plain", "dora"]
    assert [row["kl_weight"] for row in rows] == [0.0, 0.5]
    # LoRA of rank 2 on q, k, v, o, gate, up and down of two layers; DoRA's sizes are their outputs.
    pairs = [(16, 16), (16, 8), (16, 8), (16, 16), (16, 32), (16, 32), (32, 16)]
    plain = 2 * sum(2 * (ins + outs) for ins, outs in pairs)
    sizes = 2 * sum(outs for _, outs in pairs)
    assert [row["trainable_parameters"] for row in rows] == [plain, plain + sizes]
    assert rows[1]["adapter_bytes"] > rows[0]["adapter_bytes"] > 4 * plain
    assert rows[0]["run_id"] != rows[1]["run_id"]
    assert rows[1]["reused"] == ["probes"]  # those of the base model


@pytest.mark.parametrize("distractors_from", ["random", "retrieved"])
def test_raft_trains_on_passages_and_says_so(config: Config, distractors_from: str):
    raft = RaftConfig(gold_share=0.5, distractors=1, distractors_from=distractors_from)
    adapter = replace(LORA, train_passages="raft", raft=raft)
    row = run(replace(config, arm="raft", retriever=BM25, adapter=adapter))
    assert (row["status"], row["train_passages"]) == ("ok", "raft")
    assert row["raft_gold_share"] == 0.5
    plain = run(replace(config, arm="rag_lora", retriever=BM25, adapter=LORA))
    assert plain["raft_gold_share"] is None
    assert row["trained_tokens"] > plain["trained_tokens"]


def test_raft_that_quotes_is_trained_and_scored_by_its_final_answers(config: Config):
    raft = RaftConfig(gold_share=0.5, distractors=1, quote=True)
    config = replace(
        config,
        arm="raft_quote",
        retriever=BM25,
        adapter=replace(LORA, train_passages="raft", raft=raft),
        prompt=PromptConfig(max_new_tokens=80),
        measure=replace(config.measure, answer_part="final"),
    )
    row = run(config)
    assert row["status"] == "ok", row["error"]
    assert 0 < row["raft_quoting"] <= row["training_pairs"] / 2
    assert f"RAFT: {row['raft_quoting']} training answers quote their passage" in row["notes"]
    assert row["answer_part"] == "final"
    assert row["quoting"] is not None  # an untrained model may not close a quote
    assert row["quoting_verbatim"] <= row["quoting"]
    short = run(replace(config, prompt=PromptConfig(max_new_tokens=4)))
    assert "prompt.max_new_tokens=4 is too short" in short["error"]
    plain = run(replace(config, adapter=None, retriever=None, arm="closed_book"))
    assert plain["raft_quoting"] is None
    assert plain["quoting"] == 0


def test_rafts_passages_that_do_not_fit_the_prompt_are_refused(config: Config):
    adapter = replace(LORA, train_passages="raft", raft=RaftConfig(distractors=3))
    small = replace(config.prompt, context_budget_tokens=60)
    row = run(replace(config, arm="raft", retriever=BM25, adapter=adapter, prompt=small))
    assert row["status"] == "failed"
    assert "exceed prompt.context_budget_tokens=60" in row["error"]


def test_options_are_checked_before_the_task_is_loaded(config: Config, monkeypatch):
    monkeypatch.setattr(run_module, "load_task", lambda task: pytest.fail("it was loaded"))
    row = run(replace(config, arm="lora", adapter=replace(LORA, options={"use_doras": True})))
    assert row["status"] == "failed"
    assert row["error"].startswith("adapter.options.use_doras is no option of adapter.kind=lora")
