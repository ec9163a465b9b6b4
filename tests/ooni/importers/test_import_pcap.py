"""Captures: handshakes out of packets in any order, with holes and doubles, over every kind of link."""

import gzip
import random
import ssl
import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from import_support import (
    CLIENT,
    DATA,
    EC,
    RSA,
    SERVER,
    Wire,
    fixture,
    imported,
    ip_packet,
    pcap,
    read,
    real_handshake,
)

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Alert, Hello
from kzmitm.model.target import Endpoint
from kzmitm.netio import packet_files
from kzmitm.netio.packet_files import CaptureError
from kzmitm.ooni.capture import connections, stream
from kzmitm.ooni.capture.keylog import MAX_SECRETS, parse_keylog
from kzmitm.ooni.capture.server import ServerSide
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importers import pcap as importer
from kzmitm.ooni.importing import Nothing, Problem, Reading, Unknown
from kzmitm.wire.flow12 import RETRY_RANDOM
from kzmitm.wire.segment import ACK, SYN
from kzmitm.wire.session import Findings

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
NO_KEY = "the certificates are encrypted, and no key of theirs is there"
RESUMED = "an earlier session goes on, in which no certificates are sent"


def handshakes(records):
    return [record.measurement.tls[0] for record in imported(records)]


def test_a_real_capture():
    records = read(fixture("handshakes.pcap"), keylog=fixture("handshakes.keys"))
    name = "www.example.org"
    assert [
        (o.sni, str(o.endpoint), o.version, o.presented_chain, o.failure) for o in handshakes(records)
    ] == [
        (name, "127.0.0.1:18443", "TLSv1.2", RSA, None),
        (name, "127.0.0.1:18443", "TLSv1.3", EC, None),
        ("v6.example.org", "[::1]:18444", "TLSv1.2", RSA, None),
        (name, "127.0.0.1:18445", "", (), Failure.SSL_FAILED_HANDSHAKE),
        (None, "127.0.0.1:18443", "TLSv1.2", EC, None),
    ]
    assert [each for each in records if isinstance(each, Nothing)] == [
        Nothing("file:19", RESUMED),
        Nothing("file:50", NO_KEY),
    ]
    assert len(records) == 7
    refused = handshakes(records)[3]
    assert refused.alerts == (Alert(2, 70),)
    assert refused.detail == "alert 70 (protocol_version)"
    first = imported(records)[0]
    assert first.line == 4
    assert first.measurement.tls[0].hello.size == 164
    assert first.measurement.started_at.isoformat() == "2026-11-26T04:28:28.809368+00:00"
    assert imported(records)[-1].measurement.target.hostname == "127.0.0.1"
    assert Unknown.WHOLE_CHAIN not in first.cannot_know


def test_without_the_key_log_tls13_shows_no_certificates():
    records = read(fixture("handshakes.pcap"))
    assert [each.why for each in records if isinstance(each, Nothing)] == [RESUMED, NO_KEY, NO_KEY]


def test_pcapng():
    records = read(fixture("handshakes.pcapng"), keylog=fixture("handshakes.keys"))
    assert [o.presented_chain for o in handshakes(records)] == [RSA, EC]
    same = read(fixture("handshakes.pcap"), keylog=fixture("handshakes.keys"))
    assert imported(records)[0].measurement.started_at == imported(same)[0].measurement.started_at


@pytest.fixture(scope="session")
def flights(identity, tmp_path_factory):
    """Handshakes of OpenSSL with itself: name -> (flights, key log)."""
    found = {}
    for name, version in (("1.2", TLS12), ("1.3", TLS13)):
        log = tmp_path_factory.mktemp("keys") / "keys"
        found[name] = real_handshake(version=version, keylog=log, folder=identity), log.read_bytes()
    return found


@pytest.fixture(scope="session")
def leaf(identity):
    return ssl.PEM_cert_to_DER_cert((identity / "leaf.pem").read_text())


