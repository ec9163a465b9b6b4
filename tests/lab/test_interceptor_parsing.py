"""What the interceptor reads, of whatever comes: packets, streams, hellos, names, messages of the kernel."""

from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interceptor_segments import (
    CLIENT,
    CLIENT6,
    MSS,
    SACK,
    SCALE,
    SERVER,
    SERVER6,
    from_client,
    hello_of,
    ip4,
    ip6,
    stamps,
    tcp,
)

from kzmitm.lab.interceptor import nfnetlink
from kzmitm.lab.interceptor.hello import MAX_HELLO, Hello, Unread, parse_hello
from kzmitm.lab.interceptor.nfnetlink import Acknowledged, Queued, parse_messages
from kzmitm.lab.interceptor.packets import (
    ACK,
    RST,
    Options,
    build_reset,
    checksum,
    parse_options,
    parse_segment,
)
from kzmitm.lab.interceptor.stream import MAX_KEPT, MAX_PENDING, Stream, distance
from kzmitm.lab.interceptor.watch import Watch

HELLO = hello_of("social.lab.test")


@given(st.binary(max_size=120))
def test_anything_may_be_a_packet(data):
    parse_segment(data)
    parse_segment(b"\x45" + data)
    parse_segment(b"\x60" + data)
    parse_options(data)


@pytest.mark.parametrize("cut", range(45))
def test_a_packet_that_is_cut_off_is_none(cut):
    assert parse_segment(from_client(ACK, 1, 2, b"12345")[:cut]) is None


def test_segment_of_ipv4_ends_where_the_packet_says():
    packet = ip4(CLIENT, SERVER, tcp(1, 443, ACK, 7, 8, b"abc", MSS), options=b"\x01\x01\x01\x00")
    found = parse_segment(packet + b"padding of the Ethernet frame")
    assert (found.source, found.destination, found.source_port) == (CLIENT, SERVER, 1)
    assert (found.sequence, found.acknowledged, found.payload) == (7, 8, b"abc")
    assert (found.options, found.offset) == (MSS, 24)


@pytest.mark.parametrize(
    ("extensions", "kind", "is_read"),
    [
        (b"", 6, True),
        (b"\x06\x00" + bytes(6), 0, True),
        (b"\x3c\x00" + bytes(6) + b"\x06\x01" + bytes(14), 0, True),
        (b"\x06\x00" + pack("!HI", 0, 9), 44, True),
        (b"\x06\x00" + pack("!HI", 1, 9), 44, False),
        (b"\x06\x00" + pack("!HI", 8, 9), 44, False),
        (b"\x06\xff" + bytes(6), 0, False),
        ((b"\x00\x00" + bytes(6)) * 9, 0, False),
        (bytes(8), 51, False),
    ],
)
def test_segment_behind_extension_headers(extensions, kind, is_read):
    packet = ip6(CLIENT6, SERVER6, tcp(1, 443, ACK, 7, 8, b"abc"), extensions=extensions, kind=kind)
    found = parse_segment(packet)
    assert (found is not None and found.payload == b"abc") is is_read


def test_fragments_and_other_protocols_are_none():
    for changed in ({"fragment": 0x2000}, {"fragment": 3}, {"protocol": 17}):
        assert parse_segment(ip4(CLIENT, SERVER, tcp(1, 443, ACK, 1), **changed)) is None


def test_options_are_read_up_to_the_first_that_is_broken():
    every = MSS + SACK + SCALE + stamps(5, 6)
    assert parse_options(every) == Options(1460, 7, sack=True, timestamps=(5, 6))
    assert parse_options(MSS + b"\x03\x00" + SACK) == Options(mss=1460)
    assert parse_options(MSS + b"\x00" + SACK) == Options(mss=1460)
    assert parse_options(b"\x03\x03\xff\x02") == Options(window_scale=14)
    assert parse_options(b"\x1e\x04xx" + MSS) == Options(mss=1460)


@pytest.mark.parametrize(
    "packet",
    [
        from_client(ACK, 5, 9, HELLO, stamps(1, 2)),
        ip6(CLIENT6, SERVER6, tcp(50_000, 443, ACK, 5, 9, HELLO), extensions=b"\x06\x00" + bytes(6), kind=0),
    ],
    ids=["ipv4", "ipv6"],
)
def test_reset_is_a_valid_packet(packet):
    segment = parse_segment(packet)
    reset = build_reset(packet, segment, 4_294_967_295)
    found = parse_segment(reset)
    assert (found.flags, found.sequence, found.acknowledged) == (RST | ACK, 4_294_967_295, 9)
    assert (found.payload, found.options, found.source) == (b"", b"", segment.source)
    assert len(reset) == segment.offset + 20
    body = reset[found.offset :]
    assert checksum(found.source + found.destination + pack("!II", len(body), 6) + body) == 0
    assert len(found.source) == 16 or checksum(reset[:20]) == 0


