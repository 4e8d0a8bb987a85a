from collections import Counter

import pytest

from harness.errors import ConfigError
from harness.tasks import load_task
from harness.tasks.config import WORLD_FACTS_RELATIONS, WorldFactsConfig
from harness.tasks.custom import wording
from harness.tasks.factbook import countries as real_countries
from harness.tasks.gold import MAX_WORDS, gold
from harness.tasks.wording import STATEMENTS, TEST_WORDING, TRAINING_WORDINGS
from harness.tasks.world_facts import build_world_facts, inhabitants
from tasks.factbook_samples import countries, country


def small(**settings):
    settings = {"countries": 6, "validation_questions": 6, "distractor_countries": 2} | settings
    return build_world_facts(WorldFactsConfig(**settings), countries(9))


def test_countries_come_equally_from_three_population_bins():
    task = small()
    questions = task.validation + task.test
    assert len(questions) == 6 * 4
    assert Counter(question.bucket for question in questions) == {
        "low": 8,
        "middle": 8,
        "high": 8,
    }
    for question in questions:
        million = question.popularity / 1e6
        assert question.bucket == ("low" if million <= 3 else "middle" if million <= 6 else "high")


def test_validation_and_test_are_disjoint_and_trained_on_alike():
    task = small()
    assert len(task.validation) == 6
    assert len(task.test) == 18
    ids = [question.id for question in task.validation + task.test]
    assert len(set(ids)) == 24
    trained = Counter(pair.question_id for pair in task.train)
    assert set(trained) == set(ids)
    assert set(trained.values()) == {4}  # phrasings


def test_a_fact_is_told_the_same_in_question_training_and_document():
    task = small()
    question = task.test[0]
    document = next(doc for doc in task.corpus if doc.id == question.gold_documents[0])
    pairs = [pair for pair in task.train if pair.question_id == question.id]
    assert question.answers[0] in document.text
    assert not document.distractor
    assert {pair.answer for pair in pairs} == {question.answers[0]}
    assert {pair.document_id for pair in pairs} == {document.id}
    assert question.cluster == document.id.removesuffix("-facts")


def test_corpus_holds_facts_hard_distractors_and_backgrounds():
    task = small()
    kinds = Counter(
        (document.id.rsplit("-", 1)[1], document.distractor) for document in task.corpus
    )
    assert kinds == {("facts", False): 6, ("facts", True): 2, ("background", True): 9}
    assert len(small(background=False, distractor_countries=0).corpus) == 6


def test_split_seed_alone_varies_the_split():
    assert small().test_sha256() == small().test_sha256()
    assert small(split_seed=1).test_sha256() != small().test_sha256()
    assert small(phrasings=2).test_sha256() == small().test_sha256()


def test_test_questions_are_capped_and_relations_chosen():
    task = small(test_questions=5, relations=["anthem", "legislature"])
    assert len(task.test) == 5
    assert {question.relation for question in task.validation + task.test} == {
        "anthem",
        "legislature",
    }
    assert not any("Peak" in pair.answer for pair in task.train)


def test_training_on_text_leaves_the_pairs_out():
    task = small(training="text")
    assert task.train == ()
    assert any(not document.distractor for document in task.corpus)


def test_territories_and_countries_without_a_fair_gold_are_not_asked_about():
    entries = [
        *countries(3),
        country("t1", name="Outpost", dependency="territory of Avalon"),
        country("t2", name="Plain", legislature="Parliament"),
    ]
    config = WorldFactsConfig(countries=3, validation_questions=3)
    task = build_world_facts(config, entries)
    assert {question.cluster for question in task.test} <= {"c01", "c02", "c03"}
    plain = next(document for document in task.corpus if document.id == "t2-facts")
    assert plain.distractor
    assert "Parliament" not in plain.text


