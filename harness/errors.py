"""The exceptions that users see: each message is one line that names what, where and the remedy."""

from __future__ import annotations


class HarnessError(Exception):
    """Base of every error that is the input's, the machine's or the configuration's fault.

    The command line prints the message as one line, without a traceback, and exits with 2.
    """


class ConfigError(HarnessError):
    """A setting is unknown, of the wrong type, or does not fit another."""


class DataError(HarnessError):
    """A corpus, question file or other input file is missing, empty or malformed."""


class SourceError(HarnessError):
    """Bytes could not be had (no network, no such package) or are not the pinned ones."""


class ModelError(HarnessError):
    """A model cannot be loaded, or a prompt does not fit it."""


class RetrievalError(HarnessError):
    """An index cannot be built, opened or searched as asked."""


class TrainingError(HarnessError):
    """Training diverged or ran out of memory."""


class RecordError(HarnessError):
    """Results cannot be written or read."""


def suggestion(wrong: str, choices: list[str]) -> str:
    """Return "; did you mean 'x'?" for the choice nearest to ``wrong``, else an empty string."""
    import difflib

    near = difflib.get_close_matches(wrong, choices, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
