"""The page in a real browser: opened from a file, drawn, filtered, closed to the outside."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.report.command import Request, write_report

from .report_samples import write_results

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_SECONDS = 60


def browser_or_skip() -> tuple[str, str]:
    """Paths of Chromium and its driver; without them the test is skipped, or fails if asked to."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    browser = browser or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser and driver:
        return browser, driver
    reason = f"no {'chromedriver' if browser else 'chromium'} on the PATH"
    if os.environ.get("HARNESS_REQUIRE_BROWSER"):
        pytest.fail(f"{reason}, and HARNESS_REQUIRE_BROWSER is set")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """The report of the hostile sample, opened, its charts drawn."""
    program, driver_path = browser_or_skip()
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    folder = write_results(tmp_path_factory.mktemp("sample"))
    write_report(Request((folder,), folder, None, ("bucket",), ""))
    options = Options()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1400,1000"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    try:
        driver.get((folder / "report.html").as_uri())
        wait_for_charts(driver, "light")
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def logs(browser: WebDriver) -> dict[str, list[dict[str, Any]]]:
    """Console and network of opening the page; reading them empties them."""
    network = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {"console": browser.get_log("browser"), "network": network}


@pytest.fixture(autouse=True)
def all_questions(browser: WebDriver, logs: object) -> None:
    """Filters are as when the page was opened."""
    browser.execute_script("document.getElementById('filters').reset()")
    wait_until(browser, "return document.getElementById('count').dataset.found", "40")


def wait_until(browser: WebDriver, script: str, wanted: object) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while (found := browser.execute_script(script)) != wanted:
        assert time.monotonic() < end, f"{script} gave {found!r}, not {wanted!r}"
        time.sleep(0.05)


def wait_for_charts(browser: WebDriver, scheme: str) -> None:
    wait_until(browser, "return document.documentElement.dataset.charts", scheme)


def choose(browser: WebDriver, **wanted: str) -> int:
    """Set filters by their labels as a reader sees them; the value is how many questions match."""
    browser.execute_script(
        """
        const form = document.getElementById("filters");
        for (const [name, text] of Object.entries(arguments[0])) {
          const select = form.elements[name];
          select.value = [...select.options].find((option) => option.text === text).value;
        }
        form.dispatchEvent(new Event("change", { bubbles: true }));
        """,
        wanted,
    )
    return found(browser)


def found(browser: WebDriver) -> int:
    return int(browser.execute_script("return document.getElementById('count').dataset.found"))


def search(browser: WebDriver, text: str, expected: int) -> None:
    from selenium.webdriver.common.by import By

    box = browser.find_element(By.NAME, "search")
    box.clear()
    box.send_keys(text)
    wait_until(browser, "return document.getElementById('count').dataset.found", str(expected))


def open_question(browser: WebDriver, number: int) -> str:
    """Open a question and its prompts; the value is all the text that is then shown for it."""
    search(browser, f"mayor of town {number}", 1 if number > 4 else len(matching(number)))
    return str(
        browser.execute_script(
            """
            const wanted = `Who is mayor of town ${arguments[0]}`;
            const all = [...document.querySelectorAll("#questions > li > details")];
            const one = all.find((item) => {
              const text = item.querySelector(".asked").textContent;
              return text.startsWith(wanted + "?") || text.startsWith(wanted + " ");
            });
            one.open = true;
            return new Promise((done) => setTimeout(() => {
              one.querySelectorAll(".reply details").forEach((inner) => { inner.open = true; });
              setTimeout(() => done(one.innerText), 100);
            }, 100));
            """,
            number,
        )
    )


def matching(number: int) -> list[int]:
    """The towns whose number begins with these digits."""
    return [town for town in range(40) if str(town).startswith(str(number))]


