"""``harness doctor``: what this machine offers to a run, and what a run would fetch."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import sources, store
from harness.errors import ConfigError
from harness.sources import Wheel, cache_folder, unpacked_path

GIB = 2**30

HELP = """\
Say what this machine offers and what a run would fetch. Nothing is fetched or changed.

usage: harness doctor [--json]"""

INSTRUCTION_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16 (bfloat16 in hardware)",
    "amx_bf16": "AMX BF16 (bfloat16 matrix products)",
    "asimd": "NEON",
    "sve": "SVE",
    "bf16": "ARM BF16",
}
"""Flags of /proc/cpuinfo that decide how fast a model runs here."""

PACKAGES = (
    *("torch", "transformers", "peft", "accelerate", "sentence-transformers", "faiss-cpu"),
    *("bm25s", "codecarbon", "hydra-core", "ir-measures", "numpy", "scipy", "pandas"),
)


def main(arguments: Sequence[str]) -> int:
    """Print the report, as text or with ``--json`` as JSON; the value is the exit code."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    unknown = [text for text in arguments if text != "--json"]
    if unknown:
        raise ConfigError(f"harness doctor does not know '{unknown[0]}'; it takes only --json")
    report = examine()
    print(json.dumps(report, indent=2) if "--json" in arguments else as_text(report))
    return 0


def examine() -> dict[str, Any]:
    """Everything the report says, JSON-ready; a figure that is not known is None."""
    return {
        "system": {
            "platform": platform.platform(),
            "python": platform.python_version(),
        },
        "processor": processor(),
        "memory": memory(),
        "devices": devices(),
        "energy": energy(),
        "disk": disk(),
        "packages": packages(),
        "fetched_once": wheels(),
        "hub_models": hub_models(),
        "store": stored(),
        "choices": choices(),
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """Model, core counts and the instruction sets that matter here."""
    import psutil

    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.is_file() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    has = set(flags.group(1).split()) if flags else set()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "model": model.group(1) if model else platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "usable_threads": usable,
        "instruction_sets": [name for flag, name in INSTRUCTION_SETS.items() if flag in has],
    }


def memory() -> dict[str, float]:
    """Memory of the machine and what is free of it now, in GiB."""
    import psutil

    found = psutil.virtual_memory()
    return {"total_gib": found.total / GIB, "available_gib": found.available / GIB}


def devices() -> list[dict[str, Any]]:
    """Each device that torch can compute on; the first is what a run takes."""
    import torch

    cuda = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    found = [
        {"name": f"cuda:{number}", "model": gpu.name, "memory_gib": gpu.total_memory / GIB}
        for number, gpu in enumerate(cuda)
    ]
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "model": "Apple GPU", "memory_gib": None})
    return [
        *found,
        {"name": "cpu", "model": f"{torch.get_num_threads()} threads", "memory_gib": None},
    ]


def energy() -> list[dict[str, Any]]:
    """Each part of the machine that draws power, and where its energy figure would come from."""
    from harness.metering.codecarbon_source import open_energy_source
    from harness.metering.config import CostConfig
    from harness.metering.device import choose_device

    found = open_energy_source(CostConfig(), choose_device())
    parts = [
        {"part": part.name, "origin": part.origin, "watts": part.watts, "detail": part.detail}
        for part in found.components
    ]
    missing = [
        {"part": name, "origin": "none", "watts": None, "detail": "nothing here can read it"}
        for name in found.missing
    ]
    return parts + missing


def disk() -> list[dict[str, Any]]:
    """Free space where the cache and the results go, in GiB."""
    return [
        {
            "what": what,
            "folder": str(folder),
            "free_gib": shutil.disk_usage(_existing(folder)).free / GIB,
        }
        for what, folder in (("cache", cache_folder()), ("results", Path("results").resolve()))
    ]


def packages() -> dict[str, str | None]:
    """Version of each package that figures can depend on; None where it is not installed."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def wheels() -> list[dict[str, Any]]:
    """Each pinned wheel that a task or model of this project comes from."""
    pinned = {
        value.requirement: value for value in vars(sources).values() if isinstance(value, Wheel)
    }
    return [
        {
            "wheel": requirement,
            "megabytes": wheel.megabytes or None,
            "cached": _is_unpacked(wheel),
        }
        for requirement, wheel in sorted(pinned.items())
    ]


def hub_models() -> list[dict[str, Any]]:
    """Models of the hub that lie in the hub's own cache, with their size in MB."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        found = scan_cache_dir().repos
    except CacheNotFound:
        return []
    return [
        {"id": repo.repo_id, "megabytes": repo.size_on_disk / 1e6}
        for repo in sorted(found, key=lambda repo: repo.repo_id)
        if repo.repo_type == "model"
    ]


