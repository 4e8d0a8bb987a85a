"""Generation, option scores and text losses against the plain, unbatched computation."""

from __future__ import annotations

import pytest
import torch
from conftest import load_tiny

from harness.errors import ModelError
from harness.models.head import AnswerHead
from harness.models.language_model import LanguageModel
from harness.prompts import Messages

PROMPTS = ["What is the capital of Oslo", "one", "The river mayor town person company of Lima two"]


def plain_logits(model: LanguageModel, ids: list[int]) -> torch.Tensor:
    """Logits ``(position, vocabulary)`` of one sequence, alone, without padding or cache."""
    with torch.no_grad():
        return model.model(torch.tensor([ids])).logits[0].float()


def plain_greedy(model: LanguageModel, prompt: str, count: int) -> list[int]:
    ids = model.encode([prompt])[0]
    out: list[int] = []
    while len(out) < count:
        token = int(plain_logits(model, ids + out)[-1].argmax())
        out.append(token)
        if token == model.end_id:
            break
    return out


def test_batched_greedy_answers_equal_one_at_a_time(tiny: LanguageModel):
    answers = tiny.generate(PROMPTS, 6)
    for prompt, answer in zip(PROMPTS, answers, strict=True):
        ids = plain_greedy(tiny, prompt, 6)
        text = tiny.tokenizer.decode(ids, skip_special_tokens=True).strip()
        assert answer.text == text
        assert answer.tokens_in == len(tiny.encode([prompt])[0])
        assert answer.tokens_out == len(ids)


def test_answers_keep_the_order_of_the_prompts_whatever_the_batches(tiny_model_folder, own_cache):
    wide = load_tiny(tiny_model_folder)
    narrow = load_tiny(tiny_model_folder, batch_size=1)
    texts = [answer.text for answer in wide.generate(PROMPTS, 5)]
    assert texts == [answer.text for answer in narrow.generate(PROMPTS, 5)]
    assert len(set(texts)) > 1  # else the order would not show


def test_each_batch_is_prefill_then_decode(tiny_model_folder, own_cache):
    model = load_tiny(tiny_model_folder, batch_size=2)
    heard: list[str] = []
    model.generate(
        PROMPTS, 3, on_prefill=lambda: heard.append("p"), on_decode=lambda: heard.append("d")
    )
    assert heard == ["p", "d", "p", "d"]


def test_each_token_is_told_as_it_is_chosen_with_its_prompts_position(tiny_model_folder, own_cache):
    model = load_tiny(tiny_model_folder, batch_size=2)
    want = [ids_after(model, prompt, 4) for prompt in PROMPTS]
    heard: dict[int, list[int]] = {}
    answers = model.generate(
        PROMPTS, 4, on_token=lambda position, token: heard.setdefault(position, []).append(token)
    )
    assert [heard[position] for position in range(len(PROMPTS))] == want
    assert answers == model.generate(PROMPTS, 4)


def test_an_answer_can_be_made_to_go_on_after_its_end(tiny_model_folder, own_cache):
    model = load_tiny(tiny_model_folder)
    want = ids_after(model, PROMPTS[0], 6)
    model.end_ids = [want[1]]  # it would end with its second token at the latest
    heard: list[int] = []
    model.generate(PROMPTS[:1], 6, on_token=lambda _, token: heard.append(token))
    assert heard == want[: want.index(want[1]) + 1]
    heard.clear()
    model.generate(PROMPTS[:1], 6, on_token=lambda _, token: heard.append(token), ends=False)
    assert heard == want


def test_tokens_of_a_model_that_is_left_to_transformers_are_not_told(
    tiny_model_folder, own_cache, monkeypatch
):
    model = load_tiny(tiny_model_folder)
    monkeypatch.setattr("harness.models.language_model.keeps_every_token", lambda model: False)
    for asked in ({"on_token": lambda position, token: None}, {"ends": False}):
        with pytest.raises(ModelError, match="left to transformers"):
            model.generate(PROMPTS, 3, **asked)


def ids_after(model: LanguageModel, prompt: str, count: int) -> list[int]:
    """The greedy continuation, each token from a plain pass over all before it."""
    ids = model.encode([prompt])[0]
    found: list[int] = []
    for _ in range(count):
        found.append(int(plain_logits(model, ids + found)[-1].argmax()))
    return found


def test_option_scores_equal_the_sum_over_the_plain_sequence(tiny: LanguageModel):
    options = [["Paris", "Oslo Lima two", "x"], ["a", "seven six"], ["Cairo", "Rome"]]
    found = tiny.option_scores(PROMPTS, options)
    for prompt, choices, scores in zip(PROMPTS, options, found, strict=True):
        context = tiny.encode([prompt])[0]
        for choice, got in zip(choices, scores, strict=True):
            tail = tiny._continuation(prompt, context, choice)
            logp = plain_logits(tiny, context + tail).log_softmax(-1)
            want = sum(float(logp[len(context) + n - 1, token]) for n, token in enumerate(tail))
            assert got.logp == pytest.approx(want, abs=1e-4)
            assert got.tokens == len(tail)


