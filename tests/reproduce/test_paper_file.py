from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.config import CONF
from harness.errors import ConfigError, DataError
from harness.overrides import check
from harness.reproduce.claims import VolumeRatio
from harness.reproduce.full_plan import needs_of
from harness.reproduce.paper import SCALES
from harness.reproduce.paper_file import EXPERIMENTS, papers, read_paper
from harness.reproduce.published import read_published
from harness.reproduce.running import plan, told
from harness.reproduce.volumes import needed_blocks
from harness.tasks import load_task

from .samples import PAPER, PUBLISHED, write_paper

PAPERS = papers()


def test_five_papers_and_a_study_can_be_run_again() -> None:
    names = "biderman2024 break_even gekhman2024 ovadia2024 raft2024 soudani2024"
    assert names.split() == PAPERS
    assert [name for name in PAPERS if read_paper(name).kind == "study"] == ["break_even"]


@pytest.mark.parametrize("name", PAPERS)
def test_every_scale_of_a_paper_composes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Evenly spread jobs of each sweep: that every choice exists is checked of all.
    monkeypatch.setattr("harness.overrides.MOST_JOBS_CHECKED", 2)
    paper = read_paper(name)
    assert tuple(paper.scales) == SCALES
    for scale in paper.scales.values():
        plans = plan(paper, scale, None, [], tmp_path)
        assert plans and all(one.cells > 0 for one in plans)
        assert paper.citation in told(paper, scale, plans)
        if scale.expected is not None:
            configs = [config for one in plans for config in one.configs]
            found = needs_of(configs, scale.expected)
            assert found.needs and "paper.yaml" not in " ".join(found.missing)
    assert paper.scales["full"].expected is not None


@pytest.mark.parametrize("name", PAPERS)
def test_no_two_arms_are_the_same_run(name: str, tmp_path: Path) -> None:
    # An experiment's setting outweighs a method's: five arms of other K were once one run.
    arms: dict[str, str] = {}
    for one in plan(read_paper(name), read_paper(name).scales["small"], None, [], tmp_path):
        for config in one.configs:
            settings = asdict(config) | {"arm": None}
            arm = arms.setdefault(json.dumps(settings, sort_keys=True, default=str), config.arm)
            assert arm == config.arm


@pytest.mark.parametrize("name", PAPERS)
def test_every_arm_of_a_claim_is_run_at_small_scale(name: str, tmp_path: Path) -> None:
    paper = read_paper(name)
    run = {
        (stage.name, arm)
        for stage in paper.scales["small"].stages
        for text in stage.overrides
        if text.startswith("method=")
        for arm in text.removeprefix("method=").split(",")
    }
    for claim in paper.claims.claims:
        for arm in claim.contrast.arms if claim.contrast else ():
            assert (claim.stage, arm) in run, f"{claim.id}: {arm}"


@pytest.mark.parametrize("name", [name for name in PAPERS if name != "ovadia2024"])
def test_every_claim_is_about_tasks_that_its_scale_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of ovadia2024 the paper's own new facts cannot be had, so no run of scale full speaks to them.
    monkeypatch.setattr("harness.overrides.MOST_JOBS_CHECKED", 12)
    paper = read_paper(name)
    for scale in (paper.scales["small"], paper.scales["full"]):
        run = {
            (one.stage.name, config.task.name)
            for one in plan(paper, scale, None, [], tmp_path)
            for config in one.configs
        }
        for claim in paper.claims_at(scale).claims:
            for task in claim.tasks:
                assert (claim.stage, task) in run, f"{scale.name}, {claim.id}: {task}"


def test_claims_are_about_the_tasks_of_their_scale(tmp_path: Path) -> None:
    write_paper(
        tmp_path,
        PAPER.replace("    note: tiny", "    instead: {main: {films: popqa}}\n    note: tiny", 1),
    )
    paper = read_paper("paper2024", tmp_path)
    tasks = {
        name: [claim.tasks for claim in paper.claims_at(scale).claims]
        for name, scale in paper.scales.items()
    }
    assert tasks == {"smoke": [("popqa",), ("popqa",), ()], "small": [("films",), ("films",), ()]}


