import json
import math
import os

import pytest

from harness.errors import RecordError
from harness.measures.accuracy import score
from harness.predictions import read_predictions, write_predictions
from harness.types import Answer, Passage, Prediction, Question, ScoredPassage


def prediction(id: str = "q1", text: str = "Paris", **answer) -> Prediction:
    question = Question(
        id, "Capital of France?", ("Paris", "Paname"), popularity=68e6, bucket="high",
        gold_documents=("fr",), cluster="France", relation="capital",
    )  # fmt: skip
    found = ScoredPassage(Passage("fr#0", "fr", "The capital is Paris."), 0.75)
    return Prediction(
        question, "The prompt", Answer(text, 9, 2, **answer), (found,), ("fr#0",), 0.5
    )


def write(folder, *predictions, run_id="run-1"):
    return write_predictions(folder, run_id, predictions, [score(p) for p in predictions])


def test_a_line_holds_everything_about_the_question(tmp_path):
    path = write(tmp_path / "predictions", prediction())
    assert path == tmp_path / "predictions" / "run-1.jsonl"
    (line,) = read_predictions(path)
    assert line == {
        "question_id": "q1",
        "question": "Capital of France?",
        "gold": ["Paris", "Paname"],
        "choices": [],
        "unanswerable": False,
        "cluster": "France",
        "relation": "capital",
        "popularity": 68e6,
        "bucket": "high",
        "gold_documents": ["fr"],
        "prompt": "The prompt",
        # printf 'The prompt' | sha256sum
        "prompt_sha256": "b62c640b29f5d3fce73a50d5ea1db09fffd3902d5428799f0a6d3c9fcf512ab0",
        "retrieved": [{"document_id": "fr", "passage_id": "fr#0", "score": 0.75, "rank": 1}],
        "used_passage_ids": ["fr#0"],
        "output": "Paris",
        "option_scores": [],
        "metrics": {
            "exact_match": 1.0,
            "f1": 1.0,
            "rouge_l": 1.0,
            "contains": 1.0,
            "contains_paper": 1.0,
            "false_refusal": 0.0,
        },
        "tokens_in": 9,
        "tokens_out": 2,
        "latency_seconds": 0.5,
    }


@pytest.mark.parametrize("text", ["a\nb\r\u2028c", '"</script>', "שלום", "\ud800 half", "\x00"])
def test_any_output_stays_on_one_line_and_reads_back(tmp_path, text):
    path = write(tmp_path, prediction("q1", text), prediction("q2"))
    assert path.read_bytes().count(b"\n") == 2
    assert read_predictions(path)[0]["output"] == text


@pytest.mark.parametrize("run_id", ["../run", "a/b", "", ".."])
def test_a_run_id_cannot_leave_the_folder(tmp_path, run_id):
    with pytest.raises(RecordError, match="no file name"):
        write(tmp_path / "in", prediction(), run_id=run_id)
    assert not list(tmp_path.iterdir())


def test_nan_is_refused_and_an_earlier_file_kept(tmp_path):
    path = write(tmp_path, prediction())
    before = path.read_bytes()
    with pytest.raises(RecordError, match="question 'q9'"):
        write(tmp_path, prediction("q8"), prediction("q9", option_scores=(math.nan,)))
    assert path.read_bytes() == before


def test_a_full_disk_leaves_the_earlier_file_and_no_litter(tmp_path, monkeypatch):
    path = write(tmp_path, prediction())
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match="No space left"):
        write(tmp_path, prediction("q2"))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_question_answered_twice_is_refused(tmp_path):
    with pytest.raises(RecordError, match="'q1' was answered twice"):
        write(tmp_path, prediction(), prediction())


def test_scores_must_match_predictions(tmp_path):
    with pytest.raises(RecordError, match="1 predictions but 0 scores"):
        write_predictions(tmp_path, "run", [prediction()], [])


def test_others_may_read_the_file(tmp_path):
    old = os.umask(0o022)
    try:
        assert write(tmp_path, prediction()).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(old)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("{", "no JSON"),
        ("", "no JSON"),
        ("[1]", "is a JSON object, not list"),
        ('{"question_id": "q2"}', "needs 'question_id' and 'metrics'"),
        ('{"question_id": "q2", "metrics": {"f1": NaN}}', "NaN is no JSON number"),
        ('{"question_id": "q1", "metrics": {}}', "'q1' stands twice"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, second, message):
    path = tmp_path / "run.jsonl"
    path.write_text(json.dumps({"question_id": "q1", "metrics": {}}) + f"\n{second}\n")
    with pytest.raises(RecordError, match=f"run.jsonl, line 2: .*{message}"):
        read_predictions(path)


def test_text_that_is_not_utf8_and_a_missing_file_are_named(tmp_path):
    path = tmp_path / "run.jsonl"
    with pytest.raises(RecordError, match="cannot be read"):
        read_predictions(path)
    path.write_bytes(b'{"question_id": "\xff"}\n')
    with pytest.raises(RecordError, match="line 1: no JSON"):
        read_predictions(path)
