"""The doctor tells what is there, what would be fetched, and changes nothing."""

import json
from pathlib import Path

import pytest

from harness import doctor, sources, store
from harness.cli import main

CPUINFO = """\
processor\t: 0
model name\t: Example CPU 3000
flags\t\t: fpu sse2 avx2 avx512f avx512_bf16 amx_bf16
"""


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def test_the_report_is_json_and_nothing_is_fetched_or_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["devices"][-1]["name"] == "cpu"
    assert {part["part"] for part in report["energy"]} >= {"cpu", "memory"}
    assert report["packages"]["torch"]
    assert 0 < report["memory"]["available_gib"] <= report["memory"]["total_gib"]
    assert all(wheel["cached"] is False for wheel in report["fetched_once"])
    assert list(tmp_path.iterdir()) == []


def test_the_text_names_device_energy_wheels_and_settings(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert sources.MINILM.requirement in text
    assert "not fetched yet" in text
    for heading in ("Machine", "Devices", "Energy", "Disk", "Packages", "Fastest settings"):
        assert f"\n{heading}" in f"\n{text}"


def test_an_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--jsn"]) == 2
    assert capsys.readouterr().err.startswith("error: harness doctor does not know '--jsn'")


def test_instruction_sets_that_matter_are_read_from_the_processors_flags(tmp_path: Path):
    path = tmp_path / "cpuinfo"
    path.write_text(CPUINFO)
    found = doctor.processor(path)
    assert found["model"] == "Example CPU 3000"
    assert [name.split(" (")[0] for name in found["instruction_sets"]] == [
        "AVX2",
        "AVX-512",
        "AVX-512 BF16",
        "AMX BF16",
    ]


def test_a_system_without_cpuinfo_still_has_a_processor(tmp_path: Path):
    found = doctor.processor(tmp_path / "absent")
    assert found["model"]
    assert found["instruction_sets"] == []


def test_a_wheel_that_was_unpacked_is_cached_and_a_lock_alone_is_not():
    home = sources.unpacked_path(sources.MINILM, "model").parent
    home.mkdir(parents=True)
    (home / ".lock").touch()
    assert not cached(sources.MINILM.requirement)
    (home / "model").mkdir()
    assert cached(sources.MINILM.requirement)


def cached(requirement: str) -> bool:
    (wheel,) = (w for w in doctor.wheels() if w["wheel"] == requirement)
    return wheel["cached"]


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("pytest", "no-such-package"))
    found = doctor.packages()
    assert found["pytest"] == pytest.__version__
    assert found["no-such-package"] is None


def test_artifacts_are_counted_and_measured_choices_shown():
    def make(folder: Path) -> None:
        (folder / "choice.json").write_text('{"dtype": "bfloat16"}')

    store.obtain("choices", {"device": "cpu"}, make)
    assert doctor.stored()["choices"]["artifacts"] == 1
    assert doctor.choices() == [
        {"for": {"device": "cpu"}, "chosen": {"choice.json": {"dtype": "bfloat16"}}}
    ]


def test_a_damaged_choice_is_passed_over():
    store.obtain("choices", {"device": "cpu"}, lambda folder: None)
    (folder,) = (p for p in (store.store_folder() / "choices").iterdir() if p.is_dir())
    (folder / store.MANIFEST).write_text("{")
    assert doctor.choices() == []
