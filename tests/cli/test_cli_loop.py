"""The loop ends with its work, and within a second when the user wants it to."""

import asyncio
import os
import signal
import threading
import time

import pytest

from kzmitm.cli.loop import FAREWELL_S, STOP_SIGNALS, run_until_stopped


def test_work_that_ends():
    done = []

    async def work():
        await asyncio.sleep(0)
        done.append(1)

    assert run_until_stopped(work(), asyncio.Event())
    assert done


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_lets_the_work_end_by_itself(number):
    stop = asyncio.Event()
    seen = []

    async def work():
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        await stop.wait()
        seen.append("saved")

    assert not run_until_stopped(work(), stop)
    assert seen == ["saved"]


def test_work_that_does_not_listen_is_cancelled_within_a_second():
    async def work():
        asyncio.get_running_loop().run_in_executor(None, hang.wait)  # a resolver that never answers
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    hang = threading.Event()
    before = time.monotonic()
    assert not run_until_stopped(work(), asyncio.Event())
    assert FAREWELL_S <= time.monotonic() - before < 4  # on a busy machine; else it would never end
    hang.set()


def test_a_second_signal_cancels_at_once(monkeypatch):
    monkeypatch.setattr("kzmitm.cli.loop.FAREWELL_S", 30)

    async def work():
        loop = asyncio.get_running_loop()
        loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
        loop.call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    before = time.monotonic()
    assert not run_until_stopped(work(), asyncio.Event())
    assert time.monotonic() - before < 15


def test_an_exception_is_passed_on():
    async def work():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_until_stopped(work(), asyncio.Event())


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

    assert run_until_stopped(work(), asyncio.Event())
    assert seen == ["closed"]


def test_it_works_outside_the_main_thread():
    ended = []

    async def work():
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: ended.append(run_until_stopped(work(), asyncio.Event())))
    thread.start()
    thread.join()
    assert ended == [True]
