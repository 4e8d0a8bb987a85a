import math
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from harness.errors import ConfigError
from harness.metering.config import STATED_LATER, CostConfig

CONF = Path(__file__).parents[2] / "conf" / "cost"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("energy", "counter"),
        ("cpu_watts", 0),
        ("cpu_watts", -5.0),
        ("cpu_watts", math.nan),
        ("memory_watts", -0.1),
        ("country", "fr"),
        ("country", "FRANCE"),
        ("carbon_intensity_kg_per_kwh", 475.0),
        ("carbon_intensity_kg_per_kwh", -0.1),
        ("pue", 0.9),
        ("pue", math.inf),
        ("sample_seconds", 0.0),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_that_names_it(field, wrong):
    with pytest.raises(ConfigError, match=rf"^cost\.{field} is .*{wrong}") as error:
        CostConfig(**{field: wrong})
    assert "\n" not in str(error.value)


def test_memory_of_zero_watts_may_be_stated():
    assert CostConfig(memory_watts=0).memory_watts == 0


def test_every_yaml_of_the_group_composes_into_the_schema():
    names = sorted(path.stem for path in CONF.rglob("*.yaml"))
    assert "default" in names
    for name in names:
        with initialize_config_dir(str(CONF), version_base=None):
            values = compose(name)
        merged = OmegaConf.merge(OmegaConf.structured(CostConfig), values)
        assert isinstance(OmegaConf.to_object(merged), CostConfig)


def test_the_default_yaml_states_the_schemas_defaults():
    defaults = {k: v for k, v in vars(CostConfig()).items() if k not in STATED_LATER}
    assert OmegaConf.to_container(OmegaConf.load(CONF / "default.yaml")) == defaults


def test_the_settings_import_nothing_heavy():
    heavy = "{'torch', 'codecarbon', 'pandas', 'numpy', 'psutil'}"
    code = f"import sys, harness.metering.config; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
