"""Where locks lie that processes of one machine share: they go with the process that holds them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.sources import cache_folder


def lock_folder(name: str) -> Path:
    """The folder for locks of one purpose, made: in the cache, or where that cannot be written
    in the system's temporary folder.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    folder = Path(tempfile.gettempdir()) / f"harness-{os.getuid()}" / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
