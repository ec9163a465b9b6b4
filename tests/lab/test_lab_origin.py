"""The origins answer as web servers do: by name, in both versions of HTTP, and whatever comes."""

import socket
import ssl
from collections.abc import Iterator

import httpx
import pytest
from cryptography import x509

from kzmitm.cli.clock import now
from kzmitm.lab.loopback.laboratory import Lab
from kzmitm.lab.loopback.page import respond
from kzmitm.lab.products import Products


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(now=now(), products=Products({})).running() as lab:
        yield lab


def context(lab: Lab) -> ssl.SSLContext:
    trusting = ssl.create_default_context(cadata=lab.public_ca.store_pem.decode())
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    return trusting


@pytest.mark.parametrize("http2", [True, False], ids=["h2", "http1"])
def test_page_names_the_site(lab: Lab, http2: bool):  # noqa: FBT001
    endpoint = lab.origin("bank.lab.test")
    with httpx.Client(verify=context(lab), http1=not http2, http2=http2, trust_env=False) as client:
        answer = client.get(
            f"https://{endpoint}/",
            headers={"Host": "bank.lab.test"},
            extensions={"sni_hostname": "bank.lab.test"},
        )
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert "This is bank.lab.test" in answer.text


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("sni", ["social.lab.test", "NEWS.lab.test", "unknown.test", None])
def test_certificate_follows_the_name(lab: Lab, sni: str | None, version: ssl.TLSVersion):
    endpoint = lab.origin("bank.lab.test")
    trusting = context(lab)
    trusting.check_hostname = False
    trusting.minimum_version = trusting.maximum_version = version
    with (
        socket.create_connection((endpoint.ip, endpoint.port)) as sock,
        trusting.wrap_socket(sock, server_hostname=sni) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
        assert tls.selected_alpn_protocol() == "h2"
    assert der is not None
    shown = sni.lower() if sni in ("social.lab.test", "NEWS.lab.test") else "bank.lab.test"
    assert x509.load_der_x509_certificate(der).subject.rfc4514_string() == f"CN={shown}"


def test_garbage_ends_the_connection(lab: Lab):
    endpoint = lab.origin("bank.lab.test")
    with socket.create_connection((endpoint.ip, endpoint.port)) as sock:
        sock.sendall(b"\x16\x03\x01\x00\x05hello")
        received = b"".join(iter(lambda: sock.recv(4096), b""))
    assert received[:1] == b"\x15"  # an alert


def test_request_in_pieces_is_answered_when_it_is_whole():
    request = b"GET / HTTP/1.1\r\nHost: bank.lab.test\r\n\r\n"
    answers = [respond(request[:size], "bank.lab.test") for size in range(1, len(request) + 1)]
    assert not any(answers[:-1])
    assert answers[-1] is not None
    assert answers[-1].startswith(b"HTTP/1.1 200 OK\r\n")
