"""``harness load``: arms under open-loop load, one row a rate, with the knee of each curve."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.arguments import refusing
from harness.errors import ConfigError
from harness.load.config import LoadConfig

if TYPE_CHECKING:
    from harness.load.measure import Target

HELP = """\
Put arms under load: latency, quality of experience (QoE), throughput and cost against rate.

usage: harness load ARM [ARM ...] --rates 0.5,1,2 [OPTIONS]
       harness load [ARM] --endpoint URL --model NAME --rates 0.5,1,2 [OPTIONS]

Requests arrive at random (Poisson), at times drawn beforehand, the same for every arm,
and wait for no answer. All times count from the intended sending. An arm is the newest
finished run of that name; it answers in this process, one request after the other.

  --rates R,R,...       requests a second, ascending
  --requests 30         for each rate; a p95 needs 20, a p99 500
  --tokens 12,100       lengths of the answers; each is forced to go on to its length
  --natural             answers end where the model ends them; --tokens is the most
  --batch 1             waiting requests that are answered together
  --seed 0              of the arrivals
  --limit 300           seconds for a rate; what is not answered by then counts as that
  --ttft 1              seconds to the first token that users expect
  --pace 5.3            tokens a second that they read
  --knee 5              p95 latency over that of a request alone, at most, up to the knee
  --alone 3             requests answered alone, to know the latter
  --again               measure what is there already
  --results FOLDER      where the arms are (default: results)
  --rebuild             make again what was removed from the store
  --cost NAME|FILE      prices from conf/cost/NAME.yaml or a file like it: US$ a request
  --assume NAME=VALUE   a price, over what the file says; may be given several times
  --json                print rows as JSON lines

  --endpoint URL        an OpenAI-compatible address, such as http://127.0.0.1:8000/v1, is
                        sent the arm's prompts, or without an arm the lines of --questions
  --model NAME          the model's name there
  --questions FILE      a question a line
  --api chat            chat or completions
  --key-env VARIABLE    environment variable that holds the key
  --timeout 60          seconds for one answer
  --body JSON           more fields of the request, such as '{"ignore_eos": true}'
  --allow-remote        let traffic go to another machine than this one

Rows go to results/EXPERIMENT/load/RUN.csv, each request beside them, charts as SVG.

Examples:
  harness load rag lora --results results/quickstart --rates 0.25,0.5,1
  harness load --endpoint http://127.0.0.1:8000/v1 --model my-model --questions q.txt --rates 1,2

Exit code: 0 measured, 2 the input is wrong or nothing answers.
docs/load.md defines every figure."""

OPTION_OF = {
    "model.base_url": "--endpoint",
    "model.id": "--model",
    "model.api_key_env": "--key-env",
    "model.timeout_seconds": "--timeout",
    "model.api": "--api",
}
"""Setting of an endpoint -> the option that gives it here."""


def main(arguments: Sequence[str]) -> int:
    """Measure what the arguments ask for, print it, and return the exit code.

    Raises:
        HarnessError: an option is wrong, an arm cannot be opened, or an endpoint does not answer.
    """
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    asked = _parse(arguments)
    config = _config(asked)
    _check_combination(asked)
    from harness.load.charts import write_curves
    from harness.load.measure import measure
    from harness.load.money import stated_prices, usd_per_request
    from harness.load.render import shown
    from harness.store_use import session

    prices = stated_prices(asked.cost, asked.assume)
    rows, folders = [], set()
    with session():
        for target in _targets(asked, config):
            found = measure(target, config, asked.again)
            priced = [{**row, "usd_per_request": usd_per_request(row, prices)} for row in found]
            for row in priced if asked.json else ():
                print(json.dumps(row, ensure_ascii=False), flush=True)
            if not asked.json:
                print(shown(priced, config.knee), flush=True)
                print(f"rows: {target.table}\n", flush=True)
            rows += found
            folders.add(target.table.parent)
    if len(folders) == 1 and not asked.json:
        for path in write_curves(folders.pop(), rows):
            print(f"chart: {path}")
    return 0


def _targets(asked: argparse.Namespace, config: LoadConfig) -> list[Target]:
    """What is to be measured; every arm is found before the first is loaded."""
    from harness.load.in_process import InProcess
    from harness.load.over_http import OverHttp
    from harness.models.endpoint_config import EndpointConfig
    from harness.recorded import find_run, settings_of

    rows = [find_run([asked.results], arm, None) for arm in asked.arms]
    common = {"config": config, "extra": asked.body, "remote": asked.allow_remote}
    if asked.endpoint is not None:
        endpoint = _endpoint(asked)
        if not rows:
            questions = _questions(asked.questions)
            return [OverHttp(endpoint, asked=questions, folder=asked.results, **common)]
        return [OverHttp(endpoint, row=row, rebuild=asked.rebuild, **common) for row in rows]
    targets: list[Target] = []
    for row in rows:
        own = settings_of(row).model
        if isinstance(own, EndpointConfig):
            targets.append(OverHttp(own, row=row, rebuild=asked.rebuild, **common))
        else:
            targets.append(InProcess(row, config, asked.rebuild))
    return targets


def _endpoint(asked: argparse.Namespace) -> Any:
    from harness.models.endpoint_config import EndpointConfig

    try:
        return EndpointConfig(
            id=asked.model,
            base_url=asked.endpoint,
            api=asked.api,
            api_key_env=asked.key_env,
            timeout_seconds=asked.timeout,
        )
    except ConfigError as error:
        told = str(error)
        for name, option in OPTION_OF.items():
            told = told.replace(name, option)
        raise ConfigError(told) from None


def _questions(path: Path) -> list[str]:
    """The lines of a file that are not empty.

    Raises:
        ConfigError: it cannot be read, or there are none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--questions {path} cannot be read: {error}") from error
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise ConfigError(f"--questions {path} holds no question; write one on each line")
    return found