def conversation(found, size=200):
    wire = Wire().opened()
    for from_client, octets in found:
        wire.data(from_client, octets, size)
    return wire


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("how", ["in order", "doubled", "backwards", "shuffled", "overlapping", "one by one"])
def test_segments_in_any_order(flights, leaf, version, how):
    found, keylog = flights[version]
    packets = conversation(found, 40 if how == "one by one" else 200).segments
    head, rest = packets[:3], packets[3:]
    if how == "doubled":
        rest = [each for each in rest for _ in range(2)]
    elif how == "backwards":
        rest = rest[::-1]
    elif how == "shuffled":
        random.Random(7).shuffle(rest)
    elif how == "overlapping":
        rest = [
            b._replace(seq=(b.seq - 10) % 2**32, payload=a.payload[-10:] + b.payload)
            if a.source == b.source and len(a.payload) >= 10
            else b
            for a, b in zip([rest[0], *rest], rest, strict=False)
        ]
    (record,) = read(pcap(head + rest), keylog=keylog)
    (handshake,) = record.measurement.tls
    assert handshake.presented_chain == (leaf,)
    assert (handshake.version, handshake.failure) == (f"TLSv{version}", None)
    assert handshake.endpoint == Endpoint(*SERVER)
    assert CLIENT[0] not in repr(record)
    assert Unknown.WHOLE_CHAIN not in record.cannot_know


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_lost_segment_never_makes_another_chain(flights, leaf, data):
    version = data.draw(st.sampled_from(["1.2", "1.3"]))
    found, keylog = flights[version]
    packets = conversation(found, data.draw(st.integers(50, 400))).segments
    lost = data.draw(st.integers(3, len(packets) - 1))
    kept = packets[:lost] + packets[lost + 1 :]
    order = data.draw(st.permutations(range(3, len(kept))))
    shown = read(pcap(kept[:3] + [kept[i] for i in order]), keylog=keylog)
    for handshake in handshakes(shown):
        assert handshake.presented_chain in ((), (leaf,))
        assert handshake.failure is None


def server_flight(found):
    """The first flight of the server."""
    return next(octets for from_client, octets in found if not from_client)


def hello_of(found):
    return found[0][1]


def test_what_broke_off_is_kept_as_far_as_it_went(flights):
    long = pcap_of_two_certificates()
    (record,) = read(pcap(long.segments[:-1]))
    (handshake,) = record.measurement.tls
    assert handshake.presented_chain == (RSA[0],)
    assert handshake.chain_truncated
    assert handshake.detail == "the capture holds no end of it"
    assert Unknown.WHOLE_CHAIN in record.cannot_know
    (record,) = read(pcap(long.closed().segments[:-2] + long.segments[-1:]))
    assert record.measurement.tls[0].detail == "segments are missing in the capture"
    assert record.measurement.tls[0].failure is None


def record_of(kind, body):
    return bytes((kind, 3, 3)) + len(body).to_bytes(2, "big") + body


def message(kind, body):
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


def vec(body, width):
    return len(body).to_bytes(width, "big") + body


def client_hello(sni=b"www.example.org", extensions=None):
    names = b"" if sni is None else struct.pack(">HHHBH", 0, len(sni) + 5, len(sni) + 3, 0, len(sni)) + sni
    block = names if extensions is None else extensions
    body = b"\x03\x03" + b"R" * 32 + b"\x00" + vec(b"\xc0\x2f", 2) + b"\x01\x00" + vec(block, 2)
    return record_of(22, message(1, body))


def server_hello(version=0x0303, suite=0xC02F, extensions=b"", randomness=b"S" * 32):
    block = extensions
    if version == 0x0304:
        block += struct.pack(">HHH", 43, 2, version)
    body = (
        b"\x03\x03" + randomness + b"\x00" + struct.pack(">HB", suite, 0) + (vec(block, 2) if block else b"")
    )
    return record_of(22, message(2, body))


