"""A method: a language model with two optional slots, a retriever and an adapter.

Everything that it makes (index, adapter, answers) goes through the store, keyed by all that
determines it, so the same work is done once and its cost is reported wherever it is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import method_keys
from harness.adapters.config import AdapterConfig
from harness.answering import answer, load_answers, save_answers, timed_one_by_one
from harness.config import Config
from harness.errors import RetrievalError
from harness.ledger import Ledger
from harness.models.backends import context_limit, key_of, open_model, tokenizer_of
from harness.models.language_model import LanguageModel
from harness.models.load import ModelFiles, load_weights
from harness.models.protocol import Account, Model
from harness.pairs.generators import GENERATORS
from harness.pairs.making import Made, make_pairs, with_pairs
from harness.retrieval import (
    Retriever,
    build_retriever,
    chunk,
    index_key,
    open_retriever,
)
from harness.retrieval.config import RetrieverConfig
from harness.retrieval.rerank import reranked
from harness.retrieval.vectors import Vectors, embed, open_vectors, save_vectors, vectors_key
from harness.room import check_room
from harness.shots import draw_shots
from harness.store import Artifact
from harness.top_k import decide_top_k
from harness.training_examples import (
    passages_by,
    quoted_answers,
    replay_questions,
    replayed_answers,
    searches,
    training_examples,
)
from harness.types import Passage, Prediction, Question, Task, sha256_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from harness.adapters.raft import Quoted


@dataclass(frozen=True)
class Answers:
    """What an arm said to the test questions, with which top_k, and how its answers were had."""

    predictions: list[Prediction]
    top_k: int | None
    top_k_chosen_by: str | None
    account: Account = field(default_factory=Account)


class Method:
    """One arm, fitted to a task: ``index``, ``prepare``, ``fit``, then ``answer``.

    Args:
        config: resolved: no "auto" is left in ``config.model``.
        files: where the base model lies.
        circumstances: those that artifacts are looked for under; None: those that there are.

    Raises:
        DataError: few-shot examples are asked for, and the task cannot give so many.
    """

    def __init__(
        self,
        config: Config,
        task: Task,
        files: ModelFiles,
        device: torch.device,
        ledger: Ledger,
        circumstances: dict[str, Any] | None = None,
    ) -> None:
        self.config = config
        self.task = task
        self.files = files
        self.device = device
        self.ledger = ledger
        self.shots = draw_shots(task, config.prompt.shots, config.seed)
        self.passages: list[Passage] = []
        self.index_artifact: Artifact | None = None
        self.adapter_artifact: Artifact | None = None
        self.made: Made | None = None
        self.quoted: Quoted | None = None
        self._built: Retriever | None = None
        self._retriever: Retriever | None = None
        self._model: Model | None = None
        self._circumstances = circumstances

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The base model's tokenizer: passages are counted and cut by it for every retriever."""
        return tokenizer_of(self.config.model, self.files)

    @property
    def weights(self) -> dict[str, Any]:
        """What determines the weights that answer: base model, adapter, format, merging."""
        own = method_keys.weights_key(self.config, self.files.identity, self.adapter_artifact)
        return {**own, **key_of(self.config.model)}

    @property
    def circumstances(self) -> dict[str, Any]:
        """What else may change a result or its cost: packages, device, how energy is counted."""
        return self._circumstances or method_keys.circumstances(self.config, self.device)

    def index(self) -> None:
        """Cut the corpus into passages and index them, if the method retrieves.

        Raises:
            RetrievalError: the corpus cannot be indexed, or top_k exceeds it.
            ConfigError: few-shot examples, or a corpus that is given whole, do not fit.
        """
        config = self.config.retriever
        if config is not None:
            with self.ledger.phase("index"):
                self.passages = chunk(
                    self.task.corpus, config.chunk_tokens, config.chunk_overlap, self.tokenizer
                )
        if self.shots.count or (config is not None and config.gives_all):
            limit = context_limit(self.config.model, self.files)
            check_room(self.config, self.task, self.shots, self.passages, self.tokenizer, limit)
        if config is None:
            return
        if config.top_k is not None and config.top_k > len(self.passages):
            raise RetrievalError(
                f"retriever.top_k={config.top_k} exceeds the corpus of {len(self.passages)} "
                "passages; lower it"
            )

        def make(folder: Path) -> None:
            vectors = self._vectors(config) if config.has_encoder else None
            with self.ledger.phase("index"):
                self._built = build_retriever(config, self.passages, str(self.device), vectors)
                self._built.save(folder)

        key = {**index_key(config, self.passages), **self.circumstances}
        self.index_artifact = self.ledger.obtain("index", key, make)

    def _vectors(self, config: RetrieverConfig) -> Vectors:
        """The passages' vectors: indexes of other kinds over the same passages use them too.

        What they cost becomes part of the index's cost.
        """
        made: list[Vectors] = []

        def make(folder: Path) -> None:
            with self.ledger.phase("index"):
                made.append(embed(config, self.passages, str(self.device)))
                save_vectors(made[0], folder)

        key = {**vectors_key(config, self.passages), **self.circumstances}
        artifact = self.ledger.obtain("vectors", key, make)
        return made[0] if made else open_vectors(artifact.folder)

    @property
    def retriever(self) -> Retriever | None:
        """The retriever, its reranker included, opened from the store when it is first needed."""
        config, device = self.config.retriever, str(self.device)
        if self._retriever is None and config is not None and self.index_artifact is not None:
            with self.ledger.phase("load"):
                found = self._built or open_retriever(
                    config, self.passages, self.index_artifact.folder, device
                )
                self._retriever = (
                    reranked(found, config.rerank, device) if config.rerank.on else found
                )
        return self._retriever

    def prepare(self) -> Made | None:
        """Training pairs made from the corpus, now in the place of the task's own; None if not.

        Raises:
            TrainingError: no pair is left.
            ModelError: the generator cannot be asked, or failed.
        """
        config, model = self.config.adapter, self.config.model
        if config is None or not config.pairs.on or self.made is not None:
            return self.made
        generator = GENERATORS[config.pairs.generator](
            config.pairs,
            model,
            self.files.identity,
            lambda: self._load_base(model.train_dtype, model.train_attention),
        )
        self.made = make_pairs(
            config.pairs,
            self.task,
            generator,
            self._count_tokens,
            self.ledger,
            self.circumstances,
        )
        if self.made is not None:
            self.task = with_pairs(self.task, self.made)
        return self.made

    def fit(self) -> None:
        """Train the adapter, if the method has one.

        Raises:
            TrainingError: there is nothing to train on, or training failed.
        """
        config = self.config.adapter
        if config is None:
            return
        if self.prepare() is None and config.pairs.on:
            return  # looked for, and not in the store: the ledger says so
        self.quoted = quoted_answers(
            self.config, config, self.task, self.passages, self._count_tokens
        )
        own = method_keys.adapter_key(
            self.config,
            config,
            self.task,
            self.files.identity,
            self.index_artifact,
            replay_questions(config),
        )
        key = {**own, **self.circumstances}
        work = self.ledger.work_folder("adapter", key)
        self.adapter_artifact = self.ledger.obtain(
            "adapter", key, lambda folder: self._train(config, folder, work)
        )

    @property
    def training(self) -> dict[str, Any]:
        """What the training did (steps, tokens, epochs, losses); empty without an adapter."""
        if self.adapter_artifact is None:
            return {}
        path = self.adapter_artifact.folder / "training.json"
        return dict(json.loads(path.read_text(encoding="utf-8")))

    @property
    def adapter_bytes(self) -> int | None:
        """Size of the stored adapter's weights; after full fine-tuning that is the whole model."""
        if self.adapter_artifact is None:
            return None
        return sum(p.stat().st_size for p in self.adapter_artifact.folder.glob("*.safetensors"))

    def _train(self, config: AdapterConfig, folder: Path, work: Path) -> None:
        """Fill ``folder`` with the adapter and ``training.json``; checkpoints go to ``work``."""
        from harness.adapters.checkpoints import Checkpoints
        from harness.adapters.train import train

        model_config = self.config.model
        with self.ledger.phase("load"):
            model = self._load_base(
                model_config.train_dtype,
                model_config.train_attention,
                model_config.train_quantization,
            )
        retriever = self.retriever if searches(config) else None
        top_k = None
        if config.train_passages == "retrieved":
            top_k, _ = decide_top_k(self.config, self.task, model, retriever, self.ledger)
        replayed = replayed_answers(
            model, self.config, config, self.files.identity, self.circumstances, self.ledger
        )
        count = self._count_tokens  # of this, not of the model: the model may be let go of below
        find = passages_by(self.config, config, self.passages, retriever, top_k, count)
        with self.ledger.phase("prepare"):
            examples, validation = training_examples(
                model, self.config, config, self.task, find, replayed
            )

        laps = self.ledger.laps("train")

        def metered(loop: Callable[[], None]) -> None:
            with laps:
                loop()

        def validating(begins: bool) -> None:
            self.ledger.meter.switch("tune" if begins else "train")

        checkpoints = Checkpoints(work, config.checkpoint_steps, laps.so_far, laps.resumed)
        kept = checkpoints if config.checkpoint_steps != 0 else None
        seed, notes = self.config.seed, []
        if config.processes == 1:
            summary = train(
                model, config, examples, validation, seed, folder, metered, validating, kept
            )
        else:
            from harness.adapters.distributed import Base, train_over_processes

            del model  # each process loads its own
            base = Base(self.files, model_config, str(self.device))
            loading, meter = self.ledger.phase("load"), self.ledger.meter
            summary = train_over_processes(
                base, config, examples, validation, seed, folder, metered, validating, kept,
                loading, meter,
            )  # fmt: skip
            notes.append(f"trained by {config.processes} processes ({config.strategy})")
        if config.early_stopping_patience is not None and not validation:
            notes.append("no validation questions: all epochs were trained")
        told = {"note": "; ".join(notes), **asdict(summary)}
        told |= {"examples": len(examples), "train_top_k": top_k, "processes": config.processes}
        (folder / "training.json").write_text(json.dumps(told, indent=1), encoding="utf-8")

    def _count_tokens(self, text: str) -> int:
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _load_base(self, dtype: str, attention: str, quantization: str = "none") -> LanguageModel:
        weights = load_weights(self.files, dtype, attention, self.device, quantization)
        weights.requires_grad_(False)
        return LanguageModel(weights, self.tokenizer, self.config.model, self.files.identity)

    def model(self, phase: str = "load") -> Model:
        """The model that answers, adapter included; loaded at the first call, metered there."""
        if self._model is None:
            config, artifact = self.config.adapter, self.adapter_artifact
            adapter = (artifact.folder, config) if artifact and config else None
            identity = sha256_of(self.weights) if adapter else self.files.identity
            model, files, device = self.config.model, self.files, self.device
            with self.ledger.phase(phase):
                self._model = open_model(model, files, device, self.tokenizer, identity, adapter)
        return self._model

    def release(self) -> None:
        """Let go of the loaded model, before another is loaded."""
        self._model = None

    def base(self) -> Method:
        """This method with no adapter and no retriever: the base model."""
        if self.config.adapter is None:
            return self
        config = replace(self.config, retriever=None, adapter=None)
        return Method(config, self.task, self.files, self.device, self.ledger)

    def answer(self) -> Answers:
        """The answers to the test questions, with latencies for a sample of them.

        ``top_k`` is chosen first, on validation, unless the config sets it.
        """
        own = method_keys.answers_key(
            self.config, self.task, self.weights, self.index_artifact, self.shots
        )
        key = {**own, **self.circumstances}
        work = self.ledger.work_folder("answers", key)
        artifact = self.ledger.obtain("answers", key, lambda folder: self._answer(folder, work))
        chosen = json.loads((artifact.folder / "top_k.json").read_text(encoding="utf-8"))
        predictions = load_answers(
            artifact.folder / "answers.json",
            self.task.test,
            {passage.id: passage for passage in self.passages},
        )
        account = Account.from_dict(chosen.get("account", {}))
        return Answers(predictions, chosen["top_k"], chosen["chosen_by"], account)

    def _answer(self, folder: Path, work: Path) -> None:
        """Fill ``folder`` with the answers; what an endpoint sends is kept in ``work`` at once."""
        model, retriever, prompt = self.model(), self.retriever, self.config.prompt
        with model.remembering(work):
            top_k, chosen_by = decide_top_k(
                self.config, self.task, model, retriever, self.ledger, self.shots
            )
            predictions = answer(
                model, prompt, self.task.test, retriever, top_k or 0, self.ledger, shots=self.shots
            )
        account = model.account()
        measure = self.config.measure

        def one(question: Question) -> Prediction:
            return answer(model, prompt, [question], retriever, top_k or 0, shots=self.shots)[0]

        with self.ledger.phase("latency"):
            seconds = timed_one_by_one(
                one, self.task.test, measure.latency_questions, measure.latency_warmup
            )
        save_answers(
            folder / "answers.json",
            [replace(p, latency_seconds=seconds.get(p.question.id)) for p in predictions],
        )
        told = {"top_k": top_k, "chosen_by": chosen_by, "account": asdict(account)}
        (folder / "top_k.json").write_text(json.dumps(told), encoding="utf-8")
