"""``harness judge``: a model at an OpenAI-compatible address judges what finished runs answered."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.arguments import refusing
from harness.errors import ConfigError, HarnessError, RecordError, suggestion

HELP = """\
Have a model at an OpenAI-compatible address judge the answers of finished runs.

usage: harness judge PATH --url URL --model NAME [OPTIONS]

PATH is a folder of results or a table of them. An answer is judged correct or not
against its gold answers, and grounded or not in the passages that its prompt held.
Verdicts go to judged/JUDGE/RUN.jsonl and judged.csv beside the table.

  --url URL                  where the API begins, mostly ending in /v1
  --model NAME               the judge's name there
  --arm ARM                  judge this arm alone (may be given again)
  --baseline ARM             difference of each arm from this one, question by question
  --limit N                  N questions of each run, the same for every arm
  --repeats N                ask everything N times in plain order (default: 1); it is
                             always asked once more with the order swapped
  --api-key-env NAME         the environment variable that holds the key
  --price-in, --price-out N  US dollars for a million tokens
  --concurrency N            most requests at once (default: 4)
  --requests-per-minute N    most requests sent in a minute
  --timeout SECONDS          longest wait for one reply (default: 60)
  --retries N                further attempts after a fault that may pass (default: 4)
  --max-tokens N             longest reply (default: 16)
  --limit-field NAME         max_tokens, or max_completion_tokens where the API wants that
  --no-seed                  send no seed, for servers that refuse one

Given again, the command goes on where it stopped.

Example:
  harness judge results/quickstart --url http://127.0.0.1:8000/v1 --model my-judge --repeats 2

Exit code: 0 judged, 2 the input is wrong or the judge failed.
docs/judge.md says more."""

FLAGS = {
    "model.base_url": "--url",
    "model.id": "--model",
    "model.api_key_env": "--api-key-env",
    "model.concurrency": "--concurrency",
    "model.timeout_seconds": "--timeout",
    "model.retries": "--retries",
    "model.requests_per_minute": "--requests-per-minute",
    "model.price_per_million_in": "--price-in",
    "model.price_per_million_out": "--price-out",
    "model.limit_field": "--limit-field",
    "model=endpoint": "harness judge",
}
"""What a setting of an endpoint is called here."""

FOLDER = "judged"


def main(arguments: Sequence[str]) -> int:
    """Judge the runs that the command line names and return the exit code.

    Raises:
        HarnessError: an option is wrong, there is nothing to judge, or the judge failed.
    """
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    options = _parse(arguments)
    _check(options)
    if not options.path.exists():
        raise ConfigError(f"{options.path}: there is no such file or folder")
    with _named_as_flags():
        return _judge(options)


def _judge(options: argparse.Namespace) -> int:
    from harness.foreign import Problems
    from harness.judge.judging import Judge, asks_about, judged_lines
    from harness.judge.questions import read_answers
    from harness.judge.table import difference, put_row, row_of, verdicts
    from harness.judge.wording import ASPECTS
    from harness.results import PREDICTIONS, run_file

    config = _endpoint(options)
    runs = _runs(options)
    judge = Judge(config, options.max_tokens)
    known: dict[tuple[Any, ...], dict[str, Any]] = {}
    tables: dict[Path, None] = {}
    for run in runs:
        problems, path = Problems(), run_file(run, PREDICTIONS)
        answers = read_answers(path, problems, options.limit) if path.exists() else []
        for problem in problems.lines():
            print(f"note: {problem}", file=sys.stderr)
        asks = asks_about(answers, options.repeats)
        if not asks:
            print(f"{run['run_id']}: {_nothing(path)}", file=sys.stderr)
            continue
        out = Path(run["folder"]) / FOLDER / _name(config.id, config.base_url)
        judged = judge.judge(asks, out, f"judging {run['run_id']}")
        _write(out / f"{run['run_id']}.jsonl", judged_lines(judged))
        row = row_of(run, judged, config, options.max_tokens, options.repeats)
        found = {aspect: verdicts(judged, aspect) for aspect in ASPECTS}
        # Baselines come first.
        against = known.get(_split(run), {}) if run["arm"] != options.baseline else {}
        if against:
            row["baseline"] = options.baseline
            for aspect in ASPECTS:
                row |= difference(aspect, found[aspect], against[aspect])
        elif options.baseline and run["arm"] == options.baseline:
            known[_split(run)] = found
        tables[put_row(Path(run["folder"]), row)] = None
        print(shown(row))
        sys.stdout.flush()
    if not tables:
        raise RecordError(f"{options.path} holds no answer that can be judged")
    print(f"written: {', '.join(map(str, tables))}", file=sys.stderr)
    return 0


def shown(row: Mapping[str, Any]) -> str:
    """A row as one line for a terminal."""
    from harness.judge.wording import ASPECTS

    parts = []
    for aspect in ASPECTS:
        if row[aspect] is None:
            continue
        part = f"{aspect} {_percent(row[aspect])}{_range(row, aspect)} of {row[f'{aspect}_n']}"
        if row[f"{aspect}_difference"] is not None:
            part += (
                f", {100 * row[f'{aspect}_difference']:+.1f} points"
                f"{_range(row, f'{aspect}_difference')} on {row['baseline']}"
            )
        same = [
            f"{name} {_percent(row[f'{aspect}_{column}_agreement'])}"
            for name, column in (("repeats", "repeats"), ("swapped order", "order"))
            if row[f"{aspect}_{column}_agreement"] is not None
        ]
        parts.append(f"{part} (agreement: {', '.join(same)})" if same else part)
    if row["unparsed"]:
        parts.append(f"{row['unparsed']} of {row['replies']} replies were no verdict")
    if row["cost_usd"] is not None:
        parts.append(f"${row['cost_usd']:.4f}")
    return f"{row['run_id']}: {'; '.join(parts)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _range(row: Mapping[str, Any], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if low is None else f" [{100 * low:.1f}, {100 * high:.1f}]"


def _nothing(path: Path) -> str:
    if not path.exists():
        return f"not judged: {path} is not there"
    return "not judged: no question with gold answers or passages, but for multiple choice"


def _runs(options: argparse.Namespace) -> list[Mapping[str, Any]]:
    """The finished runs that are asked for, those of the baseline first."""
    from harness.compare.arms import rows_of
    from harness.results import read_results

    results = read_results([options.path])
    for problem in results.problems:
        print(f"note: {problem}", file=sys.stderr)
    rows = [row for row in rows_of(results.frame) if row.get("status") == "ok"]
    arms = sorted({str(row["arm"]) for row in rows})
    for flag, name in [("--arm", one) for one in options.arm] + [("--baseline", options.baseline)]:
        if name is not None and name not in arms:
            raise RecordError(
                f"{flag} {name}: {options.path} holds no finished run of that arm"
                f"{suggestion(name, arms) or '; it has: ' + ', '.join(arms)}"
            )
    wanted = {*options.arm, options.baseline} if options.arm else set(arms)
    return sorted(
        (row for row in rows if row["arm"] in wanted),
        key=lambda row: row["arm"] != options.baseline,
    )


def _split(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """What two runs have in common whose answers are set against each other."""
    return tuple(run.get(name) for name in ("folder", "task", "model", "seed", "split_sha256"))


def _name(model: str, url: str) -> str:
    """A folder's name for a judge: no two addresses or models share one."""
    from harness.types import sha256_of

    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", model).strip("-")[:40] or "judge"
    return f"{readable}-{sha256_of([url, model])[:8]}"