def certificates(chain):
    return message(11, vec(b"".join(vec(der, 3) for der in chain), 3))


def pcap_of_two_certificates():
    wire = Wire().opened().data(1, client_hello())
    flight = server_hello() + record_of(22, certificates(RSA))
    wire.data(0, flight[:-300]).data(0, flight[-300:])
    return wire


def one(*server: bytes, sni=b"www.example.org", hello=None, after=lambda wire: wire, **more):
    wire = Wire().opened().data(1, client_hello(sni) if hello is None else hello)
    for octets in server:
        wire.data(0, octets)
    return read(pcap(after(wire).segments), **more)


@pytest.mark.parametrize(
    ("after", "failure", "detail"),
    [
        (lambda w: w.reset(), Failure.CONNECTION_RESET, "the server's side ended it"),
        (lambda w: w.closed(), Failure.EOF, "the server's side ended it"),
        (lambda w: w.reset(from_client=True), None, "the capture holds no end of it"),
        (lambda w: w.closed(from_client=True), None, "the capture holds no end of it"),
        (lambda w: w, None, "the capture holds no end of it"),
    ],
)
def test_how_a_handshake_without_an_answer_ends(after, failure, detail):
    (record,) = one(after=after)
    (handshake,) = record.measurement.tls
    assert (handshake.failure, handshake.detail, handshake.presented_chain) == (failure, detail, ())
    assert (Unknown.WHOLE_CHAIN in record.cannot_know) is (failure is None)


def test_silence_is_a_timeout_only_if_the_capture_goes_on():
    silent = Wire().opened().data(1, client_hello())
    later = Wire(client=("192.0.2.1", 40001), t=silent.t + connections.SILENCE_S + 1).add(1, SYN)
    (record,) = read(pcap(silent.segments + later.segments))
    assert record.measurement.tls[0].failure == Failure.GENERIC_TIMEOUT


def test_the_chain_stays_when_the_end_is_bad():
    flight = server_hello() + record_of(22, certificates(RSA))
    (record,) = one(flight, after=lambda w: w.reset())
    (handshake,) = record.measurement.tls
    assert (handshake.presented_chain, handshake.failure) == (RSA, Failure.CONNECTION_RESET)
    (record,) = one(flight, after=lambda w: w.data(1, record_of(21, b"\x02\x30")).reset())
    (handshake,) = record.measurement.tls
    assert (handshake.failure, handshake.alerts) == (None, (Alert(2, 48, sent=True),))
    assert handshake.detail == "the client gave up"
    for noise in (b"GET / HTTP/1.1\r\n", record_of(21, b"\x02")):
        (record,) = one(flight, after=lambda w, noise=noise: w.data(1, noise).reset())
        assert record.measurement.tls[0].alerts == ()


@pytest.mark.parametrize(
    ("server", "failure", "detail"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", Failure.SSL_FAILED_HANDSHAKE, "what came is not TLS"),
        (record_of(21, b"\x02\x70"), Failure.SSL_INVALID_HOSTNAME, "alert 112 (unrecognized_name)"),
        (record_of(21, b"\x01\x00"), Failure.EOF, "alert 0 (close_notify)"),
        (record_of(21, b"\x02"), Failure.SSL_FAILED_HANDSHAKE, "an alert is not of two octets"),
        (b"\x16\x03\x03\xff\xff", Failure.SSL_FAILED_HANDSHAKE, "a record is too long"),
        (record_of(22, b"\x02\xff\xff\xff"), Failure.SSL_FAILED_HANDSHAKE, "a handshake message of 16777215"),
        (record_of(22, message(2, b"")), Failure.SSL_FAILED_HANDSHAKE, "a number is cut off"),
        (record_of(23, b"x"), None, ""),
    ],
)
def test_what_servers_say_instead(server, failure, detail):
    (record,) = one(server)
    (handshake,) = record.measurement.tls
    assert handshake.failure == failure
    assert handshake.detail.startswith(detail)


