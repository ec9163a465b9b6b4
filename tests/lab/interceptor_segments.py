"""Packets for the tests of the interceptor, built the plain way."""

import socket
import ssl
from struct import pack

from kzmitm.lab.interceptor.packets import ACK, SYN, checksum

CLIENT, SERVER = socket.inet_aton("10.99.1.2"), socket.inet_aton("10.99.2.2")
CLIENT6, SERVER6 = (socket.inet_pton(socket.AF_INET6, ip) for ip in ("fd99:1::2", "fd99:2::2"))
PORT = 50_000

MSS, SACK, SCALE = b"\x02\x04\x05\xb4", b"\x04\x02", b"\x03\x03\x07"


def stamps(value, echo):
    return b"\x01\x01\x08\x0a" + pack("!II", value, echo)


def tcp(sport, dport, flags, sequence, acknowledged=0, payload=b"", options=b""):  # noqa: PLR0917 - in their order
    options += bytes(-len(options) % 4)
    length = 5 + len(options) // 4
    return (
        pack(
            "!HHIIBBHHH",
            sport,
            dport,
            sequence % 2**32,
            acknowledged % 2**32,
            length << 4,
            flags,
            500,
            0,
            0,
        )
        + options
        + payload
    )


def ip4(source, destination, body, *, options=b"", fragment=0, protocol=6):
    words = 5 + len(options) // 4
    head = pack("!BBHHHBBH", 0x40 | words, 0, words * 4 + len(body), 7, fragment, 64, protocol, 0)
    head += source + destination + options
    head = head[:10] + pack("!H", checksum(head)) + head[12:]
    return head + body


def ip6(source, destination, body, *, extensions=b"", kind=6):
    return (
        pack("!IHBB", 6 << 28, len(extensions) + len(body), kind, 64)
        + source
        + destination
        + extensions
        + body
    )


def from_client(flags, sequence, acknowledged=0, payload=b"", options=b"", port=PORT):
    return ip4(CLIENT, SERVER, tcp(port, 443, flags, sequence, acknowledged, payload, options))


def synack(sequence, acknowledged, options=b"", port=PORT):
    return ip4(SERVER, CLIENT, tcp(443, port, SYN | ACK, sequence, acknowledged, b"", options))


def hello_of(name, protocols=("h2", "http/1.1")):
    """A ClientHello of OpenSSL, in its record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError
