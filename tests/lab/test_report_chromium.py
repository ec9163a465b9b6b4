"""Reports in Chromium: without scripts and network, on a phone, in the dark, on paper; and by axe-core."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import browser_site
import pytest

from kzmitm.cli.main import main
from kzmitm.lab.browser import Browser
from kzmitm.report.overviews import country, history, impact
from kzmitm.report.page import render_page

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "report"), str(TESTS / "cli")]

import document_samples  # noqa: E402
import overview_samples  # noqa: E402
import report_samples as samples  # noqa: E402

AXE = TESTS.parent / ".venv-axe"
FAULTS = """axe.run(document).then((found) => JSON.stringify(found.violations.map(
  (one) => [one.id, one.nodes.map((node) => node.html.slice(0, 120))])))"""
OPEN = "document.querySelectorAll('details').forEach((one) => { one.open = true })"
WIDEST = """Math.max(document.documentElement.scrollWidth,
  ...[...document.querySelectorAll('main *, header *')].filter((e) => !e.parentElement.closest('.scroll'))
  .map((e) => e.getBoundingClientRect().right))"""
REGIONS = """[...document.querySelectorAll('.scroll')].map((e) => [e.tabIndex, e.getAttribute('role'),
  e.getAttribute('aria-label') !== '', e.scrollWidth > e.clientWidth])"""
HOST = "social.example.com"
LONG = ".".join(["a" * 63] * 3 + ["b" * 61])
OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
SIZES = [(360, True), (1280, False)]


@pytest.fixture(scope="module")
def axe():
    """The script of axe-core."""
    found = next(AXE.glob("lib/*/site-packages/axe_playwright_python/axe.min.js"), None)
    if found is None:
        pytest.skip("needs axe-core: make .venv-axe/.done")
    return found.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    program = browser_site.program()
    with browser_site.short_home() as home, Browser((), home, os.environ, program=program) as chromium:
        chromium.call("Network.enable")
        chromium.call("Network.emulateNetworkConditions", OFFLINE)
        chromium.call("Emulation.setScriptExecutionDisabled", {"value": True})
        yield chromium


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages by what they are of."""
    folder = tmp_path_factory.mktemp("pages")
    hosts = [HOST, LONG, "c.example.com", "d.example.com"]
    rows = [samples.forged_row(host) for host in hosts] + [samples.clean_row("news.example.com")]
    scan = samples.result(folder / "r", rows)
    judging = ["--control", samples.control(folder, hosts), "--store", samples.store(folder)]
    broken = folder / "broken.zip"
    broken.write_bytes(scan.read_bytes()[:-1])
    made = {
        "partner": [scan, "--level", "partner", *judging],
        "public": [scan, "--lang", "kk"],
        "altered": [broken],
        "appeal": [scan, "--appeal", "--lang", "ru"],
    }
    for name, words in made.items():
        main(["report", *map(str, words), "--out", str(folder / f"{name}.html")])
    whole = overview_samples.overview()
    for name, document in (
        ("archive", country.document(whole, overview_samples.REGISTRY, now=overview_samples.NOW)),
        ("impact", impact.document(whole, overview_samples.REGISTRY, now=overview_samples.NOW)),
        ("history", history.document(overview_samples.REGISTRY, "KZ", now=overview_samples.NOW)),
    ):
        (folder / f"{name}.html").write_text(render_page(document), encoding="utf-8")
    for name, text in (
        ("blocks", "Every kind of block"),
        ("hostile", "".join(document_samples.HOSTILE.values())),
    ):
        (folder / f"{name}.html").write_text(render_page(document_samples.document(text)), encoding="utf-8")
    return {path.stem: path for path in folder.glob("*.html")}


NAMES = [
    "partner", "public", "altered", "appeal", "archive", "impact", "history", "blocks", "hostile",
]  # fmt: skip


def visit(browser, path, width, *, dark=False, medium=""):
    browser.complaints.clear()
    browser.look_as(width, 800, dark=dark, medium=medium)
    return browser.visit(path.as_uri())


@pytest.mark.parametrize("name", ["partner", "altered", "appeal", "archive", "impact", "history", "blocks"])
def test_axe_finds_no_fault(browser, pages, axe, name):
    browser.call("Emulation.setScriptExecutionDisabled", {"value": False})  # axe-core is one
    try:
        for width, dark in SIZES:
            visit(browser, pages[name], width, dark=dark)
            browser.evaluate(OPEN)
            browser.evaluate(f"{axe};0")
            assert json.loads(browser.evaluate(FAULTS)) == []
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", {"value": True})


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wider_than_the_screen(browser, pages, name):
    for width in (320, 360, 1280):
        visit(browser, pages[name], width)
        browser.evaluate(OPEN)
        assert browser.evaluate(WIDEST) <= width


@pytest.mark.parametrize("name", NAMES)
def test_the_page_asks_for_nothing_and_runs_nothing(browser, pages, name):
    page = visit(browser, pages[name], 1280)
    assert page.text.strip()
    assert browser.evaluate("performance.getEntriesByType('resource').length") == 0
    assert browser.evaluate("document.scripts.length + document.images.length") == 0
    assert browser.complaints == []


def test_the_keyboard_reaches_the_content_first(browser, pages):
    visit(browser, pages["partner"], 1280)
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.hash") == "#content"
    browser.press("Enter")
    browser.wait_until("document.activeElement.id === 'content'")


def test_what_is_wider_scrolls_by_itself_and_by_keyboard(browser, pages):
    visit(browser, pages["history"], 360)
    regions = browser.evaluate(REGIONS)
    assert len(regions) == 4
    assert all(each[:3] == [0, "group", True] for each in regions)
    assert any(each[3] for each in regions)
    browser.evaluate("document.querySelector('#certificates .scroll').focus()")
    for _ in range(5):
        browser.press("ArrowRight")
    browser.wait_until("document.querySelector('#certificates .scroll').scrollLeft > 0")


def test_a_picture_is_coloured_for_the_dark(browser, pages):
    colours = {}
    for dark in (False, True):
        visit(browser, pages["archive"], 1280, dark=dark)
        colours[dark] = browser.evaluate("getComputedStyle(document.querySelector('.chart .ink')).fill")
    assert colours == {False: "rgb(27, 27, 31)", True: "rgb(233, 233, 236)"}


def test_the_dark_page_is_dark(browser, pages):
    shades = {}
    for dark in (False, True):
        visit(browser, pages["partner"], 360, dark=dark)
        rgb = browser.evaluate("getComputedStyle(document.body).backgroundColor")
        shades[dark] = sum(int(each) for each in rgb.removeprefix("rgb(").removesuffix(")").split(","))
    assert shades[True] < 200
    assert shades[False] > 600


def test_paper_shows_what_is_folded_on_the_screen(browser, pages, tmp_path):
    visit(browser, pages["partner"], 1280)
    printed = browser.call("Page.printToPDF", {"preferCSSPageSize": True})
    (tmp_path / "x.pdf").write_bytes(base64.b64decode(printed["data"]))
    done = subprocess.run(["pdftotext", tmp_path / "x.pdf", "-"], capture_output=True, check=True, text=True)
    assert "INTERCEPTION" in done.stdout
    assert "beside the expected one" in done.stdout
    assert done.stdout.count("The authorities above it") == 4
    assert "Skip to the content" not in done.stdout
