import functools
import json
import os
import pty
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from jsonschema import Draft202012Validator

from kzmitm.cli import clock
from kzmitm.cli.main import main
from kzmitm.evidence.schema import schema_names, schema_text


@functools.cache
def validator(name):
    return Draft202012Validator(json.loads(schema_text(name)))


def as_its_schema_says(document):
    """The document, if it is what the schema of its name says."""
    name = str(document.get("schema", "")).removeprefix("kzmitm.").partition("/")[0]
    if name in schema_names():
        validator(name).validate(document)
    return document


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one document on stdout, held to its schema."""
        return as_its_schema_says(json.loads(self.out))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of our own, so that no test sees the consent or the results of whoever runs it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("KZMITM_HOME", str(folder))
    for name in ("NO_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def kzmitm(capsys):
    """Run the command in this process: `kzmitm("show", folder)`."""

    def run(*words: object):
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def process():
    """Run the command as a process of its own, through pipes: what a script sees, in octets.

    `within` are words before the command.
    """

    def run(*words: object, within=(), **environment):
        done = subprocess.run(
            [*within, sys.executable, "-m", "kzmitm", *map(str, words)],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def terminal():
    """Run the command on a pseudo-terminal and type `typed`; what a person sees, in octets."""

    def run(*words: object, typed="", **environment):
        controller, terminal = pty.openpty()
        seen = bytearray()

        def watch():
            try:
                while chunk := os.read(controller, 4096):
                    seen.extend(chunk)
            except OSError:
                pass  # how Linux says that nobody has the terminal open any more

        child = subprocess.Popen(
            [sys.executable, "-m", "kzmitm", *map(str, words)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )
        os.close(terminal)
        watcher = threading.Thread(target=watch)
        watcher.start()
        os.write(controller, typed.encode())
        code = child.wait(timeout=60)
        watcher.join(timeout=10)
        os.close(controller)
        return code, bytes(seen).decode().replace("\r\n", "\n")

    return run


@pytest.fixture(scope="session")
def certificates():
    """The folder of real certificates beside a development checkout."""
    folder = Path(__file__).parents[3] / "shared" / "certs"
    if not folder.is_dir():
        pytest.skip("the real certificates (../shared/certs) are not here")
    return folder


@pytest.fixture
def genuine(authority):
    """An authority that a test's scan trusts."""
    return authority("Test Root")


@pytest.fixture
def forger(authority):
    """One that it does not."""
    return authority("Odd Root")


class Authority:
    """A certificate authority of a test, and the sites it signs for."""

    def __init__(self, name, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "KZ"), _common_name(name)])
        self.certificate = self._sign(self.name, self.key.public_key(), is_ca=True)
        self.pem = folder / f"ca-{self.certificate.serial_number}.pem"
        self.pem.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def site(self, hostname, common_name=None):
        """A file with key, leaf and authority for `hostname`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([_common_name(common_name or hostname)])
        leaf = self._sign(subject, key.public_key(), hostname=hostname)
        path = self.folder / f"{leaf.serial_number}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (leaf, self.certificate))
        )
        return path

    def overlay(self, kind="state_interception"):
        """A registry overlay that knows this authority."""
        sha256 = self.certificate.fingerprint(hashes.SHA256()).hex()
        folder = self.folder / f"overlay-{kind}" / "authorities"
        folder.mkdir(parents=True)
        (folder / "test-ca.toml").write_text(
            f'id = "test-ca"\nkind = "{kind}"\ncountry = "KZ"\n'
            '[names]\nen = "The Test Authority"\n'
            f'[[certificates]]\nrole = "root"\nsha256 = "{sha256}"\n'
        )
        return folder.parent

    def _sign(self, subject, key, *, hostname=None, is_ca=False):
        now = clock.now()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if hostname:
            names = x509.SubjectAlternativeName([x509.DNSName(hostname)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())


def _common_name(text):
    return x509.NameAttribute(NameOID.COMMON_NAME, text, _validate=False)


@pytest.fixture
def authority(tmp_path):
    (tmp_path / "pki").mkdir()
    return lambda name: Authority(name, tmp_path / "pki")


@pytest.fixture
def serve():
    """Serve TLS on loopback from a PEM file: `serve(pem)` is the port. Without one, accept in silence.

    `by_name` is a callback of SSLContext, which sees the name that is asked for.
    """
    sockets = []

    def answer(listener, context):
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            sockets.append(connection)
            if context is not None:
                threading.Thread(target=shake, args=(connection, context), daemon=True).start()

    def shake(connection, context):
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)
        except OSError:
            pass  # the scanner leaves once it has seen the chain

    def start(pem=None, by_name=None):
        context = None
        if pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            context.sni_callback = by_name
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)
        threading.Thread(target=answer, args=(listener, context), daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for each in sockets:
        # Closing alone does not wake a thread that waits in accept.
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
