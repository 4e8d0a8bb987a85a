from datetime import date

import pytest
from account_rows import cost, row

from harness.economics.catalogue import api_price, catalogue
from harness.economics.prefix import shared_prefix
from harness.economics.study import STATED_API, study
from harness.errors import ConfigError
from harness.metering.config import CostConfig
from harness.metering.grid import grid_of


def of(*rows, settings=None, **more):
    return study([("rag", list(rows), len(rows))], settings, **more)


def test_the_same_energy_is_emitted_on_five_grids_with_their_sources():
    found = of(row(), settings=cost())
    assert [one.country for one in found.emissions] == ["FRA", "GBR", "USA", "IND", "POL"]
    france = grid_of(CostConfig(country="FRA")).kg_per_kwh
    assert found.emissions[0].full == pytest.approx(0.61 * 2 * france)
    assert found.emissions[0].spent == pytest.approx(0.7 * 2 * france)
    assert all("CodeCarbon" in one.source and "2023" in one.source for one in found.emissions)


def test_runs_without_energy_are_counted_and_in_no_sum():
    found = of(row(), row(seed=1, total_energy_kwh=None, spent_energy_kwh=None))
    assert (found.full_kwh, found.spent_kwh, found.without_energy) == (0.61, 0.7, 1)


def test_a_budget_says_how_many_queries_and_setups_fit_each_year():
    found = of(row(), settings=cost()).allowances
    assert [one.year for one in found] == list(range(2025, 2031))
    # 1e-4 + 0.1/3600 kg a query and 0.6 kg a setup.
    assert (found[0].queries["rag"], found[0].setups["rag"]) == (782_608, 166)
    assert (found[1].kg, found[1].setups["rag"]) == (pytest.approx(90), 150)
    assert of(row()).allowances == ()


def test_an_arm_without_setup_fills_no_budget():
    bare = row(index_seconds=None, index_energy_kwh=None)
    assert of(bare, settings=cost()).allowances[0].setups == {"rag": None}


def test_the_measure_is_the_usual_one_that_rows_have():
    assert of(row()).accuracy == "contains"
    assert of(row(contains=None, exact_match=0.1)).accuracy == "exact_match"
    assert of(row(contains=None)).accuracy is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"accuracy": "contain"}, "did you mean 'contains'"),
        ({"accuracy": "f1"}, "which no row has; these rows have contains"),
        ({"accuracy": "false_refusal"}, "it is one of"),
        ({"apis": ["gpt-4o-min"]}, "did you mean 'gpt-4o-mini'"),
    ],
)
def test_unknown_names_are_one_line_with_the_nearest(more, said):
    with pytest.raises(ConfigError, match=said) as error:
        of(row(), **more)
    assert "\n" not in str(error.value)


def test_named_and_stated_prices_stand_side_by_side_with_their_sources():
    from harness.economics.stated import load_cost

    settings = load_cost(None, ["api_prompt_usd_per_million=1", "api_output_usd_per_million=2"])
    found = of(row(), settings=settings, apis=["gpt-4o-mini"])
    assert list(found.apis) == ["gpt-4o-mini", STATED_API]
    usd = found.arms[0].api
    assert usd["gpt-4o-mini"].cost.per_query == pytest.approx((50 * 0.15 + 10 * 0.6) / 1e6)
    assert usd[STATED_API].cost.per_query == pytest.approx((50 * 1 + 10 * 2) / 1e6)
    names = [one.name for one in found.assumptions]
    assert "gpt-4o-mini: cached prompt" in names
    assert names.count("api_prompt_usd_per_million") == 1
    assert all(one.source and one.date for one in found.assumptions if "gpt" in one.name)


def test_what_the_metered_energy_rests_on_is_listed_with_its_day():
    watts = {"value": 8.0, "unit": "W", "origin": "assumed", "detail": "a guess"}
    place = {"value": 0.4, "unit": "kg CO2e per kWh", "origin": "stated", "detail": "a table"}
    told = row(
        cost_assumptions={"cpu": watts, "carbon_intensity": place},
        created_at="2026-11-22T08:41:19+00:00",
    )
    (cpu, grid) = of(told).assumptions
    assert (cpu.name, cpu.value, cpu.source) == ("metered: cpu", 8.0, "assumed: a guess")
    assert (grid.value, grid.date) == (0.4, "2026-11-22")
    # Another grid is stated: the rows' own is not what figures rest on.
    names = [one.name for one in of(told, settings=cost()).assumptions]
    assert "metered: cpu" in names
    assert "metered: carbon_intensity" not in names


def test_every_price_of_the_catalogue_has_a_page_and_a_day():
    assert len(catalogue()) >= 10
    for name, price in catalogue().items():
        for figure in (price.prompt, price.output):
            assert figure.value > 0, name
            assert figure.source.startswith("https://"), name
            date.fromisoformat(figure.date)
        if price.cached is not None:
            assert price.cached.value < price.prompt.value, name
    assert api_price("llama-3.3-70b-together").cached is None


def test_a_prefix_needs_two_prompts_with_their_tokens(tmp_path):
    path = tmp_path / "p.jsonl"
    one = '{"question_id": "a", "prompt": "same", "tokens_in": 4, "metrics": {}}\n'
    path.write_text(one + '{"question_id": "b", "prompt": "", "metrics": {}}\n')
    assert shared_prefix(path) is None
    path.write_text(one + one.replace('"a"', '"b"').replace("same", "same and more"))
    found = shared_prefix(path)
    # 4 of 4 tokens, and 4 of 13 characters of 4 tokens.
    assert found.characters == 4
    assert found.tokens == pytest.approx((4 + 4 * 4 / 13) / 2)
