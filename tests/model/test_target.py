import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.model.target import (
    Endpoint,
    Target,
    is_ip,
    parse_target,
    split_host_port,
    to_ascii_hostname,
    to_unicode_hostname,
)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("example.test", Target("example.test")),
        (" Example.TEST. ", Target("example.test")),
        ("example.test:8443", Target("example.test", 8443)),
        ("example.test:", Target("example.test")),
        ("https://example.test", Target("example.test")),
        ("HTTPS://u:p@example.test:444/a?b#c", Target("example.test", 444)),
        ("https://example.test?x", Target("example.test")),
        ("https://example.test#x", Target("example.test")),
        ("192.0.2.1", Target("192.0.2.1", sni=None)),
        ("192.0.2.1:444", Target("192.0.2.1", 444, sni=None)),
        ("2001:DB8:0::1", Target("2001:db8::1", sni=None)),
        ("[2001:db8::1]", Target("2001:db8::1", sni=None)),
        ("[2001:db8::1]:444", Target("2001:db8::1", 444, sni=None)),
        ("қазақстан.test", Target("xn--80aaagc0fnc8e.test")),
        ("_dmarc.example.test", Target("_dmarc.example.test")),
        ("a-b.x1", Target("a-b.x1")),
    ],
)
def test_what_people_write(text, target):
    if "қ" in text:
        target = Target(to_ascii_hostname(text))
        assert target.hostname.startswith("xn--")
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty host name"),
        (".", "empty host name"),
        (":443", "empty host name"),
        ("http://example.test", "only https can be scanned, not http"),
        ("a..b", "not a host name"),
        ("a.test..", "not a host name"),
        ("-a.test", "not a host name"),
        ("a-.test", "not a host name"),
        ("a.-", "not a host name"),
        ("a b.test", "not a host name"),
        ("a.test\x1b[31m", "not a host name"),
        ("*.test", "not a host name"),
        ("a" * 64 + ".test", "not a host name"),
        (".".join(["a" * 60] * 5), "not a host name"),
        ("ю" * 70, "not a host name"),
        ("1.2.3", "neither a host name nor an address"),
        ("256.1.1.1", "neither a host name nor an address"),
        ("a.test:0", "not a port"),
        ("a.test:65536", "not a port"),
        ("a.test:065535999", "not a port"),
        ("a.test:４４３", "not a port"),
        ("a.test:x", "not a port"),
        ("a.test:443:443", "not a port"),
        ("[2001:db8::1", "not an address"),
        ("[a.test]:443", "not an address"),
        ("[2001:db8::1]443", "not an address"),
    ],
)
def test_what_cannot_be_scanned(text, message):
    with pytest.raises(ValueError, match=message):
        parse_target(text)


@given(st.text())
def test_anything_is_a_target_or_a_value_error(text):
    try:
        target = parse_target(text)
    except ValueError:
        return
    assert target.hostname.isascii()
    assert 0 < target.port < 65536
    assert parse_target(str(target)) == target


def test_targets_as_text():
    assert str(Target("a.test")) == "a.test"
    assert str(Target("a.test", 8443)) == "a.test:8443"
    assert str(Target("2001:db8::1", 8443)) == "[2001:db8::1]:8443"
    assert str(Endpoint("2001:db8::1", 443)) == "[2001:db8::1]:443"
    assert str(Endpoint("192.0.2.1", 443)) == "192.0.2.1:443"


def test_the_server_name_is_the_host_unless_given():
    assert Target("a.test").sni == "a.test"
    assert Target("192.0.2.1").sni is None
    assert Target("a.test", sni="b.test").sni == "b.test"
    assert Target("a.test", sni=None).sni is None


def test_addresses():
    assert is_ip("192.0.2.1")
    assert is_ip("::1")
    assert not is_ip("[::1]")
    assert not is_ip("a.test")


def test_the_default_port_may_be_another():
    assert split_host_port("a.test", 53) == ("a.test", 53)
    assert split_host_port("::1", 53) == ("::1", 53)


def test_names_as_people_write_them():
    assert to_unicode_hostname("xn--d1acpjx3f.xn--p1ai") == "яндекс.рф"
    assert to_unicode_hostname("xn--a") == "xn--a"
    assert to_unicode_hostname("a_b.test") == "a_b.test"
