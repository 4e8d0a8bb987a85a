import pytest

from harness.errors import ConfigError
from harness.measures.accuracy import (
    ANSWER_PARTS,
    REFUSAL_PHRASES,
    REFUSALS_ALONE,
    by_bucket,
    contains,
    contains_paper,
    exact_match,
    f1,
    is_refusal,
    normalise,
    rouge_l,
    score,
    summarise,
)
from harness.measures.definitions import ACCURACY, ON_REQUEST
from harness.types import Answer, Prediction, Question


def predicted(text: str, options: tuple[float, ...] = (), **question) -> Prediction:
    fields = {"id": "q", "question": "?", "answers": ("Paris",), **question}
    return Prediction(Question(**fields), "prompt", Answer(text, 5, 2, options))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  The  Eiffel-Tower! ", "eiffeltower"),
        ("An apple, a day", "apple day"),
        ("Theatre of an another", "theatre of another"),
        ("U.S.A.", "usa"),
        ("1,500 m", "1500 m"),
        ("The", ""),
    ],
)
def test_normalisation_is_squads(text, expected):
    assert normalise(text) == expected


def test_exact_match_takes_the_best_of_gold_and_aliases():
    golds = ("French Republic", "France")
    assert exact_match("the France.", golds) == 1
    assert exact_match("in France", golds) == 0
    assert exact_match("", golds) == 0


def test_a_gold_answer_that_normalises_to_nothing_is_not_matched_by_silence():
    assert exact_match("", ("The",)) == 0
    assert contains("anything", ("+",)) == 0
    assert exact_match("+", ("+",)) == 1


@pytest.mark.parametrize(
    ("text", "golds", "expected"),
    [
        ("police killed gunman", ["police killed gunman"], 1.0),
        # Lin 2004, section 3.2: "police … gunman" of "police kill gunman": 2 of 3 and 3 tokens.
        ("police kill gunman", ["police killed gunman"], 2 / 3),
        # Order counts: "gunman kill police" shares one token in order, though f1 is the same.
        ("gunman kill police", ["police killed gunman"], 1 / 3),
        # Gaps do not: all three of the gold stand in order among five.
        ("police quickly killed one gunman", ["police killed gunman"], 2 * 3 / 8),
        ("It was built in 1911, by Ann", ["Built in 1911"], 2 * 3 / (7 + 3)),
        ("Lima", ["Paris", "Lima Peru"], 2 * 1 / (1 + 2)),
        ("nothing shared", ["Lima"], 0.0),
        ("", ["Lima"], 0.0),
        ("x y x y", ["y x"], 2 * 2 / 6),
    ],
)
def test_rouge_l_by_hand(text, golds, expected):
    assert rouge_l(text, golds) == pytest.approx(expected)


def test_f1_by_hand():
    # tokens of the prediction: mount everest nepal; of gold: mount everest -> 2·2 / (3 + 2)
    assert f1("Mount Everest, Nepal", ("Mount Everest",)) == pytest.approx(0.8)
    # "new" twice in the prediction, once in gold: shared 1 -> 2·1 / (2 + 2)
    assert f1("new new", ("new york",)) == pytest.approx(0.5)
    assert f1("Nepal", ("Mount Everest", "Nepal peak")) == pytest.approx(2 / 3)
    assert f1("Lhotse", ("Mount Everest",)) == 0


def test_contains_wants_whole_tokens_in_one_run():
    assert contains("It is the Mount Everest.", ("mount everest",)) == 1
    assert contains("Mount of Everest", ("Mount Everest",)) == 0
    assert contains("Romania", ("Oman",)) == 0
    assert contains("in 1911", ("11",)) == 0
    assert contains("", ("Oman",)) == 0


