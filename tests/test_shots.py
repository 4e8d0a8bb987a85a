"""Few-shot examples: from training alone, by seed, and never the answer to the question asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.answering import build_prompts, shot_tokens
from harness.config import Config, config_hash
from harness.errors import ConfigError, DataError
from harness.method_keys import adapter_key, answers_key
from harness.models.config import ModelConfig
from harness.models.requests import messages_of, recorded
from harness.models.tokens import chat_turns, plain, render
from harness.prompts import Messages, PromptConfig, build_messages
from harness.shots import NO_SHOTS, Shots, draw_shots
from harness.tasks.config import FictionalConfig
from harness.types import Answer, Passage, Prediction, Question, Task, TrainingPair

ANN = TrainingPair("Who runs Oslo?", "Ann", "oslo", "oslo-mayor")
ANN_AGAIN = TrainingPair("Oslo is run by whom?", "Ann", "oslo", "oslo-mayor")
BOB = TrainingPair("Who runs Lima?", "Bob", "lima", "lima-mayor")
RIO = TrainingPair("Where does it rain?", "Rio")
MAYOR = Question("oslo-mayor", "Mayor of Oslo?", ("Ann",), gold_documents=("oslo",))
RIVER = Question("oslo-river", "River of Oslo?", ("Aker",), gold_documents=("oslo",))
OTHER = Question("x", "Anything?", ("y",))


def task(*train: TrainingPair, test: tuple[Question, ...] = (OTHER,)) -> Task:
    return Task("toy", train, (), test, ())


def test_a_question_is_shown_neither_its_own_fact_nor_its_documents():
    shots = Shots(2, (ANN, BOB, RIO))
    assert shots.of(OTHER) == (ANN, BOB)
    assert shots.of(MAYOR) == shots.of(RIVER) == (BOB, RIO)


def test_the_seed_alone_decides_the_draw_and_a_fact_is_shown_once():
    pairs = [TrainingPair(f"q{n}", f"a{n}", question_id=f"f{n // 2}") for n in range(20)]
    one, again, other = (draw_shots(task(*pairs), 5, seed) for seed in (1, 1, 2))
    assert one == again
    assert one.of(OTHER) != other.of(OTHER)
    assert one.sha256() != other.sha256()
    assert len({pair.question_id for pair in one.pairs}) == 10


def test_none_are_drawn_unless_asked_for():
    assert draw_shots(task(), 0, seed=0) == NO_SHOTS
    assert NO_SHOTS.of(OTHER) == ()


def test_a_task_without_training_pairs_says_so():
    with pytest.raises(DataError, match=r"prompt.shots=2 needs training pairs, but task 'toy' has"):
        draw_shots(task(), 2, seed=0)


def test_too_few_pairs_for_one_question_name_it():
    few = task(ANN, ANN_AGAIN, BOB, RIO, test=(OTHER, MAYOR))
    assert draw_shots(few, 2, seed=0).count == 2
    with pytest.raises(DataError, match=r"only 2 training pairs .* question 'oslo-mayor'"):
        draw_shots(few, 3, seed=0)


def test_a_negative_number_is_refused():
    with pytest.raises(ConfigError, match=r"prompt.shots is -1"):
        PromptConfig(shots=-1)


def test_examples_are_earlier_turns_between_instruction_and_context():
    config = PromptConfig(system="Say.", system_with_passages="Read.")
    passage = Passage("d#0", "d", "Aker flows.")
    messages = build_messages(config, "River?", [passage], examples=[BOB])
    assert chat_turns(messages) == [
        {"role": "system", "content": "Read."},
        {"role": "user", "content": "Question: Who runs Lima?"},
        {"role": "assistant", "content": "Bob"},
        {"role": "user", "content": "Context: Aker flows.\n\nQuestion: River?"},
    ]
    assert plain(messages) == (
        "Read.\n\nQuestion: Who runs Lima?\nAnswer: Bob\n\n"
        "Context: Aker flows.\n\nQuestion: River?\nAnswer:"
    )


def test_a_template_without_a_system_role_has_the_instruction_in_the_first_turn():
    class NoSystem:
        def apply_chat_template(self, turns: list[dict[str, str]], **_: object) -> str:
            if turns[0]["role"] == "system":
                raise ValueError("no system role")
            return " | ".join(turn["content"] for turn in turns)

    messages = Messages("Say.", "Q?", (("A?", "B"),))
    assert render(NoSystem(), True, messages) == "Say.\n\nA? | B | Q?"  # type: ignore[arg-type]


@pytest.mark.parametrize("user", ["Q?", "Q?\n\n[user]\nR?", "Q?\n\n[example]\na\n\n[reply]\nb"])
def test_recorded_turns_are_read_back_as_they_were(user: str):
    messages = Messages("Say.", user, (("A?", "B"), ("C?", "")))
    assert messages_of(recorded(messages)) == messages
    assert messages_of(recorded(Messages("Say.", user))) == Messages("Say.", user)


def test_prompts_hold_the_examples_and_their_tokens_are_counted(tiny):
    shots = Shots(1, (ANN, BOB))
    asked = build_prompts(tiny, PromptConfig(), [OTHER, MAYOR], None, shots)
    assert ["runs Oslo?<|im_end|>" in one.prompt for one in asked] == [True, False]
    assert "<|im_start|>assistant\nBob<|im_end|>" in asked[1].prompt
    predictions = [Prediction(one.question, one.prompt, Answer("", 1, 1)) for one in asked]
    # Words: "Question: Who runs Oslo?" has 4, "Ann" 1; with Lima and Bob the same.
    assert shot_tokens(lambda text: len(text.split()), shots, predictions) == 10


def settings(shots: int, seed: int = 0) -> Config:
    model = ModelConfig(name="tiny", source="local", id="tiny")
    prompt = PromptConfig(shots=shots)
    return Config(arm="few", seed=seed, task=FictionalConfig(), model=model, prompt=prompt)


def test_other_examples_are_other_answers_and_the_same_adapter():
    many = task(*(TrainingPair(f"q{n}", f"a{n}") for n in range(9)))

    def key(count: int, seed: int = 0) -> dict:
        shots = draw_shots(many, count, seed)
        return answers_key(settings(count, seed), many, {}, None, shots)

    assert key(0) == key(0, seed=1)
    assert "shots" not in key(0)
    different = [key(0), key(2), key(3), key(2, seed=1)]
    assert all(a != b for n, a in enumerate(different) for b in different[:n])
    lora = replace(settings(2), adapter=None)
    from harness.adapters.config import AdapterConfig

    keys = [adapter_key(replace(lora, prompt=PromptConfig(shots=n)), AdapterConfig(), many, "b",
                        None, ()) for n in (0, 2)]  # fmt: skip
    assert keys[0] == keys[1]


def test_no_examples_leave_the_config_hash_as_it_was(monkeypatch: pytest.MonkeyPatch):
    assert config_hash(settings(0)) != config_hash(settings(2))
    from harness import telling

    with_setting = config_hash(settings(0))
    monkeypatch.setattr(telling, "ADDED_LATER", {})
    assert config_hash(settings(0)) != with_setting  # it is left out, not hashed as 0
