"""The browser of the demo against a site on loopback: warning, trust, pictures, and its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import browser_site as here
import pytest

from kzmitm.errors import UsageError
from kzmitm.lab.browser import Browser, BrowserError, find_browser, install_root, remove_root
from kzmitm.lab.browser.browser import POLL_S

URL = f"https://{here.HOST}/"
ROOT = "kzmitm lab public root"
PNG = b"\x89PNG\r\n\x1a\n"
GONE_WITHIN_S = 10.0


@pytest.fixture
def tls_site(tmp_path):
    here.program()
    with here.site(tmp_path) as found:
        yield found


@pytest.fixture
def home():
    with here.short_home() as folder:
        yield folder


def processes_of(home):
    """Live processes whose command line names this home."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue  # it ended meanwhile; a zombie has no command line
        if os.fsencode(home) in command:
            found.append(int(entry.name))
    return found


def test_a_warning_without_the_root_none_with_it_and_one_again_after_it(tls_site, tmp_path, home):
    port, root = tls_site
    seen = []
    with here.browser_for(port, home) as browser:
        seen.append(browser.visit(URL))
        browser.screenshot(tmp_path / "warning.png")
        browser.screenshot(tmp_path / "warning.png")
    install_root((), home, root, ROOT, os.environ)
    install_root((), home, root, ROOT, os.environ)
    with here.browser_for(port, home) as browser:
        seen.append(browser.visit(URL))
    remove_root((), home, ROOT, os.environ)
    remove_root((), home, ROOT, os.environ)
    with here.browser_for(port, home) as browser:
        seen.append(browser.visit(URL))
    before, trusted, after = seen
    assert (before.blocked, before.error) == (True, "ERR_CERT_AUTHORITY_INVALID")
    assert "not private" in before.text
    assert before.security == "insecure-broken"
    assert (before.issuer, before.subject) == ("Lab Issuing R3", here.HOST)
    assert (trusted.blocked, trusted.error, trusted.title) == (False, None, "Social")
    assert (trusted.security, trusted.issuer) == ("secure", "Lab Issuing R3")
    assert after == before
    assert (tmp_path / "warning.png").read_bytes().startswith(PNG)
    assert [entry.name for entry in tmp_path.glob("*warning*")] == ["warning.png"]


def test_a_name_that_is_not_known_is_an_error_and_no_warning(tls_site, tmp_path, home):
    with here.browser_for(tls_site[0], home) as browser:
        state = browser.visit("https://outside.example/")
    assert (state.blocked, state.error, state.issuer) == (False, "ERR_NAME_NOT_RESOLVED", None)


def test_keys_clicks_and_conditions_reach_the_page(tls_site, tmp_path, home):
    port, root = tls_site
    install_root((), home, root, ROOT, os.environ)
    with here.browser_for(port, home) as browser:
        browser.visit(URL)
        browser.click("#b")
        browser.wait_until("document.querySelector('#b').textContent === 'pressed'")
        browser.evaluate("document.querySelector('#name').focus()")
        for key in ("a", "Shift+B", "Space", "1", "Backspace"):
            browser.press(key)
        assert browser.evaluate("document.querySelector('#name').value") == "aB "
        with pytest.raises(BrowserError, match="has no #other"):
            browser.click("#other")
        with pytest.raises(BrowserError, match="nothing is not defined"):
            browser.evaluate("nothing")
        with pytest.raises(BrowserError, match="did not come true: false"):
            browser.wait_until("false", timeout=2 * POLL_S)
        with pytest.raises(UsageError, match="no key is called"):
            browser.press("Enterr")
        browser.evaluate("console.error('heard'), 1")
        assert browser.complaints == ["heard"]


def test_descriptors_pass_through_a_prefix_and_the_home_is_all_that_is_written(tls_site, tmp_path, home):
    with here.browser_for(tls_site[0], home, prefix=("env", "-u", "NOTHING")) as browser:
        assert browser.visit(URL).blocked
        pid = browser.pid
        assert processes_of(home)
    assert processes_of(home) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert (home / "profile").is_dir()


def test_no_process_is_left_when_the_caller_is_killed(tls_site, tmp_path, home):
    script = (
        "import os, pathlib, sys\n"
        "from kzmitm.lab.browser import Browser\n"
        "home, program = map(pathlib.Path, sys.argv[1:])\n"
        "with Browser((), home, os.environ, program=program) as browser:\n"
        "    print('up', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", script, str(home), str(here.program())]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as caller:
        assert caller.stdout.readline() == b"up\n"
        assert len(processes_of(home)) > 1
        caller.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + GONE_WITHIN_S
    while processes_of(home):
        assert time.monotonic() < deadline, "a browser is left"


def test_a_browser_that_cannot_start_says_so_in_one_line(tmp_path, home):
    script = tmp_path / "browser"
    script.write_text("#!/bin/sh\necho 'no such display' >&2\nexit 1\n")
    script.chmod(0o755)
    for program, said in ((script, "no such display"), (tmp_path / "none", "No such file")):
        with (
            pytest.raises(BrowserError, match=said) as caught,
            Browser((), home, os.environ, program=program),
        ):
            pass
        assert "\n" not in str(caught.value)


def test_a_picture_that_cannot_be_written_is_said(tls_site, tmp_path, home):
    with (
        here.browser_for(tls_site[0], home) as browser,
        pytest.raises(BrowserError, match="written"),
    ):
        browser.screenshot(tmp_path / "none" / "picture.png")


def test_a_browser_is_found_on_the_path_only(tmp_path):
    assert find_browser({"PATH": str(tmp_path)}) is None
    (tmp_path / "google-chrome").touch(mode=0o755)
    assert find_browser({"PATH": str(tmp_path)}) == tmp_path / "google-chrome"


def test_a_root_that_is_none_is_not_installed(tmp_path, home):
    here.program()
    with pytest.raises(BrowserError, match="could not be installed"):
        install_root((), home, b"nothing", ROOT, os.environ)
    with pytest.raises(BrowserError, match="certutil is not installed"):
        install_root((), home, b"nothing", ROOT, {"PATH": str(tmp_path)})


def test_a_home_whose_name_is_too_long_for_a_socket_is_refused(tmp_path):
    with pytest.raises(BrowserError, match="more than"):
        Browser((), tmp_path / ("h" * 80), os.environ, program=tmp_path)
