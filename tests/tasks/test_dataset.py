import csv
import json
from dataclasses import asdict

import pytest

from harness.config import to_dataclass
from harness.errors import ConfigError, DataError, SourceError
from harness.overrides import Composer
from harness.run import check_corpus
from harness.tasks import load_task
from harness.tasks.dataset_config import ColumnsConfig, DatasetConfig, SplitsConfig
from harness.telling import telling


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """The library's tables of the made files go to a folder of the test's own."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")


@pytest.fixture(scope="module")
def composer():
    return Composer()


@pytest.fixture
def load(tmp_path, composer):
    """A function that writes files and loads the task that a YAML file names, with overrides."""

    def loaded(name, files, *overrides):
        folder = tmp_path / "data"
        for file, rows in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = path.suffix == ".json"
            text = json.dumps(rows) if whole else "\n".join(json.dumps(row) for row in rows)
            path.write_text(text)
        cfg = composer.compose(f"task={name}", f"task.path={folder}", *overrides)
        return load_task(to_dataclass(cfg).task)

    return loaded


def squad(number, question, answers=("Ann",), context="Ann was first.", title="Firsts"):
    answers = {"text": list(answers), "answer_start": [0 for _ in answers]}
    return {
        "id": f"s{number}",
        "title": title,
        "context": context,
        "question": question,
        "answers": answers,
    }


SQUAD = {
    "train.jsonl": [
        squad(1, "Who came first?"),  # worded like a test question
        squad(2, "Name the winner.", context="Ann won."),
        squad(3, "Tell who lost.", ["Bob"], context="Bob lost."),
        squad(4, "Where was it held?", ["Oslo"], context="It was in Oslo."),
    ],
    "validation.jsonl": [
        squad(5, "who came first"),
        squad(6, "Who is Ann?", ["the first", "first"], "Ann was first."),
        squad(7, "Who was third?", ["Cem"], "Cem was third.", "Thirds"),
    ],
}


def test_squads_paragraphs_are_the_corpus_each_once_and_the_gold_documents(load):
    task = load("squad", SQUAD, "task.validation_questions=1")
    assert [question.id for question in task.test] == ["s5", "s6", "s7"]
    first, second, third = task.test
    assert second.answers == ("the first", "first")
    assert first.gold_documents == second.gold_documents != third.gold_documents
    assert (first.cluster, third.cluster) == ("Firsts", "Thirds")
    texts = {document.id: document for document in task.corpus}
    assert texts[third.gold_documents[0]].text == "Cem was third."
    assert texts[third.gold_documents[0]].title == "Thirds"
    assert sorted(document.text for document in task.corpus) == [
        "Ann was first.",
        "Ann won.",
        "Bob lost.",
        "Cem was third.",
        "It was in Oslo.",
    ]


def test_no_training_wording_is_that_of_a_held_out_question(load):
    task = load("squad", SQUAD, "task.validation_questions=1")
    assert len(task.train) == 2
    assert len(task.validation) == 1
    ids = {pair.question_id for pair in task.train} | {task.validation[0].id}
    assert ids == {"s2", "s3", "s4"}
    assert "1 train questions left out: worded like a held-out one" in task.notes
    assert "validation questions drawn from the train split" in task.notes
    assert task.parity == "train split: other questions than the test's"
    documents = {document.id: document.text for document in task.corpus}
    assert {documents[pair.document_id] for pair in task.train} <= {
        "Ann won.",
        "Bob lost.",
        "It was in Oslo.",
    }


def test_limits_draw_by_the_split_seed_alone_and_unused_contexts_are_distractors(load):
    limits = ["task.validation_questions=0", "task.test_questions=1", "task.train_questions=1"]
    task = load("squad", SQUAD, *limits)
    assert (len(task.test), len(task.train), len(task.validation)) == (1, 1, 0)
    used = {*task.test[0].gold_documents, task.train[0].document_id}
    assert {document.id for document in task.corpus if not document.distractor} == used
    assert len(task.corpus) == 5
    assert load("squad", SQUAD, *limits) == task
    others = {
        load("squad", SQUAD, *limits, f"task.split_seed={seed}").test[0].id for seed in range(8)
    }
    assert len(others) > 1
    assert len(load("squad", SQUAD, *limits, "task.other_contexts=1").corpus) == len(used) + 1


def test_raw_text_training_reads_no_train_split(load):
    task = load("squad", {"validation.jsonl": SQUAD["validation.jsonl"]}, "task.training=text")
    assert task.train == ()
    assert {document.text for document in task.corpus} == {"Ann was first.", "Cem was third."}
    assert task.parity == "same documents"


def test_squad_v2s_empty_answers_are_unanswerable_and_not_trained_on(load):
    files = {
        "train.jsonl": [squad(1, "Name the winner."), squad(2, "Name the judge.", [])],
        "validation.jsonl": [squad(3, "Who was tenth?", []), squad(4, "Who came first?")],
    }
    task = load("squad_v2", files, "task.validation_questions=0")
    assert [(q.id, q.unanswerable, q.answers) for q in task.test] == [
        ("s3", True, ()),
        ("s4", False, ("Ann",)),
    ]
    assert [pair.question_id for pair in task.train] == ["s1"]
    assert "1 unanswerable train questions left out" in task.notes
    with pytest.raises(DataError, match=r"row 1: 'answers.text' holds no answer; .*unanswerable"):
        load("squad_v2", files, "task.unanswerable=false")


def popqa(number, prop="occupation", pop=10, **values):
    row = {
        "id": number,
        "subj": f"S{number}",
        "prop": prop,
        "obj": "politician",
        "subj_id": 100 + number,
        "s_pop": pop,
        "question": f"What is S{number}'s occupation?",
        "possible_answers": '["politician", "political leader"]',
    }
    return row | values


def test_popqas_answers_are_json_and_capitals_are_left_out(load):
    props = "author color composer country director father genre mother occupation producer "
    rows = [popqa(n, prop, n) for n, prop in enumerate((props + "religion screenwriter").split())]
    rows += [popqa(50, "sport", 50), popqa(51, "place of birth", 51)]
    rows += [popqa(60, "capital"), popqa(61, "capital of")]
    task = load("popqa", {"test.jsonl": rows}, "task.validation_questions=4")
    questions = {question.id: question for question in task.test + task.validation}
    assert len(questions) == 14
    assert (len(task.validation), task.train, task.corpus) == (4, (), ())
    assert not {question.relation for question in questions.values()} & {"capital", "capital of"}
    last = questions["51"]
    assert last.answers == ("politician", "political leader")
    assert (last.relation, last.popularity, last.bucket) == ("place of birth", 51.0, "high")
    assert (last.cluster, questions["0"].bucket) == ("151", "low")
    assert "no train questions: training uses the raw documents" in task.notes


def test_a_relation_that_is_not_there_is_told_with_those_that_are(load):
    with pytest.raises(DataError, match=r"no relation 'ocupation'; did you mean 'occupation'"):
        load("popqa", {"test.jsonl": [popqa(1)]}, "task.relations=[ocupation]")


def test_answers_that_are_no_json_are_told_by_row(load):
    rows = [popqa(1), popqa(2, possible_answers="politician")]
    with pytest.raises(DataError, match=r"test.jsonl? row 2: 'possible_answers' is not JSON") as e:
        load("popqa", {"test.jsonl": rows}, "task.relations=[]", "task.splits.test=test.jsonl")
    assert "\n" not in str(e.value)


WITQA = [
    "subject",
    "predicate",
    "object",
    "object_surfaceform",
    "extracted_text",
    "triple",
    "sub_pred",
    "triple_count",
    "sub_pred_count",
    "entity_count",
    "expanded_object",
    "subject_label",
    "predicate_label",
    "object_label",
    "expanded_object_label",
    "output_question",
    "s_pop",
]


def witqa(folder, *rows):
    """A tab-separated file as WiTQA's, of rows that give some of its columns."""
    path = folder / "witqa.tsv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, WITQA, delimiter="\t", restval="x")
        writer.writeheader()
        writer.writerows(rows)
    return path


