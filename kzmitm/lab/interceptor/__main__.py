"""Runs the interceptor: one line of JSON on standard input, READY on standard output, then until the end.

The end is SIGTERM, or the end of standard input: then whoever started it is gone.
"""

import asyncio
import logging
import os
import resource
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread

from kzmitm.errors import KzmitmError
from kzmitm.lab.interceptor.config import MAX_CONFIG, Config, Mode, parse_config
from kzmitm.lab.interceptor.inline import Inline
from kzmitm.lab.interceptor.intercept import Interceptor
from kzmitm.lab.interceptor.proxy import Proxy

CHUNK = 4096

FAILED = 2
"""Exit status: it could not do its work."""


def main() -> int:
    """0 when it was told to stop, 2 with a line on standard error if it could not start."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        config = parse_config(sys.stdin.readline(MAX_CONFIG + 1))
        _allow_descriptors()
        asyncio.run(_run(config))
    except (KzmitmError, OSError) as error:
        print(f"interceptor: {error}", file=sys.stderr)  # noqa: T201 - a program's own talk
        return FAILED
    return 0


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - here the program meets the clock


async def _run(config: Config) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    interceptor = Interceptor(config, _now)
    part: Inline | Proxy
    if config.mode is Mode.INLINE:
        part = Inline(interceptor)
    else:
        part = Proxy(interceptor)
        part.listen()
    Thread(target=_wait_for_end, args=(loop, stopped), daemon=True).start()
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    await stopped.wait()
    part.close()
    await interceptor.close()


def _wait_for_end(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    """In a thread, as standard input may be a file, which an event loop cannot wait for."""
    while os.read(sys.stdin.fileno(), CHUNK):  # not through its buffer, whose lock would be held at the exit
        pass
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(stopped.set)


def _allow_descriptors() -> None:
    """As many as we may have: a connection that is relayed takes two."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