def test_first_octets_are_kept_where_it_is_not_tls():
    (record,) = one(b"HTTP/1.1 400 Bad Request\r\n")
    assert record.measurement.tls[0].first_bytes == b"HTTP/1.1 400 Bad Request\r\n"


def test_a_warning_changes_nothing():
    flight = (
        record_of(21, b"\x01\x70")
        + server_hello()
        + record_of(22, certificates(RSA))
        + record_of(20, b"\x01")
    )
    (record,) = one(flight)
    assert record.measurement.tls[0].presented_chain == RSA
    assert record.measurement.tls[0].failure is None


def test_alpn_and_extensions_of_the_server():
    alpn = struct.pack(">HHHB", 16, 5, 3, 2) + b"h2"
    (record,) = one(server_hello(extensions=alpn) + record_of(22, certificates(RSA)))
    assert (record.measurement.tls[0].alpn, record.measurement.tls[0].server_extensions) == ("h2", (16,))


def test_tls13_with_a_pre_shared_key_shows_nothing():
    assert one(server_hello(0x0304, 0x1301, struct.pack(">HHH", 41, 2, 0))) == [Nothing("file:4", RESUMED)]


def test_a_wrong_key_log(flights):
    found, _ = flights["1.3"]
    hello = hello_of(found)
    log = b"SERVER_HANDSHAKE_TRAFFIC_SECRET " + hello[11:43].hex().encode() + b" " + b"00" * 48 + b"\n"
    (nothing,) = read(pcap(conversation(found).segments), keylog=log)
    assert nothing.why == "the key log has another key than the one in use"


def test_key_logs():
    line = b"SERVER_HANDSHAKE_TRAFFIC_SECRET " + b"ab" * 32 + b" " + b"cd" * 32
    assert parse_keylog(b"# x\r\n" + line + b"\r\nCLIENT_RANDOM x\n" + line[:-1]) == {
        b"\xab" * 32: b"\xcd" * 32
    }
    assert MAX_SECRETS > 1


def test_key_logs_are_bounded(monkeypatch):
    monkeypatch.setattr("kzmitm.ooni.capture.keylog.MAX_SECRETS", 2)
    lines = [b"SERVER_HANDSHAKE_TRAFFIC_SECRET %064x %s" % (i, b"cd" * 48) for i in range(5)]
    assert len(parse_keylog(b"\n".join(lines))) == 2


def compressed(body, algorithm=1, length=None):
    packed = zlib.compress(body)
    length = len(body) if length is None else length
    return message(25, struct.pack(">H", algorithm) + length.to_bytes(3, "big") + vec(packed, 3))


@pytest.mark.parametrize(
    ("sent", "chain", "failure", "detail"),
    [
        (compressed(b"\x00" + vec(vec(RSA[0], 3) + b"\x00\x00", 3)), (RSA[0],), None, ""),
        (
            compressed(b"x", 2),
            None,
            None,
            "the certificates are packed in a way that is not read (algorithm 2)",
        ),
        (
            compressed(b"x", length=3),
            (),
            "ssl_failed_handshake",
            "compressed certificates have another length",
        ),
        (
            message(25, b"\x00\x01\x00\x00\x05" + vec(b"nozip", 3)),
            (),
            "ssl_failed_handshake",
            "compressed certificates do not unpack",
        ),
    ],
)
def test_compressed_certificates(sent, chain, failure, detail):
    """RFC 8879; read by the server's side alone, as no peer here speaks it."""
    findings = Findings("a", Hello("", ""))
    side = ServerSide(findings, b"", {})
    side.feed(record_of(22, sent))
    assert side.hides_chain is (chain is None)
    assert tuple(findings.chain) == (chain or ())
    assert findings.failure == failure
    assert findings.detail.startswith(detail)


def test_a_retry_of_the_hello_is_passed_over():
    retry = server_hello(0x0304, 0x1301, randomness=RETRY_RANDOM)
    (record,) = one(retry + server_hello() + record_of(22, certificates(RSA)))
    assert (record.measurement.tls[0].version, record.measurement.tls[0].presented_chain) == ("TLSv1.2", RSA)


