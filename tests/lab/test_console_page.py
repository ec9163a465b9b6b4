"""The console in Chromium: with the keyboard alone, on small screens, in the dark, with hostile names."""

import os
from itertools import pairwise

import browser_site
import console_lab as here
import pytest

from kzmitm.lab.browser import Browser
from kzmitm.lab.errors import LaboratoryError
from kzmitm.report.language import speaking

SAID = "document.querySelector('#said').textContent"
READY = f"{SAID}.startsWith('Ready.')"
SCANNED = f"{SAID}.startsWith('Scanned.')"
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
FOCUS = (
    "(document.activeElement.dataset.profile || document.activeElement.id || document.activeElement.tagName)"
)
MAX_TABS = 60

CONTRAST = """(() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; }
    return [255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
    if (e.closest("svg, script, .unseen")) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push(`${e.tagName}.${e.className}: ${ratio.toFixed(2)}`);
  }
  return poor;
})()"""
"""Text whose contrast is below what WCAG 2.2, 1.4.3 asks for."""


@pytest.fixture(scope="module")
def chromium():
    program = browser_site.program()
    with browser_site.short_home() as home, Browser((), home, os.environ, program=program) as browser:
        yield browser


@pytest.fixture
def session():
    return here.FakeSession()


@pytest.fixture
def browser(chromium, session):
    """A browser with the console open, which must have nothing to complain of in the end."""
    with here.console(session) as url:
        chromium.complaints.clear()
        chromium.look_as(1366, 768)
        chromium.visit(url)
        chromium.wait_until(READY)
        yield chromium
        assert chromium.complaints == []
        chromium.visit("about:blank")


def count(browser, selector):
    return browser.evaluate(f"document.querySelectorAll({selector!r}).length")


def text(browser, selector):
    return browser.evaluate(f"document.querySelector({selector!r}).innerText")


def scans(browser):
    """How many scans the page shows to have ended."""
    return browser.evaluate("Number(document.querySelector('#found').dataset.scans || 0)")


def press_and_await_scan(browser, key):
    before = scans(browser)
    browser.press(key)
    browser.wait_until(f"Number(document.querySelector('#found').dataset.scans) > {before} && {SCANNED}")
    browser.evaluate(DRAWN)


def switch_on(browser, profile):
    browser.evaluate(f"document.querySelector('[data-profile={profile}]').focus()")
    browser.press("Enter")
    press_and_await_scan(browser, "o")


def test_with_the_keyboard_alone(browser, session, tmp_path):
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    for expected in ("scan", "off", "quiz", "kz-inline"):
        browser.press("Tab")
        assert browser.evaluate(FOCUS) == expected
    for key, expected in (("ArrowDown", "corporate"), ("End", "expired"), ("ArrowDown", "kz-inline")):
        browser.press(key)
        assert browser.evaluate(FOCUS) == expected
    assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press("Enter")
    assert text(browser, "#chosen-title") == "interception as in Kazakhstan, on the live connection"
    assert count(browser, ".acts-alarm") == 0
    browser.press("o")
    browser.wait_until(SCANNED)
    assert "INTERCEPTION (confirmed): social.lab.test" in browser.evaluate(SAID)
    assert "CLEAN: news.lab.test" in browser.evaluate(SAID)
    assert browser.evaluate("document.querySelector('.acts-alarm').textContent").startswith(
        "operator's gateway"
    )
    assert "INTERCEPTOR" in browser.evaluate("document.querySelector('.acts-alarm').textContent")
    assert "The interceptor is here" in browser.evaluate("document.querySelector('#hops').textContent")
    assert (count(browser, ".card.alarm"), count(browser, ".card.good")) == (3, 2)
    assert "As expected: INTERCEPTION" in text(browser, ".card.alarm")
    assert count(browser, "tr.differs ins") > 5
    assert count(browser, "tr.differs del") > 5
    assert count(browser, "tr.differs .differs-tag") == count(browser, "tr.differs")
    assert browser.evaluate("document.querySelector('ins').textContent").startswith("only in what came: ")
    browser.screenshot(tmp_path / "console.png", whole=True)
    assert (tmp_path / "console.png").read_bytes().startswith(b"\x89PNG")
    browser.press("0")
    browser.wait_until("document.querySelectorAll('.card.good').length === 5")
    assert count(browser, ".acts-alarm, tr.differs") == 0
    assert len(session.scanned) == 2


def test_tab_reaches_everything_and_is_held_nowhere(browser):
    switch_on(browser, "kz-inline")
    seen = []
    for _step in range(MAX_TABS):
        browser.press("Tab")
        seen.append(
            browser.evaluate("document.activeElement.textContent.slice(0, 20) || document.activeElement.id")
        )
        if seen[-1].startswith("Keys"):
            break
    assert seen[-1].startswith("Keys")
    assert {"parameter-country", "Switch ono", "social.lab.test", "Only what differs"} <= set(seen)
    for _step in range(MAX_TABS):
        browser.press("Shift+Tab")
        if browser.evaluate("document.activeElement.id") == "scan":
            break
    assert browser.evaluate("document.activeElement.id") == "scan"


def test_parameters_are_filled_and_given(browser, session):
    browser.click("[data-profile=kz-inline]")
    assert browser.evaluate("document.querySelector('#parameter-watched').value") == ",".join(here.WATCHED)
    browser.evaluate("document.querySelector('#parameter-country').select()")
    for key in ("U", "s", "0", "Backspace", "Backspace", "S"):  # none of which is an order there
        browser.press(key)
    browser.evaluate("document.querySelector('#parameter-rule').value = 'early-2019'")
    browser.click("#parameters input[type=checkbox][value=transit]")
    browser.evaluate("document.querySelector('#parameter-country').focus()")
    browser.press("Enter")
    browser.wait_until(SCANNED)
    assert len(session.scanned) == 1
    settings = session._active.settings.values
    assert (settings["country"], settings["rule"], settings["hidden"]) == ("US", "early-2019", "transit")