def _write(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    from harness.record import replacing

    with replacing(path) as file:
        for line in lines:
            text = json.dumps(line, ensure_ascii=False)
            # Half a surrogate pair: only JSON's own escapes can hold it.
            whole = text.encode("utf-8", "replace").decode() == text
            file.write(f"{text if whole else json.dumps(line)}\n")


@contextmanager
def _named_as_flags() -> Iterator[None]:
    """Within the block errors name the flags of this command, not the settings of an endpoint."""
    try:
        yield
    except HarnessError as error:
        pattern = "|".join(re.escape(name) for name in sorted(FLAGS, key=len, reverse=True))
        text = re.sub(rf"(?:{pattern})(?![a-z_])", lambda found: FLAGS[found[0]], str(error))
        raise type(error)(text) from error


def _endpoint(options: argparse.Namespace) -> Any:
    from harness.models.endpoint_config import EndpointConfig

    return EndpointConfig(
        base_url=options.url,
        id=options.model,
        api_key_env=options.api_key_env,
        seed=None if options.no_seed else 0,
        limit_field=options.limit_field,
        concurrency=options.concurrency,
        timeout_seconds=options.timeout,
        retries=options.retries,
        requests_per_minute=options.requests_per_minute,
        price_per_million_in=options.price_in,
        price_per_million_out=options.price_out,
    )


def _check(options: argparse.Namespace) -> None:
    for flag, value in (("--repeats", options.repeats), ("--max-tokens", options.max_tokens)):
        if value < 1:
            raise ConfigError(f"{flag} is {value}; it is at least 1")
    for name in ("price_in", "price_out", "timeout", "requests_per_minute"):
        value = getattr(options, name)
        if value is not None and not math.isfinite(value):
            raise ConfigError(f"--{name.replace('_', '-')} is {value}; it is a finite number")
    if options.limit is not None and options.limit < 1:
        raise ConfigError(f"--limit is {options.limit}; it is at least 1, or left out for all")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("harness judge", add_help=False, allow_abbrev=False)
    refusing(parser, "judge")
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--arm", action="append", default=[])
    parser.add_argument("--baseline")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--api-key-env")
    parser.add_argument("--price-in", type=float)
    parser.add_argument("--price-out", type=float)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--requests-per-minute", type=float)
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--retries", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=16)
    parser.add_argument("--limit-field", default="max_tokens")
    parser.add_argument("--no-seed", action="store_true")
    return parser.parse_intermixed_args(list(arguments))
