"""A paper's stages through ``harness run``: what they would run, and running them.

The store and the rows that are there make it resumable: the same command goes on where it stopped,
in the middle of metered blocks too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ConfigError, HarnessError
from harness.reproduce.claims import Claim, VolumeRatio
from harness.reproduce.paper import Blocks, Paper, Scale, Stage, TableSpec

if TYPE_CHECKING:
    from harness.config import Config


@dataclass(frozen=True)
class StagePlan:
    """A stage, how many cells it has, and the settings of some of them."""

    stage: Stage
    cells: int
    configs: tuple[Config, ...]

    def names(self, what: str) -> str:
        """The different arms, tasks, models or seeds of it, as text."""
        read = {
            "arms": lambda config: config.arm,
            "tasks": lambda config: config.task.name,
            "models": lambda config: config.model.id or config.model.name,
            "seeds": lambda config: str(config.seed),
        }[what]
        return ", ".join(dict.fromkeys(read(config) for config in self.configs))


def needed_stages(scale: Scale, table: TableSpec | None) -> list[Stage]:
    """The stages of the scale that a table needs; all without one."""
    return [stage for stage in scale.stages if table is None or table.id in stage.tables]


def plan(
    paper: Paper,
    scale: Scale,
    table: TableSpec | None,
    more: Sequence[str],
    results: Path,
    every: bool = False,
) -> list[StagePlan]:
    """What would be run: every setting composed and checked, nothing loaded.

    Args:
        every: with the settings of every cell; else of evenly spread ones, if there are many.

    Raises:
        ConfigError: a setting is wrong, or a stage would be recorded under another name.
    """
    from harness.overrides import check

    plans = []
    for stage in needed_stages(scale, table):
        composed = check(_overrides(paper, scale, stage, more, results), True, paper.conf, every)
        for config in composed.configs:
            if config.experiment != stage.name:
                raise ConfigError(
                    f"{paper.folder}: stage '{stage.name}' of {scale.name} would be recorded as "
                    f"'{config.experiment}'; name its experiment '{stage.name}'"
                )
        plans.append(StagePlan(stage, composed.jobs, tuple(composed.configs)))
    return plans


def told(paper: Paper, scale: Scale, plans: Sequence[StagePlan]) -> str:
    """The plan as text: stages, size, and how many questions or blocks each claim needs."""
    takes = (
        ""
        if scale.minutes is None
        else f"; about {scale.minutes:g} minutes in all, less what is in the store"
    )
    lines = [
        f"{paper.citation}: {paper.title}",
        f"scale {scale.name}: {scale.note}{takes}",
        f"seeds: {scale.seeds}",
    ]
    for one in plans:
        lines.append(
            f"  {one.stage.name}: {_cells(one.cells)}; {one.names('arms')} on "
            f"{one.names('tasks')}; {one.names('models')}"
            + (f"; then {_told_of(one.stage.blocks)}" if one.stage.blocks else "")
        )
    claims = paper.claims
    lines.append(
        f"{claims.tests} claims are tested, each at level {claims.level:.4g} ({claims.alpha:g} / "
        f"{claims.tests}); needed are questions for 80 % power at the least effect, or blocks for "
        "the level:"
    )
    planned = {one.stage.name: one.stage for one in reversed(plans)}  # the first counts
    for claim in claims.claims:
        if claim.cannot:
            lines.append(f"  {claim.id}: not tested: {claim.cannot}")
        elif claim.stage in planned:
            need = _need(claim, claims.level, planned[claim.stage])
            lines.append(f"  {claim.id}: {need}")
    return "\n".join(lines)


def _need(claim: Claim, level: float, stage: Stage) -> str:
    """How many questions or blocks a claim needs and has, as text."""
    from harness.reproduce.verdict import needed_questions
    from harness.reproduce.volumes import needed_blocks

    if isinstance(claim.contrast, VolumeRatio):
        has = stage.blocks.count if stage.blocks else None
        return f"within a factor of {2**claim.least:g}, needs {needed_blocks(level)}, has {has}"
    needed = needed_questions(claim, level)
    harm = any(name.startswith("forgetting_") for name in claim.measures)
    has = stage.items if harm else stage.questions
    return (
        f"least effect {claim.least:g}, "
        + (f"needs {needed}" if needed is not None else "resampled, not planned")
        + (f", has {has}" if has is not None and not claim.only else "")
    )


def _cells(count: int) -> str:
    return f"{count} cell" if count == 1 else f"{count} cells"


def _told_of(blocks: Blocks) -> str:
    return f"{blocks.count} metered blocks of {', '.join(blocks.arms)}"


def run(
    paper: Paper, scale: Scale, plans: Sequence[StagePlan], more: Sequence[str], results: Path
) -> int:
    """Run the stages one after another and return the highest exit code; a failure stops none."""
    from harness.launch import main
    from harness.reproduce.steps import STEPS

    code = 0
    for one in plans:
        stage = one.stage
        print(f"{paper.id}, {stage.name}: {_cells(one.cells)}", file=sys.stderr)
        if stage.makes:
            STEPS[stage.makes](paper.folder_of(results, scale))
        own = _overrides(paper, scale, stage, more, results)
        own_code = main(["-m", "--config-dir", str(paper.conf), *own])
        if stage.blocks and own_code == 0:
            own_code = _meter(paper.folder_of(results, scale) / stage.name, stage.blocks)
        code = max(code, own_code)
    return code


def _meter(folder: Path, blocks: Blocks) -> int:
    """Take the blocks that are missing; what keeps them from being taken is told, and is code 1."""
    from harness.blocks.command import Asked, meter
    from harness.cli import report

    print(f"{folder}: {_told_of(blocks)}", file=sys.stderr)
    try:
        return meter(Asked(folder, blocks.arms, blocks.count))
    except HarnessError as error:
        report(error)
        return 1


def _overrides(
    paper: Paper, scale: Scale, stage: Stage, more: Sequence[str], results: Path
) -> list[str]:
    """The stage's overrides; ``FOLDER`` in them stands for where the paper's results go."""
    folder = str(paper.folder_of(results, scale)).replace("\\", "\\\\").replace("'", "\\'")
    # What the command line says of a setting counts, not what the stage says of it.
    said = {text.partition("=")[0] for text in more}
    own = [
        text.replace("FOLDER", folder)
        for text in stage.overrides
        if text.partition("=")[0] not in said
    ]
    return [*own, *more, f"results='{folder}'"]
