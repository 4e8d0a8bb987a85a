"""The answers of an experiment's finished runs, as people and measures judge them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.foreign import Problems
from harness.prompts import passages_in
from harness.report.text import visible
from harness.scores import prediction_lines
from harness.types import sha256_of


@dataclass(frozen=True)
class Shown:
    """What a person sees of an answer: what is equal here is asked once.

    Attributes:
        passages: those in the prompt; "" where there were none, or they are not to be shown.
    """

    question: str
    gold: tuple[str, ...]
    answer: str
    passages: str = ""

    def sha256(self) -> str:
        return sha256_of([self.question, list(self.gold), self.answer, self.passages])


@dataclass(frozen=True)
class Answered:
    """One answer of one run.

    Attributes:
        cluster: what its question is a draw of: the entity asked about, else the question.
    """

    run_id: str
    question_id: str
    cluster: str
    shown: Shown
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Experiment:
    """One table of results.

    Attributes:
        folder: where it lies, and predictions/, judged/ and labels/ beside it.
        arms: label of each arm -> the ids of its finished runs, in order of seed.
    """

    folder: Path
    arms: dict[str, tuple[str, ...]]

    def runs(self) -> list[str]:
        return [run_id for runs in self.arms.values() for run_id in runs]


def open_experiment(path: Path) -> tuple[Experiment, list[str]]:
    """The experiment in a folder or table, and what was left out of it.

    Raises:
        RecordError: there is none, there are several, or it holds no finished run.
    """
    from harness.compare.arms import line_up
    from harness.results import read_results

    results = read_results([path])
    tables = sorted(set(results.frame["table"]))
    if len(tables) > 1:
        raise RecordError(f"{path} holds several experiments; name one: {', '.join(tables[:12])}")
    arms, problems = line_up(results.frame)
    runs = {arm.label: tuple(str(row["run_id"]) for row in arm.runs) for arm in arms if arm.runs}
    if not runs:
        raise RecordError(f"{path} holds no finished run; run an experiment first")
    return Experiment(Path(tables[0]).parent, runs), [*results.problems, *problems]


def read_answers(
    experiment: Experiment, run_id: str, passages: bool, problems: Problems
) -> dict[str, Answered]:
    """Question id -> the run's answer; lines that hold no question or answer go to ``problems``.

    Raises:
        RecordError: the run has no predictions file, or it cannot be read.
    """
    path = experiment.folder / "predictions" / f"{run_id}.jsonl"
    found = {}
    for number, line in prediction_lines(path, problems):
        name, question, output = line["question_id"], line.get("question"), line.get("output")
        if not isinstance(question, str) or not isinstance(output, str):
            problems.add(
                f"{path}: no answer",
                f"{path}, line {number}: no 'question' and 'output' (text), so nobody can judge "
                "it; the line is left out",
            )
            continue
        cluster = line.get("cluster")
        found[name] = Answered(
            run_id=run_id,
            question_id=name,
            cluster=cluster if isinstance(cluster, str) and cluster else name,
            shown=_shown(line, passages),
            metrics=line["metrics"],
        )
    return found


def _shown(line: Mapping[str, Any], passages: bool) -> Shown:
    question, choices = line["question"], _texts(line.get("choices"))
    if choices:
        question += f"\nOptions: {'; '.join(choices)}"
    return Shown(
        question=visible(question).strip(),
        gold=tuple(visible(one) for one in _texts(line.get("gold"))),
        answer=visible(line["output"]).strip(),
        passages=visible(_passages(line)).strip() if passages else "",
    )


def _passages(line: Mapping[str, Any]) -> str:
    """The passages in the prompt, as ``harness.prompts`` put them there.

    The names of those that were put into it where the prompt does not hold them so.
    """
    used = _texts(line.get("used_passage_ids"))
    prompt = line.get("prompt")
    if not used or not isinstance(prompt, str):
        return "; ".join(used)
    return passages_in(prompt, line["question"]) or "; ".join(used)


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