def test_a_profile_without_its_package_names_it_and_is_not_ordered(browser, session):
    assert "needs squid-openssl" in text(browser, "[data-profile=squid]")
    assert browser.evaluate("document.querySelector('[data-profile=squid]').ariaDisabled") == "true"
    browser.click("[data-profile=squid]")
    browser.press("o")
    browser.press("s")
    browser.wait_until(SCANNED)
    assert session._active is None


def test_a_fault_is_no_interceptor(browser):
    switch_on(browser, "drop")
    assert count(browser, ".acts-alarm") == 0
    assert "FAULT" in browser.evaluate("document.querySelector('.acts-warning').textContent")
    assert count(browser, ".cross") == 1
    assert "no certificate came" in text(browser, "caption")
    switch_on(browser, "expired")
    assert "servers of the sites" in browser.evaluate("document.querySelector('.acts-warning').textContent")
    switch_on(browser, "corporate")
    assert "access router" in browser.evaluate("document.querySelector('.acts-alarm').textContent")
    assert count(browser, ".lane.other.forged") > 0


def test_the_quiz_hides_what_is_on_until_it_is_revealed(browser, session):
    browser.press("q")
    press_and_await_scan(browser, "p")
    while session._active is None:  # nothing at all is an answer, but not for this test
        press_and_await_scan(browser, "p")
    name = session._active.profile.name
    hidden = "document.querySelectorAll('.acts-alarm, .acts-warning, .met, .is-on:not([hidden])').length"
    assert browser.evaluate(hidden) == 0
    assert session._active.profile.title not in text(browser, "#caption")
    browser.press("r")
    browser.wait_until(f"{hidden} > 0")
    assert (
        browser.evaluate("document.querySelector('.is-on:not([hidden])').closest('button').dataset.profile")
        == name
    )
    assert session._active.profile.title in text(browser, "#caption")


def test_while_it_works_it_says_so_and_takes_no_other_order(browser, session):
    session.hold.clear()
    browser.click("[data-profile=kz-inline]")
    browser.press("o")
    browser.wait_until(f"{SAID}.startsWith('Scanning social.lab.test')")
    assert browser.evaluate("document.querySelector('#scan').ariaDisabled") == "true"
    browser.press("s")
    assert text(browser, "#wrong") == "Something is still being done."
    session.hold.set()
    browser.wait_until(SCANNED)
    assert browser.evaluate("document.querySelector('#wrong').hidden")
    assert len(session.scanned) == 1


def test_text_of_strangers_stays_text(browser, session):
    hostile = "<img src=x onerror=alert(1)>\u202e"
    session.fails = LaboratoryError(hostile, hint=hostile)
    browser.press("s")
    browser.wait_until("!document.querySelector('#wrong').hidden")
    assert "<img src=x onerror=alert(1)>\\u202e" in text(browser, "#wrong")
    assert count(browser, "img") == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1366, 1920])
def test_everything_can_be_read_and_nothing_overflows(browser, dark, width):
    switch_on(browser, "kz-inline")
    browser.press("?")
    browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    browser.look_as(width, 900, dark=dark)
    browser.evaluate(DRAWN)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(CONTRAST) == []
    low, high = browser.evaluate(
        "(() => { const s = document.querySelector('#drawing svg'), box = s.getBoundingClientRect();"
        "const all = [...s.querySelectorAll('text, rect')].map((e) => e.getBoundingClientRect());"
        "return [Math.min(...all.map((r) => Math.min(r.left - box.left, r.top - box.top))),"
        "Math.max(...all.map((r) => Math.max(r.right - box.right, r.bottom - box.bottom)))] })()"
    )
    assert low >= -1
    assert high <= 1


def test_in_print_the_orders_are_gone_and_the_verdict_is_there(browser):
    switch_on(browser, "kz-inline")
    browser.look_as(800, 1100, medium="print")
    shown = "getComputedStyle(document.querySelector({!r})).display"
    assert browser.evaluate(shown.format("#choose")) == "none"
    assert browser.evaluate(shown.format("#verdict")) == "block"


def test_headings_and_labels_are_in_order(browser):
    switch_on(browser, "kz-inline")
    levels = browser.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    unnamed = (
        "[...document.querySelectorAll('button, input, select, summary')]"
        ".filter((e) => !e.labels?.length && !e.textContent.trim()).length"
    )
    assert browser.evaluate(unnamed) == 0
    ids = browser.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


def test_the_page_speaks_the_language_of_the_console(chromium, session):
    """A language of capitals stands for any other: then no small letter of ours is left on the page."""
    with speaking(here.Capitals(), in_threads=True), here.console(session) as url:
        chromium.complaints.clear()
        chromium.look_as(1366, 768)
        chromium.visit(url)
        chromium.wait_until(f"{SAID}.startsWith('READY.')")
        chromium.press("s")
        chromium.wait_until(f"{SAID}.startsWith('SCANNED.')")
        assert text(chromium, "h2") == "THE WAY TO THE SITES"
        assert text(chromium, "#verdict-title") == "WHAT THE SCAN SAYS"
        assert text(chromium, "#caption") == "NOTHING STANDS IN THE WAY: EVERY SITE ANSWERS FOR ITSELF."
        assert "THE CERTIFICATE THAT CAME IS THE GENUINE ONE" in text(chromium, "caption")
        assert "WHAT THAT MEANS" in text(chromium, "#found")
        assert chromium.complaints == []
        chromium.visit("about:blank")
