"""``harness meter``: readings of runs that are made, in blocks, with nothing else disturbed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from made_runs import BM25, LORA, settings

from harness.blocks import command
from harness.blocks.command import main
from harness.blocks.table import NAME, read_blocks
from harness.config import Config
from harness.economics.rows import FIXED
from harness.run import run
from harness.sources import cache_folder

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def folder(tiny_model_folder: Path, tmp_path: Path) -> Path:
    """An experiment with an arm of each kind, run."""
    results = tmp_path / "results"
    configs: list[Config] = [
        settings(tiny_model_folder, results, "lora", None, LORA),
        settings(tiny_model_folder, results, "rag", BM25),
    ]
    for config in configs:
        assert run(config)["status"] == "ok"
    return configs[0].folder()


def stored() -> dict[str, str]:
    """Every file of the store's artifacts with its hash; when they were used is left out."""
    store = cache_folder() / "store"
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_arm_is_metered_once_a_block_and_first_in_turn(folder: Path, capsys):
    before, names = stored(), left_in(folder)
    rows = (folder / "runs.csv").read_bytes()
    assert main([str(folder), "--arms", "lora,rag", "--blocks", "2"]) == 0
    readings = read_blocks(folder)
    assert [(one["block"], one["position"], one["arm"]) for one in readings] == [
        (1, 1, "lora"),
        (1, 2, "rag"),
        (2, 1, "rag"),
        (2, 2, "lora"),
    ]
    for one in readings:
        assert one["same_answers"] is True
        assert one["n_test"] == 6
        assert one["decode_seconds"] > 0
        assert one["prefill_tokens"] > 0
        assert (one["train_seconds"] is not None) == (one["arm"] == "lora")
        assert (one["index_seconds"] is not None) == (one["arm"] == "rag")
        assert one["train_energy_kwh"] is None  # not counted in these runs: never zero
    assert len({one["train_seconds"] for one in readings if one["arm"] == "lora"}) == 2
    assert stored() == before
    assert left_in(folder) == sorted([*names, NAME, f".{NAME}.lock"])
    assert (folder / "runs.csv").read_bytes() == rows
    told = capsys.readouterr().err
    assert "4 readings missing of 2 blocks, and 2 to warm up" in told
    assert told.count("warm-up, not counted") == 2


def test_what_a_kill_left_out_is_metered_and_nothing_else(folder: Path, monkeypatch, capsys):
    from harness.blocks import metering

    whole, calls = metering.meter_again, []

    def dies_third(*given):
        calls.append(given)
        if len(calls) == 3:
            (given[2] / "half").mkdir()
            raise KeyboardInterrupt
        return whole(*given)

    monkeypatch.setattr(metering, "meter_again", dies_third)
    arguments = [str(folder), "--arms", "rag,lora", "--blocks", "2", "--warmup", "0"]
    with pytest.raises(KeyboardInterrupt):
        main(arguments)
    first = read_blocks(folder)
    assert len(first) == 2
    (folder / f"{command.SCRATCH}old").mkdir()  # as a kill leaves it
    assert main(arguments) == 0
    assert read_blocks(folder)[:2] == first
    assert len(read_blocks(folder)) == 4
    assert main(arguments) == 0
    assert len(read_blocks(folder)) == 4
    assert "all 2 blocks" in capsys.readouterr().err
    assert not list(folder.glob(f"{command.SCRATCH}*"))


def test_serving_alone_meters_neither_index_nor_training(folder: Path):
    given = [str(folder), "--arms", "lora,rag", "--blocks", "1", "--warmup", "0"]
    assert main([*given, "--phases", "serving"]) == 0
    for one in read_blocks(folder):
        assert one["same_answers"] is True
        assert [one[f"{phase}_seconds"] for phase in FIXED] == [None] * 3
        assert one["decode_seconds"] > 0
    assert main(given) == 0
    assert len({one["set_id"] for one in read_blocks(folder)}) == 2


