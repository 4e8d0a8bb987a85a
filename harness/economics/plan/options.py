"""The options of ``harness plan``; they stand in its help in the same order."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.arguments import refusing


def _count(text: str) -> int:
    """A whole number, which may be written 1e6."""
    value = float(text)
    if not value.is_integer():
        raise ValueError
    return int(value)


_count.__name__ = "number"  # what argparse calls it in its message


def parser() -> argparse.ArgumentParser:
    """The parser, which raises ConfigError for what it does not take."""
    made = argparse.ArgumentParser("harness plan", add_help=False, allow_abbrev=False)
    refusing(made, "plan")
    made.add_argument("model", nargs="?")
    made.add_argument("--check", nargs="+", type=Path)
    for flag in ("--no-time", "--devices", "--serve", "--checkpointing", "--json"):
        made.add_argument(flag, action="store_true")
    for flag in ("--train", "--cost"):
        made.add_argument(flag)
    for flag in ("--device", "--assume"):
        made.add_argument(flag, action="append", default=[])
    made.add_argument("--catalogue", type=Path)
    words = {
        "--train-dtype": "bfloat16",
        "--trained-dtype": "float32",
        "--optimiser": "adamw",
        "--attention": "sdpa",
        "--format": "bfloat16",
        "--kv-format": "bfloat16",
        "--encoder": "minilm",
        "--encoder-dtype": "float32",
        "--index": "flat",
    }
    for flag, default in words.items():
        made.add_argument(flag, default=default)
    counts = {
        "--rank": 16,
        "--example-tokens": 512,
        "--micro-batch": 1,
        "--concurrency": 1,
        "--prompt-tokens": 512,
        "--answer-tokens": 64,
        "--context": None,
        "--passages": None,
        "--passage-tokens": 128,
        "--top-k": 3,
        "--most": 8,
    }
    for flag, count in counts.items():
        made.add_argument(flag, type=_count, default=count)
    amounts = {
        "--examples": None,
        "--mean-tokens": None,
        "--epochs": 1.0,
        "--loss-share": 1.0,
        "--within-hours": None,
        "--queries": None,
        "--demand": None,
        "--mfu": 0.3,
        "--bandwidth-share": 0.6,
        "--memory-share": 0.9,
        "--power-share": 1.0,
    }
    for flag, amount in amounts.items():
        made.add_argument(flag, type=float, default=amount)
    return made
