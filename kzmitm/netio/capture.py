"""Packets of the connections that this process opens, and of no others, as a pcapng file.

An AF_PACKET socket of Linux, of the kind that takes link layers off: no MAC address is ever read. It is
not bound to an interface and makes none promiscuous. The kernel lets through TCP only; whose it is, is
decided in capture_flows.py by what opened.py tells.

Not seen are connections that this computer redirects to itself on their way out (an interceptor on the
same computer, by a rule of netfilter): their packets bear other addresses than their sockets. `missed`
counts them.
"""

import contextlib
import ctypes
import io
import os
import select
import socket
import struct
import threading
from time import monotonic
from typing import TYPE_CHECKING

from kzmitm.errors import UsageError
from kzmitm.netio import opened
from kzmitm.netio.capture_flows import MAX_OCTETS, Flows, Packet, Seen
from kzmitm.wording import reason_of

if TYPE_CHECKING:
    from scapy.utils import PcapNgWriter

__all__ = ["MAX_OCTETS", "SALT_OCTETS", "Capture"]

SALT_OCTETS = 16

LINGER_S = 0.3
"""How long the end waits for the last words of peers: a round trip round the world."""
DRAIN_S = 0.1
"""How much longer it may take to read what has come by then, on a line that never rests."""

_LINKTYPE_RAW = 101
"""IPv4 or IPv6 from the first octet on (tcpdump.org/linktypes.html)."""

_MAX_PACKET = 1 << 18
"""Longest packet read, and what scapy gives as the snapshot length. Above 64 KiB the kernel goes unasked
only within itself."""
_RECEIVE_BUFFER = 16 << 20
"""Octets that the kernel may hold while Python does other things: some ten thousand packets."""
_MAX_BATCH = 4096
"""Packets read before claims are looked at again."""

_ETH_P_ALL = 3
_OUTGOING = 4
_LOOPBACK = 772
"""PACKET_OUTGOING and ARPHRD_LOOPBACK (linux/if_packet.h, linux/if_arp.h)."""
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
"""As in asm-generic/socket.h: the socket module does not name them."""
_SOL_PACKET = 263
_PACKET_STATISTICS = 6

_TCP_ONLY = (
    (0x30, 0, 0, 0),  # ldb [0]
    (0x54, 0, 0, 0xF0),  # and #0xf0
    (0x15, 0, 2, 0x40),  # IPv4?
    (0x30, 0, 0, 9),  # its protocol
    (0x15, 3, 4, 6),  # TCP?
    (0x15, 0, 3, 0x60),  # IPv6?
    (0x30, 0, 0, 6),  # its next header
    (0x15, 0, 1, 6),  # TCP?
    (0x06, 0, 0, _MAX_PACKET),  # take it
    (0x06, 0, 0, 0),  # leave it
)
"""What `tcpdump -y RAW -d tcp` says, without its fragments of IPv6; so libpcap is not needed."""


class Capture:
    """Packets of our own connections, kept in memory up to MAX_OCTETS.

    One thread reads and decides. From the others it takes claims, which it looks at only after every packet
    that had come by then: so the newest connection with the ends claimed is the one that is meant.
    """

    def __init__(self, sock: socket.socket, writer: "type[PcapNgWriter]", flows: Flows) -> None:
        """Use `start`."""
        self.dropped = 0
        """Packets, whosever, that came faster than they were read; known after the end."""
        self._sock = sock
        self._writer = writer
        self._flows = flows
        self._buffer = memoryview(bytearray(_MAX_PACKET))
        self._deadline: float | None = None
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)

    @classmethod
    def start(cls, *, max_octets: int = MAX_OCTETS) -> "Capture":
        """Begin: what is opened after this has returned is captured from its first packet on.

        Raises UsageError without scapy, without privilege or on another system than Linux. End it with
        `stop` or `close`.
        """
        capture = cls(*_tools(), Flows(max_octets=max_octets))
        opened.listen(capture._flows.claim)
        capture._thread.start()
        return capture

    @property
    def truncated(self) -> bool:
        """True if there was more than could be kept; what is kept is the beginning."""
        return self._flows.truncated

    @property
    def missed(self) -> int:
        """Connections opened of which no packet was seen; known after the end."""
        return self._flows.missed

    def stop(self, *, salt: bytes) -> bytes:
        """End it and return the pcapng file; takes half a second, if all the peers keep silent.

        `salt` are 16 random octets, which make the hash of a file that could be guessed one that cannot.
        May be called again.
        """
        if len(salt) != SALT_OCTETS:
            raise ValueError(f"a salt has {SALT_OCTETS} octets")
        self._end(LINGER_S)
        return _pcapng(self._writer, self._flows.packets(), salt)

    def close(self) -> None:
        """End it at once and without a file; may be called again, and after `stop`."""
        self._end(0)

    def _end(self, linger_s: float) -> None:
        if self._deadline is not None:
            return
        opened.stop_listening(self._flows.claim)
        self._deadline = monotonic() + linger_s
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)
        with contextlib.closing(self._sock):
            statistics = self._sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
            self.dropped = struct.unpack("@II", statistics)[1]

    # -- the thread

    def _read(self) -> None:
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        while True:
            deadline = self._deadline
            poller.poll(None if deadline is None else max(0.0, deadline - monotonic()) * 1000)
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            # What was claimed before the end is looked at in the round after it was called for.
            deadline = self._deadline
            is_empty = self._drain()
            if deadline is not None and self._is_over(deadline, is_empty=is_empty):
                return

    def _is_over(self, deadline: float, *, is_empty: bool) -> bool:
        late_s = monotonic() - deadline
        return late_s > DRAIN_S or (is_empty and (late_s >= 0 or self._flows.all_ended))

    def _drain(self) -> bool:
        """Take the packets that have come; True if none are left."""
        claims = self._flows.count_claims()
        is_empty = False
        for _ in range(_MAX_BATCH):
            try:
                size, ancillary, _flags, (place, _, kind, hardware, _) = self._sock.recvmsg_into(
                    [self._buffer], 64
                )
            except OSError:
                # Nothing there. A fault of the socket is told once, and then it goes on.
                is_empty = True
                break
            is_loopback = hardware == _LOOPBACK
            if is_loopback and kind == _OUTGOING:
                continue  # it is about to come in
            seen = Seen(_time_ns(ancillary), place, is_loopback or kind == _OUTGOING)
            self._flows.take(bytes(self._buffer[:size]), seen, monotonic())
        self._flows.settle(claims, monotonic())
        return is_empty


