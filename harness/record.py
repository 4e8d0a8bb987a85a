"""The table of results: rows appended safely by many processes, read back with their types.

The table is a CSV file whose header is the schema in ``harness.columns``. An empty cell is None.
"""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from harness.columns import COLUMNS, SCHEMA_VERSION
from harness.errors import RecordError, suggestion
from harness.row import Row, cells_of, new_row, value_of

logger = logging.getLogger(__name__)

LOCK_SECONDS = 120.0


def prepare_table(path: Path) -> None:
    """Check, before a run starts, that rows can be appended to ``path``; nothing is added to it.

    Makes the folder, and migrates a file of an older schema.

    Raises:
        RecordError: as ``append_row``.
    """
    with locked(path):
        _check_table(path)
        try:
            created = not path.exists()
            with path.open("ab"):
                pass
            if created:
                path.unlink()
        except OSError as error:
            raise _cannot_write(path, error) from error


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Append one row (from ``new_row``) to ``path``, with a header if the file is new.

    Safe under many processes. If the disk fills up, what was written of the row is taken back, and
    so is what a killed process wrote of one. A file that lacks columns of the schema is rewritten
    with them, empty, in one step.

    Raises:
        RecordError: the file cannot be written or locked, is damaged, or has unknown columns.
    """
    checked = new_row(**{name: value for name, value in row.items() if name != "schema_version"})
    cells = cells_of(checked)
    with locked(path):
        has_header = _check_table(path)
        payload = _csv_line(cells) if has_header else _csv_line(list(COLUMNS)) + _csv_line(cells)
        _append_bytes(path, payload)


def put_row(path: Path, row: Mapping[str, Any], instead_of: Collection[str] = ()) -> None:
    """Add a row in place of those with its own run id or one of ``instead_of``.

    Without such rows it is appended, as ``append_row`` does; with them the table is rewritten
    without them, in one step.

    Raises:
        RecordError: as ``append_row``.
    """
    checked = new_row(**{name: value for name, value in row.items() if name != "schema_version"})
    replaced = {checked["run_id"], *instead_of}
    with locked(path):
        if not _check_table(path):
            _append_bytes(path, _csv_line(list(COLUMNS)) + _csv_line(cells_of(checked)))
            return
        names, lines = _read_table(path)
        position = names.index("run_id")
        left = [cells for _, cells in lines if cells[position] not in replaced]
        if len(left) == len(lines):
            _append_bytes(path, _csv_line(cells_of(checked)))
            return
        with replacing(path) as table:
            for cells in (names, *left, cells_of(checked)):
                table.write(_csv_line(cells).decode())


def read_rows(path: Path) -> list[Row]:
    """The rows of ``path`` with their types, columns that an older file lacks None.

    Raises:
        RecordError: no such file, not UTF-8, an unknown or repeated column, a row with too few or
            too many cells, or a cell that is not of its column's type; with the line number.
    """
    header, lines = _read_table(path)
    _check_header(path, header)
    rows = []
    for number, cells in lines:
        row: Row = dict.fromkeys(COLUMNS)
        for name, cell in zip(header, cells, strict=True):
            row[name] = value_of(COLUMNS[name], cell, f"{path}, line {number}")
        rows.append(row)
    return rows


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[io.TextIOWrapper]:
    """A text file to write, which takes the place of ``path`` in one step, or not at all.

    Raises:
        RecordError: the folder cannot be written, or the disk is full.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes it private
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _csv_line(cells: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    # Python's writer quotes a lone "\r" only where the line end has one; without quotes, reading
    # would break the row there.
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return (text.getvalue().removesuffix("\r\n") + "\n").encode()


def _read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header, and line number with cells of each row; every row as wide as the header."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # a spreadsheet may have put a BOM
    except FileNotFoundError as error:
        raise RecordError(f"{path} does not exist: run an experiment first") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    csv.field_size_limit(2**31 - 1)  # a long error message or many buckets may pass the 128 KiB
    lines: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            if cells:
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise RecordError(f"{path}, line {start}: damaged CSV ({error}); mend or remove it") from (
            error
        )
    if not lines:
        raise RecordError(f"{path} is empty: it has no header; remove it")
    header = lines[0][1]
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise RecordError(
                f"{path}, line {number}: {len(cells)} cells where the header has {len(header)}; "
                "mend or remove the line"
            )
    return header, lines[1:]


def _check_header(path: Path, header: Sequence[str]) -> None:
    for name in header:
        if name not in COLUMNS:
            raise RecordError(
                f"{path}: column '{name}' is unknown to schema {SCHEMA_VERSION}"
                f"{suggestion(name, list(COLUMNS))}; move the file away, or use the version of "
                "the harness that wrote it"
            )
        if header.count(name) > 1:
            raise RecordError(f"{path}: column '{name}' stands twice in the header")
    for name in ("run_id", "status"):
        if name not in header:
            raise RecordError(f"{path}: no column '{name}', so this is no file of results")


def _check_table(path: Path) -> bool:
    """Whether ``path`` has a header; mends a torn end, brings an older file up to the schema."""
    ours = _csv_line(list(COLUMNS))
    try:
        with path.open("rb+") as file:
            header = file.readline()
            if not header.endswith(b"\n") and ours.startswith(header):
                file.truncate(0)  # killed within the header, or nothing is there yet
                return False
            if header == ours:
                file.seek(-1, os.SEEK_END)
                if file.read() == b"\n" or _removes_torn_row(path, file):
                    return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _cannot_write(path, error) from error
    # Something differs: fewer columns, another order, other line ends, no line end at the end.
    names, lines = _read_table(path)
    _check_header(path, names)
    with replacing(path) as table:
        table.write(_csv_line(list(COLUMNS)).decode())
        for _, cells in lines:
            known = dict(zip(names, cells, strict=True))
            table.write(_csv_line([known.get(name, "") for name in COLUMNS]).decode())
    return True


def _removes_torn_row(path: Path, file: BinaryIO) -> bool:
    """Whether the table, which ends without a line end, ended in half a row, now taken away.

    A process that is killed while it writes a row leaves that. The row's cell will be run again.
    """
    file.seek(0)
    data = file.read()
    # A row ends at a line end outside quotes: one before which every quote is closed.
    end = data.rfind(b"\n")
    while data.count(b'"', 0, end) % 2:
        end = data.rfind(b"\n", 0, end)
    torn = data[end + 1 :]
    with contextlib.suppress(csv.Error):
        (cells,) = csv.reader([torn.decode("utf-8", "replace")], strict=True)
        if len(cells) >= len(COLUMNS):
            return False  # only the line end is missing, as some editors leave it
    file.truncate(end + 1)
    file.flush()
    os.fsync(file.fileno())
    logger.warning(
        "%s: the last row was cut short, as by a kill, and is taken away: %.80r", path, torn
    )
    return True


def _append_bytes(path: Path, payload: bytes) -> None:
    try:
        with path.open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                left = memoryview(payload)
                while left:
                    left = left[os.write(file.fileno(), left) :]
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(size)  # half a row would damage the table
                raise
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Within the block no other process that asks for the same holds ``path``.

    Raises:
        RecordError: it is held for ``LOCK_SECONDS``, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise RecordError(
            f"{path} has been locked by another process for {LOCK_SECONDS:.0f} s: "
            "wait for it to end, or end it"
        ) from error
    except (OSError, NotImplementedError) as error:
        raise _cannot_write(path, error) from error
    try:
        yield
    finally:
        lock.release()


def _cannot_write(path: Path, error: BaseException) -> RecordError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return RecordError(
        f"{path} cannot be written ({reason}): free space there, make the folder writable, or "
        "choose another with results=FOLDER"
    )
