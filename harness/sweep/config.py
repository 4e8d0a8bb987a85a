"""How the cells of a sweep are run; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import ConfigError


@dataclass
class SweepConfig:
    """How cells are spread over processes, and what becomes of one that dies or hangs.

    None of it changes what a cell measures, so none of it is part of the config hash.

    Attributes:
        workers: cells that run at once on one machine, under a launcher other than basic.
        threads: of each worker; null shares the cores out among the workers (all of them for a
            single process). On a cluster it is also what each cell asks for.
        timeout_minutes: a cell that takes longer is ended and tried again; null waits for ever.
        retries: how often a cell whose process died or hung is tried again before it counts as
            failed. A cell that ends by itself with an error is not tried again.
    """

    workers: int = 2
    threads: int | None = None
    timeout_minutes: float | None = None
    retries: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"sweep.workers is {self.workers}; it is at least 1")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"sweep.threads is {self.threads}; it is at least 1, or null")
        # Written as "not above" so that nan, which compares false, is refused too.
        if self.timeout_minutes is not None and not self.timeout_minutes > 0:
            raise ConfigError(
                f"sweep.timeout_minutes is {self.timeout_minutes}; it is above 0, or null for none"
            )
        if self.retries < 0:
            raise ConfigError(f"sweep.retries is {self.retries}; it is 0 or more")