def witqa_row(number, predicate="P57", answers=("Ann Lee", "Ann"), **values):
    return {
        "subject": f"Q{number}",
        "predicate": predicate,
        "object_label": answers[0],
        "expanded_object_label": json.dumps(answers),
        "extracted_text": f'Film {number}, "the first", is by {answers[0]}.',
        "output_question": f"Who directed film {number}?",
        "s_pop": 100 * number,
    } | values


def test_witqas_file_gives_answers_passages_and_page_views(composer, tmp_path):
    rows = [witqa_row(1), witqa_row(2, "P36"), witqa_row(3, "P1376"), witqa_row(4, "P19")]
    overrides = [f"task.path={witqa(tmp_path, *rows)}", "task.relations=[P57,P19]"]
    config = to_dataclass(composer.compose("task=witqa", *overrides, "task.validation_questions=0"))
    task = load_task(config.task)
    assert [q.question for q in task.test] == ["Who directed film 1?", "Who directed film 4?"]
    first, last = task.test
    assert first.answers == ("Ann Lee", "Ann")
    assert (first.cluster, first.relation, first.popularity) == ("Q1", "P57", 100.0)
    assert (last.relation, last.popularity) == ("P19", 400.0)
    gold = {document.id: document.text for document in task.corpus}[first.gold_documents[0]]
    assert gold == 'Film 1, "the first", is by Ann Lee.'
    assert not task.train


