"""What a scale is expected to take where its settings do not say: a device, and sizes of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.reproduce.yaml_file import Node


@dataclass(frozen=True)
class TaskSize:
    """How large a task is expected to be; None is nothing of that kind.

    Attributes:
        questions: test questions, where the task's settings do not ask for fewer.
        prompt_tokens: of a question's prompt on average, without passages and few-shot examples.
        examples: trained on in an epoch, where no generator writes them.
        documents: that a generator writes training pairs from.
        example_tokens: of a training example on average, without passages.
        note: where these figures are from.
    """

    questions: float
    prompt_tokens: float
    examples: float | None
    documents: float | None
    example_tokens: float | None
    note: str

    def told(self, task: str) -> str:
        """The figures on a line."""
        parts = [f"{self.questions:,g} questions in prompts of {self.prompt_tokens:g} tokens"]
        if self.documents is not None:
            parts.append(f"{self.documents:,g} documents to write pairs from")
        if self.examples is not None:
            parts.append(f"{self.examples:,g} training examples an epoch")
        if self.example_tokens is not None:
            parts.append(f"{self.example_tokens:g} tokens an example")
        return f"{task}: {', '.join(parts)} ({self.note})"


@dataclass(frozen=True)
class Expected:
    """What a scale's plan rests on.

    Attributes:
        device: of the catalogue ``harness/data/devices.csv``.
        shapes: model -> the model of ``harness/data/model_shapes.csv`` that has its shape.
        tasks: task -> its size.
    """

    device: str
    shapes: Mapping[str, str]
    tasks: Mapping[str, TaskSize]


def read_expected(node: Node) -> Expected:
    """What the ``plan`` of a scale in ``paper.yaml`` says.

    Raises:
        DataError: a field is missing, unknown or not what it has to be.
    """
    node.known(("device", "shapes", "tasks"))
    shapes, tasks = node.node("shapes", {}), node.node("tasks")
    return Expected(
        device=node.text("device"),
        shapes={model: shapes.text(model) for model in shapes.values},
        tasks={task: _size(tasks.node(task)) for task in tasks.values},
    )


def _size(node: Node) -> TaskSize:
    node.known(("questions", "prompt_tokens", "examples", "documents", "example_tokens", "note"))
    examples, documents, tokens = (
        node.number(name, above=0) if name in node.values else None
        for name in ("examples", "documents", "example_tokens")
    )
    if (examples is not None or documents is not None) and tokens is None:
        node.wrong("examples or documents without example_tokens: how long is a training example?")
    return TaskSize(
        questions=node.number("questions", above=0),
        prompt_tokens=node.number("prompt_tokens", above=0),
        examples=examples,
        documents=documents,
        example_tokens=tokens,
        note=node.text("note"),
    )
