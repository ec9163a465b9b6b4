"""Messages of the kernel's packet queue, in octets (linux/netfilter/nfnetlink_queue.h).

Integers of netlink's own header are in the order of the machine, those of the queue in network order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, pack
from sys import byteorder

NLM_F_REQUEST, NLM_F_ACK = 0x01, 0x04
NLMSG_ERROR = 2
"""linux/netlink.h"""

NFNL_SUBSYS_QUEUE = 3
"""linux/netfilter/nfnetlink.h"""
NFQNL_MSG_PACKET, NFQNL_MSG_VERDICT, NFQNL_MSG_CONFIG = (NFNL_SUBSYS_QUEUE << 8 | kind for kind in range(3))

NFQA_PACKET_HDR, NFQA_VERDICT_HDR, NFQA_MARK, NFQA_PAYLOAD = 1, 2, 3, 10
NFQA_CFG_CMD, NFQA_CFG_PARAMS, NFQA_CFG_QUEUE_MAXLEN = 1, 2, 3
NFQNL_CFG_CMD_BIND = 1
NFQNL_COPY_PACKET = 2

NF_DROP, NF_ACCEPT = 0, 1
"""linux/netfilter.h"""

WHOLE_PACKET = 0xFFFF
"""Octets copied of a packet: all there can be."""

_HEADER = Struct("=IHHII")
_NFGEN = Struct("!BBH")
_ATTRIBUTE = Struct("=HH")
_TYPE_MASK = 0x3FFF
"""The upper two bits of an attribute's type are flags (linux/netlink.h: NLA_TYPE_MASK)."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A packet that waits for a verdict."""

    number: int
    packet: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The kernel's answer to a request; 0 if it did what was asked, else an errno."""

    error: int


def build_bind(queue: int, max_length: int) -> tuple[bytes, ...]:
    """The requests that make us the ones who are asked about packets of a queue."""
    return tuple(
        _message(NFQNL_MSG_CONFIG, queue, attribute, NLM_F_REQUEST | NLM_F_ACK)
        for attribute in (
            _attribute(NFQA_CFG_CMD, pack("!BxH", NFQNL_CFG_CMD_BIND, 0)),
            _attribute(NFQA_CFG_PARAMS, pack("!IB", WHOLE_PACKET, NFQNL_COPY_PACKET)),
            _attribute(NFQA_CFG_QUEUE_MAXLEN, pack("!I", max_length)),
        )
    )


def build_verdict(
    queue: int, number: int, verdict: int, *, mark: int | None = None, packet: bytes | None = None
) -> bytes:
    """The request that lets packet `number` go or drops it, with another mark or other octets if given."""
    attributes = _attribute(NFQA_VERDICT_HDR, pack("!II", verdict, number))
    if mark is not None:
        attributes += _attribute(NFQA_MARK, pack("!I", mark))
    if packet is not None:
        attributes += _attribute(NFQA_PAYLOAD, packet)
    return _message(NFQNL_MSG_VERDICT, queue, attributes, NLM_F_REQUEST)


def parse_messages(data: bytes) -> Iterator[Queued | Acknowledged]:
    """What the kernel says, up to the first message that is malformed. Never raises."""
    at = 0
    while at + _HEADER.size <= len(data):
        size, kind, _, _, _ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= size <= len(data) - at:
            return
        body = data[at + _HEADER.size : at + size]
        if kind == NLMSG_ERROR and len(body) >= 4:
            yield Acknowledged(-int.from_bytes(body[:4], byteorder, signed=True))
        elif kind == NFQNL_MSG_PACKET:
            found = _parse_attributes(body[_NFGEN.size :])
            header = found.get(NFQA_PACKET_HDR, b"")
            if len(header) >= 4:
                yield Queued(int.from_bytes(header[:4], "big"), found.get(NFQA_PAYLOAD, b""))
        at += _padded(size)


def _parse_attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= size <= len(data) - at:
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + size]
        at += _padded(size)
    return found


def _message(kind: int, queue: int, attributes: bytes, flags: int) -> bytes:
    body = _NFGEN.pack(0, 0, queue) + attributes
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body


def _attribute(kind: int, body: bytes) -> bytes:
    size = _ATTRIBUTE.size + len(body)
    return _ATTRIBUTE.pack(size, kind) + body + bytes(_padded(size) - size)


def _padded(size: int) -> int:
    """Rounded up to four octets (linux/netlink.h: NLMSG_ALIGN, NLA_ALIGN)."""
    return (size + 3) & ~3
