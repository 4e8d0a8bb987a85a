"""The rows of one split of a data set, from the hub or from local files, through ``datasets``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, SourceError, suggestion
from harness.tasks.dataset_config import DatasetConfig
from harness.tasks.text_files import Row

if TYPE_CHECKING:
    from datasets import Dataset

READERS: dict[str, dict[str, str]] = {
    ".json": {"path": "json"},
    ".jsonl": {"path": "json"},
    ".csv": {"path": "csv"},
    ".tsv": {"path": "csv", "delimiter": "\t"},
    ".parquet": {"path": "parquet"},
}
"""A local file's ending -> how ``datasets`` reads it."""
FILE_RELATION = "(relation from file)"
"""The name under which a row holds the relation that its file's name tells."""
NOISY = ("datasets", "huggingface_hub", "httpx")


def read_split(config: DatasetConfig, split: str) -> list[Row]:
    """The rows of ``split``, with the mapped columns alone under the names they are mapped by.

    Raises:
        DataError: no such file, split or column, or files that cannot be read.
        SourceError: the hub cannot be reached.
    """
    rows: list[Row] = []
    for name, relation, data in _tables(config, split):
        columns = mapped_columns(config)
        _check_columns(columns, column_names(data.features), name)
        tops = {path.split(".")[0] for path in columns.values()} & set(data.column_names)
        tops |= set(columns.values()) & set(data.column_names)
        for number, values in enumerate(data.select_columns(sorted(tops)).to_list(), start=1):
            held = {field: value_at(values, path) for field, path in columns.items()}
            rows.append(Row(f"{name} row {number}", number, held | {FILE_RELATION: relation}))
    return rows


def mapped_columns(config: DatasetConfig) -> dict[str, str]:
    """What a column holds -> the column, for those that are named."""
    fields = vars(config.columns).items()
    return {name: path for name, path in fields if path and name not in ("answer_is", "json")}


def column_names(features: Any, prefix: str = "") -> list[str]:
    """The columns and, with a dot, the parts of those that have parts."""
    names = []
    for name, kind in features.items():
        held = kind[0] if isinstance(kind, list) else getattr(kind, "feature", kind)
        parts = column_names(held, f"{prefix}{name}.") if isinstance(held, dict) else []
        names += parts or [prefix + name]
    return names


def value_at(values: Any, path: str) -> Any:
    """What stands at ``path``; of a list's items, what stands there in each."""
    if not path or values is None:
        return values
    if isinstance(values, list):
        return [value_at(item, path) for item in values]
    if path in values:  # a column's own name may hold a dot
        return values[path]
    first, _, rest = path.partition(".")
    return value_at(values.get(first), rest)


def _check_columns(columns: dict[str, str], there: Sequence[str], name: str) -> None:
    """Raise DataError unless every mapped column is there."""
    for field, path in columns.items():
        if path not in there:
            raise DataError(
                f"task.columns.{field}={path}: {name} has no such column"
                f"{suggestion(path, list(there))}; it has: {', '.join(there)}"
            )


def _tables(config: DatasetConfig, split: str) -> Iterator[tuple[str, str, Dataset]]:
    """(name, relation or "", data) of each table of the split: one, or one for each local file."""
    path = Path(config.path).expanduser()
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = [file for file in sorted(path.glob(split)) if file.is_file()]
    elif config.path.startswith((".", "/", "~")):
        raise DataError(f"task.path={config.path} does not exist; give a file or a folder")
    else:
        files = []
    if config.relation_from_file and not files:
        raise DataError(
            f"task.relation_from_file needs local files, but none in task.path={config.path} fits "
            f"'{split}'"
        )
    for file in files:
        if file.suffix.lower() not in READERS:
            raise DataError(f"{file} is none of {', '.join(READERS)}")
        relation = file.name.split(".")[0] if config.relation_from_file else ""
        source = READERS[file.suffix.lower()] | {"data_files": str(file), "split": "train"}
        yield str(file), relation, _load(source, str(file))
    if not files:
        name = f"{config.path}{f' ({config.subset})' if config.subset else ''}, split {split}"
        source = {"path": config.path, "split": split}
        source |= {"name": config.subset} if config.subset else {}
        source |= {"revision": config.revision} if config.revision else {}
        yield name, "", _load(source, name)


def _load(source: dict[str, str], name: str) -> Dataset:
    """The table that ``datasets`` loads; what it logs meanwhile is not shown."""
    import datasets
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    try:
        with _quiet():
            return datasets.load_dataset(**source)
    except DatasetNotFoundError as error:
        raise SourceError(
            f"task.path: {name}: the hub has no such data set, or not for you ({_told(error)}); "
            "check task.path and task.revision, and log in if it is gated"
        ) from error
    except ConnectionError as error:
        raise SourceError(
            f"task.path: {name} is neither a local file or folder nor cached, and the hub cannot "
            f"be reached ({_told(error)}); connect, or set task.path to a copy of it"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, DatasetsError) as error:
        raise DataError(f"{name} cannot be loaded: {_told(error)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' bars and their tale of each attempt off the terminal."""
    import datasets

    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()


def _told(error: BaseException) -> str:
    """The first line of what the error says, or of its cause, which tells more."""
    lines = str(error.__cause__ or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
