"""Whether what every prompt is to hold fits into the model's context: known before long work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.config import Config
from harness.errors import ConfigError
from harness.models.tokens import render
from harness.prompts import build_messages, passage_text
from harness.shots import Shots
from harness.types import Passage, Task


def check_room(
    config: Config,
    task: Task,
    shots: Shots,
    passages: Sequence[Passage],
    tokenizer: Any,
    context_tokens: int | None,
) -> None:
    """Nothing, if few-shot examples fit, and the whole corpus where the arm is given all of it.

    Args:
        context_tokens: the longest prompt and answer together; None: nobody says.

    Raises:
        ConfigError: they do not; with the tokens that are needed and those that there are.
    """
    prompt, model = config.prompt, config.model

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    chat = bool(getattr(tokenizer, "chat_template", None)) if model.chat is None else model.chat
    bare = max(
        count(
            render(
                tokenizer,
                chat,
                build_messages(prompt, q.question, (), q.choices, shots.of(q)),
            )
        )
        for q in (*task.test, *task.validation)
    )
    around = bare + prompt.max_new_tokens
    if context_tokens is not None and around > context_tokens:
        raise ConfigError(
            f"a question with prompt.shots={shots.count} takes {bare} tokens and its answer "
            f"{prompt.max_new_tokens}, but {model.name} reads {context_tokens}; lower prompt.shots"
        )
    if config.retriever is None or not config.retriever.gives_all:
        return
    texts = list(dict.fromkeys(passage_text(passage) for passage in passages))
    told = f"the corpus does not fit into a prompt: its {len(texts)} passages have"
    budget, counted = prompt.context_budget_tokens, sum(map(count, texts))
    if budget is not None and counted > budget:
        raise ConfigError(
            f"{told} {counted} tokens and prompt.context_budget_tokens={budget} gives room for "
            f"{budget}; set prompt.context_budget_tokens=null (as many as the model reads), or "
            "choose a retriever that searches"
        )
    # As they stand in the prompt, with what parts them.
    joined = count("Context: " + "\n\n".join(texts) + "\n\n")
    if context_tokens is not None and joined + around > context_tokens:
        raise ConfigError(
            f"{told} {joined} tokens and {model.name} has room for {context_tokens - around} "
            f"(it reads {context_tokens}, question and answer take {around}); take a smaller "
            "corpus, a model that reads more, or a retriever that searches"
        )
