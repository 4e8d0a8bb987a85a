"""Dense retrieval over vectors small enough to multiply by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import RetrievalError
from harness.retrieval.dense import INDEX_FILE, index_passages, open_index
from harness.retrieval.sidecar import SIDECAR

from .corpus import TableEncoder, passage, question

TABLE = {
    "north": [0.0, 1.0],
    "east": [1.0, 0.0],
    "north-east": [0.6, 0.8],
    "also north": [0.0, 1.0],
    "up?": [0.0, 1.0],
    "right?": [1.0, 0.0],
}
PASSAGES = [
    passage(0, "north"),
    passage(1, "east"),
    passage(2, "north-east"),
    passage(3, "also north"),
]


@pytest.fixture
def retriever():
    return index_passages(TableEncoder(TABLE), PASSAGES)


def found(retriever, *texts: str, top_k: int = 2) -> list[list[tuple[str, float]]]:
    lists = retriever.retrieve([question(text) for text in texts], top_k)
    return [[(s.passage.id, round(s.score, 6)) for s in ranking] for ranking in lists]


def test_passages_are_ranked_by_inner_product(retriever):
    assert found(retriever, "right?", top_k=3) == [[("p1", 1.0), ("p2", 0.6), ("p0", 0.0)]]


def test_each_question_gets_its_own_ranking(retriever):
    first, second = found(retriever, "up?", "right?", top_k=1)
    assert first == [("p0", 1.0)]
    assert second == [("p1", 1.0)]


def test_ties_come_in_corpus_order_even_across_the_cut(retriever):
    # p0 and p3 have the same vector: with top_k=1 only the first of the two may come back
    assert found(retriever, "up?", top_k=1) == [[("p0", 1.0)]]
    assert found(retriever, "up?", top_k=2) == [[("p0", 1.0), ("p3", 1.0)]]


@pytest.mark.parametrize("count", [1, 40])
def test_many_equal_passages_come_in_corpus_order(count):
    # FAISS switches to another kernel from 20 queries up; neither keeps ties in order by itself
    passages = [passage(i, "north") for i in range(100)]
    retriever = index_passages(TableEncoder(TABLE), passages)
    for ranking in retriever.retrieve([question("up?")] * count, 5):
        assert [s.passage.id for s in ranking] == ["p0", "p1", "p2", "p3", "p4"]


def test_a_rounding_error_is_a_tie():
    table = {**TABLE, "north": [0.0, np.nextafter(np.float32(1), np.float32(0))]}
    retriever = index_passages(TableEncoder(table), PASSAGES)
    assert found(retriever, "up?", top_k=1)[0][0][0] == "p0"


def test_the_title_is_part_of_what_is_embedded():
    encoder = TableEncoder({"Title: text": [1.0, 0.0], "up?": [1.0, 0.0]})
    retriever = index_passages(encoder, [passage(0, "text", title="Title")])
    assert found(retriever, "up?", top_k=1) == [[("p0", 1.0)]]


def test_no_questions_give_no_rankings(retriever):
    assert retriever.retrieve([], 1) == []


@pytest.mark.parametrize("top_k", [0, 5])
def test_top_k_outside_the_corpus_names_both_numbers(retriever, top_k):
    with pytest.raises(RetrievalError, match=f"top_k is {top_k} but the corpus has 4 passages"):
        retriever.retrieve([question("up?")], top_k)


def test_a_reopened_index_ranks_as_the_saved_one(retriever, tmp_path):
    retriever.save(tmp_path)
    again = open_index(TableEncoder(TABLE), PASSAGES, tmp_path)
    assert found(again, "up?", "right?", top_k=4) == found(retriever, "up?", "right?", top_k=4)
    assert again.name == retriever.name == "dense:table"


def test_another_encoder_is_refused_and_both_are_named(retriever, tmp_path):
    retriever.save(tmp_path)
    other = TableEncoder(TABLE, name="other", identity="b" * 64)
    with pytest.raises(RetrievalError, match=r"'table' \(aaaaaaaaaaaa….*'other' \(bbbbbbbbbbbb…"):
        open_index(other, PASSAGES, tmp_path)


def test_another_dimension_is_refused_and_both_are_named(retriever, tmp_path):
    retriever.save(tmp_path)
    other = TableEncoder({text: [*vector, 0.0] for text, vector in TABLE.items()}, name="wide")
    with pytest.raises(RetrievalError, match=r"2 dimensions, made by 'table'.*'wide' gives 3"):
        open_index(other, PASSAGES, tmp_path)


@pytest.mark.parametrize(
    "passages",
    [PASSAGES[:3], [*PASSAGES[:3], passage(3, "north")], PASSAGES[::-1]],
    ids=["fewer", "another text", "another order"],
)
def test_another_corpus_is_refused(retriever, tmp_path, passages):
    retriever.save(tmp_path)
    with pytest.raises(RetrievalError, match=f"another corpus: it holds 4.*has {len(passages)}"):
        open_index(TableEncoder(TABLE), passages, tmp_path)


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: data[:-1] + b"\x7f"])
def test_a_damaged_index_file_is_refused(retriever, tmp_path, damage):
    retriever.save(tmp_path)
    path = tmp_path / INDEX_FILE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RetrievalError, match=f"damaged: {INDEX_FILE}.*sha256"):
        open_index(TableEncoder(TABLE), PASSAGES, tmp_path)


def test_a_missing_index_file_is_refused(retriever, tmp_path):
    retriever.save(tmp_path)
    (tmp_path / INDEX_FILE).unlink()
    with pytest.raises(RetrievalError, match=f"damaged: {INDEX_FILE} is missing"):
        open_index(TableEncoder(TABLE), PASSAGES, tmp_path)


def edit_sidecar(folder, **changes):
    path = folder / SIDECAR
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def replace_index(folder, content: bytes):
    """Put another index file in place, its checksum corrected."""
    import hashlib

    (folder / INDEX_FILE).write_bytes(content)
    edit_sidecar(folder, files={INDEX_FILE: hashlib.sha256(content).hexdigest()})


def test_bytes_that_are_no_index_are_refused(retriever, tmp_path):
    retriever.save(tmp_path)
    replace_index(tmp_path, b"not an index")
    with pytest.raises(RetrievalError, match=f"damaged: {INDEX_FILE} cannot be read"):
        open_index(TableEncoder(TABLE), PASSAGES, tmp_path)


def test_an_index_file_with_other_contents_than_its_sidecar_says_is_refused(retriever, tmp_path):
    import faiss

    retriever.save(tmp_path)
    short = faiss.IndexFlatIP(2)
    short.add(np.eye(2, dtype=np.float32))
    replace_index(tmp_path, faiss.serialize_index(short).tobytes())
    with pytest.raises(RetrievalError, match="holds 2 vectors of 2 dimensions, not 4 of 2"):
        open_index(TableEncoder(TABLE), PASSAGES, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "format 99, this version reads"),
        ({"kind": "bm25"}, "of kind 'bm25', the retriever asked for is 'dense'"),
        ({"encoder": None}, "does not describe the encoder"),
        ({"files": {"../secret": "0"}}, "leads out of the folder"),
        ({"files": None}, "cannot be read"),
    ],
)
def test_a_wrong_sidecar_is_refused(retriever, tmp_path, changes, message):
    retriever.save(tmp_path)
    edit_sidecar(tmp_path, **changes)
    with pytest.raises(RetrievalError, match=message):
        open_index(TableEncoder(TABLE), PASSAGES, tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", "\xff"])
def test_an_unreadable_sidecar_is_refused(retriever, tmp_path, text):
    retriever.save(tmp_path)
    (tmp_path / SIDECAR).write_bytes(text.encode("latin-1"))
    with pytest.raises(RetrievalError, match=f"damaged: {SIDECAR} cannot be read"):
        open_index(TableEncoder(TABLE), PASSAGES, tmp_path)


def test_an_empty_folder_is_no_index(tmp_path):
    with pytest.raises(RetrievalError, match="there is no index"):
        open_index(TableEncoder(TABLE), PASSAGES, tmp_path)


def test_a_folder_that_cannot_be_written_is_one_clear_line(retriever, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RetrievalError, match="cannot save the dense index to"):
        retriever.save(tmp_path / "file" / "index")


def test_a_vector_that_is_not_finite_is_refused():
    encoder = TableEncoder({"north": [0.0, 1.0], "east": [float("nan"), 0.0]})
    with pytest.raises(RetrievalError, match="not finite for passage number 2 of 2"):
        index_passages(encoder, PASSAGES[:2])


def test_vectors_of_the_wrong_shape_are_refused():
    encoder = TableEncoder({"north": [0.0, 1.0]})
    encoder.dimension = 3
    with pytest.raises(RetrievalError, match=r"shape \(1, 2\).*expected \(1, 3\)"):
        index_passages(encoder, PASSAGES[:1])
