import json

import pytest

from harness.errors import DataError
from harness.tasks.factbook import parse_country, plain, read_countries
from tasks.factbook_samples import country, entry


def test_markup_entities_and_typographic_quotes_are_cleaned():
    assert plain("<p>C&ocirc;te&nbsp;d&rsquo;Or<br>&ldquo;x&rdquo; <em>y</em></p>") == (
        'Côte d\'Or "x" y'
    )


@pytest.mark.parametrize(
    ("short_form", "name", "in_text"),
    [
        ("The Bahamas", "Bahamas", "the Bahamas"),
        ("Netherlands", "Netherlands", "the Netherlands"),
        ("Korea, South", "South Korea", "South Korea"),
        ("Solomon Islands", "Solomon Islands", "the Solomon Islands"),
        ("United States", "United States", "the United States"),
        ("Holy See (Vatican City)", "Holy See", "Holy See"),
        ("Kenya", "Kenya", "Kenya"),
    ],
)
def test_country_names_read_naturally(short_form, name, in_text):
    found = country(name=short_form)
    assert (found.name, found.in_text) == (name, in_text)


def test_missing_short_form_falls_back_to_the_long_form():
    raw = entry(name="none")
    raw["Government"]["Country name"]["conventional long form"] = {
        "text": "Central African Republic"
    }
    found = parse_country("zz", "Africa", raw)
    assert found is not None
    assert found.in_text == "the Central African Republic"


def test_an_entry_without_a_name_is_no_country():
    raw = entry()
    del raw["Government"]["Country name"]
    assert parse_country("ee", "Europe", raw) is None


def test_population_and_sovereignty():
    assert country().population == 1_234_567
    assert country(population="uninhabited").population is None
    assert country().sovereign
    assert not country(independence="none (territory of the US)").sovereign
    assert not country(independence="").sovereign
    assert not country(dependency="overseas territory of the UK").sovereign


def test_countries_are_read_from_region_folders_in_order_of_code(tmp_path):
    for folder, code in (("europe", "zb"), ("africa", "za"), ("world", "xx")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{code}.json").write_text(json.dumps(entry(name=code)))
    assert [found.code for found in read_countries(tmp_path)] == ["za", "zb"]


def test_a_damaged_entry_or_an_empty_folder_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match="no Factbook entries"):
        read_countries(tmp_path)
    (tmp_path / "europe").mkdir()
    (tmp_path / "europe" / "fr.json").write_text("{")
    with pytest.raises(DataError, match=r"fr\.json is not a Factbook entry"):
        read_countries(tmp_path)
