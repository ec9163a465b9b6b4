"""Failure strings of all ages and what kind each is; and looking for marks, which must not miss one."""

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.model.failure import Failure
from kzmitm.ooni.archive import search
from kzmitm.ooni.archive.failures import CERTIFICATE, Kind, kind_of

KINDS = {
    "": Kind.NONE,
    "ssl_unknown_authority": Kind.CERTIFICATE,
    "ssl_invalid_hostname": Kind.CERTIFICATE,
    "ssl_invalid_certificate": Kind.CERTIFICATE,
    "ssl_error: error:14007086:SSL routines:CONNECT_CR_CERT:certificate verify failed": Kind.CERTIFICATE,
    "unknown_failure: x509: unhandled critical extension": Kind.CERTIFICATE,
    "unknown_failure: tls: failed to verify certificate: not standards compliant": Kind.CERTIFICATE,
    "ssl_invalid_certificate self signed certificate": Kind.CERTIFICATE,
    "ssl_no_certificate": Kind.CUT,
    "connection_reset": Kind.CUT,
    "generic_timeout_error": Kind.CUT,
    "timed_out": Kind.CUT,
    "eof_error": Kind.CUT,
    "ssl_failed_handshake": Kind.CUT,
    "ssl_error: error:1408F10B:SSL routines:ssl3_get_record:wrong version number": Kind.CUT,
    "unknown_failure: tls: first record does not look like a TLS handshake": Kind.CUT,
    "unknown_failure: remote error: tls: handshake failure": Kind.CUT,
    "invalid_record": Kind.CUT,
    "SSL_UNKNOWN_AUTHORITY": Kind.CUT,
    "interrupted": Kind.OURS,
    "connection_already_closed": Kind.OURS,
    "unknown_failure: context canceled": Kind.OURS,
}


@pytest.mark.parametrize(("failure", "kind"), KINDS.items(), ids=[each[:40] or "none" for each in KINDS])
def test_every_failure_has_a_kind(failure, kind):
    assert kind_of(failure) is kind


def test_our_own_failures_are_all_placed():
    kinds = {failure: kind_of(failure) for failure in Failure}
    assert {failure for failure, kind in kinds.items() if kind is Kind.CERTIFICATE} == CERTIFICATE
    assert {failure for failure, kind in kinds.items() if kind is Kind.OURS} == {Failure.INTERRUPTED}
    assert Kind.NONE not in kinds.values()


FINDERS = {"memmem": search.find, "plain": search._plain}


@pytest.mark.parametrize("find", FINDERS.values(), ids=FINDERS)
@given(
    st.binary(max_size=40) | st.text("ab", max_size=40).map(str.encode),
    st.binary(min_size=1, max_size=3) | st.text("ab", min_size=1, max_size=4).map(str.encode),
    st.data(),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_marks_are_found_where_bytes_finds_them(find, text, mark, data):
    start = data.draw(st.integers(0, len(text)))
    assert find(text, mark, start) == text.find(mark, start)


def test_a_mark_is_found_behind_a_nul_and_at_the_very_end():
    for find in FINDERS.values():
        assert find(b"\0a\0mark", b"mark", 0) == 3
        assert find(b"mark", b"mark", 4) == -1
        assert find(b"", b"m", 0) == -1


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError], ids=lambda each: each.__name__)
def test_a_system_without_memmem_has_the_plain_search(monkeypatch, error):
    """Windows' library is not to be had by None, and has none."""

    def refuse(_name):
        raise error

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert search._from_libc() is search._plain
