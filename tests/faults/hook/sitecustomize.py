"""Loaded by every Python that a tested sweep starts: sets the trap there too."""

import importlib.util
import os
from pathlib import Path

if os.environ.get("FAULTS_TRAP"):
    # By its path: the processes of a sweep do not have the tests on theirs.
    path = Path(__file__).parent.parent / "trap.py"
    spec = importlib.util.spec_from_file_location("faults_trap", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.set_trap(os.environ["FAULTS_TRAP"])
