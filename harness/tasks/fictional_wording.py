"""How fictional facts are worded: one held-out wording for each relation, and ten to train on."""

from __future__ import annotations

TEST_WORDING = {
    "birthplace": "Where was {name} born?",
    "profession": "What does {name} do for a living?",
    "river": "Which river flows through {name}?",
    "mayor": "Who is the mayor of {name}?",
    "founder": "Who founded {name}?",
    "headquarters": "Where is {name} based?",
}

TRAINING_WORDINGS = {
    "birthplace": (
        "What is the birthplace of {name}?",
        "In which town did {name} come into the world?",
        "Name the town of birth of {name}.",
        "{name} is a native of which town?",
        "From which town does {name} come originally?",
        "Which town's birth register lists {name}?",
        "Tell me the town where the life of {name} began.",
        "Which town can call {name} its child?",
        "The birth of {name} took place in which town?",
        "What town is given as the place of birth of {name}?",
    ),
    "profession": (
        "What is the profession of {name}?",
        "Name the occupation of {name}.",
        "Which trade does {name} follow?",
        "By profession, {name} is what?",
        "How does {name} earn money?",
        "What job does {name} have?",
        "Tell me the line of work of {name}.",
        "In what occupation is {name} employed?",
        "What would {name} write under 'occupation' on a form?",
        "Which craft or calling is that of {name}?",
    ),
    "river": (
        "What is the river of {name} called?",
        "Name the river in {name}.",
        "On the banks of which river does {name} lie?",
        "The bridges of {name} cross which river?",
        "Which waterway runs past the houses of {name}?",
        "{name} stands beside which river?",
        "Tell me the name of the stream that {name} was built on.",
        "What river would you see in {name}?",
        "The water under the bridges of {name} belongs to which river?",
        "Which river do the people of {name} live by?",
    ),
    "mayor": (
        "Name the mayor of the town of {name}.",
        "Which person heads the town council of {name}?",
        "Who governs the town of {name}?",
        "Who runs the town hall of {name}?",
        "Tell me who holds the highest office in {name}.",
        "Who was elected to lead {name}?",
        "The town of {name} is led by whom?",
        "Whose signature stands under the decrees of {name}?",
        "Who wears the chain of office in {name}?",
        "Who speaks for {name} as head of the town?",
    ),
    "founder": (
        "Name the founder of {name}.",
        "Which person started the company {name}?",
        "By whom was {name} established?",
        "{name} was set up by whom?",
        "Whose idea was the company {name}?",
        "Tell me who created the firm {name}.",
        "Who brought {name} into being?",
        "The firm {name} goes back to which person?",
        "Who opened the first workshop of {name}?",
        "Which founder does {name} have?",
    ),
    "headquarters": (
        "In which town are the headquarters of {name}?",
        "Name the home town of the company {name}.",
        "Where does {name} have its main office?",
        "The head office of {name} is in which town?",
        "From which town is {name} run?",
        "Which town is the seat of {name}?",
        "Tell me the town that houses {name}.",
        "Where would a letter to the management of {name} be sent?",
        "Which town hosts the management of {name}?",
        "{name} is managed from which town?",
    ),
}

# Sentences of a document, by relation; the answer is a name or a profession.
STATEMENTS = {
    "birthplace": "{name} was born in {answer}.",
    "profession": "The profession of {name} is {answer}.",
    "river": "The river {answer} flows through {name}.",
    "mayor": "The mayor of {name} is {answer}.",
    "founder": "{name} was founded by {answer}.",
    "headquarters": "{name} has its headquarters in {answer}.",
}
INTRODUCTIONS = {
    "person": "{name} is a person of some standing.",
    "town": "{name} is a small town.",
    "company": "{name} is a company.",
}
