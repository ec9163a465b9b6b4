"""The control's word of an address, of all ages."""

import msgspec
import pytest

from kzmitm.ooni.archive.control import PAGE, ControlView
from kzmitm.ooni.archive.documents import Control

IP, OTHER, HOST = "95.59.1.1", "95.59.1.2", "example.kz"
ADDRESS = f"{IP}:443"
DNS = {"failure": None, "addrs": [IP]}


def view(*, https=True, **control):
    return ControlView(msgspec.convert(control, Control), https=https)


def word(control, name=HOST, address=ADDRESS, host=HOST):
    return control.of(address, address.rpartition(":")[0], name, host)


def test_no_control_says_nothing():
    none = ControlView(None, https=True)
    assert (none.lookup, none.connect, none.has(IP), word(none)) == ("", "", None, "")
    assert not none.addresses


HANDSHAKES = {
    "ok": ({"server_name": HOST, "status": True, "failure": None}, "ok"),
    "other-letters": ({"server_name": "EXAMPLE.kz", "status": True}, "ok"),
    "no-name": ({"status": True}, "ok"),
    "no-status": ({"server_name": HOST}, "ok"),
    "failed": (
        {"server_name": HOST, "status": False, "failure": "ssl_invalid_hostname"},
        "ssl_invalid_hostname",
    ),
    "failed-without-word": ({"server_name": HOST, "status": False}, ""),
    "other-name": ({"server_name": "example.com", "status": True}, ""),
}


@pytest.mark.parametrize(("row", "expected"), HANDSHAKES.values(), ids=HANDSHAKES)
def test_handshakes_of_the_control(row, expected):
    control = view(tls_handshake={ADDRESS: row})
    assert word(control) == expected
    assert word(control, address=f"{OTHER}:443") == ""
    assert word(control, address=f"{IP}:8443") == ""


PAGES = {
    "content": ({"failure": None}, PAGE),
    "refused": ({"failure": "ssl_unknown_authority"}, "ssl_unknown_authority"),
    "cut-off": ({"failure": "generic_timeout_error"}, ""),
    "long": ({"failure": "unknown_failure: x509: " + "a" * 5000}, "unknown_failure: x509: " + "a" * 5000),
}


@pytest.mark.parametrize("none", [None, {}], ids=["null", "empty"])
@pytest.mark.parametrize(("page", "expected"), PAGES.values(), ids=PAGES)
def test_an_old_control_tells_by_the_page(page, expected, none):
    assert word(view(dns=DNS, http_request=page, tls_handshake=none)) == expected


def test_the_page_tells_only_of_the_address_and_the_name_that_it_came_from():
    page = {"failure": None}
    known = {"dns": DNS, "http_request": page}
    assert word(view(**known, https=False)) == ""
    assert word(view(**known), name="www.example.kz") == ""
    assert word(view(**known), name="EXAMPLE.kz") == PAGE
    assert word(view(**known), address=f"{OTHER}:443") == ""
    assert word(view(http_request=page)) == ""
    assert word(view(dns=DNS)) == ""
    assert word(view(**known, tls_handshake={f"{OTHER}:443": {"status": True}})) == ""


LOOKUPS = {
    "ok": ({"failure": None, "addrs": [IP]}, "ok", True),
    "empty-failure": ({"failure": "", "addrs": [IP]}, "ok", True),
    "failed": ({"failure": "dns_name_error", "addrs": [IP]}, "dns_name_error", None),
    "nothing": ({"failure": None, "addrs": []}, "", None),
    "null": ({"failure": None, "addrs": None}, "", None),
}


@pytest.mark.parametrize(("dns", "lookup", "has"), LOOKUPS.values(), ids=LOOKUPS)
def test_lookups_of_the_control(dns, lookup, has):
    control = view(dns=dns)
    assert (control.lookup, control.has(IP)) == (lookup, has)
    assert control.has(OTHER) is (None if has is None else False)


def test_an_address_that_is_not_known_is_neither_the_controls_nor_not():
    assert view(dns=DNS).has("") is None


INFO = {
    "found-by-the-helper": ({OTHER: {"asn": 1, "flags": 2}}, True),
    "good-there": ({OTHER: {"asn": 1, "flags": 8}}, True),
    "found-by-the-probe": ({OTHER: {"asn": 1, "flags": 5}}, False),
    "same-network": ({OTHER: {"asn": 9198, "flags": 1}, IP: {"asn": 9198}}, True),
    "other-network": ({OTHER: {"asn": 1, "flags": 1}, IP: {"asn": 9198}}, False),
    "no-network": ({OTHER: {"asn": 0, "flags": 0}, IP: {"asn": 0}}, False),
    "nothing": ({OTHER: {}, IP: {}}, False),
    "not-of-this": ({IP: {"asn": 9198}}, False),
}


@pytest.mark.parametrize(("info", "expected"), INFO.values(), ids=INFO)
def test_addresses_in_the_controls_networks_are_its_own(info, expected):
    control = view(dns=DNS, ip_info=info)
    assert [control.has(OTHER) for _ in range(2)] == [expected] * 2
    assert control.has(IP) is True


CONNECTS = {
    "none": (None, ""),
    "empty": ({}, ""),
    "ok": ({"a": {"status": True, "failure": None}}, "ok"),
    "one-of-two": ({"a": {"failure": "connect_error"}, "b": {"failure": None}}, "ok"),
    "failed": ({"a": {"status": False, "failure": "connect_error"}, "b": {"failure": "x"}}, "connect_error"),
}


@pytest.mark.parametrize(("tried", "expected"), CONNECTS.values(), ids=CONNECTS)
def test_connects_of_the_control(tried, expected):
    assert view(tcp_connect=tried).connect == expected
