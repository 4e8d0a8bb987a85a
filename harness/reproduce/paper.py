"""A paper to be run again: its stages by scale, its claims, its tables and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import ConfigError, suggestion
from harness.reproduce.claims import Claim, Claims
from harness.reproduce.expected import Expected
from harness.reproduce.published import Published

SCALES = ("smoke", "small", "full")
FIGURES = ("lines", "buckets", "scatter")
KINDS = ("paper", "study")
"""Somebody's paper run again, or a study of formulas that this harness derives."""


@dataclass(frozen=True)
class Blocks:
    """How often which arms of a stage are metered again after its sweep (``harness meter``)."""

    count: int
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """One sweep of ``harness run``.

    Attributes:
        name: the experiment that its rows stand under.
        overrides: what ``harness run`` is given.
        tables: the tables that need it; empty: it serves claims alone.
        questions, items: test questions and probe items over its tasks, where they are planned.
        makes: a step of the paper's own before the sweep, a key of ``steps.STEPS``; "" for none.
        blocks: metered after the sweep; None for none.
    """

    name: str
    overrides: tuple[str, ...]
    tables: tuple[str, ...] = ()
    questions: int | None = None
    items: int | None = None
    makes: str = ""
    blocks: Blocks | None = None


@dataclass(frozen=True)
class Scale:
    """How large a paper is run.

    Attributes:
        minutes: what the machine named in ``note`` is expected to take; None where it is planned.
        other: whether models or data are not the paper's, so that levels cannot be compared.
        seeds: how many there are, and what is lost with no more.
        model: of several, the one that pages show; "" where there is one.
        expected: what its plan of memory, hours and kWh rests on; None where it has none.
        instead: stage -> task of a claim -> the task that stands in its place at this scale; "" if
            none does.
    """

    name: str
    minutes: float | None
    note: str
    other: bool
    seeds: str
    stages: tuple[Stage, ...]
    model: str = ""
    expected: Expected | None = None
    instead: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def judged(self) -> bool:
        """Whether claims are judged by its runs."""
        return self.name != "smoke"


@dataclass(frozen=True)
class Ours:
    """Which of our runs a cell or a point shows: a measure of an arm, of some of its questions."""

    stage: str
    task: str
    arm: str
    measure: str
    only: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CellSpec:
    """A cell of a paper's table: what it printed, if anything, and what is measured here."""

    row: str
    column: str
    ours: Ours
    published: Published | None


@dataclass(frozen=True)
class TableSpec:
    """A paper's table.

    Attributes:
        comparable: whether both figures are of one kind, so that their difference says something.
    """

    id: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[CellSpec, ...]
    note: str = ""
    comparable: bool = True


@dataclass(frozen=True)
class Point:
    """One point of a figure: its series, where it stands, and what it shows."""

    series: str
    x: float | str
    ours: Ours
    across: Ours | None = None


@dataclass(frozen=True)
class FigureSpec:
    """A figure as the paper draws it."""

    id: str
    title: str
    kind: str
    x: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Paper:
    """A paper, its claims and its published figures.

    Attributes:
        kind: one of ``KINDS``.
    """

    id: str
    folder: Path
    title: str
    citation: str
    scales: Mapping[str, Scale]
    tables: tuple[TableSpec, ...]
    figures: tuple[FigureSpec, ...]
    claims: Claims
    kind: str = "paper"

    @property
    def conf(self) -> Path:
        return self.folder / "conf"

    def folder_of(self, results: Path, scale: Scale) -> Path:
        """Where its rows and pages go: ``<results>/<paper>``, other scales beside it."""
        return results / (self.id if scale.name == "small" else f"{self.id}_{scale.name}")

    def claims_at(self, scale: Scale) -> Claims:
        """Its claims, about the tasks that are run at that scale."""
        return replace(
            self.claims, claims=tuple(at_scale(scale, one) for one in self.claims.claims)
        )

    def table(self, name: str) -> TableSpec:
        """The table of that id.

        Raises:
            ConfigError: there is none.
        """
        names = [table.id for table in self.tables]
        if name not in names:
            raise ConfigError(
                f"--table: {self.id} has no table '{name}'{suggestion(name, names)}; "
                f"it has {', '.join(names) or 'none'}"
            )
        return self.tables[names.index(name)]


def at_scale(scale: Scale, claim: Claim) -> Claim:
    """The claim, about the tasks that stand at that scale in the place of its own."""
    instead = scale.instead.get(claim.stage, {})
    tasks = (instead.get(task, task) for task in claim.tasks)
    return replace(claim, tasks=tuple(task for task in tasks if task))
