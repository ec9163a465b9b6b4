"""Limits: never more at once or sooner than they say. Time is the test's own."""

import asyncio
import heapq
from collections import Counter
from itertools import pairwise

import pytest

from kzmitm.campaign.politeness import Politeness, Rate, block_of
from kzmitm.campaign.sections import LimitsPart
from kzmitm.model.target import Endpoint


class Time:
    """A clock that stands still until everybody sleeps, and then jumps to who wakes first."""

    def __init__(self):
        self.now = 0.0
        self._sleepers = []
        self._count = 0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, future))
        await future

    async def drive(self, work):
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(50):
                await _yield()
            if task.done():
                break
            self.now, _, future = heapq.heappop(self._sleepers)
            future.set_result(None)
        return await task


_sleep = asyncio.sleep


async def _yield():
    await _sleep(0)


@pytest.fixture
def time(monkeypatch):
    clock = Time()

    async def sleep(seconds):
        await (clock.sleep(seconds) if seconds else _sleep(0))

    monkeypatch.setattr("kzmitm.campaign.politeness.asyncio.sleep", sleep)
    return clock


def limits(**given):
    roomy = {
        "concurrency": 1000, "rate": None, "vantage_concurrency": 1000, "endpoint_gap": 0.0,
        "endpoint_concurrency": 1000, "network_concurrency": 1000,
    }  # fmt: skip
    return LimitsPart(**(roomy | given))


class Meter:
    """Counts who is inside at once, and when they came."""

    def __init__(self, time):
        self.time = time
        self.inside = Counter()
        self.most = Counter()
        self.starts = []

    async def connect(self, pacer, endpoint, name=""):
        async with pacer.turn(endpoint):
            self.starts.append((self.time(), endpoint))
            for key in ("all", endpoint, block_of(endpoint.ip), name):
                self.inside[key] += 1
                self.most[key] = max(self.most[key], self.inside[key])
            await self.time.sleep(1.0)
            for key in ("all", endpoint, block_of(endpoint.ip), name):
                self.inside[key] -= 1


def endpoints(count, block="192.0.2."):
    return [Endpoint(f"{block}{i + 1}", 443) for i in range(count)]


def run(time, work):
    return asyncio.run(time.drive(work))


@pytest.mark.parametrize(
    ("given", "places", "key", "most"),
    [
        ({"concurrency": 3}, endpoints(10), "all", 3),
        ({"endpoint_concurrency": 2}, endpoints(1) * 7, Endpoint("192.0.2.1", 443), 2),
        ({"network_concurrency": 4}, endpoints(12), "192.0.2.0/24", 4),
    ],
    ids=["all", "endpoint", "network"],
)
def test_never_more_at_once_than_the_limit(time, given, places, key, most):
    async def work():
        politeness = Politeness(limits(**given), time)
        meter = Meter(time)
        pacers = [politeness.pacer(), politeness.pacer()]
        await asyncio.gather(*(meter.connect(pacers[i % 2], place) for i, place in enumerate(places)))
        return meter

    meter = run(time, work())
    assert meter.most[key] == most
    assert len(meter.starts) == len(places)


def test_a_vantage_has_its_own_limit_beside_that_of_all(time):
    async def work():
        politeness = Politeness(limits(concurrency=5), time)
        meter = Meter(time)
        small, large = politeness.pacer(concurrency=2), politeness.pacer()
        await asyncio.gather(
            *(meter.connect(small, place, "small") for place in endpoints(6)),
            *(meter.connect(large, place, "large") for place in endpoints(6, "198.51.100.")),
        )
        return meter

    meter = run(time, work())
    assert meter.most["small"] == 2
    assert meter.most["all"] == 5


def test_two_connections_to_an_endpoint_are_apart_whoever_makes_them(time):
    async def work():
        politeness = Politeness(limits(endpoint_gap=10.0), time)
        meter = Meter(time)
        pacers = [politeness.pacer(), politeness.pacer()]
        place = endpoints(1)[0]
        await asyncio.gather(*(meter.connect(pacers[i % 2], place) for i in range(4)))
        return meter

    starts = [at for at, _ in run(time, work()).starts]
    assert all(later - earlier >= 10 for earlier, later in pairwise(starts))


def test_no_second_has_more_than_the_rate(time):
    async def work():
        politeness = Politeness(limits(rate=5), time)
        meter = Meter(time)
        await asyncio.gather(*(meter.connect(politeness.pacer(), place) for place in endpoints(30)))
        return meter

    starts = [at for at, _ in run(time, work()).starts]
    for at in starts:
        assert sum(at <= other < at + 1 - 1e-9 for other in starts) <= 5
    assert max(starts) == pytest.approx(29 / 5)


def test_a_rate_of_none_is_no_wait(time):
    async def work():
        await Rate(None, time).turn()

    run(time, work())
    assert time.now == 0


def in_a_network(ip):
    return "AS64500" if ip.startswith(("192.0.2.", "198.51.100.")) else "AS0"


def test_a_network_is_limited_over_all_its_blocks_where_it_is_known(time):
    places = endpoints(8) + endpoints(8, "198.51.100.") + endpoints(8, "203.0.113.")

    async def work():
        politeness = Politeness(limits(as_concurrency=3), time, in_a_network)
        meter = Meter(time)
        await asyncio.gather(
            *(
                meter.connect(politeness.pacer(), place, in_a_network(place.ip))
                for place in (*places, Endpoint("name.test", 443))
            )
        )
        return meter

    meter = run(time, work())
    assert meter.most["AS64500"] == 3
    assert meter.most["AS0"] == 9, "of what nobody knows nothing is held back"


