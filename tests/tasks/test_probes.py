import pytest

from harness.errors import ConfigError
from harness.tasks import load_task
from harness.tasks.config import FictionalConfig, WorldFactsConfig
from harness.tasks.overlap import wording
from harness.tasks.probes import (
    capital_questions,
    context_probe,
    data_lines,
    fact_probe,
    gloss_probe,
    held_out_texts,
)
from harness.tasks.replay import replay_prompts
from tasks.factbook_samples import countries, country


def test_capital_questions_have_four_options_with_the_gold_among_them():
    entries = [*countries(8), country("s", name="Singapore", capital="Singapore")]
    questions = capital_questions(entries, seed=0)
    assert [question.answers[0] for question in questions] == [f"Town{n}" for n in range(1, 9)]
    for question in questions:
        assert len(set(question.choices)) == 4
        assert question.answers[0] in question.choices
    assert questions == capital_questions(entries, seed=0)


def test_the_fact_probe_refuses_a_task_that_trains_on_capitals():
    with pytest.raises(ConfigError, match="probe and training must be disjoint"):
        fact_probe(exclude=["anthem", "capital"])


def test_the_gloss_probe_never_gives_the_word_away():
    questions = gloss_probe()
    assert len({question.id for question in questions}) == len(questions) == 200
    for question in questions:
        assert question.answers[0] not in wording(question.question).split()
        assert len(set(question.choices)) == 4
        assert question.answers[0] in question.choices
    positions = [question.choices.index(question.answers[0]) for question in questions]
    assert all(30 <= positions.count(position) <= 70 for position in range(4))


def test_the_context_probe_gives_each_question_the_document_that_answers_it():
    probe = context_probe(n=50)
    assert len(probe) == 50
    for question, document in probe:
        assert question.answers[0] in document.text
        assert question.gold_documents == (document.id,)
    assert len(context_probe(n=1)) == 1


def test_the_context_probe_asks_of_nobody_that_the_fictional_task_trains_on():
    task = load_task(FictionalConfig(entities=600))
    trained = {document.title for document in task.corpus}
    assert not trained & {document.title for _, document in context_probe()}


def test_bundled_word_lists_do_not_overlap_the_gloss_probe():
    probed = {word for question in gloss_probe() for word in question.choices}
    assert not probed & set(data_lines("wordnet_words.txt"))


@pytest.mark.real
def test_the_fact_probe_has_200_countries_or_more():
    questions = fact_probe(exclude=WorldFactsConfig().relations)
    assert len(questions) >= 200
    assert len({question.question for question in questions}) == len(questions)


@pytest.mark.real
@pytest.mark.parametrize("config", [WorldFactsConfig(phrasings=6), FictionalConfig(phrasings=10)])
def test_probes_and_training_are_disjoint(config):
    task = load_task(config)
    probed = fact_probe(exclude=config.relations) + gloss_probe()
    probed += [question for question, _ in context_probe()]
    asked = {wording(question.question) for question in probed}
    assert not asked & {wording(pair.question) for pair in task.train}
    assert not {question.relation for question in fact_probe()} & set(config.relations)
    told = [document.text for document in task.corpus if not document.distractor]
    facts = [(question.question, question.answers[0]) for question in fact_probe()]
    # what is trained on never states which capital a country has
    assert not any("capital" in text for text in told + [pair.question for pair in task.train])
    assert len(facts) >= 200


@pytest.mark.real
def test_replay_shares_nothing_with_probes_tests_or_trained_relations():
    prompts = replay_prompts(1000)
    assert len(set(prompts)) == 1000
    task = load_task(WorldFactsConfig())
    held_out = [*task.test, *task.validation, *fact_probe(), *gloss_probe()]
    asked = {wording(question.question) for question in held_out}
    asked |= {wording(pair.question) for pair in task.train}
    assert not asked & {wording(prompt) for prompt in prompts}
    trained_words = ("capital", "anthem", "highest", "symbol", "legislature", "parliament")
    for prompt in prompts:
        assert not any(word in prompt.split() for word in trained_words), prompt


@pytest.mark.real
def test_replay_is_drawn_by_seed_and_bounded():
    assert replay_prompts(30, seed=1) == replay_prompts(30, seed=1) != replay_prompts(30, seed=2)
    with pytest.raises(ConfigError, match="100000 replay prompts were asked for, but there are"):
        replay_prompts(100_000)


@pytest.mark.real
def test_held_out_texts_are_150_and_not_empty():
    texts = held_out_texts()
    assert len(texts) == 150
    assert all(len(text) > 100 for text in texts)