@given(st.data(), st.integers(0, 2**32 - 1))
def test_stream_is_whole_however_it_comes(data, first):
    octets = data.draw(st.binary(min_size=1, max_size=200))
    spans = data.draw(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=20))
    cuts = sorted({0, *data.draw(st.sets(st.integers(0, len(octets)))), len(octets)})
    pieces = data.draw(st.permutations([*spans, *pairwise(cuts)]))
    stream = Stream(first)
    for start, end in pieces:
        assert stream.add((first + start) % 2**32, octets[start:end]) is True
    assert stream.data == octets
    assert stream.kept == len(octets)
    assert distance(first, stream.next) == len(octets)


def test_stream_is_bounded():
    stream = Stream(0)
    assert not stream.add(MAX_KEPT, b"x")
    assert stream.add(MAX_KEPT - 1, b"x")
    assert stream.add(2**32 - 5, b"12345")  # from before the beginning
    assert all(stream.add(2 + number, b"y") for number in range(MAX_PENDING - 1))
    assert not stream.add(20_000, b"y")
    assert stream.kept == MAX_PENDING
    many = Stream(0)
    assert all(many.add(1, b"z" * 1024) for _ in range(MAX_KEPT // 1024))
    assert not many.add(1, b"z" * 1024)


@given(st.binary(max_size=300))
def test_anything_may_be_a_hello(data):
    parse_hello(data)
    parse_hello(b"\x16\x03\x01" + len(data).to_bytes(2, "big") + data)
    body = b"\x01" + len(data).to_bytes(3, "big") + data
    assert parse_hello(b"\x16\x03\x01" + len(body).to_bytes(2, "big") + body) is not Unread.INCOMPLETE


@given(st.data())
def test_hello_in_any_records(data):
    message = HELLO[5:]
    cuts = sorted({0, *data.draw(st.sets(st.integers(1, len(message) - 1), max_size=20)), len(message)})
    records = b"".join(
        b"\x16\x03\x03" + (end - start).to_bytes(2, "big") + message[start:end]
        for start, end in pairwise(cuts)
    )
    read = Hello("social.lab.test", (b"h2", b"http/1.1"))
    assert parse_hello(records) == parse_hello(records + b"more") == read
    assert parse_hello(records[: data.draw(st.integers(0, len(records) - 1))]) is Unread.INCOMPLETE


def test_hello_without_name_or_offer():
    assert parse_hello(hello_of(None, ())) == Hello(None, ())


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x01\x02",
        b"\x16\x03\x01\x00\x04\x01" + MAX_HELLO.to_bytes(3, "big"),
        HELLO.replace(b"social", b"soc\x00al"),
        HELLO.replace(b"\x00\x00\x0fsocial", b"\x01\x00\x0fsocial"),
    ],
)
def test_what_is_no_hello(data):
    assert parse_hello(data) is Unread.NOT_A_HELLO


def test_watched_names():
    watch = Watch.of(["Social.lab.test.", "x.test"])
    assert all(watch.matches(name) for name in ("social.lab.test", "SOCIAL.LAB.TEST.", "a.b.social.lab.test"))
    assert not any(watch.matches(name) for name in (None, "", ".", "antisocial.lab.test", "lab.test", "test"))
    assert Watch.of(None).matches(None)
    assert not Watch.of([]).matches("social.lab.test")


@given(st.binary(max_size=100))
def test_anything_may_come_from_the_kernel(data):
    list(parse_messages(data))
    list(parse_messages(pack("=IHHII", 16 + len(data), nfnetlink.NFQNL_MSG_PACKET, 0, 0, 0) + data))


def test_messages_of_the_queue():
    attributes = pack("=HHIHBx", 11, 1, 0x01000000, 0x0800, 0) + pack("=HH5s3x", 9, 10, b"12345")
    one = pack("=IHHII", 20 + len(attributes), 0x0300, 0, 0, 0) + bytes(4) + attributes
    error = pack("=IHHIIi", 20, 2, 0, 0, 0, -1)
    found = list(parse_messages(one + error + one[:-1]))
    assert found[1] == Acknowledged(1)
    assert isinstance(found[0], Queued)
    assert found[0].packet == b"12345"
    assert len(found) == 2


def test_requests_to_the_queue():
    for request in nfnetlink.build_bind(5, 100):
        assert len(request) % 4 == 0
        assert request[16:20] == b"\x00\x00\x00\x05"
    verdict = nfnetlink.build_verdict(5, 9, nfnetlink.NF_ACCEPT, mark=3, packet=b"abcde")
    assert verdict[20:32] == pack("=HH", 12, 2) + pack("!II", 1, 9)
    assert verdict[32:40] == pack("=HH", 8, 3) + pack("!I", 3)
    assert verdict[40:] == pack("=HH", 9, 10) + b"abcde\0\0\0"
