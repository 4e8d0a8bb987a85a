"""Two processes that append rows to one table at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.record import read_rows

from .forks import ROOT

CODE = """
import sys
from pathlib import Path
from harness.record import append_row
from harness.row import new_row

path, process, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
row = new_row(
    run_id="r", experiment="e", arm="rag", task="t", model="m", seed=0, status="ok",
    by_bucket={"low": {"contains": {"mean": 0.1 + 0.2}}}, exact_match=0.5,
)
for number in range(count):
    # Rows of very different length, so that an overlap would show.
    own = {"run_id": f"p{process}-{number}", "seed": number, "notes": "é," * (number % 700)}
    append_row(path, {**row, **own})
"""


def appended_by_two(path: Path, count: int) -> int:
    """How many sound rows there are after two processes have appended ``count`` each."""
    path.unlink(missing_ok=True)
    both = [
        subprocess.Popen([sys.executable, "-c", CODE, str(path), name, str(count)], cwd=ROOT)
        for name in "ab"
    ]
    if any(process.wait() for process in both):
        return 0
    rows = read_rows(path)
    wanted = {f"p{name}-{number}" for name in "ab" for number in range(count)}
    if {row["run_id"] for row in rows} != wanted or len(rows) != len(wanted):
        return 0
    return sum(len(row["notes"] or "") == 2 * (row["seed"] % 700) for row in rows)
