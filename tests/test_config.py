"""Every YAML file composes into a Config; schemas and cross-checks refuse what cannot be."""

from pathlib import Path

import pytest

from harness.config import CONF, Config, config_hash, to_dataclass
from harness.errors import ConfigError
from harness.overrides import Composer, check
from harness.sweep.workers import PLUGINS

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")
FILES = sorted(path.relative_to(CONF) for path in CONF.rglob("*.yaml"))
CHOICES = [path for path in FILES if path.parts[0] in GROUPS]

# What a choice cannot do without, because only the user knows it.
NEEDS = {
    "model/hub.yaml": ["model.id=owner/name"],
    "model/local.yaml": ["model.id=some_folder"],
    "model/endpoint.yaml": ["model.id=name", "model.base_url=http://127.0.0.1:8000/v1"],
    "model/vllm.yaml": ["model.id=owner/name"],
    "task/custom.yaml": ["task.corpus=docs", "task.questions=questions.csv"],
    # A setting of a slot is refused where no arm fills it, so these need an arm that does.
    "retriever/none.yaml": [],
    "adapter/none.yaml": [],
}
FILLS = {"retriever": ["method=rag"], "adapter": ["method=lora"]}


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def config_of(composer: Composer, *overrides: str) -> Config:
    return to_dataclass(composer.compose(*overrides))


def test_there_are_yaml_files_and_each_is_a_choice_or_part_of_the_whole():
    assert len(CHOICES) > 15
    others = {str(path) for path in FILES} - {str(path) for path in CHOICES}
    assert others == {
        "config.yaml",
        "hydra/job_logging/console.yaml",
        "hydra/hydra_logging/console.yaml",
        *(f"hydra/launcher/{name}.yaml" for name in PLUGINS),
    }


@pytest.mark.parametrize("path", CHOICES, ids=str)
def test_every_choice_composes_into_a_valid_config(path: Path, composer: Composer):
    group, name = str(path.parent), path.stem
    overrides = [*FILLS.get(group, []), f"{group}={name}", *NEEDS.get(str(path), [])]
    cfg = composer.compose(*overrides)
    assert isinstance(to_dataclass(cfg), Config)
    assert cfg.hydra.runtime.choices[group] == name


@pytest.mark.parametrize("name", [p.stem for p in CHOICES if p.parts[0] == "experiment"])
def test_every_experiment_composes_each_of_its_jobs_under_its_own_name(name: str):
    configs = check([f"experiment={name}"], multirun=False).configs
    assert configs
    assert {config.experiment for config in configs} == {name}


def test_the_quickstart_is_four_arms_on_world_facts():
    configs = check(["experiment=quickstart"], multirun=False).configs
    assert [config.arm for config in configs] == ["closed_book", "rag", "lora", "rag_lora"]
    assert [config.retriever is not None for config in configs] == [False, True, False, True]
    assert [config.adapter is not None for config in configs] == [False, False, True, True]
    assert {config.task.name for config in configs} == {"world_facts"}


@pytest.mark.parametrize("name", [p.stem for p in CHOICES if p.parts[0] == "method"])
def test_a_methods_file_name_is_its_arms_name(name: str, composer: Composer):
    assert config_of(composer, f"method={name}").arm == name


def test_the_command_lines_retriever_wins_over_the_methods(composer: Composer):
    config = config_of(composer, "method=rag", "retriever=bm25", "retriever.top_k=5")
    assert config.retriever is not None
    assert (config.retriever.kind, config.retriever.top_k) == ("bm25", 5)