@pytest.mark.parametrize("name", PAPERS)
def test_enough_questions_are_planned_for_every_claim(name: str) -> None:
    from harness.reproduce.verdict import needed_questions

    paper = read_paper(name)
    stages = {stage.name: stage for stage in paper.scales["small"].stages}
    for claim in paper.claims.claims:
        needed = needed_questions(claim, paper.claims.level)
        if isinstance(claim.contrast, VolumeRatio):
            blocks = stages[claim.stage].blocks
            assert blocks is not None and blocks.count >= needed_blocks(paper.claims.level)
        if needed is None or claim.only:  # how many facts are of a class is not known before
            continue
        stage = stages[claim.stage]
        has = stage.items if claim.measures[0].startswith("forgetting_") else stage.questions
        assert has is not None and has >= needed, claim.id


@pytest.mark.parametrize("name", PAPERS)
def test_no_setting_of_a_paper_hides_one_of_the_harness(name: str) -> None:
    own = EXPERIMENTS / name / "conf"
    for path in own.rglob("*.yaml"):
        assert not (CONF / path.relative_to(own)).exists(), path


@pytest.mark.parametrize("name", [name for name in PAPERS if name != "break_even"])
def test_every_published_figure_says_how_it_was_verified(name: str) -> None:
    figures = read_published(EXPERIMENTS / name / "published.csv")
    assert figures and all(figure.verification for figure in figures)


def test_the_full_task_of_soudani_reads_files_of_the_papers_schema(tmp_path: Path) -> None:
    rows = [
        {
            "id": number,
            "question": f"What is {name}'s occupation?",
            "obj": "politician",
            "possible_answers": json.dumps(["politician", "political leader"]),
            "prop": "occupation",
            "s_pop": number,
            "subj_id": number,
        }
        for number, name in enumerate(("Ann", "Ben", "Cleo"), start=1)
    ]
    data = tmp_path / "popqa.json"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    corpus = tmp_path / "summaries.jsonl"
    documents = [
        {"id": f"d{n}", "title": name, "text": f"{name} is a politician."}
        for n, name in enumerate(("Ann", "Ben", "Cleo"))
    ]
    corpus.write_text("\n".join(map(json.dumps, documents)), encoding="utf-8")
    paper = read_paper("soudani2024")
    more = [f"task.corpus='{corpus}'", f"task.path='{data}'", "task.splits.test=train"]
    more.append("task.relations=[occupation]")
    full = paper.scales["full"]
    stage = next(one for one in full.stages if "task=popqa" in one.overrides)
    kept = [text for text in stage.overrides if not text.startswith(("task.", "method", "model"))]
    composed = check([*kept, "method=lora", *more], True, paper.conf).configs[0]
    task = load_task(composed.task)
    assert [q.answers[0] for q in task.test] == ["politician"] * 3
    assert [q.bucket for q in task.test] == ["low", "middle", "high"]
    assert [d.title for d in task.corpus] == ["Ann", "Ben", "Cleo"]
    assert composed.adapter is not None and composed.adapter.pairs.generator == "model"
    assert (composed.adapter.rank, composed.adapter.alpha, composed.adapter.epochs) == (64, 16, 2)