def test_a_network_has_a_rate_of_its_own(time):
    places = endpoints(5) + endpoints(5, "198.51.100.")

    async def work():
        politeness = Politeness(limits(as_rate=2), time, in_a_network)
        meter = Meter(time)
        await asyncio.gather(*(meter.connect(politeness.pacer(), place) for place in places))
        return meter

    starts = sorted(at for at, _ in run(time, work()).starts)
    assert all(later - earlier >= 0.5 - 1e-9 for earlier, later in pairwise(starts))
    assert starts[-1] == pytest.approx(4.5)


def test_a_pause_counts_from_where_the_connection_begins_and_not_from_where_it_was_waited_for(time):
    """The first waits for the rate longer than the pause lasts."""
    place = endpoints(1)[0]

    async def work():
        politeness = Politeness(limits(endpoint_gap=2.0, rate=0.2), time)
        meter, pacer = Meter(time), politeness.pacer()
        others = [meter.connect(pacer, each) for each in endpoints(3, "198.51.100.")]
        await asyncio.gather(*others, *(meter.connect(pacer, place) for _ in range(3)))
        return meter

    starts = [at for at, each in run(time, work()).starts if each == place]
    assert all(later - earlier >= 2 for earlier, later in pairwise(starts))


def test_a_vantages_own_rate_holds_though_it_waits_for_that_of_all(time):
    async def work():
        politeness = Politeness(limits(rate=4), time)
        meter = Meter(time)
        slow, quick = politeness.pacer(rate=2), politeness.pacer()
        await asyncio.gather(
            *(meter.connect(quick, place) for place in endpoints(6)),
            *(meter.connect(slow, place) for place in endpoints(6, "198.51.100.")),
        )
        return meter

    starts = run(time, work()).starts
    slow = sorted(at for at, place in starts if place.ip.startswith("198."))
    assert all(later - earlier >= 0.5 - 1e-9 for earlier, later in pairwise(slow))
    every = sorted(at for at, _ in starts)
    assert all(later - earlier >= 0.25 - 1e-9 for earlier, later in pairwise(every))


def test_who_comes_as_another_leaves_and_a_third_is_woken_is_no_fourth(time):
    """The place is empty for a moment, and is not to be forgotten by who waited for it."""

    async def work():
        politeness = Politeness(limits(endpoint_concurrency=1), time)
        meter, place = Meter(time), endpoints(1)[0]
        async with politeness.pacer().turn(place):
            waiting = asyncio.ensure_future(meter.connect(politeness.pacer(), place))
            await _yield()
        newcomer = asyncio.ensure_future(meter.connect(politeness.pacer(), place))
        await asyncio.gather(waiting, newcomer)
        return meter

    assert run(time, work()).most[endpoints(1)[0]] == 1


def test_one_that_is_broken_off_as_its_turn_comes_gives_it_to_the_next(time):
    """Without this, another vantage would wait for ever."""

    async def work():
        politeness = Politeness(limits(endpoint_concurrency=1), time)
        meter, place = Meter(time), endpoints(1)[0]
        async with politeness.pacer().turn(place):
            second = asyncio.ensure_future(meter.connect(politeness.pacer(), place))
            third = asyncio.ensure_future(meter.connect(politeness.pacer(), place))
            await _yield()
        second.cancel()  # in the very step in which its turn has come
        await third
        await asyncio.gather(second, return_exceptions=True)
        return meter

    assert len(run(time, work()).starts) == 1


def test_one_that_gives_up_waiting_holds_nothing(time):
    async def work():
        politeness = Politeness(limits(endpoint_concurrency=1), time)
        meter, pacer, place = Meter(time), politeness.pacer(), endpoints(1)[0]
        first = asyncio.ensure_future(meter.connect(pacer, place))
        await _yield()
        waiting = asyncio.ensure_future(meter.connect(pacer, place))
        await _yield()
        waiting.cancel()
        await meter.connect(pacer, place)
        await first
        return meter

    assert len(run(time, work()).starts) == 2


def test_places_that_limit_nothing_are_forgotten(time):
    async def work():
        politeness = Politeness(limits(), time)
        meter = Meter(time)
        await asyncio.gather(*(meter.connect(politeness.pacer(), place) for place in endpoints(20)))
        return politeness

    politeness = run(time, work())
    assert not politeness._endpoints
    assert not politeness._blocks


def test_blocks_are_neighbourhoods():
    assert block_of("192.0.2.77") == "192.0.2.0/24"
    assert block_of("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert block_of("name.test") == "name.test"


def test_who_was_woken_and_who_comes_anew_are_not_inside_together(time):
    """The place was forgotten as the first left, and the one that it had woken did not know the new one."""

    async def work():
        politeness = Politeness(limits(endpoint_concurrency=1), time)
        meter = Meter(time)
        pacer, place = politeness.pacer(), endpoints(1)[0]

        async def come_when(condition):
            while not condition():
                await _yield()
            await meter.connect(pacer, place)

        async def leave_and_come_back():
            await meter.connect(pacer, place)
            await meter.connect(pacer, place)  # before who was woken has its turn

        await asyncio.gather(leave_and_come_back(), come_when(lambda: meter.inside[place]))
        return meter

    meter = run(time, work())
    assert len(meter.starts) == 3
    assert meter.most[endpoints(1)[0]] == 1


@pytest.mark.parametrize(
    ("ip", "block"),
    [("192.0.2.77", "192.0.2.0/24"), ("2001:db8::1", "2001:db8::/48"), ("a.test", "a.test")],
)
def test_blocks_of_neighbours(ip, block):
    assert block_of(ip) == block
