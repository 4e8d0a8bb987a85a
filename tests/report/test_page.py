"""The page: closed to requests and foreign scripts, complete, and honest about what it lists."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.report import page
from harness.report.command import Request, write_report

from .report_samples import write_results


class Elements(HTMLParser):
    """Tags with their attributes, and the text of scripts as a browser would end them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write_results(tmp_path_factory.mktemp("sample"))
    request = Request((folder,), folder, None, ("bucket",), "<b>Sample</b> & more")
    write_report(request)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def elements(text: str) -> Elements:
    return Elements(text)


def policy(elements: Elements) -> str:
    return next(
        str(attributes["content"])
        for tag, attributes in elements.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )


def test_the_policy_forbids_everything_but_these_scripts(elements: Elements) -> None:
    found = policy(elements)
    assert found.startswith("default-src 'none'; ")
    assert "unsafe-eval" not in found
    script_source = re.search(r"script-src ([^;]*);", found)
    assert script_source
    assert "unsafe-inline" not in script_source[1]
    code = [
        script
        for script, (_, attributes) in zip(
            elements.scripts, [tag for tag in elements.tags if tag[0] == "script"], strict=True
        )
        if "type" not in attributes
    ]
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in code
    }
    assert set(script_source[1].split()) == hashes
    assert len(code) == 3


def test_nothing_is_loaded_and_nothing_leads_away(elements: Elements) -> None:
    for tag, attributes in elements.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "audio", "video")
        assert "src" not in attributes
        assert str(attributes.get("href", "#")).startswith("#")
        assert not [name for name in attributes if name.startswith("on")]


def test_data_cannot_end_its_element(elements: Elements) -> None:
    data = [script for script in elements.scripts if script.startswith("{")]
    assert len(data) == 2
    for script in data:
        assert "<" not in script
    records = json.loads(next(script for script in data if '"questions"' in script))
    said = [record["answers"][1]["output"] for record in records["questions"]]
    assert "</script><script>window.pwned = 1</script>" in said[4]


def test_text_of_the_title_and_of_errors_is_escaped(text: str) -> None:
    assert "&lt;b&gt;Sample&lt;/b&gt; &amp; more" in text
    assert "loss is &lt;b&gt;NaN&lt;/b&gt; at step 3" in text
    assert "<b>" not in text.split('<script type="application/json"', maxsplit=1)[0]


def test_sections_stand_in_the_order_of_the_question(elements: Elements) -> None:
    ids = [attributes["id"] for tag, attributes in elements.tags if tag == "section"]
    assert ids == [
        "headline",
        "contrasts",
        "pareto",
        "forgetting",
        "popularity",
        "phases",
        "volume",
        "money",
        "retrieval",
        "explorer",
        "provenance",
    ]


def test_every_header_cell_says_what_it_heads(elements: Elements) -> None:
    scopes = [attributes.get("scope") for tag, attributes in elements.tags if tag == "th"]
    assert len(scopes) > 50
    assert set(scopes) == {"col", "row"}


def test_every_chart_has_a_place_and_words(elements: Elements) -> None:
    drawings = [a for _, a in elements.tags if str(a.get("id", "")).startswith("drawing-")]
    assert len(drawings) >= 5
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert drawing["aria-label"]
    charts = json.loads(elements.scripts[0])
    assert {f"drawing-{name}" for name in charts} == {drawing["id"] for drawing in drawings}


def test_each_id_stands_once(elements: Elements) -> None:
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("stop", ["</script>", "</SCRIPT", "<!--", "\r"])
def test_a_script_that_a_parser_would_end_early_is_refused(stop: str) -> None:
    with pytest.raises(ValueError, match=r"cannot stand in a page"):
        page.closed(f"let a = '{stop}';")


def test_a_report_of_rows_without_predictions_says_so(tmp_path: Path) -> None:
    import shutil

    folder = write_results(tmp_path, hostile=False)
    shutil.rmtree(folder / "predictions")
    write_report(Request((folder,), folder, None, (), ""))
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "No predictions were kept, so no question can be listed." in text
    assert 'id="filters"' not in text


def test_that_money_is_not_recorded_is_said_beside_the_other_costs(text: str) -> None:
    section = text.split('id="pareto"')[1].split("</section>", maxsplit=1)[0]
    assert "What an arm costs in money is not recorded" in section
