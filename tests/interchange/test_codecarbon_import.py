import csv

import pytest

from harness.errors import DataError
from harness.interchange.codecarbon import FIGURES, read
from harness.interchange.detect import read_foreign
from harness.interchange.foreign_run import Naming, row_of

TASKS = "emissions_toy_bfc22fe6-d250-40ff-8793-7b6d448626ff.csv"
OLDER = "timestamp,project_name,duration,emissions,energy_consumed,country_name"


def reading_of(path):
    return read(read_foreign(path))


def made(tmp_path, *lines):
    path = tmp_path / "emissions.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def cells(path):
    """The cells of a file as the importer keeps them: figures as numbers."""
    with path.open(newline="") as file:
        return [
            {k: float(v) if k in FIGURES and v else v for k, v in line.items()}
            for line in csv.DictReader(file)
        ]


def test_energy_and_emissions_go_into_columns(files):
    reading = reading_of(files / "codecarbon" / "emissions.csv")
    assert [run.columns["arm"] for run in reading.runs] == ["toy_lora", "toy_lora", "toy_tasks"]
    row = row_of(reading.runs[0], Naming("imported", task="busy loop"))
    expected = {
        "total_energy_kwh": 1.1682318096906313e-05,
        "spent_energy_kwh": 1.1682318096906313e-05,
        "emissions_kg": 6.546654238325329e-07,
        "spent_seconds": 1.5144420910000918,
        "device": "Intel(R) Xeon(R) Processor",
        "cost_assumptions": {"pue": 1.0, "tracking_mode": "machine"},
        "package_versions": {"codecarbon": "3.3.2", "python": "3.11.7"},
        "model": "unknown",
        "seed": None,
        "source": "codecarbon 3.3.2, emissions.csv",
        "metric_versions": {
            "total_energy_kwh": "codecarbon energy_consumed",
            "emissions_kg": "codecarbon emissions",
        },
    }
    assert {name: row[name] for name in expected} == expected
    assert row["other_measures"]["ram_energy_kwh"]["value"] == 8.357311444443541e-06
    assert row["other_fields"]["cpu_power"] == 5.886337889025637
    assert row["other_fields"]["experiment_id"] == "exp-7"


def test_the_tasks_of_a_run_are_summed_and_phases_of_ours_are_told_apart(files):
    (run,) = reading_of(files / "codecarbon" / TASKS).runs
    first, second = 6.107920295681005e-06, 6.375492093661229e-06
    assert run.columns["total_energy_kwh"] == pytest.approx(first + second)
    assert (run.columns["load_energy_kwh"], run.columns["train_energy_kwh"]) == (first, second)
    assert run.columns["train_seconds"] == 1.051586841000244
    # It is the run whose totals stand in the other file, not another one.
    totals = reading_of(files / "codecarbon" / "emissions.csv").runs[2]
    assert run.run_id == totals.run_id


def test_no_cell_is_dropped(files, lost):
    path = files / "codecarbon" / "emissions.csv"
    for run, line in zip(reading_of(path).runs, cells(path), strict=True):
        assert lost(line, [run]) == []
    path = files / "codecarbon" / TASKS
    assert lost({"tasks": cells(path)}, reading_of(path).runs) == []


def test_older_files_lack_columns(tmp_path):
    path = made(tmp_path, OLDER, "2021-06-29T11:00:38,mine,210.4,0.001,0.0013,Morocco")
    (run,) = reading_of(path).runs
    row = row_of(run, Naming("imported", task="t"))
    assert (row["arm"], row["total_energy_kwh"], row["emissions_kg"]) == ("mine", 0.0013, 0.001)
    assert row["cost_assumptions"] is None
    assert row["source"] == "codecarbon, emissions.csv"


def test_a_ragged_row_is_refused_with_its_line_and_the_others_are_read(tmp_path):
    good = "2021-06-29T11:00:38,mine,{},0.001,0.0013,Morocco"
    path = made(
        tmp_path,
        OLDER,
        good.format(1),
        "2021-06-29T11:00:38,mine,0.001,0.0013,Morocco",
        good.format(2),
        '2021-06-29T11:00:38,"mine,3,0.001,0.0013,Morocco',
        good.format(4),
    )
    reading = reading_of(path)
    assert [run.columns["spent_seconds"] for run in reading.runs] == [1, 2, 4]
    assert "line 3: 5 cells where the header has 6: left out" in reading.problems[0]
    assert "line 5: unexpected end of data: left out" in reading.problems[1]


def test_repeated_lines_count_once_and_later_totals_of_a_run_replace_earlier_ones(tmp_path):
    path = made(
        tmp_path,
        "run_id,project_name,duration,emissions",
        "a,mine,1,0.1",
        "b,mine,5,0.5",
        "b,mine,5,0.5",
        "a,mine,2,0.2",
    )
    reading = reading_of(path)
    assert [run.columns["emissions_kg"] for run in reading.runs] == [0.2, 0.5]
    assert [problem.partition(", ")[2] for problem in reading.problems] == [
        "line 4 repeats the run of line 3",
        "line 5 has later totals of the run of line 2",
    ]


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "n/a"])
def test_a_cell_that_is_no_figure_is_named_and_kept_as_it_is(tmp_path, cell):
    path = made(tmp_path, OLDER, f"2021-06-29T11:00:38,mine,1,{cell},0.0013,Morocco")
    reading = reading_of(path)
    (run,) = reading.runs
    assert run.columns["emissions_kg"] is None
    assert run.rest["emissions"] == cell
    assert f"line 2: 'emissions' is '{cell}', no finite number" in reading.problems[0]


def test_an_empty_cell_is_unknown_and_not_zero(tmp_path):
    reading = reading_of(made(tmp_path, OLDER, "2021-06-29T11:00:38,mine,1,,0.0013,Morocco"))
    assert reading.runs[0].columns["emissions_kg"] is None
    assert reading.problems == []


def test_the_default_project_names_no_arm(files, tmp_path):
    path = tmp_path / "emissions.csv"
    text = (files / "codecarbon" / "emissions.csv").read_text()
    path.write_text(text.replace("toy_lora", "codecarbon"))
    run = reading_of(path).runs[0]
    with pytest.raises(DataError, match="does not name its arm: give --arm"):
        row_of(run, Naming("imported", task="t"))
    assert row_of(run, Naming("imported", arm="lora", task="t"))["arm"] == "lora"


def test_text_that_looks_like_a_number_stays_text(tmp_path):
    path = made(tmp_path, "project_name,codecarbon_version,duration,emissions", "nan,2.3,1,0.1")
    (run,) = reading_of(path).runs
    assert (run.columns["arm"], run.tool) == ("nan", "codecarbon 2.3")
