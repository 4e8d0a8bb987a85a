"""Scores of one answer, and their means with intervals, overall and by popularity bucket."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.errors import ConfigError, suggestion
from harness.measures.definitions import ACCURACY, MEASURES
from harness.quotes import final_answer
from harness.stats import Interval, mean_interval, share_interval
from harness.types import Prediction, Question

Scores = dict[str, float]

# Which part of the generated text is scored. There is no first sentence: "St. Lucia" would end
# at its full stop.
ANSWER_PARTS: dict[str, Callable[[str], str]] = {
    "whole": lambda text: text.strip(),
    "first_line": lambda text: text.strip().split("\n", 1)[0].strip(),
    "final": final_answer,
}

# A refusal is an answer that *is* one of these ...
REFUSALS_ALONE = (
    "unknown",
    "none",
    "na",
    "no answer",
    "unanswerable",
    "not known",
    "not sure",
    "not available",
    "not specified",
    "not stated",
    "not given",
    "no information",
)
# ... or that holds one of these phrases anywhere. Both are compared after SQuAD normalisation.
REFUSAL_PHRASES = (
    "i dont know",
    "i do not know",
    "im not sure",
    "i am not sure",
    "im unable to",
    "i am unable to",
    "cant answer",
    "cannot be answered",
    "cannot be determined",
    "cannot answer",
    "not enough information",
    "no information about",
    "not mentioned",
    "not provided in",
    "does not mention",
    "doesnt mention",
    "does not provide",
    "doesnt provide",
    "does not say",
    "doesnt say",
    "i have no idea",
    "i couldnt find",
    "i could not find",
    "i cannot find",
    "i cant find",
    "unable to determine",
    "cannot determine",
    "impossible to determine",
    "impossible to say",
    "insufficient information",
    "there is no mention",
    "makes no mention",
    "there is no information",
    "no information on",
    "not specified in",
    "is not specified",
    "is not stated",
    "does not specify",
    "doesnt specify",
    "does not state",
    "doesnt state",
    "context does not contain",
    "passage does not contain",
    "text does not contain",
    "unanswerable",
)


def normalise(text: str) -> str:
    """Text lower-cased, without ASCII punctuation and English articles, white space collapsed.

    As ``normalize_answer`` of the official SQuAD script:
    https://github.com/rajpurkar/SQuAD-explorer (evaluate-v2.0.py).
    """
    text = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def normalised_tokens(text: str) -> list[str]:
    """White-space tokens of the normalised text; of the lower-cased text if nothing is left.

    The official script turns the gold answers "The", "A" and "+" into the empty string, which an
    empty answer then equals and every answer contains. Only there do we differ from it.
    """
    return normalise(text).split() or text.lower().split()


def exact_match(text: str, golds: Sequence[str]) -> float:
    """1 if the normalised text equals a normalised gold answer, else 0."""
    tokens = normalised_tokens(text)
    return float(bool(tokens) and any(tokens == normalised_tokens(gold) for gold in golds))


def f1(text: str, golds: Sequence[str]) -> float:
    """Token F1 against the gold answer that fits best, from 0 to 1."""
    return max(
        (_token_f1(normalised_tokens(text), normalised_tokens(g)) for g in golds), default=0.0
    )


def rouge_l(text: str, golds: Sequence[str]) -> float:
    """ROUGE-L against the gold answer that fits best, from 0 to 1: order counts, gaps do not.

    With L the length of the longest common subsequence of tokens, precision is L / tokens of the
    text, recall L / tokens of the gold, and the value their harmonic mean (Lin 2004,
    https://aclanthology.org/W04-1013, with beta = 1). Tokens are those of ``f1``.
    """
    tokens = normalised_tokens(text)
    return max((_rouge_l(tokens, normalised_tokens(gold)) for gold in golds), default=0.0)


def contains(text: str, golds: Sequence[str]) -> float:
    """1 if the tokens of a gold answer stand in the text as one unbroken run, else 0.

    Runs of whole tokens, not of characters: the gold "Oman" is not in "Romania", nor "11" in
    "1911". Text of scripts written without spaces has few token boundaries: use contains_paper.
    """
    tokens = normalised_tokens(text)
    return float(any(_has_run(tokens, normalised_tokens(gold)) for gold in golds))


def contains_paper(text: str, golds: Sequence[str]) -> float:
    """1 if a gold answer, as is, lower-cased or capitalised, is a substring of the text, else 0.

    As in Soudani et al. 2024, arXiv:2403.01432: nothing is normalised and the text keeps its
    case. ``str.capitalize`` also lower-cases what follows the first letter, as it does there.
    """
    forms = (form for gold in golds if gold for form in (gold, gold.lower(), gold.capitalize()))
    return float(any(form in text for form in forms))


def is_refusal(text: str) -> bool:
    """Whether the text declines to answer; an empty text does (as in SQuAD 2.0)."""
    tokens = normalised_tokens(text.replace("’", "'"))
    if not tokens or " ".join(tokens) in REFUSALS_ALONE:
        return True
    return any(_has_run(tokens, phrase.split()) for phrase in REFUSAL_PHRASES)


def scored_text(prediction: Prediction, answer_part: str = "whole") -> str:
    """The part of the generated text that is scored.

    Raises:
        ConfigError: there is no such part.
    """
    _check_answer_part(answer_part)
    return ANSWER_PARTS[answer_part](prediction.answer.text)


def score(prediction: Prediction, answer_part: str = "whole") -> Scores:
    """Measure -> value for the measures that apply to this question, and no others.

    Open answerable: exact_match, f1, rouge_l, contains, contains_paper, false_refusal. Choice:
    multiple_choice, and multiple_choice_normalised where option scores are given. Unanswerable:
    false_answer. Which measures apply depends on the question alone, so arms can be paired.
    What needs a model is added elsewhere: harness.measures.similarity.
    """
    question, text = prediction.question, scored_text(prediction, answer_part)
    if question.unanswerable:
        return {"false_answer": float(not is_refusal(text))}
    if question.choices:
        return _score_choice(question, prediction)
    golds = question.answers
    matched = exact_match(text, golds)
    return {
        "exact_match": matched,
        "f1": f1(text, golds),
        "rouge_l": rouge_l(text, golds),
        "contains": contains(text, golds),
        "contains_paper": contains_paper(text, golds),
        # The gold answer may read like a refusal ("None", "Unknown").
        "false_refusal": float(not matched and is_refusal(text)),
    }


def summarise(
    predictions: Sequence[Prediction],
    scores: Sequence[Mapping[str, float]],
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Accuracy measure -> mean with interval; see ``mean_scores``."""
    return mean_scores(ACCURACY, predictions, scores, confidence)


def mean_scores(
    names: Iterable[str],
    predictions: Sequence[Prediction],
    scores: Sequence[Mapping[str, float]],
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Measure -> mean with interval over the questions it applies to; no entry where none.

    Questions that share a cluster (one entity) are treated as one draw.
    """
    means = {}
    for name in names:
        pairs = [
            (s[name], p.question.cluster)
            for p, s in zip(predictions, scores, strict=True)
            if name in s
        ]
        interval_of = share_interval if MEASURES[name].a_share else mean_interval
        interval = interval_of(
            [value for value, _ in pairs], [cluster for _, cluster in pairs], confidence=confidence
        )
        if interval is not None:
            means[name] = interval
    return means


def by_bucket(
    predictions: Sequence[Prediction],
    scores: Sequence[Mapping[str, float]],
    confidence: float = 0.95,
) -> dict[str, dict[str, Interval]]:
    """Bucket -> measure -> mean with interval, buckets in order of first appearance.

    Questions without a bucket are left out; a task without buckets gives an empty mapping.
    """
    buckets = dict.fromkeys(p.question.bucket for p in predictions if p.question.bucket)
    result = {}
    for bucket in buckets:
        chosen = [
            (p, s) for p, s in zip(predictions, scores, strict=True) if p.question.bucket == bucket
        ]
        result[bucket] = summarise([p for p, _ in chosen], [s for _, s in chosen], confidence)
    return result


def _score_choice(question: Question, prediction: Prediction) -> Scores:
    # Options are compared as they are: "+5" and "-5" are the same once normalised.
    golds = {answer.strip() for answer in question.answers}
    scores = {"multiple_choice": float(prediction.answer.text.strip() in golds)}
    options = prediction.answer.option_scores
    if options:
        # lm-evaluation-harness `acc_norm`: divided by the option's length in characters.
        per_character = [
            value / max(1, len(choice))
            for value, choice in zip(options, question.choices, strict=True)
        ]
        best = question.choices[per_character.index(max(per_character))]
        scores["multiple_choice_normalised"] = float(best.strip() in golds)
    return scores


def _token_f1(tokens: list[str], gold: list[str]) -> float:
    shared = sum((Counter(tokens) & Counter(gold)).values())
    return 2 * shared / (len(tokens) + len(gold)) if shared else 0.0


def _rouge_l(tokens: list[str], gold: list[str]) -> float:
    shared = _common_subsequence(tokens, gold)
    return 2 * shared / (len(tokens) + len(gold)) if shared else 0.0


def _common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest sequence of tokens that stands in both, in order, gaps allowed."""
    longest = [0] * (len(other) + 1)
    for token in one:
        before = 0  # of one token less on both sides
        for place, same in enumerate(other, start=1):
            above = longest[place]
            longest[place] = before + 1 if token == same else max(above, longest[place - 1])
            before = above
    return longest[-1]


def _has_run(tokens: list[str], run: list[str]) -> bool:
    width = len(run)
    return width > 0 and any(tokens[i : i + width] == run for i in range(len(tokens) - width + 1))


def _check_answer_part(answer_part: str) -> None:
    if answer_part not in ANSWER_PARTS:
        raise ConfigError(
            f"measure.answer_part is '{answer_part}': choose from {', '.join(ANSWER_PARTS)}"
            + suggestion(answer_part, list(ANSWER_PARTS))
        )


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
