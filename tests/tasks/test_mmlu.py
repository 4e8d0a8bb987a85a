from collections import Counter

import pytest

from harness.errors import ConfigError, DataError
from harness.tasks import load_task
from harness.tasks.config import MmluConfig
from harness.tasks.mmlu import build_mmlu
from harness.tasks.text_files import Row


def row(line, question, options="wxyz", answer="A", topic="anatomy"):
    values = {"question": question, "correct_answer": answer, "topic": topic}
    values |= {f"answer_{letter}": text for letter, text in zip("abcd", options, strict=True)}
    return Row(f"mmlu.jsonl line {line}", line, values)


HEADER = row(1, "question", ("answer_a", "answer_b", "answer_c", "answer_d"), "answer")


def built(*rows, **settings):
    settings = {"subjects": ["anatomy"], "validation_questions": 0} | settings
    return build_mmlu(MmluConfig(**settings), rows)


def test_a_row_is_a_question_with_four_options_and_its_subject():
    task = built(HEADER, row(2, " Which? ", answer="C"), row(3, "Other?", topic="prehistory"))
    (question,) = task.test
    assert (question.id, question.question, question.relation) == ("mmlu-2", "Which?", "anatomy")
    assert question.choices == ("w", "x", "y", "z")
    assert question.answers == ("y",)
    assert (task.train, task.validation, task.corpus) == ((), (), ())


def test_equal_options_and_repeats_are_left_out_and_counted():
    task = built(
        row(1, "Equal?", "wwyz"),
        row(2, "Twice?"),
        row(3, "Twice?", "zyxw", "D"),  # the same options in another order
        row(4, "Twice?", "abcd"),  # other options: another question
        row(5, "Elsewhere?", "wwyz", topic="prehistory"),
    )
    assert [question.id for question in task.test] == ["mmlu-2", "mmlu-4"]
    assert "1 questions with two equal options left out" in task.notes
    assert "1 repeated questions left out" in task.notes


def test_validation_is_drawn_evenly_over_subjects():
    rows = [row(n, f"Q{n}?", topic=("anatomy", "prehistory")[n % 2]) for n in range(20)]
    task = built(*rows, subjects=["anatomy", "prehistory"], validation_questions=4)
    assert Counter(q.relation for q in task.validation) == {"anatomy": 2, "prehistory": 2}
    assert len(task.test) == 16
    assert not {q.id for q in task.validation} & {q.id for q in task.test}


def test_documents_of_ones_own_are_the_corpus(tmp_path):
    (tmp_path / "a.txt").write_text("Bones.")
    task = built(row(1, "Which?"), corpus=str(tmp_path))
    assert [document.text for document in task.corpus] == ["Bones."]


def test_bad_settings_and_rows_are_one_line():
    with pytest.raises(ConfigError, match=r"unknown subject 'anatomi'; did you mean 'anatomy'"):
        built(row(1, "Which?"), subjects=["anatomi"])
    with pytest.raises(ConfigError, match=r"task.subjects=\[\] must name one or more"):
        MmluConfig(subjects=[])
    with pytest.raises(DataError, match=r"line 1: correct_answer is 'E', but must be one of A, B"):
        built(row(1, "Which?", answer="E"))
    with pytest.raises(DataError, match=r"line 9: 'topic' is missing"):
        built(Row("mmlu.jsonl line 9", 9, {"question": "Which?"}))


@pytest.mark.real
def test_the_five_subjects_of_the_pinned_wheel():
    task = load_task(MmluConfig())
    questions = task.validation + task.test
    counts = Counter(question.relation for question in questions)
    assert len(task.validation) == 40
    assert all(q.answers[0] in q.choices and len(set(q.choices)) == 4 for q in questions)
    assert counts == {
        "anatomy": 135,
        "astronomy": 152,
        "college biology": 144,
        "college chemistry": 100,
        "prehistory": 323,  # of 324, one is there twice
    }
    assert "1 repeated questions left out" in task.notes
