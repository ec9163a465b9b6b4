"""What the decision over a trace does with steps that a network rarely gives, one by one."""

from verdict_world import NOW

from kzmitm.model.location import LOCATED, Device, System
from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.model.trace import FULL_TTL, Answer, Step, TraceMethod, TraceObservation, Walk, WalkKind
from kzmitm.verdict.locate import locate
from kzmitm.verdict.location import locations_of, with_operators

ENDPOINT = Endpoint("203.0.113.10", 443)
SYN, UDP, SYN_CONTROL = WalkKind.SYN, WalkKind.UDP, WalkKind.SYN_CONTROL
CONTROL, WATCHED, FLOOR = WalkKind.HELLO_CONTROL, WalkKind.HELLO_WATCHED, WalkKind.HELLO_FLOOR


def step(ttl, answer, address=None, flow=0, **more):
    step.flow += 1
    if answer is Answer.EXPIRED and address is None:
        address = f"10.0.{ttl}.1"
    return Step(ttl=ttl, flow=flow or step.flow, answer=answer, address=address, **more)


step.flow = 40000


def trace(walks, **more):
    made = tuple(Walk(kind=kind, port=443, steps=tuple(steps)) for kind, steps in walks.items())
    return TraceObservation(endpoint=ENDPOINT, method=TraceMethod.SOCKETS, walks=made, **more)


def way(length, answer, **more):
    """A walk that ends with an answer behind so many routers."""
    steps = [step(ttl, Answer.EXPIRED, reply_ttl=65 - ttl) for ttl in range(1, length + 1)]
    return [*steps, step(length + 1, answer, ENDPOINT.ip, **more)]


def names(ttl, *, control=Answer.EXPIRED, watched=Answer.RESET, count=10, pairs=4, **more):
    """Both names on the same ports, the harmless one on more of them."""
    flows = range(50000, 50000 + count)
    controls = [step(ttl, control, flow=flow) for flow in flows]
    return controls, [step(ttl, watched, flow=flow, **more) for flow in flows[:pairs]]


def full(answer):
    return step(FULL_TTL, answer, ENDPOINT.ip)


def selective(*, floor=(), **more):
    controls, watched = names(3, **more)
    return {
        SYN: way(5, Answer.OPEN),
        CONTROL: [full(Answer.HANDSHAKE), *controls],
        WATCHED: [full(Answer.RESET), *watched],
        FLOOR: floor,
    }


def test_nothing_at_all():
    location = locate(trace({}))
    assert location.finding.device is Device.UNLOCATED
    assert location.untold == ("nothing_answers", "routers_silent")
    assert location.distance is None


def test_broken_off():
    assert "incomplete" in locate(trace({}, is_complete=False)).untold


def test_selective_answers():
    assert locate(trace(selective())).finding.device is Device.SNI_INJECTOR
    assert locate(trace(selective(watched=Answer.HANDSHAKE))).finding.device is Device.SNI_INTERCEPTOR


def test_too_few_ports_are_no_proof():
    assert locate(trace(selective(count=9))).finding.device not in LOCATED
    assert locate(trace(selective(pairs=2))).finding.device not in LOCATED


def test_a_watched_name_that_also_runs_out_there_is_no_proof():
    walks = selective()
    walks[WATCHED].append(step(3, Answer.EXPIRED))
    assert locate(trace(walks)).finding.device not in LOCATED


def test_a_control_that_is_never_answered_is_said():
    walks = selective()
    walks[CONTROL] = walks[CONTROL][1:]
    location = locate(trace(walks))
    assert location.finding.device is Device.UNLOCATED
    assert "control_unanswered" in location.untold


def test_names_that_fare_alike_are_said():
    walks = {SYN: way(3, Answer.OPEN), CONTROL: [full(Answer.SILENCE)], WATCHED: [full(Answer.SILENCE)]}
    assert "not_by_name" in locate(trace(walks)).untold


def test_a_copied_ttl_is_seen_by_its_own():
    finding = locate(trace(selective(reply_ttl=1))).finding
    assert (finding.segment.lower, finding.segment.upper) == (1, 2)
    assert "ttl_copied" in finding.proof
    own = locate(trace(selective(reply_ttl=62))).finding
    assert (own.segment.lower, own.segment.upper) == (2, 3)


def test_a_copied_ttl_is_heard_by_deafness():
    deaf = [step(3, Answer.SILENCE) for _ in range(3)]
    assert locate(trace(selective(floor=deaf))).finding.segment.upper == 2
    hearing = [*deaf, step(3, Answer.RESET)]
    assert locate(trace(selective(floor=hearing))).finding.segment.upper == 3


