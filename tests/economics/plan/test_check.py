import csv
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import main
from harness.economics.plan import check as checking
from harness.economics.plan.calibration import Pace
from harness.economics.plan.check import check, check_as_text
from harness.economics.plan.predicted import training_of
from harness.economics.plan.process import HELD, PROCESS_BYTES
from harness.errors import RecordError
from harness.recorded import settings_of
from harness.results import read_results
from harness.run import run
from tests.made_runs import LORA, settings

QUICKSTART = Path(__file__).resolve().parents[3] / "results" / "reference" / "quickstart"


@pytest.fixture(scope="module")
def made(tiny_model_folder, tmp_path_factory) -> Path:
    """A frozen arm, two seeds of an adapter and one on two kinds of layers, on the tiny model."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        run(settings(tiny_model_folder, results, "closed_book"))
        lora = settings(tiny_model_folder, results, "lora", adapter=LORA)
        for seed in (0, 1):
            run(replace(lora, seed=seed))
        few = replace(LORA, target_modules="q_proj,v_proj")
        run(replace(lora, arm="few_layers", experiment="few", adapter=few))
    return results


@pytest.fixture
def folder(made, tmp_path, own_cache) -> Path:
    """A copy of the experiment, to be changed."""
    return Path(shutil.copytree(made / "made", tmp_path / "made"))


@pytest.fixture
def paces(monkeypatch) -> list[tuple]:
    """Calibrations asked for; each says 3 s and .5 a token, 2 CPU seconds and .75 a token."""
    asked = []

    def pace(*about):
        asked.append(about)
        return Pace(begin=3, token=0.5, cpu_begin=2, cpu_token=0.75)

    monkeypatch.setattr("harness.economics.plan.calibration.training_pace", pace)
    return asked


def rewritten(folder: Path, **cells: str) -> Path:
    """The table with these cells in every row."""
    table = folder / "runs.csv"
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | cells for row in rows)
    return folder


def test_the_quickstarts_peak_memory_is_predicted_within_25_percent():
    found = check([QUICKSTART], timed=False)
    assert {one.arm for one in found} == {"closed_book", "rag", "lora", "rag_lora"}
    assert len(found) == 12
    for one in found:
        assert one.quantity == "peak_memory_gib"
        assert one.error is not None and abs(one.error) <= 0.25, one


def test_the_quickstarts_lora_is_predicted_from_its_parts():
    frame = read_results([QUICKSTART]).frame
    row = frame[frame["arm"] == "lora"].iloc[0].to_dict()
    config = settings_of(row)
    training = training_of(row, config, config.adapter)
    # 60,720 tokens of 432 examples in 4 epochs: 35.1 of the mean, 47 of the longest
    assert (training.tokens, training.micro_batch, training.dtype) == (47, 16, "float32")
    tokens, trained = 16 * 47, 4_884_480
    block = 8 * 576 + 4 * 1536 + 7 * 16 + 47 + 9
    short_lived = tokens * 30 * block * 4 + tokens * 0.15 * 49152 * 12
    lasting = 134_515_008 * 4 + trained * 16
    predicted = check([QUICKSTART], timed=False)
    one = next(one for one in predicted if one.arm == "lora")
    expected = PROCESS_BYTES + lasting + HELD * short_lived
    assert one.predicted == pytest.approx(expected / 2**30)


@pytest.mark.parametrize(
    ("recorded", "quantization", "trained"),
    [
        ("float32", "none", "float32"),
        ("bfloat16", "none", "bfloat16"),
        (math.nan, "none", "bfloat16"),  # from before it was recorded: no copy was kept
        (None, "none", "bfloat16"),
        (math.nan, "nf4", "float32"),  # but adapters on four bits were always float32
    ],
)
def test_a_training_is_counted_in_the_format_that_its_row_tells(
    folder, recorded, quantization, trained
):
    row = read_results([folder]).frame.query("arm == 'lora'").iloc[0].to_dict()
    config = settings_of(row)
    model = replace(config.model, train_dtype="bfloat16", train_quantization=quantization)
    row["update_dtype"] = recorded
    told = training_of(row, replace(config, model=model), config.adapter)
    assert (told.dtype, told.trained_dtype) == ("bfloat16", trained)


def test_memory_and_time_of_finished_runs_are_held_against_what_was_measured(folder, paces):
    rows = {row["run_id"]: row for row in read_results([folder]).frame.to_dict("records")}
    found = check([folder])
    assert len(found) == 3 + 2 * 2
    for one in found:
        row = rows[one.run_id]
        assert one.measured == row[one.quantity]
        assert one.error == pytest.approx(one.predicted / one.measured - 1)
        if one.quantity == "train_seconds":
            assert one.predicted == 3 + row["trained_tokens"] * 0.5
        if one.quantity == "train_cpu_seconds":
            assert one.predicted == 2 + row["trained_tokens"] * 0.75


def test_trainings_that_are_alike_are_calibrated_once(folder, paces):
    check([folder])
    ((model, adapter, tokens, share, shared),) = paces
    assert (model.train_dtype, adapter.rank, share) == ("float32", 2, 0.15)
    row = read_results([folder]).frame.query("arm == 'lora'").iloc[0]
    assert shared == row["train_shared_tokens"] > 3
    assert tokens == pytest.approx(row["trained_tokens"] / row["training_pairs"], abs=0.05)


def test_without_time_nothing_is_calibrated(folder, paces):
    assert {one.quantity for one in check([folder], timed=False)} == {"peak_memory_gib"}
    assert not paces


def test_time_of_another_device_is_not_predicted_and_memory_is(folder, paces):
    found = check([rewritten(folder, device="Another, 4 threads, 8.0 GiB")])
    assert not paces
    timed = [one for one in found if one.quantity == "train_seconds"]
    assert {one.predicted for one in timed} == {None}
    assert "it ran on 'Another, 4 threads, 8.0 GiB' and this is '" in timed[0].note
    assert all(one.predicted for one in found if one.quantity == "peak_memory_gib")


def test_a_shared_device_is_said_of_the_time_alone(folder, paces):
    found = check([rewritten(folder, device_exclusive="false")])
    notes = {one.quantity: one.note for one in found if one.arm == "lora"}
    assert "the device was shared" in notes["train_seconds"]
    assert notes["train_cpu_seconds"] == ""


def test_runs_without_kept_settings_are_named_and_not_guessed(folder, paces):
    for path in (folder / "configs").iterdir():
        path.unlink()
    found = check([folder])
    assert {one.predicted for one in found} == {None}
    text = check_as_text(found)
    assert "[1] not predicted: its settings were not kept" in text
    assert "largest error" not in text


def test_a_training_that_is_not_covered_is_named(made):
    (one,) = check([made / "few"], timed=False)
    assert one.note == "not predicted: adapter.target_modules=q_proj,v_proj is not covered"


def test_on_a_gpu_the_allocators_peak_is_predicted_without_the_process(folder):
    found = check([rewritten(folder, peak_gpu_memory_gib="0.25")], timed=False)
    assert {(one.quantity, one.measured) for one in found} == {("peak_gpu_memory_gib", 0.25)}
    assert all(one.predicted < 0.1 for one in found)


def test_the_check_is_a_table_with_the_largest_error_of_each_quantity(folder, paces, capsys):
    assert main(["plan", "--check", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == [
        "arm", "run", "quantity", "predicted", "measured", "error",
    ]  # fmt: skip
    assert "train_seconds: largest error" in out and ", of 2" in out
    assert main(["plan", "--check", str(folder), "--json", "--no-time"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["quantity"] for one in found} == {"peak_memory_gib"}


def test_no_finished_run_is_refused(folder):
    with pytest.raises(RecordError, match="holds no finished run"):
        check([rewritten(folder, status="failed")])


def test_runs_without_memory_and_time_are_refused(folder):
    with pytest.raises(RecordError, match="nothing to check"):
        check([rewritten(folder, peak_memory_gib="", train_seconds="")])


def test_zero_is_no_measurement(folder):
    row = read_results([folder]).frame.iloc[0].to_dict()
    assert checking._memory(row | {"peak_memory_gib": 0.0}) == []
