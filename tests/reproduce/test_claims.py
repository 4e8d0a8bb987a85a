from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DataError
from harness.reproduce.claims import Buckets, Difference, Slope, VolumeRatio, read_claims

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"

ONE = """
alpha: 0.1
claims:
  - id: C1
    claim: a beats b
    published: 3 of 3
    why: as it is
    stage: table
    tasks: [films, cities]
    measure: contains
    contrast: {kind: difference, arm: a, baseline: b}
    direction: less
    test: weights
    least: 0.1
    spread: 0.5
    only: {relation: Known}
  - id: C2
    claim: size matters
    published: mixed
    why: as it is
    cannot: one size only
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_claim_is_read_with_its_contrast(tmp_path: Path) -> None:
    claims = read_claims(written(tmp_path, ONE))
    first, second = claims.claims
    assert first.contrast == Difference("a", "b")
    assert (first.tasks, first.measures) == (("films", "cities"), ("contains",))
    assert (first.direction, first.least, first.spread) == ("less", 0.1, 0.5)
    assert first.only == (("relation", "Known"),)
    assert second.contrast is None and second.cannot == "one size only"


def test_alpha_is_divided_among_the_claims_that_are_tested(tmp_path: Path) -> None:
    text = ONE + ONE.partition("claims:\n")[2].replace("id: C1", "id: C3").replace("C2", "C4")
    claims = read_claims(written(tmp_path, text))
    assert len(claims.claims) == 4 and claims.tests == 2
    assert claims.level == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("least: 0.1", "least: -1", "claim 'C1': least is -1; it is above 0"),
        ("least: 0.1", "", "claim 'C1': least is None; it is a number"),
        ("least: 0.1", "leest: 0.1", "claim 'C1': no field 'leest'; did you mean 'least'?"),
        ("direction: less", "direction: up", "claim 'C1': direction is 'up'; it is one of greater"),
        ("test: weights", "test: t", "claim 'C1': test is 't'; it is one of weights, seeds"),
        ("measure: contains", "measure: contain", "claim 'C1': measure: no measure 'contain'; did"),
        ("kind: difference", "kind: sum", "claim 'C1', contrast: kind is 'sum'; it is one of"),
        ("baseline: b", "base: b", "claim 'C1', contrast: no field 'base'"),
        ("tasks: [films, cities]", "tasks: []", "claim 'C1': tasks is []; it is a list of texts"),
        ("id: C2", "id: C1", "two claims are called 'C1'"),
        ("cannot: one size only", "cannot: one\n    least: 1", "claim 'C2': no field 'least'"),
        ("alpha: 0.1", "alpha: 0.7", "alpha is 0.7; it is below 0.5"),
        ("least: 0.1", "least: true", "claim 'C1': least is True; it is a number"),
        ("claims:", "claims: {", "is no YAML"),
        ("  - id: C1", "  - 3\n  - id: C1", "claim 1 is 3; it is a mapping"),
    ],
)
def test_what_is_wrong_is_told_with_file_claim_and_field(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in ONE
    path = written(tmp_path, ONE.replace(old, new, 1))
    with pytest.raises(DataError) as caught:
        read_claims(path)
    assert str(path) in str(caught.value) and message in str(caught.value)


def test_yaml_that_would_build_an_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no YAML"):
        read_claims(written(tmp_path, "claims: !!python/object/apply:os.getcwd []"))


def test_arms_that_share_one_number_have_no_slope(tmp_path: Path) -> None:
    contrast = "{kind: slope, over: {a: 1, b: 1}}"
    text = ONE.replace("{kind: difference, arm: a, baseline: b}", contrast)
    with pytest.raises(DataError, match="over: all arms have the same number"):
        read_claims(written(tmp_path, text))


def test_a_slope_names_each_arm_once(tmp_path: Path) -> None:
    contrast = "{kind: slope, over: {a: 0, b: 1}, control: {a: 0, c: 1}}"
    text = ONE.replace("{kind: difference, arm: a, baseline: b}", contrast)
    found = read_claims(written(tmp_path, text)).claims[0].contrast
    assert isinstance(found, Slope) and found.arms == ("a", "b", "c")


VOLUMES = """
claims:
  - id: C10
    claim: a formula holds
    published: derived
    why: as it is
    stage: costs
    tasks: [films]
    contrast: {kind: breakeven, arm: lora, against: rag}
    within: 2
"""


def test_a_formula_is_to_hold_within_a_factor(tmp_path: Path) -> None:
    (found,) = read_claims(written(tmp_path, VOLUMES)).claims
    assert found.contrast == VolumeRatio("lora", "rag")
    assert (found.direction, found.least) == ("within", 1.0)  # log2 of 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("within: 2", "within: 1", "claim 'C10': within is 1; it is above 1"),
        ("within: 2", "least: 0.1", "claim 'C10': no field 'least'"),
        ("within: 2", "within: 2\n    measure: contains", "claim 'C10': no field 'measure'"),
        ("    within: 2", "", "claim 'C10': within is None; it is a number"),
        ("[films]", "[films, cities]", "tasks are films, cities; blocks are metered on one task"),
        ("against: rag", "baseline: rag", "contrast: no field 'baseline'"),
    ],
)
def test_what_is_wrong_in_a_claim_about_volumes_is_told(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_claims(written(tmp_path, VOLUMES.replace(old, new, 1)))
    assert message in str(caught.value)


PAPERS = sorted(path.parent.name for path in EXPERIMENTS.glob("*/claims.yaml"))


def test_five_papers_and_a_study_state_their_claims() -> None:
    names = "biderman2024 break_even gekhman2024 ovadia2024 raft2024 soudani2024"
    assert names.split() == PAPERS


@pytest.mark.parametrize("paper", PAPERS)
def test_the_claims_of_every_paper_can_be_read(paper: str) -> None:
    claims = read_claims(EXPERIMENTS / paper / "claims.yaml")
    assert claims.tests >= 2
    for claim in claims.claims:
        assert claim.cannot or claim.contrast is not None
        if isinstance(claim.contrast, Buckets):
            assert claim.contrast.first != claim.contrast.second
