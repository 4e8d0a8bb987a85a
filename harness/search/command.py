"""``harness run hydra/sweeper=optuna``: trials on validation, then the chosen setting on test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.config import Config, config_hash
from harness.errors import ConfigError
from harness.search.choice import best, front, score, told
from harness.search.config import FINAL, TRIAL, higher_is_better
from harness.search.space import Space
from harness.search.trials import of_search
from harness.search.validation import on_validation, probes_for
from harness.types import Answer, Prediction, Task, sha256_of

Start = Callable[[list[str]], None]


@dataclass(frozen=True)
class Search:
    """A search that was found to be possible.

    Attributes:
        config: of a trial; what is searched has some value there.
        id: the sampler's name and a hash of what decides the proposals and the scores. More
            trials go on from fewer, so their number is no part of it.
        measure: the accuracy measure that trials maximise.
    """

    space: Space
    config: Config
    id: str
    measure: str

    @property
    def seeds(self) -> list[int]:
        """The seeds of the final runs."""
        given = self.config.search.final_seeds
        return [self.config.seed] if given is None else list(given)

    @property
    def jobs(self) -> int:
        """Trials and final runs together."""
        return self.space.trials + len(self.seeds)


def prepare(space: Space, config: Config) -> Search:
    """The search of ``space``, checked against the task.

    Raises:
        ConfigError: no validation questions, or an objective that no trial could know.
    """
    from harness.tasks import load_task

    task = on_validation(load_task(config.task))
    measure = _measure(config, task)
    second = config.search.second or ""
    energy = second.endswith("energy_kwh") or second == "emissions_kg"
    if energy and config.cost.energy == "none":
        raise ConfigError(f"search.second={second} is not known with cost.energy=none: count it")
    if second.startswith("latency") and config.measure.latency_questions == 0:
        raise ConfigError(f"search.second={second} needs measure.latency_questions above 0")
    if second.startswith("train") and config.adapter is None:
        raise ConfigError(f"search.second={second}: the arm {config.arm} trains nothing")
    for probe in probes_for(second):
        if probe not in config.forgetting.probes:
            raise ConfigError(f"search.second={second} needs '{probe}' in forgetting.probes")
    asked = {
        "space": space.settings,
        "sampler": space.sampler,
        "measure": measure,
        "second": config.search.second,
        "settings": config_hash(replace(config, search=replace(config.search, part=""))),
    }
    identity = f"{space.sampler_name}-{sha256_of(asked)[:12]}"
    return Search(space, config, identity, measure)


def search(found: Search, overrides: Sequence[str], flags: Sequence[str], start: Start) -> None:
    """Run the trials, choose, and run the chosen setting on the test questions.

    Args:
        overrides: of the command line; ``flags``: what else stood there.
        start: hands a command line to Hydra.

    Raises:
        TrainingError: no trial gave a score.
    """
    second = found.config.search.second
    objectives = [found.measure, *([second] if second else [])]
    ways = ["maximize" if higher_is_better(name) else "minimize" for name in objectives]
    own = _marked(found, TRIAL)
    direction = f"[{','.join(ways)}]" if second else ways[0]
    folder, count = found.config.folder(), found.space.trials
    _quiet_optuna()
    try:
        direction = f"hydra.sweeper.direction={direction}"
        start([*flags, *overrides, *found.space.own, *own, direction])
    except ValueError:
        # Optuna has no best trial where every one failed; ``best`` says it in our words.
        tried = of_search(folder, found.id, count)
        if not tried or any(one.ok for one in tried):
            raise
    trials = of_search(folder, found.id, count)
    chosen = best(trials)
    print(summary(found))
    settings = [f"{name}={value}" for name, value in chosen.settings.items()]
    swept = found.space.settings
    kept = [text for text in overrides if text.partition("=")[0] not in {*swept, "seed"}]
    # The experiment's own fixed settings are the sweeper's, which does not run now.
    fixed = [text for text in found.space.fixed if text not in kept and text[:5] != "seed="]
    last = [*_marked(found, FINAL), "hydra.mode=RUN"]
    others = [flag for flag in flags if flag not in ("-m", "--multirun")]
    for seed in found.seeds:
        start([*others, *kept, *fixed, *settings, f"seed={seed}", *last])


def summary(found: Search) -> str:
    """What a search came to: the chosen setting, and the front of two objectives."""
    trials = of_search(found.config.folder(), found.id, found.space.trials)
    chosen = best(trials)
    lines = [f"search: {told(trials, found.space.sampler_name)}"]
    if chosen.second is not None:
        lines.append("front, the first objective decides:")
        lines += [f"  {score(one)}: {_in_words(one.settings)}" for one in front(trials)]
    return "\n".join([*lines, f"chosen: {_in_words(chosen.settings)}, now on the test questions"])


def _quiet_optuna() -> None:
    """Keep Optuna from writing to the terminal what our own lines say."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _in_words(settings: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in settings.items())


def _marked(found: Search, part: str) -> list[str]:
    """The overrides that tell a job which part of which search it is."""
    return [
        f"search.part={part}",
        f"search.id={found.id}",
        f"search.measure={found.measure}",
        f"search.over=[{','.join(found.space.settings)}]",
        f"search.trials={found.space.trials}",
    ]


def _measure(config: Config, task: Task) -> str:
    """The accuracy measure to maximise, known to apply to validation questions."""
    from harness.measures import similarity
    from harness.measures.accuracy import score as scores_of

    asked = [
        Prediction(question, "", Answer("", 0, 0, (0.0,) * len(question.choices)))
        for question in task.test
    ]
    applying = {name for one in asked for name in scores_of(one)}
    if config.measure.embedding_similarity and any(map(similarity.applies, task.test)):
        applying.add(similarity.NAME)
    named = config.search.measure or config.measure.primary
    if named is None:
        both = [name for name in ("multiple_choice", "contains") if name in applying]
        if len(both) != 1:
            raise ConfigError("questions with options and without: name one search.measure")
        named = both[0]
    if named not in applying:
        raise ConfigError(
            f"search.measure={named} applies to no validation question of {task.name}; those have "
            f"{', '.join(sorted(applying))}"
        )
    return named
