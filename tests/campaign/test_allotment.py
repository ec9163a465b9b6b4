"""Parts of limits: together never more than the campaign says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.campaign.allotment import WORKER_URI, allotted, limits_here, limits_of_process, weights_of
from kzmitm.campaign.export import of_one_vantage
from kzmitm.campaign.file import parse_campaign
from kzmitm.campaign.plan import Plan
from kzmitm.campaign.sections import LimitsPart
from kzmitm.campaign.target_table import TargetTable
from kzmitm.targets import parse_targets


def campaign(here, workers, **limits):
    told = "".join(f"{key} = {value}\n" for key, value in limits.items())
    places = [f'[[vantages]]\nname = "h{i}"\n' for i in range(here)]
    places += [
        f'[[vantages]]\nname = "w{i}"\nuri = "{WORKER_URI}"\nworkers = {count}\n'
        for i, count in enumerate(workers)
    ]
    head = '[campaign]\nname = "t"\ncontact = "c"\n[targets]\nnames = ["x.test"]\n[limits]\n'
    return parse_campaign((head + told + "".join(places)).encode(), name="t")


@given(
    here=st.integers(0, 3),
    workers=st.lists(st.integers(1, 3), max_size=3),
    concurrency=st.integers(12, 60),
    rate=st.floats(0.5, 100),
)
def test_all_together_do_no_more_than_the_whole(here, workers, concurrency, rate):
    if not here and not workers:
        return
    made = campaign(here, workers, concurrency=concurrency, rate=rate, vantage_concurrency=12)
    parts = [limits_of_process(made, each) for each in made.vantages if each.uri == WORKER_URI
             for _ in range(each.workers)]  # fmt: skip
    if here:
        parts.append(limits_here(made))
    assert sum(each.concurrency for each in parts) <= concurrency
    assert sum(each.rate for each in parts) <= rate * (1 + 1e-9)
    met = sum(1 / each.endpoint_gap for each in parts)
    assert met <= (1 + 1e-9) / made.limits.endpoint_gap


def test_who_is_alone_has_all():
    made = campaign(3, [])
    assert limits_here(made) is made.limits
    assert allotted(LimitsPart(), 2, 2) == LimitsPart()


def test_the_vantages_of_one_process_have_one_part_each():
    made = campaign(1, [1, 2], concurrency=20, rate=8)
    assert weights_of(made.vantages).total == 4
    assert limits_here(made).rate == 2
    assert limits_here(made).concurrency == 5
    assert [limits_of_process(made, each).rate for each in made.vantages[1:]] == [2, 2]


def test_a_vantages_own_limits_are_divided_among_its_processes():
    made = campaign(0, [2], concurrency=20, rate=100, vantage_concurrency=6, vantage_rate=3)
    told = limits_of_process(made, made.vantages[0])
    assert (told.vantage_concurrency, told.vantage_rate) == (3, 1.5)


def test_a_place_without_a_link_has_its_part():
    made = campaign(2, [2], concurrency=20, rate=8)
    whole = Plan(made, TargetTable(parse_targets(["x.test"])), TargetTable(()))
    alone = of_one_vantage(whole, "w0", "direct:").campaign
    assert (alone.limits.rate, alone.limits.concurrency) == (2, 5)
    assert alone.limits.endpoint_gap == 4 * made.limits.endpoint_gap
    assert (alone.vantages[0].uri, alone.vantages[0].workers) == ("direct:", 1)
    assert limits_here(alone).rate == 2


@pytest.mark.parametrize("count", [1, 4])
def test_each_has_at_least_one_connection(count):
    told = allotted(LimitsPart(endpoint_concurrency=1, network_concurrency=2), count, 9)
    assert (told.endpoint_concurrency, told.network_concurrency) == (1, 1)
