"""What the first pass does by a shorter way comes out as by the long one."""

import json
from base64 import b64decode, b64encode
from binascii import Error
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kzmitm.model.target import is_ip, split_host_port, to_ascii_hostname
from kzmitm.ooni.archive.chains import ChainReader
from kzmitm.ooni.archive.extraction import _host, _is_private
from kzmitm.ooni.archive.search import _plain, find
from kzmitm.verdict.resolution import is_private

pieces = st.sampled_from(
    ["a", "-", ".", "_", "1", "xn--", "É", "Z", "com", "kz", "@", ":443", "?", "/", "#", "[", "\t"]
)
hosts = st.lists(pieces, max_size=9).map("".join)


def host_by_the_long_way(text):
    try:
        host, _ = split_host_port(urlsplit(text).netloc.rpartition("@")[2])
        return host if is_ip(host) else to_ascii_hostname(host)
    except ValueError:
        return ""


@given(st.sampled_from(["http", "https"]), hosts, st.sampled_from(["", "/", "/a?b", "/\n", "//x"]))
@example("https", "www.a-b.example.kz", "/")
@example("https", "a." * 130 + "com", "")
@example("https", "a" * 64 + ".com", "/")
@example("https", "1.2.3.4", "/")
def test_hosts(scheme, host, rest):
    text = f"{scheme}://{host}{rest}"
    assert _host(text) == host_by_the_long_way(text)


@given(
    st.integers(0, (1 << 32) - 1).map(lambda each: str(IPv4Address(each)))
    | st.integers(0, (1 << 128) - 1).map(lambda each: str(IPv6Address(each)))
    | st.text("0123456789.:af", max_size=12)
)
@example("8.8.8")
@example("::ffff:10.0.0.1")
def test_private_addresses(ip):
    assert _is_private(ip) == (is_ip(ip) and is_private(ip))


@pytest.mark.parametrize("octet", range(256))
def test_no_first_octet_hides_a_private_address(octet):
    for rest in (
        "0.0.0",
        "0.0.1",
        "0.2.1",
        "0.113.9",
        "18.5.5",
        "31.196.1",
        "51.100.7",
        "88.99.1",
        "168.0.1",
        "255.255.255",
    ):
        ip = f"{octet}.{rest}"
        assert _is_private(ip) == is_private(ip)


datas = st.binary(max_size=40).map(lambda each: b64encode(each).decode()) | st.sampled_from(
    ["", "QUI", "QUI=QUI=", "QU I=", "QUI=\n", "QR==", "=", "QUI==", "-_-_", "QUJDé", None, 7]
)


@given(st.lists(datas, max_size=5))
def test_certificates(values):
    text = json.dumps([{"data": each, "format": "base64"} for each in values]).encode()
    expected = []
    for each in values:
        if not isinstance(each, str):
            break
        try:
            der = b64decode(each, validate=True)
        except (Error, ValueError):
            break
        if not der:
            break
        expected.append(der)
    chain = ChainReader().read(text)
    assert list(chain.ders) == expected
    assert chain.hashes == [sha256(der).hexdigest() for der in expected]


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=3), st.integers(0, 60))
def test_marks(text, mark, start):
    start = min(start, len(text))
    assert find(text, mark, start) == _plain(text, mark, start)