def _time_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    """When the kernel saw the packet: the only clock here, and not ours to read."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack_from("@ll", data)
            return int(seconds * 10**9 + nanoseconds)
    return 0


def _tools() -> "tuple[socket.socket, type[PcapNgWriter]]":
    """A socket that receives, and the writer of files; raises UsageError."""
    if not hasattr(socket, "AF_PACKET"):
        raise UsageError("--pcap: packets can be captured on Linux only", hint="leave out --pcap")
    try:
        from scapy.utils import PcapNgWriter  # noqa: PLC0415 - a fifth of a second that only a capture pays
    except ImportError:
        raise UsageError(
            "--pcap: scapy is not installed",
            hint="install it (pip install 'kzmitm[raw]'), or leave out --pcap",
        ) from None
    try:
        return _open_socket(), PcapNgWriter
    except PermissionError:
        raise UsageError(
            "--pcap: capturing packets needs privilege",
            hint="run it as root or with the capability CAP_NET_RAW, or leave out --pcap",
        ) from None
    except OSError as exc:
        raise UsageError(
            "--pcap: packets cannot be captured here: {why}",
            hint="leave out --pcap",
            why=reason_of(exc),
        ) from None


def _open_socket() -> socket.socket:
    """A socket of cooked packets of every interface, already receiving."""
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    sock = socket.socket(socket.AF_PACKET, kind, socket.htons(_ETH_P_ALL))
    try:
        program = b"".join(struct.pack("@HBBI", *instruction) for instruction in _TCP_ONLY)
        held = ctypes.create_string_buffer(program, len(program))
        pointer = struct.pack("@HP", len(_TCP_ONLY), ctypes.addressof(held))
        # What came before is sorted out with the rest, and is nobody's.
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        except PermissionError:  # that takes CAP_NET_ADMIN; without it the system's limit holds
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    except BaseException:
        sock.close()
        raise
    return sock


def _pcapng(writer_class: "type[PcapNgWriter]", packets: list[Packet], salt: bytes) -> bytes:
    """The file; of where and by what it was made it says nothing but a comment, the salt."""
    with open(os.memfd_create("pcapng"), "rb") as file:  # noqa: PTH123 - scapy wants a file, and none on the disk
        with writer_class(os.dup(file.fileno())) as writer:  # type: ignore[arg-type]  # it opens it
            writer.linktype = _LINKTYPE_RAW
            writer.write_header(None)
            for packet in packets:
                writer.write_packet(packet.octets, sec=packet.t_ns / 1e9)
        file.seek(0, io.SEEK_SET)
        data = file.read()
    # scapy writes no comment on a section; ours takes the place of its header (pcapng, 4.1).
    size = int.from_bytes(data[4:8], "little")
    comment = b"salt " + salt.hex().encode()
    option = struct.pack("<HH", 1, len(comment)) + comment + bytes(-len(comment) % 4) + bytes(4)
    header = data[8 : size - 4] + option
    total = struct.pack("<I", len(header) + 12)
    return data[:4] + total + header + total + data[size:]
