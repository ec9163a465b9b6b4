"""The server of the soak: a certificate of its own for every connection, told of in a log before it is shown.

    python bench/soak_site.py FOLDER PORT

FOLDER holds `root.pem` and `root.key`, and `cut`, a share of the connections to break (read anew for each).
`site.log` gets a line a connection: what it was asked for, the serial number of the certificate that it was
shown ("" for none), and what was done with it. Killed at any moment, it has shown nothing that is not told.
"""

import json
import os
import re
import secrets
import socket
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import SystemRandom

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

NAME = re.compile(rb"[a-z0-9-]+\.soak\.test")
VALID = timedelta(days=30)
HELLO_S, SILENCE_S = 10, 8
LIFE_S = 30
CHANCE = SystemRandom()


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def built(name: str, serial: int, key: ec.EllipticCurvePublicKey, *, is_ca: bool) -> x509.CertificateBuilder:
    present = datetime.now(UTC)  # noqa: TID251 - a program of its own
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("Soak Root"))
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(present - VALID)
        .not_valid_after(present + VALID)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if is_ca:
        return builder
    return builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)


def make_root(folder: Path) -> None:
    """Write the authority of a soak."""
    key = ec.generate_private_key(ec.SECP256R1())
    root = built("Soak Root", 1, key.public_key(), is_ca=True).sign(key, hashes.SHA256())
    (folder / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (folder / "root.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


class Site:
    """Answers connections, each in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        loaded = serialization.load_pem_private_key((folder / "root.key").read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._authority = loaded
        self._root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._log = os.open(folder / "site.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def answer(self, link: socket.socket) -> None:
        with link, suppress(OSError, SSL.Error):
            link.settimeout(HELLO_S)
            found = None
            while found is None:
                seen = link.recv(4096, socket.MSG_PEEK)
                if not seen:
                    self._tell("", "", "nothing said")
                    return
                found = NAME.search(seen)
            name = found[0].decode()
            if CHANCE.random() < float((self._folder / "cut").read_text() or 0):
                self._break(link, name)
            else:
                self._shake(link, name)

    def _tell(self, name: str, serial: str, done: str) -> None:
        line = json.dumps({"sni": name, "serial": serial, "done": done})
        os.write(self._log, line.encode() + b"\n")  # one call: lines of threads never mix

    def _break(self, link: socket.socket, name: str) -> None:
        how = CHANCE.choice(("reset", "closed", "alert", "silence"))
        self._tell(name, "", how)
        if how == "reset":
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif how == "alert":
            link.recv(4096)
            link.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
        elif how == "silence":
            link.settimeout(SILENCE_S)
            while link.recv(4096):
                pass

    def _shake(self, link: socket.socket, name: str) -> None:
        serial = secrets.randbits(120) | 1
        leaf = built(name, serial, self._key.public_key(), is_ca=False).sign(self._authority, hashes.SHA256())
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(leaf)
        context.add_extra_chain_cert(self._root)
        context.use_privatekey(self._key)
        self._tell(name, f"{serial:x}", "shown")
        link.settimeout(None)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, LIFE_S.to_bytes(8, sys.byteorder) + bytes(8))
        shaken = SSL.Connection(context, link)
        shaken.set_accept_state()
        shaken.do_handshake()
        shaken.recv(1)


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    site = Site(folder)
    with socket.create_server(("", port), backlog=1024) as listener:  # all of 127.0.0.0/8
        while True:
            link, _peer = listener.accept()
            threading.Thread(target=site.answer, args=(link,), daemon=True).start()


if __name__ == "__main__":
    main()
