"""Who may speak to the console, and what it answers, over HTTP on loopback."""

import re
from urllib.parse import urlsplit

import console_lab as here
import pytest
from console_client import ask, order, settled

from kzmitm.lab.console.app import MAX_BODY
from kzmitm.lab.console.page import page
from kzmitm.lab.console.words import texts
from kzmitm.lab.errors import LaboratoryError
from kzmitm.report.language import speaking

ON = {"profile": "kz-inline", "given": {}}


@pytest.fixture
def session():
    return here.FakeSession()


@pytest.fixture
def base(session):
    with here.console(session) as url:
        yield urlsplit(url)


@pytest.fixture(scope="module")
def idle():
    """A console for all tests that change nothing: its session must never be asked to scan."""
    session = here.FakeSession()
    with here.console(session) as url:
        yield urlsplit(url)
    assert session.scanned == []


def test_an_order_is_carried_out_and_a_scan_follows(base, session):
    assert order(base, "on", ON)[0] == 202
    state = settled(base)
    assert session.scanned == [
        ("social.lab.test", "video.lab.test", "mail.lab.test", "news.lab.test", "bank.lab.test")
    ]
    assert [one["word"] for one in state["findings"]] == ["INTERCEPTION"] * 3 + ["CLEAN"] * 2
    assert all(one["as_expected"] for one in state["findings"])
    assert (state["active"]["name"], state["active"]["place"], state["scans"]) == ("kz-inline", "operator", 1)
    assert [one["hostname"] for one in state["findings"]] == list(session.scanned[0])
    assert order(base, "off")[0] == 202
    state = settled(base)
    assert (state["active"], {one["word"] for one in state["findings"]}) == (None, {"CLEAN"})
    assert order(base, "scan", {"sites": ["news.lab.test"]})[0] == 202
    assert [one["hostname"] for one in settled(base)["findings"]] == ["news.lab.test"]


def test_the_laboratory_tells_what_can_be_switched_on(idle):
    lab = ask(idle, idle.path + "laboratory")[2]
    assert [hop["name"] for hop in lab["hops"]] == ["client", "access", "operator", "transit", "server"]
    offers = {one["name"]: one for one in lab["offers"]}
    assert "squid-openssl" in offers["squid"]["needs"]
    assert offers["kz-inline"]["needs"] == ""
    assert [one["choices"] for one in offers["kz-inline"]["parameters"]][2] == ["early-2019", "late-2019"]


def test_the_page_gets_the_words_of_the_language_spoken(idle):
    assert ask(idle, idle.path + "words")[2] == {"language": "en", "words": {}}
    with speaking(here.Capitals(), in_threads=True):
        told = ask(idle, idle.path + "words")[2]["words"]
    assert told["Scan again"] == "SCAN AGAIN"
    assert told["The same as at {site}."] == "THE SAME AS AT {site}."
    assert set(told) <= set(texts())


def test_every_text_of_the_page_can_be_said_in_another_language():
    """What the script says stands in t("…"), but for names of elements and keys."""
    script = page().decode().partition("<script>")[2]
    said = {text for text in re.findall(r'(?<!t\()"([A-Z][a-z]+ [a-z][^"]*)"', script) if text not in texts()}
    assert not said


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/state",
        "/favicon.ico",
        "/a-token-of-the-tests-1235/",
        f"/{here.TOKEN}",
        f"/{here.TOKEN}x/",
        f"//{here.TOKEN}/",
        "/%ff/",
        f"/{here.TOKEN}/other",
    ],
)
def test_nothing_is_found_without_the_token(idle, path):
    status, headers, text = ask(idle, path)
    assert status == 404
    assert here.TOKEN not in text
    assert headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", None, "localhost.evil.example"])
def test_a_name_that_was_bent_to_this_computer_is_refused(idle, host):
    if host and host.endswith("example"):
        host = f"{host}:{idle.port}"
    status, _headers, text = ask(idle, idle.path, Host=host)
    assert status in {400, 403}
    assert "<html" not in text


