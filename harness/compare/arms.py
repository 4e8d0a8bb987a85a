"""The arms of a comparison: runs that differ only by seed, each under a label of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.columns import COLUMNS
from harness.compare.labels import labels, setting_text
from harness.compare.result import ArmSummary
from harness.errors import ConfigError, suggestion
from harness.row import RUN_ID

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

OUTCOMES = (
    "training_pairs",
    "raft_quoting",
    "trained_tokens",
    "train_shared_tokens",
    "trained_steps",
    "epochs",
)
"""Settings that a run ends up with: two seeds of one arm may differ in them."""

NOT_IN_ARM = ("notes", "parity", "top_k_chosen_by", "device", "train_processes", *OUTCOMES)

SETTINGS = tuple(
    name
    for name, column in COLUMNS.items()
    if column.group == "Settings" and name not in NOT_IN_ARM
)
DATA = ("model_identity", "split_sha256", "corpus_sha256")
"""What else seeds of one arm have in common."""

SHORTEST = 8
"""Digits of a hash that a reader sees at least."""

IDENTITY = ("table", "experiment", "arm", "task", "model")


@dataclass(frozen=True)
class Arm:
    """One arm: what is said of it, and the rows of its runs that count, in order of seed.

    Attributes:
        source: the table that it stands in.
        key: settings and data, by which it is told from arms of the same name.
        failed: the rows of its failed runs.
        weights_known: whether every run says if its weights are those of the base model.
    """

    summary: ArmSummary
    runs: tuple[Row, ...]
    source: str
    key: dict[str, Any]
    failed: tuple[Row, ...] = ()
    weights_known: bool = True
    # A baseline is asked the same for each of its contrasts.
    _known: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def label(self) -> str:
        return self.summary.label

    def known(self, column: str) -> frozenset[Any]:
        """The different values that the runs have in a column of text or numbers."""
        if column not in self._known:
            self._known[column] = frozenset({row.get(column) for row in self.runs} - {None})
        found: frozenset[Any] = self._known[column]
        return found

    def objects(self, column: str) -> list[dict[str, Any]]:
        """The objects that the runs have in a column of JSON; a shared one once."""
        if column not in self._known:
            told = {id(one): one for row in self.runs if (one := row.get(column)) is not None}
            self._known[column] = [one for one in told.values() if isinstance(one, dict)]
        found: list[dict[str, Any]] = self._known[column]
        return found


@dataclass
class _Group:
    key: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    silent: bool = False


def line_up(frame: pd.DataFrame, silent: Collection[str] = ()) -> tuple[list[Arm], list[str]]:
    """The arms that the runs of ``frame`` (from ``read_results``) make, and what was left out.

    ``silent`` are the tables without a column ``adapter``: their rows do not say what was trained.

    Tables stay apart: a run repeated under another experiment's name is an arm of that one too.
    An arm counts each seed once: the latest run of it. A frozen arm's seeds are all there; whether
    they repeat one another is for whoever reads their answers.
    """
    rows, problems = rows_of(frame), []
    finished = [row for row in rows if row.get("status") == "ok"]
    failed = [row for row in rows if row.get("status") == "failed"]
    for row in rows:
        if row.get("status") not in ("ok", "failed"):
            problems.append(f"{place(row)}: no status, ok or failed: left out")
    groups = _in_order(_attach(_groups(finished), failed))
    for group in groups:
        group.silent = group.key["table"] in silent
    hashes = {name: shortened(group.key[name] for group in groups) for name in DATA}
    names = labels([_names(group, hashes) for group in groups])
    differing = _differing(groups)
    arms = []
    for label, group in zip(names, groups, strict=True):
        runs, told = _one_a_seed(label, group.rows)
        arms.append(_arm(label, group, runs, differing, hashes))
        problems += told
        problems += [
            f"{label}: run {row['run_id']} failed and is left out: {row.get('error') or 'no error'}"
            for row in group.failed
        ]
    return arms, problems


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries, None for what is missing; columns that are all empty left out."""
    names, columns = [], []
    for name in frame.columns:
        known = frame[name].notna()
        if known.any():
            names.append(str(name))
            columns.append(frame[name].astype(object).where(known, None).tolist())
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def rows_having(rows: Sequence[Row], wanted: Mapping[str, Any], what: str) -> list[Row]:
    """The rows with each wanted value; a column that is to have None may have any.

    Args:
        what: a row is called in an error, as "finished run".

    Raises:
        ConfigError: none has a value; with the nearest and those that there are.
    """
    left = list(rows)
    for column, value in wanted.items():
        if value is None:
            continue
        known = sorted({str(row.get(column)) for row in left})
        left = [row for row in left if str(row.get(column)) == str(value)]
        if not left:
            raise ConfigError(
                f"no {what} has {column} '{value}'{suggestion(str(value), known)}; there is: "
                f"{', '.join(known[:12]) or 'none'}"
            )
    return left


