"""The encoder around a two-layer random BERT made here; no network."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest

from harness.errors import RetrievalError, SourceError
from harness.retrieval.config import EncoderConfig
from harness.retrieval.encoder import encoder_folder, encoder_identity, load_encoder

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *["the", "capital", "of", "peru", "is", "lima", ":"],
]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A sentence-transformers folder: random BERT of width 8, mean pooling, at most 6 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY))
    torch.manual_seed(0)
    bert = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    BertModel(bert).save_pretrained(folder / "bert")
    BertTokenizerFast(vocab={word: i for i, word in enumerate(VOCABULARY)}).save_pretrained(
        folder / "bert"
    )
    transformer = Transformer(str(folder / "bert"), max_seq_length=6)
    modules = [transformer, Pooling(8, pooling_mode="mean")]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"))
    return folder / "model"


def config(folder, **settings) -> EncoderConfig:
    return EncoderConfig(source="local", id=str(folder), **settings)


def test_vectors_are_float32_of_length_one(model_folder):
    encoder = load_encoder(config(model_folder), "cpu")
    vectors = encoder.encode_passages(["lima", "the capital of peru"])
    assert vectors.dtype == np.float32
    assert vectors.shape == (2, encoder.dimension) == (2, 8)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-6)
    assert vectors[0] != pytest.approx(vectors[1])


def test_half_precision_vectors_have_length_one_too(model_folder):
    encoder = load_encoder(config(model_folder, dtype="bfloat16"), "cpu")
    lengths = np.linalg.norm(encoder.encode_queries(["lima", "peru is"]), axis=1)
    assert lengths == pytest.approx([1, 1], abs=1e-6)


def test_vectors_keep_their_length_unless_asked(model_folder):
    encoder = load_encoder(config(model_folder, normalise=False), "cpu")
    assert abs(np.linalg.norm(encoder.encode_queries(["lima"])) - 1) > 0.01


def test_prefixes_are_put_before_each_text(model_folder):
    plain = load_encoder(config(model_folder), "cpu")
    prefixed = load_encoder(config(model_folder, query_prefix="the ", passage_prefix="of "), "cpu")
    assert np.allclose(prefixed.encode_queries(["lima"]), plain.encode_queries(["the lima"]))
    assert np.allclose(prefixed.encode_passages(["lima"]), plain.encode_passages(["of lima"]))


def test_loading_twice_gives_the_same_vectors(model_folder):
    first, second = (load_encoder(config(model_folder), "cpu") for _ in range(2))
    assert (first.encode_queries(["lima"]) == second.encode_queries(["lima"])).all()
    assert first.identity == second.identity == encoder_identity(config(model_folder))


@pytest.mark.parametrize(
    "settings",
    [{"query_prefix": "q"}, {"passage_prefix": "q"}, {"normalise": False}, {"dtype": "bfloat16"}],
)
def test_what_changes_vectors_changes_the_identity(model_folder, settings):
    assert encoder_identity(config(model_folder, **settings)) != encoder_identity(
        config(model_folder)
    )


def test_what_does_not_change_vectors_keeps_the_identity(model_folder, tmp_path):
    copy = shutil.copytree(model_folder, tmp_path / "copy")
    (copy / "README.md").write_text("other words")
    same = config(copy, batch_size=7, name="another label")
    assert encoder_identity(same) == encoder_identity(config(model_folder))


def test_other_weights_change_the_identity(model_folder, tmp_path):
    copy = shutil.copytree(model_folder, tmp_path / "copy")
    [weights] = copy.rglob("model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert encoder_identity(config(copy)) != encoder_identity(config(model_folder))


def test_a_passage_that_the_encoder_cuts_is_warned_of(model_folder, caplog):
    encoder = load_encoder(config(model_folder, name="tiny"), "cpu")
    with caplog.at_level(logging.WARNING):
        # 4 words fit between [CLS] and [SEP]; 5 do not
        encoder.encode_passages(["the capital of peru"])
        assert caplog.text == ""
        encoder.encode_passages(["lima", "the capital of peru is"])
    assert "1 of 2 passages are longer than the 6 tokens that tiny reads" in caplog.text


def test_a_folder_that_is_no_sentence_encoder_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"no modules\.json"):
        encoder_folder(config(tmp_path / "absent"))


def test_pickled_weights_are_refused(model_folder, tmp_path):
    copy = shutil.copytree(model_folder, tmp_path / "copy")
    [weights] = copy.rglob("model.safetensors")
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(SourceError, match=r"pytorch_model\.bin, a pickle"):
        load_encoder(config(copy), "cpu")


def test_damaged_weights_are_one_clear_line(model_folder, tmp_path):
    copy = shutil.copytree(model_folder, tmp_path / "copy")
    [weights] = copy.rglob("model.safetensors")
    weights.write_bytes(b"rubbish")
    with pytest.raises(RetrievalError, match="encoder 'copy' cannot be loaded"):
        load_encoder(config(copy), "cpu")


def test_a_hub_model_that_cannot_be_reached_is_one_clear_line(monkeypatch):
    import huggingface_hub

    def unreachable(*args, **kwargs):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection\nlong advice")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(SourceError, match=r"cannot fetch encoder 'a/b'.*: no connection; check"):
        encoder_folder(EncoderConfig(source="hub", id="a/b"))


def test_a_hub_model_is_fetched_without_code_or_pickles(monkeypatch, model_folder):
    import huggingface_hub

    asked = {}

    def snapshot(model_id, **kwargs):
        asked.update(kwargs, model_id=model_id)
        return str(model_folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    hub = EncoderConfig(source="hub", id="a/b", revision="abc")
    assert encoder_folder(hub) == model_folder
    assert (asked["model_id"], asked["revision"]) == ("a/b", "abc")
    assert asked["allow_patterns"] == ["*.safetensors", "*.json", "*.txt", "*.model"]