def test_localhost_is_a_name_for_it(idle):
    assert ask(idle, idle.path, Host=f"localhost:{idle.port}")[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": None}, 415),
        ({"Content_Type": "application/json; charset=utf-8", "Sec_Fetch_Site": "same-origin"}, 202),
    ],
)
def test_orders_come_from_the_page_alone(base, session, headers, status):
    assert order(base, "scan", {"sites": []}, **headers)[0] == status
    settled(base)
    assert len(session.scanned) == (status == 202)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_an_order_is_a_post(idle, method):
    assert ask(idle, idle.path + "off", b"{}", method=method)[0] == 405


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("on", b"", 400),
        ("on", b"[]", 400),
        ("on", b"\xff", 400),
        ("on", b"[" * 10_000, 400),
        ("on", {}, 400),
        ("on", {"profile": 1, "given": {}}, 400),
        ("on", {"profile": "kz-inline", "given": {"country": 1}}, 400),
        ("scan", {}, 400),
        ("scan", {"sites": ["outside.example"]}, 400),
        ("scan", {"sites": [[]]}, 400),
        ("on", b'{"profile": "' + b"x" * MAX_BODY + b'"}', 413),
    ],
)
def test_an_order_that_is_none_is_told_so(idle, what, body, status):
    answer = order(idle, what, body)
    assert answer[0] == status
    assert "\n" not in answer[2]["error"]


def test_a_second_order_waits_for_no_one(base, session):
    session.hold.clear()
    assert order(base, "on", ON)[0] == 202
    for what, body in (("on", ON), ("off", {}), ("scan", {"sites": []})):
        status, _headers, answer = order(base, what, body)
        assert status == 409
        assert "still being done" in answer["error"]
    assert ask(base, base.path + "state")[2]["doing"]
    session.hold.set()
    assert settled(base)["scans"] == 1


def test_what_the_laboratory_refuses_becomes_a_line(base, session):
    order(base, "on", {"profile": "kz-inline", "given": {"country": "\u202eKZ"}})
    state = settled(base)
    assert "country" in state["error"]
    assert "\u202e" not in state["error"]
    assert state["hint"] == "two capital letters, like KZ"
    order(base, "on", {"profile": "squid", "given": {}})
    assert settled(base)["error"] == "squid did not start"
    session.fails = LaboratoryError("the scan did not end well")
    order(base, "on", ON)
    state = settled(base)
    assert (state["error"], state["active"]["name"]) == ("the scan did not end well", "kz-inline")


def test_a_fault_of_ours_does_not_end_the_class(base, session):
    session.fails = ZeroDivisionError("a fault")
    order(base, "scan", {"sites": []})
    assert "ZeroDivisionError" in settled(base)["error"]
    order(base, "scan", {"sites": []})
    state = settled(base)
    assert (state["error"], len(state["findings"])) == ("", 5)


def test_what_is_not_as_expected_is_told(base, session):
    session.lies = {"video.lab.test"}
    order(base, "on", ON)
    findings = {one["hostname"]: one for one in settled(base)["findings"]}
    assert findings["social.lab.test"]["as_expected"]
    assert not findings["video.lab.test"]["as_expected"]
    verdict = findings["video.lab.test"]["checks"][0]
    assert (verdict["expected"], verdict["got"], verdict["met"]) == ("INTERCEPTION", "CLEAN", False)


def test_the_page_may_do_nothing_but_ask_the_console(idle):
    for path in (idle.path, idle.path + "state", idle.path + "none"):
        _status, headers, _text = ask(idle, path)
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'none'"
        assert policy["connect-src"] == "'self'"
        assert "unsafe" not in str(policy)
        assert policy["script-src"].startswith("'sha256-")
        assert policy["style-src"].startswith("'sha256-")
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Access-Control-Allow-Origin"] is None
        assert headers["Server"] is None
