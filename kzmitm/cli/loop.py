"""The event loop: libuv's where it is installed, which costs a fifth less CPU per handshake."""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """A maker of event loops; uvloop is an extra and its absence changes nothing but speed."""
    try:
        import uvloop  # noqa: PLC0415 (an extra)
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop  # type: ignore[no-any-return,unused-ignore]