@pytest.mark.parametrize(
    ("hello", "sni"),
    [
        (client_hello(None), None),
        (client_hello(extensions=b"\x00\x00\x00\x02\x00\x00"), None),
        (client_hello(extensions=b"\x00\x00\x00\x07\x00\x05\x01\x00\x02xx"), None),
        (client_hello(b"\xff\x1b.example.org"), "\\xff\x1b.example.org"),
    ],
)
def test_odd_hellos(hello, sni):
    found = one(server_hello() + record_of(22, certificates(RSA)), hello=hello)
    if sni is None:
        (record,) = found
        assert record.measurement.tls[0].sni is None
        assert record.measurement.target.hostname == SERVER[0]
    else:
        assert found == [Problem("file:4", f"server_name: not a host name: {sni!r}")]


def test_hellos_without_extensions_are_read():
    body = b"\x03\x03" + b"R" * 32 + b"\x00" + vec(b"\xc0\x2f", 2) + b"\x01\x00"
    (record,) = one(server_hello() + record_of(22, certificates(RSA)), hello=record_of(22, message(1, body)))
    assert record.measurement.tls[0].presented_chain == RSA


@pytest.mark.parametrize(
    "hello",
    [
        record_of(22, message(1, b"\x03\x03short")),
        b"\x16\x03\x01\xff\xff\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
    ],
)
def test_what_is_no_hello_is_no_handshake(hello):
    assert one(server_hello(), hello=hello) == []


def test_a_server_that_is_seen_before_its_client():
    wire = pcap_of_two_certificates()
    late = wire.segments[3]
    order = [*wire.segments[:3], *wire.segments[4:], late]
    (record,) = read(pcap(order))
    assert record.measurement.tls[0].presented_chain == RSA


def test_ports_that_are_used_again():
    first = pcap_of_two_certificates()
    second = Wire(isn=5000, t=first.t).opened().data(1, client_hello(b"other.example"))
    second.data(0, server_hello() + record_of(22, certificates(EC)) + record_of(20, b"\x01"))
    third = Wire(isn=9000, t=second.t).opened().data(1, client_hello(b"third.example"))
    third.data(0, server_hello() + record_of(22, certificates(EC)))
    records = read(pcap(first.segments + second.segments + second.segments[-1:] + third.segments))
    assert [o.sni for o in handshakes(records)] == ["www.example.org", "other.example", "third.example"]


def test_connections_are_bounded(monkeypatch):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    found = []
    for i in range(8):
        wire = Wire(client=("192.0.2.1", 40000 + i), t=1.8e9 + i).opened().data(1, client_hello())
        found += wire.segments
    records = read(pcap(found))
    assert len(imported(records)) == 8
    monkeypatch.setattr(connections, "MAX_OCTETS", 2000)
    wire = (
        Wire()
        .opened()
        .data(1, client_hello())
        .data(0, server_hello() + record_of(22, b"\x0b\x01\x00\x00" + bytes(9000)))
    )
    (record,) = read(pcap(wire.segments))
    assert record.measurement.tls[0].presented_chain == ()


def test_what_waits_behind_a_gap_is_bounded(monkeypatch):
    monkeypatch.setattr(stream, "MAX_WAITING", 1000)
    line = stream.Stream()
    line.begin(0)
    assert line.take(10, b"x" * 600) == b""
    assert line.take(10, b"x" * 300) == b""
    assert line.has_gap
    assert line.take(700, b"x" * 600) == b""
    assert line.is_lost
    assert not line.has_gap
    assert line.take(0, b"x" * 10) == b""


def test_a_capture_that_begins_in_the_middle():
    wire = pcap_of_two_certificates()
    (record,) = read(pcap(wire.segments[3:]))
    assert record.measurement.tls[0].presented_chain == RSA
    assert read(pcap(wire.segments[2:3])) == []
    assert read(pcap(wire.segments[4:])) == []


