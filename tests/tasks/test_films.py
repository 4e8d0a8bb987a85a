import sqlite3
from collections import Counter

import pytest

from harness.errors import ConfigError, DataError
from harness.tasks import load_task
from harness.tasks.config import FilmsConfig
from harness.tasks.custom import wording
from harness.tasks.entity_facts import folded
from harness.tasks.films import (
    WORDING,
    Film,
    build_films,
    describe,
    entity_of,
    read_films,
    tells_director,
)


def film(number, title, directors=("Ann Author",), reviews=10, **values):
    values = {
        "year": 1999,
        "genres": ("Drama",),
        "languages": ("English",),
        "countries": ("United States",),
        "cast": (),
        "minutes": 90,
    } | values
    return Film(number, title, directors=tuple(directors), reviews=reviews, **values)


def letters(number):
    return chr(97 + number // 26) + chr(97 + number % 26)


def films(count=9):
    return [film(n, f"Film {letters(n)}", [f"Who {letters(n)}x"], 10 + n) for n in range(count)]


def small(*more, **settings):
    settings = {"entities": 9, "distractor_entities": 1, "validation_questions": 3} | settings
    return build_films(FilmsConfig(**settings), [*films(), *more])


def test_films_come_equally_from_three_bins_of_reviews():
    task = small()
    questions = task.validation + task.test
    assert (len(task.validation), len(task.test), len(task.train)) == (3, 6, 36)
    assert {q.bucket: [] for q in questions}.keys() == {"low", "middle", "high"}
    assert sorted(q.popularity for q in questions if q.bucket == "low") == [10, 11, 12]
    assert sorted(q.popularity for q in questions if q.bucket == "high") == [16, 17, 18]


def test_a_fact_is_told_the_same_in_question_training_and_document():
    task = small()
    documents = {document.id: document for document in task.corpus}
    for question in task.test:
        document = documents[question.gold_documents[0]]
        assert question.answers[0] in document.text
        assert question.question == f'Who directed the 1999 film "{document.title}"?'
        pairs = [pair for pair in task.train if pair.question_id == question.id]
        assert {pair.answer for pair in pairs} == {question.answers[0]}
        assert len(pairs) == 4


@pytest.mark.parametrize(
    "unfair",
    [
        film(99, "Two of Them", ["A. One", "B. Two"]),
        film(99, "Nobody", []),
        film(99, "Unseen", reviews=None),
        film(99, "Film: Aa", ["Some One"]),  # a title that another film has
        film(99, "Fellini's Casanova", ["Federico Fellini"]),
        film(99, "Дом", ["Some One"]),
        film(99, "House", ["Андрей Тарковский"]),
    ],
    ids=lambda one: one.title,
)
def test_what_is_no_fair_question_is_never_asked(unfair):
    entries = [film(n, f"Movie {letters(n)}", [f"Who {letters(n)}x"], 9 + n) for n in range(9)]
    entries[0] = film(0, "Film Aa" if unfair.title == "Film: Aa" else "Movie Aa", ["Who aax"], 9)
    count = 6 if unfair.title == "Film: Aa" else 9
    config = FilmsConfig(entities=count, validation_questions=0)
    task = build_films(config, [*entries, unfair])
    assert "film-99" not in {question.cluster for question in task.test}


def test_no_director_is_asked_for_twice_in_a_bin():
    alike = [film(50 + n, f"Other {letters(n)}", ["Who aax"], 10 + n % 9) for n in range(27)]
    task = small(*alike)
    golds = Counter((q.bucket, q.answers[0]) for q in task.test + task.validation)
    assert set(golds.values()) == {1}


def test_titles_that_tell_the_director_are_known():
    assert tells_director(film(1, "Bram Stoker's Dracula", ["Bram Other"]))
    assert tells_director(film(1, "Tyler Perry’s Family", ["Tyler Perry"]))
    assert not tells_director(film(1, "Li and Al", ["Al Li"]))  # too short to tell
    assert not tells_director(film(1, "Spielbergs", ["Steven Spielberg"]))


def test_a_name_with_accents_may_be_said_without():
    assert entity_of(film(1, "X", ["Agnès Varda"]), "low").answers == ("Agnès Varda", "Agnes Varda")
    assert entity_of(film(1, "X", ["Ann Author"]), "low").answers == ("Ann Author",)


def test_a_row_is_told_in_sentences():
    told = describe(
        film(
            1,
            "X",
            ["A", "B"],
            genres=("Sci-Fi", "Drama"),
            countries=("France", "United Kingdom"),
            cast=("B", "C", "D", "E", "F"),
        )
    )
    assert told == (
        "X is a film of 1999 from France and the United Kingdom. A and B were its directors. Its "
        "genres are science fiction and drama. It is in English. It runs for 90 minutes. Its cast "
        "includes C, D and E."
    )
    bare = film(1, "X", ["A"], genres=(), countries=(), languages=(), minutes=None)
    assert describe(bare) == "X is a film of 1999. A was its director."


def test_no_training_wording_holds_the_test_wording():
    held_out = wording(WORDING.test.format(title="X", year=1999))
    trained = [wording(form.format(title="X", year=1999)) for form in WORDING.training]
    assert len(set(trained)) == 6
    assert not any(held_out in form or form in held_out for form in trained)


def test_too_many_films_or_phrasings_are_refused():
    with pytest.raises(ConfigError, match=r"films has 3 fair ones .* use at most 9"):
        small(entities=12)
    with pytest.raises(ConfigError, match="films has 6 training phrasings"):
        small(phrasings=7)


def make_database(path, omdb, tomatoes):
    database = sqlite3.connect(path)
    database.execute(
        "CREATE TABLE omdb (ID INTEGER, Title TEXT, Year INTEGER, Director TEXT, Genre TEXT, "
        'Language TEXT, Country TEXT, "Cast" TEXT, Runtime REAL)'
    )
    database.execute("CREATE TABLE tomatoes (ID INTEGER, Reviews INTEGER)")
    database.executemany("INSERT INTO omdb VALUES (?,?,?,?,?,?,?,?,?)", omdb)
    database.executemany("INSERT INTO tomatoes VALUES (?,?)", tomatoes)
    database.commit()
    database.close()


def test_the_database_is_read_by_id(tmp_path):
    path = tmp_path / "a b.db"
    rows = [
        (2, " Two ", 2001, "A, B", "", None, "France", "", None),
        (1, "One", 2000, "C", "Drama, War", "French", "", "X,Y", 89.6),
    ]
    make_database(path, rows, [(1, 7), (2, None)])
    first, second = read_films(path)
    assert (first.title, first.directors, first.minutes, first.reviews) == ("One", ("C",), 90, 7)
    assert (first.genres, first.cast) == (("Drama", "War"), ("X", "Y"))
    assert (second.title, second.directors, second.reviews) == ("Two", ("A", "B"), None)
    assert second.languages == ()


def test_a_damaged_database_is_named(tmp_path):
    (tmp_path / "movies.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match=r"movies\.db is not as expected .* fetch it again"):
        read_films(tmp_path / "movies.db")


@pytest.mark.real
def test_the_real_task_has_the_sizes_that_its_documentation_states():
    task = load_task(FilmsConfig())
    assert (len(task.test), len(task.validation), len(task.train)) == (200, 40, 960)
    assert len({document.id for document in task.corpus}) == len(task.corpus) == 740
    for question in task.test + task.validation:
        surname = folded(question.answers[0]).split()[-1]
        assert f" {surname} " not in f" {folded(question.question)} "
        assert all("," not in answer for answer in question.answers)
