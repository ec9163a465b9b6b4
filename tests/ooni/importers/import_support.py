"""The files of other tools, a server of OpenSSL, and captures built from the octets of handshakes."""

import io
import shutil
import socket
import ssl
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kzmitm.netio import packet_files
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Imported, Reading, formats, recognised
from kzmitm.wire.segment import ACK, FIN, RST, SYN, Segment

DATA = Path(__file__).parent / "data"


def chain(name: str) -> tuple[bytes, ...]:
    certificates = x509.load_pem_x509_certificates((DATA / f"{name}-chain.pem").read_bytes())
    return tuple(each.public_bytes(Encoding.DER) for each in certificates)


RSA, EC = chain("rsa"), chain("ec")


def segments(source):
    return packet_files.segments(source.buffered())


def read(octets: bytes, name: str | None = None, **more):
    """All records of a file, its format told by its content unless it is named."""
    source = Source(io.BytesIO(octets), "file")
    if name is None:
        (name,) = recognised(source.head)
    return list(formats()[name].read(source, Reading(segments=segments, **more)))


def fixture(name: str) -> bytes:
    return (DATA / name).read_bytes()


def imported(records):
    return [record for record in records if isinstance(record, Imported)]


def need(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def make_identity(folder: Path) -> bytes:
    """Puts leaf.pem and key.pem for www.example.org into a folder; the leaf's DER."""
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=www.example.org", "-days", "30"]
    request += ["-addext", "subjectAltName=DNS:www.example.org"]
    request += ["-keyout", folder / "key.pem", "-out", folder / "leaf.pem"]
    subprocess.run([need("openssl"), *request], check=True, capture_output=True)
    return ssl.PEM_cert_to_DER_cert((folder / "leaf.pem").read_text())


@contextmanager
def openssl_server(folder: Path):
    """A server on loopback with a leaf and a certificate behind it; yields (port, the leaf's DER)."""
    leaf = make_identity(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-accept", f"127.0.0.1:{port}", "-key", folder / "key.pem", "-cert", folder / "leaf.pem"]
    server = subprocess.Popen(
        [need("openssl"), "s_server", *words, "-cert_chain", DATA / "ca.pem", "-www", "-quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except ConnectionRefusedError:
                continue
        yield port, leaf
    finally:
        server.terminate()
        server.wait()


CLIENT, SERVER = ("192.0.2.1", 40000), ("192.0.2.7", 443)


class Wire:
    """Builds the segments of one connection."""

    def __init__(self, client=CLIENT, server=SERVER, isn=0xFFFFFF00, t=1.8e9):
        self.segments = []
        self.ends = {1: client, 0: server}
        self.seq = {1: isn, 0: isn + 7777}
        self.t = t

    def add(self, from_client, flags, payload=b"", missing=0):
        """A segment of the client (1) or the server (0)."""
        self.t += 0.01
        seq = self.seq[from_client] & 0xFFFFFFFF
        self.segments.append(
            Segment(
                len(self.segments) + 1,
                self.t,
                self.ends[from_client],
                self.ends[not from_client],
                seq,
                flags,
                payload,
                missing,
            )
        )
        self.seq[from_client] += len(payload) + missing + bool(flags & SYN) + bool(flags & FIN)
        return self

    def opened(self):
        return self.add(1, SYN).add(0, SYN | ACK).add(1, ACK)

    def data(self, from_client, octets, size=1400):
        for at in range(0, len(octets), size):
            self.add(bool(from_client), ACK, octets[at : at + size])
        return self

    def reset(self, *, from_client=False):
        return self.add(bool(from_client), RST | ACK)

    def closed(self, *, from_client=False):
        return self.add(bool(from_client), FIN | ACK)


def pcap(found, *, linktype=101, magic=0xA1B2C3D4, order="<", wrap=lambda ip: ip, snap=1 << 18) -> bytes:
    """The file with these segments, one packet each."""
    out = [struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, snap, linktype)]
    nano = magic == 0xA1B23C4D
    for segment in found:
        packet = wrap(ip_packet(segment))
        kept = packet[:snap]
        fraction = int((segment.t % 1) * (1e9 if nano else 1e6))
        out.append(struct.pack(order + "IIII", int(segment.t), fraction, len(kept), len(packet)) + kept)
    return b"".join(out)


def ip_packet(segment) -> bytes:
    (source, sport), (target, dport) = segment.source, segment.target
    tcp = struct.pack(">HHIIBBHHH", sport, dport, segment.seq, 0, 5 << 4, segment.flags, 1024, 0, 0)
    body = tcp + segment.payload
    if ":" in source:
        addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
        return struct.pack(">IHBB", 6 << 28, len(body), 6, 64) + addresses + body
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 6, 0) + addresses + body


def real_handshake(*, version=ssl.TLSVersion.TLSv1_2, keylog=None, sni="www.example.org", folder=None):
    """The octets of a handshake of OpenSSL with itself, flight by flight: (from the client, octets)."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "leaf.pem", folder / "key.pem")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.minimum_version = client.maximum_version = version
    if keylog is not None:
        client.keylog_filename = str(keylog)
    ends = {}
    pipes = {True: (ssl.MemoryBIO(), ssl.MemoryBIO()), False: (ssl.MemoryBIO(), ssl.MemoryBIO())}
    ends[True] = client.wrap_bio(*pipes[True], server_hostname=sni)
    ends[False] = server.wrap_bio(*pipes[False], server_side=True)
    flights = []
    done = set()
    while len(done) < 2:
        for side in (True, False):
            try:
                ends[side].do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
            octets = pipes[side][1].read()
            if octets:
                flights.append((side, octets))
                pipes[not side][0].write(octets)
    return flights
