"""A worker's place on its machine: how many run at once, and what each has of cores and GPUs."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.sweep.config import SweepConfig
from harness.sweep.locks import lock_folder

POLL_SECONDS = 0.2

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # torch, faiss
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",  # tokenizers
)
"""What libraries read, once, when they are loaded."""

_last = 0
"""The place this process had last: it is tried first, since a GPU goes with it."""


def slot_folder(invocation: str) -> Path:
    """The folder of one command's places on this machine."""
    return lock_folder("slots") / f"{invocation}-{socket.gethostname()}"


@contextmanager
def slot(folder: Path, count: int) -> Iterator[int]:
    """A place, 0 to ``count`` - 1, that no other process has; waits until one is free.

    Launchers that start all jobs at once (submitit's local executor) are held back here.
    """
    global _last  # noqa: PLW0603
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    while True:
        for number in sorted(range(count), key=lambda one: one != _last):
            lock = FileLock(folder / f"{number}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            _last = number
            try:
                yield number
            finally:
                lock.release()
            return
        time.sleep(POLL_SECONDS)


def thread_share(sweep: SweepConfig, environment: Mapping[str, str] = os.environ) -> int:
    """Threads for one worker: as set, as Slurm gives, or its share of this machine's cores."""
    import joblib

    if sweep.threads is not None:
        return sweep.threads
    allotted = environment.get("SLURM_CPUS_PER_TASK", "")
    if allotted.isdigit():
        return max(1, int(allotted))
    # Of the cores that this process may use: joblib knows affinity and containers' limits.
    return max(1, joblib.cpu_count() // sweep.workers)


def thread_settings(threads: int) -> dict[str, str]:
    """The environment variables that keep a process that is to start within ``threads``."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def gpu_for(place: int, visible: list[str]) -> str | None:
    """The GPU of the worker at a place, as CUDA_VISIBLE_DEVICES takes it; None to leave it as is.

    With fewer GPUs than workers several share one, and their rows say so.
    """
    return visible[place % len(visible)] if len(visible) > 1 else None


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by what names them; empty if there are none."""
    stated = os.environ.get("CUDA_VISIBLE_DEVICES")
    if stated is not None:
        return [name.strip() for name in stated.split(",") if name.strip()]
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return [str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
    except Exception:  # NVML absent or not permitted: each has its own exception type
        return []
