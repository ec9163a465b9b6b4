"""The event loop: libuv's where it is installed, and stopped by Ctrl-C within a second."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

FAREWELL_S = 0.5
"""Seconds for open connections to be closed once the user wants to stop."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """A maker of event loops; uvloop is an extra that costs a fifth less CPU and changes nothing else."""
    try:
        import uvloop  # noqa: PLC0415 (an extra)
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop  # type: ignore[no-any-return,unused-ignore]


def run_until_stopped(work: Coroutine[Any, Any, None]) -> bool:
    """Do the work; True if it came to its end, False if the user stopped it (SIGINT, SIGTERM).

    Threads that wait for a resolver are not waited for: whoever calls this ends the process.
    """
    loop = loop_factory()()
    try:
        task = loop.create_task(work)
        with _stopping(loop, task):
            return _complete(loop, task)
    finally:
        _close(loop)


def _complete(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> bool:
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        return False
    except KeyboardInterrupt:  # where a loop cannot take signals (Windows)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(asyncio.wait([task], timeout=FAREWELL_S))
        return False
    return True


@contextlib.contextmanager
def _stopping(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> Iterator[None]:
    taken: list[signal.Signals] = []
    for number in STOP_SIGNALS:
        # ValueError: not in the main thread; NotImplementedError: Windows.
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, task.cancel)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=FAREWELL_S))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
