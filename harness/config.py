"""A run's whole configuration: gathers the modules' dataclasses and gives Hydra their schemas."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from harness.adapters.config import AdapterConfig
from harness.errors import ConfigError
from harness.measures.config import ForgettingConfig, MeasureConfig
from harness.measures.definitions import ON_REQUEST
from harness.metering.config import STATED_LATER, CostConfig
from harness.models.backends import check_adapter
from harness.models.config import ModelConfig, VllmConfig
from harness.models.endpoint_config import EndpointConfig
from harness.prompts import PromptConfig
from harness.record import replacing
from harness.retrieval.config import RetrieverConfig
from harness.search.config import FINAL, SearchConfig
from harness.sweep.config import SweepConfig
from harness.tasks.config import (
    CitiesConfig,
    CustomConfig,
    FictionalConfig,
    FilmsConfig,
    MmluConfig,
    TaskConfig,
    WorldFactsConfig,
)
from harness.tasks.dataset_config import DATASETS, DatasetConfig
from harness.telling import telling
from harness.tracking import check_tracker
from harness.types import sha256_of

CONF = Path(__file__).resolve().parent.parent / "conf"
"""The folder with the YAML files; it lies beside the package in a checkout."""

SLOTS = ("retriever", "adapter")
"""A method is these two optional slots; ``kind: none`` leaves one empty."""

LABELS = ("experiment", "arm", "results", "tracking")
"""Fields that say what a run is called and where it is written, not what it does."""

TASK_SCHEMAS: dict[str, type[TaskConfig]] = {
    "world_facts": WorldFactsConfig,
    "fictional": FictionalConfig,
    "cities": CitiesConfig,
    "films": FilmsConfig,
    "custom": CustomConfig,
    **dict.fromkeys(DATASETS, DatasetConfig),
    "mmlu": MmluConfig,
}

MODEL_SCHEMAS = {"endpoint": EndpointConfig, "vllm": VllmConfig}
"""Schemas of models that transformers does not run; the others have ``ModelConfig``."""

TITLE_TOKENS = 16
"""Room for a passage's title in the context budget."""

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass
class Config:
    """One cell: a task, a model and an arm (what fills the two slots) under one seed.

    Attributes:
        experiment: the folder in ``results`` that rows and predictions go to.
        arm: the name of this combination of slots in the record; nothing branches on it.
        seed: varies adapter initialisation, data order, dropout and the draw of few-shot examples
            (``task.split_seed`` varies the split).
        results: the folder that holds one folder for each experiment.
        tracking: where rows are logged as well: none, mlflow or trackio; a store under ``results``.
    """

    experiment: str = "adhoc"
    arm: str = MISSING
    seed: int = 0
    results: str = "results"
    task: TaskConfig = MISSING
    model: ModelConfig = MISSING
    retriever: RetrieverConfig | None = None
    adapter: AdapterConfig | None = None
    prompt: PromptConfig = field(default_factory=PromptConfig)
    measure: MeasureConfig = field(default_factory=MeasureConfig)
    forgetting: ForgettingConfig = field(default_factory=ForgettingConfig)
    cost: CostConfig = field(default_factory=CostConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    tracking: str = "none"

    def __post_init__(self) -> None:
        for name, value in (("experiment", self.experiment), ("arm", self.arm)):
            # Both become part of a path: they must not lead out of the results folder.
            if not LABEL.fullmatch(value):
                raise ConfigError(
                    f"{name} is '{value}'; it may hold letters, digits, '.', '_' and '-' only"
                )
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}; it is at least 0")
        check_tracker(self.tracking)
        budget = self.prompt.context_budget_tokens
        chunk_tokens = self.retriever.chunk_tokens if self.retriever else 0
        if budget is not None and self.retriever and chunk_tokens + TITLE_TOKENS > budget:
            raise ConfigError(
                f"retriever.chunk_tokens={chunk_tokens} and a title may exceed "
                f"prompt.context_budget_tokens={budget}, and a passage that does not fit is left "
                "out; lower the first or raise the second"
            )
        if self.adapter and self.adapter.raft.quote and self.measure.answer_part != "final":
            raise ConfigError(
                "adapter.raft.quote trains answers that begin with a quote: set "
                "measure.answer_part=final, for all arms of the comparison, so that what follows "
                "the quote is scored"
            )
        for objective in (self.search.measure, self.search.second):
            if objective in ON_REQUEST and not getattr(self.measure, objective):
                raise ConfigError(
                    f"a search by {objective} needs it measured: set measure.{objective}=true"
                )
        check_adapter(self.model, self.adapter)
        if self.adapter and self.adapter.train_passages != "none" and self.retriever is None:
            raise ConfigError(
                f"adapter.train_passages is '{self.adapter.train_passages}' but the arm "
                f"'{self.arm}' has no retriever; choose one (retriever=dense) or set "
                "adapter.train_passages=none"
            )

    def folder(self) -> Path:
        """Where this run's experiment is recorded: ``<results>/<experiment>``."""
        return Path(self.results) / self.experiment


