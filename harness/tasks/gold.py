"""Gold answers from Factbook fields: a canonical answer with its aliases, or None if unusable.

The rules were made by reading every entry. An entry is unusable when no fair grader could mark
an answer to it: no name ("unnamed elevation 675 m"), a name that says nothing ("Parliament",
"National Anthem"), a royal anthem where the source has lost the national one, or a description
too long to be said back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.tasks.factbook import Country
from harness.tasks.gold_corrections import CORRECTIONS, MORE_ALIASES
from harness.tasks.wording import TEST_WORDING

MAX_WORDS = 6


@dataclass(frozen=True)
class Gold:
    """A canonical answer, and other answers that are right as well."""

    text: str
    aliases: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[str, ...]:
        """The canonical answer, then the aliases."""
        return (self.text, *self.aliases)


def gold(country: Country, relation: str) -> Gold | None:
    """The gold answer for ``relation`` of ``country``, or None if the entry has no usable one."""
    key = (country.code, relation)
    if key in CORRECTIONS:
        corrected = CORRECTIONS[key]
        candidates = list(corrected) if corrected else []
    else:
        candidates = PARSERS[relation](country)
    candidates += MORE_ALIASES.get(key, ())
    question = TEST_WORDING.get(relation, "").format(country=country.in_text)
    return make_gold(candidates, avoid=(country.name, country.adjective, question))


def make_gold(candidates: Iterable[str], avoid: Iterable[str] = ()) -> Gold | None:
    """The first candidate of at most MAX_WORDS words, the others as aliases.

    Each gets its plain-letter form as a further alias. A candidate that stands in one of the
    texts to ``avoid`` (the names of the country and of its people, the question), or is as bare
    as "Parliament", is dropped: an answer that repeats the question would count as right.
    """
    forms: dict[str, str] = {}
    trivial = [f" {_key(name)} " for name in avoid]
    for candidate in candidates:
        name = tidy(candidate)
        for form in (name, fold(name)):
            key = _key(form)
            if key not in UNINFORMATIVE and not any(f" {key} " in name for name in trivial):
                forms.setdefault(form.casefold(), form)
    usable = list(forms.values())
    first = next((form for form in usable if len(form.split()) <= MAX_WORDS), None)
    if first is None:
        return None
    aliases = tuple(form for form in usable if form != first and (len(form) > 2))
    return Gold(first, aliases)


# As a translation, "William" (Het Wilhelmus) says too little.
UNINFORMATIVE = {"", "anthem", "hymn", "parliament", "symbol", "william"}


def tidy(name: str) -> str:
    """``name`` without outer quotes, leading article and trailing punctuation."""
    name = " ".join(name.split()).strip(" \"',;:-")
    return re.sub(r"^the (?=\S)", "", name, flags=re.IGNORECASE)


_LETTERS = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ħ": "h", "Ħ": "H", "ı": "i"}
    | {"æ": "ae", "Æ": "Ae", "œ": "oe", "ß": "ss", "ð": "d", "þ": "th", "Þ": "Th"}
)


def fold(text: str) -> str:
    """``text`` in plain Latin letters: accents and other marks taken off."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def split_brackets(text: str) -> tuple[str, list[str]]:
    """``text`` without what stands in round brackets, and those contents (outer ones)."""
    outside, inside, depth = [""], [], 0
    for char in text:
        if char == "(":
            depth += 1
            if depth == 1:
                inside.append("")
                outside.append(" ")
                continue
        elif char == ")" and depth:
            depth -= 1
            if depth == 0:
                continue
        if depth:
            inside[-1] += char
        else:
            outside.append(char)
    return " ".join("".join(outside).split()), inside


