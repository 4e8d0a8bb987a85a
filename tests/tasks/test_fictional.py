import pytest

from harness.errors import ConfigError
from harness.tasks import load_task
from harness.tasks.config import FICTIONAL_RELATIONS, FictionalConfig
from harness.tasks.custom import wording
from harness.tasks.fictional_wording import STATEMENTS, TEST_WORDING, TRAINING_WORDINGS


def fictional(**settings):
    settings = {"entities": 12, "distractor_entities": 6, "validation_questions": 4} | settings
    return load_task(FictionalConfig(**settings))


def test_the_same_config_gives_the_same_task_and_another_seed_another():
    assert fictional() == fictional()
    assert fictional().corpus_sha256() != fictional(split_seed=1).corpus_sha256()


def test_sizes_follow_the_settings():
    task = fictional(entities=12, phrasings=3)
    assert len(task.test) == 12 * 2 - 4  # two facts an entity, four of them validation
    assert len(task.train) == 12 * 2 * 3
    assert [document.distractor for document in task.corpus] == [False] * 12 + [True] * 6
    assert len(fictional(entities=3000, test_questions=50).test) == 50


def test_names_are_unique():
    task = fictional(entities=3000)
    titles = [document.title for document in task.corpus]
    assert len(set(titles)) == len(titles)


def test_every_fact_stands_in_its_document_and_in_training():
    task = fictional(phrasings=10)
    documents = {document.id: document for document in task.corpus}
    for question in task.test + task.validation:
        assert question.answers[0] in documents[question.gold_documents[0]].text
        pairs = [pair for pair in task.train if pair.question_id == question.id]
        assert len({pair.question for pair in pairs}) == 10
        assert {pair.answer for pair in pairs} == {question.answers[0]}
        assert question.popularity is None


def test_multiple_choice_offers_the_gold_among_answers_to_the_same_relation():
    task = fictional(entities=30, choices=4)
    golds = {question.relation: set() for question in task.test}
    for question in task.test + task.validation:
        golds[question.relation].add(question.answers[0])
    for question in task.test:
        assert len(set(question.choices)) == 4
        assert question.answers[0] in question.choices
        assert set(question.choices) <= golds[question.relation]
    assert len({question.choices.index(question.answers[0]) for question in task.test}) == 4


def test_unanswerable_questions_have_their_share_and_no_answer_anywhere():
    task = fictional(entities=60, unanswerable_share=0.25)
    odd = [question for question in task.test if question.unanswerable]
    assert len(odd) / len(task.test) == pytest.approx(0.25, abs=0.01)
    assert all(not question.answers and not question.gold_documents for question in odd)
    trained = {pair.question_id for pair in task.train}
    assert not trained & {question.id for question in odd}
    # of some entities the corpus tells something, but not what is asked
    documents = {document.id: document for document in task.corpus}
    told = [question for question in odd if question.cluster in documents]
    assert 0 < len(told) < len(odd)
    for question in told:
        name = documents[question.cluster].title
        sentence = STATEMENTS[question.relation].format(name=name, answer="|").split("|")[0]
        assert sentence not in documents[question.cluster].text


def test_relations_choose_what_is_told():
    task = fictional(relations=["river"])
    assert {question.relation for question in task.test} == {"river"}
    assert len(task.test) + len(task.validation) == 4  # a third of the entities are towns


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"choices": 1}, "use 0 .* or 2 to 10"),
        ({"choices": 4, "unanswerable_share": 0.1}, "exclude each other"),
        ({"unanswerable_share": 1.0}, "below 1"),
        ({"relations": ["rivers"]}, "did you mean 'river'"),
        ({"phrasings": 11}, "have 10 training phrasings"),
        ({"choices": 10, "entities": 9}, "only 3 different answers"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        fictional(**settings)


def test_no_training_wording_or_statement_holds_the_test_wording():
    for relation in FICTIONAL_RELATIONS:
        held_out = wording(TEST_WORDING[relation].format(name="X"))
        trained = [wording(form.format(name="X")) for form in TRAINING_WORDINGS[relation]]
        assert len(set(trained)) == len(trained) == 10
        for form in [*trained, wording(STATEMENTS[relation].format(name="X", answer="Y"))]:
            assert held_out not in form
            assert form not in held_out
