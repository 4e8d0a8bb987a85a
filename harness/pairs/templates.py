"""Pairs by rules on sentences, without a model: modest, exact, and the same every time.

A sample::

    "The extension of the help desk is 417."  ->  "What is the extension of the help desk?"
    "Flights are approved by Ines Torvald."   ->  "By whom are flights approved?"
    "Every employee gets 27 days of leave."   ->  'Complete the sentence: "Every employee gets
                                                  ___ days of leave."'

Rules ask one question of a sentence; then gaps are left in sentences, until there are as many pairs
as were asked for. English alone: other languages get what gaps can be left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from harness.models.protocol import Account
from harness.pairs.parse import write_pairs
from harness.pairs.protocol import Pair, Part, Writing, Written
from harness.pairs.sentences import sentences
from harness.types import sha256_of

G = TypeVar("G", Pair, Part)

VERSION = 1
"""Part of the key: raise it when a rule changes what is written."""

GAP = "___"

_BE = r"(?P<be>is|are|was|were)"
_PASSIVE = re.compile(
    rf"^(?P<subject>[^,;:]+?) {_BE} (?P<done>\w{{2,}}(?:ed|en|wn|ne|lt|pt|rn|ght|und|de|un|ld|ut)) "
    r"(?P<word>by|in|at|on|near|to|from) (?P<answer>.+)$"
)
_COPULA = re.compile(rf"^(?P<subject>[^,;:]+?) {_BE} (?P<answer>.+)$")
_SEAT = re.compile(
    r"^(?P<subject>[^,;:]+?) (?:has|have) (?P<what>its|their|a|an|the) (?P<noun>[\w -]+?) "
    r"(?:in|at|on) (?P<answer>[A-Z][^,;]+)$"
)
_STANDS = re.compile(
    r"^(?P<subject>[^,;:]+?) (?P<verb>lies|stands|sits|lie|stand|sit) (?P<answer>(?:in|at|on|near|"
    r"beside|by) [^,;]+)$"
)
_TIME = re.compile(
    r"\b(?:1\d{3}|20\d\d|January|February|March|April|May|June|July|August|September|October|"
    r"November|December|Mondays?|Tuesdays?|Wednesdays?|Thursdays?|Fridays?|Saturdays?|Sundays?|"
    r"spring|summer|autumn|winter)\b"
)
_VALUE = re.compile(
    r"^(?:[\"“(]?[A-Z\d€$£]|(?:the|a|an|one|two|three|four|five|six|seven|eight|nine|ten|eleven|"
    r"twelve|up to|about|at least|at most)\b)"
)
_ROLE = re.compile(
    r"\b(?:mayor|founder|lead|leader|head|director|president|king|queen|author|owner|manager|"
    r"chair|captain|player|minister|governor|teacher|inventor|architect|composer)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"^[\"“](?P<inside>[^\"”]+)[\"”]")
_ENDS_AN_ANSWER = re.compile(r"[,;] | in (?=\d{4}\b)| (?:that|which|who|where|because|while|but) ")
_OWN = re.compile(r"^(?:Its|His|Her|Their) (?P<what>[\w -]+?) (?P<be>is|are|was|were) ")
_PRONOUN = re.compile(r"^(?:It|He|She|They) ")
_POINTS_BACK = re.compile(r"^(?:It|He|She|They|Its|His|Her|Their|This|That|These|Those|There)\b")
_ARTICLE = re.compile(
    r"^(?:The|A|An|Every|Each|All|Some|Most|Many|No|Our|Your|Old|New|Unused|Any)\b"
)
_NAME = r"[A-Z][\w'’.-]*\w(?: (?:(?:of|the|de|la|van|von|and) )?[A-Z][\w'’.-]*\w)*"
_GAPS = (
    re.compile(rf"(?<=[\w,] )(?:{_NAME}|\d[\d.,]*\d|\d)(?=$|[\s,;.)%°€$])"),
    re.compile(r"(?<= (?:by|in|at|to|of|on) )(?:the |a |an )?[\w-]+(?: [\w-]+)?(?=$)"),
)


class Templates:
    """The generator that asks no model; it gives at most ``wordings`` others of a question."""

    remote = False

    def __init__(self, wordings: int) -> None:
        self.wordings = wordings

    def open(self) -> None:
        """Nothing: there is nothing to load."""

    def pairs(self, parts: Sequence[Part]) -> Writing:
        """As many pairs of each part as it is asked for, if its sentences give them."""
        return _writing(parts, lambda part: write_pairs(pairs_of(part)))

    def paraphrases(self, pairs: Sequence[Pair]) -> Writing:
        """The first of the wordings that the rules have for each pair's question."""
        return _writing(
            pairs,
            lambda pair: "\n".join(other_wordings(pair.question)[: self.wordings]),
            self.wordings,
        )

    def account(self) -> Account:
        """Nothing: nobody was asked."""
        return Account()


