"""Traces over paths in memory: whatever the path is like, no place is named where nobody is."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from path_world import ENDPOINT, HARMLESS, WATCHED, Box, World, WorldProber

from kzmitm.model.location import LOCATED, Device
from kzmitm.probe import trace_asker, trace_proofs
from kzmitm.probe.trace import Tracer, TraceRequest
from kzmitm.verdict.locate import locate

DEVICES = {
    "forge": Device.SNI_INTERCEPTOR,
    "reset": Device.SNI_INJECTOR,
    "drop": Device.SNI_DROP,
    "proxy": Device.TERMINATING_PROXY,
    "refuse": Device.TCP_BLOCK,
    "block": Device.TCP_BLOCK,
}


@pytest.fixture(autouse=True, scope="module")
def _no_waiting() -> Iterator[None]:
    """Pauses are for networks; here nothing passes but the order of questions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_asker, "PACKETS_PER_S", 1e9)
        patch.setattr(trace_proofs, "RETELL_S", 0.0)
        yield


def located(world, *, on_link=False):
    request = TraceRequest(endpoint=ENDPOINT, watched=WATCHED, control=HARMLESS, is_on_link=on_link)
    tracer = Tracer(WorldProber(world), request, lambda: 0.0)
    return locate(asyncio.run(tracer.run()))


def is_right(location, world):
    """Nobody is named, or one of the boxes, in a segment that holds where it acts; nor is one denied."""
    found = location.finding
    if found.device is Device.ENDPOINT:  # at it or behind it, by all that a TTL can tell
        return all(box.reached_with >= location.distance for box in world.boxes)
    return found.device not in LOCATED or any(is_of(found, box) for box in world.boxes)


def is_of(found, box):
    upper = found.segment.upper
    holds = found.segment.lower < box.reached_with and (upper is None or box.reached_with <= upper)
    return DEVICES[box.acts] is found.device and holds


CASES = [
    (Box(hop=2, acts="forge", early=True), (1, 2)),
    (Box(hop=2, acts="forge", early=True, on_path=True), (1, 2)),
    (Box(hop=3, acts="reset"), (3, 4)),
    (Box(hop=3, acts="reset", early=True, on_path=True), (2, 3)),
    (Box(hop=2, acts="reset", early=True, on_path=True, copies_ttl=True), (1, 2)),
    (Box(hop=3, acts="reset", early=True, on_path=True, copies_ttl=True), (2, 3)),
    (Box(hop=2, acts="drop"), (2, 3)),
    (Box(hop=5, acts="drop"), (5, 6)),
    (Box(hop=1, acts="drop", early=True), (0, 1)),
    (Box(hop=1, acts="proxy", early=True), (0, 1)),
    (Box(hop=4, acts="proxy", early=True), (3, 4)),
    (Box(hop=1, acts="refuse"), (1, 2)),
    (Box(hop=2, acts="block"), (2, 3)),
]


@pytest.mark.parametrize(("box", "segment"), CASES, ids=str)
def test_a_box_is_found_where_it_acts(box, segment):
    location = located(World(boxes=(box,)))
    found = location.finding
    assert found.device is DEVICES[box.acts]
    assert (found.segment.lower, found.segment.upper) == segment
    assert found.proof
    assert found.segment.before.ttl == segment[0]


def test_addresses_around_it_are_named():
    segment = located(World(boxes=(Box(hop=2, acts="forge", early=True),))).finding.segment
    hops = (segment.before, segment.at, segment.after)
    assert [address.ip for hop in hops for address in hop.addresses] == ["10.0.1.1", "10.0.2.1", "10.0.3.1"]


def test_nothing_on_the_way():
    location = located(World())
    assert location.finding.device is Device.ENDPOINT
    assert location.distance == 6
    assert location.untold == ()


def test_hidden_routers_widen_what_nobody_answers():
    location = located(World(boxes=(Box(hop=2, acts="drop"),), hidden=frozenset({2})))
    assert (location.finding.segment.lower, location.finding.segment.upper) == (1, 3)
    assert "wide" in location.untold


def test_a_drop_among_silent_routers_is_not_located():
    location = located(World(boxes=(Box(hop=2, acts="drop"),), hidden=frozenset(range(1, 9))))
    assert location.finding.device is Device.UNLOCATED
    assert {"swallowed_somewhere", "routers_silent"} <= set(location.untold)


@pytest.mark.parametrize("acts", ["forge", "reset", "proxy"])
def test_whoever_answers_is_located_among_silent_routers(acts):
    location = located(World(boxes=(Box(hop=3, acts=acts, early=True),), hidden=frozenset(range(1, 9))))
    assert location.finding.device is DEVICES[acts]
    assert (location.finding.segment.lower, location.finding.segment.upper) == (2, 3)
    assert {"address_hidden", "routers_silent"} <= set(location.untold)


