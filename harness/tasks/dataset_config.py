"""The settings of a data set that the ``datasets`` library loads; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.errors import ConfigError, suggestion
from harness.tasks.config import TaskConfig, at_least

DATASETS = ("dataset", "squad", "squad_v2", "popqa", "triviaqa", "entity_questions", "witqa")
"""Names of tasks that ``datasets`` loads: only their settings tell them apart."""


@dataclass
class SplitsConfig:
    """What the data set calls its splits; in a local folder also the files, as "dev-*.json".

    Attributes:
        test: what is asked.
        train: what is trained on; "" for nothing.
        validation: "" draws the validation questions from ``train``, or else from ``test``.
    """

    test: str = "test"
    train: str = ""
    validation: str = ""

    def __post_init__(self) -> None:
        if not self.test:
            raise ConfigError("task.splits.test is empty: name the split whose questions are asked")


@dataclass
class ColumnsConfig:
    """Which column holds what; "answers.text" is the part ``text`` of ``answers``, "" is none.

    Attributes:
        answers: a gold answer or a list of them, the one to train on first.
        aliases: more gold answers.
        answer_is: "text", or for choices "index" (from 0) or "label" (as in ``choice_labels``).
        context: the text that states the answer: a document of the corpus, and the gold one.
        title: the context's title.
        document: names the document of ``task.corpus`` that states the answer, by id or title.
        cluster: the entity asked about; "" takes each question for itself.
        json: columns whose text is JSON, such as a list of answers.
    """

    question: str = "question"
    answers: str = "answers"
    aliases: str = ""
    answer_is: str = "text"
    id: str = ""
    context: str = ""
    title: str = ""
    document: str = ""
    choices: str = ""
    choice_labels: str = ""
    relation: str = ""
    popularity: str = ""
    cluster: str = ""
    json: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = ("text", "index", "label")
        if self.answer_is not in kinds:
            raise ConfigError(
                f"task.columns.answer_is={self.answer_is} is unknown: it is one of "
                f"{', '.join(kinds)}" + suggestion(self.answer_is, list(kinds))
            )
        for needed in ("question", "answers"):
            if not getattr(self, needed):
                raise ConfigError(f"task.columns.{needed} is empty: name the column")
        if self.answer_is != "text" and not self.choices:
            raise ConfigError(f"task.columns.answer_is={self.answer_is} needs task.columns.choices")
        if (self.answer_is == "label") != bool(self.choice_labels):
            raise ConfigError(
                f"task.columns.answer_is={self.answer_is} and task.columns.choice_labels="
                f"'{self.choice_labels}' do not fit: answer_is=label needs them, and no "
                "other does"
            )


@dataclass
class DatasetConfig(TaskConfig):
    """A data set that the ``datasets`` library loads.

    Attributes:
        path: a hub id, or a local file or folder, which goes first.
        subset: the hub's name of a configuration, e.g. "unfiltered.nocontext".
        revision: the hub's commit or tag; null takes the newest.
        relation_from_file: whether the relation is the file's name up to its first dot.
        relations: keep only questions of these; empty keeps all.
        unanswerable: whether a question without an answer has none; else it is an error.
        corpus: a folder or file of documents, where there is no ``columns.context``.
        train_questions: at most so many training pairs; null keeps all.
        other_contexts: at most so many contexts of questions that are neither asked nor trained on;
            they are distractors; null keeps all.
    """

    name: str = "dataset"
    path: str = ""
    subset: str = ""
    revision: str | None = None
    splits: SplitsConfig = field(default_factory=SplitsConfig)
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    relation_from_file: bool = False
    relations: list[str] = field(default_factory=list)
    unanswerable: bool = False
    corpus: str = ""
    train_questions: int | None = None
    other_contexts: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_questions is not None:
            at_least("task.train_questions", self.train_questions, 1)
        if self.other_contexts is not None:
            at_least("task.other_contexts", self.other_contexts, 0)
        if self.corpus and self.columns.context:
            raise ConfigError(
                "task.corpus and task.columns.context exclude each other: the contexts are the "
                "corpus; set one of them to ''"
            )
        if self.columns.document and not self.corpus:
            raise ConfigError(
                f"task.columns.document={self.columns.document} names documents of task.corpus: "
                "set that too"
            )
        if self.relation_from_file and self.columns.relation:
            raise ConfigError(
                "task.relation_from_file and task.columns.relation exclude each other: "
                "set task.columns.relation=''"
            )
        if self.relations and not (self.relation_from_file or self.columns.relation):
            raise ConfigError(
                "task.relations needs to know each question's: set task.columns.relation"
            )