def test_witqa_asks_for_no_capital(composer):
    relations = composer.compose("task=witqa").task.relations
    assert len(relations) == 30
    assert not {"P36", "P1376"} & set(relations)


def test_witqas_passages_give_way_to_a_corpus_that_its_subjects_name(composer, tmp_path):
    path = witqa(tmp_path, witqa_row(1), witqa_row(2))
    overrides = [
        f"task.path={path}",
        "task.relations=[P57]",
        "task.columns.context=''",
        "task.columns.document=subject",
        documents(tmp_path, ("Q1", "Film 1"), ("Q2", "Film 2"), ("Q3", "Film 3")),
    ]
    config = to_dataclass(composer.compose("task=witqa", *overrides, "task.validation_questions=0"))
    task = load_task(config.task)
    assert [q.gold_documents for q in task.test] == [("Q1",), ("Q2",)]
    assert len(task.corpus) == 3


def test_triviaqas_value_comes_before_its_aliases(load):
    def row(number, question):
        answer = {"value": "Sinclair Lewis", "aliases": ["Harry Lewis", "Sinclair Lewis"]}
        return {"question_id": f"t{number}", "question": question, "answer": answer}

    files = {
        "train.jsonl": [row(1, "Who won in 1930?")],
        "validation.jsonl": [row(2, "Which American won the Nobel Prize?")],
    }
    task = load("triviaqa", files, "task.subset=''", "task.validation_questions=0")
    assert task.test[0].answers == ("Sinclair Lewis", "Harry Lewis")
    assert [(pair.question, pair.answer) for pair in task.train] == [
        ("Who won in 1930?", "Sinclair Lewis")
    ]


def test_a_row_that_says_the_same_as_one_before_is_left_out_and_counted(load):
    def row(number, question="Who won in 1930?", **answer):
        told = {"value": "Sinclair Lewis", "aliases": []} | answer
        return {"question_id": f"t{number}", "question": question, "answer": told}

    # rc.nocontext: a question with evidence on the web and on Wikipedia has a row for each.
    rows = [row(1), row(2, "Who won in 1931?"), row(1), row(1)]
    files = {"train.jsonl": [row(9, "Who lost?")], "validation.jsonl": rows}
    task = load("triviaqa", files, "task.subset=''", "task.validation_questions=0")
    assert [question.id for question in task.test] == ["t1", "t2"]
    assert "2 test rows left out: the same as one before" in task.notes
    files["validation.jsonl"] = [row(1), row(1, value="Thomas Mann")]
    with pytest.raises(DataError, match=r"row 2: id 't1' was used before, in .*row 1"):
        load("triviaqa", files, "task.subset=''")


ENTITY = {
    "test/P19.test.json": [{"question": "Where was Ann born?", "answers": ["Oslo"]}],
    "test/P36.test.json": [{"question": "What is the capital of X?", "answers": ["Y"]}],
    "dev/P19.dev.json": [{"question": "Where was Bob born?", "answers": ["Rome"]}],
    "train/P19.train.json": [{"question": "Where was Cem born?", "answers": ["Bonn"]}],
    "train/P50.train.json": [{"question": "Who wrote Z?", "answers": ["Dee", "D."]}],
}


def test_entity_questions_relations_are_its_files_names(load):
    task = load("entity_questions", ENTITY, "task.relations=[P19]")
    assert [(q.question, q.relation) for q in task.test] == [("Where was Ann born?", "P19")]
    assert [question.question for question in task.validation] == ["Where was Bob born?"]
    assert [pair.question for pair in task.train] == ["Where was Cem born?"]
    every = load("entity_questions", ENTITY, "task.relations=[]")
    assert [question.relation for question in every.test] == ["P19", "P36"]
    assert [pair.answer for pair in every.train] == ["Bonn", "Dee"]