def test_two_in_a_row_the_nearer_first():
    proxy, drop = Box(hop=5, acts="proxy", early=True), Box(hop=2, acts="drop")
    location = located(World(boxes=(proxy, drop), lengths=(7,)))
    assert location.finding.device is Device.SNI_DROP
    assert [other.device for other in location.others] == [Device.TERMINATING_PROXY]


@pytest.mark.parametrize("at", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "box", [None, Box(hop=4, acts="drop"), Box(hop=4, acts="forge", early=True)], ids=str
)
def test_rewritten_ttls_are_said(at, box):
    location = located(World(rewrites_at=at, boxes=(box,) if box and box.hop >= at else ()))
    assert location.finding.device is Device.UNMEASURABLE


def test_a_neighbour_is_no_rewriter():
    assert located(World(lengths=(0,)), on_link=True).finding.device is Device.ENDPOINT


def test_closed_ports_that_are_rationed_are_no_proxy():
    for seed in range(20):
        assert located(World(udp_budget=1, seed=seed)).finding.device is Device.ENDPOINT


def test_a_longer_way_back_is_nothing():
    assert located(World(back=4, boxes=(Box(hop=3, acts="reset"),))).finding.segment.upper == 4


BOXES = st.builds(
    Box,
    hop=st.integers(1, 9),
    acts=st.sampled_from(sorted(DEVICES)),
    early=st.booleans(),
).map(lambda box: Box(hop=box.hop, acts=box.acts, early=box.early or box.acts == "proxy"))
LENGTHS = st.lists(st.integers(1, 14), min_size=1, max_size=3).map(tuple)


def worlds(**fixed):
    given_ = {
        "hidden": st.frozensets(st.integers(1, 14), max_size=8),
        "icmp_budget": st.sampled_from([10**9, 10**9, 30, 6]),
        "udp_budget": st.sampled_from([10**9, 6, 1, 0]),
        "loss": st.sampled_from([0.0, 0.0, 0.05, 0.15]),
        "back": st.integers(0, 3),
        "seed": st.integers(0, 10**6),
    }
    return st.builds(World, **given_ | fixed)


def plausible(world):
    """Routers here never speak again once they have said enough, as real ones do: with losses, too many."""
    return not world.loss or world.icmp_budget == 10**9


MANY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@MANY
@given(worlds(lengths=LENGTHS, sticky=st.booleans()))
def test_a_clean_path_names_nobody(world):
    assert located(world).finding.device not in LOCATED


@MANY
@given(
    worlds(lengths=st.integers(9, 14).map(lambda n: (n,)), boxes=BOXES.map(lambda box: (box,))).filter(
        plausible
    )
)
def test_one_box_is_never_misplaced(world):
    assert is_right(located(world), world)


@MANY
@given(
    worlds(
        lengths=st.integers(10, 14).map(lambda n: (n,)),
        boxes=st.tuples(BOXES, BOXES).filter(lambda two: two[0].reached_with != two[1].reached_with),
        loss=st.sampled_from([0.0, 0.15]),
    ).filter(plausible)
)
def test_of_two_boxes_none_is_misplaced(world):
    location = located(world)
    assert is_right(location, world)
    assert all(any(is_of(other, box) for box in world.boxes) for other in location.others)


@MANY
@given(
    worlds(
        lengths=st.just((12,)),
        boxes=st.tuples(BOXES, BOXES).filter(lambda two: two[0].reached_with != two[1].reached_with),
        loss=st.just(0.0),
        icmp_budget=st.just(10**9),
        hidden=st.just(frozenset()),
    )
)
def test_of_two_boxes_the_nearer_is_named(world):
    """On a good line, by what a connection meets first: one that lets none open stands before all others."""
    closing = [box for box in world.boxes if box.acts in ("refuse", "block")]
    nearest = min(box.reached_with for box in world.boxes)
    ends = min((box.reached_with for box in world.boxes if not box.by_name), default=99)
    found = located(world).finding
    assert found.device in LOCATED
    if not closing or min(box.reached_with for box in closing) > ends:
        assert found.segment.upper == nearest


@MANY
@given(
    worlds(
        rewrites_at=st.integers(1, 5), lengths=st.just((8,)), loss=st.just(0.0), hidden=st.just(frozenset())
    )
)
def test_a_rewriter_alone_names_nobody(world):
    assert located(world).finding.device not in LOCATED
