"""The kinds of adapter that PEFT offers here, and a kind's settings as PEFT's own.

All of them can be merged into the weights. Kinds that put virtual tokens before the prompt (prompt
and prefix tuning) are not among them: they cannot be merged, and the positions at which the output
head is applied would no longer be those of the prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from harness.adapters.config import AdapterConfig
from harness.errors import ConfigError, TrainingError, suggestion


@dataclass(frozen=True)
class PeftKind:
    """What PEFT calls a kind's settings; None where the kind has no such thing.

    Attributes:
        config: PEFT's class of settings.
    """

    config: str
    rank: str | None = None
    alpha: str | None = None
    dropout: str | None = None


PEFT_KINDS = {
    "lora": PeftKind("LoraConfig", "r", "lora_alpha", "lora_dropout"),
    "loha": PeftKind("LoHaConfig", "r", "alpha", "rank_dropout"),
    "lokr": PeftKind("LoKrConfig", "r", "alpha", "rank_dropout"),
    "vera": PeftKind("VeraConfig", "r", None, "vera_dropout"),
    "oft": PeftKind("OFTConfig", None, None, "module_dropout"),
    "ia3": PeftKind("IA3Config"),
}

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dora": {"use_dora": True},  # Liu et al. 2024, arXiv:2402.09353
    "rslora": {"use_rslora": True},  # Kalajdzievski 2023, arXiv:2312.03732
    "pissa": {"init_lora_weights": "pissa"},  # Meng et al. 2024, arXiv:2404.02948
    "olora": {"init_lora_weights": "olora"},  # Büyükakyüz 2024, arXiv:2406.01775
}
"""What a variant of LoRA sets in PEFT's ``LoraConfig``."""

NO_OPTIONS = {
    "target_modules": "adapter.target_modules",
    "use_dora": "adapter.variant=dora",
    "use_rslora": "adapter.variant=rslora",
    "init_lora_weights": "adapter.variant",
}
"""Fields of PEFT that are no options, and the setting that they have here."""

NOT_OFFERED = (
    "task_type", "peft_type", "base_model_name_or_path", "revision", "inference_mode",
    "auto_mapping", "peft_version", "runtime_config", "layer_replication",
    "alora_invocation_tokens", "arrow_config", "loftq_config", "eva_config", "corda_config",
    "lora_ga_config", "megatron_config", "megatron_core", "save_projection",
)  # fmt: skip
"""Fields that PEFT sets itself, or that need what is not here: data or another base."""


def peft_config(config: AdapterConfig) -> Any:
    """PEFT's settings for this adapter; of a kind other than "full".

    Raises:
        ConfigError: ``adapter.options`` do not fit the kind.
    """
    import peft

    kind = PEFT_KINDS[config.kind]
    settings = getattr(peft, kind.config)
    known = {field.name for field in fields(settings) if field.init}
    own = _own(config, kind)
    taken = NO_OPTIONS | {name: f"adapter.{ours}" for ours, name in _names(kind).items()}
    for name in config.options:
        where = f"adapter.options.{name}"
        if name in taken:
            raise ConfigError(f"{where}: set {taken[name]} instead")
        offered = sorted(known - set(taken) - set(NOT_OFFERED))
        if name not in offered:
            near = suggestion(name, offered)
            raise ConfigError(
                f"{where} is no option of adapter.kind={config.kind}{near}; "
                f"its options are {', '.join(offered)}"
            )
    try:
        return settings(**own, **config.options)
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"adapter.options do not fit {kind.config}: {said}") from error


def _names(kind: PeftKind) -> dict[str, str]:
    """Our name -> PEFT's name of what the kind has."""
    pairs = {"rank": kind.rank, "alpha": kind.alpha, "dropout": kind.dropout}
    return {ours: name for ours, name in pairs.items() if name is not None}


def _own(config: AdapterConfig, kind: PeftKind) -> dict[str, Any]:
    """What our settings say, under PEFT's names."""
    modules: str | list[str] = config.target_modules
    if modules != "all-linear":
        modules = [name.strip() for name in config.target_modules.split(",")]
    values = {name: getattr(config, ours) for ours, name in _names(kind).items()}
    return {
        **values,
        **VARIANTS[config.variant],
        "target_modules": modules,
        "task_type": "CAUSAL_LM",
    }


def attach(model: Any, config: AdapterConfig) -> Any:
    """The model with a new adapter in it, in training mode.

    Raises:
        ConfigError: the options do not fit the kind.
        TrainingError: ``target_modules`` names no module of this model, or the settings do not fit.
    """
    from peft import get_peft_model

    settings = peft_config(config)
    try:
        # Adapters in the weights' own dtype: in bfloat16 PEFT would otherwise compute in float32.
        return get_peft_model(model, settings, autocast_adapter_dtype=False).train()
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        also = f" adapter.options={config.options}" if config.options else ""
        raise TrainingError(
            f"adapter.target_modules={config.target_modules}{also}: {lines[0]}; "
            "use all-linear or names of the model's linear modules"
        ) from error
