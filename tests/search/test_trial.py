"""A trial answers validation questions, never test questions, and is kept as it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness import run as run_module
from harness.adapters.config import AdapterConfig
from harness.config import Config, config_hash
from harness.errors import ConfigError, TrainingError
from harness.measures.config import ForgettingConfig, MeasureConfig
from harness.measures.forgetting import Probes
from harness.metering.config import CostConfig
from harness.models.config import ModelConfig
from harness.models.language_model import LanguageModel
from harness.prompts import PromptConfig
from harness.run import record_failure, run
from harness.search.config import SearchConfig
from harness.search.halves import probe_half
from harness.search.job import TrialError, objectives
from harness.search.trial import as_trial
from harness.search.trials import read_trials
from harness.search.validation import on_validation
from harness.tasks import load_task
from harness.tasks.config import FictionalConfig
from harness.types import Question


@pytest.fixture
def config(tiny_model_folder: Path, tmp_path: Path, own_cache: Path) -> Config:
    """Trial 0 of a search of a tiny LoRA."""
    return Config(
        experiment="test",
        arm="lora",
        results=str(tmp_path / "results"),
        task=FictionalConfig(
            entities=6, distractor_entities=0, phrasings=1, test_questions=6, validation_questions=4
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
        adapter=AdapterConfig(rank=2, alpha=4, epochs=1, batch_size=8, learning_rate=1e-2),
        prompt=PromptConfig(max_new_tokens=4),
        measure=MeasureConfig(latency_questions=2),
        forgetting=ForgettingConfig(probes=[]),
        cost=CostConfig(energy="none", country="FRA"),
        search=SearchConfig(
            measure="f1",
            part="trial",
            id="TPE-abc",
            over=["adapter.rank"],
            settings={"adapter.rank": "2"},
        ),
    )


def numbered(config: Config, number: int, **search: object) -> Config:
    return replace(config, search=replace(config.search, number=number, **search))


def test_no_test_question_is_asked_in_a_trial(config: Config, monkeypatch):
    task = load_task(config.task)
    prompts: list[str] = []
    generate = LanguageModel.generate

    def watched(self, given, *args, **kwargs):
        prompts.extend(given)
        return generate(self, given, *args, **kwargs)

    monkeypatch.setattr(LanguageModel, "generate", watched)
    row = run(config)
    assert row["status"] == "ok", row["error"]
    assert prompts
    asked = "\n".join(prompts)
    assert all(question.question in asked for question in task.validation)
    assert not any(question.question in asked for question in task.test)


def test_a_trials_task_has_no_test_questions(config: Config):
    task = load_task(config.task)
    trial = on_validation(task)
    assert trial.test == task.validation
    assert not {question.id for question in trial.test} & {question.id for question in task.test}
    assert trial.train == task.train


def test_a_task_without_validation_questions_cannot_be_searched(config: Config):
    task = load_task(replace(config.task, validation_questions=0))
    with pytest.raises(ConfigError, match=r"has no validation questions to search on: set task\."):
        on_validation(task)


def test_a_trial_is_kept_with_score_interval_and_cost_and_leaves_no_row(config: Config):
    run(config)
    (trial,) = read_trials(config.folder())
    assert (trial.state, trial.measure, trial.n_questions) == ("ok", "f1", 4)
    assert trial.value is not None and trial.low is not None and trial.high is not None
    assert trial.low <= trial.value <= trial.high
    assert trial.seconds is not None and trial.seconds > 0
    assert trial.spent is not None and trial.spent["wall_seconds"] == pytest.approx(trial.seconds)
    assert trial.settings == {"adapter.rank": "2"}
    assert len(trial.made) == 2  # the adapter and the answers
    assert not (config.folder() / "runs.csv").exists()
    assert objectives(config) == trial.value


def test_a_trial_that_is_there_is_not_run_again(config: Config, monkeypatch):
    run(config)
    before = (config.folder() / "search.csv").read_text()
    monkeypatch.setattr(run_module, "Method", lambda *args: pytest.fail("it was run"))
    run(config, rerun="missing")
    assert (config.folder() / "search.csv").read_text() == before


def test_a_setting_that_is_proposed_again_is_told_and_costs_nothing(config: Config, monkeypatch):
    run(config)
    monkeypatch.setattr(run_module, "Method", lambda *args: pytest.fail("it was run"))
    again = numbered(config, 1)
    row = run(again, rerun="missing")
    assert row["spent_energy_kwh"] is None
    first, second = read_trials(config.folder())
    assert (second.number, second.digest, second.value) == (1, first.digest, first.value)
    assert objectives(again) == first.value


def test_a_trial_that_fails_is_kept_with_its_cost_and_the_sampler_is_told(
    config: Config, monkeypatch
):
    from harness.adapters import train

    def diverges(*args: object, **kwargs: object) -> None:
        raise TrainingError("the training loss became nan at step 3; lower it")

    with monkeypatch.context() as patched:
        patched.setattr(train, "train", diverges)
        run(config)
    (trial,) = read_trials(config.folder())
    assert (trial.state, trial.value) == ("failed", None)
    assert trial.error == "the training loss became nan at step 3; lower it"
    assert trial.seconds is not None  # loading the model
    with pytest.raises(TrialError, match="became nan"):
        objectives(config)
    run(config, rerun="missing")  # said again, not tried again
    assert not read_trials(config.folder())[0].ok
    run(config, rerun="failed")
    assert read_trials(config.folder())[0].ok


def test_an_unexpected_error_is_kept_and_raised(config: Config, monkeypatch):
    monkeypatch.setattr(run_module, "Method", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(config)
    assert read_trials(config.folder())[0].error == "ZeroDivisionError: division by zero"


def test_a_trial_whose_process_was_lost_is_a_failed_trial_and_no_row(config: Config):
    record_failure(config, "lost after 2 tries")
    assert read_trials(config.folder())[0].error == "lost after 2 tries"
    assert not (config.folder() / "runs.csv").exists()


def test_a_second_objective_is_told_too(config: Config):
    timed = numbered(config, 0, second="train_seconds")
    run(timed)
    (trial,) = read_trials(config.folder())
    assert objectives(timed) == [trial.value, trial.second_value]
    assert trial.second_value is not None and trial.second_value > 0


def test_an_objective_that_is_not_known_fails_the_trial_in_one_line(config: Config):
    run(numbered(config, 0, second="total_energy_kwh"))
    assert read_trials(config.folder())[0].error == (
        "total_energy_kwh is not known for lora: name another objective"
    )


def test_other_data_is_another_trial(config: Config):
    run(config)
    run(replace(config, task=replace(config.task, validation_questions=3)), rerun="missing")
    (trial,) = read_trials(config.folder())
    assert trial.n_questions == 3


def test_trials_measure_only_what_an_objective_needs(config: Config):
    full = replace(config, forgetting=ForgettingConfig())
    assert as_trial(full).measure.latency_questions == 0
    assert as_trial(full).forgetting.probes == []
    harm = numbered(full, 0, second="forgetting_facts_options")
    assert as_trial(harm).forgetting.probes == ["facts"]
    timed = numbered(full, 0, second="latency_p50_seconds")
    assert as_trial(timed).measure.latency_questions == 2


def test_a_search_leaves_the_hash_of_other_runs_alone_and_marks_its_final_ones(config: Config):
    plain = replace(config, search=SearchConfig())
    final = numbered(config, 0, part="final", trials=4)
    assert config_hash(config) == config_hash(plain)
    assert config_hash(final) != config_hash(plain)
    assert config_hash(final) != config_hash(numbered(final, 0, trials=5))


def question(name: str, cluster: str) -> Question:
    return Question(name, name, ("x",), cluster=cluster)


def test_harm_is_chosen_on_one_half_of_the_items_and_reported_on_the_other():
    facts = tuple(question(f"q{n}", f"entity{n // 2}") for n in range(6))  # two of each entity
    items = Probes(facts=facts, texts=("a", "b", "c"))
    search = SearchConfig(second="forgetting_facts_options", part="trial")
    seen = probe_half(items, search)
    held_out = probe_half(items, replace(search, part="final"))
    assert [one.id for one in seen.facts] == ["q0", "q1", "q4", "q5"]
    assert [one.id for one in held_out.facts] == ["q2", "q3"]
    assert (seen.texts, held_out.texts) == (("a", "c"), ("b",))
    assert probe_half(items, SearchConfig(part="final", second="train_seconds")) is items
    assert probe_half(items, replace(search, part="")) is items
