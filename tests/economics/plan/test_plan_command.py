import json

import pytest

from harness.cli import main

LLAMA = "llama_3_8b"


def printed(capsys, *arguments: str) -> str:
    assert main(["plan", *arguments]) == 0
    return capsys.readouterr().out


def planned(capsys, *arguments: str) -> dict:
    return json.loads(printed(capsys, *arguments, "--json"))


def refused(capsys, *arguments: str) -> str:
    assert main(["plan", *arguments]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def test_the_plan_of_lora_on_an_8b_model(capsys):
    plan = planned(
        capsys, LLAMA, "--train", "lora", "--examples", "1e4", "--epochs", "3",
        "--device", "h100_sxm", "--device", "t4",
        "--assume", "electricity_usd_per_kwh=0.3", "--assume", "country=FRA",
        "--assume", "pue=1.2",
    )  # fmt: skip
    assert plan["model"]["parameters"] == 8_030_261_248
    assert plan["training"]["trained"] == 41_943_040
    (work,) = plan["work"]
    assert work["bytes"]["weights"] == 2 * 8_030_261_248
    # 4 FLOP a linear weight and token
    assert work["flop"]["blocks"] == 4 * 6_979_321_856 * 3e4 * 512
    h100, t4 = work["devices"]
    assert h100["fits"] and h100["count"] == 1
    assert h100["hours"] == pytest.approx(sum(work["flop"].values()) / (989e12 * 0.3) / 3600)
    assert h100["kwh"] == pytest.approx(h100["hours"] * 0.7 * 1.2)
    assert h100["usd"] == pytest.approx(h100["kwh"] * 0.3)
    assert h100["kg_co2e"] == pytest.approx(h100["kwh"] * 0.056, rel=0.5)
    assert not t4["fits"] and (t4["count"], t4["bound_by"]) == (2, "memory")
    assert t4["figures"]["watts"]["source"].startswith("https://")


def test_training_and_answering_are_both_planned_unless_one_is_named(capsys):
    def works(*arguments: str) -> list[str]:
        plan = planned(capsys, LLAMA, "--device", "l4", *arguments)
        return [work["what"] for work in plan["work"]]

    assert works() == ["training", "answering"]
    assert works("--train", "qlora") == ["training"]
    assert works("--serve") == ["answering"]
    assert works("--serve", "--passages", "1000") == ["indexing", "answering"]
    assert works("--train", "full", "--passages", "1000") == ["training"]


def test_retrievals_share_is_told(capsys):
    base = ("--serve", "--device", "l4", "--queries", "10")
    plain = planned(capsys, LLAMA, *base)["work"][-1]
    found = planned(capsys, LLAMA, *base, "--passages", "1e6", "--top-k", "2")["work"][-1]
    assert found["bytes"]["index"] == 1e6 * 384 * 4
    assert found["flop"]["searching"] == 2 * 384 * 1e6
    assert found["flop"]["reading passages"] > found["flop"]["searching"]
    assert found["devices"][0]["hours"] > plain["devices"][0]["hours"]
    assert found["bytes"]["kv cache"] == plain["bytes"]["kv cache"] * (512 + 64 + 256) / 576


def test_what_is_not_stated_is_not_computed(capsys):
    for work in planned(capsys, LLAMA, "--device", "h100_sxm")["work"]:
        (device,) = work["devices"]
        assert device["hours"] is device["kwh"] is device["usd"] is device["kg_co2e"] is None
    told = planned(capsys, LLAMA, "--serve", "--device", "h100_sxm", "--queries", "5")
    assert told["work"][0]["devices"][0]["usd"] is None
    assert any("assumed, world average" in line for line in told["assumed"])


def test_a_stated_rent_is_of_the_one_device_that_is_named(capsys):
    rent = ("--train", "lora", "--examples", "100", "--assume", "hourly_usd=4")
    one = planned(capsys, LLAMA, *rent, "--device", "h100_sxm")["work"][0]["devices"][0]
    assert one["usd"] == pytest.approx(one["hours"] * 4)
    assert one["usd_of"] == "rent"
    both = planned(capsys, LLAMA, *rent, "--device", "h100_sxm", "--device", "h200")
    assert {device["usd"] for device in both["work"][0]["devices"]} == {None}
    assert any("name one with --device" in line for line in both["assumed"])


def test_the_table_names_what_binds_where_nothing_fits(capsys):
    out = printed(capsys, "llama_3_70b", "--train", "full", "--device", "t4", "--device", "l4")
    assert "It fits on none of them, not on 8 together: memory binds" in out
    assert "moments (564 GB)" in out
    assert "l4 comes nearest" in out
    slow = printed(
        capsys, "llama_3_8b", "--train", "lora", "--examples", "1e9", "--within-hours", "1",
        "--device", "l4",
    )  # fmt: skip
    assert "No device does it with 8 or fewer: time binds" in slow


def test_a_small_model_in_four_bits_fits_an_edge_board(capsys):
    out = printed(
        capsys,
        LLAMA,
        "--serve",
        "--format",
        "q4_0",
        "--device",
        "raspberry_pi_5_8gb",
        "--queries",
        "100",
    )
    line = next(line for line in out.splitlines() if line.startswith("raspberry"))
    # weights 4.517, cache .076, reading .053 and what the heap keeps of it .042, process .644
    assert line.split()[1:6] == ["5.33", "GB", "7.20", "GB", "yes"]
    assert "PUE 1" in out and "bandwidth" in out


def test_devices_are_listed_with_the_source_of_each_figure(capsys):
    out = printed(capsys, "--devices")
    assert "h100_sxm (data-centre GPU)" in out
    assert (
        "  bandwidth_gb_s 3350  https://www.nvidia.com/en-us/data-center/h100/, 2026-11-26" in out
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "harness plan needs a MODEL, or --check"),
        (["lama_3_8b"], "model 'lama_3_8b' is not in the table; did you mean 'llama_3_8b'?"),
        ([LLAMA, "--device", "rtx4090"], "--device is 'rtx4090'; did you mean 'rtx_4090'?"),
        ([LLAMA, "--queries", "0"], "--queries is 0.0; it is above 0"),
        ([LLAMA, "--examples", "-5"], "--examples is -5.0; it is above 0"),
        ([LLAMA, "--examples", "5", "--epochs", "0"], "--epochs is 0.0; it is above 0"),
        ([LLAMA, "--examples", "5", "--mean-tokens", "0"], "--mean-tokens is 0.0; it is above 0"),
        ([LLAMA, "--examples", "5", "--mean-tokens", "900"], "above the 512 of the longest"),
        ([LLAMA, "--passages", "inf"], "argument --passages: invalid number value: 'inf'"),
        ([LLAMA, "--queries", "nan"], "--queries is nan; it is above 0"),
        ([LLAMA, "--mfu", "0"], "--mfu is 0.0; it is above 0"),
        ([LLAMA, "--rank", "1.5"], "argument --rank: invalid number value: '1.5'"),
        ([LLAMA, "--assume", "country=ATL"], "cost.country is 'ATL', for which CodeCarbon has no"),
        ([LLAMA, "--assume", "electricity_usd_per_kwh=-1"], "electricity_usd_per_kwh"),
        ([LLAMA, "--assume", "pue=0.5"], "pue"),
        ([LLAMA, "--cost", "latop"], "--cost is 'latop'; did you mean 'laptop'?"),
        ([LLAMA, "--serve", "--passages", "10", "--top-k", "0"], "--top-k is 0"),
        ([LLAMA, "--check", "results"], "--check takes results and no MODEL"),
        (["--check", "nowhere"], "nowhere"),
        ([LLAMA, "--optimizer", "adamw"], "unrecognized arguments: --optimizer"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, message, capsys):
    assert message in refused(capsys, *arguments)


def test_help_is_printed(capsys):
    assert "usage: harness plan MODEL" in printed(capsys, "--help")
