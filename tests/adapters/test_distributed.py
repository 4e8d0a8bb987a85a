"""Several processes train as one would: same steps, same losses; and none outlives a failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from conftest import load_tiny
from ranks_scenarios import every_loss
from safetensors.torch import load_file

from harness.adapters import distributed
from harness.adapters import processes as processes_module
from harness.adapters.checkpoints import Checkpoints
from harness.adapters.config import AdapterConfig
from harness.adapters.distributed import Base, backend_of, train_over_processes
from harness.adapters.examples import IGNORED, Example, answer_example
from harness.adapters.processes import Processes, environment
from harness.adapters.ranks import NOTHING, Ranks, SharedBatches, WithNothing, share
from harness.adapters.train import TrainingSummary, train
from harness.errors import ConfigError, HarnessError, TrainingError
from harness.metering.meter import Meter
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles
from harness.telling import telling

# Nine, in steps of four: in an epoch's last step one process has nothing to train on.
PAIRS = [
    ("the river mayor", "Oslo"),
    ("one two", "Lima"),
    ("town person", "Paris Rome"),
    ("x", "y"),
    ("four five six seven one two", "Cairo"),
    ("a", "Rome Rome Rome"),
    ("mayor", "Accra Oslo"),
    ("seven", "London"),
    ("six six six six six six", "Paris"),
]
SCENARIOS: dict[str, dict[str, Any]] = {
    "ddp": {},
    "accumulated": {"micro_batch_size": 1},
    "stopping": {"early_stopping_patience": 2, "learning_rate": 5e-2, "epochs": 8},
    "full": {"kind": "full", "learning_rate": 1e-3, "epochs": 2},
    "fsdp": {"strategy": "fsdp", "gradient_checkpointing": True},
    "fsdp_full": {"strategy": "fsdp", "kind": "full", "learning_rate": 1e-3, "epochs": 2},
    "fsdp_stopping": {
        "strategy": "fsdp",
        "early_stopping_patience": 2,
        "learning_rate": 5e-2,
        "epochs": 8,
    },
    "dropout": {"dropout": 0.2},
}
INTERRUPTED = ("ddp", "fsdp", "dropout")
SEED = 3


def settings(**changes: Any) -> AdapterConfig:
    values: dict[str, Any] = {
        "rank": 4,
        "alpha": 8,
        "learning_rate": 1e-2,
        "epochs": 3,
        "batch_size": 4,
        "warmup_share": 0.0,
        "processes": 2,
    }
    return AdapterConfig(**{**values, **changes})


def alone(config: AdapterConfig) -> AdapterConfig:
    """The same training in one process; gradient checkpointing and shards change no figure."""
    micro = config.micro_batch_size
    return replace(config, processes=1, strategy="ddp", micro_batch_size=micro and 2 * micro)


def model_config(folder: Path) -> ModelConfig:
    return ModelConfig(
        name="tiny",
        source="local",
        id=str(folder),
        device="cpu",
        dtype="float32",
        attention="eager",
        train_dtype="float32",
        train_attention="eager",
    )


def base(folder: Path) -> Base:
    return Base(ModelFiles(str(folder), None, "tiny"), model_config(folder), "cpu")


@pytest.fixture(scope="module")
def examples(tiny_model_folder: Path) -> list[Example]:
    model = load_tiny(tiny_model_folder)
    return [answer_example(model, prompt, answer, 64) for prompt, answer in PAIRS]


@pytest.fixture(scope="module")
def held_out(tiny_model_folder: Path) -> list[Example]:
    """Three, in batches of four: one process takes two of them, the other one."""
    model = load_tiny(tiny_model_folder)
    return [answer_example(model, prompt, "seven", 64) for prompt, _ in PAIRS[:3]]


def as_json(examples: list[Example]) -> list[list[list[int]]]:
    return [[example.input_ids, example.labels] for example in examples]


@pytest.fixture(scope="module")
def two(
    tiny_model_folder: Path,
    examples: list[Example],
    held_out: list[Example],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with what two processes made of each scenario."""
    out = tmp_path_factory.mktemp("two")
    stored = out / "examples.json"
    stored.write_text(json.dumps({"train": as_json(examples), "held_out": as_json(held_out)}))

    def scenario(name: str, label: str, **more: Any) -> dict[str, Any]:
        config = asdict(settings(**SCENARIOS[name]))
        return {"config": config, "folder": str(out / label), **more}

    scenarios = [scenario(name, name) for name in SCENARIOS]
    for name in INTERRUPTED:
        kept = {"checkpoints": str(out / f"{name}_work"), "every_steps": 2}
        scenarios.append(scenario(name, f"{name}_killed", killed_after=5, **kept))
        scenarios.append(scenario(name, f"{name}_resumed", **kept))
    full = {"checkpoints": str(out / "full_disk_work"), "every_steps": 2, "room_for": 1}
    scenarios.append(scenario("ddp", "full_disk", **full))
    job = {
        "files": asdict(base(tiny_model_folder).files),
        "model": asdict(model_config(tiny_model_folder)),
        "device": "cpu",
        "backend": "gloo",
        "examples": str(stored),
        "seed": SEED,
        "checkpoints": None,
        "every_steps": None,
        "threads": 1,
        "patience_seconds": 120,
        "scenarios": scenarios,
    }
    command = [sys.executable, str(Path(__file__).parent / "ranks_scenarios.py")]
    with Processes(command, job, 2, out) as processes:
        processes.until("ended")
    return out


