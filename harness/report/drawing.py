"""A figure, and its rendering: SVG and PNG offline, and the script that draws it in a page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from harness.report.theme import DARK, LIGHT

WIDTH = 680
"""Pixels of a chart in SVG and PNG; in the page a chart is as wide as its container."""


@dataclass(frozen=True)
class Figure:
    """One chart with its words.

    Attributes:
        name: safe as a file name, unique among the figures of a report.
        caption: what is drawn, how intervals were made, and what was left out and why.
        chart: a Vega-Lite spec with its data inside and no config: the theme is given when it is
            rendered. It is as wide as its container.
        alt: the finding in one sentence, for screen readers.
    """

    name: str
    title: str
    caption: str
    chart: dict[str, Any]
    alt: str


def to_svg(figure: Figure, dark: bool = False) -> str:
    """The figure as SVG text, of fixed width."""
    import vl_convert

    return vl_convert.vegalite_to_svg(
        _fixed(figure), config=DARK if dark else LIGHT, allowed_base_urls=[]
    )


def to_png(figure: Figure, scale: float = 2, dark: bool = False) -> bytes:
    """The figure as PNG bytes, of fixed width; ``scale`` multiplies its pixels."""
    import vl_convert

    return vl_convert.vegalite_to_png(
        _fixed(figure), config=DARK if dark else LIGHT, scale=scale, allowed_base_urls=[]
    )


def _fixed(figure: Figure) -> dict[str, Any]:
    """The chart as wide as ``WIDTH``, axes included."""
    return {**figure.chart, "width": WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}}


_SNIPPET = """
const LIGHT = %s, DARK = %s;
const refuse = (uri) => Promise.reject(new Error("charts load nothing: " + uri));
const loader = { load: refuse, http: refuse, file: refuse, sanitize: refuse };
window.drawChart = (element, spec, dark) =>
  vegaEmbed(element, spec, {
    mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, loader,
    config: dark ? DARK : LIGHT, tooltip: { theme: dark ? "dark" : "light" },
  });
"""


def vega_bundle() -> str:
    """JavaScript for a page: defines ``drawChart(element, spec, dark)``; 0.9 MB, made in 2 s.

    ``drawChart`` returns a promise of vega-embed's result; to draw the element again (another
    background), call ``result.view.finalize()`` first. Themes are in the script. It makes no
    request (its loader refuses every address) and needs no 'unsafe-eval', since expressions are
    interpreted (``ast``): a page may say ``default-src 'none'; script-src 'unsafe-inline';
    style-src 'unsafe-inline'`` (a style element is made for the tooltip, whose text is escaped).
    The script holds no ``</script``.
    """
    import vl_convert

    return vl_convert.javascript_bundle(_SNIPPET % (json.dumps(LIGHT), json.dumps(DARK)))
