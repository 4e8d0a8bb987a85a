"""Which answers a sheet's items stand for: kept beside the results, and not sent with the sheet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.label.answers import Experiment
from harness.label.draw import Item
from harness.record import replacing

VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One item: the sha256 of what was shown, and run id and question id of each answer drawn."""

    sha256: str
    drawn: tuple[tuple[str, str], ...]
    passages: bool


@dataclass(frozen=True)
class Key:
    """The items of all sheets of an experiment, and the label of each run's arm."""

    items: Mapping[str, Entry]
    arms: Mapping[str, str]


def write_key(experiment: Experiment, sheet: str, items: Sequence[Item], passages: bool) -> Path:
    """Write ``labels/<sheet>.json`` into the experiment's folder and return its path.

    Raises:
        RecordError: it cannot be written.
    """
    path = experiment.folder / "labels" / f"{sheet}.json"
    told = {
        "version": VERSION,
        "passages": passages,
        "arms": {label: list(runs) for label, runs in experiment.arms.items()},
        "items": {
            item.name: {
                "sha256": item.shown.sha256(),
                "drawn": [[one.run_id, one.question_id] for one in item.drawn],
            }
            for item in items
        },
    }
    with replacing(path) as file:
        file.write(json.dumps(told, ensure_ascii=True, indent=1) + "\n")
    return path


def read_keys(folder: Path) -> Key:
    """The keys of all sheets that were made of the experiment in ``folder``.

    Raises:
        RecordError: there is none, or one is damaged.
    """
    paths = sorted((folder / "labels").glob("*.json"))
    if not paths:
        raise RecordError(
            f"{folder / 'labels'} holds no key: no sheet was exported from these results, or the "
            "folder was left behind when they were copied"
        )
    items: dict[str, Entry] = {}
    arms: dict[str, str] = {}
    for path in paths:
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["version"] != VERSION:
                raise ValueError(f"version {told['version']}, not {VERSION}")
            arms |= {run_id: label for label, runs in told["arms"].items() for run_id in runs}
            items |= {name: _entry(one, told["passages"]) for name, one in told["items"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(
                f"{path} is not a key as harness label export writes it ({error!r}); export again"
            ) from error
    return Key(items, arms)


def _entry(told: Mapping[str, Any], passages: Any) -> Entry:
    drawn = tuple((str(run_id), str(question)) for run_id, question in told["drawn"])
    if not drawn:
        raise ValueError("an item without answers")
    return Entry(str(told["sha256"]), drawn, bool(passages))
