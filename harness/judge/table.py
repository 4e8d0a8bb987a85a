"""``judged.csv``: one row for each run and judge."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.judge.judging import Judged, verdict
from harness.judge.wording import ASPECTS, JUDGE_VERSION, wording_sha256
from harness.models.backends import api_cost
from harness.models.endpoint_config import EndpointConfig
from harness.models.protocol import Account
from harness.record import locked, replacing
from harness.row import text_cell
from harness.stats import Interval, mean_interval, paired_difference_interval

NAME = "judged.csv"

Row = Mapping[str, Any]
Asked = dict[tuple[str, str], dict[tuple[bool, int], bool | None]]
Verdicts = dict[str, tuple[float, str]]
"""Question id to verdict (1.0 or 0.0) and cluster."""

OF_ASPECT = (
    *("n", "", "low", "high"),
    *("repeats_agreement", "repeats_n", "order_agreement", "order_n"),
    *("difference", "difference_low", "difference_high", "difference_n"),
)
"""What is told of each aspect; the empty one is the share itself."""


def _column(aspect: str, part: str) -> str:
    return f"{aspect}_{part}" if part else aspect


COLUMNS = (
    *("run_id", "arm", "task", "seed", "questions"),
    *(_column(aspect, part) for aspect in ASPECTS for part in OF_ASPECT),
    *("baseline", "replies", "unparsed", "replies_reused"),
    *("judge_model", "judge_reports", "judge_url", "max_tokens", "repeats"),
    *("prompt_version", "prompt_sha256"),
    *("tokens_in", "tokens_out", "seconds", "cost_usd"),
)

KEY = ("run_id", "judge_model", "judge_url")
"""What a row is about: another row about the same takes its place."""


def verdicts(judged: Judged, aspect: str) -> Verdicts:
    """The verdicts of the first request in plain order; questions without one are not there."""
    found = {}
    for ask, reply in zip(judged.asks, judged.replies, strict=True):
        value = verdict(ask, reply)
        if ask.aspect == aspect and not ask.swapped and ask.repeat == 0 and value is not None:
            found[ask.answered.question_id] = (float(value), ask.answered.cluster)
    return found


def row_of(
    run: Row, judged: Judged, config: EndpointConfig, max_tokens: int, repeats: int
) -> dict[str, Any]:
    """The row about one run, but for the difference from another."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {name: run.get(name) for name in ("run_id", "arm", "task", "seed")}
    asked = _asked(judged)
    for aspect in ASPECTS:
        row |= _shares(aspect, verdicts(judged, aspect), asked)
    tokens_in = _sum([reply.tokens_in for reply in judged.replies])
    tokens_out = _sum([reply.tokens_out for reply in judged.replies])
    named = {f"{reply.model} {reply.fingerprint}".strip() for reply in judged.replies}
    return row | {
        "questions": len({ask.answered.question_id for ask in judged.asks}),
        "replies": len(judged.replies),
        "unparsed": sum(value is None for found in asked.values() for value in found.values()),
        "replies_reused": judged.reused,
        "judge_model": config.id,
        "judge_reports": "; ".join(sorted(named)),
        "judge_url": config.base_url,
        "max_tokens": max_tokens,
        "repeats": repeats,
        "prompt_version": JUDGE_VERSION,
        "prompt_sha256": wording_sha256(),
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "seconds": judged.seconds,
        "cost_usd": api_cost(config, Account(tokens_in=tokens_in, tokens_out=tokens_out)),
    }


def difference(aspect: str, arm: Verdicts, baseline: Verdicts) -> dict[str, Any]:
    """Columns with the arm's share less the baseline's, over questions with a verdict on both."""
    both = [name for name in arm if name in baseline]
    found = paired_difference_interval(
        [arm[name][0] for name in both],
        [baseline[name][0] for name in both],
        [arm[name][1] for name in both],
    )
    values = {"difference_n": len(both)}
    return {
        _column(aspect, part): value
        for part, value in (_interval("difference", found) | values).items()
    }


def put_row(folder: Path, row: Mapping[str, Any]) -> Path:
    """Write a row into ``folder/judged.csv`` in place of one about the same; the table's path.

    Where nothing was asked now, the seconds of the row that is replaced are kept.

    Raises:
        RecordError: the file there is no table of judged runs, or it cannot be written.
    """
    path = folder / NAME
    with locked(path):
        rows = {_key(old): old for old in _read(path)}
        text = {name: _cell(value) for name, value in row.items()}
        if row["seconds"] is None and _key(text) in rows:
            text["seconds"] = rows[_key(text)]["seconds"]
        rows[_key(text)] = text
        with replacing(path) as file:
            table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(rows.values())
    return path


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, strict=True)
            rows = list(table)
    except (OSError, ValueError, csv.Error) as error:
        raise RecordError(f"{path} cannot be read ({error}); mend or remove it") from error
    if tuple(table.fieldnames or ()) != COLUMNS or any(None in row.values() for row in rows):
        raise RecordError(
            f"{path} is no table that this version of harness judge wrote; move it away"
        )
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return text_cell(value) if isinstance(value, str) else str(value)


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in KEY)


def _asked(judged: Judged) -> Asked:
    """Verdicts by question and aspect, then by order and repeat."""
    found: Asked = {}
    for ask, reply in zip(judged.asks, judged.replies, strict=True):
        about = found.setdefault((ask.answered.question_id, ask.aspect), {})
        about[ask.swapped, ask.repeat] = verdict(ask, reply)
    return found


def _shares(aspect: str, found: Verdicts, asked: Asked) -> dict[str, Any]:
    interval = mean_interval(
        [value for value, _ in found.values()], [cluster for _, cluster in found.values()]
    )
    of_aspect = [one for (_, name), one in asked.items() if name == aspect]
    repeats = _agreement(
        [[value for (swapped, _), value in one.items() if not swapped] for one in of_aspect]
    )
    order = _agreement([[one[False, 0], one[True, 0]] for one in of_aspect])
    values = {
        "n": len(found),
        **_interval("", interval),
        **{"repeats_agreement": repeats[0], "repeats_n": repeats[1]},
        **{"order_agreement": order[0], "order_n": order[1]},
    }
    return {_column(aspect, part): value for part, value in values.items()}


def _agreement(found: Sequence[Sequence[bool | None]]) -> tuple[float | None, int]:
    """Share of questions whose verdicts are all one, of those with two or more and none missing."""
    whole = [one for one in found if len(one) > 1 and None not in one]
    if not whole:
        return None, 0
    return sum(len(set(one)) == 1 for one in whole) / len(whole), len(whole)


def _interval(name: str, found: Interval | None) -> dict[str, float | None]:
    low, high = (f"{name}_low", f"{name}_high") if name else ("low", "high")
    if found is None:
        return {name: None, low: None, high: None}
    return {name: found.mean, low: found.low, high: found.high}


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None
