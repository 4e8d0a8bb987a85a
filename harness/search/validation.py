"""What a search looks at: validation questions, and the probes that an objective rests on."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import ConfigError
from harness.measures.config import PROBE_NAMES
from harness.types import Task

FORGETTING = "forgetting_"


def on_validation(task: Task) -> Task:
    """The task with its validation questions in the test questions' place.

    A trial has no test question that it could answer.

    Raises:
        ConfigError: there are no validation questions.
    """
    if not task.validation:
        raise ConfigError(
            f"the task {task.name} has no validation questions to search on: set "
            "task.validation_questions, or give the questions a split"
        )
    return replace(task, test=task.validation)


def probes_for(objective: str) -> list[str]:
    """The probes that a second objective rests on; none unless it is a forgetting measure."""
    if not objective.startswith(FORGETTING):
        return []
    return [name for name in PROBE_NAMES if objective.startswith(f"{FORGETTING}{name}")]
