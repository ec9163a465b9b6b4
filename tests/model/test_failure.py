import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.model.failure import SCRUBBED, Failure, scrub, unknown_failure


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dial 192.0.2.1:443: refused", "dial [scrubbed]: refused"),
        ("('192.168.1.5', 0)", "('[scrubbed]', 0)"),
        ("192.0.2.1->198.51.100.2:443.", "[scrubbed]->[scrubbed]."),
        ("addr:192.0.2.1", "addr:[scrubbed]"),
        ("192.0.2.1/24", "[scrubbed]/24"),
        ("[2001:db8::1]:443: refused", "[scrubbed]: refused"),
        ("to 2001:db8::1, port 443", "to [scrubbed], port 443"),
        ("addr:2001:db8::1", "addr:[scrubbed]"),
        ("2001:db8::1.", "[scrubbed]."),
        ("2001:db8::1: no route", "[scrubbed]: no route"),
        ("fe80::1%eth0 down", "[scrubbed] down"),
        ("::1", "[scrubbed]"),
        ("[2001:db8::1.]:443", "[[scrubbed].]:443"),
        ("2001:db8::1:%eth0", "[scrubbed]:%eth0"),
        ("0:0:0:1:::443", "[scrubbed]:443"),
        ("::ffff:192.0.2.1", "[scrubbed]"),
        ("2001:db8:0:0:0:0:0:1", "[scrubbed]"),
    ],
)
def test_addresses_go(text, expected):
    assert scrub(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "handshake failure",
        "at 12:34:56",
        "12:34:56.789 and 12:34:56: late",
        "00:11:22:33:44:55",
        "std::x, foo::bar, ::, a ::b_",
        "oid 1.2.840.113549.1.1.11",
        "OpenSSL 3.0.22, TLS 1.3",
        "999.1.1.1",
        "error:0A000126:SSL routines::unexpected eof",
        "https://example.test:443/",
    ],
)
def test_what_is_no_address_stays(text):
    assert scrub(text) == text


def test_one_address_may_be_kept():
    assert scrub("192.0.2.1:443 192.0.2.2:443", keep="192.0.2.1") == "192.0.2.1:443 [scrubbed]"
    assert scrub("[2001:db8::1]:443 2001:db8::2", keep="2001:db8::1") == "[2001:db8::1]:443 [scrubbed]"


@given(
    st.ip_addresses(),
    st.sampled_from(
        ["{}", "to {} now", "({})", "{}:443", "x={},", "[{}]", "[{}]:443", "{}:", "{}.", "[{}.]", ":{}"]
    ),
)
def test_every_address_goes(address, frame):
    if str(address) == "::":
        return
    assert str(address) not in scrub(frame.format(address))


@given(st.text(st.sampled_from("0123456789abcf:.[]% x_"), max_size=40))
def test_scrubbing_twice_is_scrubbing_once(text):
    once = scrub(text)
    assert scrub(once) == once


@pytest.mark.parametrize(
    "text", ["1:" * 20_000, ":" * 40_000, "1." * 20_000, "a" * 40_000 + ":", "[" * 40_000 + ":"]
)
def test_hostile_text_costs_no_more(text):
    start = time.process_time()
    scrub(text)
    assert time.process_time() - start < 2


def test_unknown_failures_are_scrubbed_and_short():
    assert unknown_failure("x 192.0.2.1") == f"unknown_failure: x {SCRUBBED}"
    assert len(unknown_failure("x" * 1000)) == len("unknown_failure: ") + 200


def test_failures_are_their_strings():
    assert Failure.EOF == "eof_error"
    assert str(Failure.DNS_NXDOMAIN) == "dns_nxdomain_error"
