"""What is tried on the real interceptor; each scenario runs in namespaces of its own, by its name."""

import contextlib
import os
import selectors
import signal
import ssl
import sys
import time
from pathlib import Path

from interceptor_net import RAW, ROUTER, SERVERS, Client, Net, whole

SOCIAL, NEWS, SELF_SIGNED = "social.lab.test", "news.lab.test", "selfsigned.lab.test"
BROWSER = [f"protocol-{n:03}-of-a-long-offer" for n in range(60)] + ["http/1.1"]
"""An ALPN offer that makes a hello as large as a browser's (1.7 KB and more)."""


def cuts_of(hello):
    """Ways to send a hello, by name."""
    middle = hello.index(b"social") + 3
    split = [hello[5:middle], hello[middle:]]
    records = [b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in split]
    return {
        "whole": [hello],
        "header_then_middle_of_name": [hello[:5], hello[5:middle], hello[middle:]],
        "one_octet_each": [hello[at : at + 1] for at in range(len(hello))],
        "two_records_at_once": [b"".join(records)],
        "two_records_apart": records,
    }


def watched_is_forged_and_others_are_not(mode):
    net = Net(mode).start()
    for ip in SERVERS.values():
        forged = whole(SOCIAL, ip=ip)
        assert net.is_forged(forged.leaf)
        seen, alpn, version = forged.ask()
        assert (alpn, version) == ("h2", "TLSv1.2")
        assert seen == (ROUTER if ip == SERVERS[4] else "fd99:2::1")
        assert (forged.tls.selected_alpn_protocol(), forged.tls.version()) == ("h2", "TLSv1.3")
        for sni in ("WWW.Social.Lab.Test", "social.lab.test."):
            assert net.is_forged(whole(sni, ip=ip).leaf), sni
        for sni in (NEWS, SELF_SIGNED, None, "antisocial.lab.test"):
            genuine = whole(sni, ip=ip)
            assert not net.is_forged(genuine.leaf), sni
            seen, _, version = genuine.ask()
            assert version == "TLSv1.3"
            at_client = {SERVERS[4]: "10.99.1.2", SERVERS[6]: "fd99:1::2"}[ip]
            assert (seen == at_client) is (mode == "inline")
    net.stop()
    net.tear_down()
    assert not net.is_forged(whole(SOCIAL).leaf)


def hello_in_any_pieces(mode):
    net = Net(mode).start()
    for protocols in (("h2",), BROWSER):
        names = cuts_of(Client(SOCIAL, protocols=protocols).hello)
        for name in names:
            for ip in SERVERS.values():
                client = Client(SOCIAL, ip=ip, protocols=protocols)
                client.send_hello(cuts_of(client.hello)[name]).handshake()
                assert net.is_forged(client.leaf), (name, ip)
                assert len(client.ask()) == 3


def pauses_within_the_hello(mode):
    net = Net(mode).start()
    clients = [Client(SOCIAL), Client(NEWS)]
    for client in clients:
        client.send_hello([client.hello[:60], client.hello[60:70]])
    time.sleep(1.5)  # the pause is what is tested
    for client in clients:
        client.send_hello([client.hello[70:]]).handshake()
    assert [net.is_forged(client.leaf) for client in clients] == [True, False]


def large_transfer_and_half_close(mode):
    net = Net(mode).start()
    client = whole(SOCIAL)
    client.ask()
    data = os.urandom(1 << 16) * 64
    sent, received = 0, bytearray()
    while sent < len(data):
        client.do(client.tls.write, data[sent : sent + 16_384])
        sent += 16_384
        received += client.do(client.tls.read, 65_536)
    try:
        client.tls.unwrap()
    except ssl.SSLWantReadError:
        client.flush()
    client.connected.shutdown(1)
    while len(received) < len(data):
        received += client.do(client.tls.read, 65_536)
    assert bytes(received) == data
    assert net.interceptor.poll() is None


def plain_page(mode):
    net = Net(mode, action="plain").start()
    client = Client(SOCIAL).send_hello()
    page = b""
    while data := client.connected.recv(65_536):
        page += data
    assert page.startswith(b"HTTP/1.1 403 ")
    assert not net.is_forged(whole(NEWS).leaf)
    net.interceptor.terminate()
    assert net.interceptor.wait(10) == 0
    decisions = [line.split()[0] for line in net.log.read_text().splitlines()]
    assert decisions[:2] == ["took", "left" if mode == "inline" else "spliced"]
    assert set(decisions[2:]) <= {"broken"}  # clients that were gone before the end


def server_sees_the_reset(mode):
    net = Net(mode, action="plain", require_valid_origin=False).start()
    client = Client(SOCIAL, ip=RAW)
    client.send_hello([client.hello[:9], client.hello[9:50], client.hello[50:]])
    assert client.connected.recv(65_536).startswith(b"HTTP/1.1 403 ")
    how, received = net.raw_server_says()
    assert how == "RST"
    assert int(received) <= 50