# -- files and links

ETHERNET = bytes(12)


@pytest.mark.parametrize(
    ("linktype", "wrap"),
    [
        (101, lambda ip: ip),
        (228, lambda ip: ip),
        (1, lambda ip: ETHERNET + b"\x08\x00" + ip),
        (1, lambda ip: ETHERNET + b"\x81\x00\x00\x05\x08\x00" + ip),
        (1, lambda ip: ETHERNET + b"\x88\xa8\x00\x05\x81\x00\x00\x05\x08\x00" + ip + bytes(7)),
        (1, lambda ip: ETHERNET + b"\x88\x64" + bytes(6) + b"\x00\x21" + ip),
        (0, lambda ip: b"\x02\x00\x00\x00" + ip),
        (108, lambda ip: b"\x00\x00\x00\x02" + ip),
        (113, lambda ip: bytes(14) + b"\x08\x00" + ip),
        (276, lambda ip: bytes(20) + ip),
    ],
)
def test_links(linktype, wrap):
    file = pcap(pcap_of_two_certificates().segments, linktype=linktype, wrap=wrap)
    assert [o.presented_chain for o in handshakes(read(file))] == [RSA]


@pytest.mark.parametrize(
    "packet",
    [
        ETHERNET + b"\x08\x06" + bytes(40),
        ETHERNET + b"\x88\x64" + bytes(6) + b"\xc0\x21" + bytes(40),
        ETHERNET + b"\x08\x00" + b"\x45",
        ETHERNET + b"\x08\x00" + b"\x45" + bytes(8) + b"\x11" + bytes(30),
        ETHERNET + b"\x08\x00" + b"\x45" + bytes(5) + b"\x20\x00\x40\x06" + bytes(30),
        ETHERNET + b"\x08\x00" + b"\x45" + bytes(8) + b"\x06" + bytes(12),
        ETHERNET + b"\x86\xdd" + b"\x60" + bytes(5) + b"\x11" + bytes(40),
        ETHERNET + b"\x86\xdd" + b"\x60" + bytes(30),
        ETHERNET + b"\x86\xdd" + b"\x50" + bytes(60),
    ],
)
def test_packets_without_tcp_are_passed_over(packet):
    file = pcap(pcap_of_two_certificates().segments, linktype=1, wrap=lambda _: packet)
    assert read(file) == []


@pytest.mark.parametrize(("magic", "order"), [(0xA1B2C3D4, ">"), (0xA1B23C4D, "<"), (0xA1B23C4D, ">")])
def test_magics(magic, order):
    file = pcap(pcap_of_two_certificates().segments, magic=magic, order=order)
    (record,) = read(file)
    assert record.measurement.started_at.timestamp() == pytest.approx(1.8e9 + 0.04, abs=1e-3)


def test_ipv6_with_extension_headers():
    wire = Wire(client=("2001:db8::1", 40000), server=("2001:db8::7", 443)).opened()
    wire.data(1, client_hello()).data(0, server_hello() + record_of(22, certificates(RSA)))

    def extended(ip):
        options = bytes((6, 0)) + bytes(6)
        size = (len(ip) - 40 + 8).to_bytes(2, "big")
        return ip[:4] + size + b"\x00" + ip[7:40] + options + ip[40:]

    for wrap in (lambda ip: ip, extended):
        (record,) = read(pcap(wire.segments, wrap=wrap))
        assert record.measurement.tls[0].endpoint == Endpoint("2001:db8::7", 443)
    jumbo = read(pcap(wire.segments, wrap=lambda ip: ip[:4] + b"\x00\x00" + ip[6:]))
    assert len(imported(jumbo)) == 1


