"""Retrieval against fine-tuning on the same questions.

``harness.load_results(folder)`` gives the runs of an experiment as a data frame, and
``harness.load_predictions(run)`` the answers of one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.results import load_predictions, load_results

__all__ = ["load_predictions", "load_results"]


def __getattr__(name: str) -> Any:
    # The command line imports this package too, and must answer without loading pandas.
    if name in __all__:
        from harness import results

        return getattr(results, name)
    raise AttributeError(f"module 'harness' has no attribute '{name}'")
