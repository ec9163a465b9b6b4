"""An injector beside the path: it sees a copy of every packet and can only add to them.

Started at the operator's gateway as `python -m kzmitm.lab.parts.on_path NAME ...`. A hello that names a
watched site goes on to the server unharmed; the client is sent a reset in the server's name, which must come
before the server's answer. In the laboratory servers are a tenth of a millisecond away, and every race
against them is lost, so what comes from the servers is held up for as long as a real one is far.
"""

import asyncio
import logging
import socket
import sys
from dataclasses import replace

from kzmitm.lab.interceptor.nfqueue import PacketQueue
from kzmitm.lab.interceptor.packets import Segment, build_reset, parse_segment

QUEUE = 7
HTTPS = 443
DISTANCE_S = 0.02
"""How much farther the servers seem: as from Almaty to Astana and back."""

RULES = (
    f"PREROUTING -i {{inside}} -p tcp --dport {HTTPS} -j NFQUEUE --queue-num {QUEUE} --queue-bypass",
    f"PREROUTING -i {{outside}} -p tcp --sport {HTTPS} -j NFQUEUE --queue-num {QUEUE} --queue-bypass",
)
"""For iptables, in the table `mangle`."""

log = logging.getLogger(__name__)


class Injector:
    """Works from construction on."""

    def __init__(self, names: list[str]) -> None:
        """Bind to the queue; raises OSError."""
        self._names = [name.encode() for name in names]
        self._loop = asyncio.get_running_loop()
        self._queue = PacketQueue(QUEUE)
        # The whole packet is given, the header with it (raw(7), ipv6(7)).
        self._raw = {
            family: socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
            for family in (socket.AF_INET, socket.AF_INET6)
        }
        self._loop.add_reader(self._queue.fileno(), self._read)

    def _read(self) -> None:
        for queued in self._queue.read():
            segment = parse_segment(queued.packet)
            if segment is not None and segment.source_port == HTTPS:
                self._loop.call_later(DISTANCE_S, self._let_go, queued.number)
                continue
            self._queue.accept(queued.number)
            if segment is not None and any(name in segment.payload for name in self._names):
                self._inject(queued.packet, segment)
        self._queue.flush()

    def _let_go(self, number: int) -> None:
        self._queue.accept(number)
        self._queue.flush()

    def _inject(self, packet: bytes, segment: Segment) -> None:
        family = socket.AF_INET if len(segment.source) == 4 else socket.AF_INET6
        client = socket.inet_ntop(family, segment.source)
        try:
            self._raw[family].sendto(answering_reset(packet, segment), (client, 0))
        except OSError as error:
            log.warning("no reset for %s: %s", client, error)
        else:
            log.info("reset %s", client)


def answering_reset(packet: bytes, segment: Segment) -> bytes:
    """A reset to the sender of a segment, in the name of whom it was for, with the expected number."""
    size = len(segment.source)
    at = 12 if size == 4 else 8  # where the addresses are (RFC 791, 3.1; RFC 8200, 3)
    turned = packet[:at] + segment.destination + segment.source + packet[at + 2 * size :]
    answer = replace(
        segment,
        source=segment.destination,
        destination=segment.source,
        source_port=segment.destination_port,
        destination_port=segment.source_port,
        acknowledged=(segment.sequence + len(segment.payload)) % (1 << 32),
    )
    return build_reset(turned, answer, segment.acknowledged)


async def _run(names: list[str]) -> None:
    injector = Injector(names)
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
    del injector


def main() -> None:
    """Inject until killed."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    asyncio.run(_run(sys.argv[1:]))


if __name__ == "__main__":
    main()
