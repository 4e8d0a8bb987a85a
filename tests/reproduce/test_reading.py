"""Rows made by hand, read as a paper's: verdicts computed by hand, cells, pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare.folders import OTHER_SPLIT, write_run

from harness.reproduce.claims import Choice, Difference, Matched
from harness.reproduce.pages import as_markdown, overview, paper_sections, summary, unrun
from harness.reproduce.paper import Ours, Paper
from harness.reproduce.paper_file import read_paper
from harness.reproduce.reading import Measured, Reading
from harness.reproduce.verdict import CONFIRMED, NOT_JUDGED, NOT_SHOWN, REFUTED

from .samples import claim, write_paper

LOW, HIGH = 100, 100
"""Questions of each bucket."""


def scores(low: int, high: int) -> dict[str, dict[str, float]]:
    """The first ``low`` of the low bucket's questions right, and ``high`` of the other's."""
    return {f"l{n}": {"contains": float(n < low)} for n in range(LOW)} | {
        f"h{n}": {"contains": float(n < high)} for n in range(HIGH)
    }


FIELDS = {f"l{n}": {"bucket": "low", "cluster": f"l{n}"} for n in range(LOW)} | {
    f"h{n}": {"bucket": "high", "cluster": f"h{n}"} for n in range(HIGH)
}


def add(folder: Path, arm: str, low: int, high: int, **columns: object) -> None:
    values = {"experiment": "main", "task": "films", "arm": arm} | columns
    write_run(folder / "main", scores(low, high), fields=FIELDS, **values)


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    write_paper(tmp_path)
    return read_paper("paper2024", tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """closed_book: 0 of 100 low, 60 of 100 high. rag: 80 and 100."""
    folder = tmp_path / "results" / "paper2024"
    add(folder, "closed_book", 0, 60)
    add(folder, "rag", 80, 100, retriever="dense")
    return folder


def test_claims_are_judged_by_the_runs(paper: Paper, folder: Path) -> None:
    first, second, third = Reading(folder).verdicts(paper.claims, judged=True)
    # (180 − 60) / 200 = 0.6; 0.8 − 0.4 = 0.4
    assert first.verdict == CONFIRMED and first.effect is not None
    assert first.effect.value == pytest.approx(0.6)
    assert second.verdict == CONFIRMED and second.effect is not None
    assert second.effect.value == pytest.approx(0.4)
    assert second.effect.n == 200
    assert (third.verdict, third.reason) == (NOT_SHOWN, "one size only")


def test_an_effect_short_of_the_least_is_refuted(paper: Paper, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    add(folder, "closed_book", 80, 80)
    add(folder, "rag", 60, 60, retriever="dense")
    first = Reading(folder).verdicts(paper.claims, judged=True)[0]
    assert first.verdict == REFUTED


def test_smoke_judges_nothing(paper: Paper, folder: Path) -> None:
    verdicts = Reading(folder).verdicts(paper.claims, judged=False)
    assert {one.verdict for one in verdicts} == {NOT_JUDGED}


def test_a_missing_arm_is_the_reason(paper: Paper, tmp_path: Path) -> None:
    add(tmp_path, "closed_book", 0, 60)
    first = Reading(tmp_path).verdicts(paper.claims, judged=True)[0]
    assert (first.verdict, first.reason) == (NOT_SHOWN, "rag was not run on films")


def test_of_many_missing_arms_three_are_named(tmp_path: Path) -> None:
    add(tmp_path, "other", 1, 1)
    many = claim(Choice(("a", "b", "c", "d", "e"), 0.1))
    assert Reading(tmp_path)._effect(many, 0.05) == (
        "a was not run on films; b was not run on films; c was not run on films; and 2 more"
    )


def test_a_failed_arm_is_the_reason(paper: Paper, tmp_path: Path) -> None:
    add(tmp_path, "closed_book", 0, 60)
    add(tmp_path, "rag", 0, 0, retriever="dense", status="failed", error="out of memory")
    first = Reading(tmp_path).verdicts(paper.claims, judged=True)[0]
    assert first.reason == "rag on films failed: out of memory"


def test_an_arm_run_with_two_settings_is_not_guessed(paper: Paper, folder: Path) -> None:
    add(folder, "rag", 90, 90, retriever="dense", top_k=5, run_id="other")
    first = Reading(folder).verdicts(paper.claims, judged=True)[0]
    assert first.verdict == NOT_SHOWN
    assert first.reason == "rag on films was run with several settings (retriever, top_k)"


def test_of_several_models_the_one_that_is_named_counts(paper: Paper, folder: Path) -> None:
    for arm in ("closed_book", "rag"):
        add(folder, arm, 50, 50, model="big", run_id=f"{arm}-big")
    reason = Reading(folder).verdicts(paper.claims, judged=True)[0].reason
    assert "was run with several settings" in reason
    big = Reading(folder, "big").verdicts(paper.claims, judged=True)[0]
    assert big.effect is not None and big.effect.value == 0


def test_arms_on_other_questions_are_not_compared(paper: Paper, tmp_path: Path) -> None:
    add(tmp_path, "closed_book", 0, 60)
    add(tmp_path, "rag", 80, 100, retriever="dense", split_sha256=OTHER_SPLIT)
    first = Reading(tmp_path).verdicts(paper.claims, judged=True)[0]
    assert first.reason == "on films the arms answered different questions"


def test_tasks_are_put_together(folder: Path) -> None:
    add(folder, "closed_book", 0, 0, task="cities", run_id="c1", split_sha256=OTHER_SPLIT)
    add(
        folder, "rag", 100, 100, task="cities", run_id="c2", split_sha256=OTHER_SPLIT,
        retriever="dense",
    )  # fmt: skip
    both = claim(Difference("rag", "closed_book"), tasks=("films", "cities"))
    effect = Reading(folder)._effect(both, 0.05)
    assert not isinstance(effect, str)
    assert (effect.n, effect.clusters) == (400, 400)
    assert effect.value == pytest.approx((0.6 + 1.0) / 2)


def test_only_questions_of_one_value_count(folder: Path) -> None:
    low = claim(Difference("rag", "closed_book"), only=(("bucket", "low"),))
    effect = Reading(folder)._effect(low, 0.05)
    assert not isinstance(effect, str)
    assert (effect.n, effect.value) == (100, pytest.approx(0.8))
    none = claim(Difference("rag", "closed_book"), only=(("bucket", "Known"),))
    assert Reading(folder)._effect(none, 0.05) == "no question has bucket Known"


def test_harm_is_read_at_the_same_accuracy(tmp_path: Path) -> None:
    # Full: accuracy .25 and .75, harm .2 and .6 of ten items. LoRA: accuracy .5, harm .1.
    for arm, right, harmed in (("full_1", 25, 2), ("lora", 50, 1), ("full_2", 75, 6)):
        write_run(
            tmp_path / "main",
            {f"q{n}": {"contains": float(n < right)} for n in range(100)},
            harm={f"p{n}": float(n < harmed) for n in range(10)},
            experiment="main",
            task="films",
            arm=arm,
            adapter="lora",
        )
    matched = Matched(("lora",), ("full_1", "full_2"), "contains")
    effect = Reading(tmp_path)._effect(claim(matched, measures=("forgetting_facts_options",)), 0.05)
    assert not isinstance(effect, str)
    assert effect.value == pytest.approx(0.4 - 0.1)
    assert effect.n == 10 and effect.low < 0.3 < effect.high


def test_a_cell_has_the_mean_of_its_questions(folder: Path) -> None:
    reading = Reading(folder)
    found = reading.measured(Ours("main", "films", "rag", "contains", (("bucket", "low"),)))
    assert isinstance(found, Measured)
    assert (found.value, found.n) == (pytest.approx(0.8), 100)
    assert reading.measured(Ours("main", "films", "lora", "contains")) == (
        "lora was not run on films"
    )


def test_the_page_shows_published_measured_difference_and_verdict(
    paper: Paper, folder: Path
) -> None:
    reading, scale = Reading(folder), paper.scales["small"]
    verdicts = reading.verdicts(paper.claims, judged=True)
    sections = paper_sections(paper, scale, reading, verdicts)
    text = as_markdown(paper.title, summary(verdicts), sections)
    assert "3 claims: 2 confirmed, 1 not shown." in text
    assert "20.0 → 30.0 (+10.0, " in text  # 60 of 200; verified by two sources
    assert "75.0† → 90.0 (+15.0, " in text  # one copy alone
    assert "(other model, other data)" in text
    assert "could not be verified here" in text
    assert "1 cells are empty: lora was not run on films (1)." in text
    assert "| C1: RAG beats the model alone | 1 of 1 | confirmed | +60.0 points (" in text
    assert "one size only" in text
    assert "figures/paper_buckets.svg" in text


def test_a_claim_that_is_not_shown_tells_what_could_have_been(paper: Paper, tmp_path: Path) -> None:
    add(tmp_path, "closed_book", 40, 40)
    add(tmp_path, "rag", 50, 50, retriever="dense")
    reading = Reading(tmp_path)
    verdicts = reading.verdicts(paper.claims, judged=True)
    sections = paper_sections(paper, paper.scales["small"], reading, verdicts)
    text = as_markdown("", "", sections)
    assert verdicts[0].verdict == NOT_SHOWN
    assert "200 questions, and 238 were planned" in verdicts[0].reason
    assert "would be told from none with 80 % power" in text


def test_nothing_run_is_said_for_each_claim(paper: Paper, tmp_path: Path) -> None:
    reading = Reading(tmp_path / "nothing")
    verdicts = unrun(reading.verdicts(paper.claims, True), reading.empty)
    assert reading.empty
    assert [one.reason for one in verdicts[:2]] == ["it was not run at this scale"] * 2
    text = as_markdown("All", "", overview({"paper2024": (paper, verdicts)}, "small"))
    assert "| paper2024 | C1: RAG beats the model alone |" in text
    assert "3 claims: 3 not shown." in text


def test_a_page_says_which_arms_were_trained_with_updates_in_16_bits(folder: Path) -> None:
    assert Reading(folder).problems == []
    add(folder, "lora", 90, 90, adapter="lora", train_dtype="bfloat16", update_dtype="float32")
    assert Reading(folder).problems == []
    add(folder, "full", 90, 90, adapter="full", train_dtype="bfloat16")
    assert Reading(folder).problems == [
        "full: trained with updates in 16 bits, which round small ones away; they may have learned "
        "less than they could (docs/training.md)"
    ]
