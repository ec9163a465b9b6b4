"""Hosts as network namespaces, each held by a descriptor of this process and by nothing else (setns(2))."""

import contextlib
import ctypes
import os
import select
import socket
import time
from collections.abc import Iterator

from kzmitm.lab.errors import LaboratoryError
from kzmitm.wording import Wording

CLONE_NEWNET = 0x40000000
"""linux/sched.h"""

REACH_TIMEOUT_S = 3.0
"""The kernel tells IPv6 of a carrier within a second, when it is busy; mostly at once."""
TRY_S = 0.02
"""For one try: an answer takes a tenth of a millisecond."""

_libc = ctypes.CDLL(None, use_errno=True)


def new_host() -> int:
    """A descriptor of a new network namespace; this process stays in its own. Raises LaboratoryError."""
    with _returning():
        if _libc.unshare(CLONE_NEWNET):
            raise LaboratoryError("no network namespace: {why}", why=Wording(os.strerror(ctypes.get_errno())))
        return os.open("/proc/self/ns/net", os.O_RDONLY)


def wait_until_reached(host: int, address: str, port: int) -> None:
    """Return when a server answers from a host, or after REACH_TIMEOUT_S: slow is not broken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    deadline = time.monotonic() + REACH_TIMEOUT_S
    while time.monotonic() < deadline:
        with _returning():
            _enter(host)
            sock = socket.socket(family, socket.SOCK_STREAM)  # belongs to the host from now on
        with sock:
            sock.setblocking(False)  # noqa: FBT003 - the signature of socket
            if sock.connect_ex((address, port)) == 0:
                return
            _, writable, _ = select.select([], [sock], [], TRY_S)
            if writable and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                return


@contextlib.contextmanager
def _returning() -> Iterator[None]:
    """Come back to the namespace in which this process is now."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        yield
    finally:
        _enter(own)
        os.close(own)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET):
        raise LaboratoryError("no way into a namespace: {why}", why=Wording(os.strerror(ctypes.get_errno())))
