"""An item says how to measure; how fast, only as far as the worker allows."""

import asyncio
from dataclasses import replace

import pytest
from work_samples import FILE, KEY, sample_plan

from kzmitm.campaign.plan import Share
from kzmitm.campaign.politeness import Politeness
from kzmitm.campaign.remote_setup import item_of
from kzmitm.campaign.sections import LimitsPart
from kzmitm.campaign.work import parse_item
from kzmitm.campaign.work_manner import BothPacers, Ceiling, labelled, limits_of, scan_options
from kzmitm.model.target import Endpoint, Vantage

PLAN = sample_plan()
ITEM = item_of(PLAN, PLAN.job(Share(1, "a"), 0), attempt=1, benign=())
GREEDY = replace(
    ITEM.options, concurrency=10_000, rate=100_000.0, endpoint_gap=0.0, network_concurrency=10_000
)
ASKED = [Endpoint(f"192.0.{n}.1", 443) for n in range(8)]


def most_at_once(own, theirs):
    async def work():
        pacer = BothPacers(Politeness(own).pacer(), Politeness(theirs).pacer())
        under_way = most = 0

        async def connect(endpoint):
            nonlocal under_way, most
            async with pacer.turn(endpoint):
                under_way += 1
                most = max(most, under_way)
                for _ in range(20):
                    await asyncio.sleep(0)
                under_way -= 1

        await asyncio.gather(*map(connect, ASKED))
        return most

    return asyncio.run(asyncio.wait_for(work(), 10))


def test_an_item_cannot_make_a_worker_faster():
    own = LimitsPart(concurrency=2, vantage_concurrency=2, rate=None)
    assert most_at_once(own, limits_of(GREEDY)) == 2
    assert scan_options(GREEDY, Ceiling(concurrency=2)).concurrency == 2


def test_an_item_can_make_it_slower():
    own = LimitsPart(concurrency=8, vantage_concurrency=8, rate=None)
    assert most_at_once(own, limits_of(replace(GREEDY, concurrency=1))) == 1
    assert scan_options(replace(GREEDY, concurrency=1), Ceiling()).concurrency == 1


def test_workers_share_what_all_together_may_do():
    assert ITEM.options.rate == PLAN.campaign.limits.rate / 2
    assert parse_item(ITEM.encoded()).options == ITEM.options
    assert "campaign_key" not in ITEM.annotations
    assert KEY.public.fingerprint not in ITEM.encoded().decode()


def test_an_item_says_what_a_place_may_do_of_all_that_the_campaign_allows():
    octets = FILE.replace(b"[[vantages]]", b"""[limits]
concurrency = 12
rate = 6
as_concurrency = 9
as_rate = 3
[networks]
table = "t"
[[vantages]]""", 1).replace(
        b'uri = "worker:"', b'uri = "worker:"\nworkers = 2\nasn = "AS64500"\ncc = "KZ"', 1
    )  # fmt: skip
    plan = sample_plan(octets)
    told = item_of(plan, plan.job(Share(1, "a"), 0), attempt=1, benign=()).options
    assert (told.concurrency, told.rate, told.as_concurrency, told.as_rate) == (4, 2, 3, 1)
    assert (told.asn, told.cc) == ("AS64500", "KZ")
    assert limits_of(told).as_concurrency == 3
    assert limits_of(told).as_rate == 1


@pytest.mark.parametrize(
    ("vantage", "asn", "cc"),
    [(Vantage(), "AS64500", "KZ"), (Vantage(asn="AS9198", cc="RU"), "AS9198", "RU")],
    ids=["as the campaign says", "as the worker knows"],
)
def test_results_are_labelled_by_where_they_were_made(vantage, asn, cc):
    found = labelled(vantage, replace(ITEM.options, asn="AS64500", cc="KZ"))
    assert (found.asn, found.cc) == (asn, cc)
    assert labelled(Vantage(), ITEM.options) == Vantage()
