"""Prompts to tokens and back, in one way for every backend that has a tokenizer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from harness.prompts import Messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render(tokenizer: PreTrainedTokenizerBase, chat: bool, messages: Messages) -> str:
    """The prompt text: through the chat template, or as instruction, user's part, "Answer:"."""
    if not chat:
        return plain(messages)
    system, *turns = chat_turns(messages)
    try:
        text = tokenizer.apply_chat_template(
            [system, *turns], tokenize=False, add_generation_prompt=True
        )
    except Exception:  # templates raise their own error where they know no system role
        turns[0]["content"] = f"{messages.system}\n\n{turns[0]['content']}"
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return str(text)


def chat_turns(messages: Messages) -> list[dict[str, str]]:
    """The prompt as the turns of a chat: instruction, few-shot examples, user's part."""
    turns = [{"role": "system", "content": messages.system}]
    for asked, answered in messages.shots:
        turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return [*turns, {"role": "user", "content": messages.user}]


def plain(messages: Messages) -> str:
    """The prompt text of a model without a chat template."""
    shots = "".join(f"{asked}\nAnswer: {answered}\n\n" for asked, answered in messages.shots)
    return f"{messages.system}\n\n{shots}{messages.user}\nAnswer:"


def after(prompt_is_chat: bool, option: str) -> str:
    """An option as it continues a prompt."""
    return option if prompt_is_chat else f" {option}"


def encode(tokenizer: PreTrainedTokenizerBase, chat: bool, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text; a chat prompt already holds its special tokens."""
    if not texts:
        return []
    return [list(ids) for ids in tokenizer(list(texts), add_special_tokens=not chat)["input_ids"]]


def continuation(
    tokenizer: PreTrainedTokenizerBase, chat: bool, prompt: str, context: list[int], option: str
) -> list[int]:
    """Ids of ``option`` after ``prompt``, as tokenised together where that splits cleanly."""
    text = after(chat, option)
    whole = encode(tokenizer, chat, [prompt + text])[0]
    if whole[: len(context)] == context and len(whole) > len(context):
        return whole[len(context) :]
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def answer_text(
    tokenizer: PreTrainedTokenizerBase, chat: bool, end_ids: Collection[int], ids: Sequence[int]
) -> tuple[str, int]:
    """Generated ids as text, and how many came before the end.

    Cut at the end token; a base model's answer also at the end of its first line.
    """
    length = next((n for n, token in enumerate(ids) if token in end_ids), len(ids))
    text = str(tokenizer.decode(list(ids[:length]), skip_special_tokens=True)).strip()
    return (text if chat else first_line(text)), length


def first_line(text: str) -> str:
    """The first line alone: what follows it a base model makes up."""
    return text.split("\n", 1)[0].strip()