def test_packets_that_were_not_captured_whole():
    segment = pcap_of_two_certificates().segments[3]
    packet = ip_packet(segment)
    found = packet_files.read_segment(packet[:60], 1, 0.0)
    assert (len(found.payload), found.missing) == (20, len(segment.payload) - 20)
    (record,) = read(pcap(pcap_of_two_certificates().segments, snap=800))
    assert record.measurement.tls[0].presented_chain in ((), RSA[:1])
    assert Unknown.WHOLE_CHAIN in record.cannot_know


def test_links_that_are_not_understood():
    file = pcap(pcap_of_two_certificates().segments, linktype=105)
    assert read(file) == [Problem("file", "packets of link type 105 are not understood")]


@pytest.mark.parametrize("size", [2, 10, 24, 30, 100, 3000])
def test_captures_that_are_cut_off(size):
    file = pcap(pcap_of_two_certificates().segments)[:size]
    assert all(not isinstance(each, Exception) for each in read(file, "pcap"))


@pytest.mark.parametrize("name", ["handshakes.pcap", "handshakes.pcapng"])
@pytest.mark.untraced
def test_a_capture_that_breaks_off_says_so(name):
    """What was cut off may have been the handshake that somebody looks for."""
    file = fixture(name)
    cuts = {size: read(file[:size], "pcap") for size in range(len(file) - 300, len(file))}
    told = {size: [each.why for each in found if isinstance(each, Problem)] for size, found in cuts.items()}
    silent = [size for size, why in told.items() if why != ["the file is cut off"]]
    assert len(silent) <= 8, silent  # between two packets nobody can tell
    assert not any(why for size, why in told.items() if size in silent)
    assert not any(isinstance(each, Problem) for each in read(file, "pcap"))


def test_a_capture_whose_rest_is_none_says_so():
    file = fixture("handshakes.pcapng")
    records = read(file + struct.pack("<II", 6, 0) + file)
    assert [each for each in records if isinstance(each, Problem)]
    assert imported(records) == imported(read(file))


def test_a_block_that_says_to_be_huge():
    file = fixture("handshakes.pcapng")
    section = struct.unpack_from("<I", file, 4)[0]
    interface = struct.unpack_from("<I", file, section + 4)[0]
    block = struct.pack("<II", 6, 1 << 30)
    assert read(file[: section + interface] + block) == [Problem("file", "a block of 1073741812 octets")]


def test_a_time_that_no_handshake_has():
    wire = pcap_of_two_certificates()
    early = [each._replace(t=each.t - 1.8e9) for each in wire.segments]
    assert read(pcap(early)) == [Problem("file:4", "the packet's time: no handshake is of the year 1970")]


def test_without_scapy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scapy.utils", None)
    (problem,) = read(fixture("handshakes.pcap"))
    assert problem.why == "scapy is not installed (pip install 'kzmitm[raw]')"


def test_without_a_reader_of_captures():
    with (DATA / "handshakes.pcap").open("rb") as file:
        source = Source(file, "x")
        assert list(importer.read(source, Reading())) == [Problem("x", "no reader of captures is there")]


def test_capture_errors_are_value_errors():
    assert issubclass(CaptureError, ValueError)


def test_packed_captures_that_are_cut_off():
    packed = gzip.compress(fixture("handshakes.pcap"))
    *records, problem = read(packed[:-3000])
    assert problem == Problem("file", "the file is cut off")
    assert imported(records)


def test_a_syn_that_comes_twice_opens_once():
    wire = pcap_of_two_certificates()
    (record,) = read(pcap([wire.segments[0], *wire.segments]))
    assert record.measurement.tls[0].presented_chain == RSA
    assert wire.segments[2].flags == ACK


def test_messages_in_many_records():
    message_of_chain = certificates(RSA)
    records = b"".join(
        record_of(22, message_of_chain[at : at + 100]) for at in range(0, len(message_of_chain), 100)
    )
    hello = client_hello()[5:]
    split = record_of(22, hello[:30]) + record_of(22, hello[30:])
    (record,) = one(server_hello() + records, hello=split)
    assert record.measurement.tls[0].presented_chain == RSA