def test_contains_paper_keeps_the_case_of_the_prediction_and_ignores_boundaries():
    assert contains_paper("Romania", ("oman",)) == 1
    assert contains_paper("it is paris", ("Paris",)) == 1  # gold lower-cased
    assert contains_paper("It is Paris", ("paris",)) == 1  # gold capitalised
    assert contains_paper("IT IS PARIS", ("Paris",)) == 0
    assert contains_paper("It is New york", ("new York",)) == 1  # capitalize() lowers the rest
    assert contains_paper("anything", ("",)) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I don't know.",
        "I don’t know",
        "Unknown",
        "N/A",
        "That cannot be answered from the text",
    ],
)
def test_refusals_are_recognised(text):
    assert is_refusal(text)


@pytest.mark.parametrize("text", ["Tomb of the Unknown Soldier", "None of the Above Records", "No"])
def test_names_that_hold_a_refusal_word_are_answers(text):
    assert not is_refusal(text)


SENTENCE_REFUSALS = (
    "The context does not say who wrote it.",
    "The context doesn't say when it opened.",
    "There is no mention of a director.",
    "The text makes no mention of his wife.",
    "The passage doesn't provide the year.",
    "The passage does not provide that detail.",
    "I have no idea who that was.",
    "I couldn't find the answer in the text.",
    "I could not find her birthplace.",
    "I cannot find it in the passage.",
    "I can't find a date.",
    "I am unable to determine the winner.",
    "The winner cannot be determined from the text.",
    "We cannot determine the year from this.",
    "It is impossible to determine the author.",
    "It is impossible to say from the passage.",
    "There is insufficient information to tell.",
    "There is not enough information here.",
    "There is no information in the passage.",
    "The text has no information on her parents.",
    "The year is not specified in the context.",
    "The name of the mayor is not stated.",
    "The article does not specify the river.",
    "The article doesn't specify a place.",
    "The text does not state his age.",
    "The passage does not contain the answer.",
    "The length of the bridge is not mentioned.",
)
SENTENCE_ANSWERS = (
    "Nobody Knows was directed by Hirokazu Koreeda.",
    "The Unknown was directed by Tod Browning.",
    "None of the Above is a play by Jenny Lyn Bader.",
    "It was released as No Answer in 1958.",
    "I'm sorry, but I think it is Paris.",  # an apology alone declines nothing
    "The single is called Sorry.",
    "The song is I'm Sorry by Brenda Lee.",
    "Sorry, Wrong Number was directed by Anatole Litvak.",
    "He plays the Man with No Name.",
    "It contains no caffeine.",
    "Green tea does not contain alcohol.",
    "The Statement was directed by Norman Jewison.",
    "The bird cannot fly.",
    "No Country for Old Men was directed by the Coens.",
    "It was not Paris but Lyon.",
    "The treaty mentions France and Spain.",
    "The context of the speech was the Cold War.",
    "She was the first to mention the comet.",
    "The author of the passage is Homer.",
    "The Information was written by Martin Amis.",
    "It provides water to the city of Oman.",
    "The state is Ohio.",
    "He said that the river is the Nile.",
    "The species was specified by Linnaeus.",
    "Mission: Impossible was directed by Brian De Palma.",
    "The Tomb of the Unknown Soldier is in Arlington.",
    "Idea was written by Michael Drayton.",
    "The album is Not Available by The Residents.",
    "It is also known as Not Sure Island.",
    "He was a native of Nara, Japan.",
    "Finding Nemo was directed by Andrew Stanton.",
)


@pytest.mark.parametrize("text", SENTENCE_REFUSALS)
def test_a_sentence_that_declines_is_a_refusal(text):
    assert is_refusal(text)


@pytest.mark.parametrize("text", SENTENCE_ANSWERS)
def test_a_sentence_that_answers_is_no_refusal(text):
    assert not is_refusal(text)


GOLDS_LIKE_REFUSALS = ("I Have No Idea", "Not Specified", "Unknown")


@pytest.mark.parametrize("gold", GOLDS_LIKE_REFUSALS)
def test_a_gold_that_reads_like_a_refusal_is_no_false_refusal(gold):
    assert is_refusal(gold)
    assert score(predicted(gold, answers=(gold,)))["false_refusal"] == 0


