"""How a model is asked for pairs and for other wordings; a setting replaces each of these texts.

An example stands in the request, since small models do not keep to a form that is only described.
What they copy from it does not stand in the document, and is dropped.
"""

from __future__ import annotations

import re

from harness.pairs.config import PairsConfig
from harness.pairs.protocol import Pair, Part
from harness.prompts import Messages

INSTRUCTION = "You write questions and short answers about a text."

REQUEST = """\
Text: The old mill of Brandt was built by Ida Brandt in 1871. It grinds oats and rye.

2 questions that this text answers, each with a short answer copied from it:
Q: Who built the old mill of Brandt?
A: Ida Brandt
Q: In which year was the old mill of Brandt built?
A: 1871

Text: {text}

{pairs} questions that this text answers, each with a short answer copied from it:"""

PARAPHRASE_REQUEST = """\
Question: Who built the old mill of Brandt?
2 other wordings of this question:
1. By whom was the old mill of Brandt built?
2. Which person built the old mill of Brandt?

Question: {question}
{paraphrases} other wordings of this question:"""


def ask_for_pairs(config: PairsConfig, part: Part) -> Messages:
    """The request for ``part.wanted`` pairs about a part, which stands behind its title."""
    titled = part.title and not part.text.lstrip("# ").startswith(part.title)
    text = f"{part.title}\n{part.text}" if titled else part.text
    return _messages(config, config.request or REQUEST, {"text": text, "pairs": str(part.wanted)})


def ask_for_paraphrases(config: PairsConfig, pair: Pair) -> Messages:
    """The request for other wordings of a pair's question."""
    values = {"question": pair.question, "answer": pair.answer}
    values["paraphrases"] = str(config.paraphrases)
    return _messages(config, config.paraphrase_request or PARAPHRASE_REQUEST, values)


def _messages(config: PairsConfig, request: str, values: dict[str, str]) -> Messages:
    # In one pass, and not by str.format: a document may hold braces.
    user = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), request)
    return Messages(config.instruction or INSTRUCTION, user)
