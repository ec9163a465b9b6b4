"""Plans: the same everywhere, every job once, controls between the targets."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.campaign.estimate import estimate
from kzmitm.campaign.file import parse_campaign
from kzmitm.campaign.plan import JobKind, Plan, Share
from kzmitm.campaign.target_table import TargetTable
from kzmitm.model.target import Target, parse_target


def plan(targets=20, *, every=5, seed=1, controls=2, vantages=("a", "b"), extra=""):
    text = (
        f'[campaign]\nname = "t"\ncontact = "c"\nseed = {seed}\n[targets]\nnames = ["x.test"]\n'
        f"[controls]\nevery = {every}\n{extra}"
        + "".join(f'[[vantages]]\nname = "{name}"\n' for name in vantages)
    )
    return Plan(
        parse_campaign(text.encode(), name="t"),
        TargetTable(Target(f"h{i}.test") for i in range(targets)),
        TargetTable(Target(f"c{i}.test") for i in range(controls)),
    )


def test_a_table_keeps_targets_in_order_and_once():
    names = ["a.test", "b.test:8443", "192.0.2.1", "2001:db8::1", "[2001:db8::2]:99", "a.test"]
    table = TargetTable(map(parse_target, names))
    assert len(table) == 5
    assert [str(each) for each in table] == [
        "a.test",
        "b.test:8443",
        "192.0.2.1",
        "[2001:db8::1]",
        "[2001:db8::2]:99",
    ]
    assert table[1] == parse_target("b.test:8443")


def test_a_sample_is_of_the_seed_and_in_order():
    table = TargetTable(Target(f"h{i}.test") for i in range(100))
    once, again, other = table.sampled(10, 1), table.sampled(10, 1), table.sampled(10, 2)
    assert list(once) == list(again) != list(other)
    assert len(once) == 10
    assert table.sampled(None, 1) is table
    assert table.sampled(1000, 1) is table
    order = [str(each) for each in table]
    assert sorted(map(str, once), key=order.index) == list(map(str, once))


@given(
    targets=st.integers(1, 60), every=st.integers(0, 20), controls=st.integers(1, 5), seed=st.integers(0, 9)
)
def test_every_job_comes_once_and_a_control_first(targets, every, controls, seed):
    made = plan(targets, every=every, controls=controls, seed=seed)
    share = Share(1, "a")
    order = list(made.order(share))
    assert sorted(order) == list(range(made.jobs_per_share))
    kinds = [made.job(share, number).kind for number in order]
    assert kinds.count(JobKind.TARGET) == targets
    if every:
        assert kinds[0] is JobKind.CONTROL


def test_controls_stand_between_the_targets():
    made = plan(20, every=5)
    kinds = [made.job(Share(1, "a"), number).kind for number in made.order(Share(1, "a"))]
    places = [place for place, kind in enumerate(kinds) if kind is JobKind.CONTROL]
    assert places == [0, 6, 12, 18]


def test_orders_differ_by_round_vantage_and_seed_and_nothing_else():
    orders = {
        (seed, number, vantage): tuple(plan(seed=seed).order(Share(number, vantage)))
        for seed in (1, 2)
        for number in (1, 2)
        for vantage in ("a", "b")
    }
    assert len(set(orders.values())) == 8
    assert orders[1, 1, "a"] == tuple(plan(seed=1).order(Share(1, "a")))


def test_ids_are_of_what_is_asked():
    made = plan()
    jobs = [
        made.job(share, number)
        for number_of_round in (1, 2)
        for share in made.shares(number_of_round)
        for number in made.order(share)
    ]
    assert max(Counter(job.id for job in jobs).values()) == 1
    assert made.job(Share(1, "a"), 3) == plan().job(Share(1, "a"), 3)
    assert made.job(Share(1, "a"), 3).id != plan(seed=2).job(Share(1, "a"), 3).id


@pytest.mark.parametrize("change", [{"targets": 21}, {"seed": 2}, {"every": 6}, {"controls": 3}], ids=str)
def test_the_digest_changes_with_whatever_decides_what_is_asked(change):
    assert plan().digest == plan().digest
    assert plan().digest != plan(**change).digest


def test_an_estimate_goes_by_the_slowest_limit():
    slow = plan(
        100, extra='[limits]\nrate = 2\n[rounds]\ncount = 3\nevery = "1min"\n[collect]\nfamilies = [4]\n'
    )
    told = estimate(slow)
    assert told.connections == 2 * slow.jobs_per_share
    assert told.per_second == 2
    assert told.round_s == told.connections / 2
    assert told.is_too_slow
    assert told.total_s == 3 * told.round_s
    quick = estimate(plan(10, extra="[limits]\nrate = 1000\nvantage_rate = 0.5\n"))
    assert quick.per_second == 1.0
    assert not quick.is_too_slow