def stored() -> dict[str, dict[str, Any]]:
    """For each kind of artifact kept for reuse: how many, and their size in MB."""
    kinds = {}
    for kind in _folders(store.store_folder()):
        artifacts = _folders(kind)
        size = sum(
            path.stat().st_size for one in artifacts for path in one.rglob("*") if path.is_file()
        )
        kinds[kind.name] = {"artifacts": len(artifacts), "megabytes": size / 1e6}
    return kinds


def choices() -> list[dict[str, Any]]:
    """The dtype and attention that were measured to be fastest, with what they hold for."""
    found = []
    for folder in _folders(store.store_folder() / "choices"):
        try:
            manifest = json.loads((folder / store.MANIFEST).read_text(encoding="utf-8"))
            chosen = {
                name: json.loads((folder / name).read_text(encoding="utf-8"))
                for name in manifest["files"]
                if name.endswith(".json")
            }
            found.append({"for": manifest["key"], "chosen": chosen})
        except (OSError, ValueError, KeyError):
            continue  # damaged: the run that needs it will measure again
    return found


def as_text(report: dict[str, Any]) -> str:
    """The report for people: a heading for each part and a line for each fact."""
    cpu, ram = report["processor"], report["memory"]
    sections: dict[str, list[str]] = {
        "Machine": [
            report["system"]["platform"] + ", Python " + report["system"]["python"],
            f"{cpu['model']}: {cpu['usable_threads']} of {cpu['threads']} threads usable",
            ", ".join(cpu["instruction_sets"]) or "no instruction set known to matter here",
            f"memory {ram['total_gib']:.1f} GiB, {ram['available_gib']:.1f} GiB available",
        ],
        "Devices (a run takes the first)": [
            f"{device['name']:<8} {device['model']}{_gib(device['memory_gib'])}"
            for device in report["devices"]
        ],
        "Energy (state your machine's figures in conf/cost/ where it says assumed)": [
            f"{part['part']:<8} {part['origin']:<8}"
            + (f" {part['watts']:.0f} W:" if part["watts"] is not None else "")
            + f" {part['detail']}"
            for part in report["energy"]
        ],
        "Disk": [
            f"{place['what']:<8} {place['free_gib']:.1f} GiB free at {place['folder']}"
            for place in report["disk"]
        ],
        "Packages": [
            f"{name} {version or 'not installed: make .venv'}"
            for name, version in report["packages"].items()
        ],
        "Fetched once, when first needed": [
            f"{wheel['wheel']:<32} {_size(wheel['megabytes']):>7}  "
            + ("cached" if wheel["cached"] else "not fetched yet")
            for wheel in report["fetched_once"]
        ],
        "Models of the hub in its cache (model=hub model.id=…)": [
            f"{model['id']:<40} {model['megabytes']:.0f} MB" for model in report["hub_models"]
        ],
        "Kept for reuse": [
            f"{kind:<8} {kept['artifacts']}, {kept['megabytes']:.0f} MB"
            for kind, kept in report["store"].items()
        ],
        "Fastest settings measured here": [
            f"{choice['for'].get('device')}, model {str(choice['for'].get('model'))[:8]}: "
            + ", ".join(
                f"{name} {value}"
                for name, value in choice["chosen"]
                .get("choices.json", {})
                .get("chosen", {})
                .items()
            )
            for choice in report["choices"]
        ],
    }
    parts = [
        "\n".join([heading, *(f"  {line}" for line in lines or ["nothing yet"])])
        for heading, lines in sections.items()
    ]
    return "\n\n".join(parts)


def _is_unpacked(wheel: Wheel) -> bool:
    """Whether anything of the wheel lies in the cache."""
    home = unpacked_path(wheel, "any").parent
    return home.is_dir() and any(not path.name.startswith(".") for path in home.iterdir())


def _folders(parent: Path) -> list[Path]:
    """The folders in ``parent``, scratch and lock entries left out."""
    if not parent.is_dir():
        return []
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))


def _existing(folder: Path) -> Path:
    """The nearest folder above that exists: its disk is where ``folder`` would be."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _gib(size: float | None) -> str:
    return "" if size is None else f", {size:.0f} GiB"


def _size(megabytes: float | None) -> str:
    return "" if megabytes is None else f"{megabytes:.0f} MB"
