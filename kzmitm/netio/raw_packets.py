"""Packets of our own making, and all that comes of them (Linux, as root, with scapy).

Sent over a raw socket, seen over a packet socket that takes link layers off, as in capture.py. The kernel
knows nothing of our SYNs, so it resets what answers them, as it should: nobody keeps half a connection.
"""

import asyncio
import contextlib
import errno
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kzmitm.errors import UsageError
from kzmitm.wire.quoted import Message, Segment, parse_message, parse_segment

_ETH_P_ALL = 3
_MAX_PACKET = 1 << 16
_MAX_BATCH = 256
"""Packets read before others get their turn."""
_PAYLOAD = b"kzmitm trace"
_UDP_HEADER = 8
_HINT = "run it as root, or leave out --raw: ordinary sockets tell the same of most paths"

OnMessage = Callable[[Message], None]
OnSegment = Callable[[Segment, bytes], None]


@dataclass(frozen=True, slots=True)
class Layers:
    """What is taken of scapy."""

    IP: Any
    IPv6: Any
    TCP: Any
    UDP: Any


def load_scapy() -> Layers:
    """The layers of scapy; raises UsageError without it."""
    try:
        from scapy.layers.inet import IP, TCP, UDP  # noqa: PLC0415 (an extra, and slow to load)
        from scapy.layers.inet6 import IPv6  # noqa: PLC0415
    except ImportError:
        raise UsageError("--raw needs scapy", hint="pip install 'kzmitm[raw]', or leave it out") from None
    return Layers(IP=IP, IPv6=IPv6, TCP=TCP, UDP=UDP)


class RawPackets:
    """Sends to one address, and hands on what comes from it and what is said of our packets to it."""

    def __init__(self, target_ip: str) -> None:
        """Raises UsageError without scapy or privilege, OSError without a route."""
        self._layers = load_scapy()
        self._target = target_ip
        self._family = socket.AF_INET6 if ":" in target_ip else socket.AF_INET
        self.source = _source(self._family, target_ip)
        self._messages: list[OnMessage] = []
        self._segments: list[OnSegment] = []
        try:
            self._out = socket.socket(self._family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        except PermissionError:
            raise UsageError("--raw: this user may not make packets", hint=_HINT) from None
        try:
            self._in = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        except BaseException:
            self._out.close()
            raise
        self._in.settimeout(0)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._in.fileno(), self._read)

    def close(self) -> None:
        """Free both sockets; may be called again."""
        if self._in.fileno() >= 0:
            self._loop.remove_reader(self._in.fileno())
        self._in.close()
        self._out.close()

    def listen(self, on_message: OnMessage, on_segment: OnSegment) -> Callable[[], None]:
        """Be told of messages and segments from now on; call what is returned to end that."""
        self._messages.append(on_message)
        self._segments.append(on_segment)

        def stop() -> None:
            self._messages.remove(on_message)
            self._segments.remove(on_segment)

        return stop

    def send_syn(self, flow: int, port: int, ttl: int) -> int:
        """Send a SYN as Linux opens a connection; its sequence number."""
        sequence = secrets.randbits(32)
        options: list[tuple[str, Any]] = [
            ("MSS", 1460 if self._family == socket.AF_INET else 1440),
            ("SAckOK", b""),
        ]
        options += [("Timestamp", (secrets.randbits(31), 0)), ("NOP", None), ("WScale", 7)]
        tcp = self._layers.TCP(sport=flow, dport=port, seq=sequence, flags="S", window=64240, options=options)
        self._send(self._ip(ttl) / tcp)
        return sequence

    def send_udp(self, flow: int, port: int, ttl: int) -> int:
        """Send a datagram; its length, which is another one for each TTL."""
        payload = _PAYLOAD.ljust(len(_PAYLOAD) + ttl, b".")
        self._send(self._ip(ttl) / self._layers.UDP(sport=flow, dport=port) / payload)
        return _UDP_HEADER + len(payload)

    def _ip(self, ttl: int) -> Any:
        if self._family == socket.AF_INET:
            ip = self._layers.IP(src=self.source, dst=self._target, ttl=ttl, flags="DF")
            ip.id = secrets.randbits(16)
            return ip
        return self._layers.IPv6(src=self.source, dst=self._target, hlim=ttl)

    def _send(self, packet: Any) -> None:
        address = (self._target, 0) if self._family == socket.AF_INET else (self._target, 0, 0, 0)
        self._out.sendto(bytes(packet), address)

    def _read(self) -> None:
        for _ in range(_MAX_BATCH):
            try:
                packet, _address = self._in.recvfrom(_MAX_PACKET)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as exc:
                if exc.errno == errno.ENETDOWN:
                    continue
                return
            self._hand_on(packet)

    def _hand_on(self, packet: bytes) -> None:
        message = parse_message(packet)
        if message is not None:
            if message.quoted.destination == self._target and message.quoted.source == self.source:
                for on_message in tuple(self._messages):
                    on_message(message)
            return
        segment = parse_segment(packet)
        if segment is not None and self._target in (segment.source, segment.destination):
            for on_segment in tuple(self._segments):
                on_segment(segment, packet)


def _source(family: int, target_ip: str) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((target_ip, 9))
        name: str = sock.getsockname()[0]
        return name


@contextlib.contextmanager
def reserved_port(family: int, wanted: int = 0) -> Any:
    """A TCP port that nobody else is given meanwhile."""
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", wanted))
        yield sock.getsockname()[1]
