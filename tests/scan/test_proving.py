"""Vantages are proven before use: one that does not work, one that forges, one that is as it should be."""

import asyncio
import ssl
import sys
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "netio"))

import hostile
from self_signed import self_signed
from test_netio_proxies import free_port, relay, running, socks_proxy
from test_scan_verdicts import HOST, LIMITS, STRANGER, World

from kzmitm.errors import UsageError
from kzmitm.lab.products import find_products, how_to_get
from kzmitm.model.observation import Role
from kzmitm.model.target import Target
from kzmitm.model.verdict import Outcome
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.places import LocateError, NetworkTable, ask_place, check_service, read_table
from kzmitm.netio.resolve import Resolver
from kzmitm.netio.vantage import ProxyError, VantageLink, open_vantage
from kzmitm.scan import Network, ScanOptions, scan
from kzmitm.scan.health import LinkHealth, is_link_failure
from kzmitm.scan.proving import Locator, VantageProof, prove
from kzmitm.verdict.judge import Judge

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NO_MITMPROXY = find_products().lacks(["mitmproxy"])
needs_mitmproxy = pytest.mark.skipif(bool(NO_MITMPROXY), reason=f"needs {how_to_get(NO_MITMPROXY)}")


@pytest.fixture(scope="module")
def world():
    made = World()
    made.origin = made.site(lambda sni: made.genuine.get(sni, made.genuine[STRANGER]))
    yield made
    made.servers.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("certificate"))


def judge_of(world):
    return Judge(registry=world.registry, store=world.store)


async def proof_of(world, link, *, names=(HOST,), **more):
    rules = [f"::{world.origin.ip}:{world.origin.port}"]
    network = Network(link=link, overrides=parse_overrides(rules, []))
    try:
        return await prove(
            network,
            [Target(name) for name in names],
            judge=judge_of(world),
            options=ScanOptions(limits=LIMITS, concurrency=2),
            rng=Random(1),
            now=lambda: NOW,
            **more,
        )
    finally:
        await link.aclose()


async def prove_through(world, behaviour, scheme="socks5", **more):
    async with hostile.serving(behaviour) as port:
        return await proof_of(world, open_vantage(f"{scheme}://127.0.0.1:{port}"), **more)


def forging_proxy(world):
    """An HTTP proxy that answers every TLS connection itself."""
    forged = {name: world.known.forge(each.certificate) for name, each in world.genuine.items()}
    forger = world.site(lambda sni: forged.get(sni, forged[STRANGER]))

    async def behaviour(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await relay(reader, writer, forger.ip, forger.port)

    return behaviour


def test_a_proxy_that_relays(world):
    proof = asyncio.run(prove_through(world, socks_proxy()))
    assert (proof.works, proof.alters_tls, proof.verdict, proof.failure) == (True, False, None, None)
    assert proof.is_usable
    assert (proof.asn, proof.cc, proof.address_seen, proof.at) == ("AS0", "ZZ", "", NOW)


def test_a_proxy_that_forges_is_caught_with_its_verdict(world):
    proof = asyncio.run(prove_through(world, forging_proxy(world), "http"))
    assert (proof.works, proof.alters_tls, proof.is_usable) == (True, True, False)
    assert proof.verdict.outcome is Outcome.INTERCEPTION
    assert proof.verdict.authority.id == "look-alike"


@needs_mitmproxy
@pytest.mark.parametrize(("mode", "scheme"), [("regular", "http"), ("socks5", "socks5")])
def test_mitmproxy_as_a_proxy_is_caught(world, tmp_path, mode, scheme):
    port = free_port()
    command = [
        str(find_products().programs["mitmproxy"]), "--mode", f"{mode}@127.0.0.1:{port}",
        "--set", f"confdir={tmp_path}", "--set", "ssl_insecure=true", "--set", "connection_strategy=eager",
    ]  # fmt: skip
    with running(command, port=port):
        proof = asyncio.run(proof_of(world, open_vantage(f"{scheme}://127.0.0.1:{port}")))
    assert (proof.works, proof.alters_tls, proof.is_usable) == (True, True, False)
    assert proof.verdict.outcome is Outcome.INTERCEPTION


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [
        (hostile.close_at_once, "unknown_failure: proxy"),
        (socks_proxy(5), "connection_refused"),
        (socks_proxy(1), "unknown_failure: proxy"),
    ],
)
def test_a_proxy_that_does_not_work(world, behaviour, failure):
    proof = asyncio.run(prove_through(world, behaviour))
    assert (proof.works, proof.alters_tls, proof.is_usable) == (False, None, False)
    assert proof.failure == failure


class Unready(VantageLink):
    def __init__(self, exc):
        self.exc = exc

    async def ready(self):
        raise self.exc


