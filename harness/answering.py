"""Put questions to a model: passages found, prompt built, answer generated or option chosen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path

from harness.errors import DataError
from harness.ledger import Ledger
from harness.metering.meter import Meter
from harness.models.choices import choose, with_letters
from harness.models.protocol import Model
from harness.prompts import PromptConfig, build_messages, passage_text, shot_turn
from harness.retrieval import Retriever, fit_context
from harness.shots import NO_SHOTS, Shots
from harness.types import Answer, Passage, Prediction, Question, ScoredPassage


@dataclass(frozen=True)
class Asked:
    """A question with what was retrieved for it and the prompt made of both."""

    question: Question
    prompt: str
    retrieved: tuple[ScoredPassage, ...]
    used: tuple[ScoredPassage, ...]


def build_prompts(
    model: Model,
    config: PromptConfig,
    questions: Sequence[Question],
    retrieved: Sequence[Sequence[ScoredPassage]] | None,
    shots: Shots = NO_SHOTS,
) -> list[Asked]:
    """Each question's prompt; passages enter in rank order as far as the context budget goes.

    Few-shot examples leave that budget alone.
    """
    asked = []
    for position, question in enumerate(questions):
        found = tuple(retrieved[position]) if retrieved is not None else ()
        used = fit_context(found, config.context_budget_tokens, model.count_tokens)
        messages = build_messages(
            config,
            question.question,
            [scored.passage for scored in used],
            question.choices,
            shots.of(question),
        )
        if question.choices and not model.gives_likelihoods:
            messages = with_letters(messages, question.choices)
        asked.append(Asked(question, model.render(messages), found, tuple(used)))
    return asked


def answer(
    model: Model,
    config: PromptConfig,
    questions: Sequence[Question],
    retriever: Retriever | None,
    top_k: int,
    ledger: Ledger | None = None,
    phases: tuple[str, str, str] = ("retrieve", "prefill", "decode"),
    shots: Shots = NO_SHOTS,
) -> list[Prediction]:
    """The answers to ``questions``, in their order.

    Args:
        ledger: meters the phases; None where the caller meters the whole.
        phases: what retrieving, building and reading prompts, and generating are metered as. With
            one name for all three ("tune", say) everything is metered as that.
    """
    retrieve, prefill, decode = phases
    metered = ledger.phase if ledger else lambda name: nullcontext()
    meter = ledger.meter if ledger else None
    found = None
    if retriever is not None:
        with metered(retrieve):
            found = retriever.retrieve(questions, top_k)
    with metered(prefill):
        asked = build_prompts(model, config, questions, found, shots)
        answers = _answers(model, config, asked, meter, (prefill, decode))
    return [
        Prediction(
            question=one.question,
            prompt=one.prompt,
            answer=answers[position],
            retrieved=one.retrieved,
            used_passage_ids=tuple(scored.passage.id for scored in one.used),
        )
        for position, one in enumerate(asked)
    ]


def _answers(
    model: Model,
    config: PromptConfig,
    asked: Sequence[Asked],
    meter: Meter | None,
    phases: tuple[str, str],
) -> dict[int, Answer]:
    """Position -> answer: an option for questions that have them, else generated text."""
    prefill, decode = phases
    answers: dict[int, Answer] = {}
    choosing = [i for i, one in enumerate(asked) if one.question.choices]
    if choosing:
        chosen = choose(
            model,
            [asked[i].prompt for i in choosing],
            [asked[i].question.choices for i in choosing],
        )
        answers.update(zip(choosing, chosen, strict=True))
        if meter:
            meter.count(tokens_in=sum(one.tokens_in or 0 for one in chosen))
    generating = [i for i, one in enumerate(asked) if not one.question.choices]
    if generating:
        generated = model.generate(
            [asked[i].prompt for i in generating],
            config.max_new_tokens,
            on_prefill=partial(meter.switch, prefill) if meter else None,
            on_decode=partial(meter.switch, decode) if meter else None,
        )
        answers.update(zip(generating, generated, strict=True))
        if meter:
            meter.switch(prefill)
            meter.count(tokens_in=sum(one.tokens_in or 0 for one in generated))
            meter.switch(decode)
            meter.count(tokens_out=sum(one.tokens_out or 0 for one in generated))
    return answers


def timed_one_by_one(
    answer_one: Callable[[Question], Prediction],
    questions: Sequence[Question],
    count: int,
    warmup: int,
) -> dict[str, float]:
    """Question id -> seconds from question to full answer, answered alone (batch 1).

    ``count`` questions at even distances are timed, after ``warmup`` that are not.
    """
    count = min(count, len(questions))
    chosen = [questions[i * len(questions) // count] for i in range(count)] if count else []
    for question in chosen[:warmup]:
        answer_one(question)
    seconds = {}
    for question in chosen:
        started = time.perf_counter()
        answer_one(question)
        seconds[question.id] = time.perf_counter() - started
    return seconds


def save_answers(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write predictions as JSON; questions and passages are referred to by id."""
    lines = [
        {
            "question": prediction.question.id,
            "prompt": prediction.prompt,
            "answer": asdict(prediction.answer),
            "retrieved": [[scored.passage.id, scored.score] for scored in prediction.retrieved],
            "used": list(prediction.used_passage_ids),
            "latency_seconds": prediction.latency_seconds,
        }
        for prediction in predictions
    ]
    path.write_text(json.dumps(lines, ensure_ascii=False), encoding="utf-8")


def load_answers(
    path: Path, questions: Sequence[Question], passages: Mapping[str, Passage]
) -> list[Prediction]:
    """What ``save_answers`` wrote, joined with the questions and passages it was about.

    Raises:
        DataError: it is about other questions.
    """
    by_id = {question.id: question for question in questions}
    predictions = []
    for line in json.loads(path.read_text(encoding="utf-8")):
        if line["question"] not in by_id:
            raise DataError(f"{path}: stored answers are about other questions than the task's")
        stored = line["answer"]
        predictions.append(
            Prediction(
                question=by_id[line["question"]],
                prompt=line["prompt"],
                answer=replace(Answer(**stored), option_scores=tuple(stored["option_scores"])),
                retrieved=tuple(
                    ScoredPassage(passages[name], score) for name, score in line["retrieved"]
                ),
                used_passage_ids=tuple(line["used"]),
                latency_seconds=line["latency_seconds"],
            )
        )
    return predictions


def passage_tokens(model_count: Callable[[str], int], predictions: Sequence[Prediction]) -> int:
    """Tokens of all passages that stand in the prompts, by ``model_count``."""
    texts = [
        passage_text(scored.passage)
        for prediction in predictions
        for scored in prediction.retrieved
        if scored.passage.id in prediction.used_passage_ids
    ]
    return sum(model_count(text) for text in texts)


def shot_tokens(
    model_count: Callable[[str], int], shots: Shots, predictions: Sequence[Prediction]
) -> int:
    """Tokens of all few-shot examples that stand in the prompts, by ``model_count``."""
    count = cache(model_count)
    return sum(
        count(text)
        for prediction in predictions
        for pair in shots.of(prediction.question)
        for text in shot_turn(pair)
    )
