"""Resolving against name servers on loopback."""

import asyncio
import socket
import ssl
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import dns.resolver
import pytest
from dns.resolver import NoResolverConfiguration
from nameservers import answering, doh_server, name_server

from kzmitm.errors import UsageError
from kzmitm.model.observation import DNSAnswer, DNSObservation
from kzmitm.netio import stubdns
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.doh import MAX_FAILURES, DoHResolver, parse_server
from kzmitm.netio.links._local import plain_socket
from kzmitm.netio.resolve import Patience, Resolver, addresses, open_resolver
from kzmitm.netio.stubdns import StubResolver, configured_nameservers
from kzmitm.netio.sysdns import SystemResolver

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZONE = answering(
    {
        ("a.test", "A"): ["192.0.2.1", "192.0.2.2"],
        ("a.test", "AAAA"): ["2001:db8::1"],
        ("b.test", "A"): ["192.0.2.3"],
    }
)
DOH_ZONE = answering({("a.test", "A"): ["198.51.100.7"], ("a.test", "AAAA"): ["2001:db8::7"]})
FAST = Patience(lookup_s=1.0, grace_s=0.05, doh_s=0.5)


def garbage(query):
    return query.id.to_bytes(2, "big") + b"\x81\x80garbage"


def stub(*servers: tuple[str, int]):
    return StubResolver(servers, plain_socket)


async def ask_stub(zone, hostname="a.test", query_type="A", *, truncate=False):
    async with name_server(zone, truncate=truncate) as port:
        return await stub(
            ("127.0.0.1", port),
        ).ask(hostname, query_type)


def test_addresses_with_their_times_to_live():
    reply = asyncio.run(ask_stub(ZONE))
    assert reply.failure is None
    assert reply.rcode == 0
    assert sorted(reply.answers, key=str) == [
        DNSAnswer(answer_type="A", ip="192.0.2.1", ttl=300),
        DNSAnswer(answer_type="A", ip="192.0.2.2", ttl=300),
    ]
    assert reply.resolver_address.startswith("127.0.0.1:")


def test_a_truncated_answer_is_fetched_over_tcp():
    assert len(asyncio.run(ask_stub(ZONE, truncate=True)).answers) == 2


def test_aliases_are_kept_also_without_an_address():
    reply = asyncio.run(ask_stub(answering({("a.test", "TXT"): ["x"]}, alias="cdn.example")))
    assert reply.failure == "dns_no_answer"
    assert reply.answers == (DNSAnswer(answer_type="CNAME", hostname="cdn.example", ttl=60),)


@pytest.mark.parametrize(
    ("zone", "hostname", "query_type", "failure", "rcode"),
    [
        (ZONE, "c.test", "A", "dns_nxdomain_error", 3),
        (ZONE, "b.test", "AAAA", "dns_no_answer", 0),
        (answering({}, rcode=2), "a.test", "A", "dns_servfail_error", 2),
        (answering({}, rcode=5), "a.test", "A", "dns_refused_error", 5),
        (answering({}, rcode=4), "a.test", "A", "dns_server_misbehaving", 4),
        (garbage, "a.test", "A", "dns_server_misbehaving", None),
        (lambda _: b"x", "a.test", "A", "dns_server_misbehaving", None),
        (lambda query: query.to_wire(), "a.test", "A", "dns_server_misbehaving", None),
    ],
)  # fmt: skip
def test_what_servers_answer_otherwise(zone, hostname, query_type, failure, rcode):
    reply = asyncio.run(ask_stub(zone, hostname, query_type))
    assert (reply.failure, reply.rcode) == (failure, rcode)


def test_a_flood_of_records_is_cut():
    records = {("a.test", "A"): [f"192.0.{i // 250}.{i % 250}" for i in range(2000)]}
    assert len(asyncio.run(ask_stub(answering(records), truncate=True)).answers) == 64


def test_the_second_server_is_asked_when_the_first_fails():
    async def check():
        async with name_server(lambda _: b"x") as bad, name_server(ZONE) as good:
            return await stub(("127.0.0.1", bad), ("127.0.0.1", good)).ask("a.test", "A")

    assert len(asyncio.run(check()).answers) == 2


def test_the_systems_configuration_is_read():
    assert all(isinstance(address, str) and 0 < port < 65536 for address, port in configured_nameservers())


