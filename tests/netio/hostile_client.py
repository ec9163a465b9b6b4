"""Visits the ports given as arguments and prints how far its memory grew beyond a first visit, in KiB."""

import asyncio
import resource
import sys
from datetime import UTC, datetime

from kzmitm.model.observation import Role
from kzmitm.model.target import Endpoint
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.pump import Limits, run_handshake
from kzmitm.wire.client import TLSClient
from kzmitm.wire.profiles import PROFILES


async def visit(port: int) -> None:
    driver = TLSClient(sni="a.test", profile=PROFILES["small"])
    endpoint = Endpoint("127.0.0.1", port)
    await run_handshake(
        DirectLink(),
        endpoint,
        driver,
        stopwatch=start_stopwatch(datetime(2026, 1, 1, tzinfo=UTC)),
        limits=Limits(2, 0.3, 0.2),
    )
    driver.observation(endpoint=endpoint, role=Role.FIRST, t0=0, t=0, transaction_id=1)


async def main(ports: list[int]) -> int:
    await visit(ports[0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for port in ports:
        await visit(port)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


if __name__ == "__main__":
    sys.stdout.write(str(asyncio.run(main([int(text) for text in sys.argv[1:]]))))
