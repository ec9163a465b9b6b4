"""The loop ends with its work, and within a second when the user wants it to."""

import asyncio
import os
import signal
import threading
import time

import pytest

from kzmitm.cli.loop import run_until_stopped


def test_work_that_ends():
    done = []

    async def work():
        await asyncio.sleep(0)
        done.append(1)

    assert run_until_stopped(work())
    assert done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_within_a_second(number):
    async def work():
        asyncio.get_running_loop().run_in_executor(None, hang.wait)  # a resolver that never answers
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        await asyncio.Event().wait()

    hang = threading.Event()
    before = time.monotonic()
    assert not run_until_stopped(work())
    assert time.monotonic() - before < 1
    hang.set()


def test_an_exception_is_passed_on():
    async def work():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_until_stopped(work())


def test_what_was_left_running_is_cancelled():
    seen = []

    async def forgotten():
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("closed")

    async def work():
        task = asyncio.get_running_loop().create_task(forgotten())
        await asyncio.sleep(0)
        assert not task.done()

    assert run_until_stopped(work())
    assert seen == ["closed"]


def test_it_works_outside_the_main_thread():
    ended = []

    async def work():
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: ended.append(run_until_stopped(work())))
    thread.start()
    thread.join()
    assert ended == [True]
