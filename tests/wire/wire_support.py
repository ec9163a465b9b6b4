"""Identities to serve with, and a blocking pump."""

import datetime as dt
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from kzmitm.model.observation import Role, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.wire.driver import HandshakeDriver

NAME = "www.example.test"


@dataclass(frozen=True)
class Identity:
    """A key with its chain, in memory and as files."""

    kind: str
    key: object
    chain: tuple[bytes, ...]
    key_file: Path
    chain_file: Path


def _certificate(key, *, subject=NAME, issuer=NAME, signer=None):
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def name(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    signer = signer or key
    algorithm = (
        None if isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(signer, algorithm)
    )


_KEYS: dict[str, Callable[[], object]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "dsa": lambda: dsa.generate_private_key(1024),  # noqa: S505 - as old servers have
}


def _write(folder: Path, kind: str, key, certificates) -> Identity:
    key_file, chain_file = folder / f"{kind}.key", folder / f"{kind}.pem"
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    chain_file.write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in certificates))
    return Identity(
        kind, key, tuple(c.public_bytes(Encoding.DER) for c in certificates), key_file, chain_file
    )


def make_identity(kind: str, folder: Path) -> Identity:
    """An identity of a kind of key: those of `_KEYS`, `rsapss`, or `long` for a chain of sixty."""
    if kind == "long":
        ca = ec.generate_private_key(ec.SECP256R1())
        key = ec.generate_private_key(ec.SECP256R1())
        chain = [_certificate(key, issuer="authority", signer=ca)]
        chain += [_certificate(ca, subject="authority", issuer="authority") for _ in range(59)]
        return _write(folder, kind, key, chain)
    if kind == "rsapss":
        return _rsa_pss(folder)
    key = _KEYS[kind]()
    return _write(folder, kind, key, [_certificate(key)])


def _rsa_pss(folder: Path) -> Identity:
    """A key of the OID id-RSASSA-PSS, which only the command line makes."""
    key_file, chain_file = folder / "rsapss.key", folder / "rsapss.pem"
    subprocess.run(
        [
            need("openssl"),
            "req",
            "-x509",
            "-newkey",
            "rsa-pss",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-nodes",
            "-keyout",
            key_file,
            "-out",
            chain_file,
            "-subj",
            f"/CN={NAME}",
            "-days",
            "3650",
        ],
        check=True,
        capture_output=True,
    )
    der = x509.load_pem_x509_certificate(chain_file.read_bytes()).public_bytes(Encoding.DER)
    key = load_pem_private_key(key_file.read_bytes(), None)
    return Identity("rsapss", key, (der,), key_file, chain_file)


def observe(driver: HandshakeDriver, port: int = 443, **keywords) -> TLSObservation:
    """What the driver has come to."""
    return driver.observation(
        endpoint=Endpoint("127.0.0.1", port), role=Role.FIRST, t0=0.0, t=1.0, transaction_id=1, **keywords
    )


def pump(driver: HandshakeDriver, port: int) -> TLSObservation:
    """Run a driver against a loopback port until it is done."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for segment in driver.start():
            link.sendall(segment)
        while not driver.done:
            try:
                data = link.recv(65536)
            except ConnectionResetError:
                driver.fail("connection_reset", 1.0)
                break
            if data:
                reply = driver.receive(data, 1.0)
                try:
                    link.sendall(reply)
                except (ConnectionResetError, BrokenPipeError):
                    driver.fail("connection_reset", 1.0)
            else:
                driver.receive_eof(1.0)
    return observe(driver, port)


def listening_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_listener(port: int, process) -> None:
    """Return when something accepts on the port."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            continue
        return
    raise RuntimeError(f"the server ended: {process.returncode}")


def need(program: str) -> str:
    """The path of a program; skips the test with a reason if there is none."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path
