"""Tasks: each gives training pairs, validation and test questions, and a corpus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.errors import ConfigError, suggestion
from harness.tasks.cities import load_cities
from harness.tasks.config import TaskConfig
from harness.tasks.custom import load_custom
from harness.tasks.dataset import load_dataset_task
from harness.tasks.dataset_config import DATASETS
from harness.tasks.distractors import with_distractors
from harness.tasks.fictional import load_fictional
from harness.tasks.films import load_films
from harness.tasks.mmlu import load_mmlu
from harness.tasks.world_facts import load_world_facts
from harness.types import Task

# Each loader takes the config class of its own task.
TASKS: dict[str, Callable[[Any], Task]] = {
    "world_facts": load_world_facts,
    "fictional": load_fictional,
    "cities": load_cities,
    "films": load_films,
    "custom": load_custom,
    **dict.fromkeys(DATASETS, load_dataset_task),
    "mmlu": load_mmlu,
}


def load_task(config: TaskConfig) -> Task:
    """The task that ``config.name`` names, loaded as ``config`` says."""
    if config.name not in TASKS:
        raise ConfigError(
            f"unknown task '{config.name}'; known: {', '.join(TASKS)}"
            + suggestion(config.name, list(TASKS))
        )
    task = TASKS[config.name](config)
    return with_distractors(task, config.distractors, config.split_seed)
