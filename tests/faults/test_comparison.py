"""The comparison that all kills rest on finds what it is there to find."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .campaign import verified
from .conftest import CELLS
from .stages import at_work, traces
from .sweeps import LATENCY, Sweep, faults_in, litter
from .trap import STAGES, stage_of


@pytest.fixture
def copied(undisturbed: Sweep, tmp_path: Path) -> Sweep:
    shutil.copytree(undisturbed.folder, tmp_path / "copy")
    return Sweep(tmp_path / "copy", undisturbed.model, CELLS, seeds="0")


def lose_row(sweep: Sweep) -> None:
    lines = sweep.table.read_bytes().splitlines(keepends=True)
    sweep.table.write_bytes(b"".join(lines[:-1]))


def double_row(sweep: Sweep) -> None:
    lines = sweep.table.read_bytes().splitlines(keepends=True)
    sweep.table.write_bytes(b"".join([*lines, lines[1]]))


def alter_row(sweep: Sweep) -> None:
    data = sweep.table.read_bytes()
    sweep.table.write_bytes(data.replace(b",fictional,", b",factional,", 1))


def alter_answer(sweep: Sweep) -> None:
    path = next(sweep.record.glob("predictions/lora-*"))
    path.write_bytes(re.sub(rb'"output": "', b'"output": "x', path.read_bytes(), count=1))


def lose_answers(sweep: Sweep) -> None:
    next(sweep.record.glob("predictions/rag_*")).unlink()


def alter_probe(sweep: Sweep) -> None:
    path = next(sweep.record.glob("probes/lora-*"))
    path.write_bytes(path.read_bytes().replace(b'"after": 0.0', b'"after": 1.0', 1))


@pytest.mark.parametrize(
    ("act", "found"),
    [
        (lose_row, "rows lost"),
        (double_row, "rows doubled"),
        (alter_row, "rows altered"),
        (alter_answer, "predictions altered"),
        (lose_answers, "predictions lost"),
        (alter_probe, "probes altered"),
    ],
)
def test_each_fault_is_found(
    undisturbed: Sweep, copied: Sweep, act: Callable[[Sweep], None], found: str
):
    assert not faults_in(copied, undisturbed)
    act(copied)
    assert dict(faults_in(copied, undisturbed)) == {found: 1}


def test_latencies_alone_may_differ(undisturbed: Sweep, copied: Sweep):
    for path in copied.record.glob("predictions/*"):
        data = path.read_bytes()
        assert LATENCY.search(data)
        path.write_bytes(LATENCY.sub(b'"latency_seconds": 9.0', data))
    assert not faults_in(copied, undisturbed)


def test_a_store_with_a_flipped_byte_does_not_verify(copied: Sweep):
    assert verified(copied)
    path = next((copied.folder / "cache" / "store").glob("adapter/*/adapter_model.safetensors"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert not verified(copied)


def test_what_is_half_written_tells_the_stage(copied: Sweep):
    folder = copied.folder
    store, record = folder / "cache" / "store", copied.record
    before = traces(folder)
    assert not litter(copied)
    for path in (
        store / "index" / ".making-a-1" / "artifact",
        store / "adapter" / ".making-a-1" / "artifact",
        store / "answers" / ".making-a-1" / "artifact" / "manifest.json",
        store / "adapter" / ".work-b" / "checkpoint-3",
    ):
        path.mkdir(parents=True)
    (record / "predictions" / ".lora.jsonl.x").write_text("")
    (record / ".runs.csv.x").write_text("")
    found = ["checkpoint", "index", "predictions", "row", "sealing"]
    assert at_work(folder, before) == found
    assert at_work(folder, traces(folder)) == []
    assert len(litter(copied)) == 6
    shutil.rmtree(store / "adapter" / ".work-b")
    assert "training" in at_work(folder, before)


def test_paths_belong_to_stages():
    paths = {
        "/w/results/faults/runs.csv": "row",
        "/w/results/faults/.runs.csv.ab12": "row",
        "/w/results/faults/.runs.csv.lock": None,
        "/w/results/faults/predictions/.lora.jsonl.x": "predictions",
        "/w/results/faults/probes/lora.jsonl": "probes file",
        "/w/cache/store/index/.making-a-b/artifact/x.npy": "index",
        "/w/cache/store/index/.making-a-b/artifact/manifest.json": "sealing",
        "/w/cache/store/adapter/.work-a/checkpoint-2/seal.json": "checkpoint",
        "/w/cache/store/adapter/.making-a-b/artifact/x": "adapter",
        "/w/cache/store/probes/.making-a-b": "probes",
        "/w/cache/store/answers/.a.used": None,
    }
    assert {path: stage_of(path) for path in paths} == paths
    assert {stage for stage in paths.values() if stage} <= set(STAGES)
