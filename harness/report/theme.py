"""How charts look: one Vega config for a light and one for a dark background.

Hues are those of Okabe & Ito (2008, https://jfly.uni-koeln.de/color/), told apart with any common
colour blindness; the last two are greys. Charts carry no colours of their own but refer to this
range and to the named styles, so that one spec suits both backgrounds.
"""

from __future__ import annotations

from typing import Any

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""vl-convert brings the first; it is as wide as the others, so labels keep their room."""

SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
)
"""Seven: with ten colours, arm 8 and 11 repeat a shape or a colour, but never both before 71."""


def _hues(ink: str) -> list[str]:
    blue, orange, green, vermillion = "#0072B2", "#E69F00", "#009E73", "#D55E00"
    sky, purple, yellow = "#56B4E9", "#CC79A7", "#F0E442"
    return [blue, orange, green, vermillion, sky, purple, ink, yellow, "#7A7A7A", "#B0B0B0"]


def _theme(background: str, ink: str, muted: str, grid: str) -> dict[str, Any]:
    text = {"labelFontSize": 12, "titleFontSize": 12, "labelColor": ink, "titleColor": ink}
    return {
        "background": background,
        "font": FONT,
        "padding": 8,
        "view": {"stroke": None, "continuousWidth": 640, "continuousHeight": 360},
        "range": {"category": _hues(ink)},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "labelLimit": 240,
            "gridColor": grid,
            "domainColor": muted,
            "tickColor": muted,
        },
        "legend": {
            **text,
            "orient": "top",
            "direction": "horizontal",
            "columns": 4,
            "labelLimit": 180,
            "titleFontWeight": "normal",
            "symbolSize": 90,
            "symbolStrokeWidth": 1,
        },
        "text": {"fontSize": 12, "color": ink},
        "point": {"color": ink, "opacity": 1},
        "rule": {"color": muted},
        "style": {
            "whisker": {"color": muted, "strokeWidth": 1.5},
            "band": {"color": muted, "opacity": 0.16},
            "zero": {"color": ink, "strokeWidth": 1},
            "front": {"color": muted, "strokeWidth": 1.5, "strokeDash": [5, 3]},
            "label": {"color": ink, "fontSize": 12},
            "note": {"color": muted, "fontSize": 11},
            "halo": {"color": background, "stroke": background, "strokeWidth": 4, "fontSize": 12},
            "ring": {"color": ink, "strokeWidth": 1.2},
            "on_hue": {"color": "#000000", "fontSize": 11},
            "on_blue": {"color": "#FFFFFF", "fontSize": 11},
            "on_ink": {"color": background, "fontSize": 11},
        },
    }


LIGHT: dict[str, Any] = _theme("#FFFFFF", ink="#1A1A1A", muted="#595959", grid="#E4E4E4")
DARK: dict[str, Any] = _theme("#15181C", ink="#ECECEC", muted="#A8ADB3", grid="#32373D")
