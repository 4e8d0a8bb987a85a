from dataclasses import replace

import pytest

from harness.advise.advice import advise, verdict
from harness.advise.certainty import against, certainty, drawn_figures
from harness.advise.figures import Use, cost, line
from harness.advise.readings import Asked, Reading, read_arms
from harness.advise.situation import Limits, Situation
from harness.blocks.table import put_reading
from harness.economics.config import HardwareConfig, PricesConfig, Stated, UseConfig
from harness.economics.rows import arm_cost
from harness.errors import ConfigError
from harness.metering.config import CostConfig
from harness.results import read_results
from tests.advise.results import write_results

SITUATION = Situation(
    queries_per_month=100, months=1, cost=CostConfig(carbon_intensity_kg_per_kwh=0.5)
)


ASKED = Asked()


def read(folder, asked=ASKED, **changes):
    return read_arms(read_results([write_results(folder, **changes)]).frame, asked)


def by_name(arms):
    return {arm.name: arm for arm in arms}


def test_figures_are_the_means_over_runs(tmp_path):
    arms = by_name(read(tmp_path)[0])
    lora, rag = arms["lora"].figures, arms["rag"].figures
    assert (lora.train, lora.index, lora.query) == (Use(105, 1.05), Use(0, 0), Use(1, 0.01))
    assert (rag.train, rag.index, rag.query) == (Use(0, 0), Use(20, 0.2), Use(3, 0.03))
    assert (lora.accuracy, rag.accuracy) == (0.75, 0.5)
    assert (lora.memory, lora.latency) == (2.5, 0.5)


def test_frozen_arms_forget_nothing_and_a_trained_one_what_its_probes_lost(tmp_path):
    arms = by_name(read(tmp_path)[0])
    assert arms["rag"].forgetting == Reading(0.0, 0.0, 0.0)
    # One of four items lost in both seeds: Wilson's interval of 1/4.
    lost = arms["lora"].forgetting
    assert (lost.value, lost.low, lost.high) == pytest.approx((0.25, 0.0456, 0.6994), abs=1e-4)


def test_the_interval_of_a_loss_is_that_of_the_rows_where_they_know_it(tmp_path):
    ends = {"forgetting_facts_options_low": 0.1, "forgetting_facts_options_high": 0.4}
    arms = by_name(read(tmp_path, lora=ends)[0])
    assert arms["lora"].forgetting == Reading(0.25, 0.1, 0.4)


def test_the_probe_that_is_named_is_the_one_that_counts(tmp_path):
    arms = by_name(read(tmp_path, Asked(probe="glosses_options"))[0])
    assert arms["lora"].forgetting is None  # not probed, which is not 0
    assert arms["rag"].forgetting.value == 0


def test_an_arm_that_nobody_could_use_is_left_out_and_named(tmp_path):
    arms, told = read(tmp_path, rag={"retriever": "oracle"})
    assert [arm.name for arm in arms] == ["closed_book", "lora"]
    assert any("rag is not advised" in line for line in told)


@pytest.mark.parametrize(
    ("asked", "changes", "message"),
    [
        (Asked(), {"rag": {"task": "other"}}, "give --task, one of other, t"),
        (Asked(), {"rag": {"model": "big"}}, "give --model, one of big, m"),
        (Asked(task="tt"), {}, "--task is 'tt'.*it is one of t"),
        (Asked(), {"rag": {"split_sha256": "a"}, "lora": {"split_sha256": "b"}}, "test questions"),
        (Asked(accuracy="f1"), {}, "no arm has the measure f1"),
        (Asked(), {"contains": ""}, "no measure that says what is correct"),
        (Asked(), {"status": "failed"}, "no run finished"),
    ],
)
def test_rows_that_cannot_be_set_side_by_side_are_refused(tmp_path, asked, changes, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, asked, **changes)


def test_draws_repeat_and_hold_the_point_in_their_middle(tmp_path):
    arms, _ = read(tmp_path)
    drawn = drawn_figures(arms, draws=400, seed=1)
    assert drawn == drawn_figures(arms, draws=400, seed=1)
    accuracy = [next(one for one in figures if one.arm == "lora").accuracy for figures in drawn]
    # The mean of four independent questions at 3/4: standard error of the mean of 400 draws .011.
    assert sum(accuracy) / 400 == pytest.approx(0.75, abs=0.04)
    assert set(accuracy) <= {0, 0.25, 0.5, 0.75, 1}


