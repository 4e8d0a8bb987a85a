"""What a run made, loaded by the plain libraries in a process that knows nothing of the harness."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import BM25, LORA, settings

from harness.config import Config
from harness.errors import ConfigError, DataError, RecordError
from harness.interchange.export_command import main
from harness.predictions import read_predictions
from harness.retrieval import EncoderConfig, RetrieverConfig
from harness.run import run

pytestmark = pytest.mark.usefixtures("own_cache")

ANSWERS = """
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
base, adapter, merged, prompts = sys.argv[1:]
load = dict(dtype=torch.float32, attn_implementation="eager")
models = [PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, **load), adapter,
                                    autocast_adapter_dtype=False),
          AutoModelForCausalLM.from_pretrained(merged, **load)]
tokenizer = AutoTokenizer.from_pretrained(merged)
said = []
for model in models:
    said.append([])
    for prompt in json.loads(prompts):
        ids = tokenizer([prompt], add_special_tokens=False, return_tensors="pt")
        out = model.generate(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"],
                             max_new_tokens=6, do_sample=False)
        text = tokenizer.decode(out[0, ids["input_ids"].shape[1]:], skip_special_tokens=True)
        said[-1].append(text.strip())
assert "harness" not in sys.modules
print(json.dumps(said))
"""

NEIGHBOURS = """
import json, sys, faiss
from sentence_transformers import SentenceTransformer
folder, encoder, questions = sys.argv[1:]
note = json.load(open(folder + "/encoder.json"))
index = faiss.read_index(folder + "/vectors.faiss")
passages = [json.loads(line) for line in open(folder + "/passages.jsonl", encoding="utf-8")]
vectors = SentenceTransformer(encoder).encode(
    [note["query_prefix"] + q for q in json.loads(questions)],
    normalize_embeddings=note["normalise"], convert_to_numpy=True)
scores, positions = index.search(vectors, 2)
assert "harness" not in sys.modules
print(json.dumps([[[passages[p]["id"], float(s)] for p, s in zip(*row)]
                  for row in zip(positions, scores)]))
"""


def plainly(code: str, *arguments: str) -> Any:
    """What the code prints, in a process of its own outside this repository."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, timeout=120, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def export(config: Config, what: str, out: Path) -> int:
    return main([str(config.folder()), "--what", what, "--arm", config.arm, "--out", str(out)])


def lines_of(config: Config) -> list[dict]:
    row = run(config)
    assert row["status"] == "ok", row["error"]
    return read_predictions(config.folder() / "predictions" / f"{row['run_id']}.jsonl")


def test_adapter_and_merged_model_answer_as_the_run_did(tiny_model_folder, tmp_path, capsys):
    config = settings(tiny_model_folder, tmp_path / "results", "lora", adapter=LORA)
    lines = lines_of(config)
    adapter, merged = tmp_path / "deep" / "adapter", tmp_path / "deep" / "merged"
    assert export(config, "adapter", adapter) == export(config, "model", merged) == 0
    assert "README.md" in capsys.readouterr().out
    prompts = json.dumps([line["prompt"] for line in lines])
    said = plainly(ANSWERS, str(tiny_model_folder), str(adapter), str(merged), prompts)
    assert said == [[line["output"] for line in lines]] * 2
    for folder in (adapter, merged):
        readme = (folder / "README.md").read_text()
        assert "licence: not known here" in readme
        assert "<|im_start|>user\nQuestion: …<|im_end|>" in readme
        assert not (folder / "manifest.json").exists()
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["adapter", "merged"]


def test_the_adapter_names_its_base_without_a_path_of_the_store(tiny_model_folder, tmp_path):
    config = settings(tiny_model_folder, tmp_path / "results", "lora", adapter=LORA)
    lines_of(config)
    export(config, "adapter", tmp_path / "made")
    told = json.loads((tmp_path / "made" / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == config.model.id


def test_the_faiss_index_finds_what_the_run_found(tiny_model_folder, tiny_encoder, tmp_path):
    encoder = EncoderConfig(source="local", id=str(tiny_encoder), query_prefix="the ")
    dense = RetrieverConfig(top_k=2, encoder=encoder, chunk_tokens=40, chunk_overlap=4)
    config = settings(tiny_model_folder, tmp_path / "results", "rag", dense)
    lines = lines_of(config)
    export(config, "index", tmp_path / "made")
    questions = json.dumps([line["question"] for line in lines])
    found = plainly(NEIGHBOURS, str(tmp_path / "made"), str(tiny_encoder), questions)
    for line, near in zip(lines, found, strict=True):
        scores = [one["score"] for one in line["retrieved"]]
        assert [score for _, score in near] == pytest.approx(scores, abs=1e-5)
        if scores[0] - scores[1] > 1e-4:  # a random encoder has ties
            assert near[0][0] == line["retrieved"][0]["passage_id"]


def test_a_bm25_index_is_loaded_by_bm25s(tiny_model_folder, tmp_path):
    config = settings(tiny_model_folder, tmp_path / "results", "rag_bm25", BM25)
    lines = lines_of(config)
    export(config, "index", tmp_path / "made")
    code = """
import bm25s, json, sys
index = bm25s.BM25.load(sys.argv[1], allow_pickle=False)
passages = [json.loads(line) for line in open(sys.argv[1] + "/passages.jsonl", encoding="utf-8")]
words = bm25s.tokenize([sys.argv[2]], stopwords="english", return_ids=False, show_progress=False)
positions, scores = index.retrieve(words, k=1, show_progress=False)
print(json.dumps([passages[positions[0][0]]["id"], float(scores[0][0])]))
"""
    near, score = plainly(code, str(tmp_path / "made"), lines[0]["question"])
    best = lines[0]["retrieved"][0]
    assert score == pytest.approx(best["score"], rel=1e-5)
    assert near == best["passage_id"]


def test_what_an_arm_did_not_make_is_told(tiny_model_folder, tmp_path):
    closed = settings(tiny_model_folder, tmp_path / "results", "closed_book")
    whole = RetrieverConfig(kind="oracle", top_k=1, chunk_tokens=40, chunk_overlap=4)
    for config in (closed, replace(closed, arm="rag_oracle", retriever=whole)):
        run(config)
    full = replace(closed, arm="full", adapter=replace(LORA, kind="full"))
    run(full)
    for config, what, message in (
        (closed, "adapter", "'closed_book' trained nothing"),
        (closed, "index", "has no retriever"),
        (replace(closed, arm="rag_oracle"), "index", "retriever=oracle has none"),
        (full, "adapter", "trained every weight: it has no adapter; use --what model"),
    ):
        with pytest.raises(DataError, match=message):
            export(config, what, tmp_path / "made")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "results"]
    assert export(full, "model", tmp_path / "made") == 0


def test_a_folder_with_something_in_it_is_refused(tiny_model_folder, tmp_path):
    config = settings(tiny_model_folder, tmp_path / "results", "lora", adapter=LORA)
    run(config)
    out = tmp_path / "made"
    out.mkdir()
    assert export(config, "adapter", out) == 0  # empty is fine
    with pytest.raises(RecordError, match="not empty; name another folder"):
        export(config, "adapter", out)
    with pytest.raises(ConfigError, match="go with --what"):
        main([str(config.folder()), "--format", "tidy", "--arm", "lora", "--out", "x.csv"])