def test_choices_can_be_chosen_by_index_or_by_label(tmp_path):
    path = tmp_path / "mc.jsonl"
    choices = {"text": ["red", "blue"], "label": ["A", "B"]}
    row = {"question": "Which?", "choices": choices, "key": "B", "index": 0}
    path.write_text(json.dumps(row))
    label = ColumnsConfig(
        answers="key", answer_is="label", choices="choices.text", choice_labels="choices.label"
    )
    index = ColumnsConfig(answers="index", answer_is="index", choices="choices.text")
    for columns, gold in ((label, "blue"), (index, "red")):
        task = load_task(DatasetConfig(path=str(path), columns=columns))
        assert task.test[0].choices == ("red", "blue")
        assert task.test[0].answers == (gold,)
    path.write_text(json.dumps(row | {"key": "E"}))
    with pytest.raises(DataError, match=r"row 1: the answer 'E' is none of A, B"):
        load_task(DatasetConfig(path=str(path), columns=label))


def test_a_csv_file_alone_holds_the_test_questions(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text("question,answer\nHow many?,27\nHow much?,5\n")
    columns = ColumnsConfig(answers="answer")
    task = load_task(DatasetConfig(path=str(path), columns=columns, validation_questions=0))
    assert [(q.id, q.answers) for q in task.test] == [("test-1", ("27",)), ("test-2", ("5",))]
    with pytest.raises(ConfigError, match=r"my.csv is one file, which holds the test questions"):
        load_task(DatasetConfig(path=str(path), splits=SplitsConfig(train="train")))


def test_a_corpus_of_ones_own_is_what_is_retrieved_from(load, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Ann\n\nAnn is a politician.\n")
    one = ["task.relations=[]", f"task.corpus={docs}"]
    task = load("popqa", {"test.jsonl": [popqa(1)]}, *one)
    assert [document.id for document in task.corpus] == ["a.md"]
    with pytest.raises(ConfigError, match=r"task.corpus and task.columns.context exclude"):
        DatasetConfig(corpus=str(docs), columns=ColumnsConfig(context="context"))


def documents(folder, *rows):
    """A corpus of (id, title) pairs, each saying its title."""
    path = folder / "summaries.jsonl"
    lines = [json.dumps({"id": i, "title": t, "text": f"About {t}."}) for i, t in rows]
    path.write_text("\n".join(lines))
    return f"task.corpus={path}"


NAMED = ["task.relations=[]", "task.columns.document=s_wiki_title", "task.validation_questions=0"]


def test_a_column_names_gold_documents_of_a_corpus_by_title_or_id(load, tmp_path):
    corpus = documents(tmp_path, ("d1", "Ann"), ("d2", "Ann"), ("Ben", "Benjamin"), ("d4", "Cem"))
    rows = [popqa(n, s_wiki_title=name) for n, name in enumerate(("Ann", "Ben", "Dora"))]
    task = load("popqa", {"test.jsonl": rows}, *NAMED, corpus)
    assert [q.gold_documents for q in task.test] == [("d1", "d2"), ("Ben",), ()]
    assert "1 of 3 questions name no document of the corpus in 's_wiki_title'" in task.notes


def test_an_id_goes_before_a_title_and_empty_titles_are_no_names(load, tmp_path):
    corpus = documents(tmp_path, ("Ann", "Ben"), ("Ben", "Ann"), ("d3", ""))
    rows = [popqa(1, s_wiki_title="Ann"), popqa(2, s_wiki_title="")]
    task = load("popqa", {"test.jsonl": rows}, *NAMED, corpus)
    assert [q.gold_documents for q in task.test] == [("Ann",), ()]


def test_names_in_a_list_are_all_gold_and_train_pairs_have_theirs(load, tmp_path):
    corpus = documents(tmp_path, ("Q1", "Ann"), ("Q2", "Ben"))
    rows = [
        {"question": f"Who is {n}?", "answers": ["x"], "evidence": [{"subject": {"uri": uri}}] * 2}
        for n, uri in (("one", "Q1"), ("two", "Q2"), ("three", "Q2"))
    ]
    files = {"test/P1.json": rows[:1], "train/P1.json": rows[1:2], "dev/P1.json": rows[2:]}
    column = "task.columns.document=evidence.subject.uri"
    task = load("entity_questions", files, "task.relations=[P1]", column, corpus)
    assert task.test[0].gold_documents == ("Q1",)
    assert (task.train[0].document_id, task.validation[0].gold_documents) == ("Q2", ("Q2",))


def test_names_that_are_nowhere_in_the_corpus_are_one_line(load, tmp_path):
    corpus = documents(tmp_path, ("d1", "Ann"))
    with pytest.raises(DataError) as error:
        load("popqa", {"test.jsonl": [popqa(1, s_wiki_title="Ben")]}, *NAMED, corpus)
    assert str(error.value) == (
        "task.columns.document=s_wiki_title: no question names a document of task.corpus by id or "
        "title; the first names 'Ben', and the corpus begins with 'd1', 'Ann'"
    )
    with pytest.raises(ConfigError, match=r"names documents of task.corpus: set that too"):
        DatasetConfig(columns=ColumnsConfig(document="s_wiki_title"))


def test_a_column_that_is_named_changes_a_hash_and_none_leaves_it(load, composer, tmp_path):
    settings = asdict(DatasetConfig(corpus="docs"))
    assert "document" not in telling("task", settings)["columns"]
    named = asdict(DatasetConfig(corpus="docs", columns=ColumnsConfig(document="page")))
    assert telling("task", named)["columns"]["document"] == "page"
    corpus = documents(tmp_path, ("d1", "Ann"))
    files = {"test.jsonl": [popqa(1, s_wiki_title="Ann")]}
    linked, plain = (load("popqa", files, *some, corpus) for some in (NAMED, NAMED[::2]))
    assert linked.test_sha256() != plain.test_sha256()


def test_without_documents_an_arm_that_needs_them_is_refused(load, composer):
    task = load("popqa", {"test.jsonl": [popqa(1)]}, "task.relations=[]")
    config = to_dataclass(composer.compose("method=rag_bm25", "task=popqa"))
    with pytest.raises(ConfigError, match=r"rag_bm25 retrieves, but task 'popqa' has no documents"):
        check_corpus(config, task)
    config = to_dataclass(composer.compose("method=lora", "task=popqa"))
    with pytest.raises(ConfigError, match=r"lora trains, but task 'popqa' has neither training"):
        check_corpus(config, task)
    check_corpus(to_dataclass(composer.compose("method=closed_book", "task=popqa")), task)


def test_a_column_that_is_not_there_is_told_with_those_that_are(load):
    with pytest.raises(DataError) as error:
        load("squad", SQUAD, "task.columns.answers=answers.txt")
    told = str(error.value)
    assert told.startswith("task.columns.answers=answers.txt: ")
    assert "has no such column; did you mean 'answers.text'?" in told
    assert "answers.answer_start" in told
    assert "context" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["task.splits.test=tset"], r"split tset cannot be loaded"),
        (
            ["task.splits.train=train.txt"],
            r"train.txt is none of .json, .jsonl, .csv, .tsv, .parquet",
        ),
        (["task.path=./nothing"], r"task.path=./nothing does not exist"),
        (["task.path=''"], r"needs task.path"),
        (["task.relation_from_file=true", "task.splits.test=x"], r"needs local files"),
        (["task.columns.id=title"], r"id 'Firsts' was used before, in .*validation"),
        (["task.columns.context=answers.text"], r"row 1: 'context' must be text, found list"),
    ],
)
def test_what_does_not_fit_is_one_line(load, overrides, expected):
    files = SQUAD | {"train.txt": []}
    with pytest.raises((ConfigError, DataError), match=expected) as error:
        load("squad", files, *overrides)
    assert "\n" not in str(error.value)


def test_a_damaged_file_is_one_line(load, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "validation.json").write_text("{not json")
    with pytest.raises(DataError, match=r"cannot be loaded") as error:
        load("squad", {}, "task.training=text", "task.splits.test=validation.json")
    assert "\n" not in str(error.value)


def test_a_hub_out_of_reach_is_one_line_and_nothing_else(monkeypatch, capfd):
    import logging

    import datasets

    def fail(**source):
        assert source == {"path": "owner/name", "split": "test", "revision": "v1"}
        logging.getLogger("huggingface_hub.utils").warning("Retrying in 1s")
        raise ConnectionError("Couldn't reach 'owner/name' on the Hub\nand more")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(SourceError, match=r"owner/name, split test is neither .* connect") as error:
        load_task(DatasetConfig(path="owner/name", revision="v1"))
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"answer_is": "lable"}, "did you mean 'label'"),
        ({"answer_is": "index"}, r"needs task.columns.choices"),
        ({"answer_is": "label", "choices": "c"}, r"answer_is=label needs them"),
        ({"question": ""}, r"task.columns.question is empty"),
    ],
)
def test_columns_that_do_not_go_together_are_refused(settings, expected):
    with pytest.raises(ConfigError, match=expected):
        ColumnsConfig(**settings)
