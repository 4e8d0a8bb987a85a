"""Countries as GeoNames codes them: what else they are called, and which are no fair answer."""

from __future__ import annotations

import re

# What a model may rightly say instead; by country code, or by country and first-level division.
ALIASES: dict[str, tuple[str, ...]] = {
    "AE": ("UAE", "Emirates"),
    "BA": ("Bosnia", "Bosnia & Herzegovina"),
    "BN": ("Brunei Darussalam",),
    "BY": ("Belorussia",),
    "CD": ("DR Congo", "DRC", "Congo-Kinshasa", "Democratic Republic of Congo"),
    "CI": ("Côte d'Ivoire", "Cote d'Ivoire"),
    "CN": ("People's Republic of China", "PRC"),
    "CV": ("Cape Verde",),
    "CZ": ("Czech Republic",),
    "FM": ("Federated States of Micronesia",),
    "GB": ("UK", "U.K.", "Great Britain", "Britain"),
    "GB-ENG": ("England",),
    "GB-NIR": ("Northern Ireland",),
    "GB-SCT": ("Scotland",),
    "GB-WLS": ("Wales",),
    "KP": ("Democratic People's Republic of Korea", "DPRK"),
    "KR": ("Republic of Korea",),
    "LA": ("Lao",),
    "MK": ("Macedonia",),
    "MM": ("Burma",),
    "NL": ("Holland",),
    "RU": ("Russian Federation",),
    "ST": ("São Tomé and Príncipe",),
    "SZ": ("Swaziland",),
    "TL": ("East Timor", "Timor-Leste"),
    "TR": ("Türkiye", "Turkiye"),
    "US": ("United States of America", "USA", "U.S.", "US", "America"),
    "VN": ("Viet Nam",),
}

# Territories, states that no longer are, and places over whose state the world does not agree: the
# country of a city there has more than one right answer.
# fmt: off
NO_STATE = frozenset((
    "AI", "AN", "AQ", "AS", "AW", "AX", "BL", "BM", "BQ", "BV", "CC", "CK",
    "CS", "CW", "CX", "EH", "FK", "FO", "GF", "GG", "GI", "GL", "GP", "GS",
    "GU", "HK", "HM", "IM", "IO", "JE", "KY", "MF", "MO", "MP", "MQ", "MS",
    "NC", "NF", "NU", "PF", "PM", "PN", "PR", "PS", "RE", "SH", "SJ", "SX",
    "TC", "TF", "TK", "TW", "UM", "VG", "VI", "WF", "XK", "YT",
))
# fmt: on
DISPUTED_ZONES = ("Europe/Simferopol", "Asia/Famagusta")  # Crimea, northern Cyprus

_WITH_ARTICLE = ("Bahamas", "Gambia", "Maldives", "Netherlands", "Philippines")
_MARKED = re.compile(r"\b(Islands?|Republic|United|Territory|Territories|Emirates)\b")


def in_text(name: str) -> str:
    """The country's name as it stands in a sentence: "the Netherlands", "Japan"."""
    bare = name.strip().removeprefix("The ")
    return f"the {bare}" if bare in _WITH_ARTICLE or _MARKED.search(bare) else bare