def _writing(given: Sequence[G], write: Callable[[G], str], limit: int | None = None) -> Writing:
    key: dict[str, Any] = {"generator": "templates", "version": VERSION, "limit": limit}
    key["given"] = sha256_of([asdict(one) for one in given])
    return Writing(key, lambda work: [Written("", write(one)) for one in given])


def pairs_of(part: Part) -> list[tuple[str, str]]:
    """At most ``part.wanted`` (question, answer), asked before gaps, in the sentences' order."""
    stated = [
        one for one in (_on_its_own(text, part.title) for text in sentences(part.text)) if one
    ]
    pairs = [asked for asked in (ask(statement) for statement in stated) if asked]
    for statement in stated:
        if len(pairs) >= part.wanted:
            break
        gapped = leave_gap(statement, part.title)
        if gapped:
            pairs.append(gapped)
    return pairs[: part.wanted]


def _on_its_own(sentence: str, title: str) -> str | None:
    """The statement without its full stop, with the title for a pronoun; None if it is no use."""
    if not sentence.endswith(".") or not 3 <= len(sentence.split()) <= 40:
        return None
    statement = sentence[:-1]
    if title:
        statement = _OWN.sub(rf"The \g<what> of {_literal(inside(title))} \g<be> ", statement)
        statement = _PRONOUN.sub(f"{_literal(title)} ", statement)
    return None if _POINTS_BACK.match(statement) else statement


def _literal(text: str) -> str:
    """``text`` as it stands for itself in a replacement."""
    return text.replace("\\", r"\\")


def ask(statement: str) -> tuple[str, str] | None:
    """A question about the statement and its answer; None where no rule fits."""
    for rule in (_ask_passive, _ask_seat, _ask_standing, _ask_copula):
        found = rule(statement)
        if found:
            return found
    return None


def _ask_passive(statement: str) -> tuple[str, str] | None:
    found = _PASSIVE.match(statement)
    if not found:
        return None
    subject, answer = inside(found["subject"], found["be"]), _short(found["answer"])
    if found["word"] == "by":
        return f"By whom {found['be']} {subject} {found['done']}?", answer
    if _TIME.search(answer):
        return f"When {found['be']} {subject} {found['done']}?", answer
    direction = f" {found['word']}" if found["word"] in ("to", "from") else ""
    return f"Where {found['be']} {subject} {found['done']}{direction}?", answer


def _ask_seat(statement: str) -> tuple[str, str] | None:
    found = _SEAT.match(statement)
    if not found or _TIME.search(found["answer"]):
        return None
    many = "do" if found["what"] == "their" else "does"
    subject = inside(found["subject"])
    return f"Where {many} {subject} have {found['what']} {found['noun']}?", found["answer"]


def _ask_standing(statement: str) -> tuple[str, str] | None:
    found = _STANDS.match(statement)
    if not found:
        return None
    one = found["verb"].endswith("s")
    verb = found["verb"].removesuffix("s") if one else found["verb"]
    does = "does" if one else "do"
    return f"Where {does} {inside(found['subject'])} {verb}?", found["answer"]


