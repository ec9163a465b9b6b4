import asyncio
import contextlib
import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kzmitm.pki.registry import parse_registry
from kzmitm.pki.store import parse_store
from kzmitm.resources import fingerprint_files
from kzmitm.verdict.judge import Judge


def make_authority(name):
    """A CA: its certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = _draft(subject, subject, key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    return builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key


def make_leaf(folder, authority, hostnames):
    """Paths of a leaf with its chain, and of its key."""
    issuer, issuer_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostnames[0])])
    leaf = (
        _draft(subject, issuer.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in hostnames]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "leaf.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "leaf.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "leaf.pem", folder / "leaf.key"


def _draft(subject, issuer, public_key):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2025, 6, 1))  # noqa: DTZ001 - the builder's UTC
        .not_valid_after(dt.datetime(2026, 6, 1))  # noqa: DTZ001
    )


NAMES = ["a.test", *(f"host{i}.test" for i in range(20))]


@pytest.fixture(scope="session")
def public_authority():
    return make_authority("Public Test Root")


@pytest.fixture(scope="session")
def genuine(tmp_path_factory, public_authority):
    """A leaf that the pinned store of the tests trusts."""
    return make_leaf(tmp_path_factory.mktemp("genuine"), public_authority, NAMES)


@pytest.fixture(scope="session")
def forged(tmp_path_factory):
    """A leaf for the same names by nobody in particular."""
    return make_leaf(tmp_path_factory.mktemp("forged"), make_authority("Somebody"), NAMES)


@pytest.fixture(scope="session")
def registry():
    return parse_registry(fingerprint_files())


@pytest.fixture
def judge(registry, public_authority):
    pem = public_authority[0].public_bytes(serialization.Encoding.PEM)
    return Judge(registry=registry, store=parse_store(pem, name="tests", version="1", date="2026-01-01"))


@contextlib.asynccontextmanager
async def serving(certificate, *, answered=None, silent_after=None, host="127.0.0.1", port=0):
    """A TLS server that notes each SNI in `answered`, mute after `silent_after` connections; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if answered is not None:
        context.sni_callback = lambda _sock, name, _context: answered.append(name)
    count = 0
    tasks = set()

    async def handle(reader, writer):
        nonlocal count
        count += 1
        tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                if silent_after is None or count <= silent_after:
                    await writer.start_tls(context)
                while await reader.read(65536):
                    pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.001)


@pytest.fixture
def server():
    return serving
