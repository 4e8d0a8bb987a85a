import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.columns import COLUMNS
from harness.errors import RecordError
from harness.row import cells_of, checked_run_id, interval_cells, new_row, value_of
from harness.stats import Interval

IDENTITY = {
    "run_id": "r1",
    "experiment": "quickstart",
    "arm": "rag",
    "task": "world_facts",
    "model": "smollm2",
    "seed": 0,
    "status": "ok",
}


def test_a_row_has_every_column_in_order_and_none_for_the_unknown():
    row = new_row(**IDENTITY)
    assert list(row) == list(COLUMNS)
    assert row["train_gpu_seconds"] is None
    assert row["schema_version"] == 1
    assert row["created_at"].endswith("+00:00")


def test_zero_and_false_are_kept_apart_from_none():
    row = new_row(**IDENTITY, spent_seconds=0, adapter_merged=False, reused=[])
    cells = dict(zip(COLUMNS, cells_of(row), strict=True))
    assert (cells["spent_seconds"], cells["adapter_merged"], cells["reused"]) == (
        "0.0",
        "false",
        "[]",
    )
    assert cells["train_seconds"] == ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"exact_macth": 0.5}, "no column 'exact_macth'.*did you mean 'exact_match'"),
        ({"exact_match": "0.5"}, "'exact_match' holds float, not str"),
        ({"exact_match": True}, "'exact_match' holds float, not bool"),
        ({"top_k": 2.0}, "'top_k' holds int, not float"),
        ({"top_k": True}, "'top_k' holds int, not bool"),
        ({"cold_start": 1}, "'cold_start' holds bool, not int"),
        ({"notes": ["a"]}, "'notes' holds str, not list"),
        ({"reused": "index"}, "'reused' holds json, not str"),
        ({"reused": [math.nan]}, "'reused' cannot be written as JSON"),
        ({"f1": math.nan}, "'f1' is nan"),
        ({"f1": -math.inf}, "'f1' is -inf"),
        ({"energy_source": "guess"}, "choose from counter, estimate, none"),
        ({"seed": None}, "needs a value for seed"),
        ({"run_id": "../r1"}, "no file name"),
        ({"error": "boom"}, "status 'ok' has an error"),
        ({"status": "failed"}, "needs an error"),
        ({"status": "failed", "error": "boom", "f1": 0.0}, "no measures, but 'f1'"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(values, message):
    with pytest.raises(RecordError, match=message) as caught:
        new_row(**{**IDENTITY, **values})
    assert "\n" not in str(caught.value)


def test_an_imported_row_may_lack_a_seed_but_not_a_name():
    imported = {**IDENTITY, "seed": None, "source": "lm-eval 0.4.13, results.json"}
    assert new_row(**imported)["seed"] is None
    with pytest.raises(RecordError, match="needs a value for arm"):
        new_row(**{**imported, "arm": None})


def test_a_failed_row_keeps_its_costs():
    row = new_row(
        **{**IDENTITY, "status": "failed"}, error="out of memory", load_seconds=2, n_test=5
    )
    assert (row["load_seconds"], row["exact_match"]) == (2.0, None)


def test_numpy_scalars_become_python_numbers():
    row = new_row(**IDENTITY, top_k=np.int64(3), f1=np.float64(0.5), cold_start=np.bool_(True))
    assert [type(row[name]) for name in ("top_k", "f1", "cold_start")] == [int, float, bool]


def test_an_interval_fills_three_cells():
    assert interval_cells("f1", Interval(0.5, 0.4, 0.6, 10, 10, "t")) == {
        "f1": 0.5,
        "f1_low": 0.4,
        "f1_high": 0.6,
    }
    assert interval_cells("f1", None) == {"f1": None, "f1_low": None, "f1_high": None}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "'=1", "''-x", "\r=1"])
def test_text_that_looks_like_a_formula_is_quoted_and_read_back(text):
    cell = dict(zip(COLUMNS, cells_of(new_row(**IDENTITY, notes=text)), strict=True))["notes"]
    assert cell == "'" + text
    assert value_of(COLUMNS["notes"], cell, "here") == text


def test_a_quotation_mark_before_other_text_is_left_alone():
    cells = dict(zip(COLUMNS, cells_of(new_row(**IDENTITY, notes="'tis so")), strict=True))
    assert cells["notes"] == "'tis so"


def test_a_negative_number_is_no_formula():
    cells = dict(zip(COLUMNS, cells_of(new_row(**IDENTITY, f1_low=-0.25)), strict=True))
    assert cells["f1_low"] == "-0.25"


@pytest.mark.parametrize("run_id", ["", "..", "../x", "a/b", "a\\b", ".hidden", "a b", "x" * 201])
def test_run_ids_that_leave_the_folder_or_hide_are_refused(run_id):
    with pytest.raises(RecordError, match="no file name"):
        checked_run_id(run_id)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
BY_TYPE = {
    "str": st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "json": st.dictionaries(st.text(), JSON_VALUES, max_size=3) | st.lists(JSON_VALUES, max_size=3),
}
FREE = [c for c in COLUMNS.values() if c.name not in {*IDENTITY, "schema_version", "error"}]


def values_of_any_columns():
    return st.lists(st.sampled_from(FREE), max_size=6, unique_by=lambda c: c.name).flatmap(
        lambda columns: st.fixed_dictionaries(
            {c.name: st.sampled_from(c.choices) if c.choices else BY_TYPE[c.type] for c in columns}
        )
    )


@given(values_of_any_columns())
def test_whatever_a_row_takes_its_cells_give_back(values):
    row = new_row(**IDENTITY, **values)
    read = {
        name: value_of(COLUMNS[name], cell, "here")
        for name, cell in zip(COLUMNS, cells_of(row), strict=True)
    }
    assert read == row
    assert all(row[name] == (None if value == "" else value) for name, value in values.items())
