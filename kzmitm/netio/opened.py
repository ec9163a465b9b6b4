"""Who is told of each TCP connection that is opened here: a packet capture, which keeps no others.

Of the process and not of a link or a resolver, as connections are opened at the bottom of several of
them. Without a listener it costs one look at an empty tuple.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from kzmitm.model.target import Endpoint


@dataclass(frozen=True, slots=True)
class Opened:
    """Both ends of a connection that we opened, as its packets name them."""

    local: Endpoint
    remote: Endpoint


Listener = Callable[[Opened], None]

_listeners: tuple[Listener, ...] = ()


class _Socket(Protocol):
    def getsockname(self) -> Any: ...

    def getpeername(self) -> Any: ...


def listen(listener: Listener) -> None:
    """Tell `listener` of every connection from now on, in the thread that opens it."""
    global _listeners  # noqa: PLW0603 - see the top
    _listeners = (*_listeners, listener)


def stop_listening(listener: Listener) -> None:
    """Tell it nothing more; may be called again."""
    global _listeners  # noqa: PLW0603 - see the top
    _listeners = tuple(other for other in _listeners if other != listener)


def has_listeners() -> bool:
    """True if telling is worth any trouble."""
    return bool(_listeners)


def tell(sock: _Socket, remote: Endpoint | None = None) -> None:
    """Tell of a socket as soon as its connect has begun, whatever comes of it.

    `remote` may be left out once it is connected. A socket that has no port (any more) is passed over.
    """
    if not _listeners:
        return
    with contextlib.suppress(OSError):
        tell_names(sock.getsockname(), sock.getpeername() if remote is None else (remote.ip, remote.port))


def tell_names(local: tuple[Any, ...], remote: tuple[Any, ...]) -> None:
    """Tell of a connection whose socket a library keeps to itself; names are those of the socket module."""
    if local[1]:
        opened = Opened(Endpoint(local[0], local[1]), Endpoint(remote[0], remote[1]))
        for listener in _listeners:
            listener(opened)
