"""Makes harness/data/wordnet_glosses.jsonl and wordnet_words.txt from the WordNet 3.0 database.

    python experiments/data/make_wordnet_glosses.py /usr/share/wordnet harness/data

The folder is that of Debian's package ``wordnet-base`` (1:3.0-37 was used). An item is a word's
first sense: its gloss, and four words of the same part of speech and of similar frequency to
choose from, one of which it defines. Frequency is WordNet's own count of tagged text.
"""

from __future__ import annotations

import json
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ITEMS = {"noun": 120, "verb": 80}
WORDS = 150  # of each part of speech, for "define" prompts
SENSE_TYPE = {"noun": "1", "verb": "2"}
# Glosses that do not define the word as it is used, insults, and a word of the question itself.
LEFT_OUT = {"amount", "author", "bastard", "completion", "means", "more", "much", "negro", "plant"}
NEIGHBOURS = 30  # distractors come from so many ranks above and below


@dataclass(frozen=True)
class Word:
    """A word with its first sense: gloss, count in tagged text, and the synsets that it is near."""

    lemma: str
    pos: str
    gloss: str
    count: int
    related: frozenset[str]


def main(wordnet: Path, output: Path) -> None:
    """Write both files into ``output``."""
    rng = random.Random(0)  # noqa: S311 - not for secrets
    items, words, taken = [], [], set()
    for pos, wanted in ITEMS.items():
        candidates = [word for word in read_words(wordnet, pos) if is_clear(word)]
        candidates.sort(key=lambda word: (-word.count, word.lemma))
        # of words that share a gloss only the most frequent is kept
        ranked = list({word.gloss: word for word in reversed(candidates)}.values())
        ranked.sort(key=lambda word: (-word.count, word.lemma))
        for rank, word in enumerate(ranked[:wanted]):
            near = ranked[max(0, rank - NEIGHBOURS) : rank + NEIGHBOURS + 1]
            others = [
                other.lemma
                for other in near
                if other != word
                and not other.related & word.related
                and other.lemma not in word.gloss
                and word.lemma not in other.gloss
            ]
            choices = [word.lemma, *rng.sample(others, 3)]
            rng.shuffle(choices)
            taken.update(choices)
            items.append(
                {"id": f"{pos}-{word.lemma}", "pos": pos, "gloss": word.gloss}
                | {"word": word.lemma, "choices": choices}
            )
        words += [word.lemma for word in ranked[wanted:]][: 3 * WORDS]
    lines = [json.dumps(item, ensure_ascii=False) for item in items]
    (output / "wordnet_glosses.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    free = [word for word in dict.fromkeys(words) if word not in taken]
    free = sorted(rng.sample(free, 2 * WORDS))
    (output / "wordnet_words.txt").write_text("\n".join(free) + "\n", encoding="utf-8")


def read_words(wordnet: Path, pos: str) -> list[Word]:
    """Every single-word lemma of ``pos`` with at most four senses and five or more occurrences."""
    counts: dict[str, int] = {}
    for line in (wordnet / "cntlist.rev").read_text(encoding="utf-8").splitlines():
        key, sense, count = line.split()
        lemma, _, rest = key.partition("%")
        if sense == "1" and rest.startswith(SENSE_TYPE[pos]):
            counts[lemma] = int(count)
    synsets = read_synsets(wordnet / f"data.{pos}")
    index: dict[str, list[str]] = {}
    for line in (wordnet / f"index.{pos}").read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            fields = line.split()
            index[fields[0]] = fields[-int(fields[2]) :]
    found = []
    for lemma, offsets in index.items():
        odd = lemma in LEFT_OUT or not re.fullmatch(r"[a-z]{4,}", lemma)
        if odd or counts.get(lemma, 0) < 5 or len(offsets) > 4:
            continue
        related: set[str] = set()
        for offset in offsets:  # every sense, with the synsets one step away
            related |= {offset, *synsets[offset][1]}
        if not re.search(rf"\b{lemma}\b", synsets[offsets[0]][2]):
            continue  # a proper noun: the index is in lower case, the synset is not
        found.append(Word(lemma, pos, synsets[offsets[0]][0], counts[lemma], frozenset(related)))
    return found


def read_synsets(path: Path) -> dict[str, tuple[str, list[str], str]]:
    """By synset offset: definition without examples, hypernyms and hyponyms, and its data line."""
    synsets: dict[str, tuple[str, list[str], str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            continue
        data, _, gloss = line.partition("|")
        definition = re.split(r'; "|;', gloss.strip())[0]
        definition = re.sub(r"^\([^)]*\) *", "", definition).strip()
        pointers = re.findall(r"[@~]i? (\d{8}) [nv]", data)
        synsets[data.split()[0]] = (definition, pointers, data)
    return synsets


def is_clear(word: Word) -> bool:
    """Whether the gloss defines the word without using it, in 4 to 18 words."""
    stem = word.lemma[: max(4, len(word.lemma) - 3)]
    return 4 <= len(word.gloss.split()) <= 18 and stem not in word.gloss.lower()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