def test_a_copied_ttl_on_an_unknown_way_back_leaves_the_way_there():
    walks = selective(reply_ttl=1)
    walks[SYN] = [step(ttl, Answer.EXPIRED) for ttl in range(1, 6)] + [step(6, Answer.OPEN, ENDPOINT.ip)]
    finding = locate(trace(walks)).finding
    assert (finding.segment.lower, finding.segment.upper) == (0, 3)


def swallowing(*, full_count=2, lower=2, **more):
    controls, watched = names(4, watched=Answer.SILENCE, pairs=3, **more)
    return {
        SYN: way(5, Answer.OPEN),
        CONTROL: [full(Answer.HANDSHAKE), *controls],
        WATCHED: [
            *(step(FULL_TTL, Answer.SILENCE) for _ in range(full_count)),
            *(step(ttl, Answer.EXPIRED, "") for ttl in range(1, lower + 1)),
            *watched,
        ],
    }


def test_a_name_that_is_swallowed():
    finding = locate(trace(swallowing())).finding
    assert (finding.device, finding.segment.lower, finding.segment.upper) == (Device.SNI_DROP, 2, 4)


def test_swallowed_once_is_no_proof():
    location = locate(trace(swallowing(full_count=1)))
    assert location.finding.device is Device.UNLOCATED
    assert "swallowed_somewhere" in location.untold


def test_signs_of_life_behind_the_target_are_no_proof():
    assert locate(trace(swallowing(lower=7))).finding.device is Device.UNLOCATED


def test_ways_of_different_length_are_no_proof():
    walks = swallowing()
    walks[SYN].append(step(7, Answer.EXPIRED))
    location = locate(trace(walks))
    assert location.finding.device is Device.UNLOCATED
    assert "uneven_ways" in location.untold


def shorter(answer=Answer.OPEN, *, count=6, nearer=None):
    return {
        SYN: [
            *([step(1, Answer.EXPIRED)] if nearer is None else nearer),
            *(step(2, answer, ENDPOINT.ip) for _ in range(count)),
        ],
        UDP: [step(ttl, Answer.EXPIRED) for ttl in (1, 2, 2, 2, 2, 2, 2, 3)],
    }


def test_a_port_that_is_answered_nearer():
    for answer, device in ((Answer.OPEN, Device.TERMINATING_PROXY), (Answer.REFUSED, Device.TCP_BLOCK)):
        finding = locate(trace(shorter(answer))).finding
        assert (finding.device, finding.segment.lower, finding.segment.upper) == (device, 1, 2)


def test_it_may_be_nearer_where_an_answer_may_be_lost():
    assert locate(trace(shorter(nearer=[step(1, Answer.SILENCE)]))).finding.segment.lower == 0
    asked = [step(1, Answer.SILENCE) for _ in range(6)]
    assert locate(trace(shorter(nearer=asked))).finding.segment.lower == 1


def test_few_or_unsteady_answers_are_no_proof():
    assert locate(trace(shorter(count=5))).finding.device not in LOCATED
    for lost in (SYN, UDP):
        walks = shorter()
        walks[lost] += [step(2, Answer.SILENCE) for _ in range(3)]
        assert locate(trace(walks)).finding.device not in LOCATED


def test_a_router_that_is_the_target_itself_counts_no_hop():
    """A host behind its own gateway, whose address both have."""
    walks = shorter()
    walks[UDP] = [step(2, Answer.EXPIRED, ENDPOINT.ip) for _ in range(8)]
    assert locate(trace(walks)).finding.device not in LOCATED


def test_another_port_that_is_answered_farther_away():
    walks = shorter() | {
        UDP: [],
        SYN_CONTROL: [*(step(2, Answer.SILENCE) for _ in range(10)), step(6, Answer.OPEN, ENDPOINT.ip)],
    }
    finding = locate(trace(walks)).finding
    assert finding.proof == ("syn_answered:open", "answered_beyond:syn_control")
    walks[SYN_CONTROL].append(step(2, Answer.OPEN, ENDPOINT.ip))
    assert locate(trace(walks)).finding.device not in LOCATED


def blocked(*, beside=3, silent=6):
    return {
        SYN: [
            step(FULL_TTL, Answer.SILENCE),
            step(1, Answer.EXPIRED),
            *(step(2, Answer.SILENCE) for _ in range(silent)),
        ],
        UDP: [step(2, Answer.EXPIRED) for _ in range(beside)],
    }


