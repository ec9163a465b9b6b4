"""Rules for every test: nothing is skipped in CI for a program that is missing, no packet leaves loopback."""

import errno
import ipaddress
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import is_hypothesis_test, settings

# How long an example takes is the machine's to say; tests of speed measure it themselves.
settings.register_profile("kzmitm", deadline=None)
settings.load_profile("kzmitm")

_leave = subprocess.Popen.__exit__


def _leave_nobody_behind(self, kind, error, trace):
    """A test that failed waits for no program that it has not told to end."""
    if kind is not None:
        self.kill()
    _leave(self, kind, error, trace)


subprocess.Popen.__exit__ = _leave_nobody_behind

PURE = ("kzmitm.model.", "kzmitm.wire.", "kzmitm.pki.", "kzmitm.verdict.")
"""What is covered completely."""

MAY_SKIP_IN_CI = "shared"
"""The reason of tests that need material beside the checkout; every other skip is a missing package."""

# Whatever language the computer speaks, the words of the tests are English.
os.environ["KZMITM_LANG"] = "en"

# A shell that starts a command in the background lets it ignore Ctrl-C, and so would all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Properties are tried without coverage, which halves their speed, and so is what is marked `untraced`.

    What properties happen to reach is chance besides, and no floor should stand on it. (The marker of
    pytest-cov for this, `no_cover`, does nothing in a worker of pytest-xdist.)
    """
    is_property = is_hypothesis_test(getattr(item, "obj", None))
    if not is_property and item.get_closest_marker("untraced") is None:
        return (yield)
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        if trace is not None:
            _forget_what_was_worked_out()
            sys.settrace(trace)


def _forget_what_was_worked_out():
    """Empty the caches of functions: what fills them untraced keeps later tests from the same lines."""
    for name in [name for name in sys.modules if name.startswith(PURE)]:
        for value in list(vars(sys.modules[name]).values()):
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    in_ci = os.environ.get("CI") == "true"
    if in_ci and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if MAY_SKIP_IN_CI not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"
    return report


def _check_stays_here(address):
    """Raise what a computer without any network would, for an address or a name elsewhere."""
    if not isinstance(address, tuple) or address[0] == "localhost":
        return
    try:
        is_here = ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        raise socket.gaierror(socket.EAI_NONAME, "a test tried to resolve a name") from None
    if not is_here:
        raise OSError(errno.ENETUNREACH, f"a test tried to leave loopback for {address[0]}")


@pytest.fixture(autouse=True)
def _on_loopback_only(monkeypatch):
    """Connecting elsewhere fails as it would on a computer without any network."""
    for name in ("connect", "connect_ex"):
        original = getattr(socket.socket, name)

        def guarded(self, address, *, original=original):
            _check_stays_here(address)
            return original(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)
