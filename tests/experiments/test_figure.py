"""The README's figure and table: made from rows, seeds kept apart, nothing compared unfairly."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, RecordError
from harness.record import append_row
from harness.row import new_row

SCRIPTS = Path(__file__).parents[2] / "experiments" / "quickstart"


@pytest.fixture(scope="module")
def figure():
    sys.path.insert(0, str(SCRIPTS))  # as when the script is run
    yield importlib.import_module("figure")
    sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def arms(figure):
    return importlib.import_module("arms")


def add(folder: Path, arm: str, seed: int = 0, **values: Any) -> None:
    base: dict[str, Any] = {
        "run_id": f"{arm}-{seed}",
        "experiment": folder.name,
        "arm": arm,
        "task": "world_facts",
        "model": "tiny",
        "seed": seed,
        "status": "ok",
        "config_hash": f"{folder.name} {arm} {seed}",
        "split_sha256": "the split",
        "n_test": 100,
        "n_clusters": 25,
    }
    append_row(folder / "runs.csv", new_row(**(base | values)))


def correct(mean: float, **buckets: float) -> dict[str, Any]:
    by_bucket = {
        name: {"contains": {"mean": value, "low": value - 0.1, "high": value + 0.1, "n": 33}}
        for name, value in buckets.items()
    }
    return {
        "contains": mean,
        "contains_low": mean - 0.05,
        "contains_high": mean + 0.05,
        "by_bucket": by_bucket,
    }


@pytest.fixture
def quickstart(tmp_path: Path) -> Path:
    """A frozen arm and a trained one, two seeds each."""
    folder = tmp_path / "results" / "quickstart"
    for seed in (0, 1):
        add(
            folder,
            "closed_book",
            seed,
            **correct(0.1, low=0.0, high=0.2),
            forgetting_by_construction=True,
            forgetting_facts_generated=0.0,
            forgetting_facts_options=0.0,
        )
    for seed, share in ((1, 0.62), (0, 0.58)):
        add(
            folder,
            "lora",
            seed,
            **correct(share, low=share - 0.2, high=share + 0.2),
            adapter="lora",
            exact_match=0.5,
            forgetting_by_construction=False,
            forgetting_facts_generated=0.3,
            forgetting_facts_options=-0.04,
            forgetting_text_loss_nats=0.125,
            facts_generated_before=0.32,
            facts_options_before=0.68,
            forgetting_facts_generated_n=200,
            train_seconds=140.0 + 20 * seed,
            prefill_seconds=1.0,
            decode_seconds=2.0,
            total_energy_kwh=0.002,
            energy_source="estimate",
            energy_assumed_share=0.9,
        )
    return folder


def test_the_table_tells_seeds_from_intervals_and_unknown_from_zero(arms, quickstart):
    lines = arms.table(arms.read_arms([quickstart])).splitlines()
    assert lines[2:4] == [
        # Frozen: two equal rows are one measurement, so its interval over questions is shown.
        "| `closed_book` | 10 (5 to 15) | – | – | 0 (frozen) | 0 (frozen) | 0 (frozen) "
        "| 0 (frozen) | – | – | – |",
        # Mean of 58 and 62 with both seeds in order; 3 s for 100 questions are 30 ms each.
        "| `lora` | 60 [58, 62] | 50 | – | +30 [+30, +30] | -4 [-4, -4] | – | +0.12 "
        "| 150 | 30 | ~2.00 |",
    ]
    assert "32 % asked openly and 68 % by the likelihood" in "\n".join(lines)


def test_with_one_seed_the_interval_of_the_row_is_shown(arms, tmp_path):
    add(tmp_path / "one", "lora", adapter="lora", **correct(0.5))
    (arm,) = arms.read_arms([tmp_path / "one"])
    assert arms.estimate(arm, "contains") == arms.Estimate(0.5, 0.45, 0.55, (0.5,))
    assert "| 50 (45 to 55) |" in arms.table([arm])


def test_frozen_rows_that_differ_are_measurements_of_their_own(arms, tmp_path):
    for seed, share in ((0, 0.1), (1, 0.3)):
        add(tmp_path / "gpu", "rag", seed, **correct(share))
    (arm,) = arms.read_arms([tmp_path / "gpu"])
    assert arms.estimate(arm, "contains").seeds == (0.1, 0.3)


def test_a_popularity_bucket_has_a_mean_and_an_absent_one_none(arms, quickstart):
    lora = arms.read_arms([quickstart])[1]
    assert arms.estimate(lora, "contains", "low").mean == pytest.approx(0.40)
    assert arms.estimate(lora, "contains", "middle") is None


def test_arms_of_several_experiments_are_told_apart(arms, quickstart, tmp_path):
    other = tmp_path / "results" / "forget_less"
    add(other, "lora", adapter="lora", **correct(0.5))
    add(other, "lora_replay", adapter="lora", **correct(0.4))
    labels = [arm.label for arm in arms.read_arms([quickstart, other])]
    assert labels == ["closed_book", "lora (quickstart)", "lora (forget_less)", "lora_replay"]


def test_the_same_run_under_another_experiments_name_counts_once(arms, quickstart, tmp_path):
    other = tmp_path / "results" / "forget_less"
    add(other, "lora", adapter="lora", **correct(0.58), config_hash="quickstart lora 0")
    add(other, "lora_replay", adapter="lora", **correct(0.4))
    found = arms.read_arms([quickstart, other])
    assert [arm.label for arm in found] == ["closed_book", "lora", "lora_replay"]
    assert len(found[1].rows) == 2


def test_a_failed_row_is_left_out_and_the_last_of_equal_runs_counts(arms, tmp_path):
    folder = tmp_path / "again"
    add(folder, "rag", **correct(0.2))
    add(folder, "rag", **correct(0.3))
    add(folder, "lora", status="failed", error="out of memory")
    (arm,) = arms.read_arms([folder])
    assert [row["contains"] for row in arm.rows] == [0.3]


def test_rows_that_must_not_be_compared_are_refused(arms, quickstart, tmp_path):
    add(tmp_path / "other", "rag", **correct(0.2), split_sha256="another split")
    with pytest.raises(RecordError, match="different test questions"):
        arms.read_arms([quickstart, tmp_path / "other"])
    add(quickstart, "lora", 0, **correct(0.9), config_hash="other settings", run_id="again")
    with pytest.raises(RecordError, match="remove the row of lora-0 or of again"):
        arms.read_arms([quickstart])
    add(tmp_path / "failed", "rag", status="failed", error="no network")
    with pytest.raises(RecordError, match="no finished row"):
        arms.read_arms([tmp_path / "failed"])


def test_the_figure_and_the_table_are_written_from_the_rows(figure, quickstart, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text(f"Above\n{figure.BEGIN}\nold\n{figure.END}\nbelow\n", encoding="utf-8")
    out = tmp_path / "docs" / "quickstart"
    arguments = [str(quickstart), "--readme", str(readme), "--out", str(out)]
    assert figure.main(arguments) == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"Above\n{figure.BEGIN}\n| arm |")
    assert text.endswith(f"{figure.END}\nbelow\n")
    assert "old" not in text and "| `lora` | 60 [58, 62] |" in text
    drawn = out.with_suffix(".svg").read_bytes()
    for word in (b"closed_book", b"low popularity", b"asked openly", b"each seed"):
        assert word in drawn
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert figure.main(arguments) == 0
    assert out.with_suffix(".svg").read_bytes() == drawn
    assert readme.read_text(encoding="utf-8") == text
    assert "| `closed_book` |" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["none", "{end} {begin}", "{begin} {end} {begin} {end}"])
def test_a_readme_without_its_two_markers_is_left_alone(figure, tmp_path, text):
    readme = tmp_path / "README.md"
    whole = text.format(begin=figure.BEGIN, end=figure.END)
    readme.write_text(whole, encoding="utf-8")
    with pytest.raises(DataError, match="each once"):
        figure.put_between_markers(readme, "table")
    assert readme.read_text(encoding="utf-8") == whole


def test_a_missing_table_is_one_line_and_exit_code_2(figure, tmp_path, capsys):
    assert figure.main([str(tmp_path / "nothing"), "--out", str(tmp_path / "x")]) == 2
    assert "run an experiment first" in capsys.readouterr().err