CONFIGURATIONS = {
    "as usual": (b"nameserver 192.0.2.1\nnameserver 2001:db8::1\n", ["192.0.2.1", "2001:db8::1"]),
    "all that there is": (
        (
            b"# by hand\n; and\ndomain a.test\nsearch a.test b.test\noptions rotate timeout:1 ndots:x edns0\n"
            b"nameserver\t192.0.2.1  # the first\nsortlist 192.0.2.0\nnameserver fe80::1%eth0\n"
        ),
        ["192.0.2.1", "fe80::1%eth0"],
    ),
    "Windows' line ends": (b"nameserver 192.0.2.1\r\n", ["192.0.2.1"]),
    "comments": (b"#nameserver 192.0.2.1\n;nameserver 192.0.2.2\n# nameserver 192.0.2.3\n", []),
    "nothing": (b"", []),
    "no address": (b"nameserver\nnameserver dns.test\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
    "no text": (b"\xff\xfe\nsearch \xff\xff..\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
}


@pytest.mark.parametrize(("octets", "expected"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_servers_of_a_file(octets, expected, tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_bytes(octets)
    assert configured_nameservers(file) == tuple((address, 53) for address in expected)


@pytest.mark.parametrize(
    "name", ["as usual", "all that there is", "Windows' line ends", "comments", "nothing"]
)
def test_servers_of_a_file_are_those_of_dnspython(name, tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_bytes(CONFIGURATIONS[name][0])
    try:
        theirs = dns.resolver.Resolver(str(file)).nameservers
    except NoResolverConfiguration:
        theirs = []
    assert configured_nameservers(file) == tuple((str(address), 53) for address in theirs)


def test_a_file_that_is_not_there_tells_of_no_server(tmp_path):
    assert configured_nameservers(tmp_path / "resolv.conf") == ()
    assert configured_nameservers(tmp_path) == ()


def test_servers_of_windows_are_told_by_dnspython(monkeypatch):
    """It asks the registry there, and reads the same file as we do here."""
    here = configured_nameservers()
    monkeypatch.setattr(stubdns, "sys", SimpleNamespace(platform="win32"))
    assert configured_nameservers() == here

    def none(configure):
        raise NoResolverConfiguration

    monkeypatch.setattr("dns.resolver.Resolver", none)
    assert configured_nameservers() == ()


def test_getaddrinfo():
    async def check():
        resolver = SystemResolver()
        return await asyncio.gather(resolver.ask("localhost", "ANY"), resolver.ask("..", "ANY"))

    found, refused = asyncio.run(check())
    assert {"127.0.0.1", "::1"} & {answer.ip for answer in found.answers}
    assert refused.failure is not None
    assert refused.answers == ()


@pytest.mark.parametrize("version", ["h2", "http/1.1"])
def test_doh(certificate, version):
    async def check():
        async with doh_server(DOH_ZONE, certificate, version=version) as url:
            resolver = DoHResolver((url,), root_pem=certificate[0].read_text())
            try:
                return url, await asyncio.gather(*[resolver.ask("a.test", t) for t in ("A", "AAAA")])
            finally:
                await resolver.aclose()

    url, (v4, v6) = asyncio.run(check())
    assert [a.ip for a in v4.answers] == ["198.51.100.7"]
    assert [a.ip for a in v6.answers] == ["2001:db8::7"]
    assert v4.resolver_address == url


@pytest.mark.parametrize(
    ("zone", "options", "failure"),
    [
        (DOH_ZONE, {"status": 403}, "dns_server_misbehaving"),
        (lambda _: b"garbage", {}, "dns_server_misbehaving"),
        (lambda _: b"", {}, "dns_server_misbehaving"),
        (lambda query: query.to_wire(), {}, "dns_server_misbehaving"),
        (lambda _: bytes(70_000), {"version": "http/1.1"}, "dns_server_misbehaving"),
        (answering({}, rcode=2), {}, "dns_servfail_error"),
    ],
)
def test_bad_doh_servers(certificate, zone, options, failure):
    async def check():
        async with doh_server(zone, certificate, **options) as url:
            resolver = DoHResolver((url,), root_pem=certificate[0].read_text())
            try:
                return await resolver.ask("a.test", "A")
            finally:
                await resolver.aclose()

    assert asyncio.run(check()).failure == failure


def test_doh_trusts_the_pinned_roots_only(certificate, pinned_roots):
    async def check():
        async with doh_server(DOH_ZONE, certificate) as url:
            resolver = DoHResolver((url,), root_pem=pinned_roots)
            try:
                return await resolver.ask("a.test", "A")
            finally:
                await resolver.aclose()

    reply = asyncio.run(check())
    assert reply.failure == "ssl_failed_handshake"
    assert reply.answers == ()


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def test_doh_is_given_up_after_failures_in_a_row(certificate):
    dead = f"https://127.0.0.1:{closed_port()}/dns-query"

    async def check():
        doh = DoHResolver((dead,), root_pem=certificate[0].read_text())
        resolver = Resolver([], doh=doh, patience=FAST)
        rows = [await resolver.resolve(f"a{i}.test", start_stopwatch(NOW)) for i in range(MAX_FAILURES)]
        await resolver.aclose()
        return resolver.has_given_up_doh, rows

    given_up, rows = asyncio.run(check())
    assert given_up
    assert [row.failure for row in rows[0]] == ["connection_refused", "connection_refused"]
    assert rows[-1] == ()


def test_the_next_doh_server_has_its_turn_after_a_failure(certificate):
    dead = f"https://127.0.0.1:{closed_port()}/dns-query"

    async def check():
        async with doh_server(DOH_ZONE, certificate) as url:
            doh = DoHResolver((dead, url), root_pem=certificate[0].read_text())
            first, second = await doh.ask("a.test", "A"), await doh.ask("a.test", "A")
            await doh.aclose()
            return first, second, doh.is_given_up

    first, second, given_up = asyncio.run(check())
    assert first.failure == "connection_refused"
    assert second.failure is None
    assert not given_up


@pytest.mark.parametrize(
    "text", ["", "http://1.1.1.1/", "https://", "https://u:p@h/", "https://[::1", "https://h:0/", "h"]
)
def test_bad_doh_urls(text):
    with pytest.raises(UsageError):
        parse_server(text)


def test_disagreement_is_evidence(certificate):
    async def check():
        async with name_server(ZONE) as port, doh_server(DOH_ZONE, certificate) as url:
            doh = DoHResolver((url,), root_pem=certificate[0].read_text())
            resolver = Resolver(
                [
                    stub(
                        ("127.0.0.1", port),
                    )
                ],
                doh=doh,
            )
            watch = start_stopwatch(NOW)
            rows = await resolver.resolve("a.test", watch)
            again = await resolver.resolve("a.test", watch)
            await resolver.aclose()
            return rows, again

    rows, again = asyncio.run(check())
    assert [(row.engine, row.query_type) for row in rows] == [
        ("udp", "A"), ("udp", "AAAA"), ("doh", "A"), ("doh", "AAAA"),
    ]  # fmt: skip
    assert [tuple(sorted(row.ips)) for row in rows] == [
        ("192.0.2.1", "192.0.2.2"), ("2001:db8::1",), ("198.51.100.7",), ("2001:db8::7",),
    ]  # fmt: skip
    assert all(0 <= row.t0 <= row.t for row in rows)
    assert [row.ips for row in again] == [row.ips for row in rows]
    assert {row.t for row in again} == {0.0}


def test_a_silent_resolver_does_not_hold_up_a_quick_one():
    async def check():
        async with name_server(ZONE) as good, name_server(lambda _: None) as silent:
            engines = [
                stub(
                    ("127.0.0.1", port),
                )
                for port in (silent, good)
            ]
            started = time.monotonic()
            rows = await Resolver(engines, patience=FAST).resolve("a.test", start_stopwatch(NOW))
            return rows, time.monotonic() - started

    rows, took = asyncio.run(check())
    assert [row.failure for row in rows] == ["generic_timeout_error"] * 2 + [None] * 2
    assert took < 0.5


def test_silence_everywhere_ends_at_the_limit():
    async def check():
        async with name_server(lambda _: None) as silent:
            resolver = Resolver(
                [
                    stub(
                        ("127.0.0.1", silent),
                    )
                ],
                patience=Patience(0.1, 0.1, 0.1),
            )
            started = time.monotonic()
            rows = await resolver.resolve("a.test", start_stopwatch(NOW))
            return rows, time.monotonic() - started

    rows, took = asyncio.run(check())
    assert {row.failure for row in rows} == {"generic_timeout_error"}
    assert took < 0.6


def test_cancelling_leaves_nothing_behind():
    async def check():
        async with name_server(lambda _: None) as silent:
            resolver = Resolver(
                [
                    stub(
                        ("127.0.0.1", silent),
                    )
                ]
            )
            task = asyncio.create_task(resolver.resolve("a.test", start_stopwatch(NOW)))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0)
            return [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]

    assert asyncio.run(check()) == []


def row(engine, ips=()):
    answers = tuple(DNSAnswer(answer_type="A", ip=ip) for ip in ips)
    return DNSObservation(hostname="a.test", engine=engine, query_type="ANY", answers=answers)


def test_what_programs_here_would_connect_to_comes_first():
    system = row("getaddrinfo", ["2001:db8::1", "192.0.2.1", "192.0.2.1"])
    assert addresses([row("doh", ["192.0.2.9"]), row("udp", ["192.0.2.8"]), system]) == (
        "192.0.2.1",
        "2001:db8::1",
    )
    assert addresses([row("getaddrinfo"), row("doh", ["192.0.2.9"]), row("udp", ["192.0.2.8"])]) == (
        "192.0.2.8",
    )
    assert addresses([row("getaddrinfo"), row("doh", ["192.0.2.9"])]) == ("192.0.2.9",)
    assert addresses([row("udp", ["0.0.0.0", "224.0.0.1", "::", "nonsense"])]) == ()
    assert addresses([]) == ()


def test_the_resolver_of_a_scan(pinned_roots):
    async def check():
        resolver = open_resolver(root_pem=pinned_roots, doh_servers=(), patience=FAST)
        rows = await resolver.resolve("localhost", start_stopwatch(NOW))
        await resolver.aclose()
        return rows

    rows = asyncio.run(check())
    assert rows[0].engine == "getaddrinfo"
    assert "127.0.0.1" in rows[0].ips or "::1" in rows[0].ips


def test_a_bad_root_file_is_refused():
    with pytest.raises(ssl.SSLError):
        open_resolver(root_pem="no certificate")
