"""Checks what the command line asks for before anything runs, and says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.config import CONF, SLOTS, Config, first_line, is_filled, register, to_dataclass
from harness.errors import ConfigError, suggestion
from harness.search.space import (
    Space,
    check_ends,
    is_search,
    refuse_range,
    require_optuna,
    searched,
    values_at_ends,
)

MOST_JOBS_CHECKED = 24
"""Composing takes about 0.1 s a job: a larger sweep is checked at evenly spread jobs."""

TYPES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    int | None: "a whole number or null",
    float | None: "a number or null",
    bool | None: "true, false or null",
}


class Composer:
    """Composes ``conf/`` (and an extra folder of the user's) without starting a Hydra app."""

    def __init__(self, extra_folder: Path | None = None) -> None:
        if not (CONF / "config.yaml").is_file():
            raise ConfigError(f"{CONF} is missing: install from a checkout with pip install -e .")
        setup_globals()
        Plugins.instance()  # sweepers and launchers that are installed register their settings
        register()
        search_path = create_config_search_path(str(CONF))
        if extra_folder is not None:
            if not extra_folder.is_dir():
                raise ConfigError(f"--config-dir {extra_folder} is not a folder")
            _check_names(extra_folder)
            # Where Hydra puts it: behind conf/, whose files go first.
            place = f"file://{extra_folder.resolve()}"
            search_path.prepend("command-line", place, SearchPathQuery(provider="schema"))
        self.loader = ConfigLoaderImpl(config_search_path=search_path)
        self.loader.ensure_main_config_source_available()
        self.parser = OverridesParser.create(config_loader=self.loader)
        self.compose = cache(self._compose)

    def _compose(self, *overrides: str, mode: RunMode = RunMode.RUN) -> DictConfig:
        """The configuration under ``overrides``, its ``hydra`` node included."""
        return self.loader.load_configuration("config", list(overrides), run_mode=mode)

    def is_group(self, override: Override) -> bool:
        """Whether the override picks a file (``retriever=bm25``) rather than sets a value."""
        return self.loader.repository.group_exists(override.key_or_group)

    def choices(self, group: str) -> list[str]:
        """The files of a group, without the schemas."""
        names = self.loader.get_group_options(group)
        return sorted(name for name in names if not name.startswith("base_"))


def _check_names(folder: Path) -> None:
    """Refuse files that Hydra would pass over: the harness's own of the same name go first."""
    hidden = []
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder)
        own = CONF / name
        if own.is_file() and own.read_bytes() != path.read_bytes():
            hidden.append(str(name))
    if hidden:
        raise ConfigError(
            f"--config-dir {folder}: {', '.join(hidden)} would not be read, since conf/ of the "
            "harness has a file of that name, which goes first; give yours another name"
        )


@dataclass(frozen=True)
class Plan:
    """What a command line asks for.

    Attributes:
        jobs: how many jobs there will be.
        configs: the configuration of each; of evenly spread ones, if there are many.
        launcher: what starts them, a choice of hydra/launcher.
        space: what is searched, if this is a search; ``configs`` stand at its ends then.
    """

    jobs: int
    configs: list[Config]
    launcher: str = "basic"
    space: Space | None = None


