"""The report as one HTML file that opens offline and asks nobody for anything.

The page's policy forbids every request, and every script but those written here, named by their
hashes. Vega's expressions are interpreted, so no 'unsafe-eval' is needed; styles may be inline,
since Vega sets some. Data reaches the scripts as JSON in which no "<" stands, and the page as text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from jinja2 import Environment, FunctionLoader
from markupsafe import Markup

from harness.report.answer import Answer
from harness.report.drawing import vega_bundle
from harness.report.explorer import Explorer
from harness.report.gather import ReportData
from harness.report.sections import Section
from harness.report.text import one_line, visible

SOURCES = 8
"""Files named in the page's foot at most."""


def render(
    data: ReportData, answer: Answer, sections: Sequence[Section], explorer: Explorer
) -> str:
    """The whole page as text."""
    charts = {figure.name: figure.chart for section in sections for figure in section.figures}
    scripts = [*([_vega()] if charts else []), asset("charts.js"), asset("explorer.js")]
    style = asset("report.css")
    page = Environment(autoescape=True, loader=FunctionLoader(asset), finalize=_shown)
    return page.get_template("report.html.j2").render(
        title=data.title,
        answer=answer,
        sections=sections,
        explorer=explorer,
        sources=_sources(data.comparison.sources),
        policy=policy(scripts),
        style=Markup(style),  # noqa: S704  our own file
        scripts=[Markup(closed(script)) for script in scripts],  # noqa: S704  our own and Vega's
        charts_json=as_data(charts),
        records_json=as_data(explorer.as_json()),
    )


def render_tables(title: str, lead: str, sections: Sequence[Section]) -> str:
    """A page of text and tables alone, with no script and no runs behind it."""
    page = Environment(autoescape=True, loader=FunctionLoader(asset), finalize=_shown)
    return page.get_template("claims.html.j2").render(
        title=title,
        lead=lead,
        sections=sections,
        policy=policy([]),
        style=Markup(asset("report.css")),  # noqa: S704  our own file
    )


def policy(scripts: Sequence[str]) -> str:
    """The content security policy: these scripts and no others, styles, and no request at all."""
    hashes = " ".join(f"'{_sha256(script)}'" for script in scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


def as_data(value: Any) -> Markup:
    """JSON that cannot end the element it stands in, whatever text it holds."""
    text = orjson.dumps(value).decode()
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704  no "<" is left


def closed(script: str) -> str:
    """The script, if an HTML parser ends it where it ends.

    Raises:
        ValueError: it holds text at which a parser would end it, or look for another end.
    """
    for stop in ("</script", "<!--", "\r"):
        if stop in script.lower():
            raise ValueError(f"a script holds {stop!r} and cannot stand in a page as it is")
    return script


def asset(name: str) -> str:
    """The text of a file in ``harness/report/assets``."""
    return (files("harness.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def _vega() -> str:
    return vega_bundle()


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _shown(value: Any) -> Any:
    """Text as a page can hold it; markup of ours stays."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _sources(sources: Sequence[str]) -> str:
    named = [one_line(source, 200) for source in sources]
    more = [f"{len(named) - SOURCES} more"] if len(named) > SOURCES else []
    return ", ".join([*named[:SOURCES], *more]) or "results"
