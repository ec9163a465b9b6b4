"""The marks by which the interceptor and the firewall rules of its router understand each other.

A mark on a packet lasts until the packet leaves the router, one on a connection (conntrack) as long as
the connection. All five follow from one number, so that the rules and the program cannot disagree.
"""

from dataclasses import dataclass

MARKS = 5


@dataclass(frozen=True, slots=True)
class Marks:
    """What each number means; `Marks.of(mark)` gives them all."""

    own: int
    """On packets: the interceptor's own, neither queued nor redirected."""
    fresh: int
    """On packets: the first of a connection, of which nothing is decided yet."""
    leave: int
    """On packets and connections: left alone; of this connection nothing is queued any more."""
    take: int
    """On packets: the reset for the server's half. On connections: taken over."""
    local: int
    """On packets: for our socket that stands in for the server."""

    @classmethod
    def of(cls, mark: int) -> "Marks":
        """The marks that begin with `mark`."""
        return cls(*range(mark, mark + MARKS))
