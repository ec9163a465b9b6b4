"""The one request to a time-stamping authority: what goes out, and how every bad answer ends."""

import socket
import ssl
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))
from tsa_support import StampingAuthority, serving

from kzmitm.errors import KzmitmError, UsageError
from kzmitm.evidence.timestamps import accept_response, request_for
from kzmitm.evidence.token_check import TokenStatus
from kzmitm.netio.timestamping import MAX_RESPONSE, AuthorityError, fetch_token, parse_authority

QUERY = b"\x30\x00query"
SOON = 10.0
"""Seconds that no test waits."""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def complaint(url, *, timeout_s=SOON):
    with pytest.raises(AuthorityError) as caught:
        fetch_token(url, QUERY, timeout_s=timeout_s)
    assert isinstance(caught.value, KzmitmError)
    assert caught.value.hint
    text = str(caught.value)
    assert text.startswith("127.0.0.1: ")
    assert "\n" not in text
    return text.removeprefix("127.0.0.1: ")


def test_a_real_authority_stamps(tmp_path):
    authority = StampingAuthority(tmp_path)
    request = request_for(b"signature", lambda count: b"\x07" * count)
    with serving(lambda handler, body: handler.reply(authority.reply(body))) as server:
        token = fetch_token(server.url, request.der, timeout_s=SOON)
    assert accept_response(request, token, b"signature", [authority.root.der]).status is TokenStatus.VALID


def test_nothing_is_told_but_the_request():
    with serving(lambda handler, _body: handler.reply(b"token")) as server:
        assert fetch_token(server.url + "?a=b", QUERY, timeout_s=SOON) == b"token"
        [(path, headers, body)] = server.requests
    assert (path, body) == ("/tsa?a=b", QUERY)
    assert {name.lower(): value for name, value in headers.items()} == {
        "host": f"127.0.0.1:{server.server_port}",
        "accept": "application/timestamp-reply",
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/timestamp-query",
        "content-length": str(len(QUERY)),
    }


def test_the_content_type_may_have_parameters():
    kind = "Application/Timestamp-Reply; charset=binary"
    with serving(lambda handler, _body: handler.reply(b"token", kind=kind)) as server:
        assert fetch_token(server.url, QUERY, timeout_s=SOON) == b"token"


@pytest.mark.parametrize("status", [204, 400, 401, 404, 500, 503])
def test_another_status(status):
    with serving(lambda handler, _body: handler.reply(b"", status=status)) as server:
        assert complaint(server.url) == f"it answers with HTTP status {status}"


@pytest.mark.parametrize(
    "kind", ["text/html", "application/timestamp-query", "", "application/timestamp-replyx"]
)
def test_another_content_type(kind):
    with serving(lambda handler, _body: handler.reply(b"<html>", kind=kind)) as server:
        assert complaint(server.url).startswith("its answer is no timestamp, but ")


def test_compression_is_no_way_round_the_limit():
    with serving(lambda handler, _body: handler.reply(b"token", content_encoding="gzip")) as server:
        assert complaint(server.url).startswith("its answer is no timestamp")


def test_an_empty_answer():
    with serving(lambda handler, _body: handler.reply(b"")) as server:
        assert complaint(server.url) == "its answer is empty"


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:9/", "ftp://127.0.0.1/", "file:///etc/passwd", "/there"]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status, location):
    with serving(lambda handler, _body: handler.reply(b"", status=status, location=location)) as server:
        assert complaint(server.url) == f"it sends us on to {location}"
        assert len(server.requests) == 1


def test_as_much_as_may_be_is_read():
    with serving(lambda handler, _body: handler.reply(bytes(MAX_RESPONSE))) as server:
        assert fetch_token(server.url, QUERY, timeout_s=SOON) == bytes(MAX_RESPONSE)
    with serving(lambda handler, _body: handler.reply(bytes(MAX_RESPONSE + 1))) as server:
        assert complaint(server.url) == "its answer is longer than 64 KiB"


def test_an_endless_answer():
    def pour(handler, body):
        handler.send_response(200)
        handler.send_header("content-type", "application/timestamp-reply")
        handler.end_headers()
        while not handler.server.over.is_set():
            handler.wfile.write(bytes(4096))

    with serving(pour) as server:
        assert complaint(server.url) == "its answer is longer than 64 KiB"


def test_silence():
    with serving(lambda handler, _body: handler.server.over.wait(SOON)) as server:
        started = time.monotonic()
        assert complaint(server.url, timeout_s=0.1) in (
            "no timestamp within 0.1 s",
            "generic_timeout_error",
        )
        assert time.monotonic() - started < SOON / 2


def test_an_answer_that_drips():
    """Each octet comes in time; all of them never do."""

    def drip(handler, body):
        handler.send_response(200)
        handler.send_header("content-type", "application/timestamp-reply")
        handler.end_headers()
        while not handler.server.over.wait(0.02):
            handler.wfile.write(b"\0")

    with serving(drip) as server:
        started = time.monotonic()
        assert complaint(server.url, timeout_s=0.2) == "no timestamp within 0.2 s"
        assert time.monotonic() - started < SOON / 2


def test_an_answer_that_breaks_off():
    def cut(handler, body):
        handler.send_response(200)
        handler.send_header("content-type", "application/timestamp-reply")
        handler.send_header("content-length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")

    with serving(cut) as server:
        assert complaint(server.url)


def test_no_http_at_all():
    with serving(lambda handler, _body: handler.wfile.write(b"220 mail.example ESMTP\r\n")) as server:
        assert complaint(server.url)


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert complaint(f"http://127.0.0.1:{port}/") == "connection_refused"


def test_a_name_that_does_not_resolve():
    with pytest.raises(AuthorityError, match=r"^tsa\.invalid: dns_"):
        fetch_token("http://tsa.invalid/", QUERY, timeout_s=SOON)


def test_tls_of_a_stranger_is_refused(tmp_path):
    authority = StampingAuthority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tsa.pem", tmp_path / "tsa.key")
    with serving(lambda handler, body: handler.reply(authority.reply(body))) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        assert complaint(server.url.replace("http:", "https:")) == "ssl_failed_handshake"
        assert not server.requests


def test_the_proxy_of_the_environment_is_used(monkeypatch):
    with serving(lambda handler, _body: handler.reply(b"token")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert fetch_token("http://tsa.example/stamp", QUERY, timeout_s=SOON) == b"token"
        [(path, _headers, body)] = proxy.requests
    assert (path, body) == ("http://tsa.example/stamp", QUERY)


def test_a_proxy_that_cannot_be_used_is_not_passed_by(monkeypatch):
    with serving(lambda handler, _body: handler.reply(b"token")) as server:
        monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
        assert complaint(server.url)
        assert not server.requests


@pytest.mark.parametrize(
    "url",
    [
        "", "tsa.example", "ftp://tsa.example/", "file:///etc/passwd", "http://", "http://:80/",
        "http://user:secret@tsa.example/", "http://tsa.example:99999/", "http://tsa.example:0/",
        "http://[::1/", "http://tsa.example/a b", "http://tsa.example/\n", "http://tsa.ex\u0430mple/",
    ],
)  # fmt: skip
def test_what_is_no_authority(url):
    with pytest.raises(UsageError, match="not the address of a time-stamping authority"):
        fetch_token(url, QUERY, timeout_s=SOON)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://TSA.example:318/x?y", "tsa.example"),
        ("https://[::1]:8/", "::1"),
        ("http://1.2.3.4", "1.2.3.4"),
    ],
)
def test_the_host_of_an_authority(url, host):
    assert parse_authority(url) == host
