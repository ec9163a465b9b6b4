"""Captures of real connections on loopback, read back by scapy; and who is let in, packet by packet."""

import asyncio
import contextlib
import os
import socket
import struct
import sys
import threading
import time
from datetime import UTC, datetime

import hostile
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nameservers import answering, doh_server, name_server
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.utils import PcapNgReader
from test_netio_proxies import connect_proxy, socks_proxy

from kzmitm.cli import clock, scan_options
from kzmitm.cli.parser import CommandParser
from kzmitm.errors import UsageError
from kzmitm.model.target import Endpoint
from kzmitm.netio import capture_flows, opened
from kzmitm.netio.capture import Capture
from kzmitm.netio.capture_flows import Flows, Seen, read_segment, without_padding
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.doh import DoHResolver
from kzmitm.netio.links._local import plain_socket
from kzmitm.netio.opened import Opened
from kzmitm.netio.pump import Limits, run_handshake
from kzmitm.netio.stubdns import StubResolver
from kzmitm.netio.vantage import open_vantage
from kzmitm.wire.client import TLSClient
from kzmitm.wire.profiles import PROFILES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SALT = bytes(range(16))
ALERT = hostile.record(21, b"\x02\x28")

needs_root = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="capturing packets needs root on Linux"
)


async def shake(port, *, host="127.0.0.1", uri="direct:", limits=Limits(2.0, 2.0, 2.0)):  # noqa: B008 - frozen
    driver = TLSClient(sni="a.test", profile=PROFILES["small"])
    return await run_handshake(
        open_vantage(uri), Endpoint(host, port), driver, stopwatch=start_stopwatch(NOW), limits=limits
    )


@contextlib.contextmanager
def capturing(**options):
    """A capture, and what it told of: ended when the test is."""
    capture = Capture.start(**options)
    told = []
    opened.listen(told.append)
    try:
        yield capture, told
    finally:
        opened.stop_listening(told.append)
        capture.close()


def read(data, tmp_path):
    """The packets of a file, as scapy sees them."""
    path = tmp_path / "read.pcapng"
    path.write_bytes(data)
    with PcapNgReader(str(path)) as reader:
        return list(reader)


def names(packet):
    """Both ends of a packet, the sender first."""
    return packet.src, packet[TCP].sport, packet.dst, packet[TCP].dport


def flags(packet):
    return str(packet[TCP].flags)


def ports_of(packets):
    return {frozenset((packet[TCP].sport, packet[TCP].dport)) for packet in packets}


def octets_sent(packets, source_port):
    """What one side sent, put together by sequence numbers."""
    sent = [p[TCP] for p in packets if p[TCP].sport == source_port]
    start = next(p.seq for p in sent if "S" in str(p.flags)) + 1
    stream = {}
    for segment in sent:
        stream[(segment.seq - start) % 2**32] = bytes(segment.payload)
    whole = b""
    for offset, octets in sorted(stream.items()):
        if octets:
            assert offset == len(whole)
            whole += octets
    return whole


def blocks(data):
    """Type and body of each block of a pcapng file."""
    found = []
    while data:
        kind, length = struct.unpack("<II", data[:8])
        assert struct.unpack("<I", data[length - 4 : length]) == (length,)
        found.append((kind, data[8 : length - 4]))
        data = data[length:]
    return found


def recording(heard):
    """A server that keeps what each client sends, by its port, and refuses the handshake."""

    async def behaviour(reader, writer):
        port = writer.get_extra_info("peername")[1]
        while octets := await reader.read(65536):
            heard[port] = heard.get(port, b"") + octets
            writer.write(ALERT)

    return behaviour


@needs_root
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_our_octets_and_no_others(tmp_path, host):
    """Another program's connections to the same server, before and during the capture, stay out."""
    heard = {}

    async def check():
        async with hostile.serving(recording(heard), host=host) as port:
            _, before = await asyncio.open_connection(host, port)
            with capturing() as (capture, told):
                before.write(b"not ours, began before")
                _, during = await asyncio.open_connection(host, port)
                during.write(b"not ours, began later")
                await shake(port, host=host)
                during.write(b"not ours")
                data = capture.stop(salt=SALT)
            for writer in (before, during):
                writer.close()
                await writer.wait_closed()
            return data, told, port

    data, told, port = asyncio.run(check())
    [ours] = told
    packets = read(data, tmp_path)
    assert ports_of(packets) == {frozenset((ours.local.port, port))}
    assert [flags(p) for p in packets[:3]] == ["S", "SA", "A"]
    assert octets_sent(packets, ours.local.port) == heard[ours.local.port]
    assert octets_sent(packets, port) == ALERT
    assert b"not ours" not in data
    assert all((IP if host == "127.0.0.1" else IPv6) in p for p in packets)