def weights(folder: Path) -> dict[str, torch.Tensor]:
    names = ("adapter_model.safetensors", "model.safetensors")
    return load_file(next(folder / name for name in names if (folder / name).exists()))


@pytest.fixture(scope="module")
def one(
    tiny_model_folder: Path,
    examples: list[Example],
    held_out: list[Example],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """What one process makes of a scenario: its summary, the loss of each step, the weights."""
    made: dict[str, tuple[TrainingSummary, list[float], dict[str, torch.Tensor]]] = {}

    def train_alone(name: str) -> tuple[TrainingSummary, list[float], dict[str, torch.Tensor]]:
        if name not in made:
            folder = tmp_path_factory.mktemp("one")
            model = load_tiny(tiny_model_folder)
            config = alone(settings(**SCENARIOS[name]))
            with every_loss() as losses:
                summary = train(
                    model, config, examples, held_out, SEED, folder, lambda loop: loop()
                )
            made[name] = summary, losses, weights(folder)
        return made[name]

    return train_alone


def assert_same_weights(
    got: dict[str, torch.Tensor], want: dict[str, torch.Tensor], tolerance: float
) -> None:
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert torch.allclose(got[name], value, atol=tolerance), name


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "dropout"])
def test_two_processes_take_the_steps_of_one(name: str, two: Path, one: Any):
    summary, losses, want = one(name)
    told = json.loads((two / name / "told.json").read_text())
    assert len(losses) == summary.steps
    assert told["losses"] == pytest.approx(losses, abs=5e-5)
    # Weights moved by far more than this: by the learning rate in each of the first steps.
    assert_same_weights(weights(two / name), want, 2e-4)
    got = told["summary"]
    assert (got["steps"], got["tokens"], got["epochs"]) == (
        summary.steps,
        summary.tokens,
        summary.epochs,
    )
    assert got["validation_loss"] == pytest.approx(summary.validation_loss, abs=5e-5)


def test_early_stopping_ends_all_processes_at_the_epoch_where_one_would_stop(two: Path, one: Any):
    summary, _, _ = one("stopping")
    assert summary.epochs < 8
    assert not (two / "stopping" / "checkpoints").exists()


@pytest.mark.parametrize("name", INTERRUPTED)
def test_killed_and_resumed_they_end_with_the_weights_of_an_undisturbed_training(
    name: str, two: Path
):
    assert not (two / f"{name}_killed" / "told.json").exists()
    told = json.loads((two / f"{name}_resumed" / "told.json").read_text())
    whole = json.loads((two / name / "told.json").read_text())
    assert len(told["losses"]) == 5  # from the checkpoint of step 4 on, of 9
    assert told["losses"] == pytest.approx(whole["losses"][4:], abs=1e-6)
    assert told["resumed"] == {"train": 1.5}
    assert told["summary"]["tokens"] == whole["summary"]["tokens"]
    assert_same_weights(weights(two / f"{name}_resumed"), weights(two / name), 1e-6)


def test_where_checkpoints_cannot_be_written_all_go_on_without(two: Path):
    work = two / "full_disk_work"
    assert [path.name for path in work.iterdir()] == ["checkpoint-2"]
    assert_same_weights(weights(two / "full_disk"), weights(two / "ddp"), 1e-6)


