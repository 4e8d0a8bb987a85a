"""Workers: their share of the machine, what they are told, and a sweep on joblib."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.config import Config, config_hash
from harness.errors import ConfigError
from harness.measures.config import MeasureConfig
from harness.models.config import ModelConfig
from harness.overrides import check
from harness.sweep import slots, workers
from harness.sweep.child import Order
from harness.sweep.config import SweepConfig
from harness.sweep.slots import gpu_for, slot, thread_settings, thread_share
from harness.sweep.supervise import Child
from harness.tasks.config import FictionalConfig
from tests.sweep.small_sweeps import artifacts, events, finish, results, start

pytestmark = pytest.mark.filterwarnings(r"ignore:\s*'hydra/launcher/\w+' is validated")

CONFIG = Config(
    arm="closed_book",
    task=FictionalConfig(),
    model=ModelConfig(name="tiny", source="local", id="folder"),
)


def test_how_cells_are_run_is_no_part_of_their_hash():
    other = replace(CONFIG, sweep=SweepConfig(8, 2, 5.0, 3), measure=MeasureConfig(exclusive=True))
    assert config_hash(other) == config_hash(CONFIG)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"workers": 0}, "workers is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"timeout_minutes": 0.0}, r"timeout_minutes is 0\.0"),
        ({"timeout_minutes": float("nan")}, "timeout_minutes is nan"),
        ({"retries": -1}, "retries is -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: dict[str, float], said: str):
    with pytest.raises(ConfigError, match=said):
        SweepConfig(**setting)  # type: ignore[arg-type]


def test_a_worker_has_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch):
    import joblib

    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    assert thread_share(SweepConfig(workers=2), {}) == 4
    assert thread_share(SweepConfig(workers=3), {}) == 2
    assert thread_share(SweepConfig(workers=16), {}) == 1
    assert thread_share(SweepConfig(workers=2, threads=7), {}) == 7
    # A Slurm job has what it was given, whatever the machine has.
    assert thread_share(SweepConfig(workers=2), {"SLURM_CPUS_PER_TASK": "6"}) == 6


def test_a_child_keeps_within_its_threads(tmp_path: Path):
    """Torch's threads, and those of what reads the environment when it is loaded."""
    script = tmp_path / "child.py"
    script.write_text(
        "import sys, os\n"
        "from multiprocessing.connection import Connection\n"
        "orders = Connection(int(sys.argv[1]))\n"
        "import torch, faiss\n"
        "orders.send('ready')\n"
        "order = orders.recv()\n"
        "torch.set_num_threads(order.threads)\n"
        "orders.send([torch.get_num_threads(), faiss.omp_get_max_threads()])\n"
    )
    for threads in (1, 3):
        environment = {**os.environ, **thread_settings(threads)}
        child = Child(environment, command=(sys.executable, str(script)))
        try:
            assert child.ask(Order(CONFIG, "missing", threads=threads), 60) == [threads, threads]
        finally:
            child.end()


def test_gpus_are_dealt_out_in_turn():
    assert [gpu_for(place, ["GPU-a", "GPU-b"]) for place in range(4)] == [
        "GPU-a",
        "GPU-b",
        "GPU-a",
        "GPU-b",
    ]
    assert gpu_for(1, ["GPU-a"]) is None  # all see the only one
    assert gpu_for(1, []) is None


def test_visible_gpus_are_those_that_are_left_to_us(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert slots.visible_gpus() == ["3", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert slots.visible_gpus() == []


def test_no_more_work_at_once_than_there_are_places(tmp_path: Path):
    working, most, places = 0, 0, set()
    guard = threading.Lock()

    def work() -> None:
        nonlocal working, most
        with slot(tmp_path, 2) as place:
            with guard:
                working += 1
                most = max(most, working)
                places.add(place)
            time.sleep(0.1)
            with guard:
                working -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, places) == (2, {0, 1})


def test_the_place_of_a_dead_process_is_free(tmp_path: Path):
    code = (
        "import os, sys; from pathlib import Path; from harness.sweep.slots import slot\n"
        "with slot(Path(sys.argv[1]), 1): os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    with slot(tmp_path, 1) as place:
        assert place == 0


def test_a_process_is_a_worker_if_the_command_is_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(workers.COMMAND_VARIABLE, raising=False)
    assert not workers.is_worker()
    monkeypatch.setenv(workers.COMMAND_VARIABLE, f"{socket.gethostname()} {os.getpid()}")
    assert not workers.is_worker()
    monkeypatch.setenv(workers.COMMAND_VARIABLE, f"elsewhere {os.getpid()}")
    assert workers.is_worker()


def test_a_folder_that_a_worker_cannot_see_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(workers.FOLDER_VARIABLE, "/no/such/folder")
    with pytest.raises(ConfigError, match=r"cannot enter /no/such/folder.*all machines share"):
        workers.join_command()


@pytest.mark.parametrize("launcher", sorted(workers.PLUGINS))
def test_every_launcher_composes_and_is_known_to_the_command(launcher: str):
    workers.check_launcher(launcher)
    plan = check(["seed=0,1", f"hydra/launcher={launcher}"], multirun=True)
    assert (plan.launcher, plan.jobs) == (launcher, 2)


def test_a_single_run_has_no_launcher():
    assert check(["seed=0", "hydra/launcher=joblib"], multirun=False).launcher == "basic"


def test_a_launcher_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch):
    plugins = {"ray": ("hydra_plugins.none_such", "hydra-ray-launcher")}
    monkeypatch.setattr(workers, "PLUGINS", plugins)
    with pytest.raises(ConfigError, match=r"hydra/launcher=ray needs .*hydra-ray-launcher"):
        workers.check_launcher("ray")


def test_two_joblib_workers_give_the_rows_and_answers_of_one_process(
    tmp_path: Path, tiny_model_folder: Path, undisturbed: Path
):
    launcher = ("hydra/launcher=joblib", "sweep.workers=2", "measure.exclusive=true")
    folder = tmp_path / "it's a folder, with letters"
    said = finish(start(folder, tiny_model_folder, *launcher))
    assert results(folder) == results(undisturbed)
    assert artifacts(folder) == artifacts(undisturbed)
    assert len({event["pid"] for event in events(folder)}) == 2
    assert len(said.splitlines()) == 4, said
    again = finish(start(folder, tiny_model_folder, *launcher))
    assert "4 kept" in again
    assert {event["state"] for event in events(folder)} == {"running", "kept"}


def test_a_failed_cell_of_a_worker_is_one_line_and_exit_code_1(tmp_path: Path):
    launcher = ("hydra/launcher=joblib", "seed=0", "method=closed_book")
    said = finish(start(tmp_path, tmp_path / "no_model", *launcher), code=1)
    assert len(said.splitlines()) == 1, said
    assert "failed" in said
    assert json.dumps(str(tmp_path / "no_model"))[1:-1] in said
