"""Arms read from the runs.csv of one or more experiments, and their table in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness.columns import phase_columns
from harness.errors import RecordError
from harness.record import read_rows
from harness.row import Row
from harness.summary import ANSWERING, EMPTY

CORRECT = "contains"


@dataclass(frozen=True)
class Arm:
    """One arm of one experiment: a row for each seed, in their order."""

    label: str
    rows: list[Row]

    @property
    def replicates(self) -> list[Row]:
        """The rows that are measurements of their own.

        Without an adapter nothing depends on the seed: the answers repeat, and count once.
        """
        frozen = self.rows[0]["adapter"] is None
        repeats = len({row[CORRECT] for row in self.rows}) == 1
        return self.rows[:1] if frozen and repeats else self.rows


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        low, high: interval over questions; None with several seeds, or where it is unknown.
        seeds: each seed's own value.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]


def read_arms(folders: Sequence[Path]) -> list[Arm]:
    """The arms of all ``folders`` in their order, from rows that finished.

    Of runs of the same settings the last counts; a run whose settings an earlier folder holds
    already, under another experiment's name, is that same run and is left out.

    Raises:
        RecordError: no such table, no finished row, or rows that must not be compared.
    """
    found: dict[tuple[str, str, int], Row] = {}
    seen: set[str] = set()
    for folder in folders:
        table = folder / "runs.csv"
        seen |= {row["config_hash"] for row in found.values() if row["config_hash"]}
        for row in read_rows(table):
            if row["status"] != "ok" or row["config_hash"] in seen:
                continue
            key = (row["experiment"], row["arm"], row["seed"])
            if key in found and found[key]["config_hash"] != row["config_hash"]:
                raise RecordError(
                    f"{table}: {row['arm']}, seed {row['seed']} was run with different settings; "
                    f"remove the row of {found[key]['run_id']} or of {row['run_id']}"
                )
            if row[CORRECT] is None:
                raise RecordError(f"{table}: {row['run_id']} has no {CORRECT}: no open questions")
            found[key] = row
    if not found:
        raise RecordError(f"no finished row in {', '.join(map(str, folders))}")
    if len({row["split_sha256"] for row in found.values()}) > 1:
        raise RecordError(
            "the rows are about different test questions (split_sha256) and cannot be compared: "
            "give folders of experiments with the same task settings"
        )
    grouped: dict[tuple[str, str], list[Row]] = {}
    for (experiment, name, _), row in sorted(found.items(), key=lambda item: item[0][2]):
        grouped.setdefault((experiment, name), []).append(row)
    order = list(dict.fromkeys((experiment, name) for experiment, name, _ in found))
    names = [name for _, name in order]
    return [
        Arm(name if names.count(name) == 1 else f"{name} ({experiment})", grouped[experiment, name])
        for experiment, name in order
    ]


def estimate(arm: Arm, measure: str, bucket: str = "") -> Estimate | None:
    """The arm's mean of a measure, of one popularity bucket if given; None where it is unknown."""
    found = []
    for row in arm.replicates:
        if bucket:
            kept = (row["by_bucket"] or {}).get(bucket, {}).get(measure, {})
            one = (kept.get("mean"), kept.get("low"), kept.get("high"))
        else:
            one = (row[measure], row[f"{measure}_low"], row[f"{measure}_high"])
        if one[0] is not None:
            found.append(one)
    if not found:
        return None
    seeds = tuple(mean for mean, _, _ in found)
    low, high = found[0][1:] if len(found) == 1 else (None, None)
    return Estimate(fmean(seeds), low, high, seeds)


def table(arms: Sequence[Arm]) -> str:
    """The arms as a Markdown table, a line each, and what one needs to know to read it."""
    headings = [
        *("arm", "correct %", "exact %", "answer in passages %"),
        *("capitals forgotten, asked", "capitals forgotten, by options"),
        *("use of a passage lost", "text loss, nats/token"),
        *("train s", "answer ms", "energy Wh"),
    ]
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *map(_cells, arms)]
    return "\n".join(
        [*(f"| {' | '.join(line)} |" for line in lines), "", *(f"- {n}" for n in _notes(arms))]
    )


