import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.errors import UsageError
from kzmitm.model.target import Endpoint, Target
from kzmitm.netio.overrides import (
    ConnectTo,
    Overrides,
    Resolve,
    parse_connect_to,
    parse_overrides,
    parse_resolve,
)

CONNECT_TO = [
    ("a.test:443:127.0.0.1:8443", ConnectTo("a.test", 443, "127.0.0.1", 8443)),
    ("::127.0.0.1:8443", ConnectTo(None, None, "127.0.0.1", 8443)),
    ("A.TEST::[::1]:8443", ConnectTo("a.test", None, "::1", 8443)),
    ("[2001:DB8::1]:443:[2001:db8::2]:", ConnectTo("2001:db8::1", 443, "2001:db8::2", None)),
    (":::8443", ConnectTo(None, None, None, 8443)),
    (":443:localhost:", ConnectTo(None, 443, "127.0.0.1", None)),
    ("bücher.example:443:192.0.2.1:443", ConnectTo("xn--bcher-kva.example", 443, "192.0.2.1", 443)),
]
RESOLVE = [
    ("a.test:443:127.0.0.1", Resolve("a.test", 443, ("127.0.0.1",))),
    ("a.test:443:127.0.0.1,[::1]", Resolve("a.test", 443, ("127.0.0.1", "::1"))),
    ("*:443:2001:db8::1", Resolve(None, 443, ("2001:db8::1",))),
    ("a.test::[2001:db8::1]", Resolve("a.test", None, ("2001:db8::1",))),
]


@pytest.mark.parametrize(("text", "rule"), CONNECT_TO)
def test_connect_to_is_read_as_curl_does(text, rule):
    assert parse_connect_to(text) == rule


@pytest.mark.parametrize(("text", "rule"), RESOLVE)
def test_resolve_is_read_as_curl_does(text, rule):
    assert parse_resolve(text) == rule


@pytest.mark.parametrize(
    "text", ["", "a.test", "a.test:443", "a.test:443:127.0.0.1", "a:0:127.0.0.1:1", "a:1:127.0.0.1:99999",
             "a:1:example.com:1", "a b:1:127.0.0.1:1", "a:1:::1:1", "a:1:127.0.0.1:1:1", "a:x:127.0.0.1:1"]
)  # fmt: skip
def test_bad_connect_to_names_the_argument(text):
    with pytest.raises(UsageError, match="--connect-to") as info:
        parse_connect_to(text)
    assert repr(text) in str(info.value)
    assert "\n" not in str(info.value)
    assert info.value.hint


@pytest.mark.parametrize(
    "text", ["", "a.test", "a.test:443", "a.test:443:", "a.test:443:b.test", "a:443:1.2.3.4,"]
)
def test_bad_resolve_names_the_argument(text):
    with pytest.raises(UsageError, match="--resolve"):
        parse_resolve(text)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    for parse in (parse_connect_to, parse_resolve):
        try:
            parse(text)
        except UsageError:
            continue


def test_the_first_rule_that_fits_decides():
    overrides = parse_overrides(
        ["a.test:443:192.0.2.1:1", ":443:192.0.2.2:", ":::9"], ["b.test:80:192.0.2.3,192.0.2.4"]
    )
    assert overrides.endpoints(Target("a.test")) == (Endpoint("192.0.2.1", 1),)
    assert overrides.endpoints(Target("b.test")) == (Endpoint("192.0.2.2", 443),)
    assert overrides.endpoints(Target("b.test", 80)) == (Endpoint("192.0.2.3", 9), Endpoint("192.0.2.4", 9))
    assert overrides.endpoints(Target("c.test", 80)) == ()
    assert overrides.port(Target("c.test", 80)) == 9
    assert overrides.port(Target("c.test", 443)) == 443


def test_addresses_need_no_rule():
    assert Overrides().endpoints(Target("192.0.2.9")) == (Endpoint("192.0.2.9", 443),)
    assert Overrides().endpoints(Target("a.test", address="192.0.2.8")) == (Endpoint("192.0.2.8", 443),)
    assert Overrides().port(Target("a.test", 8443)) == 8443
