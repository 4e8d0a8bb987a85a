import math
from collections import Counter

import pytest

from harness.errors import ConfigError, DataError
from harness.tasks import cities as module
from harness.tasks import load_task
from harness.tasks.cities import WORDING, bin_of, build_cities, describe
from harness.tasks.config import CitiesConfig
from harness.tasks.countries import ALIASES, NO_STATE, in_text
from harness.tasks.custom import wording
from harness.tasks.entity_facts import draw_entities, folded

COUNTRIES = {
    code: {"name": name, "capital": capital}
    for code, name, capital in (
        ("NL", "The Netherlands", "Amsterdam"),
        ("GB", "United Kingdom", "London"),
        ("JP", "Japan", "Tokyo"),
        ("GN", "Guinea", "Conakry"),
        ("PG", "Papua New Guinea", "Port Moresby"),
        ("PR", "Puerto Rico", "San Juan"),
        ("MX", "Mexico", "Mexico City"),
    )
}
POPULATIONS = {"low": 20_000, "middle": 200_000, "high": 2_000_000}


def city(number, name, code, population=20_000, zone="Europe/Here", division="", others=()):
    return {
        "geonameid": number,
        "name": name,
        "countrycode": code,
        "population": population,
        "timezone": zone,
        "admin1code": division,
        "alternatenames": list(others),
        "latitude": 52.04,
        "longitude": -1.5,
    }


def towns(code="JP", start=100):
    """Three towns of each bin, named so that nothing but their number tells them apart."""
    return [
        city(start + 10 * place + n, f"{code}town {'abc'[n]}{'xyz'[place]}", code, population)
        for place, population in enumerate(POPULATIONS.values())
        for n in range(3)
    ]


def small(*more, **settings):
    settings = {"entities": 9, "distractor_entities": 2, "validation_questions": 3} | settings
    rows = [*towns("JP"), *towns("NL", 200), *more]
    return build_cities(CitiesConfig(**settings), rows, COUNTRIES)


def asked_names(task):
    return {question.question for question in task.test + task.validation}


def test_cities_come_equally_from_three_bins_of_population():
    task = small()
    questions = task.validation + task.test
    assert (len(task.validation), len(task.test)) == (3, 6)
    assert Counter(question.bucket for question in questions) == dict.fromkeys(POPULATIONS, 3)
    assert all(question.popularity == POPULATIONS[question.bucket] for question in questions)


def test_a_fact_is_told_the_same_in_question_training_and_document():
    task = small(phrasings=6)
    documents = {document.id: document for document in task.corpus}
    for question in task.test + task.validation:
        document = documents[question.gold_documents[0]]
        pairs = [pair for pair in task.train if pair.question_id == question.id]
        assert question.answers[0] in document.text
        assert not document.distractor
        assert len({pair.question for pair in pairs}) == 6
        assert {pair.answer for pair in pairs} == {question.answers[0]}
        assert question.cluster == document.id
    assert len(task.train) == 9 * 6
    assert sum(document.distractor for document in task.corpus) == 2


@pytest.mark.parametrize(
    "unfair",
    [
        city(1, "Amsterdam", "NL", 2_000_000),  # a capital: the probe asks for it
        city(1, "Mokum", "NL", 2_000_000, others=["Amsterdam"]),  # by another of its names
        city(1, "Mexico Norte", "MX", 2_000_000),  # the name tells the answer
        city(1, "Ponce", "PR", 200_000),  # no state
        city(1, "Kindia", "GN", 200_000),  # "Papua New Guinea" would count as right
        city(1, "Kerch", "NL", 200_000, zone="Europe/Simferopol"),  # disputed
        city(1, "Luohu District", "NL", 2_000_000),
        city(1, "Wijk 19", "NL", 200_000),
        city(1, "Nobody", "NL", 0),
        city(1, "Betwixt", "NL", 50_000),  # between two bins
    ],
    ids=lambda row: row["name"],
)
def test_what_is_no_fair_question_is_never_asked(unfair):
    rows = [*towns("JP"), unfair]
    task = build_cities(CitiesConfig(entities=9, validation_questions=0), rows, COUNTRIES)
    assert f"city-{unfair['geonameid']}" not in {q.cluster for q in task.test}


def test_a_name_of_several_countries_is_not_asked_in_whatever_spelling():
    rows = [
        city(1, "Łódź", "NL", 20_000, others=["Lodz"]),
        city(2, "Xi’an", "JP", 2_000_000),
        city(3, "Xian", "NL", 200_000),
        city(4, "Elsewhere", "GB", 15_100, others=["LODZ"]),
    ]
    shared = module.names_in_several_countries(rows)
    assert shared == {"lodz", "xian"}
    # the name itself folds to "łodz", but a spelling of it is shared
    assert folded("Łódź") == "łodz"