def _key(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", fold(text).casefold()).split())


# --- highest point -------------------------------------------------------------------------

_PEAK = (
    r"(?:Mount|Mt\.?|Monts?|Monte|Pico (?:de|da)|Pico|Pic de|Pic|(?:El )?Cerro del?|Cerro|Volcan|"
)
_PEAK += r"Jabal|Jebel|Gora|Gunung|Nevado|Pik|Hora|Bukit|Phu|Phnum|Doi|Kuh-e|Morne|Foho|Puncak|"
_PEAK += r"Dealul|Qullai) "
_NOT_A_NAME = re.compile(r"(a |the |at |in |on |highest|located|kurdish|now )", re.I)


def highest_point(country: Country) -> list[str]:
    """Names of the highest point: "Pic Marguerite on Mont Ngaliema (Mount Stanley) 5,110 m"."""
    raw = re.split(r";| note - ", country.raw["highest point"])[0]
    name, brackets = split_brackets(raw)
    name = re.sub(r",? \d[\d,.]* ?m?\b.*$", "", name).strip()
    if not name or re.match(r"(.*unnamed|\d|none)", raw, re.I) or re.search(r"\brange$", name):
        return []
    name, _, mountain = name.partition(" on ")
    names = name.split("/")
    for bracket in brackets:
        content = bracket.removeprefix("alternatively ")
        if not _NOT_A_NAME.match(content):
            names += re.split(r", | or ", content)
    if re.match(_PEAK, mountain):  # a peak is often called by its mountain's name
        names.append(mountain)
    return names + _without_peak_word(names)


def _without_peak_word(names: list[str]) -> list[str]:
    """Forms with "Mount" and with nothing: "Mont Agou" -> "Agou", "Mount Agou"."""
    more = []
    for name in names:
        bare = re.sub(f"^{_PEAK}", "", name)
        if bare != name and len(bare) >= 4:
            more += [bare, f"Mount {bare}"]
        elif " " not in name:
            more.append(f"Mount {name}")
        elif name.endswith((" Peak", " Dagi", " Volcano")):
            more.append(name.rsplit(" ", 1)[0])
    return more


# --- national symbol -----------------------------------------------------------------------

# In brackets after a symbol stands what kind of thing it is, or its Latin name, seldom a synonym.
_GLOSS = re.compile(
    r"^(a |an |the |type|native|mythical|winged|wild|bird|frog|antelope|flower|citrus|mountain|"
    r"traditional|official|breed|north|south|all of|england|scotland|wales|northern|female|white|"
    r"yellow|seven|four|five|diamond|volcanic|clam|fishing|coconut|also known|from|promoted|three)"
)


def national_symbol(country: Country) -> list[str]:
    """The symbols in the entry's order: "fennec fox" and "lion (bird), lotus" alike."""
    raw = country.raw["national symbol"]
    if re.match(r"(no official|none)", raw, re.I):
        return []
    outside, brackets = split_brackets(raw)
    names = [tidy(re.sub(r"^(and|an?) ", "", name.strip())) for name in re.split(r"[,;]", outside)]
    names += [name for name in brackets if not _GLOSS.match(name.lower()) and name != name.title()]
    names += [name for name in brackets if name.istitle() and len(name.split()) > 1]
    for name in list(names):
        if "rampant" in name:
            names += [name.replace("rampant ", ""), name.rsplit(" ", 1)[1]]
        if name.endswith((" flower", " tree", " bird", " symbol", " blossom", " temple")):
            names.append(name.rsplit(" ", 1)[0])
    return names


# --- anthem --------------------------------------------------------------------------------

# "God Save the King" stands where the source lost the national anthem beside the royal one.
_NO_TITLE = re.compile(r"national anthem|himno nacional|national hymn|god save the king", re.I)


def anthem(country: Country) -> list[str]:
    """The anthem's title, then its translation: '"Kassaman" (We Pledge)'."""
    raw = country.raw["anthem"]
    if not raw or "royal anthem" in country.raw["anthem history"] or _NO_TITLE.search(raw):
        return []
    outside, brackets = split_brackets(re.sub(r"\[[^\]]*\]", "", raw))
    return [*(re.findall(r'"([^"]+)"', outside) or [outside]), *brackets]


# --- legislature ---------------------------------------------------------------------------

_SAYS_NOTHING = re.compile(
    r"legislature( of .*)?|assembly|.*(parliam|parl[ae]m|parlim|barlaman).*", re.I
)
_TELLS_APART = re.compile(r"federa|national|islamic|hellenic|foder|parliamentary", re.I)


def legislature(country: Country) -> list[str]:
    """The legislature's English name, then its own; only the latter for "Parliament (Knesset)"."""
    outside, brackets = split_brackets(country.raw["legislature"])
    names = [
        tidy(name) for text in (outside, *brackets) for name in re.split(r" ?/ ?| - ", text) if text
    ]
    of_country = rf" of (the )?({re.escape(country.name)}|republic|nation)$"
    usable = []
    for name in names:
        bare = re.sub(of_country, "", name, flags=re.I)
        if _TELLS_APART.match(fold(name)) or not _SAYS_NOTHING.fullmatch(fold(name)):
            usable += [name, bare] if bare not in (name, "Assembly") else [name]
    return usable


# --- capital (the forgetting probe's relation) ---------------------------------------------


def capital(country: Country) -> list[str]:
    """The capital's names; every seat where there are several."""
    raw = re.split(r"; note|; located", country.raw["capital"])[0]
    if not raw or re.search(r"no official capital|administered from", raw):
        return []
    outside, brackets = split_brackets(raw)
    names = [re.sub(r" (in Romanian|is the) ?.*", "", name) for name in re.split(r"[;,]", outside)]
    for bracket in brackets:
        if not re.search(r"capital|seat of|located|^on |^city$|continues", bracket):
            names += re.split(r"[,/]", re.sub(r" (in|is) .*", "", bracket))
    return names


PARSERS: dict[str, Callable[[Country], list[str]]] = {
    "highest point": highest_point,
    "national symbol": national_symbol,
    "anthem": anthem,
    "legislature": legislature,
    "capital": capital,
}