def _cells(arm: Arm) -> list[str]:
    forgotten = [
        "0 (frozen)" if arm.rows[0]["forgetting_by_construction"] else _spread(found, "+.0f")
        for found in (
            estimate(arm, "forgetting_facts_generated"),
            estimate(arm, "forgetting_facts_options"),
            estimate(arm, "forgetting_context_use"),
        )
    ]
    estimated = "~" if any(row["energy_source"] == "estimate" for row in arm.rows) else ""
    energy = _mean(arm.rows, lambda row: row["total_energy_kwh"])
    loss = _mean(arm.rows, lambda row: row["forgetting_text_loss_nats"])
    return [
        f"`{arm.label}`",
        _spread(estimate(arm, CORRECT), ".0f"),
        _number(_mean(arm.rows, lambda row: row["exact_match"]), ".0f", 100),
        _number(_mean(arm.rows, lambda row: row["answer_in_context"]), ".0f", 100),
        *forgotten,
        "0 (frozen)" if arm.rows[0]["forgetting_by_construction"] else _number(loss, "+.2f"),
        _number(_mean(arm.rows, lambda row: row["train_seconds"]), ".0f"),
        _number(_mean(arm.rows, _answer_milliseconds), ".0f"),
        EMPTY if energy is None else estimated + _number(energy, ".2f", 1000),
    ]


def _notes(arms: Sequence[Arm]) -> list[str]:
    rows = [row for arm in arms for row in arm.rows]
    first = rows[0]
    seeds = sorted({row["seed"] for row in rows})
    many = "" if len(seeds) == 1 else "; in square brackets each seed, before them their mean"
    notes = [
        f"{first['task']}, {first['model']}: {first['n_test']} questions about "
        f"{first['n_clusters']} entities; seed {', '.join(map(str, seeds))}. In round brackets the "
        f"95 % interval over questions{many}. A frozen model repeats itself, so it counts once.",
    ]
    asked = next((row for row in rows if row["facts_generated_before"] is not None), None)
    if asked is not None:
        notes.append(
            "Forgotten: percentage points lost on "
            f"{asked['forgetting_facts_generated_n']} capitals, which no arm was trained on. "
            f"Before, the model got {_number(asked['facts_generated_before'], '.0f', 100)} % asked "
            f"openly and {_number(asked['facts_options_before'], '.0f', 100)} % by the likelihood "
            "of four options (chance: 25 %)."
        )
    if asked is not None and asked["context_use_before"] is not None:
        notes.append(
            "Use of a passage: points lost on "
            f"{asked['forgetting_context_use_n']} questions about invented entities with the "
            "passage that answers them in the prompt; before, the model got "
            f"{_number(asked['context_use_before'], '.0f', 100)} %."
        )
    guessed = [row for row in rows if row["energy_source"] == "estimate"]
    if guessed:
        share = max(row["energy_assumed_share"] or 0 for row in guessed)
        notes.append(
            f"Energy: ~ is an estimate, of which up to {_number(share, '.0f', 100)} % rests on "
            "assumed watts. It is the full cost of an arm (indexing, training, answering), without "
            "the probes. Answer ms: a question, answered in batches."
        )
    spent = sum(row["spent_seconds"] or 0 for row in rows if row["seed"] == seeds[0]) / 60
    codes = sorted({_code(row) for row in rows})
    notes.append(
        f"Metered time of seed {seeds[0]}, all arms and probes: {spent:.1f} min, reused work not "
        f"counted again, on {first['device']}; code {', '.join(codes)}."
    )
    notes += sorted({row["notes"] for row in rows if row["notes"]})
    return notes


def _code(row: Row) -> str:
    changed = " with uncommitted changes" if row["code_dirty"] else ""
    return f"{(row['code_version'] or 'unknown')[:12]}{changed}"


def _answer_milliseconds(row: Row) -> float | None:
    seconds = [row[phase_columns(phase)[0]] for phase in ANSWERING]
    known = [value for value in seconds if value is not None]
    return 1000 * sum(known) / row["n_test"] if known and row["n_test"] else None


def _mean(rows: Sequence[Row], value: Callable[[Row], float | None]) -> float | None:
    known = [one for one in map(value, rows) if one is not None]
    return fmean(known) if known else None


def _number(value: float | None, form: str, times: float = 1) -> str:
    return EMPTY if value is None else format(times * value, form)


def _spread(found: Estimate | None, form: str) -> str:
    """A share in percent, with its interval in round or its seeds in square brackets."""
    if found is None:
        return EMPTY
    mean = _number(found.mean, form, 100)
    if len(found.seeds) > 1:
        return f"{mean} [{', '.join(_number(one, form, 100) for one in found.seeds)}]"
    if found.low is None or found.high is None:
        return mean
    return f"{mean} ({_number(found.low, form, 100)} to {_number(found.high, form, 100)})"
