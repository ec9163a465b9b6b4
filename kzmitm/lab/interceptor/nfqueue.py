"""The kernel's packet queue: a raw netlink socket that is asked about packets (nfnetlink_queue)."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator

from kzmitm.lab.interceptor.nfnetlink import (
    NF_ACCEPT,
    NF_DROP,
    Acknowledged,
    Queued,
    build_bind,
    build_verdict,
    parse_messages,
)

NETLINK_NETFILTER = 12
SOL_NETLINK = 270
NETLINK_NO_ENOBUFS = 5
"""linux/netlink.h, linux/socket.h"""
SO_RCVBUFFORCE = 33
"""asm-generic/socket.h"""

MAX_QUEUED = 16_384
"""Packets that may wait: a thousand connections at once with all that each can send before an answer."""
BUFFER = 32 << 20
"""Octets that may wait to be read; a queued packet costs about 2 KiB. What does not fit is dropped by the
kernel, and TCP sends it again."""
DATAGRAM = 1 << 17
"""One message: a packet of 64 KiB and its attributes."""
BATCH = 64
"""Packets read at once before the relays have their turn."""


class PacketQueue:
    """The queue `number`. Verdicts are collected and sent by `flush`, in their order."""

    def __init__(self, number: int) -> None:
        """Bind to the queue; raises OSError, with EPERM or EBUSY if it is not for us."""
        self._number = number
        self._verdicts: list[bytes] = []
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        try:
            self._socket.bind((0, 0))
            for request in build_bind(number, MAX_QUEUED):
                self._socket.send(request)
                _expect_done(self._socket.recv(DATAGRAM))
            self._enlarge()
        except OSError:
            self._socket.close()
            raise

    def _enlarge(self) -> None:
        self._socket.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)  # up to the system's limit
        with contextlib.suppress(PermissionError):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self._socket.setblocking(False)  # noqa: FBT003 - the signature of socket

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> Iterator[Queued]:
        """The packets that wait, up to BATCH."""
        for _ in range(BATCH):
            try:
                data = self._socket.recv(DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    continue  # some were dropped; their senders will repeat them
                raise
            for message in parse_messages(data):
                if isinstance(message, Queued):
                    yield message

    def accept(self, number: int, *, mark: int | None = None, packet: bytes | None = None) -> None:
        """Let a packet go, with this mark and these octets instead if given."""
        self._verdicts.append(build_verdict(self._number, number, NF_ACCEPT, mark=mark, packet=packet))

    def drop(self, number: int) -> None:
        self._verdicts.append(build_verdict(self._number, number, NF_DROP))

    def flush(self) -> None:
        """Tell the kernel what was decided."""
        for verdict in self._verdicts:
            self._socket.send(verdict)
        self._verdicts.clear()

    def close(self) -> None:
        """The kernel drops what is held; from now on the rules let packets by."""
        self._socket.close()


def _expect_done(data: bytes) -> None:
    for message in parse_messages(data):
        if isinstance(message, Acknowledged) and message.error:
            raise OSError(message.error, os.strerror(message.error))