def test_every_chart_is_drawn_with_marks(browser: WebDriver) -> None:
    counts = browser.execute_script(
        """return [...document.querySelectorAll(".drawing")].map((drawing) => [
          drawing.id,
          drawing.querySelectorAll("svg .role-mark path, svg .role-mark line, "
            + "svg .role-mark text, svg .role-mark rect").length,
          drawing.querySelector("svg")?.getBoundingClientRect().width ?? 0,
        ])"""
    )
    assert len(counts) >= 5
    for name, marks, width in counts:
        assert marks >= 1, name
        assert width > 300, name


def test_no_error_reaches_the_console(logs: dict[str, list[dict[str, Any]]]) -> None:
    severe = [entry["message"] for entry in logs["console"] if entry["level"] == "SEVERE"]
    assert severe == []


def test_no_request_leaves_the_file(
    browser: WebDriver, logs: dict[str, list[dict[str, Any]]]
) -> None:
    requests = [
        event["params"]["request"]["url"]
        for event in logs["network"]
        if event["method"] == "Network.requestWillBeSent"
        and event["params"]["documentURL"].endswith("/report.html")  # not the browser's own page
    ]
    assert [url.rsplit("/", 1)[-1] for url in requests] == ["report.html"]
    assert requests[0].startswith("file:")
    sources = browser.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert sources == []


def test_the_policy_holds_against_a_script_that_gets_in(browser: WebDriver) -> None:
    ran = browser.execute_script(
        """
        const script = document.createElement("script");
        script.textContent = "window.got_in = 1";
        document.body.append(script);
        const image = new Image();
        const refused = new Promise((done) => { image.onerror = () => done(true); });
        image.src = "http://127.0.0.1:9/x.png";
        return refused.then((failed) => [window.got_in === undefined, failed]);
        """
    )
    assert ran == [True, True]
    refusals = [entry["message"] for entry in browser.get_log("browser")]
    assert any("img-src" in line or "default-src" in line for line in refusals)
    assert any("script-src" in line for line in refusals)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, 40),
        ({"arm": "rag", "outcome": "right, in every arm shown"}, 20),
        ({"arm": "rag", "outcome": "wrong, in every arm shown"}, 20),
        ({"outcome": "right, in every arm shown"}, 3),  # 0, 10, 20
        ({"outcome": "wrong, in every arm shown"}, 5),  # 31, 33, 35, 37, 39
        ({"one": "rag", "other": "lora"}, 20),  # odd below 30, even from 30
        ({"one": "rag", "other": "lora", "how": "the first only"}, 5),
        ({"one": "rag", "other": "lora", "how": "the second only"}, 15),
        ({"one": "rag", "other": "lora", "bucket": "low"}, 5),
        ({"one": "rag", "other": "rag"}, 0),
        ({"bucket": "low"}, 10),
        ({"bucket": "middle"}, 15),
    ],
)
def test_filters_leave_what_was_counted_by_hand(
    browser: WebDriver, wanted: dict[str, str], expected: int
) -> None:
    assert choose(browser, **wanted) == expected
    listed = browser.execute_script("return document.querySelectorAll('#questions > li').length")
    assert listed == min(expected, 25)


def test_search_finds_questions_gold_and_answers(browser: WebDriver) -> None:
    search(browser, "NEEDLE", 1)
    search(browser, "m. 17", 1)
    search(browser, "window.pwned", 2)
    search(browser, "no such text", 0)


def test_pages_are_turned_with_the_keyboard(browser: WebDriver) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    asked = "return document.querySelector('#questions .asked').textContent"
    assert browser.execute_script(asked) == "Who is mayor of town 0?"
    browser.find_element(By.ID, "next").send_keys(Keys.ENTER)
    assert browser.execute_script(asked) == "Who is mayor of town 25?"
    assert browser.find_element(By.ID, "count").text == "40 of 40 questions, page 2 of 2"
    assert not browser.find_element(By.ID, "next").is_enabled()
    browser.find_element(By.ID, "previous").send_keys(Keys.SPACE)
    assert browser.execute_script(asked) == "Who is mayor of town 0?"


