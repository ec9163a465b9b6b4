"""Both engines against the same real servers: they must tell the same."""

import contextlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from wire_support import NAME, await_listener, listening_port, need, pump

from kzmitm.wire.client import TLSClient
from kzmitm.wire.openssl import OpenSSLClient
from kzmitm.wire.profiles import PROFILES

COMPARED = (
    "version",
    "cipher_suite",
    "alpn",
    "presented_chain",
    "chain_truncated",
    "failure",
    "client_certificate_requested",
    "ocsp_staple",
)


def _told(port: int, *, profile: str = "small", sni: str | None = NAME) -> tuple:
    """What both engines tell, as (ours, theirs, our observation)."""
    told = []
    for engine in (TLSClient, OpenSSLClient):
        seen = pump(engine(sni=sni, profile=PROFILES[profile]), port)
        told.append((seen, {field: getattr(seen, field) for field in COMPARED}))
    (ours, our_fields), (_, their_fields) = told
    assert our_fields == their_fields
    return ours


@contextlib.contextmanager
def s_server(identity, *options: str):
    """The port of an `openssl s_server`."""
    command = [need("openssl"), "s_server", "-accept", "127.0.0.1:0", "-key", identity.key_file]
    command += (
        ["-cert", identity.chain_file, "-cert_chain", identity.chain_file]
        if len(identity.chain) > 1
        else ["-cert", identity.chain_file]
    )
    if "-cipher" not in options:
        command += ["-cipher", "ALL:@SECLEVEL=0"]
    with subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            for line in process.stdout:
                if line.startswith(b"ACCEPT"):
                    yield int(line.rsplit(b":", 1)[1])
                    break
            else:
                pytest.fail("the server did not start")
        finally:
            process.kill()


V12, V11, V10 = "-tls1_2", "-tls1_1", "-tls1"

