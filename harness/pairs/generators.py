"""What writes pairs, by the name that ``adapter.pairs.generator`` gives."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from harness.models.config import ModelConfig
from harness.models.endpoint_config import EndpointConfig
from harness.pairs.asked import Asked, Writer
from harness.pairs.config import PairsConfig
from harness.pairs.protocol import Generator
from harness.pairs.templates import Templates

Load = Callable[[], Writer]


def base_model(config: PairsConfig, model: ModelConfig, identity: str, load: Load) -> Asked:
    """The run's own base model, loaded as for training: it writes what it will be trained on.

    Args:
        identity: names the model's files.
    """
    settings = {
        "base": identity,
        "dtype": model.train_dtype,
        "attention": model.train_attention,
        "chat": model.chat,
        # Sums of another batch differ in their last digits, and so may what is written.
        "batch": [model.batch_size, model.batch_tokens],
    }
    return Asked(config, settings, load, remote=False)


def endpoint(config: PairsConfig) -> Asked:
    """A model behind an OpenAI-compatible address.

    Its key holds address and model name, and not what the server says of itself: pairs that were
    paid for are used again without asking it anything.
    """
    model = config.endpoint.as_model(config.seed)
    address = urlsplit(model.base_url)
    name = f"endpoint {address.netloc}{address.path.rstrip('/')}; chat {model.id}"
    settings = {"base": name, "limit_field": model.limit_field, "seed": config.seed}
    return Asked(config, settings, lambda: _open(model, name), remote=True)


def _open(model: EndpointConfig, name: str) -> Writer:
    from harness.models.endpoint import Endpoint
    from harness.models.estimate import EstimatedTokenizer

    return Endpoint(model, EstimatedTokenizer(), name)


GENERATORS: dict[str, Callable[[PairsConfig, ModelConfig, str, Load], Generator]] = {
    "templates": lambda config, model, identity, load: Templates(config.paraphrases),
    "model": base_model,
    "endpoint": lambda config, model, identity, load: endpoint(config),
}
"""Each is given the settings, those of the run's model with its identity, and what loads it."""
