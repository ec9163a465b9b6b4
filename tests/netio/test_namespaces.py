"""Vantages inside Linux: namespaces and interfaces, with cables and servers of their own."""

import asyncio
import contextlib
import os
import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime

import hostile
import pytest
from nameservers import answering, doh_server, name_server
from namespaces import far_side, in_new_namespace, needs_root, resolver_is, run, wait_for_ipv6
from test_netio_proxies import PROXY_FAILED, shake_through

from kzmitm.errors import UsageError
from kzmitm.model.target import Endpoint, Vantage
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.links import _inside, netns
from kzmitm.netio.pump import Limits
from kzmitm.netio.resolve import addresses, open_resolver
from kzmitm.netio.vantage import open_vantage

ZONE = answering({("a.test", "A"): ["10.9.0.1"], ("a.test", "AAAA"): ["fd00:9::1"]})
SOON = Limits(0.3, 0.3, 0.3)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _on_loopback_only():
    """Here nothing can leave: the network of each test is a new one, or nothing is connected."""


@contextlib.asynccontextmanager
async def noting_server(certificate, host, link=None):
    """A server at `host` (of the namespace of `link`) with a chain; yields its port and who connected."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family) if link is None else link.new_socket(family)
    listening.settimeout(0)
    listening.bind((host, 0))
    seen = []

    async def note(reader, writer):
        seen.append(writer.get_extra_info("peername")[0])
        writer.write(hostile.genuine_flight(await reader.read(65536), *certificate))
        await hostile.forever(reader)

    async with hostile.serving(note, listening=listening) as port:
        yield port, seen


# --- netns


@needs_root
@pytest.mark.parametrize(("host", "source"), [("10.7.0.1", "10.7.0.2"), ("fd00:7::1", "fd00:7::2")])
def test_sockets_are_the_namespaces(certificate, host, source):
    async def check():
        link = open_vantage("netns:far#vpn")
        assert (link.vantage.id, link.vantage.kind, link.vantage.dns) == ("vpn", "netns", "vantage")
        async with noting_server(certificate, host) as (port, seen):
            done = await asyncio.gather(*[shake_through(link, Endpoint(host, port)) for _ in range(40)])
            sock = await link.connect(Endpoint(host, port), 5)
            sock.close()
        await link.aclose()
        assert all(len(observation.presented_chain) == 1 for _, observation in done)
        assert set(seen) == {source}

    def scene():
        far_side()
        wait_for_ipv6()
        asyncio.run(check())

    in_new_namespace(scene)


@needs_root
@pytest.mark.parametrize("own", [True, False])
def test_names_are_resolved_inside(certificate, pinned_roots, own):
    """By /etc/netns/NAME/resolv.conf, else /etc/resolv.conf; and DNS over HTTPS leaves there, too."""

    async def check():
        link = open_vantage("netns:far")
        async with (
            name_server(ZONE, host="10.7.0.1", port=53, seen=(asked := [])),
            doh_server(ZONE, certificate, host="10.7.0.1", seen=asked) as url,
        ):
            resolver = open_resolver(root_pem=pinned_roots, doh_servers=(url,), link=link)
            rows = await resolver.resolve("a.test", start_stopwatch(NOW))
            await resolver.aclose()
        await link.aclose()
        assert addresses(rows) == ("10.9.0.1", "fd00:9::1")
        assert {row.engine for row in rows} == {"udp", "doh"}
        assert set(asked) == {"10.7.0.2"}

    def scene():
        far_side()
        resolver_is("10.7.0.1", "/etc/netns/far/resolv.conf" if own else "/etc/resolv.conf")
        if own:
            resolver_is("192.0.2.1")
        asyncio.run(check())

    in_new_namespace(scene)


@needs_root
def test_a_namespace_by_its_path_and_what_its_own_network_refuses():
    path = f"/proc/{os.getpid()}/task/{{}}/ns/net"

    async def check(link):
        refused, _ = await shake_through(link, Endpoint("127.0.0.1", 1), limits=SOON)
        routeless, _ = await shake_through(link, Endpoint("192.0.2.1", 1), limits=SOON)
        await link.aclose()
        assert refused.connect_failure == "connection_refused"
        # Nothing leads out of it: the vantage is of no use, and the target was not even asked.
        assert routeless.connect_failure == PROXY_FAILED

    in_new_namespace(
        lambda: asyncio.run(check(open_vantage("netns:" + path.format(threading.get_native_id()))))
    )


@needs_root
def test_a_target_without_a_route_is_not_the_namespaces_failure():
    async def check():
        link = open_vantage("netns:far")
        exchange, _ = await shake_through(link, Endpoint("192.0.2.1", 1), limits=SOON)
        await link.aclose()
        assert exchange.connect_failure == "network_unreachable"

    def scene():
        far_side()
        asyncio.run(check())

    in_new_namespace(scene)


@needs_root
def test_a_namespace_that_was_deleted_and_comes_back(certificate):
    async def check():
        link = open_vantage("netns:far")
        async with noting_server(certificate, "10.7.0.1") as (port, seen):
            endpoint = Endpoint("10.7.0.1", port)
            assert (await shake_through(link, endpoint))[1].presented_chain
            for device in ("up0", "up1"):
                run(f"ip link set {device} down")
            run("ip netns del far")
            gone, _ = await shake_through(link, endpoint, limits=SOON)
            with pytest.raises(UsageError, match="no such namespace"):
                await link.ready()
            away, _ = await shake_through(link, endpoint, limits=SOON)
            far_side(device="new")
        async with noting_server(certificate, "10.7.0.1") as (port, seen):
            await link.ready()
            assert (await shake_through(link, Endpoint("10.7.0.1", port)))[1].presented_chain
        await link.aclose()
        assert gone.connect_failure == away.connect_failure == PROXY_FAILED
        assert seen == ["10.7.0.2"]

    def scene():
        far_side()
        asyncio.run(check())

    in_new_namespace(scene)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("netns:no-such-namespace", "there is no such namespace"),
        ("netns:/proc/no-such-file", "there is no such namespace"),
        pytest.param("netns:/proc/self/cmdline", "that is no network namespace", marks=needs_root),
        ("netns:", "no name of a namespace"),
        ("netns:..", "no name of a namespace"),
        ("netns:a/b", "no name of a namespace"),
        ("netns:a\nb", "no name of a namespace"),
    ],
)
def test_namespaces_that_cannot_be_entered(uri, words):
    with pytest.raises(UsageError, match=words) as caught:
        open_vantage(uri)
    assert "\n" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint


@needs_root
def test_only_root_may_enter(tmp_path):
    """A thread without the capability is refused by the kernel, as an ordinary user is."""

    def as_somebody():
        assert _inside.libc().syscall(SYS_SETRESUID, 65534, 65534, 65534) == 0  # of this thread only
        with pytest.raises(UsageError, match="only root") as caught:
            netns.open_link("/proc/thread-self/ns/net", Vantage())
        assert "sudo" in caught.value.hint

    SYS_SETRESUID = {"x86_64": 117, "aarch64": 147}.get(os.uname().machine)  # noqa: N806
    if SYS_SETRESUID is None:
        pytest.skip("the number of setresuid on this machine is not known")
    in_new_namespace(as_somebody)


# --- interface


@needs_root
@pytest.mark.parametrize("binds_device", [True, False])
@pytest.mark.parametrize(("host", "net"), [("10.9.0.1", "10.{}.0.1"), ("fd00:9::1", "fd00:{}::1")])
def test_each_interface_is_a_way_out(certificate, binds_device, host, net):
    async def check():
        far = open_vantage("netns:far")
        async with noting_server(certificate, host, far) as (port, seen):
            for uri in ("direct:", "interface:up0", "interface:up1#second"):
                link = open_vantage(uri)
                if uri != "direct:":
                    assert link.binds_device  # since Linux 5.7 everybody may
                    link = replace(link, binds_device=binds_device)
                exchange, observation = await shake_through(link, Endpoint(host, port))
                assert observation.presented_chain, exchange
        await far.aclose()
        assert seen == [net.format(number) for number in (7, 7, 8)]
        assert (link.vantage.id, link.vantage.kind, link.vantage.dns) == ("second", "interface", "vantage")

    def scene():
        far_side()
        wait_for_ipv6()
        asyncio.run(check())

    in_new_namespace(scene)


@needs_root
@pytest.mark.parametrize("stub", [False, True])
def test_names_are_asked_through_the_interface(certificate, pinned_roots, stub):
    """Also where the configured server is systemd-resolved's on loopback, which would ask elsewhere."""

    async def check():
        far = open_vantage("netns:far")
        link = open_vantage("interface:up1")
        async with (
            name_server(ZONE, host="10.9.0.1", port=53, seen=(asked := []), truncate=True, link=far),
            doh_server(ZONE, certificate, host="10.9.0.1", seen=asked, link=far) as url,
        ):
            resolver = open_resolver(root_pem=certificate[0].read_text(), doh_servers=(url,), link=link)
            rows = await resolver.resolve("a.test", start_stopwatch(NOW))
            await resolver.aclose()
        await far.aclose()
        assert addresses(rows) == ("10.9.0.1", "fd00:9::1")
        assert {row.engine for row in rows} == {"udp", "doh"}
        assert set(asked) == {"10.8.0.1"}

    def scene():
        far_side()
        resolver_is("127.0.0.53" if stub else "10.9.0.1")
        resolver_is("10.9.0.1", "/run/systemd/resolve/resolv.conf")
        asyncio.run(check())

    in_new_namespace(scene)