@pytest.mark.parametrize("exc", [ProxyError("it is not there"), UsageError("it is not there")])
def test_a_link_that_is_not_ready_tells_why(world, exc):
    proof = asyncio.run(proof_of(world, Unready(exc)))
    assert (proof.works, proof.failure) == (False, "it is not there")


def test_a_proof_needs_a_control(world):
    with pytest.raises(ValueError, match="control"):
        asyncio.run(proof_of(world, open_vantage("direct:"), names=()))


# --- where it comes out


def telling(answer, *, asked=None, status=b"200 OK"):
    """An HTTPS service that answers every request so."""

    async def behaviour(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(request)
        head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(answer))
        writer.write(head + answer)

    return behaviour


TRACE = b"fl=1f1\nh=where.test\nip=2001:db8:5::77\nts=1.0\nloc=kz\ntls=TLSv1.3\n"


async def located(world, certificate, answer, *, host="localhost", asked=None, status=b"200 OK"):
    table = NetworkTable()
    table.add("2001:db8::/32", "64500")
    table.add("2001:db8:5::/48", "AS64501")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    names = []
    async with (
        hostile.serving(telling(answer, asked=asked, status=status), context=context) as port,
        hostile.serving(socks_proxy(asked=names)) as proxy,
    ):
        locator = Locator(
            url=f"https://{host}:{port}/cdn-cgi/trace", root_pem=certificate[0].read_text(), networks=table
        )
        proof = await proof_of(world, open_vantage(f"socks5h://127.0.0.1:{proxy}"), locator=locator)
    return proof, names


def test_where_it_comes_out(world, certificate):
    asked = []
    proof, names = asyncio.run(located(world, certificate, TRACE, asked=asked))
    assert (proof.asn, proof.cc, proof.address_seen) == ("AS64501", "KZ", "2001:db8:5::77")
    assert proof.is_usable
    assert "2001:db8" not in repr(proof)
    assert names[-1] == "localhost"  # it was asked through the proxy
    assert asked[0].startswith(b"GET /cdn-cgi/trace HTTP/1.1\r\n")
    assert b"user-agent" not in asked[0].lower()


@pytest.mark.parametrize(
    ("answer", "status", "failure"),
    [
        (b"loc=KZ\n", b"200 OK", "told no address"),
        (b"ip=nonsense\n", b"200 OK", "told no address"),
        (b"\xff", b"200 OK", "told no address"),
        (b"x" * 20_000, b"200 OK", "too much"),
        (TRACE, b"403 Forbidden", "answered 403"),
    ],
    ids=["no address", "nonsense", "no text", "too much", "refused"],
)
def test_a_service_that_does_not_tell_leaves_the_vantage_usable(world, certificate, answer, status, failure):
    proof, _ = asyncio.run(located(world, certificate, answer, status=status))
    assert proof.is_usable
    assert (proof.asn, proof.cc, proof.address_seen) == ("AS0", "ZZ", "")
    assert failure in proof.failure


def test_a_service_with_another_certificate_is_not_believed(world, certificate):
    proof, _ = asyncio.run(located(world, certificate, TRACE, host="elsewhere.test"))
    assert "could not be asked" in proof.failure
    assert proof.address_seen == ""