def test_a_common_answer_is_noted():
    entries = [country(f"c{n}", name=f"Land{n}", population=f"{n},000,000") for n in (1, 2, 3)]
    task = build_world_facts(WorldFactsConfig(countries=3), entries)
    assert "'lion' is the answer to 3 of 3 national symbol questions" in task.notes
    assert not small().notes


def test_too_many_countries_or_phrasings_are_refused_with_the_most_there_are():
    with pytest.raises(ConfigError, match=r"only 9 countries .* use at most 9"):
        small(countries=12)
    with pytest.raises(ConfigError, match="have 6 training phrasings"):
        small(phrasings=7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"countries": 47}, "three population bins .* use 45"),
        ({"relations": ["anthm"]}, "unknown relation 'anthm'.*did you mean 'anthem'"),
        ({"relations": []}, "one or more relations"),
        ({"relations": ["anthem", "anthem"]}, "each once"),
        ({"training": "pair"}, "did you mean 'pairs'"),
        ({"phrasings": 0}, "task.phrasings=0"),
        ({"test_questions": 0}, "task.test_questions=0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        WorldFactsConfig(**settings)


def test_no_training_wording_or_statement_holds_the_test_wording():
    for relation in WORLD_FACTS_RELATIONS:
        held_out = wording(TEST_WORDING[relation].format(country="X"))
        trained = [wording(form.format(country="X")) for form in TRAINING_WORDINGS[relation]]
        assert len(set(trained)) == len(trained) >= 5
        for form in [*trained, wording(STATEMENTS[relation].format(answer="Y"))]:
            assert held_out not in form
            assert form not in held_out


def test_populations_are_rounded():
    assert inhabitants(47_735_685) == "about 47.7 million"
    assert inhabitants(31_815) == "about 32,000"
    assert inhabitants(593) == "593"


@pytest.mark.real
def test_the_real_task_has_the_size_that_the_readme_states():
    task = load_task(WorldFactsConfig())
    assert (len(task.validation), len(task.test), len(task.train)) == (40, 152, 768)
    assert Counter(question.bucket for question in task.validation + task.test) == {
        "low": 64,
        "middle": 64,
        "high": 64,
    }
    assert sum(not document.distractor for document in task.corpus) == 48
    assert len({document.id for document in task.corpus}) == len(task.corpus)


@pytest.mark.real
def test_real_golds_are_clean_and_never_repeat_the_question():
    seen = 0
    for entry in real_countries():
        for relation in (*WORLD_FACTS_RELATIONS, "capital"):
            found = gold(entry, relation)
            if found is None:
                continue
            seen += 1
            assert len(found.text.split()) <= MAX_WORDS
            for answer in found.answers:
                assert not set(answer) & set('<>&;()"[]'), (entry.code, answer)
                assert "unnamed" not in answer and "none" not in answer.split()
                assert not answer.rstrip(" m").split()[-1].isdigit(), (entry.code, answer)
                asked = TEST_WORDING.get(relation, "{country}").format(country=entry.in_text)
                assert f" {wording(answer)} " not in f" {wording(asked)} ", (entry.code, answer)
    assert seen > 800


@pytest.mark.real
@pytest.mark.parametrize(
    ("code", "relation", "answer", "alias"),
    [
        ("is", "legislature", "Knesset", None),
        ("us", "highest point", "Mount McKinley", "Denali"),
        ("tz", "highest point", "Kilimanjaro", "Mount Kilimanjaro"),
        ("ag", "national symbol", "fennec fox", None),
        ("bu", "anthem", "Mila Rodino", "Dear Homeland"),
        ("mo", "legislature", None, None),
        ("no", "anthem", None, None),
        ("bn", "highest point", None, None),
        ("up", "capital", "Kyiv", "Kiev"),
    ],
)
def test_real_golds_read_by_eye(code, relation, answer, alias):
    entry = next(entry for entry in real_countries() if entry.code == code)
    found = gold(entry, relation)
    assert (found.text if found else None) == answer
    if alias:
        assert alias in found.aliases