def test_a_cell_finds_its_published_figure(tmp_path: Path) -> None:
    write_paper(tmp_path)
    cells = read_paper("paper2024", tmp_path).tables[0].cells
    assert [cell.published.value if cell.published else None for cell in cells] == [0.2, 0.75, None]
    assert [cell.published.verified for cell in cells if cell.published] == [True, False]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dataset: popqa", "dataset: witqa", "no published figures have table='Table 1'"),
        ("published: {dataset: popqa}", "published: {set: a}", "no field 'set'"),
        ("arm: rag}", "arm: rag, mesure: a}", "no field 'mesure'; did you mean 'measure'?"),
        ("measure: contains", "measure: contain", "no measure 'contain'"),
        ("minutes: 1", "minutes: soon", "scales, smoke: minutes is 'soon'; it is a number"),
        ("tables: [table1]", "tables: [table2]", "stage 'main': no table 'table2'"),
        ("stage: main", "stage: mian", "reads stage 'mian', and no scale runs it; did you mean"),
        ("kind: buckets", "kind: pie", "kind is 'pie'; it is one of lines, buckets, scatter"),
        ("  smoke:", "  tiny:", "no field 'tiny'; it is one of smoke, small, full"),
        (
            "title: A paper",
            "title: A paper\nkind: book",
            "kind is 'book'; it is one of paper, study",
        ),
        (
            "    note: tiny",
            "    instead: {main: {film: popqa}}\n    note: tiny",
            "smoke, instead: no claim on stage 'main' is about task 'film'; did you mean 'films'",
        ),
        (
            "    note: tiny",
            "    instead: {main: {films: ''}}\n    note: tiny",
            "smoke, instead: nothing is left of claim 'C1'",
        ),
        (
            "    note: tiny",
            "    instead: {main: films}\n    note: tiny",
            "instead: main is 'films'; it is a mapping of names to values",
        ),
        ("questions: 40", "blocks: 5", "blocks is 5; it is a mapping of names to values"),
        ("questions: 40", "blocks: {count: 0, arms: [rag]}", "count is 0; it is above 0"),
        ("questions: 40", "blocks: {count: 2, arm: [rag]}", "no field 'arm'; did you mean 'arms'"),
    ],
)
def test_what_is_wrong_in_a_paper_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in PAPER
    write_paper(tmp_path, PAPER.replace(old, new, 1))
    with pytest.raises(DataError) as caught:
        read_paper("paper2024", tmp_path)
    assert message in str(caught.value)


def test_a_claim_about_volumes_needs_blocks_of_its_arms(tmp_path: Path) -> None:
    claims = """\
claims:
  - id: C10
    claim: a formula holds
    published: derived
    why: as it is
    stage: main
    tasks: [films]
    contrast: {kind: breakeven, arm: rag_bm25, against: closed_book}
    within: 1.5
"""
    for blocks in ("", "        blocks: {count: 2, arms: [rag_bm25]}\n"):
        write_paper(
            tmp_path, PAPER.replace("tables: [table1]\n", f"tables: [table1]\n{blocks}"), claims
        )
        with pytest.raises(DataError) as caught:
            read_paper("paper2024", tmp_path)
        missing = "closed_book" if blocks else "rag_bm25"
        assert (
            f"smoke: claim 'C10' rests on metered blocks, and stage 'main' has none of {missing}"
        ) in str(caught.value)


def test_a_folder_that_printed_nothing_needs_no_published_figures(tmp_path: Path) -> None:
    folder = write_paper(tmp_path)
    (folder / "published.csv").unlink()
    with pytest.raises(DataError, match="no published figures have"):
        read_paper("paper2024", tmp_path)  # a cell names one
    bare = PAPER[: PAPER.index("tables:\n")].replace("tables: [table1]\n        ", "")
    write_paper(tmp_path, f"{bare}tables: []\n")
    (folder / "published.csv").unlink()
    assert read_paper("paper2024", tmp_path).tables == ()


def test_an_unknown_paper_is_told_with_the_nearest(tmp_path: Path) -> None:
    write_paper(tmp_path)
    with pytest.raises(ConfigError, match="no paper 'paper2025'; did you mean 'paper2024'"):
        read_paper("paper2025", tmp_path)


def test_a_stage_is_recorded_under_its_own_name(tmp_path: Path) -> None:
    folder = write_paper(tmp_path)
    file = folder / "conf" / "experiment" / "main_of_paper.yaml"
    file.write_text(file.read_text().replace("experiment: main", "experiment: other"))
    paper = read_paper("paper2024", tmp_path)
    with pytest.raises(ConfigError, match="would be recorded as 'other'"):
        plan(paper, paper.scales["small"], None, [], tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",value,", ",valu,", "no column value"),
        ("20.0", "lots", "line 2: value is 'lots'; it is a number"),
        ("two_sources", "", "line 2: verification is empty"),
    ],
)
def test_a_published_table_at_fault_is_told(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "published.csv"
    path.write_text(PUBLISHED.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_published(path)
    assert message in str(caught.value)