def test_arms_share_the_questions_that_are_drawn(tmp_path):
    """lora answers whatever rag answers, so it is never the less accurate one."""
    arms, _ = read(tmp_path)
    for figures in drawn_figures(arms, draws=200):
        named = {one.arm: one for one in figures}
        assert named["lora"].accuracy >= named["rag"].accuracy


def test_what_was_read_once_adds_no_spread_and_seeds_do(tmp_path):
    arms, _ = read(tmp_path)
    drawn = drawn_figures(arms, draws=200)
    trained = {next(one for one in figures if one.arm == "lora").train.seconds for figures in drawn}
    indexed = {next(one for one in figures if one.arm == "rag").index.seconds for figures in drawn}
    assert (trained, indexed) == ({100, 105, 110}, {20})


def test_the_shares_of_the_draws_add_up(tmp_path):
    arms, _ = read(tmp_path)
    limited = replace(SITUATION, limits=Limits(accuracy=0.5))
    shares = certainty(drawn_figures(arms, draws=300), limited).shares
    assert sum(shares.values()) == pytest.approx(1)
    # lora costs 205 and rag 320; lora fails where fewer than two drawn questions are right:
    # (1/4)^4 + 4 · 3/4 · (1/4)^3 = 13/256 = 5 %. rag cannot be right more often then.
    assert shares[None] == pytest.approx(13 / 256, abs=0.04)
    assert set(shares) == {"lora", None}


def test_the_difference_in_cost_is_that_of_the_draws(tmp_path):
    arms = by_name(read(tmp_path)[0])
    drawn = drawn_figures(list(arms.values()), draws=300)
    found = against(arms["lora"], arms["rag"], drawn, SITUATION)
    # rag 320 s; lora 200, 205 or 210.
    assert (found.cost_low, found.cost_high) == (110, 120)
    assert not found.either


def test_either_will_do_where_neither_accuracy_nor_cost_differ(tmp_path):
    # lora 100 or 110 s and 60; rag 20 s and 2.25 · 60 = 135: 5 s less to 5 s more.
    rag = {"index_seconds": 30, "decode_seconds": 5}
    arms = by_name(read(tmp_path, rag=rag)[0])
    drawn = drawn_figures(list(arms.values()), draws=300)
    one = replace(SITUATION, queries_per_month=60)
    assert cost(arms["rag"].figures, one) == 165
    found = against(arms["lora"], arms["rag"], drawn, one)
    assert (found.cost_low, found.cost_high) == (-5, 5)
    assert found.either


def test_costs_that_were_read_once_leave_the_noise_unknown(tmp_path):
    arms = by_name(read(tmp_path, seeds=(0,))[0])
    drawn = drawn_figures(list(arms.values()), draws=100)
    found = against(arms["lora"], arms["rag"], drawn, SITUATION)
    assert (found.cost_low, found.cost_high, found.either) == (None, None, False)


def metered(folder, arms=("closed_book", "lora", "rag")):
    """Three blocks of serving: a query takes 1, 2 and 3 s of lora, and of the others as before."""
    for block in (1, 2, 3):
        for arm in arms:
            answering = {"lora": 4.0 * block, "rag": 12.0, "closed_book": 8.0}[arm]
            put_reading(
                folder,
                {
                    **{"set_id": "s", "run_id": f"{arm}0", "arm": arm, "seed": 0},
                    **{"phases": "serving", "block": block, "started_at": f"2026-01-0{block}"},
                    **{"n_test": 4, "decode_seconds": answering, "decode_energy_kwh": answering},
                    **{"energy_source": "counter", "energy_assumed_share": 0.0},
                },
            )


def test_costs_are_read_from_metered_blocks_that_hold_every_arm(tmp_path):
    table = write_results(tmp_path)
    metered(tmp_path)
    arms, told = read_arms(read_results([table]).frame, Asked())
    named = by_name(arms)
    assert named["lora"].figures.query == Use(2, 2)  # the mean of the blocks
    assert named["lora"].figures.train == Use(100, 1)  # the one reading of the run, repeated
    assert not named["lora"].estimated  # the blocks were read from a counter
    assert "costs are read from 3 metered blocks (set s)" in told
    drawn = drawn_figures(arms, draws=200)
    queries = {next(one for one in figures if one.arm == "lora").query.seconds for figures in drawn}
    assert min(queries) == pytest.approx(1)
    assert max(queries) == pytest.approx(3)