def test_of_one_name_in_a_country_the_largest_is_asked():
    rows = [city(5, "Twin", "JP", 20_000), city(6, "Twin", "JP", 200_000)]
    assert [row["geonameid"] for row in module.largest_of_each_name(rows)] == [6]


def test_no_country_has_more_than_eight_cities_in_a_bin():
    rows = [
        city(1000 * place + n, f"Place {chr(97 + n // 26)}{chr(97 + n % 26)}{place}", code, people)
        for place, people in enumerate(POPULATIONS.values())
        for n, code in enumerate(["JP"] * 30 + ["NL"] * 30 + ["GB"] * 30 + ["MX"] * 5)
    ]
    rows = [
        {**row, "name": row["name"].replace("0", "x").replace("1", "y").replace("2", "z")}
        for row in rows
    ]
    task = build_cities(CitiesConfig(entities=87, validation_questions=0), rows, COUNTRIES)
    golds = Counter((question.bucket, question.answers[0]) for question in task.test)
    assert sorted(golds.values()) == [5] * 3 + [8] * 9
    with pytest.raises(ConfigError, match=r"cities has 29 fair ones .* use at most 87"):
        build_cities(CitiesConfig(entities=90), rows, COUNTRIES)


def test_golds_carry_what_a_country_is_also_called():
    leeds = city(1, "Leeds", "GB", division="ENG")
    assert module.country_answers(leeds, COUNTRIES["GB"]) == (
        "United Kingdom", "UK", "U.K.", "Great Britain", "Britain", "England",
    )  # fmt: skip
    assert module.country_answers(city(1, "Delft", "NL"), COUNTRIES["NL"]) == (
        "Netherlands",
        "Holland",
    )
    assert not {code[:2] for code in ALIASES} & NO_STATE


def test_a_row_is_told_in_sentences_with_its_plain_spelling():
    told = describe(city(1, "Köln", "NL", 963_395, "Europe/Foo_Bar"), COUNTRIES["NL"])
    assert told == (
        "Köln (Koln) lies in the Netherlands, at 52.0° north and 1.5° west. It has about 963,000 "
        "inhabitants. Its time zone is Europe/Foo Bar."
    )
    assert in_text("Bahamas") == "the Bahamas"
    assert in_text("Japan") == "Japan"


def test_bins_are_apart():
    assert [bin_of(n) for n in (14_999, 15_000, 24_999, 25_000, 100_000, 300_000)] == [
        "", "low", "low", "", "middle", "",
    ]  # fmt: skip
    assert bin_of(1_000_000) == "high"
    assert math.inf == module.BINS["high"][1]


def test_split_seed_alone_varies_the_split():
    assert small().test_sha256() == small().test_sha256()
    assert small(split_seed=1).test_sha256() != small().test_sha256()
    assert small(phrasings=2).test_sha256() == small().test_sha256()
    assert small(training="text").train == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"entities": 10}, "three popularity bins of equal size; use 9"),
        ({"entities": 0}, "task.entities=0 is too small"),
        ({"distractor_entities": -1}, "task.distractor_entities=-1"),
        ({"phrasings": 7}, "cities has 6 training phrasings"),
        ({"entities": 21}, "cities has 6 fair ones in its smallest popularity bin; use at most 18"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        small(**settings)


def test_no_training_wording_holds_the_test_wording():
    held_out = wording(WORDING.test.format(city="X"))
    trained = [wording(form.format(city="X")) for form in WORDING.training]
    assert len(set(trained)) == 6
    assert not any(held_out in form or form in held_out for form in trained)


def test_a_damaged_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "cities.json").write_text("{")
    monkeypatch.setattr(module, "unpack", lambda wheel, member: tmp_path / "cities.json")
    with pytest.raises(DataError, match=r"cities\.json is not JSON .* fetch it again"):
        load_task(CitiesConfig())


def test_a_draw_does_not_depend_on_what_is_not_in_the_bin():
    config = CitiesConfig(entities=3)
    rows = [module.entity_of(row, COUNTRIES["JP"], bin_of(row["population"])) for row in towns()]
    drawn = draw_entities(config, rows, most_alike=3)
    assert drawn == draw_entities(config, rows, most_alike=2)
    assert [entity.bucket for entity in drawn] == ["low", "middle", "high"]


@pytest.mark.real
def test_the_real_task_has_the_sizes_that_its_documentation_states():
    task = load_task(CitiesConfig())
    assert (len(task.test), len(task.validation), len(task.train)) == (200, 40, 960)
    assert len(task.corpus) == 740
    assert len({document.id for document in task.corpus}) == 740
    questions = task.test + task.validation
    assert Counter(question.bucket for question in questions) == dict.fromkeys(POPULATIONS, 80)
    most = Counter((q.bucket, q.answers[0]) for q in questions).most_common(1)[0][1]
    assert most <= 8
    for question in questions:
        for answer in question.answers:
            assert f" {folded(answer)} " not in f" {folded(question.question)} "
