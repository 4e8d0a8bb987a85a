import multiprocessing
import time

import pytest
import torch

from harness.errors import ConfigError
from harness.metering import sharing
from harness.metering.device import choose_device, device_description, synchronise
from harness.metering.sharing import Neighbours

CPU = torch.device("cpu")


def has(monkeypatch, cuda=0, mps=False):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(1, True, "cuda"), (0, True, "mps"), (0, False, "cpu")]
)
def test_auto_takes_the_fastest_kind_there_is(monkeypatch, cuda, mps, chosen):
    has(monkeypatch, cuda, mps)
    assert choose_device().type == chosen


def test_a_device_by_number(monkeypatch):
    has(monkeypatch, cuda=2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("cuda", "name", "message"),
    [
        (0, "cuda", "finds no CUDA device"),
        (2, "cuda:2", "there are 2 CUDA devices"),
        (0, "mps", "no Apple GPU"),
        (0, "gpu", "unknown device 'gpu'"),
        (1, "cuda:first", "unknown device"),
    ],
)
def test_a_device_that_is_not_there_is_refused(monkeypatch, cuda, name, message):
    has(monkeypatch, cuda)
    with pytest.raises(ConfigError, match=message):
        choose_device(name)


def test_the_description_names_threads_and_memory():
    synchronise(CPU)
    assert "threads" in device_description(CPU)
    assert "GiB" in device_description(CPU)


def test_a_processor_that_uses_fewer_of_its_threads_is_another_device(monkeypatch):
    monkeypatch.setattr("psutil.cpu_count", lambda: 8)
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    assert ", 8 threads, " in device_description(CPU)
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    assert ", 1 of 8 threads, " in device_description(CPU)


def test_own_work_and_own_children_are_not_neighbours(monkeypatch):
    """The machine was busy for 100 of 200 CPU seconds, 95 of them ours: 5 of 200 is 2.5 %."""
    neighbours = watched(monkeypatch, busy=100.0, everything=200.0, own=95.0)
    assert neighbours.foreign_cpu_share() == pytest.approx(0.025)
    assert neighbours.device_exclusive() is True


def test_another_busy_process_makes_the_device_shared(monkeypatch):
    neighbours = watched(monkeypatch, busy=100.0, everything=200.0, own=60.0)
    assert neighbours.foreign_cpu_share() == pytest.approx(0.2)
    assert neighbours.device_exclusive() is False


def test_a_run_too_short_to_tell_leaves_it_open():
    assert Neighbours(CPU).device_exclusive() is None


def watched(monkeypatch, busy, everything, own):
    monkeypatch.setattr(sharing, "_machine_cpu_seconds", lambda: (0.0, 0.0))
    monkeypatch.setattr(sharing, "own_tree_cpu_seconds", lambda: 0.0)
    neighbours = Neighbours(CPU)
    neighbours._started -= 10
    monkeypatch.setattr(sharing, "_machine_cpu_seconds", lambda: (busy, everything))
    monkeypatch.setattr(sharing, "own_tree_cpu_seconds", lambda: own)
    return neighbours


def spin(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_cpu_time_of_a_living_child_is_ours():
    before = sharing.own_tree_cpu_seconds()
    own_before = time.process_time()
    child = multiprocessing.get_context("spawn").Process(target=spin, args=(0.5,))
    child.start()
    while child.is_alive() and sharing.own_tree_cpu_seconds() - before < 0.3:
        time.sleep(0.05)
    child.join()
    used = sharing.own_tree_cpu_seconds() - before - (time.process_time() - own_before)
    assert used >= 0.3


@pytest.mark.parametrize(
    ("pids", "foreign"),
    [({"own"}, False), ({"own", 99}, True), ({98, 99}, True), ({99}, None), (set(), None)],
)
def test_foreign_processes_on_a_gpu(monkeypatch, pids, foreign):
    """In a container our own entry has the host's number: one unknown entry proves nothing."""
    import os
    import sys
    from types import SimpleNamespace

    numbers = [os.getpid() if pid == "own" else pid for pid in pids]
    fake = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetComputeRunningProcesses=lambda _: [SimpleNamespace(pid=n) for n in numbers],
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(sharing, "gpu_uuid", lambda _: "GPU-1")
    assert sharing.foreign_processes_on_gpu(torch.device("cuda")) is foreign
