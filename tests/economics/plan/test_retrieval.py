import numpy as np
import pytest

from harness.economics.plan.retrieval import (
    ENCODERS,
    Retrieval,
    encoding_flop,
    index_bytes,
    retrieval_bytes,
    search_flop,
)
from harness.errors import ConfigError, RetrievalError


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "ivf_sq", "ivf_pq"])
def test_an_index_has_the_bytes_that_faiss_writes(kind):
    import faiss

    from harness.retrieval.config import FaissConfig
    from harness.retrieval.faiss_kinds import build_index, resolve

    vectors = np.random.default_rng(0).standard_normal((3000, 32), dtype=np.float32)
    if kind == "flat":
        index = faiss.IndexFlatIP(32)
        index.add(vectors)
    else:
        index = build_index(kind, resolve(kind, FaissConfig(), *vectors.shape), vectors)
    written = len(faiss.serialize_index(index))
    assert index_bytes(kind, 3000, 32) == pytest.approx(written, rel=0.05)


def test_a_million_passages_of_minilm_take_1536_gb_flat():
    assert index_bytes("flat", 1_000_000, 384) == 1.536e9
    parts = retrieval_bytes(Retrieval(passages=1_000_000))
    assert parts == {"encoder": 22_713_216 * 4, "index": 1.536e9}


def test_compressed_indexes_are_smaller():
    flat, sq, pq = (index_bytes(kind, 100_000, 384) for kind in ("flat", "ivf_sq", "ivf_pq"))
    assert flat > 3.5 * sq > 3.5 * pq


def test_an_exact_search_looks_at_every_dimension_of_every_passage():
    assert search_flop("flat", 1000, 384) == 2 * 384 * 1000
    # 4096 passages: 105 cells, 8 of them probed
    assert search_flop("ivf", 4096, 10) == pytest.approx(2 * 10 * (105 + 4096 * 8 / 105))


def test_encoding_takes_2_flop_a_weight_and_token_but_for_embeddings():
    one = Retrieval(passages=1)
    linear = 6 * 12 * 384 * 384  # 4 h^2 of attention and 8 h^2 of the network in 6 blocks
    assert ENCODERS["minilm"].linear == linear
    assert encoding_flop(one, 10) == 2 * linear * 10 + 4 * 6 * 384 * 100


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"passages": 0}, "--passages is 0; it is at least 1"),
        ({"passages": 5, "index": "hsnw"}, "--index is 'hsnw'; .*did you mean 'hnsw'"),
        ({"passages": 5, "encoder": "bge"}, "--encoder is 'bge'"),
        ({"passages": 5, "query_tokens": 0}, "--query-tokens is 0"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Retrieval(**settings)


def test_too_few_passages_for_an_index_are_refused():
    with pytest.raises(RetrievalError, match="needs at least 256 passages"):
        index_bytes("ivf_pq", 100, 384)