@needs_root
@pytest.mark.parametrize("binds_device", [True, False])
def test_an_interface_that_goes_down_and_away(certificate, binds_device):
    async def check():
        far = open_vantage("netns:far")
        link = replace(open_vantage("interface:up1"), binds_device=binds_device)
        async with noting_server(certificate, "10.9.0.1", far) as (port, _):
            endpoint = Endpoint("10.9.0.1", port)
            works = await shake_through(link, endpoint)
            refused = await shake_through(link, Endpoint("10.9.0.1", 1))
            run("ip link set up1 down")
            down = await shake_through(link, endpoint, limits=SOON)
            with pytest.raises(UsageError, match="up1 is down"):
                await link.ready()
            run("ip link del up1")
            gone = await shake_through(link, endpoint, limits=SOON)
            with pytest.raises(UsageError, match="no interface up1"):
                await link.ready()
        await far.aclose()
        assert works[1].presented_chain
        assert refused[0].connect_failure == "connection_refused"
        assert down[0].connect_failure == gone[0].connect_failure == PROXY_FAILED

    def scene():
        far_side()
        asyncio.run(check())

    in_new_namespace(scene)


@needs_root
def test_an_interface_that_goes_down_in_a_handshake():
    async def check():
        far = open_vantage("netns:far")
        link = open_vantage("interface:up1")
        listening = far.new_socket(socket.AF_INET)
        listening.bind(("10.9.0.1", 0))

        async def cut(reader, writer):
            run("ip link set up1 down")
            await hostile.forever(reader)

        async with hostile.serving(cut, listening=listening) as port:
            exchange, seen = await shake_through(link, Endpoint("10.9.0.1", port), limits=Limits(1, 0.3, 0.3))
        await far.aclose()
        assert exchange.connect_failure is None
        assert seen.failure == PROXY_FAILED

    def scene():
        far_side()
        asyncio.run(check())

    in_new_namespace(scene)


