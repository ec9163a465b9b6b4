"""Pauses between attempts, what a service asks for, and limits: on a clock of the tests."""

import asyncio
from datetime import UTC, datetime

import pytest
from ooni_services import FakeTime

from kzmitm.netio.patience import (
    OctetLimit,
    Pace,
    Patience,
    ServiceError,
    Timing,
    TransientError,
    asked_pause,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def timing(time, jitter=1.0):
    return Timing(time.clock, time.sleep, lambda: jitter)


def failing(count, **told):
    """An attempt that fails so often."""
    left = [count]

    async def attempt():
        if left[0]:
            left[0] -= 1
            raise TransientError("HTTP status 503", **told)
        return "done"

    return attempt


@pytest.mark.parametrize(("jitter", "slept"), [(1.0, [1, 2, 4, 8, 16]), (0.0, [0.5, 1, 2, 4, 8])])
def test_pauses_double_and_are_scattered(jitter, slept):
    time = FakeTime()
    assert asyncio.run(Patience(timing(time, jitter)).persist(failing(5))) == "done"
    assert time.slept == slept


def test_pauses_have_a_limit_and_so_have_attempts():
    time = FakeTime()
    patience = Patience(timing(time), attempts=9, longest_s=5)
    with pytest.raises(ServiceError, match=r"HTTP status 503 \(9 attempts\)"):
        asyncio.run(patience.persist(failing(9)))
    assert time.slept == [1, 2, 4, 5, 5, 5, 5, 5]


def test_what_one_request_is_told_to_wait_all_wait():
    time = FakeTime()

    async def both():
        patience = Patience(timing(time))
        first = asyncio.create_task(patience.persist(failing(1, asked_s=100.0)))
        await asyncio.sleep(0)
        began = time.now
        await patience.persist(failing(0))
        return began, await first

    asyncio.run(both())
    assert time.slept[0] == 101.0
    time = FakeTime()
    patience = Patience(timing(time))
    patience._not_before = time.now + 30
    asyncio.run(patience.persist(failing(0)))
    assert time.slept == [30]


def test_who_asks_for_too_long_a_pause_is_left_alone():
    time = FakeTime()
    with pytest.raises(ServiceError, match="asks to wait 3600 s"):
        asyncio.run(Patience(timing(time)).persist(failing(1, asked_s=3600.0)))
    assert time.slept == []


def test_failures_after_a_gain_do_not_add_up():
    time = FakeTime()
    patience = Patience(timing(time), attempts=2)
    assert asyncio.run(patience.persist(failing(20), has_gained=lambda: True)) == "done"
    assert time.slept == [1] * 20


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7), (" 0 ", 0), ("Fri, 02 Jan 2026 03:04:35 GMT", 30), ("Fri, 02 Jan 2026 03:00:00 GMT", 0),
        (None, None), ("", None), ("soon", None), ("-1", None), ("1" * 30, None), ("٣", None),
    ],
)  # fmt: skip
def test_what_a_service_asks_for(header, seconds):
    assert asked_pause(header, NOW) == seconds


def test_a_pace_lets_one_begin_each_second():
    time = FakeTime()

    async def three():
        pace = Pace(1.0, timing(time))
        return [await pace.wait() or time.now for _ in range(3)]

    assert asyncio.run(three()) == [1000, 1001, 1002]


def test_a_limit_of_octets():
    time = FakeTime()

    async def take(limit):
        for _ in range(5):
            await limit.take(50)

    asyncio.run(take(OctetLimit(100.0, timing(time))))
    assert time.now == 1002.0
    asyncio.run(take(OctetLimit(None, timing(time))))
    assert time.now == 1002.0
