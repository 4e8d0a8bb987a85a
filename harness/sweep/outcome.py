"""How one cell ended: its row, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from harness.cli import report
from harness.config import Config
from harness.errors import HarnessError
from harness.row import Row


@dataclass(frozen=True)
class Outcome:
    """What running a cell gave.

    Attributes:
        row: None if the cell ended before there could be one.
        error: in one line; empty if all went well.
        code: the exit code that it calls for.
    """

    row: Row | None
    error: str
    code: int


def outcome_of(config: Config, rerun: str) -> Outcome:
    """Run a cell in this process; an error is printed, and does not go further."""
    try:
        from harness.run import run

        row = run(config, rerun)
    except HarnessError as error:
        return Outcome(None, " ".join(str(error).split()), report(error))
    except Exception as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return Outcome(None, told, report(error, config.folder() / "logs"))
    return Outcome(row, row["error"] or "", int(row["status"] == "failed"))
