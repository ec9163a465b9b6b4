"""What a library stumbles over is an observation."""

import asyncio
import socket
from datetime import UTC, datetime

import pytest

from kzmitm.model.target import Endpoint
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.pump import Limits
from kzmitm.netio.vantage import VantageLink, open_vantage
from kzmitm.probe.quic import shake_hands_quic
from kzmitm.probe.tls import Conditions

pytest.importorskip("aioquic", reason="needs aioquic (pip install aioquic)")


class Broken(VantageLink):
    """A link with a fault of its own."""

    def new_socket(self, family, kind=socket.SOCK_STREAM):
        raise RuntimeError(f"{family} {kind}")


def shake(link, port):
    conditions = Conditions(link, start_stopwatch(datetime(2026, 1, 1, tzinfo=UTC)), Limits(0.3, 0.3, 0.3))
    return asyncio.run(shake_hands_quic("a.test", Endpoint("127.0.0.1", port), conditions))


def test_a_fault_is_told_and_does_not_spread():
    seen = shake(Broken(), 9)
    assert seen.failure == "unknown_failure: internal error: RuntimeError"
    assert (seen.presented_chain, seen.hello.engine, seen.sni) == ((), "aioquic", "a.test")


def test_silence_is_as_ever():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        assert shake(open_vantage("direct:"), silent.getsockname()[1]).failure == "generic_timeout_error"