def check(
    overrides: Sequence[str],
    multirun: bool,
    extra_folder: Path | None = None,
    every: bool = False,
) -> Plan:
    """The jobs that ``overrides`` ask for, with their configurations, found to be valid.

    Args:
        every: compose every job, however many there are.

    Raises:
        ConfigError: an override cannot be read, names what does not exist, has a value of the
            wrong type, or settings do not fit one another.
    """
    composer = Composer(extra_folder)
    try:
        asked = [_parse(text, composer) for text in overrides]
        for override in asked:
            _check_choice(override, composer)
        jobs, space = _expand(asked, multirun, composer)
        sample = jobs if every else jobs[:: -(-len(jobs) // MOST_JOBS_CHECKED)]
        _check_search(asked, space)
        parsed = [*asked, *(_parse(text, composer) for text in space.swept)] if space else asked
        settings = [override for override in parsed if not composer.is_group(override)]
        _check_settings(settings, sample, composer)
        configs = [_check_job(job, composer) for job in sample]
        hydra = composer.compose(*sample[0]).hydra
        several = multirun or hydra.mode == RunMode.MULTIRUN
        launcher = hydra.runtime.choices["hydra/launcher"] if several else "basic"
        return Plan(len(jobs), configs, launcher, space)
    except (HydraException, OmegaConfBaseException) as error:
        if "hydra/sweeper/optuna" in str(error):  # an experiment that searches
            require_optuna()
        cause = f" ({first_line(error.__cause__)})" if error.__cause__ else ""
        raise ConfigError(f"{first_line(error)}{cause}") from error


def _parse(text: str, composer: Composer) -> Override:
    """One override as Hydra reads it."""
    try:
        override = composer.parser.parse_override(text)
    except HydraException:
        override = None
    if override is None or not override.key_or_group:
        raise ConfigError(
            f"cannot read '{text}': write group=choice or setting=value, for instance method=rag "
            "or retriever.top_k=5, and quote values that hold spaces or commas: 'key=\"a, b\"'"
        )
    return override


def _values(override: Override) -> Iterator[str]:
    """The values that an override takes: one, each of a sweep's, or both ends of a range."""
    if override.is_sweep_override():
        yield from values_at_ends(override)
    elif not override.is_sweep_override() and not override.is_delete():
        yield override.get_value_element_as_str()


def _check_choice(override: Override, composer: Composer) -> None:
    """Refuse a group's file that does not exist."""
    group = override.key_or_group
    if not composer.is_group(override):
        return
    choices = composer.choices(group)
    for value in _values(override):
        if (group, value) == ("hydra/sweeper", "optuna"):
            require_optuna()
        if value not in choices:
            hint = suggestion(value, choices) or "."
            raise ConfigError(f"unknown {group} '{value}'{hint} One of: {', '.join(choices)}")


def _expand(
    asked: list[Override], multirun: bool, composer: Composer
) -> tuple[list[tuple[str, ...]], Space | None]:
    """The overrides of each job: those that Hydra's sweeper will launch.

    For a search, those of jobs at the ends of its space, and the space.
    """
    # The experiment's own sweep (hydra.sweeper.params) counts too; the command line's wins.
    picks = [
        str(override.input_line)
        for override in asked
        if not override.is_sweep_override()
        and (composer.is_group(override) or override.is_hydra_override())
    ]
    hydra = composer.compose(*picks, mode=RunMode.MULTIRUN).hydra
    swept = [override for override in asked if override.is_sweep_override()]
    if not multirun and hydra.mode != RunMode.MULTIRUN:
        if swept:
            raise ConfigError(
                f"'{swept[0].input_line}' gives several values: add -m to run each of them "
                f"(a single value that is a list is written {swept[0].key_or_group}=[…])"
            )
        return [tuple(str(override.input_line) for override in asked)], None
    params = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
    parsed = composer.parser.parse_overrides(params)
    if is_search(hydra):
        space = searched(hydra, parsed, asked)
        return space.jobs, space
    refuse_range([override for override in [*parsed, *swept] if override.is_sweep_override()])
    own = [override for override in asked if override.is_hydra_override()]
    rest = parsed + [o for o in asked if o not in own]
    (jobs,) = BasicSweeper.split_arguments(rest, max_batch_size=None)
    return [(*(str(override.input_line) for override in own), *job) for job in jobs], None


def _check_search(asked: list[Override], space: Space | None) -> None:
    """Refuse settings of a search where there is none."""
    for override in asked:
        if space is None and override.key_or_group.startswith("search."):
            raise ConfigError(
                f"'{override.input_line}' would do nothing: this is no search; add -m "
                "hydra/sweeper=optuna and what to search, 'adapter.rank=choice(8,16,32)' say"
            )


def _check_settings(
    settings: list[Override], jobs: list[tuple[str, ...]], composer: Composer
) -> None:
    """Refuse a setting that no job has, that fills no slot, or whose value has the wrong type."""
    bases = {_groups_only(job, composer) for job in jobs}
    configs = [composer.compose(*base) for base in sorted(bases)]
    for override in settings:
        key = override.key_or_group
        for cfg in configs:
            _check_key(key, cfg, composer)
            if override.is_interval_sweep():
                check_ends(override, _type_of(cfg, key))
            for value in _values(override):
                _check_type(f"{key}={value}", cfg, composer)
        slot = key.partition(".")[0]
        if slot in SLOTS and not any(is_filled(cfg, slot) for cfg in configs):
            arms = sorted({str(cfg.arm) for cfg in configs})
            raise ConfigError(
                f"'{override.input_line}' would do nothing: {', '.join(arms)} has no {slot}; "
                f"choose a method that has one, or {slot}=…"
            )


def _groups_only(job: tuple[str, ...], composer: Composer) -> tuple[str, ...]:
    """The overrides of a job that pick files."""
    return tuple(text for text in job if composer.is_group(composer.parser.parse_override(text)))


def _check_key(key: str, cfg: DictConfig, composer: Composer) -> None:
    node: Any = cfg
    for part in key.split("."):
        if not OmegaConf.is_dict(node) or OmegaConf.get_type(node) is dict:
            return  # a free dictionary, a list: no schema to compare with
        if part not in node:
            known = [*_settings_of(cfg), *composer.loader.list_groups("")]
            raise ConfigError(f"unknown setting '{key}'{_nearest(key, known)}")
        node = node._get_node(part)


def _nearest(key: str, known: list[str]) -> str:
    """A hint: the known setting nearest to ``key``, or those that end in the same word."""
    if near := suggestion(key, known):
        return near
    tail = key.rpartition(".")[2]
    same = [name for name in known if name.rpartition(".")[2] == tail]
    if same:
        return f"; did you mean {' or '.join(repr(name) for name in same[:3])}?"
    return "; harness run --cfg job prints every setting"


def _settings_of(node: DictConfig, prefix: str = "") -> list[str]:
    """The dotted names of every setting, Hydra's own left out."""
    names = []
    for key in map(str, node):
        name = f"{prefix}{key}"
        if name == "hydra":
            continue
        names.append(name)
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            names += _settings_of(child, f"{name}.")
    return names


def _check_type(text: str, cfg: DictConfig, composer: Composer) -> None:
    """Refuse a value that its setting's type does not take."""
    override = composer.parser.parse_override(text)
    copy = cfg.copy()
    try:
        OmegaConf.update(copy, override.key_or_group, override.value(), merge=True)
    except OmegaConfBaseException as error:
        wanted = TYPES.get(_type_of(copy, override.key_or_group), "")
        reason = f"the value is not {wanted}" if wanted else first_line(error)
        raise ConfigError(f"cannot set '{text}': {reason}") from error


def _type_of(cfg: DictConfig, key: str) -> Any:
    """The declared type of a setting."""
    parent, _, name = key.rpartition(".")
    node: Any = (OmegaConf.select(cfg, parent) if parent else cfg)._get_node(name)
    kind, optional = node._metadata.ref_type, node._metadata.optional
    return kind | None if optional and isinstance(kind, type) else kind


def _check_job(job: tuple[str, ...], composer: Composer) -> Config:
    cfg = composer.compose(*job)
    _check_arm(job, cfg, composer)
    return to_dataclass(cfg)


def _check_arm(job: tuple[str, ...], cfg: DictConfig, composer: Composer) -> None:
    """Refuse a row whose ``arm`` would claim other slots than were filled."""
    method = cfg.hydra.runtime.choices.get("method")
    if not method:
        return
    declared = composer.compose(f"method={method}")
    for slot in SLOTS:
        if cfg.arm == declared.arm and is_filled(cfg, slot) != is_filled(declared, slot):
            has, lacks = (f"a {slot}", "none") if is_filled(cfg, slot) else (f"no {slot}", "one")
            raise ConfigError(
                f"{' '.join(job)}: this arm has {has}, but method={method}, whose name it would be "
                f"recorded under, has {lacks}; choose another method, or name the arm with arm=…"
            )