@pytest.mark.parametrize("phrase", REFUSALS_ALONE + REFUSAL_PHRASES)
def test_every_refusal_phrase_is_written_as_normalised_text(phrase):
    assert normalise(phrase) == phrase
    assert is_refusal(phrase)


def test_an_open_question_gets_the_open_measures_only():
    assert score(predicted("Paris, France")) == {
        "exact_match": 0.0,
        "f1": pytest.approx(2 / 3),
        "rouge_l": pytest.approx(2 / 3),
        "contains": 1.0,
        "contains_paper": 1.0,
        "false_refusal": 0.0,
    }
    assert score(predicted("I do not know"))["false_refusal"] == 1


def test_a_right_answer_that_reads_like_a_refusal_is_none():
    assert score(predicted("None", answers=("none",)))["false_refusal"] == 0


def test_an_unanswerable_question_gets_false_answer_only():
    nothing = {"answers": (), "unanswerable": True}
    assert score(predicted("Paris", **nothing)) == {"false_answer": 1.0}
    assert score(predicted("Not mentioned.", **nothing)) == {"false_answer": 0.0}


def test_a_multiple_choice_question_gets_both_choices():
    # per character: -4 / 2 = -2 for "Li", -5 / 5 = -1 for "Paris"
    prediction = predicted("Li", (-4.0, -5.0), choices=("Li", "Paris"))
    assert score(prediction) == {"multiple_choice": 0.0, "multiple_choice_normalised": 1.0}


def test_options_are_not_normalised_before_they_are_compared():
    prediction = predicted("-5", choices=("+5", "-5"), answers=("+5",))
    assert score(prediction) == {"multiple_choice": 0.0}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("whole", "Mt. Foo \nNext"),
        ("first_line", "Mt. Foo"),
    ],
)
def test_the_answer_part_that_is_scored(part, expected):
    assert ANSWER_PARTS[part](" \nMt. Foo \nNext ") == expected


def test_the_answer_part_changes_the_score():
    prediction = predicted("Paris\nQuestion: what else?")
    assert score(prediction)["exact_match"] == 0
    assert score(prediction, "first_line")["exact_match"] == 1


def test_an_unknown_answer_part_is_refused_with_the_choices():
    with pytest.raises(ConfigError, match="did you mean 'first_line'"):
        score(predicted("x"), "firstline")


def test_every_metric_that_is_scored_has_a_definition():
    kinds = [
        score(predicted("x")),
        score(predicted("x", answers=(), unanswerable=True)),
        score(predicted("x", (-1.0, -2.0), choices=("x", "Paris"))),
    ]
    assert {name for scores in kinds for name in scores} == set(ACCURACY) - set(ON_REQUEST)


def test_a_mean_is_over_the_questions_that_the_measure_applies_to():
    predictions = [
        predicted("Paris", id="1", cluster="a"),
        predicted("Rome", id="2", cluster="b"),
        predicted("Rome", id="3", answers=(), unanswerable=True, cluster="b"),
    ]
    summary = summarise(predictions, [score(p) for p in predictions])
    assert (summary["exact_match"].mean, summary["exact_match"].n) == (0.5, 2)
    assert (summary["false_answer"].mean, summary["false_answer"].n) == (1.0, 1)
    assert "multiple_choice" not in summary


def test_buckets_are_summarised_apart_and_questions_without_one_left_out():
    predictions = [
        predicted("Paris", id="1", bucket="high"),
        predicted("Rome", id="2", bucket="low"),
        predicted("Paris", id="3", bucket="low"),
        predicted("Paris", id="4"),
    ]
    buckets = by_bucket(predictions, [score(p) for p in predictions])
    assert {name: b["exact_match"].mean for name, b in buckets.items()} == {"high": 1, "low": 0.5}
    assert buckets["low"]["exact_match"].n == 2