def _config(asked: argparse.Namespace) -> LoadConfig:
    return LoadConfig(
        rates=tuple(asked.rates),
        requests=asked.requests,
        tokens=tuple(asked.tokens),
        forced=not asked.natural,
        batch=asked.batch,
        seed=asked.seed,
        limit_seconds=asked.limit,
        alone=asked.alone,
        knee=asked.knee,
        first_token_seconds=asked.ttft,
        tokens_per_second=asked.pace,
    )


def _check_combination(asked: argparse.Namespace) -> None:
    """Check that the options say what is to be asked of whom."""
    if asked.endpoint is None:
        if not asked.arms:
            raise ConfigError("name an arm, or an --endpoint; harness load --help shows both")
        for option, value in (("--model", asked.model), ("--questions", asked.questions)):
            if value is not None:
                raise ConfigError(f"{option} does nothing without --endpoint")
    else:
        if not asked.model:
            raise ConfigError("--endpoint needs --model, the model's name there")
        if not asked.arms and asked.questions is None:
            raise ConfigError("--endpoint needs an arm, whose prompts it is sent, or --questions")
        if asked.arms and asked.questions is not None:
            raise ConfigError("--questions and an arm: one of them says what is asked")
    if len(set(asked.arms)) < len(asked.arms):
        raise ConfigError("an arm is named twice")
    if asked.arms and not asked.results.exists():
        raise ConfigError(f"--results {asked.results}: there is no such file or folder")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("harness load", add_help=False, allow_abbrev=False)
    refusing(parser, "load")
    parser.add_argument("arms", nargs="*", metavar="ARM")
    parser.add_argument("--rates", type=_listed(float), required=True)
    parser.add_argument("--requests", type=int, default=30)
    parser.add_argument("--tokens", type=_listed(int), default=[12, 100])
    parser.add_argument("--natural", action="store_true")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=LoadConfig.limit_seconds)
    parser.add_argument("--ttft", type=float, default=LoadConfig.first_token_seconds)
    parser.add_argument("--pace", type=float, default=LoadConfig.tokens_per_second)
    parser.add_argument("--knee", type=float, default=LoadConfig.knee)
    parser.add_argument("--alone", type=int, default=LoadConfig.alone)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--rebuild", action="store_true")
    parser.add_argument("--cost")
    parser.add_argument("--assume", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--endpoint")
    parser.add_argument("--model")
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--api", default="chat")
    parser.add_argument("--key-env")
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--body", type=_fields, default={})
    parser.add_argument("--allow-remote", action="store_true")
    return parser.parse_intermixed_args(list(arguments))


def _listed(kind: type) -> Callable[[str], list[Any]]:
    """A reader of numbers with commas between them."""

    def read(text: str) -> list[Any]:
        try:
            return [kind(part) for part in text.split(",") if part.strip()]
        except ValueError:
            what = "whole numbers" if kind is int else "numbers"
            raise argparse.ArgumentTypeError(f"'{text}' is no list of {what} like 1,2") from None

    return read


def _fields(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"'{text}' is no JSON object")
    return found
