"""Where on the path somebody acts: the decision over a trace. Positive proof only.

Nothing is concluded from what merely did not come: routers keep silent, answers are lost, and servers ration
them. A difference between two names counts where both were sent on the same port, as parallel ways (ECMP)
may differ in length; a difference between two ports counts where it shows on many.
"""

from collections.abc import Callable, Iterable, Iterator

from kzmitm.model.location import Device, Finding, Location
from kzmitm.model.trace import FULL_TTL, HELLO_ANSWERS, Answer, TraceObservation, WalkKind
from kzmitm.model.trace_table import BESIDE_KINDS, TraceTable, reached
from kzmitm.verdict.trace_view import TraceView

CERTAIN_FLOWS = 2
"""Ports on which a router said that the harmless name ran out where the watched one was answered: one is
proof, unless routes changed in between."""
PROOF_FLOWS = 3
"""Ports on which two names must differ. TCP repeats a hello twice while it is waited for: on a line that
loses 15 of 100 packets, three in a row are lost once in a hundred thousand."""
CONTROL_FLOWS = 10
"""Ports on which the harmless name must not be answered where the watched one is, on every port, so that even
of two parallel ways of different length, taken at random by each connection, it is no coincidence."""
BEYOND_FLOWS = 10
"""Ports on which another port must be silent where this one is answered, if no router tells that it is
farther; on as many, a bad line does not lose all answers."""
LENGTH_FLOWS = 6
"""Ports on which one walk must be shorter than another; see `kzmitm.probe.trace`."""
STEADY = 4
"""Answers for each silence, at least, where silence may hide what speaks against it."""
NEARER_STEPS = 6
"""Silent SYNs a hop nearer, after which an answer there would have been heard."""

_SYN, _CONTROL, _WATCHED = WalkKind.SYN, WalkKind.HELLO_CONTROL, WalkKind.HELLO_WATCHED
_HEARD = HELLO_ANSWERS | {Answer.EXPIRED}


def locate(trace: TraceObservation) -> Location:
    """What a trace proves, and what it does not."""
    view = TraceView(trace)
    found = [finding for rule in _RULES if (finding := rule(view)) is not None]
    found.sort(key=_nearest)
    if view.is_flat(found) or view.is_stretched(found):
        found = [Finding(device=Device.UNMEASURABLE, proof=(view.why_unmeasurable,))]
    main = found[0] if found else _nothing_nearer(view) or Finding(device=Device.UNLOCATED)
    return Location(
        endpoint=trace.endpoint,
        finding=main,
        others=tuple(found[1:]),
        untold=tuple(_untold(view, main)),
        distance=view.table.opening(),
    )


def _nearest(finding: Finding) -> tuple[int, int]:
    segment = finding.segment
    upper = FULL_TTL if segment is None or segment.upper is None else segment.upper
    return upper, finding.device is not Device.TERMINATING_PROXY


def _selective_answer(view: TraceView) -> Finding | None:
    """The watched name is answered where the harmless one is not, port by port."""
    table = view.table
    ttl = table.selective_answer()
    if ttl is None or not table.answers_fully(_CONTROL):
        return None
    control, watched = view.flows(_CONTROL, ttl), view.flows(_WATCHED, ttl)
    both = [flow for flow in watched if flow in control and HELLO_ANSWERS & set(watched[flow])]
    expired = [flow for flow in both if Answer.EXPIRED in control[flow]]
    if len(both) < PROOF_FLOWS or len(control) < CONTROL_FLOWS or not _all(watched) <= HELLO_ANSWERS:
        return None
    answers = sorted(_all(watched) & HELLO_ANSWERS)
    certain = len(expired) >= CERTAIN_FLOWS
    proof = tuple(f"watched_answered:{answer}" for answer in answers)
    proof += ("control_expired",) if certain else ("control_silent",)
    if Answer.HANDSHAKE in answers:
        return Finding(device=Device.SNI_INTERCEPTOR, segment=view.segment(ttl - 1, ttl), proof=proof)
    return _injected(view, ttl, proof)


def _injected(view: TraceView, ttl: int, proof: tuple[str, ...]) -> Finding:
    """A device that gives its reset what is left of our TTL must be nearer than its answers say.

    At hop k it has TTL - (k - 1) left, of which the way back takes k - 1 hops more: it is heard from a TTL of
    2k - 1 on. That holds where the way back is as long as the way there.
    """
    if not _copies_ttl(view, ttl):
        return Finding(device=Device.SNI_INJECTOR, segment=view.segment(ttl - 1, ttl), proof=proof)
    hop = (ttl + 1) // 2
    is_known = ttl % 2 == 1 and view.way_back(hop) == hop
    segment = view.segment(hop - 1, hop) if is_known else view.segment(0, ttl)
    return Finding(device=Device.SNI_INJECTOR, segment=segment, proof=(*proof, "ttl_copied"))


