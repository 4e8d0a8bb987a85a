"""The notebook in docs/ runs on the committed results and shows what it gave."""

import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

DOCS = Path(__file__).parent.parent / "docs"
LARGEST_BYTES = 100_000  # of a notebook that is read in a diff


@pytest.fixture(autouse=True)
def own_jupyter(tmp_path, monkeypatch):
    """Folders of Jupyter's own, so that no settings of the user's decide what happens."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(DOCS)}}
    )
    return client.execute()


def tables(notebook: nbformat.NotebookNode) -> list[str]:
    """What each cell shows, as text."""
    return [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "execute_result"
    ]


def test_the_notebook_runs_and_shows_what_is_committed():
    path = DOCS / "results.ipynb"
    committed = nbformat.read(path, as_version=4)
    nbformat.validate(committed)
    shown = tables(committed)
    assert len(shown) == sum(cell.cell_type == "code" for cell in committed.cells)
    assert tables(executed(nbformat.read(path, as_version=4))) == shown


def test_the_notebook_is_small_and_names_no_machine():
    text = (DOCS / "results.ipynb").read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST_BYTES
    folders = (DOCS.parent, Path.home(), tempfile.gettempdir())
    for sign in ("ipykernel_", "Traceback", "image/png", *map(str, folders)):
        assert sign not in text, sign


def test_a_cell_that_raises_fails_the_test():
    broken = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed(broken)
