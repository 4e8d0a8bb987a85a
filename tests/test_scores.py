"""Each question's scores from files that are whole, cut short, edited or written elsewhere."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RecordError
from harness.predictions import read_predictions, write_predictions
from harness.probe_items import ProbeLine, read_probe_items, write_probe_items
from harness.scores import read_probe_scores, read_scores
from harness.types import Answer, Passage, Prediction, Question, ScoredPassage

REFERENCE = Path(__file__).parent.parent / "results" / "reference" / "quickstart"


def line(name: str, **fields: object) -> str:
    return json.dumps({"question_id": name, "cluster": "ao", "metrics": {"f1": 0.5}, **fields})


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(text + "\n" for text in lines), encoding="utf-8")
    return path


def same(found: np.ndarray, expected: list[float]) -> bool:
    return np.array_equal(found, np.array(expected), equal_nan=True)


def test_what_a_run_wrote_is_read_back(tmp_path):
    passage = ScoredPassage(Passage("ao-facts#0", "ao-facts", "Moco is high."), 0.7)
    asked = [
        Prediction(
            Question("q1", "Which?", ("Moco",), cluster="ao", popularity=3.5, bucket="low"),
            "prompt",
            Answer("Moco", tokens_in=9, tokens_out=2),
            retrieved=(passage,),
            latency_seconds=0.25,
        ),
        Prediction(Question("q2", "Who?", (), unanswerable=True), "prompt", Answer("?", 8, 1)),
    ]
    path = write_predictions(tmp_path, "r1", asked, [{"f1": 1.0, "mrr": 1.0}, {"false_answer": 1}])
    scores = read_scores(path, ["popularity", "bucket", "question", "nowhere"])
    assert scores.problems == ()
    assert scores.question_ids == ["q1", "q2"]
    assert scores.clusters == ["ao", ""]
    assert set(scores.measures) == {
        "f1",
        "mrr",
        "false_answer",
        "tokens_in",
        "tokens_out",
        "latency_seconds",
    }
    assert same(scores.measures["f1"], [1.0, math.nan])
    assert same(scores.measures["mrr"], [1.0, math.nan])
    assert same(scores.measures["false_answer"], [math.nan, 1.0])
    assert same(scores.measures["tokens_in"], [9.0, 8.0])
    assert same(scores.measures["latency_seconds"], [0.25, math.nan])
    assert scores.columns == {
        "popularity": [3.5, None],
        "bucket": ["low", ""],
        "question": ["Which?", "Who?"],
        "nowhere": [None, None],
    }


@pytest.mark.parametrize(
    "path", sorted(REFERENCE.glob("predictions/*.jsonl")), ids=lambda path: path.stem
)
def test_committed_predictions_read_as_the_strict_reader_reads_them(path):
    scores, strict = read_scores(path, ["relation"]), read_predictions(path)
    assert scores.problems == ()
    assert scores.question_ids == [one["question_id"] for one in strict]
    assert scores.clusters == [one["cluster"] for one in strict]
    assert scores.columns["relation"] == [one["relation"] for one in strict]
    assert same(scores.measures["f1"], [one["metrics"].get("f1", math.nan) for one in strict])


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ('{"question_id": "q2", "metri', "no JSON"),
        ("not json", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1, 2]", "list where a JSON object should be"),
        ("null", "NoneType where a JSON object should be"),
        ('{"metrics": {"f1": 1}}', "this is no prediction"),
        ('{"question_id": 7, "metrics": {"f1": 1}}', "this is no prediction"),
        ('{"question_id": "q2"}', "this is no prediction"),
        ('{"question_id": "q2", "metrics": [1]}', "this is no prediction"),
    ],
)
def test_a_broken_line_is_left_out_and_named(tmp_path, broken, says):
    path = write(tmp_path / "p.jsonl", line("q1"), broken, line("q3"))
    scores = read_scores(path)
    assert scores.question_ids == ["q1", "q3"]
    assert same(scores.measures["f1"], [0.5, 0.5])
    (problem,) = scores.problems
    assert problem.startswith(f"{path}, line 2: ")
    assert says in problem
    assert "left out" in problem


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", '"0.5"', "true", "[0.5]", "9" * 400]
)
def test_a_metric_that_is_no_finite_number_is_left_out_and_named(tmp_path, value):
    odd = line("q2", metrics={"f1": 0.0, "contains": 1.0}).replace("0.0", value)
    path = write(tmp_path / "p.jsonl", line("q1"), odd)
    scores = read_scores(path)
    assert scores.question_ids == ["q1", "q2"]
    assert same(scores.measures["f1"], [0.5, math.nan])
    assert same(scores.measures["contains"], [math.nan, 1.0])
    (problem,) = scores.problems
    assert problem.startswith(f"{path}, line 2: 'f1' is ")
    assert problem.endswith("no finite number; it is left out")


def test_a_metric_of_null_is_missing_and_nothing_is_said(tmp_path):
    path = write(tmp_path / "p.jsonl", line("q1"), line("q2", metrics={"f1": None}))
    scores = read_scores(path)
    assert same(scores.measures["f1"], [0.5, math.nan])
    assert scores.problems == ()


def test_a_file_of_ever_new_metrics_does_not_fill_the_memory(tmp_path):
    path = write(
        tmp_path / "p.jsonl", *(line(f"q{n}", metrics={f"m{n}": 1.0}) for n in range(2000))
    )
    scores = read_scores(path)
    assert len(scores.question_ids) == 2000
    assert len(scores.measures) == 500
    assert scores.problems[-1].endswith("more like these")


def test_figures_beside_the_metrics_are_there_even_if_no_line_has_them(tmp_path):
    scores = read_scores(write(tmp_path / "p.jsonl", line("q1"), line("q2")))
    for name in ("tokens_in", "tokens_out", "latency_seconds"):
        assert same(scores.measures[name], [math.nan, math.nan])


def test_a_question_that_stands_twice_counts_once_by_its_first_answer(tmp_path):
    path = write(tmp_path / "p.jsonl", line("q1"), line("q1", metrics={"f1": 1.0}), line("q2"))
    scores = read_scores(path)
    assert scores.question_ids == ["q1", "q2"]
    assert same(scores.measures["f1"], [0.5, 0.5])
    assert scores.problems == (
        f"{path}, line 2: question 'q1' stood before; the first answer counts",
    )


def test_many_broken_lines_are_five_problems_and_a_count(tmp_path):
    path = write(tmp_path / "p.jsonl", line("q1"), *["{"] * 100)
    problems = read_scores(path).problems
    assert len(problems) == 6
    assert problems[-1] == f"{path}: no JSON: and 95 more like these"


def test_a_cluster_that_is_no_text_makes_the_question_its_own(tmp_path):
    path = write(tmp_path / "p.jsonl", line("q1", cluster=7), line("q2", cluster=None))
    scores = read_scores(path)
    assert scores.clusters == ["", ""]
    (problem,) = scores.problems
    assert "line 1: 'cluster' is 7, not text" in problem


def test_terminal_codes_in_an_id_do_not_reach_the_terminal(tmp_path):
    hostile = "\x1b[2Jq\n1"
    path = write(tmp_path / "p.jsonl", line(hostile), line(hostile))
    scores = read_scores(path)
    assert scores.question_ids == [hostile]
    assert "\x1b" not in scores.problems[0]
    assert "\n" not in scores.problems[0]


def test_half_a_surrogate_pair_becomes_text_that_can_be_written(tmp_path):
    path = write(tmp_path / "p.jsonl", line("q\ud83d", question="x\udc00y \ud83d\ude00"))
    scores = read_scores(path, ["question"])
    assert scores.question_ids == ["q\ufffd"]
    assert scores.columns["question"] == ["x\ufffdy 😀"]


def test_lines_of_other_encodings_are_read(tmp_path):
    path = tmp_path / "p.jsonl"
    text = '{"question_id": "Málaga", "metrics": {"f1": 0.5}}\n'
    path.write_bytes(("\ufeff" + text).encode("utf-16-le"))
    scores = read_scores(path)
    assert (scores.question_ids, scores.problems) == (["Málaga"], ())
    path.write_bytes(("\ufeff" + text).encode())
    scores = read_scores(path)
    assert (scores.question_ids, scores.problems) == (["Málaga"], ())
    path.write_bytes(line("q1").encode() + b"\r\n" + text.encode("cp1252"))
    scores = read_scores(path)
    assert scores.question_ids == ["q1", "Málaga"]
    assert scores.problems == (f"{path}, line 2: not UTF-8; read as Windows-1252",)


@pytest.mark.parametrize("read", [read_scores, read_probe_scores])
@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"\n \n", "is empty"), (b"{\n", "line 1: no JSON"), (b"{}\n", "line 1: ")],
)
def test_a_file_of_nothing_that_counts_is_an_error(tmp_path, read, content, says):
    path = tmp_path / "p.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=says):
        read(path)


@pytest.mark.parametrize("read", [read_scores, read_probe_scores])
def test_a_missing_file_and_a_folder_are_errors_in_one_line(tmp_path, read):
    with pytest.raises(RecordError, match="cannot be read: No such file"):
        read(tmp_path / "p.jsonl")
    with pytest.raises(RecordError, match="cannot be read: Is a directory"):
        read(tmp_path)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.integers(0, 80), st.integers(0, 80))
def test_no_bytes_bring_the_reader_down(tmp_path_factory, junk, start, cut):
    path = tmp_path_factory.mktemp("scores") / "p.jsonl"
    whole = (line("q1") + "\n" + line("q2", metrics={"mrr": 1}) + "\n").encode()
    path.write_bytes(whole[:start] + junk + whole[start + cut :])
    try:
        scores = read_scores(path, ["question"])
    except RecordError:
        return
    count = len(scores.question_ids)
    assert len(set(scores.question_ids)) == count
    assert len(scores.clusters) == len(scores.columns["question"]) == count
    assert all(len(values) == count for values in scores.measures.values())
    assert not any(np.isinf(values).any() for values in scores.measures.values())


def test_harm_of_a_probe_is_positive_where_the_arm_got_worse(tmp_path):
    path = write_probe_items(
        tmp_path,
        "r1",
        [
            ProbeLine("facts_options", "a", "ao", before=1.0, after=0.0),
            ProbeLine("facts_options", "b", "ao", before=0.0, after=1.0),
            ProbeLine("text_loss_nats", "t", "", before=2.0, after=2.5),
        ],
    )
    scores = read_probe_scores(path)
    assert list(scores) == ["forgetting_facts_options", "forgetting_text_loss_nats"]
    facts = scores["forgetting_facts_options"]
    assert (facts.ids, facts.clusters, facts.problems) == (["a", "b"], ["ao", "ao"], ())
    assert same(facts.harm, [1.0, -1.0])
    assert same(scores["forgetting_text_loss_nats"].harm, [0.5])


@pytest.mark.parametrize(
    "path", sorted(REFERENCE.glob("probes/lora-*.jsonl")), ids=lambda path: path.stem
)
def test_harm_in_committed_probes_is_what_the_row_says(path):
    from harness.record import read_rows

    row = next(one for one in read_rows(REFERENCE / "runs.csv") if one["run_id"] == path.stem)
    scores = read_probe_scores(path)
    assert len(scores) == 5
    assert sum(len(probe.ids) for probe in scores.values()) == len(read_probe_items(path))
    for name, probe in scores.items():
        assert row[name] == pytest.approx(probe.harm.mean()), name


def test_broken_probe_items_are_left_out_and_each_is_named_once(tmp_path):
    def item(name: str, **fields: object) -> str:
        known = {
            "measure": "facts_options",
            "item_id": name,
            "cluster": "",
            "before": 1,
            "after": 0,
        }
        return json.dumps({**known, **fields})

    path = write(
        tmp_path / "p.jsonl",
        item("a"),
        item("b", before="high"),
        item("c", after=math.nan),
        item("a", after=1),
        item("d", measure="mood"),
        item("e", measure="context_use"),
        "{",
    )
    scores = read_probe_scores(path)
    assert scores["forgetting_facts_options"].ids == ["a"]
    assert same(scores["forgetting_facts_options"].harm, [1.0])
    assert scores["forgetting_context_use"].ids == ["e"]
    problems = [line for probe in scores.values() for line in probe.problems]
    assert [problem.split(": ")[0] for problem in problems] == [
        f"{path}, line {number}" for number in (5, 7, 2, 3, 4)
    ]


def test_a_share_outside_0_to_1_is_left_out_and_named(tmp_path):
    path = write(
        tmp_path / "r1.jsonl",
        line("a", metrics={"f1": 50.0, "own": 50.0}),
        line("b", metrics={"f1": 1.0000000000000002, "own": -3.0}),
        line("c", metrics={"mrr": -0.5, "embedding_similarity": -0.5}),
    )
    scores = read_scores(path)
    assert same(scores.measures["f1"], [math.nan, 1.0, math.nan])
    assert same(scores.measures["own"], [50.0, -3.0, math.nan])
    assert np.isnan(scores.measures["mrr"]).all()
    assert scores.measures["embedding_similarity"][2] == -0.5  # a cosine may be
    assert scores.problems == (
        f"{path}, line 1: 'f1' is 50, which is not from 0 to 1; it is left out",
        f"{path}, line 3: 'mrr' is -0.5, which is not from 0 to 1; it is left out",
    )
