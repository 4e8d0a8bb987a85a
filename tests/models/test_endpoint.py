"""A remote model as the harness asks it, against a real server on loopback."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from openai_server import MODEL, FakeOpenAI, serving

from harness.errors import ModelError
from harness.models.endpoint import Endpoint, greet
from harness.models.endpoint_config import EndpointConfig
from harness.models.estimate import EstimatedTokenizer
from harness.models.load import ModelFiles, load_tokenizer
from harness.models.requests import messages_of, recorded
from harness.prompts import Messages


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with serving(FakeOpenAI()) as fake:
        yield fake


def endpoint(server: FakeOpenAI, tokenizer: Any = None, **values: Any) -> Endpoint:
    config = EndpointConfig(
        **{
            "base_url": server.base_url,
            "id": MODEL,
            "retries": 0,
            "timeout_seconds": 10.0,
            **values,
        }
    )
    return Endpoint(config, tokenizer or EstimatedTokenizer(), "identity")


def prompts_of(model: Endpoint, count: int) -> list[str]:
    return [model.render(Messages("Answer.", f"Question: {n}")) for n in range(count)]


def test_a_chat_request_holds_the_messages_as_they_are_and_asks_greedily(server: FakeOpenAI):
    model = endpoint(server)
    prompt = model.render(Messages("Answer.", "Question: who?\n\nwell?"))
    assert prompt == "[system]\nAnswer.\n\n[user]\nQuestion: who?\n\nwell?"
    (answer,) = model.generate([prompt], 7)
    assert server.bodies == [
        {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "Answer."},
                {"role": "user", "content": "Question: who?\n\nwell?"},
            ],
            "max_tokens": 7,
            "temperature": 0,
            "seed": 0,
        }
    ]
    # The server counts characters of the prompt and words of the answer.
    assert (answer.tokens_in, answer.tokens_out) == (len("Answer.\nQuestion: who?\n\nwell?"), 4)
    assert answer.text == "answer to who?\n\nwell?"


@given(st.text().filter(lambda text: "\n\n[user]\n" not in text), st.text())
def test_recorded_messages_are_read_back_exactly(system: str, user: str):
    assert messages_of(recorded(Messages(system, user))) == Messages(system, user)


def test_an_instruction_that_could_not_be_read_back_is_refused(server: FakeOpenAI):
    with pytest.raises(ModelError, match="which marks what follows it"):
        endpoint(server).render(Messages("a\n\n[user]\nb", "c"))


@pytest.mark.parametrize("concurrency", [1, 3, 16])
def test_answers_are_in_the_order_of_the_questions_whatever_the_concurrency(
    server: FakeOpenAI, concurrency: int
):
    # The first to be asked are the last to be answered.
    server.delay = lambda body: 0.3 if body["messages"][1]["content"][-1] in "012" else 0.0
    model = endpoint(server, concurrency=concurrency)
    answers = model.generate(prompts_of(model, 12), 5)
    assert [one.text for one in answers] == [
        f"answer to {f'Question: {n}'[-11:]}" for n in range(12)
    ]
    assert server.most_at_once <= concurrency
    assert concurrency == 1 or server.most_at_once > 1


def test_no_key_is_sent_where_none_is_named(server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
    model = endpoint(server)
    model.generate(prompts_of(model, 1), 5)
    assert server.headers[0]["authorization"] == "Bearer none"


def test_the_key_is_read_from_the_variable_that_is_named(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(ModelError, match="MY_KEY, but that environment variable is not set"):
        endpoint(server, api_key_env="MY_KEY")
    monkeypatch.setenv("MY_KEY", "sk-mine\n")
    model = endpoint(server, api_key_env="MY_KEY")
    model.generate(prompts_of(model, 1), 5)
    assert server.headers[0]["authorization"] == "Bearer sk-mine"


def test_seed_and_name_of_the_limit_are_settings(server: FakeOpenAI):
    model = endpoint(server, seed=None, limit_field="max_completion_tokens")
    model.generate(prompts_of(model, 1), 5)
    assert "seed" not in server.bodies[0]
    assert "max_tokens" not in server.bodies[0]
    assert server.bodies[0]["max_completion_tokens"] == 5


def test_requests_are_spaced_as_the_rate_asks(server: FakeOpenAI):
    model = endpoint(server, requests_per_minute=600, concurrency=8)
    model.generate(prompts_of(model, 5), 5)
    # One in 0.1 s; the first may have been under way a little longer than the last.
    assert server.at[-1] - server.at[0] >= 0.3


def test_tokens_that_the_server_does_not_count_are_counted_here_or_unknown(
    server: FakeOpenAI, tiny_model_folder: Path
):
    server.counts_tokens = False
    model = endpoint(server)
    (answer,) = model.generate(prompts_of(model, 1), 5)
    assert (answer.tokens_in, answer.tokens_out) == (None, None)
    tokenizer = load_tokenizer(ModelFiles(str(tiny_model_folder), None, ""))
    counted = endpoint(server, tokenizer)
    (answer,) = counted.generate(prompts_of(counted, 1), 5)
    assert answer.tokens_in == counted.count_tokens(prompts_of(counted, 1)[0])
    assert answer.tokens_out == counted.count_tokens(answer.text)


def test_passages_are_counted_by_the_tokenizer_or_as_characters_over_four(
    server: FakeOpenAI, tiny_model_folder: Path
):
    tokenizer = load_tokenizer(ModelFiles(str(tiny_model_folder), None, ""))
    text = "The capital of Peru"
    assert endpoint(server).count_tokens(text) == 5
    assert endpoint(server, tokenizer).count_tokens(text) == len(tokenizer(text)["input_ids"])


def test_an_answer_without_content_is_empty_and_a_refusal_is_its_text(server: FakeOpenAI):
    from openai_server import Fault

    def message(**fields: Any) -> Fault:
        return Fault(body={"choices": [{"message": {"role": "assistant", **fields}}]})

    server.faults = [message(content=None), message(content=None, refusal="I will not.")]
    model = endpoint(server, concurrency=1)
    answers = model.generate(prompts_of(model, 2), 5)
    assert [one.text for one in answers] == ["", "I will not."]


def test_a_chat_endpoint_gives_no_likelihoods(server: FakeOpenAI):
    model = endpoint(server)
    assert not model.gives_likelihoods
    with pytest.raises(ModelError, match="no log-likelihoods"):
        model.option_scores(["p"], [["a"]])


def test_completions_without_echo_are_found_out(server: FakeOpenAI):
    model = endpoint(server, api="completions")
    assert not model.gives_likelihoods


def test_the_generated_tokens_likelihood_alone_is_not_taken_for_the_prompts(server: FakeOpenAI):
    # As llama.cpp's server does: echo is left out in silence (its issue 27174).
    def payload(body: dict[str, Any]) -> dict[str, Any]:
        choice = {"text": "x", "logprobs": {"tokens": ["x"], "token_logprobs": [-1.0]}}
        return {"choices": [choice], "usage": {"prompt_tokens": 4, "completion_tokens": 1}}

    server.payload = payload  # type: ignore[method-assign]
    assert not endpoint(server, api="completions").gives_likelihoods


def test_options_are_scored_by_the_tokens_behind_the_prompt(server: FakeOpenAI):
    server.echoes = True
    model = endpoint(server, api="completions")
    assert model.gives_likelihoods
    prompt = model.render(Messages("S", "Q"))
    assert prompt == "S\n\nQ\nAnswer:"
    ((one, two),) = model.option_scores([prompt], [["ab", "c"]])
    # A token is a character with -1/position; the options are " ab" and " c".
    at = len(prompt)
    assert (one.tokens, two.tokens) == (3, 2)
    assert one.logp == pytest.approx(-sum(1 / n for n in range(at, at + 3)))
    assert two.logp == pytest.approx(-sum(1 / n for n in range(at, at + 2)))
    assert model.prompt_tokens([prompt]) == [at]


def test_text_losses_leave_out_the_first_token_and_stop_at_the_limit(server: FakeOpenAI):
    server.echoes = True
    model = endpoint(server, api="completions")
    assert model.text_losses(["abcdef", "ab"], 4) == pytest.approx([(1 + 1 / 2 + 1 / 3) / 3, 1.0])
    assert math.isfinite(model.text_losses(["abcdef"], 100)[0])


def test_completions_get_the_text_that_the_tokenizers_template_makes(
    server: FakeOpenAI, tiny_model_folder: Path
):
    server.reply = lambda body: "one\ntwo"
    tokenizer = load_tokenizer(ModelFiles(str(tiny_model_folder), None, ""))
    model = endpoint(server, tokenizer, api="completions")
    prompt = model.render(Messages("S", "Q"))
    assert prompt.endswith("<|im_start|>assistant\n")
    (answer,) = model.generate([prompt], 5)
    assert server.bodies[-1]["prompt"] == prompt
    assert answer.text == "one\ntwo"
    # Without a template it is a base model, which makes up what follows its first line.
    plain = endpoint(server, api="completions")
    assert plain.generate([plain.render(Messages("S", "Q"))], 5)[0].text == "one"


def test_the_identity_is_what_the_endpoint_says_of_itself(server: FakeOpenAI):
    config = EndpointConfig(base_url=server.base_url, id=MODEL)
    host = server.base_url.removeprefix("http://")
    assert greet(config).identity == (
        f"endpoint {host}; chat {MODEL}; reports {MODEL}-2026, fingerprint fp_1"
    )
    assert server.bodies[0]["max_tokens"] == 1
    server.fingerprint = None
    assert greet(config).identity.endswith("fingerprint none")


def test_what_was_received_is_not_asked_again(server: FakeOpenAI, tmp_path: Path):
    first = endpoint(server)
    prompts = prompts_of(first, 6)
    with first.remembering(tmp_path):
        answers = first.generate(prompts[:4], 5)
    assert len(server.bodies) == 4
    second = endpoint(server)
    with second.remembering(tmp_path):
        assert second.generate(prompts, 5)[:4] == answers
        assert second.generate(prompts, 6)[0].text == answers[0].text  # another limit: asked anew
    assert len(server.bodies) == 4 + 2 + 6
    assert "4 of 12 answers were received by an earlier attempt" in second.account().notes[-1]
    second.generate(prompts[:1], 5)  # outside the block nothing is remembered
    assert len(server.bodies) == 13


def test_a_line_cut_short_by_a_kill_is_asked_again(server: FakeOpenAI, tmp_path: Path):
    model = endpoint(server)
    prompts = prompts_of(model, 3)
    with model.remembering(tmp_path):
        answers = model.generate(prompts, 5)
    kept = tmp_path / "received.jsonl"
    kept.write_bytes(kept.read_bytes()[:-40])
    with model.remembering(tmp_path):
        assert model.generate(prompts, 5) == answers
    assert len(server.bodies) == 4
    with model.remembering(tmp_path):
        assert model.generate(prompts, 5) == answers
    assert len(server.bodies) == 4


@pytest.mark.parametrize(
    "line", [b"null", b"[1]", b'{"request": "x"}', b'{"request": "x", "reply": {}}', b"\xff{"]
)
def test_a_damaged_line_is_passed_over(server: FakeOpenAI, tmp_path: Path, line: bytes):
    (tmp_path / "received.jsonl").write_bytes(line + b"\n")
    model = endpoint(server)
    with model.remembering(tmp_path):
        assert len(model.generate(prompts_of(model, 1), 5)) == 1
    kept = [json.loads(x) for x in (tmp_path / "received.jsonl").read_bytes().splitlines()[2:]]
    assert [one["reply"]["text"] for one in kept] == ["answer to Question: 0"]


def test_answers_are_had_where_they_cannot_be_kept(
    server: FakeOpenAI, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    model = endpoint(server)
    with caplog.at_level(logging.WARNING), model.remembering(blocked):
        assert len(model.generate(prompts_of(model, 3), 5)) == 3
    assert sum("are not kept as they come" in line for line in caplog.messages) == 1


def test_equal_prompts_are_each_asked(server: FakeOpenAI, tmp_path: Path):
    model = endpoint(server)
    (prompt,) = prompts_of(model, 1)
    with model.remembering(tmp_path):
        model.generate([prompt, prompt], 5)
    assert len(server.bodies) == 2
    assert model.account().tokens_in == 2 * len("Answer.\nQuestion: 0")


def test_the_account_holds_what_the_server_counted(server: FakeOpenAI, tmp_path: Path):
    model = endpoint(server)
    with model.remembering(tmp_path):
        model.generate(prompts_of(model, 3), 5)
    account = model.account()
    assert account.tokens_in == 3 * len("Answer.\nQuestion: 0")
    assert (account.tokens_cached_in, account.tokens_out) == (12, 12)  # "answer to Question: 0"
    assert not account.likelihoods
    assert "weights could not be verified" in account.notes[0]
    assert "characters / 4" in account.notes[1]
    assert len(account.notes) == 2


def test_a_fingerprint_that_changes_on_the_way_is_noted(server: FakeOpenAI, tmp_path: Path):
    model = endpoint(server, concurrency=1)
    with model.remembering(tmp_path):
        model.generate(prompts_of(model, 1), 5)
        server.fingerprint = "fp_2"
        model.generate(prompts_of(model, 2), 5)
    assert "changed its name or fingerprint" in model.account().notes[-1]
    assert f"{MODEL}-2026 fp_1, {MODEL}-2026 fp_2" in model.account().notes[-1]
