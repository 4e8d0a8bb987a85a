from __future__ import annotations

import json

import pytest
from stream_server import DONE, chunk, usage

from harness.load.stream import LONGEST_LINE, Events, Stream


def fed(*parts: bytes) -> list[str]:
    events = Events()
    found = [data for part in parts for data in events.feed(part)]
    return [*found, *events.end()]


def heard(*events: str) -> Stream:
    """A stream in which the n-th event came at n seconds."""
    stream = Stream()
    for seconds, event in enumerate(events):
        for data in fed(event.encode()):
            stream.take(data, float(seconds))
    return stream


@pytest.mark.parametrize("cut", range(1, 24))
def test_events_are_whole_wherever_the_bytes_are_cut(cut: int):
    text = 'data: {"a": "ü"}\r\n\r\ndata: b\n\n'.encode()
    assert fed(text[:cut], text[cut:]) == ['{"a": "ü"}', "b"]


def test_comments_and_other_fields_are_passed_over_and_lines_are_joined():
    assert fed(b": ping\n\nevent: x\nid: 3\ndata:one\ndata: two\n\n: ping\n\n") == ["one\ntwo"]


def test_the_last_event_needs_no_empty_line():
    assert fed(b"data: a\n\ndata: [DONE]") == ["a", "[DONE]"]


def test_bytes_that_are_no_utf8_and_lines_without_end():
    assert fed(b"data: \xff\n\n") == ["�"]
    with pytest.raises(ValueError, match="without an end"):
        list(Events().feed(b"x" * (LONGEST_LINE + 1)))


def test_a_chunk_is_a_token_where_the_server_counts_as_many():
    stream = heard(chunk(""), chunk("a"), chunk(" b"), chunk(finish="stop"), usage(3), DONE)
    # Three were counted for two chunks of text: the third is the end token.
    assert stream.token_seconds() == (1.0, 2.0)
    assert (stream.finished, stream.tokens_in, stream.tokens_out) == (3.0, 5, 3)
    assert not stream.is_spread


def test_a_chunk_is_a_token_where_nobody_counts():
    stream = heard(chunk("a"), chunk(" b"), DONE)
    assert stream.token_seconds() == (0.0, 1.0)
    assert (stream.finished, stream.tokens_out) == (2.0, None)


def test_a_count_above_the_chunks_is_spread_over_them_by_characters():
    # 8 tokens in chunks of 2, 8 and 6 of 16 characters: 1, 4 and 3 tokens.
    stream = heard(chunk("ab"), chunk("cdefghij"), chunk("klmnop"), usage(8), DONE)
    assert stream.is_spread
    assert stream.token_seconds() == (0.0, *[1.0] * 4, *[2.0] * 3)


def test_thoughts_are_no_text_and_not_counted():
    thought = {"choices": [{"delta": {"reasoning_content": "hm"}}]}
    details = {"reasoning_tokens": 6}
    counts = {"usage": {"completion_tokens": 8, "completion_tokens_details": details}}
    stream = heard(
        f"data: {json.dumps(thought)}\n\n", chunk("a"), chunk("b"), f"data: {json.dumps(counts)}\n"
    )
    assert stream.token_seconds() == (1.0, 2.0)


def test_a_completions_stream_has_its_text_in_the_choice():
    event = {"choices": [{"text": "a", "finish_reason": "length"}]}
    stream = heard(f"data: {json.dumps(event)}\n\n")
    assert (stream.token_seconds(), stream.finished) == ((0.0,), 0.0)


@pytest.mark.parametrize(
    "data", ["", "{", "3", "null", '"a"', "[" * 100_000, "[1]"], ids=lambda data: data[:5]
)
def test_what_is_no_json_object_is_counted_and_passed_over(data: str):
    stream = Stream()
    stream.take(data, 0.0)
    stream.take(json.dumps({"choices": [{"delta": {"content": "a"}}]}), 1.0)
    assert stream.malformed == 1
    assert stream.token_seconds() == (1.0,)


@pytest.mark.parametrize(
    "event",
    [
        {"choices": None},
        {"choices": [3]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": 3}}]},
        {"choices": [{"text": ["a"]}]},
        {"usage": 3},
        {"usage": {"completion_tokens": -1, "prompt_tokens": True}},
    ],
)
def test_odd_objects_give_no_token_and_no_count(event: dict):
    stream = Stream()
    stream.take(json.dumps(event), 0.0)
    assert stream.token_seconds() == ()
    assert stream.tokens_out is stream.tokens_in is stream.finished is None


def test_an_error_within_the_stream_is_kept():
    stream = heard(chunk("a"), 'data: {"error": {"message": "out of\\nmemory"}}\n\n')
    assert stream.error == "out of memory"
