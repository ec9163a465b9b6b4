"""Whom we ask for archives, and how an answer can end that is none."""

import asyncio
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ooni_services import Service, serving

sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))
from tsa_support import StampingAuthority

from kzmitm import __version__
from kzmitm.cli.sources import pinned_pem
from kzmitm.errors import UsageError
from kzmitm.netio import web
from kzmitm.netio.patience import ServiceError, TransientError

PEM = pinned_pem()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Saying(Service):
    def __init__(self, respond):
        super().__init__()
        self.respond = lambda handler, *_words: respond(handler)


def asked(url, *, max_octets=1000, root_pem=PEM):
    async def ask():
        async with web.new_client(root_pem, connections=1) as client:
            now = lambda: datetime(2026, 1, 1, tzinfo=UTC)  # noqa: E731
            return await web.ask(client, client.build_request("GET", url), max_octets=max_octets, now=now)

    return asyncio.run(ask())


def test_who_asks_is_told_and_no_compression_is_asked_for():
    with serving(Saying(lambda handler: handler.reply(b"all"))) as service:
        answer = asked(service.url)
        [(_path, _query, headers)] = service.requests
    assert (answer.status, answer.body) == (200, b"all")
    told = dict(headers)
    assert told.pop("user-agent") == f"kzmitm/{__version__}"
    assert told.pop("accept-encoding") == "identity"
    assert set(told) == {"host", "accept", "connection"}


@pytest.mark.parametrize("status", sorted(web.PASSING))
def test_what_may_pass(status):
    service = Saying(lambda handler: handler.reply(b"x" * 5000, status=status, retry_after="9"))
    with serving(service), pytest.raises(TransientError, match=f"HTTP status {status}") as caught:
        asked(service.url)
    assert caught.value.asked_s == 9


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 403, 404])
def test_no_redirect_is_followed_and_other_statuses_are_answers(status):
    with serving(Saying(lambda handler: handler.reply(b"", status=status, location="/x"))) as service:
        assert asked(service.url).status == status
        assert len(service.requests) == 1


def test_an_answer_of_a_hundred_megabytes():
    service = Saying(lambda handler: handler.pour(b"x" * 100_000, 1000))
    with serving(service), pytest.raises(ServiceError, match="longer than 0 KiB") as caught:
        asked(service.url)
    assert not isinstance(caught.value, TransientError)


def test_compression_is_no_way_round_the_limit():
    service = Saying(lambda handler: handler.reply(b"x", content_encoding="gzip"))
    with serving(service), pytest.raises(ServiceError, match="compressed"):
        asked(service.url)


def test_a_cut_connection_may_pass():
    with serving(Saying(lambda handler: handler.cut())) as service, pytest.raises(TransientError):
        asked(service.url)
    with pytest.raises(TransientError, match="connection_refused"):
        asked(service.url)


def test_a_cut_answer_may_pass():
    def half(handler):
        handler.reply(b"half", length=100)
        handler.cut()

    with serving(Saying(half)) as service, pytest.raises(TransientError):
        asked(service.url)


def test_an_answer_that_drips_ends(monkeypatch):
    monkeypatch.setattr(web, "ANSWER_S", 0.2)

    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.service.over.wait(0.02):
            handler.wfile.write(b"\0")

    with serving(Saying(drip)) as service, pytest.raises(TransientError, match="no whole answer"):
        asked(service.url)


def test_a_certificate_that_is_not_genuine_is_not_tried_again(tmp_path):
    StampingAuthority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tsa.pem", tmp_path / "tsa.key")
    with serving(Saying(lambda handler: handler.reply(b"x"))) as service:
        service.server.socket = context.wrap_socket(service.server.socket, server_side=True)
        with pytest.raises(ServiceError, match="its certificate is not genuine") as caught:
            asked(service.url.replace("http:", "https:"))
    assert not isinstance(caught.value, TransientError)
    assert "intercepting" in caught.value.hint


def test_a_certificate_of_the_roots_given_is_believed(tmp_path):
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=x",
        "-days",
        "1",
    ]
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key", "-out", tmp_path / "pem"]
    subprocess.run(["openssl", *words, *files], capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    with serving(Saying(lambda handler: handler.reply(b"x"))) as service:
        service.server.socket = context.wrap_socket(service.server.socket, server_side=True)
        port = service.server.server_port
        root = (tmp_path / "pem").read_text()
        assert asked(f"https://localhost:{port}/", root_pem=root).body == b"x"
        with pytest.raises(ServiceError, match="not genuine"):  # for another name
            asked(f"https://127.0.0.1:{port}/", root_pem=root)


def test_the_proxy_of_the_environment_is_used(monkeypatch):
    with serving(Saying(lambda handler: handler.reply(b"by proxy"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert asked("http://archive.example/x").body == b"by proxy"


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:1", "socks5://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_not_passed_by(monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    with serving(Saying(lambda handler: handler.reply(b"x"))) as service:
        with pytest.raises(UsageError, match="proxy"):
            asked(service.url)
        assert not service.requests


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.ooni.io", "https://api.ooni.io"),
        ("https://api.ooni.io/", "https://api.ooni.io"),
        ("https://mirror.example:8443/ooni/", "https://mirror.example:8443/ooni"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://localhost:1", "http://localhost:1"),
    ],
)
def test_the_address_of_a_service(url, base):
    assert web.parse_service(url, option="--api") == base


@pytest.mark.parametrize(
    "url",
    [
        "", "api.ooni.io", "ftp://127.0.0.1/", "file:///etc/passwd", "https://", "https://u:p@h/",
        "https://h/?a=b", "https://h/#a", "https://h:0/", "https://h:99999/", "https://h/a b", "https://h/\n",
        "https://\u0430pi.ooni.io/", "http://api.ooni.io/", "http://127.0.0.1.example/", "http://10.0.0.1/",
    ],
)  # fmt: skip
def test_what_is_none(url):
    with pytest.raises(UsageError, match=r"^--api: "):
        web.parse_service(url, option="--api")
