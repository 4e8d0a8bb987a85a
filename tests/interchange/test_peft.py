import json

import pytest

from harness.errors import DataError
from harness.interchange.detect import read_foreign
from harness.interchange.foreign_run import Naming, row_of
from harness.interchange.peft import read

SUCCESS, CANCELLED = "lora--toy-1B-rank8.json", "full-finetuning--toy-1B.json"
GIB = {"peak_gpu_memory_gib": lambda size: size / 2**30}
LOWER = {"adapter": str.lower}


def run_of(path):
    reading = read(read_foreign(path))
    assert len(reading.runs) == 1
    return reading.runs[0], reading.problems


def changed(files, tmp_path, change):
    """The successful file with one change, written anew."""
    content = json.loads((files / "peft" / SUCCESS).read_text())
    change(content)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    return path


def test_figures_that_mean_the_same_go_into_columns_in_our_units(files):
    run, problems = run_of(files / "peft" / SUCCESS)
    row = row_of(run, Naming("imported"))
    expected = {
        "arm": "lora/toy-1B-rank8",
        "task": "gsm8k+metamath",
        "model": "example/toy-1B",
        "model_identity": "0123456789abcdef0123456789abcdef01234567",
        "seed": 3,
        "adapter": "lora",
        "rank": 8,
        "alpha": 16.0,
        "learning_rate": 0.0001,
        "train_batch_size": 4,
        "trained_steps": 500,
        "trained_tokens": 420000,
        "dtype": "bfloat16",
        "train_dtype": "bfloat16",
        "max_new_tokens": 300,
        "device": "Example GPU",
        "train_seconds": 80.25,
        "spent_seconds": 120.5,
        "peak_gpu_memory_gib": 2.0,
        "forgetting_text_loss_nats": 0.0625,
        "created_at": "2026-03-04T05:06:07+00:00",
        "source": "peft 0.19.2.dev0, lora--toy-1B-rank8.json",
        "status": "ok",
        "error": None,
        "n_test": None,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["package_versions"]["peft"] == "0.19.2.dev0"
    assert problems == []


def test_names_with_spaces_become_other_measures_with_their_direction(files):
    row = row_of(run_of(files / "peft" / SUCCESS)[0], Naming("imported"))
    accuracy = row["other_measures"]["test_accuracy"]
    assert (accuracy["value"], accuracy["higher_is_better"]) == (0.375, True)
    loss = row["other_measures"]["train_loss"]
    assert (loss["value"], loss["higher_is_better"]) == (0.7, False)
    # What PEFT calls test accuracy is no exact match of ours.
    assert row["exact_match"] is row["multiple_choice"] is None


def test_metric_versions_name_the_foreign_definitions(files):
    versions = row_of(run_of(files / "peft" / SUCCESS)[0], Naming("imported"))["metric_versions"]
    assert versions["forgetting_text_loss_nats"] == "peft forgetting"
    assert versions["train_seconds"].startswith("peft train_time")
    assert versions["setup_seconds"] == versions["train_seconds"]


@pytest.mark.parametrize("name", [SUCCESS, CANCELLED])
def test_no_field_is_dropped(files, lost, name):
    run, _ = run_of(files / "peft" / name)
    content = json.loads((files / "peft" / name).read_text())
    assert lost(content, [run], GIB | LOWER) == []
    # The check itself can fail.
    assert lost(content | {"new": {"field": 1}}, [run], GIB | LOWER) == ["new.field"]


def test_a_run_that_was_cancelled_is_a_failed_row_with_its_error_and_no_measures(files):
    run, _ = run_of(files / "peft" / CANCELLED)
    row = row_of(run, Naming("imported"))
    assert row["status"] == "failed"
    assert row["error"] == "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 is full."
    assert row["forgetting_text_loss_nats"] is row["other_measures"] is None
    assert row["adapter"] == "full"
    assert row["train_seconds"] == 80.25
    assert row["other_fields"]["train_info"]["file_size"] == -1


def test_an_infinite_figure_is_kept_as_text_and_named(files, tmp_path):
    def change(content):
        content["train_info"]["metrics"][-1]["forgetting"] = float("inf")

    run, problems = run_of(changed(files, tmp_path, change))
    assert run.columns["forgetting_text_loss_nats"] is None
    assert run.rest["train_info"]["metrics"][-1] == {
        "forgetting": "Infinity",
        "train samples": 2000,
    }
    assert "train_info.metrics.1.forgetting is no finite number" in problems[0]


def test_a_file_without_a_status_is_refused(files, tmp_path):
    path = changed(files, tmp_path, lambda content: content["train_info"].pop("status"))
    with pytest.raises(DataError, match="no 'status'"):
        read(read_foreign(path))


def test_a_file_of_another_shape_still_gives_what_it_has(files, tmp_path):
    def change(content):
        content["run_info"]["train_config"] = "none"
        content["train_info"]["metrics"] = []
        content["meta_info"] = None

    run, _ = run_of(changed(files, tmp_path, change))
    assert run.columns["train_seconds"] == 80.25
    assert run.rest["run_info"]["train_config"] == "none"
    with pytest.raises(DataError, match="does not name its task: give --task"):
        row_of(run, Naming("imported"))
    row = row_of(run, Naming("imported", arm="mine", task="maths"))
    assert (row["arm"], row["model"], row["seed"]) == ("mine", "unknown", None)
    assert row["other_fields"]["arm in the file"] == "lora/toy-1B-rank8"


def test_the_run_id_depends_on_the_content_alone_and_is_safe(files, tmp_path):
    first, _ = run_of(files / "peft" / SUCCESS)
    copy = tmp_path / "other-name.json"
    copy.write_text((files / "peft" / SUCCESS).read_text())
    assert run_of(copy)[0].run_id == first.run_id

    def change(content):
        content["run_info"]["experiment_name"] = "../../etc/passwd"

    hostile, _ = run_of(changed(files, tmp_path, change))
    assert hostile.run_id.startswith("peft-etc-passwd-")
    assert hostile.run_id != first.run_id
