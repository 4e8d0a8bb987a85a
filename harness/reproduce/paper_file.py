"""A paper's folder read with care: ``paper.yaml``, ``claims.yaml``, ``published.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DataError, suggestion
from harness.measures.definitions import MEASURES
from harness.reproduce.claims import VolumeRatio, read_claims
from harness.reproduce.expected import read_expected
from harness.reproduce.paper import (
    FIGURES,
    KINDS,
    SCALES,
    Blocks,
    CellSpec,
    FigureSpec,
    Ours,
    Paper,
    Point,
    Scale,
    Stage,
    TableSpec,
    at_scale,
)
from harness.reproduce.published import COLUMNS, Published, find, read_published
from harness.reproduce.yaml_file import Node, read_yaml

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
FILE = "paper.yaml"


def papers(experiments: Path = EXPERIMENTS) -> list[str]:
    """The names of the papers that can be run again."""
    return sorted(path.parent.name for path in experiments.glob(f"*/{FILE}"))


def read_paper(name: str, experiments: Path = EXPERIMENTS) -> Paper:
    """The paper of that name, or of that folder; without ``published.csv`` it printed no figure.

    Raises:
        ConfigError: there is none.
        DataError: one of its files is not what it has to be.
    """
    folder = experiments / name if "/" not in name else Path(name)
    if not (folder / FILE).is_file():
        known = papers(experiments)
        raise ConfigError(
            f"no paper '{name}'{suggestion(name, known)}; it is one of {', '.join(known)}, or a "
            f"folder with a {FILE}"
        )
    root = read_yaml(folder / FILE).known(
        ("title", "citation", "kind", "scales", "tables", "figures")
    )
    printed = folder / "published.csv"
    figures = read_published(printed) if printed.exists() else []
    tables = [_table(node, figures) for node in root.nodes("tables", "table")]
    scales = root.node("scales").known(SCALES)
    found = Paper(
        id=folder.resolve().name,
        folder=folder,
        title=root.text("title"),
        citation=root.text("citation"),
        scales={scale: _scale(scale, scales.node(scale)) for scale in scales.values},
        tables=tuple(tables),
        figures=tuple(_figure(node) for node in root.nodes("figures", "figure", [])),
        claims=read_claims(folder / "claims.yaml"),
        kind=root.choice("kind", KINDS, "paper"),
    )
    _check_stages(found, root)
    return found


def _scale(name: str, node: Node) -> Scale:
    node.known(("minutes", "note", "other", "seeds", "model", "plan", "stages", "instead"))
    other = node.values.get("other", name != "full")
    if not isinstance(other, bool):
        node.wrong(f"other is {other!r}; it is true or false")
    stages = []
    for stage in node.nodes("stages", "stage"):
        stage.known(("name", "overrides", "tables", "questions", "items", "makes", "blocks"))
        stages.append(
            Stage(
                stage.text("name"),
                stage.texts("overrides"),
                stage.texts("tables", ()),
                _count(stage, "questions"),
                _count(stage, "items"),
                stage.text("makes", ""),
                _blocks(stage),
            )
        )
    if not stages:
        node.wrong("stages is empty")
    planned = "plan" in node.values
    return Scale(
        name,
        None if planned and "minutes" not in node.values else node.number("minutes", above=0),
        node.text("note"),
        other,
        node.text("seeds"),
        tuple(stages),
        node.text("model", ""),
        read_expected(node.node("plan")) if planned else None,
        _instead(node.node("instead", {})),
    )


def _instead(node: Node) -> dict[str, dict[str, str]]:
    stages = {stage: node.node(stage) for stage in node.values}
    return {
        stage: {task: tasks.text(task, "") for task in tasks.values}
        for stage, tasks in stages.items()
    }


def _count(node: Node, name: str) -> int | None:
    return int(node.number(name, above=0)) if name in node.values else None


def _blocks(stage: Node) -> Blocks | None:
    if "blocks" not in stage.values:
        return None
    node = stage.node("blocks").known(("count", "arms"))
    return Blocks(int(node.number("count", above=0)), node.texts("arms"))


_OURS = ("stage", "task", "arm", "measure", "only")


def _table(node: Node, figures: Sequence[Published]) -> TableSpec:
    node.known(("id", "title", "published", "ours", "rows", "columns", "note", "comparable"))
    node = Node(node.values, f"{node.where} '{node.text('id')}'")
    comparable = node.values.get("comparable", True)
    if not isinstance(comparable, bool):
        node.wrong(f"comparable is {comparable!r}; it is true or false")
    cells: list[CellSpec] = []
    labels: dict[str, list[str]] = {"rows": [], "columns": []}
    for side, names in labels.items():
        names += [one.text("label") for one in node.nodes(side, side.removesuffix("s"))]
    for row in node.nodes("rows", "row"):
        for column in node.nodes("columns", "column"):
            where = f"{node.where}, {row.text('label')}, {column.text('label')}"
            parts = (node, row, column)
            cells.append(_cell(where, row.text("label"), column.text("label"), parts, figures))
    return TableSpec(
        node.text("id"),
        node.text("title"),
        tuple(labels["rows"]),
        tuple(labels["columns"]),
        tuple(cells),
        node.text("note", ""),
        comparable,
    )


def _cell(
    where: str, row: str, column: str, parts: Sequence[Node], figures: Sequence[Published]
) -> CellSpec:
    ours: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    printed = True
    for part in parts:
        if part is not parts[0]:
            part.known(("label", "published", "ours"))
        ours |= part.node("ours", {}).values
        if part.values.get("published") == "none":
            printed = False
        else:
            wanted |= part.node("published", {}).known(COLUMNS).values
    asked = {name: str(value) for name, value in wanted.items()}
    published = find(figures, asked, where) if printed and asked else None
    return CellSpec(row, column, _ours(Node(ours, where)), published)


def _ours(node: Node) -> Ours:
    node.known(_OURS)
    measure = node.text("measure")
    if measure not in MEASURES:
        node.wrong(f"measure: no measure '{measure}'{suggestion(measure, list(MEASURES))}")
    only = node.node("only", {})
    return Ours(
        node.text("stage"),
        node.text("task"),
        node.text("arm"),
        measure,
        tuple((name, only.text(name)) for name in only.values),
    )


def _figure(node: Node) -> FigureSpec:
    node.known(("id", "title", "kind", "x", "ours", "series", "column", "values", "across"))
    node = Node(node.values, f"{node.where} '{node.text('id')}'")
    kind, base = node.choice("kind", FIGURES), node.node("ours").values
    points: list[Point] = []
    series = node.node("series")
    for name in series.values:
        if kind == "buckets":
            arm = series.text(name)
            for value in node.texts("values"):
                only = {node.text("column"): value}
                values = base | {"arm": arm, "only": only}
                points.append(Point(name, value, _ours(Node(values, series.where))))
        elif kind == "scatter":
            for arm in series.texts(name):
                ours = _ours(Node(base | {"arm": arm}, series.where))
                across = Node(base | {"arm": arm, "measure": node.text("across")}, node.where)
                points.append(Point(name, arm, ours, _ours(across)))
        else:
            inner = series.node(name)
            for arm in inner.values:
                values = base | {"arm": arm}
                points.append(Point(name, inner.number(arm), _ours(Node(values, inner.where))))
    return FigureSpec(node.text("id"), node.text("title"), kind, node.text("x"), tuple(points))


def _check_stages(paper: Paper, root: Node) -> None:
    """Check that what is read from a stage is run in every scale, but for those it leaves out."""
    for scale in paper.scales.values():
        for stage in scale.stages:
            for name in stage.tables:
                if name not in [table.id for table in paper.tables]:
                    root.wrong(f"{scale.name}, stage '{stage.name}': no table '{name}'")
        _check_instead(paper, scale, root)
        metered = {
            (stage.name, arm) for stage in scale.stages if stage.blocks for arm in stage.blocks.arms
        }
        for claim in paper.claims.claims:
            arms = claim.contrast.arms if isinstance(claim.contrast, VolumeRatio) else ()
            for arm in arms:
                if (claim.stage, arm) not in metered:
                    root.wrong(
                        f"{scale.name}: claim '{claim.id}' rests on metered blocks, and stage "
                        f"'{claim.stage}' has none of {arm}"
                    )
    known = {stage.name for scale in paper.scales.values() for stage in scale.stages}
    read = [cell.ours.stage for table in paper.tables for cell in table.cells]
    read += [point.ours.stage for figure in paper.figures for point in figure.points]
    read += [claim.stage for claim in paper.claims.claims if claim.contrast is not None]
    for name in dict.fromkeys(read):
        if name not in known:
            raise DataError(
                f"{paper.folder}: a claim, table or figure reads stage '{name}', and no scale runs "
                f"it{suggestion(name, sorted(known))}"
            )


def _check_instead(paper: Paper, scale: Scale, root: Node) -> None:
    """Check that tasks which others stand in for are those of a claim, and that some are left."""
    for stage, tasks in scale.instead.items():
        claims = [one for one in paper.claims.claims if one.stage == stage]
        about = sorted({task for claim in claims for task in claim.tasks})
        for task in tasks:
            if task not in about:
                root.wrong(
                    f"{scale.name}, instead: no claim on stage '{stage}' is about task "
                    f"'{task}'{suggestion(task, about)}; they are about "
                    f"{', '.join(about) or 'none'}"
                )
        for claim in claims:
            if claim.tasks and not at_scale(scale, claim).tasks:
                root.wrong(f"{scale.name}, instead: nothing is left of claim '{claim.id}'")
