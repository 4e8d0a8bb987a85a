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
    turns = [
        {"role": "system", "content": messages.system},
        {"role": "user", "content": messages.user},
    ]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except Exception:  # templates raise their own error where they know no system role
        turns = [{"role": "user", "content": f"{messages.system}\n\n{messages.user}"}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return str(text)


def plain(messages: Messages) -> str:
    """The prompt text of a model without a chat template."""
    return f"{messages.system}\n\n{messages.user}\nAnswer:"


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