def test_a_question_opens_with_the_keyboard_and_shows_all_of_it(browser: WebDriver) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    search(browser, "needle", 1)
    browser.execute_script("document.querySelector('#questions summary').focus()")
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    wait_until(browser, "return document.querySelectorAll('#questions .reply').length", 3)
    text = open_question(browser, 17)
    for part in (
        "Mayor 17 | M. 17",
        "rag, seed 0: ✗ wrong",
        "lora, seed 0: ✓ right",
        "right in 3 of 3",
        "town-17#0",
        "0.7500",
        "Town 17, rag: who?",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (3, "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"),
        (4, "</script><script>window.pwned = 1</script> \"double\" 'single' & &amp; ]]> <!--"),
        (5, "x" * 3000 + " … [cut: 5,000 characters]"),
        (7, "nul ␀ bell ␇ escape ␛"),
        (8, "half a pair \ufffd here"),
        (9, "= HYPERLINK('http://example.invalid')"),
    ],
)
def test_hostile_output_is_shown_as_text(browser: WebDriver, number: int, shown: str) -> None:
    from selenium.webdriver.common.by import By

    search(browser, "who", 40)
    assert choose(browser, arm="rag") == 40
    assert shown in open_question(browser, number)
    assert browser.execute_script("return window.pwned === undefined")
    assert browser.find_elements(By.CSS_SELECTOR, "#explorer img, #explorer script") == []


def test_right_to_left_text_stays_in_its_own_block(browser: WebDriver) -> None:
    assert "مرحبا بالعالم" in open_question(browser, 6)
    block = browser.execute_script(
        """
        const blocks = [...document.querySelectorAll("#questions .reply .text")];
        const one = blocks.find((block) => block.textContent.includes("مرحبا"));
        return [getComputedStyle(one).direction, getComputedStyle(one).unicodeBidi, one.dir,
                getComputedStyle(document.getElementById("count")).direction];
        """
    )
    assert block == ["rtl", "isolate", "auto", "ltr"]


@pytest.mark.parametrize("width", [400, 320])
def test_nothing_scrolls_sideways_on_a_phone(browser: WebDriver, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        open_question(browser, 5)  # an answer without a space in it
        browser.execute_script(
            "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
        )
        time.sleep(0.5)  # charts follow the width
        inner, document = browser.execute_script(
            "return [innerWidth, document.documentElement.scrollWidth]"
        )
        assert inner == width
        assert document <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_dark_mode_colours_page_and_charts(browser: WebDriver) -> None:
    colours = """
        const background = (element) => getComputedStyle(element).backgroundColor;
        return [background(document.body), background(document.querySelector(".drawing svg"))];
    """

    def emulate(scheme: str) -> list[str]:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        wait_for_charts(browser, scheme)
        return [str(colour) for colour in browser.execute_script(colours)]

    dark, light = emulate("dark"), emulate("light")
    assert dark == ["rgb(21, 24, 28)", "rgb(21, 24, 28)"]
    assert light == ["rgb(255, 255, 255)", "rgb(255, 255, 255)"]


def test_a_missing_browser_fails_only_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("HARNESS_REQUIRE_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no chromium"):
        browser_or_skip()
    monkeypatch.setenv("HARNESS_REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match=r"HARNESS_REQUIRE_BROWSER"):
        browser_or_skip()


def test_two_thousand_questions_stay_quick(browser: WebDriver, tmp_path: Path) -> None:
    page = browser.current_url
    folder = write_results(tmp_path, questions=2000)
    write_report(Request((folder,), folder, None, (), ""))
    try:
        browser.get((folder / "report.html").as_uri())
        wait_for_charts(browser, "light")
        assert found(browser) == 2000
        seconds = browser.execute_script(
            """
            const form = document.getElementById("filters");
            const start = performance.now();
            for (const text of ["w", "who", "mayor", "town 1", "mayor of town 19"]) {
              form.elements.search.value = text;
              form.dispatchEvent(new Event("change"));
            }
            return (performance.now() - start) / 5000;
            """
        )
        assert found(browser) == 111  # 19, 190 to 199, 1900 to 1999
        assert seconds < 0.5
    finally:
        browser.get(page)
        wait_for_charts(browser, "light")