def test_blocks_that_lack_an_arm_are_not_mixed_with_the_costs_of_runs(tmp_path):
    table = write_results(tmp_path)
    metered(tmp_path, arms=("lora", "rag"))
    arms, told = read_arms(read_results([table]).frame, Asked())
    assert by_name(arms)["lora"].figures.query == Use(1, 0.01)
    assert any("no set of metered blocks holds every arm" in line for line in told)


@pytest.mark.parametrize("unit", ["seconds", "kwh", "kgco2e", "usd"])
def test_every_unit_counts_updates_and_idling_as_the_break_even_does(tmp_path, unit):
    told = {"source": "a test", "date": "2026-01-01"}
    priced = CostConfig(
        carbon_intensity_kg_per_kwh=0.5,
        pue=2,
        prices=PricesConfig(
            electricity_usd_per_kwh=Stated(0.5, **told), purchase_usd=Stated(8760, **told)
        ),
        hardware=HardwareConfig(
            life_years=Stated(2, **told),
            utilisation=Stated(0.25, **told),
            idle_watts=Stated(9, **told),
        ),
        use=UseConfig(changed_share=Stated(0.5, **told)),
    )
    frame = read_results([write_results(tmp_path)]).frame
    figures = by_name(read_arms(frame, Asked(unit=unit))[0])["rag"].figures
    row = frame[frame["arm"] == "rag"].iloc[0].to_dict()
    known = arm_cost(row, unit, None, priced)
    rates = replace(SITUATION, unit=unit, cost=priced).rates
    found = line(figures, rates, changed_share=0.5)
    assert (found.fixed, found.update, found.per_query) == pytest.approx(
        (known.fixed, known.update, known.per_query)
    )


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Reading(0.7, 0.65, 0.8), "meets"),
        (Reading(0.7, 0.55, 0.8), "meets, not surely"),
        (Reading(0.5, 0.4, 0.7), "fails, not surely"),
        (Reading(0.5, 0.4, 0.59), "fails"),
        (Reading(0.7), "meets, spread unknown"),
        (None, "unknown: fails"),
    ],
)
def test_a_limit_is_judged_with_the_interval_in_view(reading, expected):
    assert verdict("accuracy", reading, 0.6) == expected


def test_the_advice_says_that_energy_is_an_estimate_wherever_it_counts(tmp_path):
    arms, _ = read(tmp_path)
    for one in (replace(SITUATION, unit="kwh"), replace(SITUATION, limits=Limits(carbon=100))):
        assert any("energy is an estimate" in line for line in advise(arms, one).remarks)
    assert not any("energy is" in line for line in advise(arms, SITUATION).remarks)


def test_a_counter_is_no_estimate(tmp_path):
    arms, _ = read(tmp_path, energy_source="counter", energy_assumed_share=0)
    found = advise(arms, replace(SITUATION, unit="kwh"))
    assert not any("energy is an estimate" in line for line in found.remarks)
    assert not any("assumed watts" in bar.assumption.name for bar in found.bars)


def test_runs_without_energy_are_one_clear_line(tmp_path):
    nothing = dict.fromkeys(("train_energy_kwh", "index_energy_kwh", "decode_energy_kwh"), "")
    arms, _ = read(tmp_path, **nothing)
    with pytest.raises(ConfigError, match="no run knows its cost in kWh"):
        advise(arms, replace(SITUATION, unit="kwh"))


def test_an_arm_without_energy_is_left_out_and_named(tmp_path):
    arms, _ = read(tmp_path, rag={"decode_energy_kwh": ""})
    found = advise(arms, replace(SITUATION, unit="kwh"))
    assert found.best.arm != "rag"
    assert "not ranked, since their cost in kWh is unknown: rag" in found.remarks


def test_an_advised_arm_that_is_hardly_right_is_remarked(tmp_path):
    arms, _ = read(tmp_path)
    found = advise(arms, replace(SITUATION, queries_per_month=1))
    assert found.best.arm == "closed_book"
    assert any("beware: closed_book is right in 0.0%" in line for line in found.remarks)
