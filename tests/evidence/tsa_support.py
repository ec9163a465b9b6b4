"""A real authority for timestamps: `openssl ts -reply` with a chain of three, behind HTTP on loopback."""

import hashlib
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kzmitm.pki import der

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2090, 1, 1, tzinfo=UTC)
REPLY = "application/timestamp-reply"
ROOT_NAME = "Stamp Root, whose long name makes what it issues long"
"""DER wants the shorter certificate first, and OpenSSL does not sort: it must be the signer's."""

CONFIG = """[tsa]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@dataclass
class Party:
    """A certificate with its key, and what it has issued."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self):
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def party(name, issuer=None, *, is_ca=True, begin=BEGIN, end=END, is_rsa=False, key=None):
    """A certificate of `issuer`, or a self-signed one; without `is_ca` it may sign timestamps only."""
    if key is None:
        key = rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above = issuer or Party(subject, key, None)
    builder = (
        x509.CertificateBuilder(
            above.name, subject, key.public_key(), x509.random_serial_number(), begin, end
        )
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not is_ca:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return Party(subject, key, builder.sign(above.key, hashes.SHA256()))


@dataclass
class StampingAuthority:
    """Root, intermediate and signer in a folder; `chain` is what the signer puts into its tokens."""

    folder: Path
    begin: datetime = BEGIN
    end: datetime = END
    is_self_signed: bool = False
    is_rsa: bool = False
    is_for_stamps: bool = True
    root: Party = field(init=False)
    signer: Party = field(init=False)

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        how = {"begin": self.begin, "end": self.end, "is_rsa": self.is_rsa}
        if self.is_self_signed:
            self.root = self.signer = party("Lone Stamper", is_ca=False, **how)
            chain = []
        else:
            self.root = party(ROOT_NAME)
            between = party("Stamp Intermediate", self.root)
            self.signer = party("Stamp Signer", between, is_ca=not self.is_for_stamps, **how)
            chain = [between]
        # The root stays out: nothing but what a token needs, so that each of its octets counts.
        self._write("root.pem", self.root.pem)
        self._write("tsa.pem", self.signer.pem)
        self._write("tsa.key", self.signer.key_pem)
        config = CONFIG.format(folder=self.folder)
        if chain:
            self._write("chain.pem", b"".join(each.pem for each in chain))
            config += f"certs = {self.folder}/chain.pem\n"
        self._write("serial", b"01\n")
        self._write("openssl.cnf", config.encode())

    def _write(self, name, content):
        (self.folder / name).write_bytes(content)

    def reply(self, query):
        """The TimeStampResp to a TimeStampReq."""
        self._write("query", query)
        config = ("-config", "openssl.cnf", "-section", "tsa")
        return self._openssl("ts", "-reply", "-queryfile", "query", *config)

    def reply_in_the_past(self, stamped, at, *, others=()):
        """The TimeStampResp of a day gone by, written YYYYMMDDHHMMSSZ: `openssl ts` knows only today.

        `others` sign it too: (name of a file, party).
        """
        imprint = tlv(0x30, SHA256, tlv(0x04, hashlib.sha256(stamped).digest()))
        info = (INTEGER_1, bytes.fromhex("06042a030401"), imprint, INTEGER_1, tlv(0x18, at.encode()))
        self._write("tst", tlv(0x30, *info))
        content = ("-in", "tst", "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-binary", "-nodetach")
        signer = ("-signer", "tsa.pem", "-inkey", "tsa.key", "-certfile", "chain.pem", "-md", "sha256")
        for name, other in others:
            self._write(name, other.pem + other.key_pem)
            signer += ("-signer", name)
        token = self._openssl("cms", "-sign", "-outform", "DER", "-nosmimecap", "-cades", *content, *signer)
        return tlv(0x30, bytes.fromhex("3003020100"), token)

    def query(self, stamped, *options: str):
        """A TimeStampReq by openssl."""
        self._write("stamped", stamped)
        return self._openssl("ts", "-query", "-data", "stamped", "-cert", *options)

    def openssl_verifies(self, response, stamped, *options: str):
        """What the command that we tell people says."""
        self._write("response", response)
        self._write("stamped", stamped)
        words = ("-verify", "-in", "response", "-data", "stamped", "-CAfile", "root.pem", *options)
        done = subprocess.run(
            ["openssl", "ts", *words], cwd=self.folder, capture_output=True, check=False, timeout=30
        )
        return done.returncode == 0 and b"Verification: OK" in done.stdout

    def _openssl(self, *words: str):
        done = subprocess.run(
            ["openssl", *words], cwd=self.folder, capture_output=True, check=True, timeout=30
        )
        return done.stdout


INTEGER_1 = bytes.fromhex("020101")
SHA256 = bytes.fromhex("300d06096086480165030402010500")


def tlv(tag, *parts: bytes):
    """An element in DER."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def certificate_set(response):
    """Where the certificates of a response lie: (start, end) of each, in their order."""
    pos, end = der.whole(response, der.SEQUENCE)
    pos = der.expect(response, pos, end, der.SEQUENCE)[1]
    pos, end = der.expect(response, pos, end, der.SEQUENCE)
    pos = der.read_oid(response, pos, end)[1]
    pos, end = der.expect(response, *der.expect(response, pos, end, 0xA0), der.SEQUENCE)
    certificates = next(e for e in der.elements(response, pos, end) if e[0] == 0xA0)
    return [(start, stop) for _, start, _, stop in der.elements(response, *certificates[2:])]


def with_certificates_turned_round(response):
    """The same response with its certificates in the wrong order (X.690, 11.6)."""
    places = certificate_set(response)
    turned = b"".join(response[slice(*place)] for place in reversed(places))
    return response[: places[0][0]] + turned + response[places[-1][1] :]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, dict(self.headers.items()), body))
        self.server.answer(self, body)

    def log_message(self, *words: object):
        pass

    def reply(self, body, *, status=200, kind=REPLY, **headers):
        """Send an answer."""
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # clients that have seen enough leave


@contextmanager
def serving(answer):
    """An HTTP server on loopback; `answer(handler, body)`. Gives the server, with `url` and `requests`."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.answer, server.requests, server.over = answer, [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/tsa"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