def _copies_ttl(view: TraceView, ttl: int) -> bool:
    replies = [s.reply_ttl for s in view.table.at(_WATCHED, ttl) if s.answer in HELLO_ANSWERS and s.reply_ttl]
    if replies:
        return all(reply <= ttl for reply in replies)
    deaf = view.table.at(WalkKind.HELLO_FLOOR, ttl)
    silent = [step for step in deaf if step.answer in (Answer.SILENCE, Answer.EXPIRED)]
    return len(silent) == len(deaf) >= PROOF_FLOWS


def _swallowed(view: TraceView) -> Finding | None:
    """The watched name is never answered: between its last sign of life and where only the other lives."""
    table = view.table
    full = [step for step in table.at(_WATCHED, FULL_TTL) if step.answer is Answer.SILENCE]
    distance = table.opening()
    if not table.is_swallowed() or len(full) < CERTAIN_FLOWS or distance is None or view.is_uneven:
        return None
    lower = table.farthest_expiry(_WATCHED)
    upper = next((ttl for ttl in range(lower + 1, distance) if _is_missed(view, ttl)), distance)
    if lower >= distance:
        return None
    proof = ("watched_swallowed", "control_answered")
    if lower == 0 and upper == distance > 1:
        return Finding(device=Device.UNLOCATED, segment=view.segment(0, distance), proof=proof)
    return Finding(device=Device.SNI_DROP, segment=view.segment(lower, upper), proof=proof)


def _is_missed(view: TraceView, ttl: int) -> bool:
    control, watched = view.flows(_CONTROL, ttl), view.flows(_WATCHED, ttl)
    missed = [
        flow
        for flow, answers in watched.items()
        if set(answers) == {Answer.SILENCE} and _HEARD & set(control.get(flow, ()))
    ]
    return len(missed) >= PROOF_FLOWS


def _shorter(view: TraceView) -> Finding | None:
    """The port is answered where other packets to the same address still have a way to go."""
    table = view.table
    opening, refusal = table.opening(), table.refusal()
    ttl = opening or refusal
    if ttl is None or view.is_uneven:
        return None
    answer = Answer.REFUSED if opening is None else Answer.OPEN
    here = view.flows(_SYN, ttl)
    if not _is_steady(view, _SYN, ttl) or _count(here, {answer}) < LENGTH_FLOWS:
        return None
    proof = tuple(code for kind in BESIDE_KINDS for code in _goes_on(view, kind, ttl))
    if not proof:
        return None
    nearer = table.at(_SYN, ttl - 1)
    is_sharp = ttl == 1 or any(map(table.is_expiry, nearer)) or len(nearer) >= NEARER_STEPS
    lower = ttl - 1 if is_sharp else table.farthest_expiry(_SYN)
    device = Device.TCP_BLOCK if opening is None else Device.TERMINATING_PROXY
    return Finding(device=device, segment=view.segment(lower, ttl), proof=(f"syn_answered:{answer}", *proof))


def _goes_on(view: TraceView, kind: WalkKind, ttl: int) -> Iterator[str]:
    table = view.table
    end = table.nearest(kind, reached(kind))
    if end is not None and end <= ttl:
        return
    far = table.expiry_from(kind, ttl)
    expired = {s.flow for s in table.walked(kind) if s.ttl >= ttl and table.is_expiry(s)}
    is_asked = kind is WalkKind.SYN_CONTROL and len(view.flows(kind, ttl)) >= BEYOND_FLOWS
    if far is not None and len(expired) >= LENGTH_FLOWS and _is_steady(view, kind, far):
        yield f"expires_beyond:{kind}"
    elif is_asked and end is not None:
        # All servers answer a SYN; that a port is closed they say a few times a second, so not UDP.
        yield f"answered_beyond:{kind}"


def _is_steady(view: TraceView, kind: WalkKind, ttl: int) -> bool:
    """Packets of a kind are nearly always answered at a distance, and always in the same way.

    Routers and servers ration what they say. On parallel ways of different length, packets on one of them may
    be silent for that, and the others look like the only way there is.
    """
    steps = view.table.at(kind, ttl)
    silent = sum(step.answer is Answer.SILENCE for step in steps)
    return silent <= (len(steps) - silent) // STEADY and len({step.answer for step in steps}) <= 1 + bool(
        silent
    )


