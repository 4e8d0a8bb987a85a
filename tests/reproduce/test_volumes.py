"""Break-even against its formula, of blocks made up so that every volume is a round number."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from compare.folders import row

from harness.blocks.table import put_reading
from harness.record import append_row
from harness.report.drawing import to_svg
from harness.report.sections import Section
from harness.reproduce.claims import Claim, VolumeRatio
from harness.reproduce.effects import Effect
from harness.reproduce.pages import as_markdown
from harness.reproduce.reading import Reading
from harness.reproduce.tables import claims_table
from harness.reproduce.verdict import CONFIRMED, NOT_SHOWN, REFUTED, Verdict, judge
from harness.reproduce.volume_page import volumes_figure, volumes_table
from harness.reproduce.volumes import needed_blocks

from .samples import claim

LEVEL = 0.025
TRAINED = {"lora": 20_000, "full": 20_000}
"""D. With r = 100 − 20 = 80 more prompt tokens: 2D/r = 500 and 3D/r = 750."""


def phases(**seconds: float) -> dict[str, float]:
    """Seconds of phases and, at 36 W, their energy: 0.00001 kWh a second."""
    return {
        f"{phase}_{unit}": value * factor
        for phase, value in seconds.items()
        for unit, factor in (("seconds", 1.0), ("energy_kwh", 1e-5))
    }


COSTS: dict[str, dict[str, float]] = {
    # 260 s before the first query and 0.5 s a query; of full 410 s.
    "lora": phases(prepare=10, train=250, prefill=2, decode=3),
    "full": phases(prepare=10, train=400, prefill=2, decode=3),
    # 10 s and 1 s a query: overtaken by lora at (260 − 10)/0.5 = 500, by full at 800.
    "rag": phases(index=10, retrieve=1, prefill=5, decode=4),
}


def write_blocks(
    folder: Path, blocks: int = 7, costs: dict[str, dict[str, float]] = COSTS, **slower: list[float]
) -> Path:
    """Runs of three arms and their blocks; ``slower``: arm -> factor of its seconds by block."""
    for arm, seconds in costs.items():
        trained = {"adapter": arm, "trained_tokens": TRAINED[arm]} if arm in TRAINED else {}
        values = {"experiment": "main", "task": "films", "arm": arm, "n_test": 10} | trained
        append_row(folder / "main" / "runs.csv", row(**values, **seconds))
    for block in range(1, blocks + 1):
        for position, (arm, seconds) in enumerate(costs.items(), start=1):
            factor = slower.get(arm, [1.0] * blocks)[block - 1]
            put_reading(folder / "main", reading(arm, block, position, seconds, factor))
    return folder


def reading(
    arm: str, block: int, position: int, costs: dict[str, float], factor: float
) -> dict[str, Any]:
    return {
        **{"set_id": "set", "run_id": f"{arm}-s0", "arm": arm, "seed": 0, "phases": "all"},
        **{"block": block, "position": position, "started_at": "2026-01-01T00:00:00+00:00"},
        **{"n_test": 10, "same_answers": True, "device": "CPU", "device_exclusive": True},
        "prefill_tokens": 200 if arm in TRAINED else 1000,
        "decode_tokens": 50,
        "trained_tokens": TRAINED.get(arm),
        "energy_source": "estimate",
        **{name: value * factor for name, value in costs.items()},
    }


def about(arm: str, within: float = 1.5) -> Claim:
    return claim(
        VolumeRatio(arm, "rag"), id=f"C10-{arm}", direction="within", least=math.log2(within)
    )


def measured(folder: Path, arm: str) -> Effect | str:
    return Reading(folder)._effect(about(arm), LEVEL)


def verdicts(folder: Path, *arms: str, within: float = 1.5) -> list[Verdict]:
    found = Reading(folder)
    return [
        judge(one, found._effect(one, LEVEL), LEVEL) for one in (about(a, within) for a in arms)
    ]


def test_a_volume_that_is_as_predicted_has_the_ratio_1(tmp_path: Path) -> None:
    found = measured(write_blocks(tmp_path), "lora")
    assert isinstance(found, Effect) and found.volumes is not None
    volumes = found.volumes
    assert (volumes.formula, volumes.trained_tokens, volumes.extra_prompt_tokens) == (
        *("2D/r", 20_000, 80),
    )
    assert volumes.predicted == 500
    assert volumes.seconds.queries == pytest.approx(500)
    # energy is a fixed part of the seconds here, so it gives the same volume
    assert volumes.kwh is not None and volumes.kwh.queries == pytest.approx(500)
    assert (found.value, found.low, found.high) == pytest.approx((0, 0, 0))
    assert (found.n, found.seeds) == (7, 1)


def test_full_fine_tuning_is_held_against_3_d_over_r(tmp_path: Path) -> None:
    found = measured(write_blocks(tmp_path), "full")
    assert isinstance(found, Effect) and found.volumes is not None
    assert (found.volumes.formula, found.volumes.predicted) == ("3D/r", 750)
    assert found.volumes.seconds.queries == pytest.approx(800)  # (410 − 10) / 0.5
    assert found.value == pytest.approx(math.log2(800 / 750))


def test_the_interval_is_that_of_blocks_drawn_anew(tmp_path: Path) -> None:
    # lora takes 260·f s and 0.5·f a query. Three blocks of seven are alone in (3/7)^7 = 0.27 %
    # of draws, of which 0.07 % are cut off at each end: f = 0.9 and f = 1.1 are the ends.
    factors = [0.9, 0.9, 0.9, 1.0, 1.1, 1.1, 1.1]
    found = measured(write_blocks(tmp_path, lora=factors), "lora")
    assert isinstance(found, Effect) and found.volumes is not None
    assert found.volumes.seconds.queries == pytest.approx(500)  # of the means
    assert found.volumes.seconds.ends == pytest.approx((224 / 0.55, 276 / 0.45))
    assert found.low == pytest.approx(math.log2(found.volumes.seconds.low / 500))
    assert found.high == pytest.approx(math.log2(found.volumes.seconds.high / 500))


def test_verdicts_follow_the_factor(tmp_path: Path) -> None:
    write_blocks(tmp_path)  # ratios 1 and 800/750 = 1.067
    assert [one.verdict for one in verdicts(tmp_path, "lora", "full")] == [CONFIRMED, CONFIRMED]
    assert verdicts(tmp_path, "full", within=1.05)[0].verdict == REFUTED


def test_six_blocks_do_not_carry_this_level(tmp_path: Path) -> None:
    (one,) = verdicts(write_blocks(tmp_path, blocks=6), "lora")
    assert one.verdict == NOT_SHOWN and one.effect is not None
    assert one.reason == "6 metered blocks, 7 needed for an interval at this level"


@pytest.mark.parametrize(("level", "blocks"), [(0.05, 6), (0.025, 7), (1 / 64, 7), (0.5, 2)])
def test_blocks_needed_are_those_that_miss_the_median_no_more_often(
    level: float, blocks: int
) -> None:
    assert needed_blocks(level) == blocks
    assert 2.0 ** (1 - blocks) <= level < 2.0 ** (2 - blocks)


# With a query of rag at 0.4 s no volume makes up for training; with 300 s of index, every one does;
# with both, lora is cheaper up to (310 − 260) / (0.5 − 0.4) = 400 queries and never after.
CHEAP = phases(index=10, retrieve=1, prefill=2, decode=1)
DEAR_INDEX = phases(index=310, retrieve=1, prefill=5, decode=4)
BOTH = phases(index=310, retrieve=1, prefill=2, decode=1)


@pytest.mark.parametrize(
    ("rag", "queries", "said"),
    [
        (CHEAP, math.inf, "no limit: measured never, predicted 500 (2D/r)"),
        (DEAR_INDEX, 0.0, "× 0: measured from the first on, predicted 500 (2D/r)"),
        (BOTH, math.inf, "no limit: measured never, predicted 500 (2D/r)"),
    ],
)
def test_an_arm_that_is_never_or_always_cheaper_refutes_the_formula(
    tmp_path: Path, rag: dict[str, float], queries: float, said: str
) -> None:
    write_blocks(tmp_path, costs=COSTS | {"rag": rag})
    (one,) = verdicts(tmp_path, "lora")
    assert one.effect is not None and one.effect.volumes is not None
    seconds = one.effect.volumes.seconds
    assert (seconds.queries, seconds.low, seconds.high) == (queries, queries, queries)
    assert one.verdict == REFUTED
    assert said in as_text(one)
    assert volumes_figure([one]) is None  # no place on a logarithmic axis
    assert volumes_table([one], LEVEL) is not None


def test_where_the_crossing_may_not_come_the_interval_has_no_upper_end(tmp_path: Path) -> None:
    # a query of lora costs 0.5 s in six blocks and 4 s in one: 1 s in the mean, as rag's
    factors = [1.0] * 6 + [8.0]
    costs = COSTS | {"lora": phases(prefill=2, decode=3) | phases(train=1)}
    found = measured(write_blocks(tmp_path, costs=costs, lora=factors), "lora")
    assert isinstance(found, Effect)
    assert found.high == math.inf
    assert judge(about("lora"), found, LEVEL).verdict == NOT_SHOWN


def test_without_blocks_the_command_that_takes_them_is_named(tmp_path: Path) -> None:
    (one,) = verdicts(write_blocks(tmp_path, blocks=0), "lora")
    assert one.verdict == NOT_SHOWN and one.effect is None
    assert one.reason.startswith("there is no metered block of lora and rag: take some with")
    assert one.needed == 7
    assert "7 needed" in as_text(one)


def test_an_arm_that_was_not_run_is_the_reason(tmp_path: Path) -> None:
    write_blocks(tmp_path, costs={name: COSTS[name] for name in ("lora", "rag")})
    assert measured(tmp_path, "full") == "full was not run on films"


def test_the_claimed_arm_is_the_trained_one(tmp_path: Path) -> None:
    write_blocks(tmp_path)
    turned = claim(VolumeRatio("rag", "lora"), direction="within", least=0.5)
    assert Reading(tmp_path)._effect(turned, LEVEL) == (
        "lora is the trained arm, and the claim is of rag"
    )


def test_unknown_energy_leaves_the_claim_in_seconds(tmp_path: Path) -> None:
    costs = {
        arm: {name: value for name, value in found.items() if name.endswith("_seconds")}
        for arm, found in COSTS.items()
    }
    (one,) = verdicts(write_blocks(tmp_path, costs=costs), "lora")
    assert one.verdict == CONFIRMED and one.effect is not None
    assert one.effect.volumes is not None and one.effect.volumes.kwh is None
    assert "kWh" not in as_text(one)


def as_text(*found: Verdict) -> str:
    return as_markdown("", "", [Section("claims", "Claims", tables=(claims_table(found),))])


def test_a_row_of_the_claims_shows_both_volumes_and_their_ratio(tmp_path: Path) -> None:
    text = as_text(*verdicts(write_blocks(tmp_path), "full"))
    assert "× 1.07: measured 800, predicted 750 (3D/r)" in text
    assert "× 1.07 to × 1.07 in seconds; in kWh 800, 800 to 800" in text
    assert "| within × 1.5 | 7 blocks (7 needed) | 1 |" in text
    assert "queries at which full overtakes rag, measured / predicted" in text


def test_the_table_has_a_row_a_formula_and_says_why_they_differ(tmp_path: Path) -> None:
    table = volumes_table(verdicts(write_blocks(tmp_path), "lora", "full"), LEVEL)
    assert table is not None
    assert [[cell.text for cell in line] for line in table.rows] == [
        ["lora overtakes rag", "20,000", "80.0", "500", "500", "× 1.00", "500", "7"],
        ["full overtakes rag", "20,000", "80.0", "750", "800", "× 1.07", "800", "7"],
    ]
    notes = " ".join(table.notes)
    assert "the interval at 97.5 %" in notes
    # 250 s / 20,000 tokens = 12.5 ms; 5 s / 1,000 tokens = 5 ms
    assert "a trained token of lora took 12.5 ms, a prompt token of rag 5 ms: 2.5 times" in notes
    assert notes.count("read from 7 metered blocks") == 1


def test_the_figure_draws_a_point_an_arm(tmp_path: Path) -> None:
    figure = volumes_figure(verdicts(write_blocks(tmp_path), "lora", "full"))
    assert figure is not None
    assert "full overtakes rag: 800 measured, 750 predicted (3D/r)" in figure.alt
    drawn = to_svg(figure)
    assert "lora overtakes rag" in drawn and "measured, queries" in drawn


def test_nothing_measured_is_neither_table_nor_figure(tmp_path: Path) -> None:
    found = verdicts(write_blocks(tmp_path, blocks=0), "lora")
    assert volumes_table(found, LEVEL) is None and volumes_figure(found) is None
