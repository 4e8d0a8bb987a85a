import json
import shutil

import pytest

from harness.errors import DataError
from harness.interchange.detect import NotResults, read_foreign
from harness.interchange.foreign_run import Naming, row_of
from harness.interchange.optimum_benchmark import read
from harness.measures.costs import costs


def run_of(path):
    (run,) = read(read_foreign(path)).runs
    return run


def changed(files, tmp_path, change):
    content = json.loads((files / "optimum_benchmark" / "benchmark.json").read_text())
    change(content)
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(content))
    return path


def test_phases_that_mean_the_same_go_into_our_phases(files):
    row = row_of(run_of(files / "optimum_benchmark" / "benchmark.json"), Naming("imported"))
    expected = {
        "arm": "tiny_inf",
        "task": "text-generation",
        "model": "models/tiny-a",
        "n_test": 1,
        "max_new_tokens": 8,
        "source": "optimum-benchmark 0.6.0, benchmark.json",
    }
    assert {name: row[name] for name in expected} == expected
    report = json.loads((files / "optimum_benchmark" / "benchmark.json").read_text())["report"]
    assert row["load_seconds"] == report["load_model"]["latency"]["total"]
    assert row["prefill_seconds"] == report["prefill"]["latency"]["mean"]
    assert row["decode_energy_kwh"] == report["decode"]["energy"]["total"]
    assert row["latency_p50_seconds"] == report["generate"]["latency"]["p50"]
    assert (row["latency_n"], row["latency_batch_size"]) == (4, 1)
    # A p99 of four requests is none.
    assert row["latency_p99_seconds"] is None
    # The highest of all phases: 551.333888 MB of a million bytes each.
    assert row["peak_memory_gib"] == pytest.approx(551.333888e6 / 2**30)
    assert row["peak_gpu_memory_gib"] is None


def test_costs_of_an_answer_are_those_of_one_batch_and_say_so(files):
    row = row_of(run_of(files / "optimum_benchmark" / "benchmark.json"), Naming("imported"))
    found = costs(row)
    assert found["answer_seconds"] == pytest.approx(row["prefill_seconds"] + row["decode_seconds"])
    assert row["metric_versions"]["answer_seconds"] == (
        "optimum-benchmark: one batch of synthetic inputs"
    )


def test_figures_without_a_column_keep_their_unit_and_direction(files):
    measures = run_of(files / "optimum_benchmark" / "benchmark.json").measures
    throughput = measures["decode_throughput"]
    assert (throughput.unit, throughput.higher_is_better) == ("tokens/s", True)
    assert measures["generate_energy_kwh"].unit == "kWh"
    assert measures["per_token_mean_seconds"].n == 76


def test_training_reports_are_read_with_the_configuration_beside_them(files):
    run = run_of(files / "optimum_benchmark" / "training" / "benchmark_report.json")
    assert run.columns["arm"] == "tiny_train"
    assert run.columns["train_seconds"] == 0.061536373004855704
    assert run.columns["trained_steps"] == 6
    assert run.measures["train_mean_seconds"].n == 4


def test_a_report_by_itself_needs_a_name(files, tmp_path):
    shutil.copy(files / "optimum_benchmark" / "training" / "benchmark_report.json", tmp_path)
    run = run_of(tmp_path / "benchmark_report.json")
    with pytest.raises(DataError, match="does not name its arm: give --arm"):
        row_of(run, Naming("imported"))
    # With or without its configuration it is the same run.
    beside = run_of(files / "optimum_benchmark" / "training" / "benchmark_report.json")
    assert run.identity == beside.identity


def test_a_configuration_is_no_report(files):
    with pytest.raises(NotResults, match="name its report"):
        read_foreign(files / "optimum_benchmark" / "training" / "benchmark_config.json")


def test_no_field_is_dropped(files, lost):
    path = files / "optimum_benchmark" / "benchmark.json"
    assert lost(json.loads(path.read_text()), [run_of(path)]) == []
    folder = files / "optimum_benchmark" / "training"
    content = {
        name: json.loads((folder / f"benchmark_{name}.json").read_text())
        for name in ("report", "config")
    }
    assert lost(content, [run_of(folder / "benchmark_report.json")]) == []


def test_units_are_converted_from_the_files_own_field(files, tmp_path):
    def change(content):
        content["report"]["prefill"]["latency"] |= {"unit": "ms", "mean": 250.0}
        content["report"]["prefill"]["energy"] = {"unit": "J", "total": 3.6e6}
        content["report"]["load_model"]["memory"] = {"unit": "GiB", "max_ram": 3.0}

    run = run_of(changed(files, tmp_path, change))
    assert run.columns["prefill_seconds"] == pytest.approx(0.25)
    assert run.columns["prefill_energy_kwh"] == pytest.approx(1.0)
    assert run.columns["peak_memory_gib"] == 3.0


@pytest.mark.parametrize(
    ("part", "unit"), [("latency", "fortnights"), ("energy", "BTU"), ("memory", None)]
)
def test_unknown_units_are_refused_with_their_place(files, tmp_path, part, unit):
    def change(content):
        content["report"]["prefill"][part]["unit"] = unit

    with pytest.raises(DataError, match=rf"prefill\.{part}: unit {unit!r} is unknown; known are"):
        run_of(changed(files, tmp_path, change))


def test_latencies_of_larger_batches_are_not_those_of_one_question(files, tmp_path):
    def change(content):
        content["config"]["scenario"]["input_shapes"]["batch_size"] = 4

    run = run_of(changed(files, tmp_path, change))
    assert "latency_p50_seconds" not in run.columns
    assert run.rest["report"]["generate"]["latency"]["p50"] == 0.008871942999576277
