"""A live connection taken over: a socket made in repair mode that is the server's from the next octet on.

As CRIU restores a connection (https://criu.org/TCP_connection; linux/tcp.h, net/ipv4/tcp.c). The socket has
the server's address, which IP_TRANSPARENT allows, and the firewall rules bring it the client's packets.
"""

import socket
from struct import Struct, pack

from kzmitm.lab.interceptor.actions import Plan
from kzmitm.lab.interceptor.flow import agreed
from kzmitm.lab.interceptor.stream import distance

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
TCP_REPAIR_OPTIONS, TCP_TIMESTAMP, TCP_REPAIR_WINDOW = 22, 24, 29
TCP_RECV_QUEUE, TCP_SEND_QUEUE = 1, 2
"""linux/tcp.h"""
TCPOPT_MSS, TCPOPT_WINDOW, TCPOPT_SACK_PERM, TCPOPT_TIMESTAMP = 2, 3, 4, 8
"""net/tcp.h"""
IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75
"""linux/in.h, linux/in6.h"""

DEFAULT_MSS = {socket.AF_INET: 536, socket.AF_INET6: 1220}
"""What a client takes that does not say (RFC 9293, 3.7.1)."""

TIMESTAMP_LEAD = 1000
"""By how much our first timestamp lies ahead of the server's latest that may be on its way: a second of the
fastest clock (RFC 7323, 5.4: a tick takes a millisecond at least)."""

_WINDOW = Struct("=5I")
"""struct tcp_repair_window: snd_wl1, snd_wnd, max_window, rcv_wnd, rcv_wup."""


def take_over(plan: Plan, now: float) -> socket.socket:
    """A connected socket that goes on where the server left off, not blocking; raises OSError.

    `now` is on the clock of `plan.opened_at`.
    """
    family = socket.AF_INET if len(plan.key.server) == 4 else socket.AF_INET6
    taken = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _restore(taken, family, plan, now)
    except OSError:
        taken.close()  # in repair mode: nothing is sent
        raise
    return taken


def _restore(taken: socket.socket, family: socket.AddressFamily, plan: Plan, now: float) -> None:
    if family == socket.AF_INET:
        taken.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    else:
        taken.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    # This also forces the port to be shared (SK_FORCE_REUSE), which SO_REUSEADDR would undo.
    _set(taken, TCP_REPAIR, 1)
    for queue, sequence in ((TCP_SEND_QUEUE, plan.send_next), (TCP_RECV_QUEUE, plan.receive_next)):
        _set(taken, TCP_REPAIR_QUEUE, queue)
        _set_unsigned(taken, TCP_QUEUE_SEQ, sequence)
    taken.bind((socket.inet_ntop(family, plan.key.server), plan.key.server_port))
    taken.connect((socket.inet_ntop(family, plan.key.client), plan.key.client_port))
    options = agreed(plan.client, plan.server)
    restored = [(TCPOPT_MSS, options.mss or DEFAULT_MSS[family])]
    if options.window_scale is not None:
        restored.append((TCPOPT_WINDOW, options.window_scale | (plan.server.window_scale or 0) << 16))
    if options.sack:
        restored.append((TCPOPT_SACK_PERM, 0))
    if options.timestamps is not None:
        restored.append((TCPOPT_TIMESTAMP, 0))
        _set_unsigned(taken, TCP_TIMESTAMP, first_timestamp(plan, options.timestamps[0], now))
    packed = b"".join(pack("=II", code, value) for code, value in restored)
    taken.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_OPTIONS, packed)
    _open_window(taken, plan, options.window_scale or 0)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Leaving repair mode sends a probe, whose answer brings the client's timestamp.
    _set(taken, TCP_REPAIR, 0)


def first_timestamp(plan: Plan, of_synack: int, now: float) -> int:
    """A timestamp behind all that the server can have sent (RFC 7323, 5.3: older ones are dropped).

    Even, as the lowest bit would choose a clock of microseconds (net/ipv4/tcp.c, TCP_TIMESTAMP).
    """
    latest = of_synack + int((now - plan.opened_at) * 1000)
    if plan.echoed is not None and distance(latest, plan.echoed) > 0:
        latest = plan.echoed
    return (latest + TIMESTAMP_LEAD) % (1 << 32) & ~1


def _open_window(taken: socket.socket, plan: Plan, scale: int) -> None:
    """Set what the client allows us to send, so that the probe's answer need not be awaited."""
    found = taken.getsockopt(socket.IPPROTO_TCP, TCP_REPAIR_WINDOW, _WINDOW.size)
    _, _, _, receive_window, receive_update = _WINDOW.unpack(found)
    window = plan.window << scale
    packed = _WINDOW.pack(plan.receive_next, window, window, receive_window, receive_update)
    taken.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_WINDOW, packed)


def _set(taken: socket.socket, option: int, value: int) -> None:
    taken.setsockopt(socket.IPPROTO_TCP, option, value)


def _set_unsigned(taken: socket.socket, option: int, value: int) -> None:
    taken.setsockopt(socket.IPPROTO_TCP, option, pack("=I", value))
