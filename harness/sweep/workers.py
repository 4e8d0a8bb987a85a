"""Cells in other processes than the command's: joblib, Ray, submitit (local or Slurm).

The command starts the launcher with what its workers must know; a worker hands each cell to a
child process (``supervise``) that has its share of the machine (``slots``).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.config import Config
from harness.errors import ConfigError
from harness.sweep import slots
from harness.sweep.child import Order
from harness.sweep.outcome import Outcome, outcome_of
from harness.sweep.supervise import end_child, kept_child, run_watched

COMMAND_VARIABLE = "HARNESS_COMMAND"
"""Environment variable with the host and the process id of the command that runs the sweep."""

FOLDER_VARIABLE = "HARNESS_FOLDER"
"""Environment variable with the folder that the command was given in."""

PLUGINS = {
    "joblib": ("hydra_plugins.hydra_joblib_launcher", "hydra-joblib-launcher"),
    "ray": ("hydra_plugins.hydra_ray_launcher", "hydra-ray-launcher"),
    "ray_cluster": ("hydra_plugins.hydra_ray_launcher", "hydra-ray-launcher"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", "hydra-submitit-launcher"),
    "submitit_slurm": ("hydra_plugins.hydra_submitit_launcher", "hydra-submitit-launcher"),
}
"""hydra/launcher to the module and the package that it needs."""

RAY_SETTINGS = {
    "RAY_AUTH_MODE": "token",  # as Ray does by itself, with a warning
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray would report its use over the network
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # Ray would hide the GPUs from cells
    "RAY_worker_niceness": "0",  # Ray's 15 would be measured: any other process would come first
    "RAY_memory_monitor_refresh_ms": "0",  # Ray would kill workers, and try them again for ever
}

LOOK_SECONDS = 1.0


def check_launcher(launcher: str) -> None:
    """Check that what a launcher needs is installed.

    Raises:
        ConfigError: it is not.
    """
    if launcher not in PLUGINS:
        return
    module, package = PLUGINS[launcher]
    if importlib.util.find_spec("hydra_plugins") and importlib.util.find_spec(module):
        return
    raise ConfigError(
        f"hydra/launcher={launcher} needs the package {package}, which is not installed; "
        "docs/sweeps.md says how"
    )


@contextlib.contextmanager
def started(launcher: str, invocation: str) -> Iterator[list[str]]:
    """While a launcher runs: overrides for Hydra that it needs; what it leaves is removed."""
    os.environ[COMMAND_VARIABLE] = f"{socket.gethostname()} {os.getpid()}"
    os.environ[FOLDER_VARIABLE] = str(Path.cwd())
    try:
        if launcher == "ray":
            with _ray_folder() as folder:
                yield [f"++hydra.launcher.ray.init._temp_dir='{folder}'"]
        else:
            yield []
    finally:
        end_child()
        if launcher != "basic":
            shutil.rmtree(slots.slot_folder(invocation), ignore_errors=True)


@contextlib.contextmanager
def _ray_folder() -> Iterator[str]:
    """A folder for a Ray of our own, which is shut down and its folder removed at the end."""
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    # For this sweep alone: otherwise Ray leaves one in the home folder.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    # Ray puts sockets there, whose paths may have 107 letters: TMPDIR, or results, may be too deep.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    try:
        yield folder
    finally:
        if "ray" in sys.modules:
            sys.modules["ray"].shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def is_worker() -> bool:
    """Whether this process runs cells for a command in another process."""
    command = os.environ.get(COMMAND_VARIABLE, "")
    return command not in ("", f"{socket.gethostname()} {os.getpid()}")


def attempt(
    config: Config,
    rerun: str,
    handed: dict[str, str],
    logging: dict[str, Any],
    runs: Callable[[], None],
    again: Callable[[str], None],
) -> Outcome:
    """Run one cell: here, or in a watched child if this is a worker or there is a time limit.

    Args:
        handed: environment variables of the command that the cell needs.
        logging: how the child is to log.
        runs: called as the cell begins, at each try: a worker may have to wait for its place.
        again: told why a cell was lost, before it is tried again.
    """
    sweep = config.sweep
    worker = is_worker()
    limit = None if sweep.timeout_minutes is None else sweep.timeout_minutes * 60
    if not worker and limit is None:
        if sweep.threads is not None:
            os.environ.update(slots.thread_settings(sweep.threads))
            import torch

            torch.set_num_threads(sweep.threads)
        runs()
        return outcome_of(config, rerun)
    threads = slots.thread_share(sweep) if worker else sweep.threads
    with _place(config) if worker else contextlib.nullcontext() as place:
        environment, log = dict(os.environ), None
        if threads is not None:
            environment |= slots.thread_settings(threads)
        if place is not None:
            gpu = slots.gpu_for(place, slots.visible_gpus())
            if gpu is not None and config.model.device in ("auto", "cuda"):
                environment["CUDA_VISIBLE_DEVICES"] = gpu
            name = f"{os.environ.get('HARNESS_INVOCATION')}-{socket.gethostname()}-{place}.log"
            log = (config.folder() / ".hydra" / "workers" / name).absolute()
        order = Order(config, rerun, environment=handed, logging=logging, threads=threads)
        for variable in handed:  # they change from one command to the next, the child need not
            environment.pop(variable, None)
        return run_watched(
            order, lambda: kept_child(environment, log), sweep.retries, limit, runs, again
        )


@contextlib.contextmanager
def _place(config: Config) -> Iterator[int | None]:
    """This worker's place on its machine; None under Slurm, which gives each job its own share."""
    if "SLURM_JOB_ID" in os.environ:
        yield None
        return
    invocation = os.environ.get("HARNESS_INVOCATION", "")
    with slots.slot(slots.slot_folder(invocation), config.sweep.workers) as place:
        yield place


_follows: str | None = None


def join_command() -> None:
    """Be a worker of the command: in its folder, and no longer than it lives, if it is on this
    machine.

    Raises:
        ConfigError: its folder cannot be seen from here.
    """
    global _follows  # noqa: PLW0603
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        try:
            os.chdir(folder)
        except OSError as error:
            raise ConfigError(
                f"{socket.gethostname()} cannot enter {folder}, where the sweep was started "
                f"({error.strerror}): start it in a folder that all machines share"
            ) from error
    host, _, pid = os.environ.get(COMMAND_VARIABLE, "").rpartition(" ")
    if host == socket.gethostname() and _follows is None and "SLURM_JOB_ID" not in os.environ:
        _follows = pid
        threading.Thread(target=_end_with, args=(int(pid),), name="command", daemon=True).start()


def _end_with(pid: int) -> None:
    """End this worker once the command has ended: a sweep that was killed leaves none running."""
    import psutil

    try:
        command = psutil.Process(pid)
        while command.is_running() and command.status() != psutil.STATUS_ZOMBIE:
            time.sleep(LOOK_SECONDS)
    except psutil.Error:
        pass
    end_child()
    os._exit(1)