@contextlib.contextmanager
def another_thread_serving(clients):
    """A server of its own thread: it refuses the handshakes, and goes when the client has gone."""

    def serve():
        for _ in range(clients):
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(ALERT)
                while connection.recv(65536):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@needs_root
def test_each_packet_of_loopback_stands_there_once_to_the_last(tmp_path):
    with another_thread_serving(20) as port, capturing() as (capture, told):
        for _ in range(20):
            asyncio.run(shake(port))
        data = capture.stop(salt=SALT)  # while the server may be about to close its side
    packets = read(data, tmp_path)
    assert len({(names(p), p[TCP].seq, p[TCP].ack, flags(p), len(p)) for p in packets}) == len(packets)
    times = [p.time for p in packets]
    assert times == sorted(times)
    assert abs(float(times[0]) - clock.now().timestamp()) < 60
    assert len(told) == 20
    for connection in told:
        its = [p for p in packets if connection.local.port in (p[TCP].sport, p[TCP].dport)]
        assert [flags(p) for p in its].count("S") == 1
        assert {p[TCP].sport for p in its if "F" in flags(p)} == {port, connection.local.port}
        assert flags(its[-1]) == "A"


@needs_root
def test_nothing_of_this_computer_but_the_packets(certificate):
    async def check():
        async with hostile.tls_server(certificate) as port:
            with capturing() as (capture, _):
                await shake(port)
                return capture.stop(salt=SALT)

    (header_kind, header), (interface_kind, interface), *packets = blocks(asyncio.run(check()))
    comment = b"salt " + SALT.hex().encode()
    assert header_kind == 0x0A0D0D0A
    assert header[16:] == struct.pack("<HH", 1, len(comment)) + comment + bytes(-len(comment) % 4 + 4)
    assert interface_kind == 1
    assert len(interface) == 8  # no options: no name, no system
    assert struct.unpack("<H", interface[:2]) == (101,)  # no link layer: no MAC address
    for kind, body in packets:
        assert kind == 6
        length = struct.unpack("<I", body[12:16])[0]
        assert len(body) == 20 + length + -length % 4  # no options
        assert body[20] >> 4 == 4  # IPv4 from the first octet on


@needs_root
def test_a_capture_without_packets_has_its_salt(tmp_path):
    with capturing() as (capture, _):
        data = capture.stop(salt=SALT)
    assert read(data, tmp_path) == []
    assert SALT.hex().encode() in data
    assert not capture.truncated