def test_no_process_sees_an_example_twice_whatever_dropout_draws(two: Path, one: Any):
    told = json.loads((two / "dropout" / "told.json").read_text())
    assert told["summary"]["tokens"] == one("ddp")[0].tokens


def test_the_whole_way_gives_the_adapter_and_meters_the_processes(
    tiny_model_folder: Path, own_cache: Path, examples: list[Example], one: Any, tmp_path: Path
):
    meter = Meter(torch.device("cpu"))
    work = Checkpoints(tmp_path / "work", 4, lambda: {"train": 2.0})
    (tmp_path / "adapter").mkdir()

    def measured(loop: Any) -> None:
        with meter.phase("train"):
            loop()

    summary = train_over_processes(
        base(tiny_model_folder),
        settings(),
        examples,
        [],
        SEED,
        tmp_path / "adapter",
        measured,
        checkpoints=work,
        loading=meter.phase("load"),
        meter=meter,
    )
    want, losses, expected = one("ddp")
    assert (summary.steps, summary.tokens) == (want.steps, want.tokens)
    assert summary.last_loss == pytest.approx(sum(losses[-3:]) / 3, abs=5e-5)
    assert {path.name for path in (tmp_path / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert_same_weights(weights(tmp_path / "adapter"), expected, 2e-5)
    progress = json.loads((work.path(8) / "progress.json").read_text())
    assert (progress["costs"], progress["step"]) == ({"train": 2.0}, 8)
    # Importing torch and transformers alone takes each process seconds of CPU time.
    load, trained = meter.readings()["load"], meter.readings()["train"]
    assert load.cpu_seconds > 2
    assert trained.cpu_seconds > 0
    assert trained.peak_memory_gib > 3 * 0.15  # three processes that hold torch
    assert psutil.Process().children() == []


@pytest.fixture
def short_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a second, not three, for what else the processes say when one has failed."""
    monkeypatch.setattr(processes_module, "LAST_WORDS_SECONDS", 1.0)


def gang(tmp_path: Path, script: str, world: int = 2) -> Processes:
    """Processes that run a few lines of Python instead of training."""
    head = (
        "import json, os, signal, sys, time\n"
        "rank = int(os.environ['RANK'])\n"
        "def tell(what, value=None): print(json.dumps([what, value]), flush=True)\n"
    )
    return Processes([sys.executable, "-c", head + script], {}, world, tmp_path)


def assert_all_ended(processes: Processes) -> None:
    assert all(process.poll() is not None for process in processes._running)


@pytest.mark.usefixtures("short_last_words")
def test_a_killed_process_ends_the_others_and_is_one_line(tmp_path: Path):
    script = "time.sleep(60) if rank == 0 else os.kill(os.getpid(), signal.SIGKILL)"
    processes = gang(tmp_path, script)
    begun = time.monotonic()
    with pytest.raises(TrainingError) as caught, processes:
        processes.until("trained")
    assert str(caught.value) == (
        "process 2 of the 2 that trained was killed (signal 9), most often because memory ran "
        "out; set adapter.micro_batch_size or adapter.processes lower"
    )
    assert_all_ended(processes)
    assert time.monotonic() - begun < 30


@pytest.mark.usefixtures("short_last_words")
def test_a_process_that_dies_without_a_word_is_quoted(tmp_path: Path):
    processes = gang(tmp_path, "time.sleep(60) if rank else sys.exit('no such library')")
    with (
        pytest.raises(TrainingError, match=r"process 1 .* ended with code 1; .*: no such library"),
        processes,
    ):
        processes.until("trained")
    assert_all_ended(processes)


def test_the_cause_is_told_not_what_followed_from_it(tmp_path: Path):
    script = """
if rank == 0:
    tell("failed", {"kind": "", "line": "RuntimeError: connection closed by peer"})
else:
    time.sleep(0.5)
    tell("failed", {"kind": "TrainingError", "line": "the loss became nan; lower the rate"})
"""
    processes = gang(tmp_path, script)
    with pytest.raises(TrainingError, match=r"^the loss became nan; lower the rate$"), processes:
        processes.until("trained")


@pytest.mark.usefixtures("short_last_words")
def test_an_error_of_our_own_keeps_its_traceback_under_one_line(tmp_path: Path):
    told = {"kind": "", "line": "KeyError: 'x'\nmore", "traceback": "Traceback: here"}
    processes = gang(tmp_path, f"tell('failed', {told!r})")
    with pytest.raises(RuntimeError) as caught, processes:
        processes.until("trained")
    assert not isinstance(caught.value, HarnessError)
    first, rest = str(caught.value).split("\n", 1)
    assert first.endswith("of the 2 that trained failed: KeyError: 'x' more")
    assert rest == "Traceback: here"


def test_a_name_that_is_no_error_of_ours_is_not_raised_as_one(tmp_path: Path):
    processes = gang(tmp_path, "tell('failed', {'kind': 'suggestion', 'line': 'x'})")
    with pytest.raises(RuntimeError, match="failed: x"), processes:
        processes.until("trained")


def test_ctrl_c_ends_all_processes(tmp_path: Path):
    def interrupt(value: object) -> None:
        raise KeyboardInterrupt

    processes = gang(tmp_path, "tell('step', 1); time.sleep(60)")
    processes.on["step"] = interrupt
    with pytest.raises(KeyboardInterrupt), processes:
        processes.until("trained")
    assert_all_ended(processes)


def test_a_question_is_answered(tmp_path: Path):
    script = "tell('costs'); tell('echo', json.loads(sys.stdin.readline())); time.sleep(60)"
    processes = gang(tmp_path, script, world=1)
    processes.on["costs"] = lambda _: {"train": 7}
    with processes:
        processes.until("echo")
    assert processes.told["echo"] == {"train": 7}


def test_a_worker_ends_when_the_process_that_started_it_does():
    lines = "import time; from harness.adapters.worker import Channel; Channel().tell('here')"
    worker = subprocess.Popen(
        [sys.executable, "-c", f"{lines}; time.sleep(60)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None and worker.stdin is not None
    assert json.loads(worker.stdout.readline()) == ["here", None]
    worker.stdin.close()  # as the system does when the other process dies
    assert worker.wait(timeout=20) == 1
    worker.stdout.close()


HANGS = """
import json, os, sys, time
from harness.adapters.worker import Channel, join
from harness.telling import telling
from pathlib import Path
channel = Channel()
job = json.loads(Path(sys.argv[1]).read_text())
join(job)
import torch
torch.distributed.barrier()
if torch.distributed.get_rank() == 1:
    time.sleep(120)
try:
    torch.distributed.barrier()
except RuntimeError as error:
    channel.tell("failed", {"kind": "", "line": str(error), "traceback": ""})
"""


@pytest.mark.usefixtures("short_last_words")
def test_a_process_that_hangs_is_waited_for_no_longer_than_the_patience(tmp_path: Path):
    job = {"device": "cpu", "backend": "gloo", "threads": 1, "patience_seconds": 10}
    processes = Processes([sys.executable, "-c", HANGS], job, 2, tmp_path)
    with pytest.raises(RuntimeError, match=r"process 1 .* failed: .*[Tt]imed? ?out"), processes:
        processes.until("trained")
    assert_all_ended(processes)


class OneOf(Ranks):
    """One of several processes that do not exist: the first gives its own state to all."""

    def __init__(self, rank: int, world: int, state: torch.Tensor) -> None:
        self.rank, self.world, self.state = rank, world, state

    def from_first(self, value: torch.Tensor) -> torch.Tensor:
        return self.state


class Shuffled(torch.utils.data.Sampler[int]):
    def __len__(self) -> int:
        return 9

    def __iter__(self) -> Any:
        return iter(torch.randperm(9).tolist())


def test_the_ranks_share_one_order_and_then_draw_differently():
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    order = torch.randperm(9).tolist()
    dealt, drawn = [], []
    for rank in range(2):
        torch.manual_seed(100 + rank)  # apart, as dropout leaves them
        dealt.append(list(SharedBatches(Shuffled(), 2, OneOf(rank, 2, state))))
        drawn.append(float(torch.rand(())))
    assert dealt == [
        [[order[0], order[2]], [order[4], order[6]], [order[8]]],
        [[order[1], order[3]], [order[5], order[7]], [NOTHING]],
    ]
    assert drawn[0] != drawn[1]
    assert len(SharedBatches(Shuffled(), 2, OneOf(0, 2, state))) == 3


def test_positions_are_dealt_out_like_cards():
    assert [share([7, 5, 3], rank, 2) for rank in range(2)] == [[7, 3], [5]]
    assert share([7], 1, 2) == [NOTHING]


def test_nothing_is_an_example_without_loss():
    features = [{"input_ids": [4, 5], "labels": [IGNORED, 5]}]
    assert WithNothing(features)[NOTHING] == {"input_ids": [4], "labels": [IGNORED]}
    assert WithNothing(features)[0] is features[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 5}, r"batch_size \(5\) cannot be divided among adapter.processes=2; .* 2$"),
        ({"micro_batch_size": 4}, r"it divides adapter.batch_size \(4\) / adapter.processes \(2\)"),
        ({"processes": 0}, r"adapter.processes is 0; it is at least 1"),
        ({"strategy": "fdsp"}, r"adapter.strategy is 'fdsp'.*did you mean 'fsdp'"),
        ({"processes": 1, "strategy": "fsdp"}, r"strategy=fsdp is for several processes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        settings(**changes)


def test_the_step_stays_what_it_is_with_one_process():
    assert (settings().on_device, settings().accumulation) == (2, 1)
    assert (settings(micro_batch_size=1).on_device, settings(micro_batch_size=1).accumulation) == (
        1,
        2,
    )


def test_one_process_says_nothing_of_processes_in_its_key():
    said = telling("adapter", asdict(settings(processes=1)))
    assert {"processes", "strategy"}.isdisjoint(said)
    assert telling("adapter", asdict(settings()))["processes"] == 2
    assert telling("adapter", asdict(settings(strategy="fsdp")))["strategy"] == "fsdp"


@pytest.mark.parametrize(
    ("device", "visible", "message"),
    [
        ("mps", 0, "several processes train on CUDA GPUs or on the CPU, not on mps"),
        ("cuda:1", 2, "choose them with CUDA_VISIBLE_DEVICES"),
        ("cuda", 1, "adapter.processes=2, but 1 GPU is visible"),
    ],
)
def test_each_process_needs_a_device(device, visible, message, monkeypatch, examples, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    started = replace(base(tmp_path), device=device)
    with pytest.raises(ConfigError, match=message):
        train_over_processes(started, settings(), examples, [], 0, tmp_path, lambda loop: loop())


def test_nothing_to_train_on_is_refused_before_anything_is_started(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(distributed, "Processes", None)
    with pytest.raises(TrainingError, match="nothing to train on"):
        train_over_processes(base(tmp_path), settings(), [], [], 0, tmp_path, lambda loop: loop())


def test_on_gpus_each_process_takes_its_own_and_they_speak_nccl(monkeypatch):
    from harness.adapters import worker

    asked: dict[str, Any] = {}
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: asked.update(device=device))
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: asked.update(threads=threads))
    monkeypatch.setattr(torch.distributed, "TCPStore", lambda *args, **kwargs: args)
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda **kwargs: asked.update(kwargs)
    )
    for name, value in environment({}, 1, 2, 3, 4567).items():
        monkeypatch.setenv(name, value)
    job = {"device": "cuda", "backend": backend_of("cuda:0"), "threads": 3, "port": 4567}
    device = worker.join({**job, "patience_seconds": 9})
    assert device == asked["device"] == torch.device("cuda:1")
    assert asked["backend"] == "cuda:nccl,cpu:gloo"
    assert asked["store"] == ("127.0.0.1", 4567)
    assert (asked["rank"], asked["world_size"], asked["threads"]) == (1, 2, 3)


def test_a_process_knows_its_place_and_no_launchers_settings():
    here = {"PATH": "/bin", "ACCELERATE_MIXED_PRECISION": "fp16", "PYTHONPATH": "/own"}
    own = environment(here, 1, 2, 3, 4567)
    assert (own["RANK"], own["LOCAL_RANK"], own["WORLD_SIZE"]) == ("1", "1", "2")
    assert (own["OMP_NUM_THREADS"], own["MASTER_PORT"], own["PATH"]) == ("3", "4567", "/bin")
    assert "ACCELERATE_MIXED_PRECISION" not in own
    assert own["PYTHONPATH"].split(os.pathsep)[1] == "/own"


def test_the_threads_are_shared_out(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert [distributed.threads_each(n) for n in (1, 2, 16)] == [7, 3, 1]