def is_frozen(row: Row, silent: bool = False) -> bool | None:
    """Whether the run's weights are those of the base model; None where its row does not say.

    An empty ``adapter`` says so in our own rows alone: an imported row is silent, and so is one
    of a table without that column (``silent``).
    """
    if row.get("adapter"):
        return False
    told = row.get("forgetting_by_construction")
    if told is not None:
        return bool(told)
    return None if silent or row.get("source") else True


def place(row: Row) -> str:
    """Where a row stands, for a message."""
    return f"{row.get('table')}, line {row.get('line')}"


def shortened(values: Iterable[object]) -> dict[object, str]:
    """Each hash, cut to as many digits as tell it from the others, at least ``SHORTEST``."""
    found = sorted({value for value in values if value is not None}, key=str)
    texts = [str(value) for value in found]
    # Sorted, the text that shares most digits with another stands beside it.
    shared = [0, *(_shared(*pair) for pair in pairwise(texts)), 0]
    cut = {}
    for position, (value, text) in enumerate(zip(found, texts, strict=True)):
        digits = max(SHORTEST, shared[position] + 1, shared[position + 1] + 1)
        cut[value] = f"{text[:digits]}…" if len(text) > digits else text
    return cut


def _shared(one: str, other: str) -> int:
    """How many digits both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def run_file(row: Row, kind: str) -> Path | None:
    """The run's file in ``kind`` ("predictions" or "probes"); None if its id is no file name."""
    run_id = str(row.get("run_id"))
    if not RUN_ID.fullmatch(run_id):
        return None
    return Path(str(row.get("folder") or ".")) / kind / f"{run_id}.jsonl"


def _groups(rows: Iterable[Row]) -> list[_Group]:
    groups: dict[tuple[Any, ...], _Group] = {}
    for row in rows:
        key = _key(row)
        groups.setdefault(tuple(key.values()), _Group(key)).rows.append(row)
    return [part for group in groups.values() for part in _split(group)]


def _in_order(groups: Sequence[_Group]) -> list[_Group]:
    """Table by table and task by task as they appear, frozen arms first, those that retrieve after.

    Workers write rows in whatever order cells end, which would be the order of the arms else.
    """
    tables = list(dict.fromkeys(group.key["table"] for group in groups))
    tasks = list(dict.fromkeys(group.key["task"] for group in groups))

    def place_of(group: _Group) -> tuple[int, int, bool, bool]:
        key = group.key
        table, task = tables.index(key["table"]), tasks.index(key["task"])
        return table, task, bool(key["adapter"]), bool(key["retriever"])

    return sorted(groups, key=place_of)


def _key(row: Row) -> dict[str, Any]:
    key = {name: row.get(name) for name in (*IDENTITY, *DATA, *SETTINGS)}
    if row.get("top_k_chosen_by") not in (None, "config"):
        key["top_k"] = "chosen on validation"  # seeds may differ in it
    return key