def test_text_loss_is_shifted_by_one(tiny: LanguageModel):
    texts = ["The river mayor town", "one two three four five six seven"]
    for text, loss in zip(texts, tiny.text_losses(texts, 100), strict=True):
        ids = tiny.tokenizer(text)["input_ids"]
        want = torch.nn.functional.cross_entropy(
            plain_logits(tiny, ids)[:-1], torch.tensor(ids[1:])
        )
        assert loss == pytest.approx(float(want), abs=1e-5)


def test_text_loss_is_cut_at_max_tokens(tiny: LanguageModel):
    ids = tiny.tokenizer("one two three four five six seven")["input_ids"][:4]
    want = torch.nn.functional.cross_entropy(plain_logits(tiny, ids)[:-1], torch.tensor(ids[1:]))
    (loss,) = tiny.text_losses(["one two three four five six seven"], 4)
    assert loss == pytest.approx(float(want), abs=1e-5)


def test_a_text_of_one_token_has_no_loss(tiny: LanguageModel):
    with pytest.raises(ModelError, match="fewer than two tokens"):
        tiny.text_losses(["o"], 10)


def test_the_head_sees_only_the_rows_asked_for_and_contiguous(tiny: LanguageModel):
    seen: list[torch.Tensor] = []
    head = tiny.model.get_output_embeddings()
    head.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    rows = torch.tensor([[False, True, False], [True, False, True]])
    ids = torch.tensor([[5, 6, 7], [8, 9, 10]])
    with tiny.head.only(rows):
        some = tiny.model(ids).logits
    everything = tiny.model(ids).logits
    # Matrix products of other shapes may add up in another order.
    assert torch.allclose(some, everything[rows], atol=1e-5)
    assert seen[0].shape == (3, 16)
    assert all(tensor.is_contiguous() for tensor in seen)
    tiny.model.generate(ids, max_new_tokens=2, do_sample=False, pad_token_id=0)
    assert all(tensor.is_contiguous() for tensor in seen)


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(
    tiny_model_folder, own_cache
):
    model = load_tiny(tiny_model_folder, context_tokens=20)
    with pytest.raises(ModelError, match=r"a prompt of \d+ tokens .* exceed the 20 tokens of tiny"):
        model.generate(["one two three " * 20], 4)
    with pytest.raises(ModelError, match="exceed the 20 tokens"):
        model.option_scores(["one two three " * 20], [["a", "b"]])


def test_a_chat_prompt_goes_through_the_template(tiny: LanguageModel):
    text = tiny.render(Messages("Answer.", "What is one"))
    assert text == (
        "<|im_start|>system\nAnswer.<|im_end|>\n<|im_start|>user\nWhat is one<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_a_template_without_system_role_gets_it_in_the_users_turn(tiny: LanguageModel):
    tiny.tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}"
        "{{ raise_exception('no system role') }}{% endif %}[{{ m['content'] }}]{% endfor %}"
    )
    assert tiny.render(Messages("Answer.", "What?")) == "[Answer.\n\nWhat?]"


def test_a_base_model_is_asked_in_plain_text_and_answers_with_one_line(tiny_base_folder, own_cache):
    model = load_tiny(tiny_base_folder)
    assert not model.chat
    text = model.render(Messages("Say it.", "Context: A.\n\nQuestion: What?"))
    assert text == "Say it.\n\nContext: A.\n\nQuestion: What?\nAnswer:"
    newline = model.tokenizer("two\nthree", add_special_tokens=False)["input_ids"]
    assert model._answer(newline, 1).text == "two"


def test_chat_without_a_template_is_refused(tiny_base_folder, own_cache):
    with pytest.raises(ModelError, match=r"has no chat template; set model.chat=false"):
        load_tiny(tiny_base_folder, chat=True)


def test_batches_hold_like_lengths_within_both_limits(tiny_model_folder, own_cache):
    model = load_tiny(tiny_model_folder, batch_size=3, batch_tokens=20)
    lengths = [4, 9, 10, 2, 5, 5, 1]
    batches = list(model.batches(lengths))
    assert sorted(i for batch in batches for i in batch) == list(range(7))
    assert batches == [[2, 1], [4, 5, 0], [3, 6]]
    assert [len(b) for b in model.batches([50])] == [1]  # one too long still gets its turn


def test_running_out_of_memory_is_one_line(tiny: LanguageModel, monkeypatch):
    def full(*args: object, **kwargs: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] not enough memory: you tried")

    monkeypatch.setattr(tiny.model, "forward", full)
    with pytest.raises(ModelError, match=r"out of memory with model.batch_size=64.*halve") as e:
        tiny.generate(["one"], 2)
    assert "\n" not in str(e.value)


def test_a_model_without_head_is_refused():
    class Headless:
        def get_output_embeddings(self) -> None:
            return None

    with pytest.raises(ModelError, match="no output head"):
        AnswerHead(Headless())  # type: ignore[arg-type]


def test_a_models_own_repetition_penalty_does_not_touch_greedy_answers(
    tiny_model_folder, own_cache, tmp_path
):
    import json
    import shutil

    copy = tmp_path / "penalising"
    shutil.copytree(tiny_model_folder, copy)
    settings = json.loads((copy / "generation_config.json").read_text())
    settings |= {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1}
    (copy / "generation_config.json").write_text(json.dumps(settings))
    plain = [answer.text for answer in load_tiny(tiny_model_folder).generate(PROMPTS, 8)]
    assert [answer.text for answer in load_tiny(copy).generate(PROMPTS, 8)] == plain
