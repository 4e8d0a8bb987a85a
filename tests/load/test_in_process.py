"""A tiny arm as a server in this process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from made_runs import BM25, settings

from harness.errors import DataError, ModelError
from harness.load.config import LoadConfig
from harness.load.in_process import InProcess, Server, free_questions
from harness.load.served import EMPTY_ANSWER, Request
from harness.recorded import find_run
from harness.run import run
from harness.types import Question

THREE = [Request(n, 0.0) for n in range(3)]


@pytest.fixture
def target(tiny_model_folder: Path, tmp_path: Path, own_cache: Path) -> InProcess:
    config = settings(tiny_model_folder, tmp_path / "results", "rag", BM25)
    run(config)
    return InProcess(find_run([config.folder()], "rag", None), LoadConfig(rates=(1.0,)))


def with_config(server: Server, **changes: object) -> Server:
    config = LoadConfig(rates=(1.0,), **changes)  # type: ignore[arg-type]
    return Server(server.opened, server.model, server.asked, config, server.meter)


def test_batches_answers_and_ends_are_as_asked(target: InProcess):
    with target.open() as server:
        alone = server.drive(THREE, 4)
        assert [len(one.token_seconds) for one in alone.served] == [4, 4, 4]
        begun = [one.begun_seconds for one in alone.served]
        assert begun == sorted(set(begun))  # one after the other
        assert alone.reading is not None
        assert alone.reading.wall_seconds >= alone.window_seconds >= (alone.busy_seconds or 0) > 0
        together = with_config(server, batch=2).drive(THREE, 4)
        first, second, third = together.served
        assert first.begun_seconds == second.begun_seconds < third.begun_seconds
        assert [one.tokens_in for one in together.served] == [one.tokens_in for one in alone.served]

        heard: list[int] = []
        server.answer([server.asked[0]], 4, lambda _, is_text: heard.append(is_text))
        assert heard == [True] * 4

        # The first question's answer, told by the model itself, ends at its last token ...
        tokens: list[int] = []
        generate = server.model.generate

        def listening(prompts: list[str], limit: int, on_token, ends: bool):
            def also(position: int, token: int) -> None:
                tokens.append(token)
                on_token(position, token)

            return generate(prompts, limit, on_token=also, ends=ends)

        server.model.generate = listening  # type: ignore[method-assign]
        server.drive(THREE[:1], 4)
        server.model.end_ids = [tokens[-1]]
        natural = with_config(server, forced=False)
        (one,) = natural.drive(THREE[:1], 4).served
        assert len(one.token_seconds) == tokens.index(tokens[3])  # the end token is no text
        assert one.finished_seconds is not None
        assert one.finished_seconds > one.token_seconds[-1]
        # ... or with its first, and then there is no answer.
        server.model.end_ids = [tokens[0]]
        (one,) = natural.drive(THREE[:1], 4).served
        assert (one.error, one.latency_seconds) == (EMPTY_ANSWER, None)
        # Forced it goes on all the same.
        (one,) = server.drive(THREE[:1], 4).served
        assert len(one.token_seconds) == 4


def test_a_model_that_tells_no_tokens_is_refused(target: InProcess, monkeypatch):
    monkeypatch.setattr("harness.load.in_process.LanguageModel", int)
    with pytest.raises(ModelError, match="use --endpoint"), target.open():
        pass


def test_questions_with_options_are_left_out_and_need_company():
    free, choice = Question("a", "Who?", ("x",)), Question("b", "Which?", ("x",), ("x", "y"))
    task = SimpleNamespace(name="mixed", test=(choice, free))
    opened = SimpleNamespace(method=SimpleNamespace(task=task))
    assert free_questions(opened) == [free]
    task.test = (choice,)
    with pytest.raises(DataError, match="every question of task 'mixed' has options"):
        free_questions(opened)
