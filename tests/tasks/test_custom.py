import json

import pytest

from harness.errors import ConfigError, DataError
from harness.tasks import load_task
from harness.tasks.config import CustomConfig, TaskConfig

HEADER = "question,answers\n"


@pytest.fixture
def own(tmp_path):
    """A function that writes a small corpus and a question file, and loads the task."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Leave\n\n27 days.\n")
    (docs / "b.txt").write_text("Trains only.\n")

    def load(rows, name="questions.csv", **settings):
        path = tmp_path / name
        path.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
        settings = {"corpus": str(docs), "questions": str(path)} | settings
        return load_task(CustomConfig(**settings))

    load.docs = docs
    load.folder = tmp_path
    return load


def test_without_a_split_column_all_is_test_and_the_row_says_so(own):
    task = own("question,answers,gold_passage\nHow many days?,27|27 days,a.md\n")
    (question,) = task.test
    assert question.answers == ("27", "27 days")
    assert question.gold_documents == ("a.md",)
    assert task.train == task.validation == ()
    assert "no split column: all questions are test questions" in task.notes
    assert "no train questions: training uses the raw documents" in task.notes
    assert task.parity == "same documents"
    assert [(doc.id, doc.title) for doc in task.corpus] == [("a.md", "Leave"), ("b.txt", "b")]


def test_a_split_column_gives_training_pairs_validation_and_test(own):
    rows = "t,Name the leave.,27,a.md,train\nv,Train?,yes,,validation\nq,How many?,27,,test\n"
    task = own("id,question,answer,gold_passage,split\n" + rows)
    (pair,) = task.train
    assert (pair.question, pair.answer, pair.document_id) == ("Name the leave.", "27", "a.md")
    assert [question.id for question in task.validation + task.test] == ["v", "q"]
    assert task.notes == ()
    assert "not checked" in task.parity


def test_training_on_text_says_that_train_rows_are_unused(own):
    task = own("question,answer,split\nName it.,27,train\nHow many?,27,test\n", training="text")
    assert task.train == ()
    assert any("1 train rows left unused" in note for note in task.notes)


def test_jsonl_with_lists_choices_and_popularity(own):
    row = {"question": "Which?", "answers": ["b", "B."], "choices": ["a", "b", "c"]}
    row |= {"popularity": 12, "gold_passage": ["a.md", "b.txt"], "id": 7, "cluster": "x"}
    task = own(json.dumps(row) + "\n\n" + json.dumps({"question": "?", "answer": 5}), "q.jsonl")
    first, second = task.test
    assert first.id == "7"
    assert first.choices == ("a", "b", "c")
    assert first.answers == ("b", "B.")
    assert first.gold_documents == ("a.md", "b.txt")
    assert (first.popularity, first.bucket, first.cluster) == (12.0, "low", "x")
    assert (second.id, second.answers, second.bucket, second.cluster) == ("q2", ("5",), "", "q2")


def test_popularity_gives_terciles(own):
    task = own("question,answer,popularity\n" + "".join(f"Q{n}?,a,{n}\n" for n in range(1, 7)))
    buckets = [question.bucket for question in task.test]
    assert buckets == ["low", "low", "middle", "middle", "high", "high"]


def test_unanswerable_rows_need_no_answer(own):
    task = own("question,answer,unanswerable\nWho?,,true\nHow?,27,\n")
    assert [question.unanswerable for question in task.test] == [True, False]


def test_a_byte_order_mark_quotes_and_line_breaks_in_fields_are_read(own):
    task = own(b'\xef\xbb\xbfquestion,answer\n"How, then,\nmany?","2,7"\nHow?,x\n')
    assert task.test[0].question == "How, then,\nmany?"
    assert task.test[0].answers == ("2,7",)


def test_questions_are_sampled_by_split_seed(own):
    rows = HEADER + "".join(f"Q{n}?,a\n" for n in range(20))
    chosen = [question.id for question in own(rows, test_questions=5).test]
    assert len(chosen) == 5
    assert chosen == [question.id for question in own(rows, test_questions=5).test]
    assert chosen != [question.id for question in own(rows, test_questions=5, split_seed=1).test]


def test_a_corpus_folder_is_read_with_subfolders_and_other_files_are_noted(own):
    (own.docs / "sub").mkdir()
    (own.docs / "sub" / "c.jsonl").write_text(
        json.dumps({"id": "c1", "title": "C", "text": "Text."}) + '\n{"text": "More."}\n'
    )
    (own.docs / "d.csv").write_text("text,source\nA row.,web\n")
    (own.docs / "photo.png").write_bytes(b"\x89PNG")
    (own.docs / ".hidden.md").write_text("no")
    task = own(HEADER + "Q?,a\n")
    ids = [document.id for document in task.corpus]
    assert ids == ["a.md", "b.txt", "d.csv:2", "c1", "sub/c.jsonl:2"]
    assert "corpus files of other kinds left out: photo.png" in task.notes
    assert "columns of d.csv left unread: source" in task.notes


def test_the_question_file_is_no_document_of_the_folder_it_stands_in(own):
    task = own(HEADER + "Q?,a\n", name="docs/questions.csv")
    assert [document.id for document in task.corpus] == ["a.md", "b.txt"]


def test_one_file_can_be_the_corpus(own):
    (own.folder / "my.jsonl").write_text('{"id": "x", "text": "T\u2028ext"}\n')
    task = own(HEADER + "Q?,a\n", corpus=str(own.folder / "my.jsonl"))
    assert [document.id for document in task.corpus] == ["x"]


def test_an_unknown_column_is_left_unread_with_a_note(own):
    task = own("question,answer,department\nQ?,a,x\n")
    assert "columns of questions.csv left unread: department" in task.notes


LONG_FORM = "question,answer,choices,split,popularity,unanswerable,gold_passage,id\n"


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ("", r"questions\.csv is empty"),
        (HEADER, r"questions\.csv is empty"),
        ("question,anser\nQ?,a\n", "unknown column 'anser'; did you mean 'answer'"),
        ("question,split\nQ?,test\n", "no 'answer' or 'answers' column; it has: question, split"),
        ("answer,id\na,1\n", "no 'question' column"),
        ("question;answer\nQ?;a\n", "not separated by commas"),
        ("question,answer,answer\nQ?,a,b\n", "column 'answer' appears twice"),
        (HEADER + "Q?,a\nQ2?,a,b\n", "line 3: 3 fields, but the header has 2"),
        (HEADER + "Q?,a\nQ2?\n", "line 3: 1 fields"),
        (HEADER + 'Q?,a\n"Q2?,a\n', "line 3: not CSV"),
        (HEADER + '"Q\nQ?",a\n\nQ2?,\n', "line 5: no gold answer"),
        (HEADER + "Q?, | \n", "line 2: no gold answer"),
        (HEADER + " ,a\n", "line 2: 'question' is empty"),
        ("id,question,answer\n1,Q?,a\n1,R?,a\n", "line 3: id '1' was used before, in .*line 2"),
        (LONG_FORM + "Q?,d,a|b,test,,,,\n", r"no gold answer is among the choices \(a \| b\)"),
        (LONG_FORM + "Q?,a,a,test,,,,\n", "two or more different options"),
        (LONG_FORM + "Q?,a,a|a,test,,,,\n", "two or more different options"),
        (LONG_FORM + "Q?,,a|b,test,,true,,\n", "cannot have choices"),
        (LONG_FORM + "Q?,a,,tset,,,,\n", "split is 'tset'.*did you mean 'test'"),
        (LONG_FORM + "Q?,a,,,,,,\n", "split is ''"),
        (LONG_FORM + "Q?,a,,train,,,,\n", "no row with split=test"),
        (LONG_FORM + "Q?,a,,test,many,,,\n", "'popularity' is 'many', which is not a number"),
        (LONG_FORM + "Q?,a,,test,nan,,,\n", "'popularity' is 'nan'"),
        (LONG_FORM + "Q?,a,,test,,maybe,,\n", "'unanswerable' is 'maybe'"),
        (LONG_FORM + "Q?,a,,test,,yes,,\n", "'unanswerable' is true, but a gold answer"),
        (LONG_FORM + "Q?,,,train,,yes,,\nR?,a,,test,,,,\n", "train question needs an answer"),
        (LONG_FORM + "Q?,a,,test,,,b.text,\n", "gold_passage 'b.text' is not in the corpus; did"),
        (LONG_FORM + "Q?,a,,test,,,zzz,\n", "'zzz' is not in the corpus; its first id is 'a.md'"),
        (
            LONG_FORM + "Who IS it,a,,train,,,,\nR?,a,,test,,,,\nWho is it?,a,,test,,,,\n",
            "line 2: this train question is worded like a held-out one in .*line 4",
        ),
        (HEADER.encode() + b"Q\xe9?,a\n", "line 2: byte 0xe9 at offset 18 is not UTF-8"),
        (b"\xef\xbb\xbf" + HEADER.encode() + b"Q\xe9?,a\n", "0xe9 at offset 21"),
        ("q".encode("utf-16"), "is UTF-16; save it as UTF-8"),
    ],
)
def test_bad_question_csv_is_one_clear_line(own, questions, message):
    with pytest.raises(DataError, match=message) as error:
        own(questions)
    assert "\n" not in str(error.value)
    assert "questions.csv" in str(error.value)


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ('{"question": "Q?", "answer": "a"}\n{"question": \n', "line 2: not JSON"),
        ('["Q?", "a"]\n', "line 1: expected an object, found list"),
        ('{"question": ["Q?"], "answer": "a"}\n', "'question' must be text, found list"),
        ('{"question": "Q?", "answers": [["a"]]}\n', "'answers' must be text, found list"),
        ('{"question": "Q?", "answer": true}\n', "'answer' must be text, found bool"),
        ('{"question": "Q?", "answers": []}\n', "line 1: no gold answer"),
        ('{"question": "Q?", "answer": null}\n', "line 1: no gold answer"),
        ("[" * 100_000 + "\n", "line 1: not JSON"),
        ("\n\n", "is empty"),
    ],
)
def test_bad_question_jsonl_is_one_clear_line(own, questions, message):
    with pytest.raises(DataError, match=message) as error:
        own(questions, "q.jsonl")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.md", b"", r"c\.md is empty"),
        ("c.md", b"\n \n", r"c\.md is empty"),
        ("c.txt", b"ok\n\xff\xfa", r"c\.txt line 2: byte 0xff"),
        ("c.jsonl", b'{"id": "a.md", "text": "t"}\n', "'a.md' was used before, in .*a.md"),
        ("c.jsonl", b'{"text": "t"}\n{"text": " "}\n', "line 2: 'text' is missing or empty"),
        ("c.jsonl", b'{"txt": "t"}\n', "unknown column 'txt'; did you mean 'text'"),
        ("c.jsonl", b'{"text": {"a": 1}}\n', "'text' must be text, found dict"),
        ("c.jsonl", b"nope\n", "line 1: not JSON"),
        ("c.csv", b"id,text\n1,a,b\n", "line 2: 3 fields"),
    ],
)
def test_bad_documents_are_one_clear_line(own, name, content, message):
    (own.docs / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        own(HEADER + "Q?,a\n")
    assert "\n" not in str(error.value)


def test_missing_files_and_folders_are_named(own, tmp_path):
    with pytest.raises(DataError, match=r"task.corpus=.*gone does not exist"):
        own(HEADER + "Q?,a\n", corpus=str(tmp_path / "gone"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no .txt, .md, .html, .htm, .pdf, .jsonl, "):
        own(HEADER + "Q?,a\n", corpus=str(tmp_path / "empty"))
    (tmp_path / "my.docx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"my\.docx is none of"):
        own(HEADER + "Q?,a\n", corpus=str(tmp_path / "my.docx"))
    with pytest.raises(DataError, match=r"task.questions=.*no\.csv does not exist"):
        own(HEADER, questions=str(tmp_path / "no.csv"))
    with pytest.raises(DataError, match=r"expected a \.csv or \.jsonl file, not '\.tsv'"):
        own(HEADER, name="q.tsv")


def test_settings_that_are_not_set_are_asked_for():
    with pytest.raises(ConfigError, match=r"task=custom needs task.corpus"):
        load_task(CustomConfig(questions="q.csv"))
    with pytest.raises(ConfigError, match=r"task=custom needs task.questions"):
        load_task(CustomConfig(corpus="docs"))


def test_an_unknown_task_is_suggested():
    with pytest.raises(ConfigError, match=r"unknown task 'world_fact'.*did you mean 'world_facts'"):
        load_task(TaskConfig(name="world_fact"))


def test_the_example_of_the_readme_loads():
    task = load_task(
        CustomConfig(corpus="examples/own_data/docs", questions="examples/own_data/questions.csv")
    )
    texts = {document.id: " ".join(document.text.split()) for document in task.corpus}
    assert (len(task.test), len(texts)) == (10, 5)
    for question in task.test:
        assert any(answer in texts[question.gold_documents[0]] for answer in question.answers)
