"""``harness ask``: what the run made answers again, as it did; what is gone is told."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from made_runs import BM25, LORA, settings

from harness import recorded, store
from harness.ask import main, shown
from harness.config import Config, config_hash
from harness.errors import ConfigError, DataError, HarnessError, RecordError
from harness.models.endpoint_config import EndpointConfig
from harness.predictions import read_predictions
from harness.recorded import find_run, open_run, settings_of
from harness.retrieval import RetrieverConfig
from harness.run import run
from harness.sources import cache_folder
from harness.types import sha256_of

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def config(tiny_model_folder: Path, tmp_path: Path) -> Config:
    return settings(tiny_model_folder, tmp_path / "results", "rag_lora", BM25, LORA)


def asked(config: Config, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict]:
    """What ``--json`` gives."""
    capsys.readouterr()
    assert main([*arguments, "--results", str(config.folder()), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_question_of_the_run_is_answered_as_in_its_predictions(config: Config, capsys):
    row = run(config)
    lines = read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")
    questions = [line["question"] for line in lines[:3]]
    found = asked(config, capsys, *questions, "--arm", "rag_lora")
    for line, one in zip(lines, found, strict=False):
        assert one["answer"] == line["output"]
        assert one["gold"] == line["gold"]
        assert one["tokens_in"] == line["tokens_in"]
        assert [(p["passage_id"], p["rank"]) for p in one["passages"]] == [
            (p["passage_id"], p["rank"]) for p in line["retrieved"]
        ]
        assert one["seconds"] > 0
    assert {(one["run_id"], one["arm"]) for one in found} == {(row["run_id"], "rag_lora")}
    # The run's artifacts are used, under whatever circumstances the question is put.
    assert len(list((cache_folder() / "store" / "adapter").glob("[0-9a-f]*"))) == 1


def test_questions_come_from_standard_input_a_line_each(config: Config, capsys, monkeypatch):
    run(config)
    monkeypatch.setattr("sys.stdin", io.StringIO("Who is mayor?\n\nWhich river?\n"))
    assert [one["question"] for one in asked(config, capsys)] == ["Who is mayor?", "Which river?"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(ConfigError, match="there is no question"):
        main(["--results", str(config.folder())])


def test_the_text_shows_scores_and_which_passages_are_in_the_prompt(config: Config, capsys):
    run(config)
    capsys.readouterr()
    assert main(["Who is mayor of the town?", "--results", str(config.folder())]) == 0
    text = capsys.readouterr().out
    assert text.startswith("question  Who is mayor of the town?\nanswer    ")
    assert "\ntime      " in text
    assert "passage 1  " in text


def test_what_a_model_says_cannot_steer_the_terminal():
    found = {"question": "q", "answer": "\x1b[2J", "gold": [], "seconds": 1.0, "passages": []}
    assert "\x1b" not in shown(found | {"tokens_in": None, "tokens_out": 3})


def test_a_removed_adapter_is_told_and_made_again_only_if_asked(config: Config, capsys):
    row = run(config)
    for kind in ("adapter", "index"):
        shutil.rmtree(cache_folder() / "store" / kind)
    seconds = row["prepare_seconds"] + row["train_seconds"]
    with pytest.raises(RecordError) as raised:
        main(["Who?", "--results", str(config.folder())])
    told = str(raised.value)
    assert f"index (making it took {row['index_seconds']:.1f} s)" in told
    assert f"adapter (making it took {seconds:.1f} s); --rebuild makes it again" in told
    assert not any((cache_folder() / "store" / "adapter").glob("[0-9a-f]*"))
    assert len(asked(config, capsys, "Who?", "--rebuild")) == 1
    assert len(asked(config, capsys, "Who?")) == 1  # it is there now


def test_artifacts_of_other_threads_or_packages_are_the_runs_all_the_same(
    config: Config, capsys, monkeypatch
):
    run(config)
    real = recorded.method_keys.circumstances
    monkeypatch.setattr(
        recorded.method_keys,
        "circumstances",
        lambda *given: real(*given) | {"device": "another machine", "packages": {"torch": "0"}},
    )
    assert len(asked(config, capsys, "Who?")) == 1


def test_which_run_is_named_or_suggested(config: Config, tiny_model_folder, tmp_path):
    rag = settings(tiny_model_folder, tmp_path / "results", "rag", BM25)
    first, _ = run(config), run(rag)
    paths = [config.folder()]
    assert find_run(paths, None, first["run_id"])["arm"] == "rag_lora"
    assert find_run(paths, "rag", None)["arm"] == "rag"
    for arm, run_id, message in (
        ("rag_lroa", None, "no finished arm 'rag_lroa'; did you mean 'rag_lora'"),
        ("zzz", None, "no finished arm 'zzz'; it has: rag, rag_lora"),
        (None, "nope", "no finished run 'nope'"),
        (None, None, "several arms; name one with --arm: rag, rag_lora"),
    ):
        with pytest.raises(RecordError, match=message):
            find_run(paths, arm, run_id)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([" "], "the question is empty"),
        (["Who?", "--results", "nowhere"], "no such file or folder"),
        (["Who?", "--amr", "rag"], "harness ask --help"),
    ],
)
def test_mistakes_are_one_line(arguments, message):
    with pytest.raises(HarnessError, match=message):
        main(arguments)


def test_an_arm_that_is_given_gold_passages_cannot_be_asked_anything_new(
    tiny_model_folder, tmp_path, capsys
):
    oracle = RetrieverConfig(kind="oracle", top_k=1, chunk_tokens=40, chunk_overlap=4)
    config = settings(tiny_model_folder, tmp_path / "results", "rag_oracle", oracle)
    row = run(config)
    lines = read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")
    assert asked(config, capsys, lines[0]["question"])[0]["answer"] == lines[0]["output"]
    with pytest.raises(DataError, match="arm 'rag_oracle' is given the gold passages"):
        main(["Who?", "--results", str(config.folder())])


def test_settings_are_read_back_as_they_were_and_no_others(config: Config, tiny_model_folder):
    row = {**run(config), "folder": str(config.folder())}
    assert config_hash(settings_of(row)) == row["config_hash"]
    (kept,) = (config.folder() / "configs").glob("*.yaml")
    kept.write_text(kept.read_text().replace("seed: 0", "seed: 1"))
    with pytest.raises(RecordError, match="does not hold the settings"):
        settings_of(row)
    kept.write_text("task: [")
    with pytest.raises(RecordError, match="cannot be read as settings"):
        settings_of(row)
    kept.unlink()
    with pytest.raises(RecordError, match="were not kept"):
        settings_of(row)


def test_the_model_settings_tell_which_backend_they_are_of():
    names = set(EndpointConfig(id="x", base_url="http://127.0.0.1:1/v1").__dict__)
    assert recorded._model_schema(names) is EndpointConfig
    with pytest.raises(ValueError, match="does not know"):
        recorded._model_schema({"no_such_setting"})


def test_another_model_under_the_same_name_is_refused(config: Config):
    row = {**run(config), "folder": str(config.folder()), "model_identity": sha256_of("other")}
    with pytest.raises(DataError, match=r"the model of run .* have changed"):
        open_run(row)


def test_looking_for_an_artifact_makes_none(own_cache: Path):
    found = store.find("adapter", {"a": 1})
    assert not found.reused
    assert not found.folder.exists()
    made = store.obtain("adapter", {"a": 1}, lambda folder: (folder / "x").write_text("") and None)
    assert store.find("adapter", {"a": 1}).folder == made.folder
    assert store.find("adapter", {"a": 1}).reused