def _ask_copula(statement: str) -> tuple[str, str] | None:
    found = _COPULA.match(statement)
    if not found:
        return None
    subject, answer = inside(found["subject"], found["be"]), _short(found["answer"])
    # An adjective says how something is, not what: "The kiln is hot."
    if " of " not in subject and not _VALUE.match(answer):
        return None
    person = _ROLE.search(subject) and re.match(r"[A-Z]", answer)
    return f"{'Who' if person else 'What'} {found['be']} {subject}?", answer


def inside(subject: str, be: str = "") -> str:
    """A subject as it stands inside a sentence: "The kiln" -> "the kiln", names as they are."""
    alone = " " not in subject and be in ("are", "were")  # "Flights are": no name
    if _ARTICLE.match(subject) or alone:
        return subject[0].lower() + subject[1:]
    return subject


def _short(answer: str) -> str:
    """The answer up to where a further clause begins; what is quoted, whole."""
    quoted = _QUOTED.match(answer)
    if quoted:
        return quoted["inside"]
    return _ENDS_AN_ANSWER.split(answer, maxsplit=1)[0].strip()


def leave_gap(statement: str, title: str) -> tuple[str, str] | None:
    """The statement with a gap for its last name or number, else for how it ends."""
    for gap in _GAPS:
        places = [found for found in gap.finditer(statement) if found[0] not in title]
        if places:
            start, end = places[-1].span()
            about = f" about {title}" if title and title not in statement else ""
            gapped = f"{statement[:start]}{GAP}{statement[end:]}."
            return f'Complete the sentence{about}: "{gapped}"', statement[start:end]
    return None


_BY = rf"^By whom {_BE} (?P<s>.+) (?P<done>\w+)\?$"
_WHERE = rf"^(?P<w>Where|When) {_BE} (?P<s>.+?) (?P<done>\w+(?: to| from)?)\?$"
_WORDINGS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (
        re.compile(rf"^(?P<w>What|Who) {_BE} (?P<s>.+)\?$"),
        (
            "Tell me {w} {s} {be}.",
            "{S} {be} {w}?",
            "Do you know {w} {s} {be}?",
            "Say in a few words {w} {s} {be}.",
        ),
    ),
    (
        re.compile(_BY),
        (
            "{S} {be} {done} by whom?",
            "Tell me by whom {s} {be} {done}.",
            "Name the one by whom {s} {be} {done}.",
            "Do you know by whom {s} {be} {done}?",
        ),
    ),
    (
        re.compile(_WHERE),
        (
            "Tell me {w} {s} {be} {done}.",
            "{S} {be} {done} {w}?",
            "Do you know {w} {s} {be} {done}?",
            "Say {w} {s} {be} {done}.",
        ),
    ),
    (
        re.compile(r"^Where (?P<does>does|do) (?P<s>.+)\?$"),
        (
            "In which place {does} {s}?",
            "At what place {does} {s}?",
            "Tell me: where {does} {s}?",
        ),
    ),
    (
        re.compile(r"^Complete the sentence(?P<about>.*?): (?P<s>\".+\")$"),
        (
            "Fill in the gap in this sentence{about}: {s}",
            "What is missing in this sentence{about}? {s}",
            "Which words belong in the gap{about}? {s}",
            "Say what goes into the gap{about}: {s}",
        ),
    ),
)


def other_wordings(question: str) -> list[str]:
    """The question's other wordings, for questions that ``pairs_of`` asks."""
    for pattern, wordings in _WORDINGS:
        found = pattern.match(question)
        if found:
            named = found.groupdict()
            subject = named["s"]
            named |= {"S": subject[0].upper() + subject[1:], "w": named.get("w", "").lower()}
            return [wording.format(**named) for wording in wordings]
    return []
