"""``harness store``: what the artifact store holds, whether it is whole, and making room in it."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from harness import store, store_gc, store_listing
from harness.errors import RecordError
from harness.store_listing import Entry


def main(arguments: Sequence[str]) -> int:
    """Run ``ls``, ``verify`` or ``gc``; 0, or 1 where ``verify`` found damage.

    Raises:
        RecordError: an artifact that was to be removed cannot be.
    """
    try:
        options = _parser().parse_args(list(arguments))
    except SystemExit as ended:  # argparse has printed its help, or what is wrong
        return int(ended.code or 0)
    try:
        code: int = options.run(options)
    except OSError as error:
        raise RecordError(
            f"cannot change the store {store.store_folder()}: {error.strerror or error}"
        ) from error
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="harness store",
        description="Indexes, adapters, answers and whatever else is kept for reuse.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ls = commands.add_parser("ls", help="list artifacts, the least recently used first")
    ls.add_argument("--kind", help="only of this kind, e.g. adapter")
    ls.add_argument("--json", action="store_true", help="as JSON, keys in full")
    ls.set_defaults(run=_ls)
    verify = commands.add_parser("verify", help="check every file against its sha256")
    verify.add_argument("--repair", action="store_true", help="remove what is damaged")
    verify.set_defaults(run=_verify)
    gc = commands.add_parser(
        "gc",
        help="remove the least recently used, and what killed runs left behind",
        description="Removes the least recently used artifacts until the store is within the "
        f"size (HARNESS_STORE_MAX_GIB is taken where --max-gib is not given). What a process "
        "makes or reads now stays. Work of an unfinished training is kept for "
        f"{store_gc.UNFINISHED_DAYS:.0f} days, or --older-than.",
    )
    gc.add_argument("--max-gib", type=_size, metavar="N", help="size to come down to; 0 empties it")
    gc.add_argument("--older-than", type=_size, metavar="DAYS", help="only what was not used since")
    gc.add_argument("--dry-run", action="store_true", help="remove nothing, say what would be")
    gc.set_defaults(run=_gc)
    return parser


def _size(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of 0 or more")
    return value


def _ls(options: argparse.Namespace) -> int:
    entries = store_listing.entries()
    if options.kind is not None:
        known = sorted({entry.kind for entry in entries})
        entries = [entry for entry in entries if entry.kind == options.kind]
        if not entries:
            print(f"no artifact of kind '{options.kind}'; there are: {', '.join(known) or 'none'}")
            return 0
    if options.json:
        print(json.dumps([_as_json(entry) for entry in entries], indent=1, ensure_ascii=False))
        return 0
    for row in _table([HEADINGS, *(_cells(entry) for entry in entries)]):
        print(row)
    total = sum(entry.size_bytes for entry in entries)
    seconds = sum(entry.cost_seconds for entry in entries)
    print(
        f"{_count(len(entries), 'artifact')}, {in_units(total)}, {seconds:.0f} s to make, "
        f"in {store.store_folder()}"
    )
    work = store_listing.unfinished()
    if work:
        size = sum(map(store_listing.size_of, work))
        print(f"and {_count(len(work), 'unfinished making')} to go on from, {in_units(size)}")
    return 0


HEADINGS = ("artifact", "size", "made", "last used", "uses", "seconds", "what")


def _cells(entry: Entry) -> tuple[str, ...]:
    last = entry.use.last_seconds
    return (
        entry.name,
        in_units(entry.size_bytes),
        entry.made_at[:16].replace("T", " "),
        "" if last is None else f"{datetime.fromtimestamp(last, UTC):%Y-%m-%d %H:%M}",
        str(entry.use.times or ""),
        f"{entry.cost_seconds:.1f}",
        entry.what,
    )


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "folder": str(entry.folder),
        "what": entry.what,
        "size_bytes": entry.size_bytes,
        "made_at": entry.made_at or None,
        "last_used_unix_seconds": entry.use.last_seconds,
        "times_used": entry.use.times,
        "cost_seconds": entry.cost_seconds,
        "manifest_readable": entry.whole,
    }


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns; figures to the right, the last column as long as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    right = {HEADINGS.index(name) for name in ("size", "uses", "seconds")}
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        )
        + f"  {row[-1]}"
        for row in rows
    ]


def _verify(options: argparse.Namespace) -> int:
    entries = store_listing.entries()
    damaged = 0
    for entry in entries:
        wrong = store_listing.damage(entry.folder)
        if wrong is None:
            continue
        damaged += 1
        outcome = ""
        if options.repair:
            removed = store_gc.remove_damaged(entry.folder)
            outcome = "; removed" if removed else "; in use, not removed"
        print(f"damaged: {entry.kind}/{entry.folder.name}: {wrong}{outcome}")
    left = store_gc.collect(dry_run=not options.repair)
    if left.scratch_folders:
        done = "removed" if options.repair else "left by killed runs"
        half = _count(left.scratch_folders, "half-written folder")
        print(f"{half} ({in_units(left.scratch_bytes)}) {done}")
    whole = len(entries) - damaged
    print(f"{_count(whole, 'artifact')} whole, {damaged} damaged, in {store.store_folder()}")
    if damaged and not options.repair:
        print("a damaged artifact is never used; harness store verify --repair removes it")
    return 1 if damaged or (left.scratch_folders and not options.repair) else 0


def _gc(options: argparse.Namespace) -> int:
    limit = store_gc.limit_bytes()
    if options.max_gib is not None:
        limit = int(options.max_gib * store_gc.GIB)
    freed = store_gc.collect(limit, options.older_than, options.dry_run)
    verb = "would remove" if options.dry_run else "removed"
    for entry in freed.artifacts:
        print(f"{verb} {entry.name}  {in_units(entry.size_bytes)}  {entry.what}")
    if freed.scratch_folders:
        print(
            f"{verb} {_count(freed.scratch_folders, 'folder')} that killed runs left behind, "
            f"{in_units(freed.scratch_bytes)}"
        )
    for entry in freed.in_use:
        print(f"kept {entry.name}, which is being made or read now")
    freed_words = "would be freed" if options.dry_run else "freed"
    print(
        f"{in_units(freed.freed_bytes)} {freed_words} "
        f"({_count(len(freed.artifacts), 'artifact')}), {in_units(freed.left_bytes)} left"
    )
    if limit is None and options.older_than is None:
        print("no size was given: --max-gib N removes artifacts down to N GiB")
    return 0


def in_units(size: int) -> str:
    """A number of bytes in the unit that suits it."""
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
