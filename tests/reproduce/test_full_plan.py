"""Memory, hours and kWh of a scale, computed by hand for Llama 2 7B on an A100."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.config import Config
from harness.economics.plan.shape import shape_of
from harness.economics.plan.training import Training, training_flop
from harness.errors import ConfigError, DataError
from harness.overrides import check
from harness.reproduce.command import main
from harness.reproduce.expected import Expected, TaskSize, read_expected
from harness.reproduce.full_plan import Needs, as_text, needs_of
from harness.reproduce.yaml_file import Node

from .samples import PAPER, write_paper

LLAMA = "meta-llama/Llama-2-7b-hf"
A100_FLOPS, A100_KW = 312e12 * 0.3, 0.4  # at the 30 % that harness plan takes

LINEAR = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008)
EMBEDDING = 32000 * 4096

SIZE = TaskSize(
    questions=200, prompt_tokens=30, examples=100, documents=50, example_tokens=40, note="guessed"
)


def expected(size: TaskSize = SIZE, **fields: object) -> Expected:
    values = {"device": "a100_80gb", "shapes": {}, "tasks": {"fictional": size}} | fields
    return Expected(**values)  # type: ignore[arg-type]


def configs(*overrides: str, model: str = LLAMA) -> Sequence[Config]:
    asked = ["model=hub", f"model.id={model}", "task=fictional", *overrides]
    return check(asked, True, every=True).configs


def hours(found: Needs, work: str) -> float:
    (value,) = [one.hours for one in found.needs if one.work == work]
    assert value is not None
    return value


def test_a_training_takes_the_flop_of_its_tokens_and_the_memory_of_its_longest_batch() -> None:
    asked = configs(
        "method=lora", "adapter.rank=16", "adapter.epochs=2", "adapter.batch_size=16",
        "adapter.micro_batch_size=4",
    )  # fmt: skip
    (need,) = [one for one in needs_of(asked, expected()).needs if one.work == "training"]
    tokens, longest = 100 * 40 * 2, 54  # 1.35 · 40
    trained = 32 * 16 * (4 * (4096 + 4096) + 3 * (4096 + 11008))
    flop = tokens * (
        4 * LINEAR + 6 * trained + 12 * 32 * 4096 * longest + 4 * EMBEDDING * 0.15
    )  # two passes of frozen weights, three of trained ones and of attention
    assert need.hours == pytest.approx(flop / A100_FLOPS / 3600)
    assert need.kwh == pytest.approx(flop / A100_FLOPS / 3600 * A100_KW)
    batch = 4 * longest
    kept = 2 * (2 * 4096 + 4 * 4096 + 4 * 11008 + longest + 7 * 16) + 4 * (2 * 4096 + 32)
    memory = (
        2 * 6_738_415_616  # weights in bfloat16
        + 4 * 4 * trained  # adapter, gradients and two moments, in float32
        + batch * 32 * kept
        + batch * 0.15 * 32000 * (2 + 8)
    )
    assert need.largest.needed_bytes == pytest.approx(memory)
    assert need.largest.fits and need.times == 1


def test_answering_is_every_cells_own_and_asks_no_more_than_the_settings() -> None:
    few = configs("method=closed_book", "task.test_questions=100")
    all_of_them = configs("method=closed_book", "task.test_questions=null")
    once, twice = (needs_of(asked, expected()) for asked in (few, all_of_them))
    assert hours(twice, "answering") == pytest.approx(2 * hours(once, "answering"))
    both = needs_of([*few, *all_of_them], expected()).needs
    assert [(one.work, one.times) for one in both] == [("answering", 2)]
    assert both[0].hours == pytest.approx(3 * hours(once, "answering"))


def test_a_training_that_arms_share_is_counted_once() -> None:
    asked = configs("method=lora,rag_lora", "seed=0,1")
    found = {one.work: one.times for one in needs_of(asked, expected()).needs}
    assert found == {"training": 2, "answering": 4}  # one for each seed


def test_training_prompts_hold_the_passages_of_their_settings() -> None:
    asked = configs(
        "method=raft", "adapter.raft.distractors=3", "retriever.chunk_tokens=64",
        "prompt.context_budget_tokens=200", "adapter.epochs=1", "adapter.rank=16",
    )  # fmt: skip
    mean = 40 + 200  # four passages of 64 tokens exceed the budget
    training = Training(rank=16, tokens=324, loss_share=0.15)  # 1.35 · 240
    flop = sum(training_flop(shape_of("llama_2_7b"), training, 100 * mean).values())
    assert hours(needs_of(asked, expected()), "training") == pytest.approx(flop / A100_FLOPS / 3600)


def test_pairs_that_the_model_writes_are_answers_and_become_the_examples() -> None:
    asked = configs(
        "method=lora", "adapter.pairs.generator=model", "adapter.pairs.pairs_per_document=4",
        "adapter.pairs.paraphrases=2", "adapter.epochs=1",
    )  # fmt: skip
    found = needs_of(asked, expected())
    assert [one.work for one in found.needs] == ["writing pairs", "training", "answering"]
    # 50 documents, four pairs each, each in three wordings: six times the 100 examples stated.
    plain = needs_of(configs("method=lora", "adapter.epochs=1"), expected())
    assert hours(found, "training") == pytest.approx(6 * hours(plain, "training"))
    # Without paraphrases one request a document in place of five.
    fewer = needs_of([*configs("method=lora", "adapter.pairs.generator=model",
                               "adapter.pairs.paraphrases=0")], expected())  # fmt: skip
    assert hours(found, "writing pairs") == pytest.approx(5 * hours(fewer, "writing pairs"))


def test_a_model_of_unknown_shape_has_a_line_and_no_number() -> None:
    asked = [*configs("method=closed_book"), *configs("method=closed_book", model="some/Model")]
    found = needs_of(asked, expected())
    assert [one.model for one in found.needs] == [LLAMA]
    text = as_text(found, expected())
    assert "no figures: some/Model: its shape is not known: model 'some/Model' is not in" in text
    assert "kWh, without what has no figures" in text
    alone = needs_of(configs("method=closed_book", model="some/Model"), expected())
    assert not alone.needs and "in all" not in as_text(alone, expected())


def test_a_shape_can_be_stated_and_is_told() -> None:
    stated = expected(shapes={"some/Model": "llama_2_7b"})
    found = needs_of(configs("method=closed_book", model="some/Model"), stated)
    plain = needs_of(configs("method=closed_book"), expected())
    assert hours(found, "answering") == hours(plain, "answering")
    assert "some/Model has the shape of llama_2_7b" in as_text(found, stated)


@pytest.mark.parametrize(
    ("overrides", "size", "message"),
    [
        (["task=cities", "method=closed_book"], SIZE, "how large task 'cities' is"),
        (["method=lora", "adapter.target_modules=q_proj"], SIZE, "target_modules=q_proj is not"),
        (["method=long_context"], SIZE, "retriever.kind=whole_corpus is not covered"),
        (
            ["method=lora"],
            TaskSize(200, 30, None, None, 40, "guessed"),
            "how many examples of task 'fictional' are trained on",
        ),
        (
            ["method=lora"],
            TaskSize(200, 30, 100, None, None, "guessed"),
            "how long a training example of 'fictional' is",
        ),
    ],
)
def test_what_cannot_be_planned_is_told(overrides: list[str], size: TaskSize, message: str) -> None:
    found = needs_of(configs(*overrides), expected(size))
    assert message in "".join(found.missing)
    assert not found.needs  # never half a cell


def test_an_unknown_device_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="device is 'a100_80'; did you mean 'a100_80gb'"):
        needs_of([], expected(device="a100_80"))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"tasks": {}}, "device is None; it is text"),
        ({"device": "l4", "tasks": {}, "task": {}}, "no field 'task'; did you mean 'tasks'"),
        (
            {"device": "l4", "tasks": {"a": {"questions": 0, "prompt_tokens": 1, "note": "n"}}},
            "tasks, a: questions is 0; it is above 0",
        ),
        (
            {
                "device": "l4",
                "tasks": {
                    "a": {"questions": 1, "prompt_tokens": 1, "examples": 2, "note": "n"},
                },
            },
            "examples or documents without example_tokens",
        ),
    ],
)
def test_a_plan_at_fault_is_told(plan: dict[str, object], message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_expected(Node(plan, "paper.yaml"))
    assert message in str(caught.value)


FULL = f"""\
  full:
    note: large
    seeds: one
    plan:
      device: a100_80gb
      tasks:
        fictional: {{questions: 6, prompt_tokens: 30, note: as generated}}
    stages:
      - name: main
        overrides: [experiment=main_of_paper, method=closed_book, model=hub, model.id={LLAMA}]
tables:
"""


def test_the_plan_of_scale_full_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_paper(tmp_path, PAPER.replace("tables:\n  - id", FULL + "  - id", 1))
    results = str(tmp_path / "results")
    assert main([str(folder), "--scale", "full", "--plan", "--results", results]) == 0
    said = capsys.readouterr().out
    assert "What it needs on a100_80gb" in said and " minutes" not in said
    assert "fictional: 6 questions in prompts of 30 tokens (as generated)" in said
    assert LLAMA in said and "in all" in said
    assert main([str(folder), "--plan", "--results", results]) == 0
    assert "What it needs" not in capsys.readouterr().out
