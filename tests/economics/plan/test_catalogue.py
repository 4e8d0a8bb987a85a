import csv

import pytest

from harness.economics.plan.catalogue import COLUMNS, TABLE, chosen, read_catalogue
from harness.errors import ConfigError

HEAD = ",".join(COLUMNS)


def made(tmp_path, *lines, head=HEAD):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_every_figure_of_the_bundled_table_has_a_source_a_date_and_how_it_was_checked():
    catalogue = read_catalogue()
    assert {"edge board", "laptop CPU", "consumer GPU", "data-centre GPU"} <= {
        device.kind for device in catalogue.values()
    }
    with TABLE.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            assert row["source"].startswith("https://")
            assert row["checked"].startswith(("data sheet", "computed: ", "the whole "))


def test_figures_are_read_in_their_units():
    h100 = read_catalogue()["h100_sxm"]
    assert h100.memory_bytes == 80e9
    assert h100.peak_flops("bfloat16") == 989e12
    assert h100.peak_flops("float32") == 67e12
    assert h100.is_gpu and not read_catalogue()["raspberry_pi_5_8gb"].is_gpu


def test_what_the_table_lacks_is_unknown_and_half_precision_is_no_slower_than_float32(tmp_path):
    path = made(
        tmp_path,
        "box,laptop CPU,memory_gb,8,me,2026-01-31,",
        "pad,laptop CPU,memory_gb,8,me,2026-01-31,",
        "pad,laptop CPU,float32_tflops,2,me,2026-01-31,",
    )
    found = read_catalogue(path)
    assert found["box"].get("watts") is None
    assert found["box"].peak_flops("bfloat16") is None
    assert found["pad"].peak_flops("bfloat16") == 2e12


def test_devices_are_chosen_by_name_in_the_order_asked():
    names = [device.name for device in chosen(read_catalogue(), ["l4", "t4", "l4"])]
    assert names == ["l4", "t4"]
    assert len(chosen(read_catalogue(), [])) == len(read_catalogue())


def test_an_unknown_device_names_the_nearest():
    with pytest.raises(ConfigError, match="--device is 'h100_smx'; did you mean 'h100_sxm'"):
        chosen(read_catalogue(), ["h100_smx"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,GPU,memory_gb,-1,me,2026-01-31,", "line 2: memory_gb is '-1'; it is a number above 0"),
        ("a,GPU,memory_gb,nan,me,2026-01-31,", "memory_gb is 'nan'"),
        ("a,GPU,memory_gb,,me,2026-01-31,", "memory_gb is ''"),
        ("a,GPU,usd_per_hour,-2,me,2026-01-31,", "usd_per_hour is '-2'; it is a number above 0"),
        ("a,GPU,memory,8,me,2026-01-31,", "figure 'memory' is none of .*did you mean 'memory_gb'"),
        ("a,GPU,memory_gb,8,,2026-01-31,", "line 2: the figure 8.0 has no source"),
        ("a,GPU,memory_gb,8,me,yesterday,", "the date is 'yesterday'; it is written like"),
        ("a,GPU,watts,8,me,2026-01-31,", "a has no memory_gb"),
        (",GPU,watts,8,me,2026-01-31,", "it names no device"),
    ],
)
def test_a_line_that_cannot_be_is_refused(line, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        read_catalogue(made(tmp_path, line))


def test_a_figure_stated_twice_is_refused(tmp_path):
    line = "a,GPU,memory_gb,8,me,2026-01-31,"
    with pytest.raises(ConfigError, match="line 3: memory_gb of a stands there twice"):
        read_catalogue(made(tmp_path, line, line))


@pytest.mark.parametrize("path", ["none.csv", "."])
def test_a_file_that_is_no_catalogue_is_refused(path, tmp_path):
    with pytest.raises(ConfigError, match="cannot be read as a catalogue"):
        read_catalogue(tmp_path / path)


def test_an_empty_or_foreign_table_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="lists no device"):
        read_catalogue(made(tmp_path))
    with pytest.raises(ConfigError, match="its first line is device,kind"):
        read_catalogue(made(tmp_path, head="name,price"))
