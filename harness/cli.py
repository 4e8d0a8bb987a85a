"""The command ``harness``: finds the sub-command and turns what goes wrong into one line.

Nothing heavy is imported here: a sub-command's module is, once it is asked for.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from harness.errors import ConfigError, HarnessError, suggestion

COMMANDS = {
    "run": ("harness.launch", "run arms on a task and record what each gave and cost"),
    "ask": ("harness.ask", "put questions to an arm that was run, with its passages"),
    "load": ("harness.load.command", "put an arm under load: latency, QoE and cost against rate"),
    "compare": ("harness.compare.command", "set arms side by side: differences with verdicts"),
    "meter": (
        "harness.blocks.command",
        "meter arms again, in turns, for an interval on what they cost",
    ),
    "breakeven": ("harness.economics.command", "say at what query volume an arm overtakes another"),
    "plan": ("harness.economics.plan.command", "say what a model needs before anything is run"),
    "costs": ("harness.economics.costs_command", "say what arms take in tokens, money and carbon"),
    "advise": ("harness.advise.command", "say which arm to take for a volume and limits"),
    "judge": ("harness.judge.command", "have a model judge the answers of finished runs"),
    "report": ("harness.report.command", "write report.html and report.md about result folders"),
    "reproduce": ("harness.reproduce.command", "run a paper again: which of its claims hold"),
    "import": ("harness.interchange.import_command", "turn other tools' results into rows"),
    "export": (
        "harness.interchange.export_command",
        "write rows, or what a run made, for other tools",
    ),
    "label": ("harness.label.command", "have people mark answers, and hold measures against them"),
    "status": ("harness.sweep.status_command", "say how a sweep goes, from another terminal"),
    "store": ("harness.store_command", "list, verify and make room in the artifact store"),
    "doctor": ("harness.doctor", "say what this machine offers and what would be fetched"),
}
"""Sub-command to the module whose ``main(arguments)`` it calls, and its line of help."""

QUIET = {
    "TOKENIZERS_PARALLELISM": "false",  # its thread pool warns and stalls after a fork
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: done. 1: an arm failed, or the harness did. 2: the input is wrong. 130: interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # the bars of the libraries underneath
    try:
        return _dispatch(arguments)
    except HarnessError as error:
        return report(error)
    except KeyboardInterrupt:
        print("interrupted: rows of finished arms are kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone; keep Python from complaining when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        print(f"error: {error}; install the project with make .venv", file=sys.stderr)
        return 1
    except Exception as error:
        from harness.sources import cache_folder

        return report(error, cache_folder() / "logs")


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"rag-ft-harness {version('rag-ft-harness')}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise ConfigError(
            f"unknown command '{name}'{suggestion(name, list(COMMANDS))}; "
            f"it is one of: {', '.join(COMMANDS)}"
        )
    code: int = import_module(COMMANDS[name][0]).main(rest)
    return code


def help_text() -> str:
    """What ``harness --help`` prints."""
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {line}" for name, (_, line) in COMMANDS.items())
    return f"""\
Retrieval against fine-tuning on the same questions: accuracy, forgetting, time, energy, emissions.

usage: harness COMMAND [--help] ...

{commands}

Start with:
  harness run experiment=quickstart"""


def report(error: Exception, log_folder: Path | None = None) -> int:
    """Print an error as one line on stderr and return the exit code that it calls for.

    A HarnessError is the input's fault and needs no traceback; that of any other goes to a file
    in ``log_folder``.
    """
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, HarnessError) or log_folder is None:
        print(f"error: {message}", file=sys.stderr)
        return 2
    written = write_traceback(error, log_folder)
    print(f"error: {type(error).__name__}: {message} (traceback: {written})", file=sys.stderr)
    return 1


def write_traceback(error: BaseException, folder: Path) -> Path | str:
    """Write an exception's traceback into ``folder``; the value is its path, or why it has none."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    path = folder / f"{stamp}-{os.getpid()}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write("".join(traceback.format_exception(error)))
    except OSError as failure:
        return f"not written, {failure}"
    return path


if __name__ == "__main__":
    sys.exit(main())