def _all(flows: dict[int, list[Answer]]) -> set[Answer]:
    return {answer for answers in flows.values() for answer in answers}


def _count(flows: dict[int, list[Answer]], wanted: Iterable[Answer]) -> int:
    among = frozenset(wanted)
    return sum(bool(among & set(answers)) for answers in flows.values())


def _unopened(view: TraceView) -> Finding | None:
    """No connection opens anywhere: between the last sign of life of a SYN and where others still live."""
    table = view.table
    asked = table.at(_SYN, FULL_TTL)
    silent = [step for step in asked if step.answer in (Answer.SILENCE, Answer.UNREACHABLE)]
    if table.opening() is not None or table.refusal() is not None or len(asked) != len(silent) or not asked:
        return None
    lower = table.farthest_expiry(_SYN)
    upper = next((ttl for ttl in range(lower + 1, FULL_TTL) if _lives_beside(view, ttl)), None)
    if lower == 0 and upper is None:
        return None
    proof = ("syn_unanswered", *(() if upper is None else ("others_go_on",)))
    return Finding(device=Device.TCP_BLOCK, segment=view.segment(lower, upper), proof=proof)


def _lives_beside(view: TraceView, ttl: int) -> bool:
    """Of one kind at least, packets are heard of there, and of SYNs none."""
    own = view.flows(_SYN, ttl)
    if _count(own, {Answer.SILENCE}) < NEARER_STEPS or len(own) != _count(own, {Answer.SILENCE}):
        return False
    return any(
        _count(view.flows(kind, ttl), reached(kind) | {Answer.EXPIRED}) >= PROOF_FLOWS
        for kind in BESIDE_KINDS
    )


_RULES: tuple[Callable[[TraceView], Finding | None], ...] = (
    _selective_answer,
    _shorter,
    _swallowed,
    _unopened,
)


def _nothing_nearer(view: TraceView) -> Finding | None:
    """Both names are answered, and neither nearer than connections open."""
    table = view.table
    distance = table.opening()
    if distance is None or not (table.answers_fully(_CONTROL) and table.answers_fully(_WATCHED)):
        return None
    nearest = table.nearest(_WATCHED, HELLO_ANSWERS)
    control = table.nearest(_CONTROL, HELLO_ANSWERS)
    if nearest is None or nearest < min(distance, control or distance) or _may_go_on(table, distance):
        return None
    if not any(table.nearest(kind, reached(kind)) == distance for kind in BESIDE_KINDS):
        return None  # a proxy in front of a silent site looks the same
    return Finding(device=Device.ENDPOINT, proof=("nothing_nearer",))


def _may_go_on(table: TraceTable, distance: int) -> bool:
    """Something hints at more behind the target's distance, though it is not proven."""
    end = table.nearest(WalkKind.SYN_CONTROL, reached(WalkKind.SYN_CONTROL))
    is_farther = end is not None and end > distance
    return is_farther or any(table.expiry_from(kind, distance) is not None for kind in BESIDE_KINDS)


def _untold(view: TraceView, main: Finding) -> Iterator[str]:
    """Codes of `kzmitm.report.trace` for what could not be told, and why."""
    table = view.table
    heard = any(table.farthest_expiry(kind) for kind in (_SYN, *BESIDE_KINDS))
    if not view.trace.is_complete:
        yield "incomplete"
    if main.device is Device.UNLOCATED:
        yield _why_unlocated(view)
    if main.device is Device.TCP_BLOCK and main.segment is not None and main.segment.upper is None:
        yield "may_be_down"
    if main.segment is not None and main.segment.upper is not None:
        if main.segment.upper - main.segment.lower > 1:
            yield "wide"
        if main.segment.at is not None and not main.segment.at.addresses:
            yield "address_hidden"
    if not heard:
        yield "routers_silent"
    if view.is_uneven:
        yield "uneven_ways"
    elif view.has_parallel_ways:
        yield "parallel_ways"


def _why_unlocated(view: TraceView) -> str:
    table = view.table
    control, watched = table.answers_fully(_CONTROL), table.answers_fully(_WATCHED)
    if table.opening() is None and not table.at(_CONTROL, FULL_TTL):
        return "nothing_answers"
    if not control:
        return "control_unanswered" if watched else "not_by_name"
    if not watched:
        return "swallowed_somewhere"
    beside = any(table.nearest(kind, reached(kind)) is not None for kind in BESIDE_KINDS)
    return "not_proven" if beside or view.is_uneven else "nothing_beside"
