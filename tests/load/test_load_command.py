"""``harness load`` on tiny arms and on a server on loopback."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from made_runs import BM25, settings
from stream_server import StreamServer, chunk, streaming

from harness.cli import main as harness
from harness.errors import ConfigError, ModelError, RecordError
from harness.load.command import main
from harness.load.table import COLUMNS, read_table, requests_path
from harness.models.endpoint_config import EndpointConfig
from harness.run import run

QUICK = ("--rates", "40,80", "--requests", "3", "--tokens", "2,5", "--alone", "1")


@pytest.fixture
def arms(tiny_model_folder: Path, tmp_path: Path, own_cache: Path) -> Path:
    """The results of two arms."""
    rag = settings(tiny_model_folder, tmp_path / "results", "rag", BM25)
    run(rag)
    run(settings(tiny_model_folder, tmp_path / "results", "closed_book"))
    return rag.folder()


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.txt"
    path.write_text("Who?\n\nWhat is\tthat?\n", encoding="utf-8")
    return path


def rows_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_two_arms_answer_the_same_requests_at_the_same_times(arms: Path, capsys):
    rows = rows_of(capsys, "rag", "closed_book", *QUICK, "--results", str(arms))
    assert [(row["arm"], row["answer_tokens"], row["rate_per_second"]) for row in rows] == [
        (arm, tokens, rate)
        for arm in ("rag", "closed_book")
        for tokens in (2, 5)
        for rate in (40, 80)
    ]
    for row in rows:
        assert set(row) == {*COLUMNS, "usd_per_request"}
        assert (row["answered"], row["failed"], row["unanswered"]) == (3, 0, 0)
        # Forced: random weights would end where they like.
        assert row["tokens_out"] == 3 * row["answer_tokens"]
        assert row["tokens_out_least"] == row["answer_tokens"]
        assert row["latency_p95_seconds"] is None  # of three requests
        assert 0 <= row["qoe_mean"] <= 1
        assert row["energy_kwh"] is None  # cost.energy=none
        assert 0 < row["busy_seconds_per_request"] <= row["window_seconds_per_request"]
    assert {row["search"] for row in rows if row["arm"] == "rag"} == {"in the answer"}
    kept = [
        [
            json.loads(line)
            for line in requests_path(
                arms / "load" / f"{row['run_id']}.csv", row["settings_sha256"]
            )
            .read_text()
            .splitlines()
        ]
        for row in rows
    ]
    for rag, closed_book in zip(kept[:4], kept[4:], strict=True):
        for one, other in zip(rag, closed_book, strict=True):
            assert one["question_id"] == other["question_id"]
            assert one["intended_seconds"] == other["intended_seconds"]
            assert one["tokens_in"] > other["tokens_in"]  # the passages


def test_a_rate_that_is_there_is_not_measured_again(arms: Path, capsys, monkeypatch):
    common = ("rag", "--results", str(arms), "--requests", "3", "--tokens", "2", "--alone", "1")
    (first,) = rows_of(capsys, *common, "--rates", "40")
    again, new = rows_of(capsys, *common, "--rates", "40,80")
    assert again == first
    assert new["rate_per_second"] == 80
    # The knee's factor only reads rows; nothing is opened for it.
    monkeypatch.setattr("harness.load.in_process.open_run", None)
    assert rows_of(capsys, *common, "--rates", "40,80", "--knee", "3") == [again, new]
    with pytest.raises(TypeError):
        main([*common, "--rates", "40", "--again"])


def test_the_terminal_shows_curve_knee_and_charts(arms: Path, capsys):
    capsys.readouterr()
    given = ("--rates", "2000", "--requests", "20", "--tokens", "2", "--alone", "1")
    assert main(["rag", "closed_book", *given, "--results", str(arms)]) == 0
    told = capsys.readouterr().out
    assert "rag, tiny, batches of up to 1: answers of 2 tokens, each forced to go on" in told
    assert "knee: below the tested rates (under 2000/s)" in told
    assert "expected: first token after 1 s, then 5.3 tokens/s" in told
    assert (arms / "load" / "latency_2_tokens.svg").read_text().startswith("<svg")
    charts = sorted(path.name for path in (arms / "load").glob("*.svg"))
    assert charts == [
        f"{name}_2_tokens.svg" for name in ("latency", "latency_p50", "qoe", "throughput")
    ]
    drawn = (arms / "load" / "latency_2_tokens.svg").read_text()
    assert "rag, 2 tokens" in drawn
    assert "closed_book, 2 tokens" in drawn


def test_prices_are_applied_to_what_is_there_and_kept_nowhere(arms: Path, capsys):
    given = ("rag", "--results", str(arms), "--requests", "3", "--tokens", "2", "--rates", "40")
    (row,) = rows_of(capsys, *given)
    assert row["usd_per_request"] is None
    (priced,) = rows_of(capsys, *given, "--assume", "hourly_usd=3600")
    assert priced.pop("usd_per_request") == pytest.approx(row["window_seconds_per_request"])
    assert priced == {name: row[name] for name in COLUMNS}


def test_results_with_loads_are_read_as_before(arms: Path, capsys):
    rows_of(capsys, "rag", *QUICK, "--results", str(arms))
    capsys.readouterr()
    assert harness(["compare", str(arms)]) == 0


def test_an_endpoint_is_sent_the_prompts_of_an_arm(arms: Path, capsys):
    with streaming(StreamServer()) as fake:
        given = ("--endpoint", fake.base_url, "--model", "m", "--body", '{"ignore_eos": true}')
        rows = rows_of(capsys, "rag", *given, *QUICK, "--results", str(arms))
    assert [row["tokens_out"] for row in rows] == [6, 6, 15, 15]
    assert {(row["endpoint"], row["search"], row["device"]) for row in rows} == {
        (fake.base_url, "beforehand", None)
    }
    assert all(row["send_lag_seconds"] >= 0 for row in rows)
    body = fake.bodies[-1]
    assert (body["max_tokens"], body["stream"], body["ignore_eos"]) == (5, True, True)
    assert body["stream_options"] == {"include_usage": True}
    assert body["messages"][-1]["content"].startswith("Context: ")
    # Its rows are not those of the arm in this process.
    own = rows_of(capsys, "rag", *QUICK, "--results", str(arms))
    assert not {row["settings_sha256"] for row in own} & {row["settings_sha256"] for row in rows}


def test_an_endpoint_is_sent_the_lines_of_a_file(questions: Path, tmp_path: Path, capsys):
    with streaming(StreamServer()) as fake:
        given = ("--endpoint", fake.base_url, "--model", "m", "--api", "completions")
        given += ("--questions", str(questions), "--results", str(tmp_path / "new"))
        fake.script = lambda body: [
            'data: {"choices": [{"text": "a", "finish_reason": "stop"}]}\n\n'
        ]
        rows = rows_of(capsys, *given, *QUICK)
    assert len(rows) == 4
    assert {row["tokens_out_least"] for row in rows} == {1}  # the real length, not the one asked
    assert "What is\tthat?" in {
        body["prompt"].split("Question: ")[1].split("\nAnswer")[0] for body in fake.bodies
    }
    assert len(read_table(tmp_path / "new" / "load" / "endpoint.csv")) == 4


def test_a_server_that_refuses_to_count_is_asked_without(questions: Path, tmp_path: Path, capsys):
    fake = StreamServer(status=lambda body: 422 if "stream_options" in body else 200)
    with streaming(fake):
        given = ("--endpoint", fake.base_url, "--model", "m", "--questions", str(questions))
        rows = rows_of(capsys, *given, *QUICK, "--results", str(tmp_path))
    assert [row["answered"] for row in rows] == [3] * 4


def test_failures_are_counted_and_the_rest_is_measured(questions: Path, tmp_path: Path, capsys):
    # Alone (a greeting, a warm-up and one more) all is well; then one of two questions breaks off.
    def script(body: dict) -> list[str]:
        broken = len(fake.bodies) > 3 and "Who?" in body["messages"][-1]["content"]
        return [chunk("a")] if broken else [chunk("a"), chunk("b", finish="stop")]

    fake = StreamServer(script=script)
    with streaming(fake):
        given = ("--endpoint", fake.base_url, "--model", "m", "--questions", str(questions))
        given += ("--rates", "5", "--requests", "4", "--tokens", "2", "--alone", "1")
        (row,) = rows_of(capsys, *given, "--results", str(tmp_path))
    assert (row["answered"], row["failed"]) == (2, 2)
    assert row["latency_p95_seconds"] is None


def test_an_endpoint_that_dies_on_the_way_leaves_no_row(questions: Path, tmp_path: Path):
    fake = StreamServer(status=lambda body: 200 if len(fake.bodies) <= 3 else 503)
    with streaming(fake):
        given = ("--endpoint", fake.base_url, "--model", "m", "--questions", str(questions))
        given += ("--rates", "50", "--requests", "4", "--tokens", "2", "--alone", "1")
        with pytest.raises(
            ModelError, match=r"at 50 a second no request was answered; 4 of 4: sta"
        ):
            main([*given, "--results", str(tmp_path)])
    assert read_table(tmp_path / "load" / "endpoint.csv") == []


def test_a_dead_endpoint_is_one_line_before_anything_is_measured(questions: Path, tmp_path, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    given = ("load", "--endpoint", url, "--model", "m", "--questions", str(questions))
    assert harness([*given, *QUICK, "--results", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        f"error: the endpoint {url} does not stream an answer of model 'm': cannot"
    )
    assert told.count("\n") == 1


def test_another_machine_gets_nothing_without_the_flag(questions: Path, monkeypatch):
    def send(*_: object) -> None:
        raise AssertionError("traffic")

    monkeypatch.setattr("harness.load.over_http.send", send)
    given = ("--endpoint", "http://203.0.113.1/v1", "--model", "m", "--questions", str(questions))
    with pytest.raises(ConfigError, match="--allow-remote"):
        main([*given, *QUICK])
    with pytest.raises(AssertionError, match="traffic"):
        main([*given, *QUICK, "--allow-remote"])


def test_an_arm_of_an_endpoint_elsewhere_needs_the_flag_too(arms: Path, monkeypatch):
    remote = EndpointConfig(id="m", base_url="https://203.0.113.1/v1")
    real = settings_with(remote)
    monkeypatch.setattr("harness.recorded.settings_of", real)
    monkeypatch.setattr("harness.load.over_http.settings_of", real)
    with pytest.raises(ConfigError, match="--allow-remote"):
        main(["rag", *QUICK, "--results", str(arms)])


def settings_with(model: EndpointConfig):
    from dataclasses import replace

    from harness.recorded import settings_of

    return lambda row: replace(settings_of(row), model=model)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--rates"),
        (("--rates", "1"), "name an arm, or an --endpoint"),
        (("rag", "--rates", "x"), "'x' is no list of numbers like 1,2"),
        (("rag", "--rates", "0"), "--rates holds 0"),
        (("rag", "--rates=-1,2"), "--rates holds -1"),
        (("rag", "--rates", ","), "--rates is empty"),
        (("rag", "--rates", "1", "--requests", "0"), "--requests is 0"),
        (("rag", "--rates", "1", "--tokens", "1.5"), "'1.5' is no list of whole numbers"),
        (("rag", "--rates", "1", "--results", "nowhere"), "there is no such file or folder"),
        (("rag", "rag", "--rates", "1"), "an arm is named twice"),
        (("rag", "--rates", "1", "--model", "m"), "--model does nothing without --endpoint"),
        (("--rates", "1", "--endpoint", "http://127.0.0.1/v1"), "needs --model"),
        (
            ("--rates", "1", "--endpoint", "http://127.0.0.1/v1", "--model", "m"),
            "needs an arm, whose prompts it is sent, or --questions",
        ),
        (
            ("--rates", "1", "--endpoint", "x", "--model", "m", "--questions", "{q}"),
            "--endpoint is no address",
        ),
        (
            (
                "--rates",
                "1",
                "--endpoint",
                "http://u:p@127.0.0.1/v1",
                "--model",
                "m",
                "--questions",
                "{q}",
            ),
            "--endpoint is host, port and path alone",
        ),
        (
            (
                "--rates",
                "1",
                "--endpoint",
                "http://127.0.0.1/v1",
                "--model",
                "m",
                "--questions",
                "nowhere.txt",
            ),
            "--questions nowhere.txt cannot be read",
        ),
        (
            (
                "--rates",
                "1",
                "--endpoint",
                "http://127.0.0.1/v1",
                "--model",
                "m",
                "--questions",
                "{q}",
                "--batch",
                "2",
            ),
            "--batch does nothing with an endpoint",
        ),
        (("rag", "--rates", "1", "--body", "[1]"), "'[1]' is no JSON object"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, told: str, questions: Path, capsys):
    given = [argument.replace("{q}", str(questions)) for argument in arguments]
    assert harness(["load", *given]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_an_unknown_arm_is_named_with_the_nearest(arms: Path):
    with pytest.raises(RecordError, match="did you mean 'closed_book'"):
        main(["closed_bok", *QUICK, "--results", str(arms)])


def test_a_file_without_questions_is_refused(tmp_path: Path):
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    given = ("--endpoint", "http://127.0.0.1/v1", "--model", "m", "--questions", str(empty))
    with pytest.raises(ConfigError, match="holds no question"):
        main([*given, *QUICK])