def test_an_empty_slot_is_none_whatever_is_set_in_it(composer: Composer):
    plain = config_of(composer, "method=closed_book")
    assert plain.retriever is None
    assert plain.adapter is None
    assert config_of(composer, "method=closed_book", "retriever.top_k=5") == plain


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("topk", "retriever: {topk: 3}"),
        ("seeed", "seeed: 3"),
        ("phrasing", "task: {phrasing: 2}"),
    ],
)
def test_a_misspelt_key_in_a_yaml_file_is_refused(tmp_path: Path, key: str, line: str):
    folder = tmp_path / "method"
    folder.mkdir()
    text = "# @package _global_\ndefaults:\n  - override /retriever: dense\n  - _self_\narm: mine\n"
    (folder / "mine.yaml").write_text(text)
    assert check(["method=mine"], multirun=False, extra_folder=tmp_path).configs[0].arm == "mine"
    (folder / "mine.yaml").write_text(f"{text}{line}\n")
    with pytest.raises(ConfigError, match=f"'{key}'") as caught:
        check(["method=mine"], multirun=False, extra_folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_labels_and_paths_do_not_change_the_hash_and_settings_do(composer: Composer):
    base = config_hash(config_of(composer, "method=rag"))
    for label in ("arm=other", "results=elsewhere", "measure.reuse=false"):
        assert config_hash(config_of(composer, "method=rag", label)) == base
    hashes = {base}
    for setting in ("seed=1", "retriever.top_k=4", "cost.cpu_watts=30", "task.split_seed=1"):
        hashes.add(config_hash(config_of(composer, "method=rag", setting)))
    assert len(hashes) == 5


def test_an_encoder_that_measures_answers_tells_only_where_it_does(composer: Composer):
    similar, other = (
        "measure.embedding_similarity=true",
        "measure.similarity_encoder.dtype=bfloat16",
    )
    hashes = [
        config_hash(config_of(composer, "method=rag", *settings))
        for settings in ((), (other,), (similar,), (similar, other))
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize("objective", ["measure", "second"])
def test_a_search_by_a_measure_on_request_needs_it(objective: str, composer: Composer):
    search = f"search.{objective}=embedding_similarity"
    with pytest.raises(ConfigError, match=r"set measure.embedding_similarity=true"):
        config_of(composer, search)
    config_of(composer, search, "measure.embedding_similarity=true")


def test_answers_that_quote_are_scored_by_what_follows_the_quote(composer: Composer):
    config = config_of(composer, "method=raft_quote")
    assert config.adapter is not None
    assert (config.adapter.raft.quote, config.measure.answer_part) == (True, "final")
    with pytest.raises(ConfigError, match=r"set measure.answer_part=final"):
        config_of(composer, "method=raft_quote", "measure.answer_part=whole")


def test_training_with_passages_needs_a_retriever(composer: Composer):
    overrides = ["method=rag_lora_passages"]
    assert config_of(composer, *overrides).adapter.train_passages == "retrieved"
    with pytest.raises(ConfigError, match="has no retriever"):
        config_of(composer, *overrides, "retriever=none")


@pytest.mark.parametrize("label", ["../up", "a/b", "", ".hidden", "a b"])
@pytest.mark.parametrize("field", ["arm", "experiment"])
def test_a_label_cannot_lead_out_of_the_results_folder(
    tmp_path: Path, field: str, label: str, composer: Composer
):
    config = config_of(composer, "method=rag")
    values = {name: getattr(config, name) for name in ("task", "model", "arm", "experiment")}
    with pytest.raises(ConfigError, match=field):
        Config(**(values | {field: label}))


def test_a_passage_that_cannot_fit_into_the_context_budget_is_refused(composer: Composer):
    with pytest.raises(ConfigError, match=r"retriever.chunk_tokens=96 and a title may exceed"):
        config_of(composer, "method=rag", "prompt.context_budget_tokens=100")
    config_of(composer, "method=rag", "prompt.context_budget_tokens=112")


def test_a_negative_seed_is_refused(composer: Composer):
    with pytest.raises(ConfigError, match="seed is -1"):
        config_of(composer, "seed=-1")


def test_a_value_left_out_is_named(composer: Composer):
    cfg = composer.compose().copy()
    cfg.task = "???"
    with pytest.raises(ConfigError, match="task"):
        to_dataclass(cfg)