@needs_root
def test_a_family_that_the_interface_has_not(certificate):
    async def check():
        link = open_vantage("interface:up1")
        for binds_device, failure in ((True, "network_unreachable"), (False, "address_not_available")):
            one = replace(link, binds_device=binds_device)
            exchange, _ = await shake_through(one, Endpoint("2001:db8::1", 443), limits=SOON)
            assert exchange.connect_failure == failure

    def scene():
        far_side()
        run("ip -6 address flush dev up1")
        asyncio.run(check())

    in_new_namespace(scene)


@needs_root
def test_an_interface_that_is_not_ready():
    def scene():
        far_side()
        run("ip link set up0 down")
        with pytest.raises(UsageError, match="up0 is down") as caught:
            open_vantage("interface:up0")
        assert "ip link set up0 up" in caught.value.hint
        run("ip address flush dev up1")
        with pytest.raises(UsageError, match="up1 has no address"):
            open_vantage("interface:up1")

    in_new_namespace(scene)


def test_loopback_is_an_interface(certificate):
    async def check():
        async with hostile.tls_server(certificate) as port:
            _, seen = await shake_through(open_vantage("interface:lo"), Endpoint("127.0.0.1", port))
            assert seen.presented_chain

    asyncio.run(check())


@pytest.mark.parametrize("name", ["nosuchif0", "", "a/b", "averyveryverylongname", "a b", "x\n"])
def test_interfaces_that_are_none(name):
    with pytest.raises(UsageError) as caught:
        open_vantage(f"interface:{name}")
    assert "\n" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint
