"""Every bad server ends within its limit, with the right failure, and costs little memory."""

import asyncio
import contextlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import hostile
import pytest

from kzmitm.model.observation import Role, Split
from kzmitm.model.target import Endpoint
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.pump import Limits, run_handshake
from kzmitm.wire.client import TLSClient
from kzmitm.wire.profiles import PROFILES

HERE = Path(__file__).parent

LIMITS = Limits(connect_s=1.0, handshake_s=0.15, idle_s=0.1)
SLACK_S = 0.6
"""For a busy machine."""


async def visit(port, *, limits=LIMITS, split=Split.NONE):
    driver = TLSClient(sni="a.test", profile=PROFILES["small"], split=split)
    endpoint = Endpoint("127.0.0.1", port)
    exchange = await run_handshake(
        DirectLink(),
        endpoint,
        driver,
        stopwatch=start_stopwatch(datetime(2026, 1, 1, tzinfo=UTC)),
        limits=limits,
    )
    return exchange, driver.observation(
        endpoint=endpoint,
        role=Role.FIRST,
        t0=exchange.t_connected,
        t=exchange.t,
        transaction_id=1,
        events=exchange.events,
    )


@pytest.mark.parametrize(("behaviour", "failure"), hostile.BEHAVIOURS.values(), ids=hostile.BEHAVIOURS)
def test_each_ends_in_time_with_its_failure(behaviour, failure):
    async def check():
        async with hostile.serving(behaviour) as port:
            started = time.monotonic()
            exchange, observation = await visit(port)
            took = time.monotonic() - started
        assert observation.failure in failure.split(" or ")
        assert exchange.connect_failure is None
        assert took < LIMITS.handshake_s + SLACK_S
        assert len(exchange.events) <= 64
        assert 0 <= exchange.t0 <= exchange.t_connected <= exchange.t

    asyncio.run(check())


def test_dripping_ends_at_the_absolute_limit_not_the_idle_one():
    async def check():
        async with hostile.serving(hostile.drip(hostile.HUGE_CERTIFICATE)) as port:
            exchange, _ = await visit(port)
        assert exchange.t - exchange.t_connected >= LIMITS.handshake_s - 0.01

    asyncio.run(check())


def test_silence_ends_at_the_idle_limit():
    async def check():
        async with hostile.serving(hostile.silent) as port:
            exchange, _ = await visit(port, limits=Limits(1.0, 5.0, 0.05))
        assert 0.04 < exchange.t - exchange.t_connected < 1.0
        assert exchange.events[-1].failure == "generic_timeout_error"

    asyncio.run(check())


def test_what_came_instead_of_tls_is_kept():
    async def check():
        async with hostile.serving(hostile.http) as port:
            _, observation = await visit(port)
        assert observation.first_bytes.startswith(b"HTTP/1.1 400")

    asyncio.run(check())


def test_certificates_are_kept_even_if_the_server_dies_after_them():
    async def check():
        behaviour, _ = hostile.BEHAVIOURS["garbage certificate"]
        async with hostile.serving(behaviour) as port:
            _, observation = await visit(port)
        assert observation.presented_chain == (hostile.GARBAGE_CERTIFICATE,)

    asyncio.run(check())


def test_hundreds_of_bad_servers_at_once():
    async def check():
        async with contextlib.AsyncExitStack() as stack:
            behaviours = [b for b, _ in hostile.BEHAVIOURS.values()]
            ports = [await stack.enter_async_context(hostile.serving(b)) for b in behaviours]
            started = time.monotonic()
            await asyncio.gather(*[visit(port) for port in ports * 10])
            assert time.monotonic() - started < 10

    asyncio.run(check())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no getrusage")
def test_none_costs_more_than_32_megabytes():
    async def check():
        async with contextlib.AsyncExitStack() as stack:
            behaviours = [b for b, _ in hostile.BEHAVIOURS.values()]
            ports = [await stack.enter_async_context(hostile.serving(b)) for b in behaviours]
            client = await asyncio.create_subprocess_exec(
                sys.executable,
                str(HERE / "hostile_client.py"),
                *map(str, ports),
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await client.communicate()
        assert client.returncode == 0
        assert int(output) < 32 * 1024

    asyncio.run(check())
