import asyncio
import contextlib
import socket
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from kzmitm.model.observation import Alert, Hello, Role, Split, TLSObservation
from kzmitm.model.target import Endpoint, Vantage
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.pump import Limits
from kzmitm.netio.vantage import VantageLink
from kzmitm.probe.contrast import carry_out
from kzmitm.probe.tls import Conditions, Offer, needs_second_engine, new_driver, shake_hands
from kzmitm.verdict.followup import FollowUp

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def conditions(link=None):
    return Conditions(link or DirectLink(), start_stopwatch(NOW), Limits(1, 1, 1))


@contextlib.asynccontextmanager
async def serving(answer):
    """A server that answers whatever it is sent with `answer`."""

    async def handle(reader, writer):
        await reader.read(65536)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.sleep(0.001)


def test_a_refused_connect_has_no_handshake():
    async def check():
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return await shake_hands(
                Offer("a.test"), Endpoint("127.0.0.1", sock.getsockname()[1]), conditions()
            )

    probed = asyncio.run(check())
    assert probed.tcp.failure == "connection_refused"
    assert probed.tls is None


@pytest.mark.parametrize("engine", ["kzmitm", "openssl"])
@pytest.mark.parametrize("profile", ["small", "browser", "legacy"])
def test_the_handshake_tells_what_was_offered(engine, profile):
    offer = Offer("a.test", profile, Split.NONE, engine)

    async def check():
        async with serving(b"\x15\x03\x03\x00\x02\x02\x28") as endpoint:
            return await shake_hands(offer, endpoint, conditions(), role=Role.OTHER_HELLO, transaction_id=7)

    probed = asyncio.run(check())
    assert probed.tls.hello.profile == profile
    assert probed.tls.hello.engine == engine
    assert probed.tls.hello.size > 0
    assert probed.tls.sni == "a.test"
    assert probed.tls.role is Role.OTHER_HELLO
    assert probed.tls.alerts == (Alert(2, 40),)
    assert probed.tls.failure == "ssl_failed_handshake"
    assert probed.tcp.transaction_id == probed.tls.transaction_id == 7
    assert probed.tcp.t <= probed.tls.t0 <= probed.tls.t
    assert probed.tls.vantage_id == ""


def test_a_control_carries_the_name_of_its_vantage():
    link = DirectLink(Vantage(id="home"))

    async def check():
        async with serving(b"") as endpoint:
            return await shake_hands(Offer("a.test"), endpoint, conditions(link), role=Role.CONTROL)

    probed = asyncio.run(check())
    assert probed.tls.vantage_id == "home"
    assert probed.tls.failure in {"eof_error", "connection_reset"}


@dataclass
class FaultyLink(VantageLink):
    """A link with a flaw of its own."""

    vantage: Vantage = field(default_factory=Vantage)

    async def connect(self, _endpoint, _timeout_s):
        raise ZeroDivisionError("192.0.2.1")


def test_a_fault_of_ours_costs_one_observation():
    endpoint = Endpoint("192.0.2.1", 443)
    probed = asyncio.run(shake_hands(Offer("a.test"), endpoint, conditions(FaultyLink())))
    assert probed.tls.failure == "unknown_failure: internal error: ZeroDivisionError"
    assert probed.tls.endpoint == endpoint


def test_an_unknown_profile_is_the_callers_fault():
    with pytest.raises(KeyError):
        new_driver(Offer("a.test", "no such profile"))


@pytest.mark.parametrize("engine", ["kzmitm", "openssl"])
def test_a_follow_up_offers_what_was_planned(engine):
    step = FollowUp(Role.NO_SNI, None, "legacy", engine=engine)

    async def check():
        async with serving(b"HTTP/1.1 400 Bad Request\r\n\r\n") as endpoint:
            return await carry_out(step, endpoint, conditions(), transaction_id=3)

    tls = asyncio.run(check()).tls
    assert (tls.sni, tls.role, tls.hello.profile, tls.hello.engine) == (None, Role.NO_SNI, "legacy", engine)


BROKEN_OFF = TLSObservation(
    endpoint=Endpoint("192.0.2.1", 443),
    sni="a.test",
    hello=Hello("small"),
    failure="ssl_failed_handshake",
    alerts=(Alert(2, 47, sent=True),),
)


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, True),
        ({"alerts": ()}, True),
        ({"alerts": (Alert(2, 40),)}, False),
        ({"failure": "connection_reset"}, False),
        ({"failure": None}, False),
        ({"first_bytes": b"HTTP"}, False),
        ({"first_bytes": b"\x16\x03\x03\x00\x04"}, True),
        ({"presented_chain": (b"0",)}, False),
        ({"hello": Hello("small", "openssl")}, False),
    ],
)
def test_the_second_engine_is_for_what_ours_broke_off(changes, needed):
    assert needs_second_engine(replace(BROKEN_OFF, **changes)) is needed
