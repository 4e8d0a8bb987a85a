import re
from pathlib import Path

import pytest

from harness.columns import COLUMNS
from harness.measures.definitions import FORGETTING, MEASURES, PROBES, metric_versions

PAGE = (Path(__file__).parents[2] / "docs" / "measures.md").read_text()


@pytest.mark.parametrize("name", [name for name in MEASURES if name not in FORGETTING])
def test_the_page_of_measures_gives_version_and_direction(name):
    better = "higher" if MEASURES[name].higher_is_better else "lower"
    version = MEASURES[name].version
    assert re.search(rf"^\| `{name}` \| {version} \| {better} \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", list(MEASURES))
def test_every_measure_is_complete_and_has_its_column(name):
    measure = MEASURES[name]
    assert all([measure.unit, measure.definition, measure.source, measure.version >= 1])
    assert {name, f"{name}_low"} <= set(COLUMNS) or name in PROBES
    assert metric_versions()[name] == measure.version


def test_forgetting_is_harm_whichever_way_its_probe_points():
    assert all(not measure.higher_is_better for measure in FORGETTING.values())
    assert "before − after" in FORGETTING["forgetting_facts_generated"].definition
    assert "after − before" in FORGETTING["forgetting_text_loss_nats"].definition
