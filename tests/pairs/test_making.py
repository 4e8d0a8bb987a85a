"""Documents to training pairs: stored, sifted, counted, kept apart from what is held out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from openai_server import MODEL, FakeOpenAI, Fault, asked, serving

from harness.adapters.config import AdapterConfig
from harness.config import Config, config_hash
from harness.errors import ConfigError, ModelError, TrainingError
from harness.ledger import Ledger
from harness.metering.meter import Meter
from harness.method import Method
from harness.models.config import ModelConfig
from harness.models.load import ModelFiles
from harness.pairs.config import PairsConfig, PairsEndpoint
from harness.pairs.generators import GENERATORS
from harness.pairs.protocol import Part
from harness.pairs.report import made_values, markdown, write_training_data
from harness.tasks.config import FictionalConfig
from harness.types import Document, Question, Task, TrainingPair

TASK = Task(
    "own",
    train=(TrainingPair("Own?", "x"),),
    validation=(),
    test=(Question("q", "What is the fee of the pool?", ("9",), gold_documents=("pool",)),),
    corpus=(
        Document("pool", "The fee of the pool is 9. The code of the gate is 51."),
        Document("club", "The club was founded in 1954."),
        Document("far", "The fee of the moon is 7.", distractor=True),
    ),
)
TEMPLATES = PairsConfig(generator="templates", pairs_per_document=2, paraphrases=1)


@pytest.fixture
def method(tiny_model_folder: Path, own_cache: Path) -> Any:
    """A method with an adapter on made pairs, and its ledger."""

    def build(pairs: PairsConfig, task: Task = TASK, makes: bool = True) -> Method:
        model = ModelConfig(
            name="tiny", source="local", id=str(tiny_model_folder), dtype="float32",
            attention="eager", train_dtype="float32", train_attention="eager",
        )  # fmt: skip
        adapter = AdapterConfig(rank=2, epochs=1, pairs=pairs)
        config = Config(arm="a", task=FictionalConfig(), model=model, adapter=adapter)
        files = ModelFiles(str(tiny_model_folder), None, "tiny")
        cpu = torch.device("cpu")
        return Method(config, task, files, cpu, Ledger(Meter(cpu), makes=makes))

    return build


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with serving(FakeOpenAI()) as fake:
        yield fake


def endpoint(server: FakeOpenAI, **settings: Any) -> PairsConfig:
    address = PairsEndpoint(
        base_url=server.base_url, id=MODEL, retries=0,
        price_per_million_in=1.0, price_per_million_out=10.0,
    )  # fmt: skip
    return replace(TEMPLATES, generator="endpoint", endpoint=address, **settings)


def test_templates_make_pairs_of_documents_that_are_no_distractors(method):
    one = method(TEMPLATES)
    made = one.prepare()
    assert [(pair.question, pair.answer, pair.document_id) for pair in made.train] == [
        # 6 words of 8 in common with the held-out question, 0.75; the first wording had all.
        ("Tell me what the fee of the pool is.", "9", "pool"),
        ("What is the code of the gate?", "51", "pool"),
        ("Tell me what the code of the gate is.", "51", "pool"),
        ("When was the club founded?", "1954", "club"),
        ("Tell me when the club was founded.", "1954", "club"),
        ('Complete the sentence: "The club was founded in ___."', "1954", "club"),
        ('Fill in the gap in this sentence: "The club was founded in ___."', "1954", "club"),
    ]
    assert [(one.question, one.likeness) for one in made.near] == [
        ("What is the fee of the pool?", 1.0)
    ]
    assert one.task.train == made.train
    assert "1 training pairs of the task left unused: others were made" in one.task.notes


def test_pairs_are_stored_with_their_cost_in_prepare_and_used_again(method):
    first = method(TEMPLATES)
    first.prepare()
    assert first.ledger.full()["prepare"].wall_seconds > 0
    again = method(TEMPLATES)
    assert again.prepare().train == first.made.train
    assert again.ledger.reused == ["pairs", "pairs"]
    assert (
        again.ledger.full()["prepare"].wall_seconds > again.ledger.spent()["prepare"].wall_seconds
    )


def test_an_adapter_trains_on_them_and_other_pairs_give_another_adapter(method):
    one, other = method(TEMPLATES), method(replace(TEMPLATES, paraphrases=0))
    one.fit()
    assert one.training["examples"] == len(one.made.train)
    other.fit()
    assert one.adapter_artifact.key != other.adapter_artifact.key


def test_what_is_only_looked_for_and_not_there_is_named(method):
    one = method(TEMPLATES, makes=False)
    one.fit()
    assert one.ledger.missing == ["pairs"]
    assert one.adapter_artifact is None


def test_a_corpus_that_gives_nothing_fails_in_one_line(method):
    task = replace(TASK, corpus=(Document("d", "Open?"),))
    with pytest.raises(
        TrainingError, match="templates left no training pair of 1 documents: 1 empty"
    ):
        method(TEMPLATES, task).prepare()
    task = replace(TASK, corpus=TASK.corpus[2:])
    with pytest.raises(TrainingError, match="every document of the task own is a distractor"):
        method(TEMPLATES, task).prepare()


def test_a_model_that_writes_no_pairs_fails_in_one_line_and_is_not_asked_again(method):
    settings = replace(TEMPLATES, generator="model", max_new_tokens=4, request="{text}")
    with pytest.raises(
        TrainingError, match=r"generator=model left no training pair .* for example"
    ):
        method(settings).prepare()
    again = method(settings)
    with pytest.raises(TrainingError):
        again.prepare()
    assert again.ledger.reused == ["pairs"]


def test_an_endpoint_writes_pairs_and_wordings_greedily(method, server: FakeOpenAI, tmp_path: Path):
    def reply(body: dict[str, Any]) -> str:
        if "other wordings" in asked(body):
            return "1. Which <code> opens the gate?\n2. Oh."
        gate = "gate" in asked(body)
        return "Q: What opens the gate?\nA: 51\nnoise" if gate else "Q: When?\nA:"

    server.reply = reply
    one = method(endpoint(server))
    made = one.prepare()
    assert [pair.question for pair in made.train] == [
        "What opens the gate?", "Which <code> opens the gate?",
    ]  # fmt: skip
    assert made.dropped == {"malformed": 1, "empty": 1, "surplus": 1}
    assert {body["temperature"] for body in server.bodies} == {0}
    values = made_values(made)
    assert (values["generated_pairs"], values["generated_paraphrases"]) == (1, 1)
    tokens_in = sum(account.tokens_in for account in made.accounts)
    tokens_out = sum(account.tokens_out for account in made.accounts)
    assert values["generated_cost_usd"] == pytest.approx((tokens_in + 10 * tokens_out) / 1e6)
    path = write_training_data(tmp_path / "made", made, TASK)
    lines = path.with_suffix(".jsonl").read_text().splitlines()
    assert json.loads(lines[0])["written"] == "Q: What opens the gate?\nA: 51\nnoise"
    assert "<code>" not in path.read_text()  # what a model wrote is escaped
    asked_so_far = len(server.bodies)
    assert method(endpoint(server)).prepare().train == made.train
    assert len(server.bodies) == asked_so_far  # what was paid for is used again


def test_an_endpoint_that_fails_is_named_and_what_came_is_kept(method, server: FakeOpenAI):
    server.reply = lambda body: "Q: What opens the gate?\nA: 51"
    server.fault_for = lambda body: Fault(400) if "club" in asked(body) else None
    settings = endpoint(server, paraphrases=0)
    settings = replace(settings, endpoint=replace(settings.endpoint, concurrency=1))
    with pytest.raises(ModelError, match="making training pairs"):
        method(settings).prepare()
    server.fault_for = lambda body: None
    before = len(server.bodies)
    method(settings).prepare()
    assert len(server.bodies) - before == 1  # the other document's reply was kept


def test_the_report_counts_and_shows_what_was_made_and_removed(method):
    text = markdown(method(TEMPLATES).prepare(), TASK)
    assert "3 pairs and 4 other wordings" in text
    assert "- documents without a pair: 0 of 2" in text
    assert "have a pair: 1 of 1" in text
    assert "| What is the fee of the pool? | What is the fee of the pool? | 1.00 |" in text
    assert "7 to read, drawn by seed 0" in text


def test_settings_of_pairs_change_the_hash_only_where_pairs_are_made():
    def digest(pairs: PairsConfig) -> str:
        adapter = AdapterConfig(pairs=pairs)
        return config_hash(
            Config(arm="a", task=FictionalConfig(), model=ModelConfig(source="local", id="m"),
                   adapter=adapter)
        )  # fmt: skip

    assert digest(PairsConfig()) == digest(PairsConfig(paraphrases=5))
    assert digest(TEMPLATES) != digest(PairsConfig())
    assert digest(TEMPLATES) != digest(replace(TEMPLATES, paraphrases=5))


CHANGES: dict[str, Any] = {"max_new_tokens": 9, "instruction": "Write.", "request": "On {text}"}
OTHER_MODELS: dict[str, Any] = {
    "train_dtype": "bfloat16", "train_attention": "eager", "chat": False, "batch_size": 8,
    "batch_tokens": 512,
}  # fmt: skip


def test_all_that_decides_what_a_model_writes_is_in_its_key():
    config, model = PairsConfig(generator="model"), ModelConfig(source="local", id="m")
    parts = [Part("d", "", "A.", 1)]

    def key(config: PairsConfig, model: ModelConfig, name: str, parts: list[Part]) -> str:
        def load() -> Any:
            raise AssertionError("a key needs no model")

        return str(GENERATORS[config.generator](config, model, name, load).pairs(parts).key)

    there = PairsConfig(generator="endpoint", endpoint=PairsEndpoint("http://a/v1", "m"))
    keys = [
        key(config, model, "base", parts),
        key(config, model, "other", parts),
        key(config, model, "base", [Part("d", "", "A.", 2)]),
        *(key(replace(config, **{name: to}), model, "base", parts) for name, to in CHANGES.items()),
        *(
            key(config, replace(model, **{name: to}), "base", parts)
            for name, to in OTHER_MODELS.items()
        ),
        key(there, model, "base", parts),
        key(replace(there, seed=1), model, "base", parts),
        key(replace(there, endpoint=PairsEndpoint("http://b/v1", "m")), model, "base", parts),
        key(replace(there, endpoint=PairsEndpoint("http://a/v1", "n")), model, "base", parts),
    ]
    assert len(set(keys)) == len(keys)
    slower = replace(there, endpoint=PairsEndpoint("http://a/v1", "m", concurrency=1))
    assert key(slower, model, "base", parts) == key(there, model, "base", parts)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"generator": "template"}, "adapter.pairs.generator is 'template'.*did you mean"),
        ({"pairs_per_document": 0}, "adapter.pairs.pairs_per_document is 0; it is at least 1"),
        ({"overlap_threshold": 0.0}, "adapter.pairs.overlap_threshold is 0.0"),
        ({"request": "Write."}, r"adapter.pairs.request holds no \{text\}"),
        ({"generator": "endpoint"}, "adapter.pairs.endpoint.base_url"),
        ({"endpoint": PairsEndpoint(id="m")}, "adapter.pairs.endpoint does nothing"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings: dict[str, Any], line: str):
    with pytest.raises(ConfigError, match=line):
        PairsConfig(**settings)
