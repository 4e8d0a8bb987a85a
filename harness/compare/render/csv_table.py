"""A comparison as a tidy CSV: one line a test, all of its fields, figures with every digit."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import fields

from harness.compare.result import PRIMARY, SECONDARY, Comparison, Tested
from harness.row import text_cell

KIND = "kind"
"""Column that says whether the measure is primary, secondary or a cost."""

CONTRAST = ("baseline", "arm", "marks")
TESTED = tuple(field.name for field in fields(Tested) if field.name != "contrast")
HEADINGS = (*CONTRAST, KIND, *TESTED)


def to_csv(comparison: Comparison) -> str:
    """The heading and a line for each test; an empty cell where there is no figure.

    Text that a spreadsheet would take for a formula is stored behind a "'". Several notes or marks
    share a cell, with "; " between them.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADINGS)
    for kind, tested in _kinds(comparison):
        contrast = tested.contrast
        values = [contrast.baseline, contrast.arm, contrast.marks, kind]
        values += [getattr(tested, name) for name in TESTED]
        writer.writerow([_cell(value) for value in values])
    return stream.getvalue()


def _kinds(comparison: Comparison) -> Iterator[tuple[str, Tested]]:
    for tested in comparison.results:
        yield PRIMARY if tested.measure in comparison.primary else SECONDARY, tested
    for tested in comparison.costs:
        yield "cost", tested


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        value = "; ".join(value)
    if isinstance(value, str):
        # A NUL would end the cell in some readers.
        return text_cell(value.replace("\0", "�"))
    return repr(value)
