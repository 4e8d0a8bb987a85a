"""A sweep on submitit's real local executor, and what Slurm would be asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from harness.config import CONF
from tests.sweep.small_sweeps import artifacts, events, finish, results, start


def test_submitit_jobs_give_the_rows_and_answers_of_one_process(
    tmp_path: Path, tiny_model_folder: Path, undisturbed: Path
):
    launcher = ("hydra/launcher=submitit_local", "sweep.workers=2")
    said = finish(start(tmp_path, tiny_model_folder, *launcher))
    assert results(tmp_path) == results(undisturbed)
    assert artifacts(tmp_path) == artifacts(undisturbed)
    assert len(said.splitlines()) == 4, said
    told = events(tmp_path)
    assert len({event["pid"] for event in told}) == 4  # a process for each cell
    folder = tmp_path / "results" / "smoke" / ".hydra"
    # All four began at once, and two at a time were let work.
    assert len(list((folder / "workers").iterdir())) == 2
    assert len(list((folder / "submitit").glob("*/*/*_submitted.pkl"))) == 4


def test_every_setting_for_slurm_is_one_that_its_plugin_knows():
    from hydra_plugins.hydra_submitit_launcher.config import LocalQueueConf, SlurmQueueConf
    from omegaconf import OmegaConf

    for name, schema in (("slurm", SlurmQueueConf), ("local", LocalQueueConf)):
        ours = OmegaConf.load(CONF / "hydra" / "launcher" / f"submitit_{name}.yaml")
        assert set(ours) == {one.name for one in dataclasses.fields(schema)}