def test_a_port_that_never_opens():
    finding = locate(trace(blocked())).finding
    assert (finding.device, finding.segment.lower, finding.segment.upper) == (Device.TCP_BLOCK, 1, 2)


def test_where_nothing_lives_behind_it_may_be_down():
    for walks in (blocked(beside=2), blocked(silent=2)):
        location = locate(trace(walks))
        assert location.finding.device is Device.TCP_BLOCK
        assert location.finding.segment.upper is None
        assert "may_be_down" in location.untold


def test_where_no_router_speaks_nothing_is_said():
    assert locate(trace({SYN: [step(FULL_TTL, Answer.SILENCE)]})).finding.device is Device.UNLOCATED


def test_own_failures_are_no_block():
    walks = {SYN: [step(FULL_TTL, Answer.UNSENT), step(1, Answer.EXPIRED)]}
    assert locate(trace(walks)).finding.device is Device.UNLOCATED


def clean(*, beside=Answer.OPEN, **more):
    hello = [full(Answer.HANDSHAKE), step(4, Answer.HANDSHAKE, ENDPOINT.ip)]
    return {
        SYN: way(3, Answer.OPEN, **more),
        SYN_CONTROL: way(3, beside, **more),
        CONTROL: hello,
        WATCHED: hello,
    }


def test_nothing_nearer_than_the_target():
    assert locate(trace(clean())).finding.device is Device.ENDPOINT


def test_without_anything_to_compare_with_it_is_not_said():
    location = locate(trace(clean() | {SYN_CONTROL: []}))
    assert location.finding.device is Device.UNLOCATED
    assert "nothing_beside" in location.untold


def test_hints_of_more_are_enough_not_to_say_it():
    assert locate(trace(clean() | {SYN_CONTROL: way(5, Answer.OPEN)})).untold == ("not_proven",)
    assert locate(trace(clean() | {UDP: way(6, Answer.ARRIVED)})).finding.device is Device.UNLOCATED


def test_a_hello_that_is_answered_nearer_than_connections_open_is_not_explained():
    walks = clean()
    walks[WATCHED] = [full(Answer.HANDSHAKE), step(2, Answer.HANDSHAKE, ENDPOINT.ip)]
    assert locate(trace(walks)).finding.device is Device.UNLOCATED


def test_a_target_that_answers_from_farther_than_it_seems():
    location = locate(trace(clean(reply_ttl=58)))
    assert location.finding.device is Device.UNMEASURABLE
    assert location.finding.proof == ("stretched",)
    parallel = clean(reply_ttl=58)
    parallel[SYN].append(step(2, Answer.EXPIRED, "10.99.2.1"))
    assert locate(trace(parallel)).finding.device is Device.ENDPOINT
    assert "parallel_ways" in locate(trace(parallel)).untold


def test_the_first_hop_cannot_be_far_away():
    walks = {SYN: way(0, Answer.OPEN), SYN_CONTROL: way(0, Answer.OPEN)}
    assert locate(trace(walks)).finding.proof == ("flat",)
    assert locate(trace(walks, is_on_link=True)).finding.device is Device.UNLOCATED


def test_a_drop_at_a_flat_target_is_not_placed():
    controls, watched = names(1, control=Answer.HANDSHAKE, watched=Answer.SILENCE, pairs=3)
    walks = {
        SYN: way(0, Answer.OPEN),
        CONTROL: [full(Answer.HANDSHAKE), *controls],
        WATCHED: [*(step(FULL_TTL, Answer.SILENCE) for _ in range(2)), *watched],
    }
    assert locate(trace(walks)).finding.device is Device.UNMEASURABLE
    assert locate(trace(walks, is_on_link=True)).finding.device is Device.SNI_DROP


def measured(*traces):
    return Measurement(target=Target("a.test"), vantage=Vantage(), started_at=NOW, trace=traces)


def test_whose_the_hops_are():
    systems = {"10.0.1.1": System(64500, "By the database"), "10.0.2.1": System(64501, "Kept")}
    system_of = with_operators(systems.get, {64500: "By the registry"})
    drop = swallowing() | shorter()
    (plain,) = locations_of(measured(trace(drop)))
    assert plain.finding.segment.before.addresses[0].system is None
    (location, other, open_end) = locations_of(
        measured(trace(selective()), trace(clean()), trace(blocked(beside=0))), system_of
    )
    assert [a.system for a in location.finding.segment.before.addresses] == [System(64501, "Kept")]
    assert [a.system for a in location.finding.segment.at.addresses] == [None]
    assert other.finding.segment is None
    assert open_end.finding.segment.before.addresses[0].system == System(64500, "By the registry")
    assert open_end.finding.segment.at is None
