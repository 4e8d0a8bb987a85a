"""CodeCarbon without its log lines."""

from __future__ import annotations

import logging


def quiet_codecarbon() -> None:
    """Import CodeCarbon with its own log handler limited to errors."""
    import codecarbon.external.logger

    codecarbon.external.logger.logger.setLevel(logging.ERROR)
