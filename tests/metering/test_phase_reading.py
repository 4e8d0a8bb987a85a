import json
from dataclasses import replace

import pytest

from harness.columns import PHASES as COLUMN_PHASES
from harness.errors import RecordError
from harness.metering.energy import energy_assumed_share, energy_source_name
from harness.metering.reading import PHASES, PhaseReading, from_json, merged, to_json, total

TRAIN = PhaseReading(
    "train",
    10.0,
    20.0,
    energy_kwh=0.5,
    cpu_energy_kwh=0.3,
    memory_energy_kwh=0.2,
    tokens_in=100,
    counter_energy_kwh=0.3,
    assumed_energy_kwh=0.2,
    peak_memory_gib=1.5,
)


def test_every_phase_has_columns_in_the_record():
    assert set(PHASES) == set(COLUMN_PHASES)


def test_adding_sums_quantities_and_keeps_the_higher_peak():
    both = TRAIN + replace(TRAIN, wall_seconds=1.0, tokens_in=7, peak_memory_gib=1.0)
    assert both.wall_seconds == 11.0
    assert both.tokens_in == 107
    assert both.energy_kwh == 1.0
    assert both.peak_memory_gib == 1.5


def test_adding_an_unknown_gives_an_unknown_not_the_known_part():
    both = TRAIN + replace(TRAIN, energy_kwh=None)
    assert both.energy_kwh is None
    assert both.cpu_energy_kwh == 0.6
    assert both.gpu_seconds is None


def test_readings_of_different_phases_do_not_add():
    with pytest.raises(ValueError, match="'probe' to one of 'train'"):
        TRAIN + replace(TRAIN, phase="probe")


def test_merging_adds_a_reused_artifacts_phases_to_this_runs():
    probe = replace(TRAIN, phase="probe")
    readings = merged({"train": TRAIN}, {"train": TRAIN, "probe": probe})
    assert readings["train"].wall_seconds == 20.0
    assert readings["probe"] == probe


def test_total_is_over_all_phases_and_none_of_nothing():
    whole = total([TRAIN, replace(TRAIN, phase="probe")])
    assert whole is not None
    assert (whole.phase, whole.wall_seconds) == ("total", 20.0)
    assert total([]) is None


def test_json_round_trip_keeps_nulls():
    stored = json.loads(json.dumps(to_json({"train": TRAIN})))
    assert stored["train"]["gpu_seconds"] is None
    assert from_json(stored) == {"train": TRAIN}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"wall_seconds": None}, "wall_seconds=None"),
        ({"energy_kwh": "much"}, "energy_kwh='much'"),
        ({"energy_kwh": float("nan")}, "energy_kwh=nan"),
        ({"tokens_in": 1.5}, "tokens_in=1.5"),
        ({"watts": 3}, "watts"),
        ({"phase": "probe"}, "'train' is malformed"),
    ],
)
def test_a_damaged_reading_is_refused_by_name(change, named):
    with pytest.raises(RecordError, match=named):
        from_json({"train": TRAIN.to_dict() | change})


def test_a_reading_that_lacks_a_field_is_refused():
    stored = TRAIN.to_dict()
    del stored["cpu_seconds"]
    with pytest.raises(RecordError, match="cpu_seconds"):
        from_json({"train": stored})


@pytest.mark.parametrize(
    ("energy", "counted", "name"),
    [(1.0, 0.96, "counter"), (1.0, 0.9, "estimate"), (0.0, 0.0, "estimate"), (None, None, "none")],
)
def test_energy_source_says_counter_only_if_counters_measured_nearly_all(energy, counted, name):
    reading = replace(TRAIN, energy_kwh=energy, counter_energy_kwh=counted)
    assert energy_source_name(reading) == name


def test_assumed_share_is_of_the_kwh_and_null_without_energy():
    assert energy_assumed_share(TRAIN) == pytest.approx(0.4)
    unknown = replace(TRAIN, energy_kwh=None, assumed_energy_kwh=None)
    assert energy_assumed_share(unknown) is None
    assert energy_assumed_share(replace(TRAIN, energy_kwh=0.0)) is None