@pytest.mark.parametrize(
    "behaviour",
    [
        hostile.silent,
        hostile.close_at_once,
        hostile.close_after_hello,
        hostile.reset_after_hello,
        hostile.echo,
    ],
)
@pytest.mark.parametrize("tls", [True, False])
def test_a_service_that_misbehaves(certificate, behaviour, tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    async def check():
        async with hostile.serving(behaviour, context=context if tls else None) as port:
            with pytest.raises(LocateError, match="could not be asked"):
                await ask_place(
                    open_vantage("direct:"),
                    f"https://localhost:{port}/",
                    root_pem=certificate[0].read_text(),
                    ip="127.0.0.1",
                    wait_s=0.3,
                )

    asyncio.run(check())


@pytest.mark.parametrize("uri", ["direct:", "socks5h://127.0.0.1:1"])
def test_a_service_that_is_not_there(certificate, uri):
    asking = ask_place(open_vantage(uri), "https://127.0.0.1:1/", root_pem=certificate[0].read_text())
    with pytest.raises(LocateError, match="could not be asked"):
        asyncio.run(asking)


def test_a_country_that_is_none(world, certificate):
    proof, _ = asyncio.run(located(world, certificate, b"ip=192.0.2.1\nloc=<script>\n"))
    assert (proof.cc, proof.asn, proof.address_seen) == ("ZZ", "AS0", "192.0.2.1")


def test_the_name_of_a_service_that_has_no_address(world, certificate):
    locator = Locator(url="https://where.test/", root_pem=certificate[0].read_text())

    async def check():
        network = Network(
            link=open_vantage("direct:"),
            resolver=Resolver([]),
            overrides=parse_overrides([f"{HOST}::{world.origin.ip}:{world.origin.port}"], []),
        )
        return await prove(
            network, [Target(HOST)], judge=judge_of(world), options=ScanOptions(limits=LIMITS),
            rng=Random(1), now=lambda: NOW, locator=locator,
        )  # fmt: skip

    proof = asyncio.run(check())
    assert proof.is_usable
    assert proof.failure == "the name of the service has no address"


def test_tables_of_networks(tmp_path):
    table = tmp_path / "table"
    table.write_text(
        "# a comment\n\n192.0.2.0/24 AS64500\n192.0.2.128/25 64501\n203.0.113.0\t24\t64502_64503\n"
        "2001:db8::\t32\t64504,64505\n"
    )
    networks = read_table(table)
    found = [networks.asn_of(ip) for ip in ("192.0.2.1", "192.0.2.200", "203.0.113.9", "2001:db8::1", "::1")]
    assert found == ["AS64500", "AS64501", "AS64502", "AS64504", "AS0"]


@pytest.mark.parametrize("line", ["192.0.2.0/33 1", "x 1", "192.0.2.0/24 ASx", "192.0.2.0/24", "a b c d"])
def test_bad_tables_name_the_line(tmp_path, line):
    table = tmp_path / "table"
    table.write_text(f"192.0.2.0/24 1\n{line}\n")
    with pytest.raises(UsageError, match=r"table:2: ") as caught:
        read_table(table)
    assert caught.value.hint


def test_tables_that_cannot_be_read(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("none", "binary"):
        with pytest.raises(UsageError, match=name):
            read_table(tmp_path / name)


@pytest.mark.parametrize("url", ["", "http://a.test/", "https://", "https://u:p@a.test/", "https://[::1"])
def test_services_that_are_none(url):
    assert check_service("https://where.test/trace") == "https://where.test/trace"
    with pytest.raises(UsageError):
        check_service(url)


# --- health


def usable(at=NOW, **more):
    return VantageProof(**({"works": True, "alters_tls": False, "at": at} | more))


async def measured(world, link):
    """A measurement through `link`."""
    rules = parse_overrides([f"::{world.origin.ip}:{world.origin.port}"], [])
    stream = scan(
        [Target(HOST)], network=Network(link=link, overrides=rules), judge=judge_of(world),
        options=ScanOptions(limits=LIMITS), rng=Random(1), now=lambda: NOW,
    )  # fmt: skip
    async with aclosing(stream):
        async for judged in stream:
            return judged.measurement
    return None


@pytest.fixture(scope="module")
def measurements(world):
    """One that worked, one whose target refused, one whose proxy failed."""

    async def make():
        made = []
        for code in (0, 5, 1):
            async with hostile.serving(socks_proxy(code)) as port:
                made.append(await measured(world, open_vantage(f"socks5://127.0.0.1:{port}")))
        return made

    return asyncio.run(make())


def test_only_its_own_failures_in_a_row_bring_a_link_down(measurements):
    worked, refused, failed = measurements
    assert [is_link_failure(m) for m in measurements] == [False, False, True]
    health = LinkHealth(down_after=3, doubtful_after=4)
    for m in (failed, failed, refused, failed, failed, worked, failed, failed):
        health.note(m)
        assert not health.is_down
    health.note(failed)
    assert health.is_down
    assert health.is_doubtful
    health.note(worked)
    assert health.is_down  # only a proof brings it back
    health.note_proof(usable(alters_tls=None))
    assert health.is_down
    health.note_proof(usable())
    assert (health.is_down, health.failures, health.silences, health.is_doubtful) == (False, 0, 0, False)


def test_many_silent_targets_make_it_doubtful(measurements):
    worked, refused, _ = measurements
    nameless = replace(worked, tcp=(), tls=())
    health = LinkHealth(doubtful_after=4)
    for m in (refused, nameless, refused):
        health.note(m)
    assert not health.is_doubtful
    health.note(nameless)
    assert health.is_doubtful
    assert not health.is_down
    health.note(worked)
    assert not health.is_doubtful


def test_a_link_that_breaks_in_a_handshake(measurements):
    worked, *_ = measurements
    cut = replace(worked.tls[0], presented_chain=(), failure="unknown_failure: proxy")
    assert is_link_failure(replace(worked, tls=(cut,)))
    assert not is_link_failure(replace(worked, tls=(cut, worked.tls[0])))
    elsewhere = replace(cut, role=Role.CONTROL, vantage_id="other")
    assert not is_link_failure(replace(worked, tls=(worked.tls[0], elsewhere)))
