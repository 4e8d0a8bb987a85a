"""Which code, packages and machine made a row."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "accelerate",
    "sentence-transformers",
    "faiss-cpu",
    "bm25s",
    "codecarbon",
    "hydra-core",
    "numpy",
    "ir-measures",
)


@cache
def code_version() -> tuple[str | None, bool | None]:
    """The commit of the harness and whether its code had uncommitted changes.

    The installed version, and None, where it does not run from a git checkout.
    """
    home = Path(__file__).resolve().parent
    commit = _git(home, "rev-parse", "HEAD")
    if commit is None:
        return f"v{version('rag-ft-harness')}", None
    status = _git(home, "status", "--porcelain", "--", str(home), str(home.parent / "conf"))
    return commit, bool(status)


def package_versions() -> dict[str, str]:
    """Package -> version of what can change a result, as far as it is installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def platform_name() -> str:
    """Operating system, processor architecture and Python."""
    return f"{platform.system()} {platform.machine()} Python {platform.python_version()}"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - git from the user's PATH
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