def register() -> None:
    """Give Hydra the schemas: "schema" at the root, ``task/base_<name>`` for each kind of task."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for name, schema in TASK_SCHEMAS.items():
        store.store(group="task", name=f"base_{name}", node=schema)
    for name, model in MODEL_SCHEMAS.items():
        store.store(group="model", name=f"base_{name}", node=model)


def to_dataclass(cfg: DictConfig) -> Config:
    """The composed configuration as a ``Config``; a slot of ``kind: none`` becomes None.

    Raises:
        ConfigError: a value is missing, of the wrong type, or does not fit another.
    """
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.pop("hydra", None)
    for slot in SLOTS:
        if not is_filled(cfg, slot):
            cfg[slot] = None
    try:
        config = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key or 'configuration'}: {first_line(error)}") from error
    if not isinstance(config, Config):
        raise ConfigError("conf/config.yaml must start from 'schema' in its defaults list")
    return config


def is_filled(cfg: DictConfig, slot: str) -> bool:
    """Whether the arm has a retriever, or an adapter."""
    return cfg[slot] is not None and cfg[slot].kind != "none"


def keep_config(config: Config, folder: Path) -> Path:
    """Write the resolved config as ``<folder>/<config_hash>.yaml`` unless it is there; its path.

    Raises:
        RecordError: the folder cannot be written.
    """
    path = folder / f"{config_hash(config)}.yaml"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(OmegaConf.to_yaml(OmegaConf.structured(config)))
    return path


def config_hash(config: Config) -> str:
    """Hex sha256 of what decides a run's figures.

    Left out are labels and paths (``LABELS``), since the same settings under another name are the
    same run, ``measure.reuse``, since reused work is what a new run would have made, and
    ``adapter.checkpoint_steps``, since a resumed training gives the same weights. Seed and what
    energy is counted by stay in, since measures depend on them; prices and use, which are applied
    when results are read, do not. Which process runs a cell, and in which turn
    (``sweep``, ``measure.exclusive``), is no part of it either.
    """
    settings: dict[str, Any] = asdict(config)
    del settings["sweep"], settings["measure"]["reuse"], settings["measure"]["exclusive"]
    for block in STATED_LATER:
        del settings["cost"][block]
    if settings["adapter"] is not None:
        del settings["adapter"]["checkpoint_steps"]
    search = settings.pop("search")
    if search["part"] == FINAL:
        # Its row tells of the search and holds what that took.
        settings["search"] = {name: search[name] for name in ("id", "trials")}
    told = {
        name: telling(name, value) if isinstance(value, dict) else value
        for name, value in settings.items()
    }
    return sha256_of({name: value for name, value in told.items() if name not in LABELS})


def first_line(error: BaseException) -> str:
    """What an exception says first, or its type if it says nothing."""
    # Hydra puts what it was doing on a line of its own, before what was wrong.
    message = re.sub(r"\w+ raised while composing config:\s*", "", str(error)).strip()
    return (message.splitlines() or [type(error).__name__])[0]
