"""The event loop: libuv's where it is installed, and stopped by Ctrl-C within a second."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

STOP_SIGNALS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__
)
"""Ctrl-C, the end of the system, and the terminal's window being closed."""

FAREWELL_S = 0.5
"""Seconds for open connections to be closed once the user wants to stop."""

COLLECT_EVERY = 20_000
"""Containers made and not freed before cycles are looked for: some megabytes of what a scan makes."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """A maker of event loops; uvloop is an extra that costs a little less CPU and changes nothing else."""
    try:
        import uvloop  # noqa: PLC0415 (an extra)
    except ImportError:
        # Raw sockets are watched by it on every system; Windows' default loop cannot.
        return asyncio.SelectorEventLoop
    return uvloop.new_event_loop  # type: ignore[no-any-return,unused-ignore]


def spare_the_collector() -> None:
    """Let the collector of cycles look less often: about one part in twenty-five of a scan's CPU.

    What is loaded by now stays to the end, and measurements have no cycles: reference counts free them.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)


def run_until_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Do the work; True if it came to its end, False if the user stopped it (`STOP_SIGNALS`).

    A signal sets `stop`, upon which the work has a second to end by itself; a second one, or that second's
    end, cancels it. Threads that wait for a resolver are not waited for: whoever calls this ends the process.
    """
    loop = loop_factory()()
    spare_the_collector()
    try:
        task = loop.create_task(work)
        with _stopping(loop, task, stop):
            _complete(loop, task, stop)
    finally:
        _close(loop)
    return not stop.is_set()


def _complete(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None], stop: asyncio.Event) -> None:
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        pass
    except KeyboardInterrupt:  # where a loop cannot take signals (Windows)
        stop.set()
        loop.run_until_complete(asyncio.wait([task], timeout=FAREWELL_S))


@contextlib.contextmanager
def _stopping(
    loop: asyncio.AbstractEventLoop, task: asyncio.Task[None], stop: asyncio.Event
) -> Iterator[None]:
    def on_signal() -> None:
        if stop.is_set():
            task.cancel()
        else:
            stop.set()
            loop.call_later(FAREWELL_S, task.cancel)

    taken: list[signal.Signals] = []
    for number in STOP_SIGNALS:
        # ValueError, RuntimeError: not in the main thread; NotImplementedError: Windows.
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, on_signal)
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