def killed_leaves_the_way_clean(mode):
    net = Net(mode).start()
    taken, undecided = whole(SOCIAL), Client(SOCIAL)
    undecided.send_hello([undecided.hello[:20]])
    genuine = whole(NEWS)
    net.interceptor.send_signal(signal.SIGKILL)
    net.interceptor.wait()
    assert len(genuine.ask()) == 3
    undecided.send_hello([undecided.hello[20:]]).handshake()
    assert not net.is_forged(undecided.leaf)
    with contextlib.suppress(ConnectionResetError):
        while taken.connected.recv(65_536):
            pass
    assert not net.is_forged(whole(SOCIAL).leaf)


def port_is_used_again(mode):
    net = Net(mode).start()
    for sni, is_forged in ((SOCIAL, True), (NEWS, False), (SOCIAL, True), (SOCIAL, True), (NEWS, False)) * 2:
        client = Client(sni, source=40_000).send_hello().handshake()
        assert net.is_forged(client.leaf) is is_forged, sni
        assert len(client.ask()) == 3
        client.connected.setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER: a reset frees the port
        client.close()


def origin_fails(mode):
    net = Net(mode, require_valid_origin=False).start()
    client = Client(SOCIAL, ip=RAW).send_hello()
    if mode == "inline":
        assert net.raw_server_says()[0] == "RST"
    net.origin.kill()
    net.origin.wait()
    with contextlib.suppress(ConnectionResetError):
        assert client.connected.recv(65_536) == b""


def shuffled_segments(mode):
    from interceptor_raw import OPTIONS, RawClient, keep_quiet  # noqa: PLC0415 - slow to import

    net = Net(mode, action="plain").start()
    keep_quiet()
    hello = Client(SOCIAL).hello
    end = len(hello)
    ways = {
        "in_order": [(0, 100), (100, end)],
        "backwards": [(300, end), (200, 300), (100, 200), (0, 100)],
        "repeated": [(0, 100), (0, 100), (100, 250), (0, 250), (250, end)],
        "overlapping": [(0, 120), (80, 300), (250, 270), (290, end)],
        "gap_filled_by_overlap": [(0, 100), (150, 400), (90, 160), (380, end)],
        "single_octets_backwards": [(at, at + 1) for at in reversed(range(end))],
    }
    wrapping = (1 << 32) - 200
    for port, (name, way) in enumerate(ways.items(), 50_000):
        client = RawClient(port, first=wrapping, syns=3 if name == "repeated" else 1)
        for start, stop in way:
            client.piece(hello, start, stop)
        page, acknowledged, stamps = client.answer()
        assert page.startswith(b"HTTP/1.1 403 "), name
        assert acknowledged == client.at(end), name
        assert stamps[0] > client.echoed, name
    bare = RawClient(50_100, options=[])
    bare.piece(hello, 0, end)
    page, _, stamps = bare.answer()
    assert (page[:12], stamps) == (b"HTTP/1.1 403", None)
    fragments = RawClient(50_101, options=OPTIONS[:1])
    fragments.piece(hello, 0, end, size=128)
    assert fragments.answer()[0].startswith(b"HTTP/1.1 403 ")
    given_up = RawClient(50_102)
    given_up.piece(hello, 0, 100)
    given_up.send("FA", given_up.at(100))
    assert net.is_forged(whole(NEWS).leaf) is False


def a_thousand_at_once(mode):
    net = Net(mode).start()
    started = time.monotonic()
    clients = [Client(SOCIAL) for _ in range(1000)]
    connected = time.monotonic()
    for client in clients:
        client.send_hello()
    selector = selectors.DefaultSelector()
    for client in clients:
        client.connected.settimeout(0)
        selector.register(client.connected, selectors.EVENT_READ, client)
    remaining = set(clients)
    while remaining:
        ready = selector.select(30)
        assert ready, f"{len(remaining)} wait for nothing"
        for key, _ in ready:
            client = key.data
            data = client.connected.recv(65_536)
            assert data, "closed"
            client.incoming.write(data)
            try:
                client.tls.do_handshake()
            except ssl.SSLWantReadError:
                continue
            finally:
                client.flush()
            remaining.discard(client)
            selector.unregister(client.connected)
    shaken = time.monotonic()
    assert all(net.is_forged(client.leaf) for client in clients)
    for client in clients:
        client.connected.settimeout(30)
        client.tls.write(b"who\n")
        client.flush()
    for client in clients:
        assert client.do(client.tls.read, 100).startswith(ROUTER.encode())
    status = Path(f"/proc/{net.interceptor.pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    sys.stderr.write(f"connect {connected - started:.2f} handshakes {shaken - connected:.2f} s, {peak}\n")


SCENARIOS = [
    watched_is_forged_and_others_are_not,
    hello_in_any_pieces,
    pauses_within_the_hello,
    large_transfer_and_half_close,
    plain_page,
    port_is_used_again,
    origin_fails,
    a_thousand_at_once,
    shuffled_segments,
    server_sees_the_reset,
    killed_leaves_the_way_clean,
]

if __name__ == "__main__":
    named = {scenario.__name__: scenario for scenario in SCENARIOS}
    try:
        named[sys.argv[1]](sys.argv[2])
    except Exception:
        log = Path("/run/interceptor.log")
        if log.exists():
            sys.stderr.write(log.read_text()[-2000:])
        raise