def test_other_answers_than_the_runs_are_told_loudly(folder: Path, capsys):
    for path in (folder / "predictions").glob("rag-*.jsonl"):
        text = path.read_text(encoding="utf-8").replace('"output": "', '"output": "x', 1)
        path.write_text(text, encoding="utf-8")
    given = [str(folder), "--arms", "lora,rag", "--blocks", "1", "--warmup", "0"]
    assert main(given) == 1
    out = capsys.readouterr()
    assert "WARNING: rag answered otherwise" in out.out
    assert "WARNING: rag answered otherwise than in run rag-" in out.err
    assert {one["arm"]: one["same_answers"] for one in read_blocks(folder)} == {
        "lora": True,
        "rag": False,
    }


def test_a_change_of_the_machine_begins_another_set(folder: Path, monkeypatch):
    from harness import provenance

    given = [str(folder), "--arms", "rag", "--blocks", "1", "--warmup", "0"]
    assert main(given) == 0
    monkeypatch.setattr(provenance, "platform_name", lambda: "another")
    assert main(given) == 0
    assert [one["block"] for one in read_blocks(folder)] == [1, 1]
    assert len({one["set_id"] for one in read_blocks(folder)}) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--arms", "lora,rga"], "no finished run of arm 'rga'; did you mean 'rag'?"),
        (["--arms", "lora,lora"], "names an arm twice"),
        (["--arms", ","], "--arms names no arm"),
        (["--arms", "rag", "--blocks", "0"], "--blocks is 0"),
        (["--arms", "rag", "--seed", "7"], "no finished run has seed '7'; there is: 0"),
        (["--arms", "rag", "--task", "t"], "no finished run has task 't'"),
        (["--arms", "rag", "--phases", "some"], "invalid choice: 'some'"),
        ([], "required: --arms"),
    ],
)
def test_what_cannot_be_metered_is_one_line(folder: Path, capsys, given, message):
    from harness.cli import main as harness

    capsys.readouterr()
    assert harness(["meter", str(folder), *given]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (folder / NAME).exists()


def test_a_damaged_table_is_named_and_left_alone(folder: Path, capsys):
    from harness.cli import main as harness

    (folder / NAME).write_text("set_id,run_id\n1,2\n", encoding="utf-8")
    assert harness(["meter", str(folder), "--arms", "rag"]) == 2
    assert "is no table that this version of harness meter wrote" in capsys.readouterr().err
    assert (folder / NAME).read_text(encoding="utf-8") == "set_id,run_id\n1,2\n"


def test_training_prompts_hold_as_many_passages_as_the_run_chose(
    tiny_model_folder: Path, tmp_path: Path, monkeypatch
):
    """top_k was chosen on validation twice, before and after training; neither is done again."""
    from dataclasses import replace

    from harness import method

    config = settings(
        tiny_model_folder,
        tmp_path / "results",
        "rag_lora_passages",
        replace(BM25, top_k=None, top_k_candidates=[1, 2]),
        replace(LORA, train_passages="retrieved"),
    )
    config = replace(config, task=replace(config.task, validation_questions=4))
    assert run(config)["status"] == "ok"
    decide, asked = method.decide_top_k, []

    def watched(config, *given, **named):
        asked.append(config.retriever.top_k)
        return decide(config, *given, **named)

    monkeypatch.setattr(method, "decide_top_k", watched)
    given = ["--arms", "rag_lora_passages", "--blocks", "1", "--warmup", "0"]
    assert main([str(config.folder()), *given]) == 0
    (one,) = read_blocks(config.folder())
    assert one["same_answers"] is True
    assert one["train_seconds"] > 0
    assert asked
    assert None not in asked


def test_serving_needs_what_the_run_made(folder: Path, capsys):
    import shutil

    from harness.cli import main as harness

    shutil.rmtree(cache_folder() / "store" / "adapter")
    given = [str(folder), "--arms", "lora", "--blocks", "1", "--warmup", "0"]
    assert harness(["meter", *given, "--phases", "serving"]) == 2
    error = capsys.readouterr().err
    assert "--rebuild makes it again with harness ask; or meter all phases" in error
    assert not (folder / NAME).exists()
    assert harness(["meter", *given]) == 0  # made aside, from the start
