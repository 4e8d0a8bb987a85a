"""What is searched is checked before anything runs; each mistake is one line."""

import pytest

from harness.errors import ConfigError
from harness.overrides import check
from harness.search import space

BASE = ("hydra/sweeper=optuna", "method=lora", "task=fictional")
RANK = "adapter.rank=choice(8,16,32)"
RATE = "adapter.learning_rate=tag(log,interval(1e-4,3e-3))"


def message_for(*overrides: str, base: tuple[str, ...] = BASE) -> str:
    with pytest.raises(ConfigError) as caught:
        check([*base, *overrides], multirun=True)
    message = str(caught.value)
    assert "\n" not in message
    return message


def found(*overrides: str, base: tuple[str, ...] = BASE) -> space.Space:
    plan = check([*base, *overrides], multirun=True)
    assert plan.space is not None
    return plan.space


def test_choices_and_intervals_are_a_space():
    got = found(RANK, RATE, "hydra.sweeper.n_trials=7", "seed=3")
    assert got.settings == {
        "adapter.rank": "choice(8,16,32)",
        "adapter.learning_rate": "tag(log,interval(1e-4,3e-3))",
    }
    assert got.trials == 7
    assert got.sampler_name == "TPE"
    assert set(got.fixed) == {"method=lora", "task=fictional", "seed=3"}


def test_each_end_and_each_choice_is_checked_without_every_combination():
    jobs = found(RANK, RATE).jobs
    values = [tuple(text for text in job if text.startswith("adapter.")) for job in jobs]
    assert values == [
        ("adapter.rank=8", "adapter.learning_rate=0.0001"),
        ("adapter.rank=16", "adapter.learning_rate=0.0001"),
        ("adapter.rank=32", "adapter.learning_rate=0.0001"),
        ("adapter.rank=8", "adapter.learning_rate=0.003"),
    ]


def test_the_sampler_has_a_seed_and_fails_no_search_for_one_trial():
    own = found(RANK).own
    assert "++hydra.sweeper.sampler.seed=0" in own
    assert "hydra.sweeper.max_failure_rate=1.0" in own
    assert "++hydra.sweeper.sampler.seed=5" in found(RANK, "hydra.sweeper.sampler.seed=5").own


def test_a_search_of_an_experiment_file_takes_its_own_arm():
    got = found("method=lora", RATE, base=("hydra/sweeper=optuna", "experiment=quickstart"))
    assert set(got.settings) == {"adapter.learning_rate"}
    assert "method=lora" in got.fixed


def test_the_example_experiment_is_a_search():
    got = found(base=("experiment=search_lora",))
    assert set(got.settings) == {"adapter.rank", "adapter.learning_rate"}
    assert got.trials == 12


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "has nothing to search"),
        (["adapter.rnk=choice(1,2)"], "unknown setting 'adapter.rnk'; did you mean"),
        (["adapter.rank=choice(8)"], "leaves nothing to choose"),
        (["adapter.learning_rate=interval(0.1,0.1)"], "is empty: write the smaller end first"),
        (["adapter.learning_rate=interval(0.2,0.1)"], "is empty"),
        (["adapter.learning_rate=interval(0.1,inf)"], "two finite ends"),
        (["adapter.learning_rate=tag(log,interval(0.0,0.1))"], "the smaller end is above 0"),
        (["adapter.learning_rate=tag(lgo,interval(0.1,0.2))"], "unknown tag 'lgo'; did you mean"),
        (["adapter.alpha=int(interval(4,32))"], "write interval(4, 32)"),
        (["adapter.rank=interval(4,8)"], "write int(interval(4, 8))"),
        (["adapter.rank=range(4,8)"], "write int(interval(a, b)), which tries both ends"),
        (["adapter.merge=interval(0,1)"], "adapter.merge is no number"),
        (["adapter.rank=shuffle(choice(1,2))"], "leave out shuffle"),
        (["adapter.rank=choice(8,x)"], "cannot set 'adapter.rank=x'"),
        (["adapter.rank=choice(0,8)"], "adapter.rank"),
        (["task.split_seed=choice(0,1)"], "it would choose the questions"),
        (["task.test_questions=range(5,9)"], "it would choose the questions"),
        (["task=fictional,world_facts"], "it would choose the questions"),
        (["seed=0,1,2"], "search.final_seeds"),
        (["method=lora,rag_lora"], "each arm is searched by itself"),
        (["measure.primary=f1,contains", RANK], "it would choose how answers are judged"),
        (["cost.pue=interval(1.0,2.0)"], "how costs are counted"),
        (["search.second=train_seconds,answer_seconds"], "how the search itself goes"),
        ([RANK, "hydra.sweeper.storage=sqlite:///x.db"], "trials are kept in"),
        ([RANK, "hydra.sweeper.direction=maximize"], "set by harness run"),
        ([RANK, "hydra.sweeper.n_trials=0"], "at least 1"),
        ([RANK, "hydra/sweeper/sampler=grid"], "takes no seed, so a search with it cannot be"),
        ([RANK, "search.measure=contain"], "did you mean 'contains'?"),
        ([RANK, "search.second=train_second"], "did you mean 'train_seconds'?"),
        ([RANK, "search.final_seeds=[0,0]"], "list different seeds"),
    ],
    ids=str,
)
def test_a_search_that_cannot_be_is_refused(overrides: list[str], said: str):
    assert said in message_for(*overrides)


def test_an_experiment_that_sweeps_arms_must_be_given_one():
    message = message_for(RANK, base=("hydra/sweeper=optuna", "experiment=quickstart"))
    assert "name one with method=…" in message


@pytest.mark.parametrize("text", [RATE, "adapter.rank=interval(4,8)"])
def test_a_range_needs_the_sweeper(text: str):
    message = message_for(text, base=("method=lora",))
    assert "is a range to search, not a list of values: add hydra/sweeper=optuna" in message


def test_settings_of_a_search_do_nothing_without_one():
    assert "this is no search" in message_for("search.second=train_seconds", base=("method=lora",))


def test_whole_numbers_are_searched_as_such():
    assert set(found("adapter.rank=tag(log,int(interval(4,32)))").settings) == {"adapter.rank"}


def test_phrasings_may_be_searched_since_they_leave_the_questions_alone():
    assert set(found("task.phrasings=choice(1,2)").settings) == {"task.phrasings"}


def test_without_the_plugin_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(space, "find_spec", lambda name: None)
    assert "pip install -c constraints.txt -e '.[search]'" in message_for(RANK)
