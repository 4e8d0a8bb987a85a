"""The settings of every task: plain dataclasses that Hydra can use, importing nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.errors import ConfigError, suggestion

WORLD_FACTS_RELATIONS = ("highest point", "national symbol", "anthem", "legislature")
FICTIONAL_RELATIONS = (
    "birthplace",
    "profession",
    "river",
    "mayor",
    "founder",
    "headquarters",
)


@dataclass
class DistractorsConfig:
    """Documents that are added to a task's corpus, indexed and never trained on.

    Attributes:
        source: "none", "wikipedia" (some 10,000 summaries, CC BY-SA) or "files" (of your own).
        path: a folder or file of documents, for ``source=files``.
        count: how many are added; "matched" adds as many as the task's corpus has.
        choose: "random" (drawn by ``split_seed``) or "hard" (nearest by BM25 to the test and
            validation questions). Neither takes a document that holds a gold answer.
    """

    source: str = "none"
    path: str = ""
    count: str = "matched"
    choose: str = "random"

    def __post_init__(self) -> None:
        for setting, value, known in (
            ("source", self.source, ("none", "wikipedia", "files")),
            ("choose", self.choose, ("random", "hard")),
        ):
            if value not in known:
                raise ConfigError(
                    f"task.distractors.{setting}={value} is unknown: it is one of "
                    f"{', '.join(known)}" + suggestion(value, list(known))
                )
        if self.count != "matched" and not (self.count.isdecimal() and int(self.count) >= 1):
            raise ConfigError(
                f"task.distractors.count={self.count}: use a number from 1 up, or 'matched'"
            )
        if (self.source == "files") != bool(self.path):
            raise ConfigError(
                f"task.distractors.source={self.source} and task.distractors.path='{self.path}' do "
                "not fit: source=files needs a path, and no other source uses one"
            )


@dataclass
class TaskConfig:
    """What every task can be told.

    Attributes:
        name: which task, a key of ``harness.tasks.TASKS``.
        split_seed: which entities and which questions are drawn; nothing else varies the split.
        training: "pairs" trains on questions and answers in other phrasings than the test's;
            "text" trains on the raw text of the documents that are not distractors.
        phrasings: how many training phrasings each fact gets (with ``training=pairs``).
        test_questions: at most so many test questions, drawn by ``split_seed``; null keeps all.
        validation_questions: at most so many validation questions.
        distractors: documents added to the corpus.
    """

    name: str = ""
    split_seed: int = 0
    training: str = "pairs"
    phrasings: int = 4
    test_questions: int | None = None
    validation_questions: int = 40
    distractors: DistractorsConfig = field(default_factory=DistractorsConfig)

    def __post_init__(self) -> None:
        if self.training not in ("pairs", "text"):
            raise ConfigError(
                f"task.training={self.training} is unknown: it is 'pairs' or 'text'"
                + suggestion(self.training, ["pairs", "text"])
            )
        at_least("task.phrasings", self.phrasings, 1)
        at_least("task.validation_questions", self.validation_questions, 0)
        if self.test_questions is not None:
            at_least("task.test_questions", self.test_questions, 1)


@dataclass
class WorldFactsConfig(TaskConfig):
    """Facts of the World Factbook about ``countries`` countries, in three equal population bins.

    Attributes:
        relations: what is asked of each country, of ``WORLD_FACTS_RELATIONS``.
        countries: how many countries are asked about (a multiple of three).
        background: whether every country's Background text is a distractor document.
        distractor_countries: how many fact documents of other countries are distractors.
    """

    name: str = "world_facts"
    relations: list[str] = field(default_factory=lambda: list(WORLD_FACTS_RELATIONS))
    countries: int = 48
    background: bool = True
    distractor_countries: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        known_relations(self.relations, WORLD_FACTS_RELATIONS)
        at_least("task.countries", self.countries, 3)
        at_least("task.distractor_countries", self.distractor_countries, 0)
        if self.countries % 3:
            raise ConfigError(
                f"task.countries={self.countries} does not divide into three population bins of "
                f"equal size; use {self.countries - self.countries % 3}"
            )


@dataclass
class FictionalConfig(TaskConfig):
    """Facts about invented people, towns and companies, generated from ``split_seed``.

    Attributes:
        relations: which facts are told of an entity, of ``FICTIONAL_RELATIONS``.
        entities: how many people, towns and companies (a third each) are asked about.
        distractor_entities: how many more have a document and no question.
        choices: 0 for open questions, else the number of options of each question.
        unanswerable_share: the share of test questions, and of validation questions, whose
            answer stands nowhere.
    """

    name: str = "fictional"
    relations: list[str] = field(default_factory=lambda: list(FICTIONAL_RELATIONS))
    entities: int = 90
    distractor_entities: int = 90
    choices: int = 0
    unanswerable_share: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        known_relations(self.relations, FICTIONAL_RELATIONS)
        at_least("task.entities", self.entities, 3)
        at_least("task.distractor_entities", self.distractor_entities, 0)
        if self.choices and not 2 <= self.choices <= 10:
            raise ConfigError(f"task.choices={self.choices}: use 0 (open questions) or 2 to 10")
        if not 0 <= self.unanswerable_share < 1:
            raise ConfigError(
                f"task.unanswerable_share={self.unanswerable_share} must be 0 or more and below 1"
            )
        if self.choices and self.unanswerable_share:
            raise ConfigError(
                "task.choices and task.unanswerable_share exclude each other: among options one is "
                "always chosen; set one of them to 0"
            )


@dataclass
class EntityFactsConfig(TaskConfig):
    """One fact of each of many entities, equally many in three bins of popularity.

    Attributes:
        entities: how many are asked about (a multiple of three).
        distractor_entities: how many documents of other entities the corpus holds.
    """

    entities: int = 240
    distractor_entities: int = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("task.entities", self.entities, 3)
        at_least("task.distractor_entities", self.distractor_entities, 0)
        if self.entities % 3:
            raise ConfigError(
                f"task.entities={self.entities} does not divide into three popularity bins of "
                f"equal size; use {self.entities - self.entities % 3}"
            )


@dataclass
class CitiesConfig(EntityFactsConfig):
    """The country that a city is in; popularity is the number of inhabitants."""

    name: str = "cities"


@dataclass
class FilmsConfig(EntityFactsConfig):
    """Who directed a film; popularity is the number of reviews."""

    name: str = "films"


@dataclass
class CustomConfig(TaskConfig):
    """Your own documents and questions.

    Attributes:
        corpus: a folder (read with its subfolders) or one file: .txt, .md, .html, .pdf, .jsonl or
            .csv.
        questions: a .csv or .jsonl file of questions.
    """

    name: str = "custom"
    corpus: str = ""
    questions: str = ""


MMLU_SUBJECTS = ("anatomy", "astronomy", "college biology", "college chemistry", "prehistory")
"""The subjects of Ovadia et al. 2024 (arXiv:2312.05934)."""


@dataclass
class MmluConfig(TaskConfig):
    """Multiple-choice questions of MMLU's test split.

    Attributes:
        subjects: which of the 57, e.g. "college biology".
        corpus: a folder or file of documents to retrieve from or to train on; MMLU has none.
    """

    name: str = "mmlu"
    subjects: list[str] = field(default_factory=lambda: list(MMLU_SUBJECTS))
    corpus: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.subjects or len(set(self.subjects)) != len(self.subjects):
            raise ConfigError(
                f"task.subjects={self.subjects} must name one or more subjects, each once"
            )


def at_least(setting: str, value: int, least: int) -> None:
    """Raise ConfigError if ``value`` is below ``least``."""
    if value < least:
        raise ConfigError(f"{setting}={value} is too small: use {least} or more")


def known_relations(asked: list[str], known: tuple[str, ...]) -> None:
    """Raise ConfigError unless ``asked`` is a non-empty list of different ``known`` relations."""
    for relation in asked:
        if relation not in known:
            raise ConfigError(
                f"task.relations: unknown relation '{relation}'; known: {', '.join(known)}"
                + suggestion(relation, list(known))
            )
    if not asked or len(set(asked)) != len(asked):
        raise ConfigError(f"task.relations={asked} must name one or more relations, each once")
