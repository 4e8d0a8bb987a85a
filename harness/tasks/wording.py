"""How world facts are worded: one held-out wording for each relation, and six to train on.

No training wording may equal or contain the test's (a test checks it), so that an adapter that
answers the test has learned the fact and not the sentence.
"""

from __future__ import annotations

TEST_WORDING = {
    "highest point": "What is the highest point in {country}?",
    "national symbol": "What is the national symbol of {country}?",
    "anthem": "What is the title of the national anthem of {country}?",
    "legislature": "What is the legislature of {country} called?",
}

TRAINING_WORDINGS = {
    "highest point": (
        "Which place in {country} rises highest above sea level?",
        "Name the highest elevation of {country}.",
        "Where would you stand to be as high up as possible in {country}?",
        "In {country}, which peak or place tops all others?",
        "At which place does the land of {country} reach its greatest height?",
        "Tell me what the tallest peak or spot of {country} is called.",
    ),
    "national symbol": (
        "Which emblem stands for {country}?",
        "Name an animal, plant or object that represents {country}.",
        "By what is {country} symbolised?",
        "In heraldry and on official items, what represents {country}?",
        "What did {country} choose as its emblem?",
        "Tell me an official emblem of {country}.",
    ),
    "anthem": (
        "Which song is sung as the anthem of {country}?",
        "Name the anthem of {country}.",
        "What do the people of {country} sing on national occasions?",
        "When a team from {country} wins, which anthem is played?",
        "What song represents {country} at official ceremonies?",
        "Tell me how the anthem of {country} is titled.",
    ),
    "legislature": (
        "Which body makes the laws of {country}?",
        "Name the lawmaking assembly of {country}.",
        "In {country}, who passes the laws?",
        "Where do the elected lawmakers of {country} sit?",
        "By what name is the lawmaking body of {country} known?",
        "Tell me what people call the law-making institution of {country}.",
    ),
}

# Sentences of a fact document: plain statements, as reference works make them.
STATEMENTS = {
    "highest point": "Its highest point is {answer}.",
    "national symbol": "Its national symbol is {answer}.",
    "anthem": 'Its national anthem is "{answer}".',
    "legislature": "Its legislature is the {answer}.",
}