ANSWERED = {
    "13-rsa": ("rsa", (), "TLSv1.3", 0x0804),
    "13-rsapss": ("rsapss", (), "TLSv1.3", 0x0809),
    "13-p256": ("p256", (), "TLSv1.3", 0x0403),
    "13-p384": ("p384", (), "TLSv1.3", 0x0503),
    "13-p521": ("p521", (), "TLSv1.3", 0x0603),
    "13-ed25519": ("ed25519", (), "TLSv1.3", 0x0807),
    "13-ed448": ("ed448", (), "TLSv1.3", 0x0808),
    "13-aes128": ("p256", ("-ciphersuites", "TLS_AES_128_GCM_SHA256"), "TLSv1.3", 0x0403),
    "13-aes256": ("p256", ("-ciphersuites", "TLS_AES_256_GCM_SHA384"), "TLSv1.3", 0x0403),
    "13-chacha": ("p256", ("-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"), "TLSv1.3", 0x0403),
    "13-retry-p256": ("rsa", ("-groups", "P-256"), "TLSv1.3", 0x0804),
    "13-retry-p384": ("rsa", ("-groups", "P-384"), "TLSv1.3", 0x0804),
    "13-retry-p521-aes256": (
        "rsa",
        ("-groups", "P-521", "-ciphersuites", "TLS_AES_256_GCM_SHA384"),
        "TLSv1.3",
        0x0804,
    ),
    "13-client-certificate": ("rsa", ("-Verify", "1"), "TLSv1.3", 0x0804),
    "13-long-chain": ("long", (), "TLSv1.3", 0x0403),
    "13-small-records": ("long", ("-max_send_frag", "512"), "TLSv1.3", 0x0403),
    "13-alpn": ("rsa", ("-alpn", "http/1.1"), "TLSv1.3", 0x0804),
    "12-ecdhe-gcm": ("rsa", (V12, "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), "TLSv1.2", 0x0804),
    "12-ecdhe-gcm256": ("p256", (V12, "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"), "TLSv1.2", 0x0403),
    "12-ecdhe-chacha": ("rsa", (V12, "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"), "TLSv1.2", 0x0804),
    "12-ecdhe-cbc": ("rsa", (V12, "-cipher", "ECDHE-RSA-AES256-SHA384"), "TLSv1.2", 0x0804),
    "12-dhe": ("rsa", (V12, "-cipher", "DHE-RSA-AES256-GCM-SHA384"), "TLSv1.2", 0x0804),
    "12-rsa": ("rsa", (V12, "-cipher", "AES128-GCM-SHA256"), "TLSv1.2", None),
    "12-rsa-cbc": ("rsa", (V12, "-cipher", "AES256-SHA:@SECLEVEL=0"), "TLSv1.2", None),
    "12-rsapss": ("rsapss", (V12,), "TLSv1.2", 0x0809),
    "12-ed25519": ("ed25519", (V12,), "TLSv1.2", 0x0807),
    "12-pkcs1": ("rsa", (V12, "-sigalgs", "RSA+SHA256"), "TLSv1.2", 0x0401),
    "12-sha1": ("rsa", (V12, "-sigalgs", "RSA+SHA1"), "TLSv1.2", 0x0201),
    "12-p384-group": ("p256", (V12, "-groups", "P-384"), "TLSv1.2", 0x0403),
    "12-client-certificate": ("rsa", (V12, "-Verify", "1"), "TLSv1.2", 0x0804),
    "12-rsa-client-certificate": (
        "rsa",
        (V12, "-Verify", "1", "-cipher", "AES128-SHA:@SECLEVEL=0"),
        "TLSv1.2",
        None,
    ),
    "12-long-chain": ("long", (V12, "-alpn", "h2"), "TLSv1.2", 0x0403),
    "12-small-records": ("long", (V12, "-max_send_frag", "512"), "TLSv1.2", 0x0403),
    "11-rsa": ("rsa", (V11,), "TLSv1.1", 0xFF01),
    "11-p256": ("p256", (V11,), "TLSv1.1", 0x0203),
    "10-rsa": ("rsa", (V10,), "TLSv1", 0xFF01),
    "10-dhe": ("rsa", (V10, "-cipher", "DHE-RSA-AES128-SHA:@SECLEVEL=0"), "TLSv1", 0xFF01),
    "10-static": ("rsa", (V10, "-cipher", "AES128-SHA:@SECLEVEL=0"), "TLSv1", None),
    "10-client-certificate": ("p256", (V10, "-Verify", "1"), "TLSv1", 0x0203),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_same_answer(identity, case):
    kind, options, version, scheme = ANSWERED[case]
    who = identity(kind)
    with s_server(who, *options) as port:
        ours = _told(port)
    assert ours.failure is None
    assert ours.detail == ""
    assert ours.version == version
    # -cert_chain sends its whole file behind the leaf.
    assert ours.presented_chain == (who.chain if len(who.chain) == 1 else who.chain[:1] + who.chain)
    assert (ours.proof and ours.proof.scheme) == scheme
    assert ours.proof is None or ours.proof.verified is True
    assert ours.client_certificate_requested is ("-Verify" in options)


@pytest.mark.parametrize("version", [(), (V12,)], ids=["13", "12"])
def test_same_staple(identity, tmp_path, version):
    response = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    staple = response.public_bytes(Encoding.DER)
    (tmp_path / "staple").write_bytes(staple)
    with s_server(identity("rsa"), "-status_file", str(tmp_path / "staple"), *version) as port:
        ours = _told(port)
    assert ours.ocsp_staple == staple


@pytest.mark.parametrize("profile", PROFILES)
def test_same_for_every_profile(identity, profile):
    with s_server(identity("rsa"), "-serverpref") as port:
        ours = _told(port, profile=profile)
    assert ours.failure is None


REFUSED = {
    "no-protocol-in-common": ("rsa", ("-alpn", "xyz"), "small", "ssl_failed_handshake", 120),
    "no-suite-in-common": (
        "rsa",
        (V12, "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        "small",
        "ssl_failed_handshake",
        40,
    ),
    "no-version-in-common": ("rsa", (V12,), "legacy", "ssl_failed_handshake", 70),
}


@pytest.mark.parametrize("case", REFUSED)
def test_same_refusal(identity, case):
    kind, options, profile, failure, alert = REFUSED[case]
    with s_server(identity(kind), *options) as port:
        ours = _told(port, profile=profile)
    assert ours.failure == failure
    assert [a.description for a in ours.alerts] == [alert]


def test_same_for_an_unknown_name(identity):
    who = identity("rsa")
    second = ("-cert2", who.chain_file, "-key2", who.key_file)
    with s_server(who, "-servername", "other.test", "-servername_fatal", *second) as port:
        ours = _told(port)
        assert _told(port, sni="other.test").failure is None
    assert ours.failure == "ssl_invalid_hostname"
    assert ours.alerts[-1].description == 112


NGINX = """
daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0; ssl_prefer_server_ciphers on;
  ssl_certificate {rsa.chain_file}; ssl_certificate_key {rsa.key_file};
  server {{ listen 127.0.0.1:{port} ssl default_server; ssl_reject_handshake on; }}
  server {{ listen 127.0.0.1:{port} ssl http2; server_name both.test;
    ssl_certificate {rsa.chain_file}; ssl_certificate_key {rsa.key_file};
    ssl_certificate {p256.chain_file}; ssl_certificate_key {p256.key_file}; }}
  server {{ listen 127.0.0.1:{port} ssl; server_name asks.test;
    ssl_verify_client on; ssl_client_certificate {long.chain_file}; }}
  server {{ listen 127.0.0.1:{port} ssl; server_name old.test; }}
  server {{ listen 127.0.0.1:{plain}; }}
}}
"""


@pytest.fixture(scope="module")
def nginx(identity, tmp_path_factory):
    """(TLS port, plain port) of a running nginx."""
    folder: Path = tmp_path_factory.mktemp("nginx")
    port, plain = listening_port(), listening_port()
    names = {kind: identity(kind) for kind in ("rsa", "p256", "long")}
    (folder / "nginx.conf").write_text(NGINX.format(port=port, plain=plain, **names))
    command = [need("nginx"), "-p", folder, "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            await_listener(port, process)
            yield port, plain
        finally:
            process.terminate()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("sni", ["both.test", "BOTH.test", "asks.test", "old.test"])
def test_nginx_tells_both_the_same(nginx, profile, sni):
    ours = _told(nginx[0], profile=profile, sni=sni)
    assert ours.failure is None
    assert ours.presented_chain
    assert ours.client_certificate_requested is (sni == "asks.test")
    assert ours.alpn == ("" if profile in ("legacy", "tls11") else "h2") or sni not in (
        "both.test",
        "BOTH.test",
    )


@pytest.mark.parametrize("sni", ["unknown.test", None])
def test_nginx_refuses_both_the_same(nginx, sni):
    ours = _told(nginx[0], sni=sni)
    assert ours.failure == "ssl_invalid_hostname"
    assert ours.presented_chain == ()


def test_nginx_answers_both_in_plain_http(nginx):
    ours = _told(nginx[1])
    assert ours.failure == "ssl_failed_handshake"
    assert ours.first_bytes.startswith(b"HTTP/1.1 400 ")