@needs_root
def test_a_connection_that_was_refused(tmp_path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with capturing() as (capture, _):
            exchange = asyncio.run(shake(port))
            data = capture.stop(salt=SALT)
    assert exchange.connect_failure == "connection_refused"
    assert [flags(p) for p in read(data, tmp_path)] == ["S", "RA"]


@needs_root
def test_through_a_proxy_ours_is_the_connection_to_it(tmp_path, certificate):
    async def check(scheme, behaviour):
        async with hostile.tls_server(certificate) as port, hostile.serving(behaviour) as proxy:
            with capturing() as (capture, _):
                exchange = await shake(port, uri=f"{scheme}://127.0.0.1:{proxy}")
                assert exchange.connect_failure is None
                packets = read(capture.stop(salt=SALT), tmp_path)
        [ends] = ports_of(packets)
        assert proxy in ends
        assert port not in ends
        return octets_sent(packets, *(ends - {proxy}))

    assert asyncio.run(check("http", connect_proxy([b"HTTP/1.1 200 OK\r\n\r\n"]))).startswith(b"CONNECT ")
    assert asyncio.run(check("socks5", socks_proxy())).startswith(b"\x05")


@needs_root
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_refuses_or_is_not_there(tmp_path, scheme):
    async def check():
        async with hostile.serving(hostile.close_after_hello) as proxy:
            with capturing() as (capture, _):
                await shake(443, uri=f"{scheme}://127.0.0.1:{proxy}")
                return capture.stop(salt=SALT), proxy

    data, proxy = asyncio.run(check())
    [ends] = ports_of(read(data, tmp_path))
    assert proxy in ends
    with capturing() as (capture, _):  # that server is gone
        asyncio.run(shake(443, uri=f"{scheme}://127.0.0.1:{proxy}"))
        assert [flags(p) for p in read(capture.stop(salt=SALT), tmp_path)] == ["S", "RA"]


@needs_root
def test_our_resolvers_connections_are_ours(tmp_path, certificate):
    zone = answering({("a.test", "A"): ["192.0.2.1"]})

    async def check():
        async with name_server(zone, truncate=True) as dns_port, doh_server(zone, certificate) as url:
            with capturing() as (capture, _):
                over_tcp = await StubResolver((("127.0.0.1", dns_port),), plain_socket).ask("a.test", "A")
                doh = DoHResolver((url,), root_pem=certificate[0].read_text())
                over_tls = await doh.ask("a.test", "A")
                await doh.aclose()
                assert [answer.ip for answer in (*over_tcp.answers, *over_tls.answers)] == ["192.0.2.1"] * 2
                return capture.stop(salt=SALT), {dns_port, int(url.split(":")[2].split("/")[0])}

    data, servers = asyncio.run(check())
    packets = read(data, tmp_path)
    assert {p[TCP].dport for p in packets if flags(p) == "S"} == servers


@needs_root
def test_an_end_that_never_comes_is_not_waited_for_long(tmp_path):
    """The peer keeps its side open: there is no last packet."""

    async def check():
        async with hostile.serving(recording({})) as port:
            with capturing() as (capture, _):
                await shake(port)
                held = socket.create_connection(("127.0.0.1", port))
                opened.tell(held)
                before = time.monotonic()
                data = capture.stop(salt=SALT)
                took_s = time.monotonic() - before
                held.close()
                return data, took_s

    data, took_s = asyncio.run(check())
    assert took_s < 0.5 + (0.5 if os.environ.get("CI") else 0)  # a busy machine is no fault of ours
    assert len(ports_of(read(data, tmp_path))) == 2


@needs_root
def test_what_is_too_much_is_left_out_from_there_on(tmp_path):
    async def check():
        async with hostile.serving(recording({})) as port:
            with capturing(max_octets=400) as (capture, _):
                await shake(port)
                data = capture.stop(salt=SALT)
                assert capture.stop(salt=SALT) == data
                return data, capture.truncated

    data, truncated = asyncio.run(check())
    assert truncated
    assert len(data) < 600
    assert [flags(p) for p in read(data, tmp_path)] == ["S", "SA", "A"]


@needs_root
def test_of_many_connections_at_once_all_packets_are_there(tmp_path):
    async def check():
        async with hostile.serving(recording({})) as port:
            with capturing() as (capture, told):
                for _ in range(5):
                    await asyncio.gather(*(shake(port) for _ in range(50)))
                return capture.stop(salt=SALT), told, capture.dropped, capture.missed

    data, told, dropped, missed = asyncio.run(check())
    assert (dropped, missed) == (0, 0)
    by_port = {connection.local.port: [] for connection in told}
    for packet in read(data, tmp_path):
        ours = packet[TCP].sport if packet[TCP].sport in by_port else packet[TCP].dport
        by_port[ours].append(packet)
    for port, packets in by_port.items():
        assert flags(packets[0]) == "S"
        assert octets_sent(packets, port)


@needs_root
def test_an_end_without_a_file():
    capture = Capture.start()
    capture.close()
    capture.close()
    assert not opened.has_listeners()


@needs_root
def test_a_salt_is_of_sixteen_octets():
    with capturing() as (capture, _), pytest.raises(ValueError, match="16"):
        capture.stop(salt=b"short")


# -- where it cannot be


def refusing(exc):
    class Refusing(socket.socket):
        def __init__(self, family=-1, kind=-1, proto=-1, fileno=None):
            if family == socket.AF_PACKET:
                raise exc
            super().__init__(family, kind, proto, fileno)

    return Refusing


@pytest.mark.parametrize(
    ("exc", "what", "hint"),
    [
        (PermissionError(1, "Operation not permitted"), "needs privilege", "as root"),
        (OSError(97, "Address family not supported"), "here: Address family", "leave out --pcap"),
    ],
)
@pytest.mark.skipif(not hasattr(socket, "AF_PACKET"), reason="only Linux has packet sockets")
def test_without_privilege(monkeypatch, exc, what, hint):
    monkeypatch.setattr(socket, "socket", refusing(exc))
    with pytest.raises(UsageError, match=what) as caught:
        Capture.start()
    assert hint in caught.value.hint
    assert not opened.has_listeners()


@pytest.mark.skipif(not hasattr(socket, "AF_PACKET"), reason="only Linux has packet sockets")
def test_without_scapy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scapy.utils", None)
    with pytest.raises(UsageError, match="scapy is not installed") as caught:
        Capture.start()
    assert "kzmitm[raw]" in caught.value.hint


def test_on_another_system(monkeypatch):
    monkeypatch.delattr(socket, "AF_PACKET", raising=False)
    with pytest.raises(UsageError, match="on Linux only"):
        Capture.start()


@needs_root
def test_with_the_capability_to_capture_and_no_other(monkeypatch):
    """Without CAP_NET_ADMIN the system's limit of buffers holds."""

    class Limited(socket.socket):
        def setsockopt(self, level, option, value):
            if (level, option) == (socket.SOL_SOCKET, 33):
                raise PermissionError
            super().setsockopt(level, option, value)

    monkeypatch.setattr(socket, "socket", Limited)
    Capture.start().close()


def test_no_file_for_packets_where_nothing_is_written():
    parser = CommandParser()
    scan_options.configure(parser)
    with pytest.raises(UsageError, match="--no-save and --pcap contradict"):
        scan_options.check(parser.parse_args(["a.test", "--no-save", "--pcap"]))
    assert parser.parse_args(["a.test", "--pcap"]).pcap


# -- whose packet it is


OURS = Opened(Endpoint("192.0.2.1", 40000), Endpoint("198.51.100.1", 443))
AWAY = Seen(1, "eth0", may_open=True)
BACK = Seen(1, "eth0", may_open=False)


def away(kind, *, seq=100, ack=0, load=b"", port=40000):
    return bytes(
        IP(src="192.0.2.1", dst="198.51.100.1")
        / TCP(sport=port, dport=443, flags=kind, seq=seq, ack=ack)
        / load
    )


def back(kind, *, seq=500, ack=0, load=b""):
    return bytes(
        IP(src="198.51.100.1", dst="192.0.2.1")
        / TCP(sport=443, dport=40000, flags=kind, seq=seq, ack=ack)
        / load
    )


def claim(flows, connections=(), now=0.0):
    for connection in connections:
        flows.claim(connection)
    flows.settle(flows.count_claims(), now)


def kept(flows):
    return [packet.octets for packet in flows.packets()]


def test_a_claim_may_come_before_or_after_the_packets():
    for is_first in (True, False):
        flows = Flows()
        if is_first:
            claim(flows, [OURS])
        flows.take(away("S"), AWAY, 1.0)
        flows.take(back("SA", ack=101), BACK, 1.0)
        if not is_first:
            assert kept(flows) == []
            claim(flows, [OURS])
        flows.take(away("A", seq=101, ack=501), AWAY, 1.0)
        assert kept(flows) == [away("S"), back("SA", ack=101), away("A", seq=101, ack=501)]


def test_the_same_ports_in_the_hands_of_another_program():
    flows = Flows()
    flows.take(away("S", seq=100), AWAY, 0)
    claim(flows, [OURS])
    flows.take(away("R", seq=101), AWAY, 0)
    flows.take(away("S", seq=900), AWAY, 0)
    flows.take(away("A", seq=901, load=b"not ours"), AWAY, 0)
    assert kept(flows) == [away("S", seq=100), away("R", seq=101)]
    flows.take(away("S", seq=1700), AWAY, 0)
    claim(flows, [OURS])
    assert kept(flows)[2:] == [away("S", seq=1700)]


def test_the_same_ports_in_our_hands_again_while_the_first_is_open():
    flows = Flows()
    for seq in (100, 900):
        flows.take(away("S", seq=seq), AWAY, 0)
        claim(flows, [OURS])
    assert kept(flows) == [away("S", seq=100), away("S", seq=900)]
    flows.take(away("R", seq=901), AWAY, 0)
    assert flows.all_ended


def test_a_claim_without_packets_is_not_kept_for_others():
    flows = Flows()
    claim(flows, [OURS], now=10.0)
    assert not flows.all_ended
    assert flows.missed == 1
    flows.take(away("S"), AWAY, 10.0 + capture_flows.CLAIM_S + 0.1)
    assert kept(flows) == []


def test_a_connection_that_began_earlier_or_elsewhere_is_not_followed():
    flows = Flows()
    claim(flows, [OURS])
    flows.take(away("A", load=b"earlier"), AWAY, 0)
    flows.take(away("S"), BACK, 0)
    assert kept(flows) == []


def test_a_packet_that_passes_several_interfaces_is_taken_once():
    flows = Flows()
    claim(flows, [OURS])
    for place in ("bond0", "eth1"):
        flows.take(away("S"), Seen(1, place, may_open=True), 0)
    for place in ("eth1", "bond0"):
        flows.take(back("SA"), Seen(1, place, may_open=False), 0)
    flows.take(away("S"), Seen(2, "bond0", may_open=True), 0)  # sent again
    assert [packet.t_ns for packet in flows.packets()] == [1, 1, 2]
    assert kept(flows)[1] == back("SA")


def test_it_has_ended_when_both_sides_have_said_so():
    flows = Flows()
    claim(flows, [OURS])
    flows.take(away("S"), AWAY, 0)
    flows.take(away("FA", seq=101, load=b"bye"), AWAY, 0)
    flows.take(back("FA", ack=105), BACK, 0)
    assert not flows.all_ended
    flows.take(away("A", seq=105, ack=501), AWAY, 0)
    assert flows.all_ended


def test_one_that_ended_before_it_was_claimed():
    flows = Flows()
    flows.take(away("S"), AWAY, 0)
    flows.take(back("RA", ack=101), BACK, 0)
    claim(flows, [OURS])
    assert flows.all_ended
    assert len(kept(flows)) == 2


def test_another_program_does_not_push_ours_out():
    flows = Flows(max_unclaimed=1000)
    flows.take(away("S"), AWAY, 0)
    flows.claim(OURS)  # not settled yet
    for port in range(1, 50):
        flows.take(away("S", port=port), AWAY, 0)
    claim(flows)
    assert kept(flows) == [away("S")]


def test_a_download_of_another_program_is_forgotten_at_once():
    flows = Flows()
    flows.take(away("S"), AWAY, 0)
    flows.take(away("S", port=1), AWAY, 0)
    for seq in range(1000):
        flows.take(away("A", seq=seq, port=1, load=bytes(60000)), AWAY, 0)
    claim(flows, [OURS, Opened(Endpoint("192.0.2.1", 1), OURS.remote)])
    assert kept(flows) == [away("S")]
    assert not flows.truncated


def test_a_flood_of_ours_is_claimed_before_it_is_forgotten():
    flows = Flows()
    flows.take(away("S"), AWAY, 0)
    flows.claim(OURS)
    for seq in range(10):
        flows.take(back("A", seq=seq, load=bytes(60000)), BACK, 0)
    assert len(kept(flows)) == 11


def test_a_mapped_address_is_the_one_in_the_packets():
    flows = Flows()
    claim(flows, [Opened(Endpoint("::ffff:192.0.2.1", 40000), Endpoint("::ffff:198.51.100.1", 443))])
    flows.take(away("S"), AWAY, 0)
    assert kept(flows) == [away("S")]


def test_a_scope_is_not_part_of_an_address():
    packet = bytes(IPv6(src="fe80::1", dst="fe80::2") / TCP(sport=1, dport=2, flags="S"))
    flows = Flows()
    claim(flows, [Opened(Endpoint("fe80::1%lo", 1), Endpoint("fe80::2%lo", 2))])
    flows.take(packet, AWAY, 0)
    assert kept(flows) == [packet]


@pytest.mark.parametrize("packet", [away("S"), bytes(IPv6() / TCP(flags="S"))], ids=["IPv4", "IPv6"])
def test_what_fills_up_a_frame_is_no_part_of_the_packet(packet):
    assert without_padding(packet + b"secret") == packet
    zero = slice(4, 6) if packet[0] >> 4 == 6 else slice(2, 4)
    uncut = bytearray(packet)
    uncut[zero] = b"\0\0"
    assert without_padding(bytes(uncut)) == uncut


@pytest.mark.parametrize(
    "packet",
    [
        bytes(IP() / UDP()),
        bytes(IPv6() / UDP()),
        bytes(IP(frag=1) / TCP()),
        bytes(IP() / TCP())[:30],
        b"",
        bytes(100),
    ],
    ids=["UDP", "UDP over IPv6", "fragment", "cut", "empty", "no IP"],
)
def test_what_is_no_segment(packet):
    assert read_segment(packet) is None


@given(st.binary(max_size=100))
@example(b"\x4f" + bytes(8) + b"\x06" + bytes(70))
def test_any_octets_are_read_or_passed_over(octets):
    flows = Flows()
    flows.take(octets, AWAY, 0)
    assert kept(flows) == []
