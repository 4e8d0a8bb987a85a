"""Options' log-likelihoods: the harness, lm-evaluation-harness and a plain log-softmax agree."""

from pathlib import Path
from typing import Any

import pytest
import torch
from benchmark_scripts import benchmark_script
from conftest import load_tiny

from harness.models.language_model import LanguageModel
from harness.types import Question

ASKED = [
    Question(id="a", question="What is the capital?", answers=("Oslo",), choices=("Paris", "Oslo")),
    Question(id="b", question="Which town?", answers=("Rome",), choices=("Rome", "Lima two", "x")),
]
SAME = {
    "questions_of": "glosses",
    "prompt": "chat",
    "questions": "60",
    "options": "240",
    "right": "40",
    "chance": "0.25",
    "largest_difference": "9.00e-04",
    "same_choices": "60",
    "largest_difference_same_ids": "1.00e-05",
    "same_choices_same_ids": "60",
}


@pytest.fixture
def script() -> Any:
    return benchmark_script("option_likelihoods")


@pytest.fixture(params=["chat", "plain"])
def model(request, tiny_model_folder: Path, own_cache: Path) -> LanguageModel:
    found: LanguageModel = load_tiny(tiny_model_folder, chat=request.param == "chat")
    return found


def summed(model: LanguageModel, context: list[int], tail: list[int]) -> float:
    """An option's log-likelihood from one plain pass over prompt and option."""
    logits = model.model(input_ids=torch.tensor([context + tail])).logits[0]
    logp = logits.float().log_softmax(-1)
    return sum(float(logp[len(context) + n - 1, token]) for n, token in enumerate(tail))


def test_lm_eval_gives_each_option_the_harness_log_likelihood(script, model, tiny_model_folder):
    pytest.importorskip("lm_eval")
    peer = script.lm_eval_model(str(tiny_model_folder))
    row = script.compared(model, peer, ASKED)
    assert (row["questions"], row["options"], row["options_split_alike"]) == (2, 5, 5)
    assert row["chance"] == round((1 / 2 + 1 / 3) / 2, 4)
    assert float(row["largest_difference_same_ids"]) < 1e-4
    assert row["same_choices"] == row["same_choices_same_ids"] == 2
    # The chat template ends in a newline, which lm-eval counts to the option.
    shift = float(row["largest_shift"])
    assert (shift > 1) == model.chat
    assert float(row["largest_difference"]) == pytest.approx(shift, abs=1e-2)


def test_harness_and_lm_eval_give_what_a_plain_log_softmax_gives(script, model, tiny_model_folder):
    pytest.importorskip("lm_eval")
    peer = script.lm_eval_model(str(tiny_model_folder))
    prompts, options = ["The river mayor ", "What is"], [("Paris", "one two"), ("a", "Rome")]
    contexts, tails = script.token_ids(model, prompts, options)
    want = [
        summed(model, context, tail)
        for context, several in zip(contexts, tails, strict=True)
        for tail in several
    ]
    theirs = script.scored_ids(peer, contexts, tails)
    ours = [one.logp for several in model.option_scores(prompts, options) for one in several]
    assert [value for values in theirs for value in values] == pytest.approx(want, abs=1e-4)
    assert ours == pytest.approx(want, abs=1e-4)


def test_space_at_a_prompts_end_is_the_only_difference_on_strings(script, model, tiny_model_folder):
    pytest.importorskip("lm_eval")
    peer = script.lm_eval_model(str(tiny_model_folder))
    bare, prompts = ["The town"], ["The town\n"]
    (seam,) = script.ends_in_space(peer, prompts)
    ((theirs,),) = script.scored(peer, prompts, [["Rome"]])
    ids = [model.tokenizer(text)["input_ids"] for text in (*bare, "\n", "Rome")]
    assert seam == pytest.approx(summed(model, ids[0], ids[1]), abs=1e-4)
    assert theirs - seam == pytest.approx(summed(model, ids[0] + ids[1], ids[2]), abs=1e-4)
    assert script.ends_in_space(peer, bare) == [0.0]


def test_a_row_within_the_tolerance_is_no_failure(script):
    assert script.failures(SAME) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"largest_difference": "1.01e-03"}, "off by 1.01e-03"),
        ({"largest_difference_same_ids": "2.00e-03"}, "off by 2.00e-03 on the same ids"),
        ({"same_choices": "59"}, "1 of 60 choices differ"),
        ({"same_choices_same_ids": "58"}, "2 of 60 choices differ on the same ids"),
        ({"right": "17"}, "17 of 60 right is not above chance"),
    ],
)
def test_what_differs_is_told(script, changed, told):
    assert script.failures(SAME | changed) == [f"glosses, chat prompt: {told}"]


def test_mmlu_need_not_be_answered_above_chance(script):
    assert script.failures(SAME | {"questions_of": "mmlu", "right": "15"}) == []
