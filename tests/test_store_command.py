"""``harness store``: what is listed, what is found damaged, what is freed."""

import json
from pathlib import Path

import pytest

from harness import store_use
from harness.store import obtain
from harness.store_command import in_units, main
from harness.store_listing import describe

ADAPTER = {
    "base": "a" * 64,
    "adapter": {"kind": "lora", "rank": 8, "learning_rate": 1e-3, "epochs": 4},
    "seed": 3,
    "train_dtype": "bfloat16",
    "pairs": "b" * 64,
    "texts": None,
}


@pytest.fixture
def artifacts(own_cache: Path) -> list[Path]:
    """An adapter that took 2.5 s and an index, both free to go."""

    def adapter(folder: Path) -> dict[str, object]:
        (folder / "weights").write_bytes(b"w" * 2048)
        return {"train": {"wall_seconds": 2.0}, "load": {"wall_seconds": 0.5}}

    def index(folder: Path) -> None:
        (folder / "vectors").write_bytes(b"v" * 100)

    key = {"retriever": "dense", "passages": 12, "corpus_sha256": "c" * 64}
    made = [obtain("adapter", ADAPTER, adapter), obtain("index", key, index)]
    for one in made:
        store_use.let_go(one.folder)
    return [one.folder for one in made]


def test_ls_says_what_each_is_and_what_it_cost(artifacts: list[Path], capsys):
    assert main(["ls"]) == 0
    heading, adapter, index, total = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "artifact",
        "size",
        "made",
        "last",
        "used",
        "uses",
        "seconds",
        "what",
    ]
    assert adapter.startswith(f"adapter/{artifacts[0].name[:12]}  ")
    assert adapter.endswith(
        " 1      2.5  model aaaaaaaa, lora rank 8, rate 0.001, 4 epochs, seed 3, bfloat16, "
        "pairs bbbbbbbb"
    )
    assert index.endswith("dense, passages 12, corpus cccccccc")
    assert total.startswith("2 artifacts, ")


def test_ls_as_json_counts_uses(artifacts: list[Path], capsys):
    store_use.record(artifacts[0])
    main(["ls", "--json", "--kind", "adapter"])
    (adapter,) = json.loads(capsys.readouterr().out)
    assert (adapter["times_used"], adapter["cost_seconds"]) == (2, 2.5)
    assert adapter["size_bytes"] == sum(p.stat().st_size for p in artifacts[0].iterdir())


def test_ls_of_an_unknown_kind_names_those_there_are(artifacts: list[Path], capsys):
    main(["ls", "--kind", "adaptor"])
    assert "no artifact of kind 'adaptor'; there are: adapter, index" in capsys.readouterr().out


def test_an_empty_store_is_no_error(own_cache: Path, capsys):
    assert [main(["ls"]), main(["verify"]), main(["gc", "--max-gib", "0"])] == [0, 0, 0]
    assert "0 artifacts" in capsys.readouterr().out


def test_verify_names_the_damaged_file_and_fails(artifacts: list[Path], capsys):
    assert main(["verify"]) == 0
    (artifacts[0] / "weights").write_bytes(b"w" * 2047 + b"x")
    assert main(["verify"]) == 1
    told = capsys.readouterr().out
    assert f"damaged: adapter/{artifacts[0].name}: weights does not match its checksum" in told
    assert "1 artifact whole, 1 damaged" in told
    assert artifacts[0].exists()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("missing", "vectors is missing"),
        ("manifest", "the manifest cannot be read"),
        ("no manifest", "manifest.json is missing"),
        ("key", "the manifest has no 'files'"),
    ],
)
def test_verify_says_what_is_wrong_and_repair_removes_it(artifacts, capsys, damage, said):
    index = artifacts[1]
    manifest = index / store_use.MANIFEST
    if damage == "missing":
        (index / "vectors").unlink()
    elif damage == "manifest":
        manifest.write_text(manifest.read_text()[:30])
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text("{}")
    assert main(["verify", "--repair"]) == 1
    assert f"{said}; removed" in capsys.readouterr().out
    assert (artifacts[0].exists(), index.exists()) == (True, False)
    assert main(["verify"]) == 0


def test_verify_finds_what_a_killed_maker_left(artifacts: list[Path], capsys):
    left = artifacts[0].parent / f".making-{artifacts[0].name}-x1"
    left.mkdir()
    (left / "half").write_bytes(b"h" * 7)
    assert main(["verify"]) == 1
    assert "1 half-written folder (7 B) left by killed runs" in capsys.readouterr().out
    assert left.exists()
    main(["verify", "--repair"])
    assert not left.exists()


def test_gc_says_what_it_freed(artifacts: list[Path], capsys):
    assert main(["gc", "--max-gib", "0", "--dry-run"]) == 0
    assert "would be freed (2 artifacts)" in capsys.readouterr().out
    assert main(["gc", "--max-gib", "0"]) == 0
    told = capsys.readouterr().out
    assert f"removed adapter/{artifacts[0].name[:12]}" in told
    assert "freed (2 artifacts), 0 B left" in told
    assert not artifacts[0].exists()


def test_gc_takes_its_size_from_the_environment(artifacts: list[Path], capsys, monkeypatch):
    main(["gc"])
    assert "no size was given: --max-gib N" in capsys.readouterr().out
    monkeypatch.setenv("HARNESS_STORE_MAX_GIB", "0")
    main(["gc"])
    assert "freed (2 artifacts)" in capsys.readouterr().out


@pytest.mark.parametrize("size", ["-1", "nan", "ten"])
def test_a_size_that_is_none_is_refused(own_cache: Path, capsys, size):
    assert main(["gc", "--max-gib", size]) == 2
    assert f"'{size}' is not a number of 0 or more" in capsys.readouterr().err


def test_answers_are_told_by_weights_and_index():
    weights = {"base": "a" * 64, "adapter": "b" * 64, "merged": False}
    key = {"weights": weights, "index": "c" * 64, "top_k": 3, "test": "d" * 64}
    assert describe("answers", key, {"a" * 64: "SmolLM2"}) == (
        "SmolLM2 + adapter/bbbbbbbb (beside it), index/cccccccc, top_k 3, test dddddddd"
    )


def test_an_unknown_kind_is_told_by_its_plain_entries():
    assert describe("embeddings", {"encoder": "e", "n": 3, "more": [1]}) == "encoder e, n 3"


def test_units():
    assert [in_units(n) for n in (999, 2048, 3 * 1024**2, 1024**3)] == [
        "999 B",
        "2.0 KiB",
        "3.0 MiB",
        "1.0 GiB",
    ]
