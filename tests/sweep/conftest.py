"""One sweep that nothing disturbs, to compare with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweep.small_sweeps import finish, start


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """The folder of a sweep of four cells, run one after another in one process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(start(folder, tiny_model_folder))
    return folder
