import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.errors import UsageError
from kzmitm.netio.vantage import open_vantage


def test_direct():
    link = open_vantage("direct:", asn="AS9198", cc="KZ")
    assert link.is_direct
    assert link.resolves_names
    assert (link.vantage.id, link.vantage.asn, link.vantage.cc) == ("direct", "AS9198", "KZ")


@pytest.mark.parametrize(
    ("uri", "kind", "name", "resolves"),
    [
        ("socks5://127.0.0.1:1080", "socks5", "socks5", True),
        ("socks5h://127.0.0.1", "socks5h", "socks5h", False),
        ("SOCKS5H://user:se%40cret@proxy.example:9050#tor", "socks5h", "tor", False),
        ("http://user:secret@[::1]:3128/#office", "http", "office", False),
    ],
)
def test_proxies(uri, kind, name, resolves):
    link = open_vantage(uri)
    assert not link.is_direct
    assert link.resolves_names is resolves
    assert (link.vantage.kind, link.vantage.id) == (kind, name)
    for secret in ("user", "secret", "cret", "proxy.example", "127.0.0.1"):
        assert secret not in repr(link)


def test_credentials_are_decoded():
    address = open_vantage("socks5://us%3Aer:pa%40ss@h.example#x".replace("%3A", "")).address
    assert (address.username, address.password, address.port) == ("user", "pa@ss", 1080)


BAD = [
    "",
    "direct:x",
    "interface:nosuchif0",
    "ftp://h",
    "socks5://",
    "socks5://:1080",
    "socks5://h:0",
    "socks5://h:99999",
    "socks5://h:x",
    "socks5://secret:@h",
    "socks5://:secret@h",
    "http://us%3Aer:secret@h",
    "http://h/path",
    "http://h?q",
    "socks5://us%C3%BCr:secret@h",
    "socks5://u%00:secret@h",
    "socks5://u:" + "secret" * 50 + "@h",
    "socks5://a b:1",
    "http://[::1",
    "socks5://user:secret@h#a b",
    "http://secret\n@h",
    "\x1b[31m://secret@h",
]


@pytest.mark.parametrize("uri", BAD, ids=repr)
def test_bad_uris_are_refused_in_one_line_without_their_secrets(uri):
    with pytest.raises(UsageError) as info:
        open_vantage(uri)
    message = f"{info.value} {info.value.hint}"
    assert "\n" not in message
    assert "\x1b" not in message
    assert "secret" not in message
    assert info.value.hint


@given(st.sampled_from(["socks5", "socks5h", "http"]), st.text())
def test_any_text_is_read_or_refused(scheme, text):
    with contextlib.suppress(UsageError):
        assert text not in repr(open_vantage(f"{scheme}://{text}")) or len(text) < 8
