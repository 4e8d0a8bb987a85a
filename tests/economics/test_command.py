import csv

import pytest

from harness.cli import main
from harness.columns import COLUMNS


@pytest.fixture
def table(tmp_path):
    """Two seeds of each arm: lora costs 100 s and 1 s a query, rag 20 s and 3 s."""
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(COLUMNS))
        writer.writeheader()
        for arm, fixed, decode, right in (("lora", 100, 10, 0.5), ("rag", 20, 30, 0.25)):
            for seed in (0, 1):
                writer.writerow(
                    {
                        "schema_version": 1,
                        "run_id": f"{arm}{seed}",
                        "status": "ok",
                        "experiment": "made",
                        "arm": arm,
                        "task": "t",
                        "model": "m",
                        "seed": seed,
                        "n_test": 10,
                        "exact_match": right,
                        "train_seconds": fixed,
                        "decode_seconds": decode,
                        "train_energy_kwh": fixed if seed else "",
                        "energy_source": "estimate",
                    }
                )
    return str(path)


def test_the_volume_its_interval_and_its_readings_are_printed(table, capsys):
    assert main(["breakeven", table, "--arm", "lora", "--against", "rag"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "lora is cheaper than rag above 40 queries, in s"
    assert out[1] == "95 % interval: 40 to 40; resamples: above 100%"
    assert "1 different readings of the fixed cost" in out[2]
    assert "fewer than 5 blocks" in out[4]


def test_per_correct_answer_the_accuracy_counts(table, capsys):
    assert main(["breakeven", table, "--arm", "rag", "--against", "lora", "--per", "correct"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("rag is cheaper than lora below 12 queries")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--arm", "lora", "--against", "rag", "--unit", "kwh"],
            "do not hold every cost in kWh (lora lacks the fixed cost",
        ),
        (["--arm", "lorra", "--against", "rag"], "there is no arm 'lorra'; did you mean 'lora'?"),
        (["--arm", "lora"], "required: --against"),
        (["--arm", "lora", "--against", "rag", "--unit", "money"], "invalid choice: 'money'"),
        (["--arm", "lora", "--against", "rag", "--accuracy", "x"], "--accuracy is 'x'"),
    ],
)
def test_what_cannot_be_answered_is_one_line(table, capsys, options, message):
    assert main(["breakeven", table, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
