"""Artifacts: made once, found again, rebuilt when damaged, never half there."""

import json
from pathlib import Path

import pytest

from harness import store
from harness.errors import RecordError
from harness.store import MANIFEST, obtain


class Maker:
    """Writes one file and counts how often it was asked to."""

    def __init__(self, text: str = "bytes") -> None:
        self.calls = 0
        self.text = text

    def __call__(self, folder: Path) -> dict[str, object]:
        self.calls += 1
        (folder / "data.txt").write_text(self.text)
        return {"train": self.calls}


def test_an_artifact_is_made_once_and_keeps_its_cost(own_cache: Path):
    make = Maker()
    first = obtain("adapter", {"rank": 4}, make)
    again = obtain("adapter", {"rank": 4}, make)
    assert (first.reused, again.reused, make.calls) == (False, True, 1)
    assert again.folder == first.folder
    assert again.costs == {"train": 1}
    assert first.folder.is_relative_to(own_cache)


def test_another_key_or_kind_is_another_artifact(own_cache: Path):
    make = Maker()
    folders = {
        obtain(kind, key, make).folder
        for kind, key in (("adapter", {"a": 1}), ("adapter", {"a": 2}), ("index", {"a": 1}))
    }
    assert len(folders) == 3
    assert (
        obtain("adapter", {"b": 2, "a": 1}, make).key
        == obtain("adapter", {"a": 1, "b": 2}, make).key
    )


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "manifest"])
def test_a_damaged_artifact_is_rebuilt(own_cache: Path, damage: str):
    make = Maker()
    made = obtain("index", {}, make)
    data, manifest = made.folder / "data.txt", made.folder / MANIFEST
    if damage == "flip":
        data.write_text("bytez")
    elif damage == "truncate":
        data.write_text("byt")
    elif damage == "remove":
        data.unlink()
    else:
        manifest.write_text(manifest.read_text()[:20])
    rebuilt = obtain("index", {}, make)
    assert not rebuilt.reused
    assert make.calls == 2
    assert data.read_text() == "bytes"


def test_a_maker_that_fails_leaves_nothing_behind(own_cache: Path):
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("ha")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        obtain("adapter", {"x": 1}, fail)
    left = [path for path in (own_cache / "store" / "adapter").iterdir() if path.is_dir()]
    assert left == []
    assert not obtain("adapter", {"x": 1}, Maker()).reused


def test_without_reuse_the_artifact_is_replaced(own_cache: Path):
    obtain("answers", {}, Maker("old"))
    fresh = obtain("answers", {}, Maker("new"), reuse=False)
    assert not fresh.reused
    assert (fresh.folder / "data.txt").read_text() == "new"
    assert (obtain("answers", {}, Maker("x")).folder / "data.txt").read_text() == "new"


def test_the_manifest_says_what_determines_the_artifact(own_cache: Path):
    made = obtain("adapter", {"rank": 4}, Maker())
    manifest = json.loads((made.folder / MANIFEST).read_text())
    assert manifest["key"] == {"rank": 4}
    assert list(manifest["files"]) == ["data.txt"]


def test_a_store_that_cannot_be_written_is_one_line(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "_seal", full)
    with pytest.raises(RecordError, match="No space left on device; free some space") as caught:
        obtain("adapter", {}, Maker())
    assert "\n" not in str(caught.value)
