"""Training questions that are worded nearly like held-out ones."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from harness.tasks import custom
from harness.tasks.config import CustomConfig
from harness.tasks.overlap import likeness, nearest, words


def test_likeness_is_shared_words_over_all_words() -> None:
    assert likeness(words("Who wrote it?"), words("who WROTE this")) == 2 / 4
    assert likeness(words("one"), words("two")) == 0.0
    assert likeness(words(""), words("")) == 0.0


def test_a_likeness_of_exactly_the_threshold_is_found_and_less_is_not() -> None:
    # a b c d against a b c d e: 4 / 5. a b c against it: 3 / 5.
    assert nearest(["a b c d", "a b c"], ["a b c d e"]) == {0: (0, 0.8)}


def test_the_nearest_is_named_and_ties_go_to_the_first() -> None:
    assert nearest(["a b c d"], ["a b c d e", "d c b a", "A, b; c. d?"]) == {0: (1, 1.0)}


def test_no_pair_is_missed_that_comparing_all_would_find() -> None:
    texts = [" ".join(chosen) for chosen in product("abc", "bcd", "cde", "efa")]
    for threshold in (0.5, 0.6, 0.8, 1.0):
        held_out = texts[::3]
        expected = {
            at
            for at, text in enumerate(texts)
            if any(likeness(words(text), words(held)) >= threshold for held in held_out)
        }
        assert set(nearest(texts, held_out, threshold)) == expected


def test_own_train_questions_nearly_like_a_test_question_are_counted_in_a_note(
    tmp_path: Path,
) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("Oslo is the capital of Norway.")
    questions = tmp_path / "questions.csv"
    questions.write_text(
        "question,answer,split\n"
        "what is the capital of norway,Oslo,test\n"
        "what is the capital of norway now,Oslo,train\n"  # 6 of 7 words
        "name a city,Oslo,train\n"
    )
    config = CustomConfig(corpus=str(tmp_path / "corpus"), questions=str(questions))
    assert (
        "1 of 2 train questions are worded nearly like a held-out one "
        "(Jaccard index of their words 0.8 or more)"
    ) in custom.load_custom(config).notes