def _split(group: _Group) -> list[_Group]:
    """The group by what training ended up with, where one seed was run with several settings.

    Two arms that differ by ``adapter.epochs`` alone have one name and the same columns otherwise.
    """
    hashes: dict[Any, set[Any]] = defaultdict(set)
    for row in group.rows:
        if row.get("seed") is not None and row.get("config_hash"):
            hashes[row["seed"]].add(row["config_hash"])
    if all(len(found) < 2 for found in hashes.values()):
        return [group]
    for name in ("epochs", "training_pairs"):
        parts: dict[Any, _Group] = {}
        for row in group.rows:
            value = row.get(name)
            parts.setdefault(value, _Group(group.key | {name: value})).rows.append(row)
        if len(parts) > 1:
            return list(parts.values())
    return [group]


def _attach(groups: list[_Group], failed: Sequence[Row]) -> list[_Group]:
    """The groups with each failed run in the first that it may belong to, else in one of its own.

    A run that failed early does not know all its settings.
    """
    by_name: dict[tuple[Any, ...], list[_Group]] = defaultdict(list)
    for group in groups:
        by_name[tuple(group.key[name] for name in IDENTITY)].append(group)
    groups = list(groups)
    for row in failed:
        key = _key(row)
        named = by_name[tuple(key[name] for name in IDENTITY)]
        for group in named:
            if all(v is None or name == "top_k" or v == group.key[name] for name, v in key.items()):
                group.failed.append(row)
                break
        else:
            group = _Group(key, failed=[row])
            named.append(group)
            groups.append(group)
    return groups


def _one_a_seed(label: str, rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """The latest run of each seed, in order of seed; runs of unknown seed all count."""
    by_seed: dict[Any, list[Row]] = defaultdict(list)
    for position, row in enumerate(rows):
        seed = row.get("seed")
        by_seed[("unknown", position) if seed is None else seed].append(row)
    runs, problems = [], []
    for seed, found in by_seed.items():
        # Stable: of two written in one second the later line counts.
        *earlier, latest = sorted(found, key=lambda row: str(row.get("created_at") or ""))
        runs.append(latest)
        if earlier:
            other = len({row.get("config_hash") for row in found}) > 1
            problems.append(
                f"{label}: seed {seed} was run {len(found)} times"
                f"{', with settings that no column holds' if other else ''}; the latest counts "
                f"({latest['run_id']}), not {', '.join(str(row['run_id']) for row in earlier)}"
            )
    return sorted(runs, key=lambda row: (row.get("seed") is None, row.get("seed") or 0)), problems


def _names(group: _Group, hashes: Mapping[str, dict[object, str]]) -> dict[str, Any]:
    key = group.key
    return key | {name: hashes[name][key[name]] for name in DATA if key[name] is not None}


def _differing(groups: Sequence[_Group]) -> list[str]:
    return [
        name
        for name in (*DATA, *SETTINGS, *OUTCOMES)
        if len({group.key.get(name) for group in groups}) > 1
    ]


def _arm(
    label: str,
    group: _Group,
    runs: Sequence[Row],
    differing: Sequence[str],
    hashes: Mapping[str, dict[object, str]],
) -> Arm:
    key = group.key
    known = (*runs, *group.failed)
    frozen = [is_frozen(row, group.silent) for row in runs]
    summary = ArmSummary(
        label=label,
        arm=str(key["arm"]),
        experiment=str(key["experiment"] or ""),
        task=str(key["task"] or ""),
        model=str(key["model"] or ""),
        folder=str(known[0].get("folder") or ""),
        run_ids=tuple(str(row["run_id"]) for row in runs),
        seeds=tuple(row.get("seed") for row in runs),
        replicates=len(runs),
        questions=next((int(row["n_test"]) for row in runs if row.get("n_test")), None),
        failed=tuple(str(row["run_id"]) for row in group.failed),
        settings={
            name: hashes[name][key[name]] if name in DATA else setting_text(key[name])
            for name in differing
            if key.get(name) not in (None, "")
        },
        frozen=bool(runs) and all(frozen),
    )
    told = None not in frozen
    return Arm(summary, tuple(runs), str(key["table"]), key, tuple(group.failed), told)
