"""Room for sockets: what the system lets one process have open."""

import contextlib

from kzmitm.errors import UsageError

RESERVE = 64
"""Descriptors besides one per connection: bundle, terminal, event loop, resolvers."""


def make_room(connections: int) -> None:
    """See that so many connections can be open at once; raises UsageError if the system does not allow it.

    A scan that runs out of descriptors would take its own want for the targets' failures.
    """
    try:
        import resource  # noqa: PLC0415 - Windows has none, and no such limit
    except ImportError:
        return
    wanted = connections + RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return
    raise UsageError(
        ("{connections} connections at once need {wanted} open files, and the system allows {soft}"),
        hint="Use --concurrency {max} or less, or raise the limit with ulimit -n.",
        connections=connections,
        wanted=wanted,
        soft=soft,
        max=max(1, soft - RESERVE),
    )
