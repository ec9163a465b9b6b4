"""Packets of our own on loopback: what is sent is what others take for a SYN, and each TTL is seen."""

import asyncio
import contextlib
import errno
import os
import socket
from datetime import UTC, datetime

import pytest

from kzmitm.errors import UsageError
from kzmitm.model.target import Endpoint
from kzmitm.model.trace import Answer
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.expiring_hello import Patience
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.raw_packets import load_scapy, reserved_port
from kzmitm.probe.trace_raw import RawProber

pytest.importorskip("scapy")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make packets")
PATIENCE = Patience(connect_s=2.0, answer_s=1.0, second_s=0.1)


def asked(ip, questions):
    """What comes of questions to a server that ends whatever begins, after an alert."""

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            await reader.read(100)
            writer.write(b"\x15\x03\x03\x00\x02\x02\x70")
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def ask():
        server = await asyncio.start_server(serve, ip, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            watch = start_stopwatch(datetime(2026, 1, 1, tzinfo=UTC))
            with contextlib.closing(RawProber(DirectLink(), Endpoint(ip, port), watch)) as prober:
                return await questions(prober, port)

    return asyncio.run(ask())


@needs_root
@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_answers_and_their_ttls(ip):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET

    async def questions(prober, port):
        with reserved_port(family) as closed:
            return [
                await prober.syn(port, 5, prober.flow, 2.0),
                await prober.syn(closed, 5, 0, 2.0),
                await prober.udp(closed, 5, 0, 2.0),
                await prober.hello("a.test", 5, 0, PATIENCE),
                await prober.hello("a.test", 5, prober.flow, PATIENCE),
            ]

    opened, refused, arrived, *hellos = asked(ip, questions)
    assert (opened.answer, opened.address, opened.reply_ttl) == (Answer.OPEN, ip, 64)
    assert (refused.answer, refused.failure) == (Answer.REFUSED, "connection_refused")
    assert (arrived.answer, arrived.quoted_ttl) == (Answer.ARRIVED, 5)
    for step in hellos:
        assert (step.answer, step.opened_ttl, step.reply_ttl) == (Answer.ALERT, 64, 64)
        assert step.tls is not None
    assert hellos[0].flow != hellos[1].flow == opened.flow


@needs_root
def test_silence_and_what_cannot_be_sent():
    async def questions(prober, _port):
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = other.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
                deaf.bind(("127.0.0.1", 0))
                return (
                    await prober.udp(deaf.getsockname()[1], 1, 0, 0.05),
                    await prober.hello("a.test", 1, taken, PATIENCE),
                )

    silent, unsent = asked("127.0.0.1", questions)
    assert silent.answer is Answer.SILENCE
    assert unsent.answer is Answer.UNSENT


class Unprivileged(socket.socket):
    """What a user without CAP_NET_RAW gets (packet(7), raw(7)), whoever runs the tests."""

    def __init__(self, family=-1, type=-1, *more, **named):  # noqa: A002
        if type == socket.SOCK_RAW:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        super().__init__(family, type, *more, **named)


def test_others_are_told_what_to_do(monkeypatch):
    load_scapy()  # what it imports is not to be held to this
    monkeypatch.setattr(socket, "socket", Unprivileged)
    with pytest.raises(UsageError, match="may not make packets"):
        asked("127.0.0.1", lambda *_: None)
