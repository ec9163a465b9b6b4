"""A trace for people: what is where, what proves it, what could not be told, and the path as a table."""

from collections.abc import Iterator, Sequence

from kzmitm.model.location import LOCATED, Device, Finding, Hop, Location, Segment
from kzmitm.model.trace import FULL_TTL, Answer, Step, TraceObservation, WalkKind
from kzmitm.report.language import N_, _
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

DEVICES = {
    Device.TERMINATING_PROXY: N_("a proxy that answers every connection in the site's name"),
    Device.SNI_INTERCEPTOR: N_("a box that takes connections over once they name this site"),
    Device.SNI_INJECTOR: N_("a box that ends connections once they name this site"),
    Device.SNI_DROP: N_("a box that swallows connections once they name this site"),
    Device.TCP_BLOCK: N_("a filter that lets no connection to this port open"),
    Device.ENDPOINT: N_("nothing nearer than the site's own address answers"),
    Device.UNMEASURABLE: N_("distances mean nothing on this path"),
    Device.UNLOCATED: N_("not located"),
}

PROOFS = {
    "syn_answered": N_("connections to the port are answered there ({detail})"),
    "expires_beyond": N_("other packets to the same address still run out there or farther away ({detail})"),
    "answered_beyond": N_("another port of the same address is answered farther away only ({detail})"),
    "watched_answered": N_("the watched name is answered there ({detail})"),
    "control_expired": N_("where the harmless name, on the same port, still runs out"),
    "control_silent": N_("where the harmless name, on the same ports, is not answered"),
    "watched_swallowed": N_("for the watched name nothing comes any more from there on"),
    "control_answered": N_("while the harmless name is still answered"),
    "ttl_copied": N_("its packets bear what was left of our TTL, so that it seems farther than it is"),
    "syn_unanswered": N_("no opening of a connection is answered, at whatever distance"),
    "others_go_on": N_("other packets to the same address go on"),
    "nothing_nearer": N_("both names are answered, and at no smaller distance than connections open"),
    "flat": N_("an address outside this network seems to be the first hop: TTLs are rewritten, or kept"),
    "stretched": N_("its answers come from farther away than it seems to be: TTLs are rewritten on the way"),
}
"""By the code of a proof in front of its colon; behind it is the detail."""

UNTOLD = {
    "incomplete": N_("the trace was broken off before its end"),
    "nothing_answers": N_("nothing answers at this address, so there is nothing to be compared"),
    "control_unanswered": N_("the harmless name is not answered; try another one with --control-sni"),
    "not_by_name": N_("the harmless name fares no better, so nobody chooses by name"),
    "nothing_beside": N_(
        "nothing but this port answers there, so a proxy cannot be told from the site; "
        "try another --control-port"
    ),
    "not_proven": N_("the answers differ, and not in a way that proves anything"),
    "swallowed_somewhere": N_("the watched name is swallowed somewhere; no router tells where"),
    "may_be_down": N_("a host that is down looks the same; ask from elsewhere whether it is"),
    "wide": N_("routers in between keep silent, so it may be at any of them"),
    "address_hidden": N_("the router there keeps silent: its distance is known, and not its address"),
    "routers_silent": N_("no router on the way says anything"),
    "parallel_ways": N_("packets take parallel ways, and which one is not told: several addresses at a hop"),
    "uneven_ways": N_("packets take parallel ways of different length, so that distances are uncertain"),
}

_COLUMNS = (
    (WalkKind.UDP, N_("UDP")),
    (WalkKind.SYN, N_("SYN")),
    (WalkKind.SYN_CONTROL, N_("other port")),
    (WalkKind.HELLO_CONTROL, N_("harmless name")),
    (WalkKind.HELLO_WATCHED, N_("watched name")),
)

ANSWERS = {
    Answer.EXPIRED: N_("expired"),
    Answer.ARRIVED: N_("arrived"),
    Answer.OPEN: N_("open"),
    Answer.REFUSED: N_("refused"),
    Answer.UNREACHABLE: N_("unreachable"),
    Answer.HANDSHAKE: N_("certificate"),
    Answer.ALERT: N_("alert"),
    Answer.RESET: N_("reset"),
    Answer.CLOSED: N_("closed"),
    Answer.OTHER: N_("not TLS"),
    Answer.SILENCE: "*",
    Answer.UNSENT: "-",
}
_ORDER = (
    Answer.HANDSHAKE, Answer.OPEN, Answer.ARRIVED, Answer.REFUSED, Answer.RESET, Answer.ALERT, Answer.CLOSED,
    Answer.OTHER, Answer.EXPIRED, Answer.UNREACHABLE, Answer.SILENCE, Answer.UNSENT,
)  # fmt: skip
"""What is shown of several answers at one distance: the most telling one."""


def location_text(location: Location) -> str:
    """The main finding in a sentence without its end: what, and where."""
    return finding_text(location.finding)


def finding_text(finding: Finding) -> str:
    """A device and its place in words."""
    said = _(DEVICES[finding.device])
    if finding.segment is None or finding.device not in LOCATED:
        return said
    return f"{said}, {place_text(finding.segment)}"


def place_text(segment: Segment) -> str:
    """`between hop 1 (10.0.0.1) and hop 2 (192.0.2.1, AS64500 Example)`."""
    before = _("this computer") if segment.lower == 0 else hop_text(segment.before)
    if segment.at is None:
        return _("behind {before}").format(before=before)
    at = hop_text(segment.at)
    if segment.lower == 0:
        # What is on this computer answers at every distance, too.
        return _("on this computer or on the way to {at}").format(at=at)
    return _("between {before} and {at}").format(before=before, at=at)


def hop_text(hop: Hop) -> str:
    """`hop 2 (192.0.2.1, AS64500 Example)`; without addresses where the router keeps silent."""
    name = _("hop {number}").format(number=hop.ttl)
    told = []
    for address in hop.addresses:
        system = address.system
        owner = f", AS{system.asn} {harmless(system.operator)}".rstrip() if system else ""
        told.append(harmless(address.ip) + owner)
    return f"{name} ({_(' or ').join(told)})" if told else name


def location_lines(location: Location) -> Iterator[Line]:
    """What is where, what proves it, what else there is, and what could not be told."""
    style = Style.WARNING if location.finding.device in LOCATED else Style.PLAIN
    yield Line(
        f" {finding_text(location.finding)}",
        lead=f"{harmless(str(location.endpoint))}:",
        style=style,
        indent=2,
    )
    for code in location.finding.proof:
        yield Line(f"  - {proof_text(code)}", indent=4)
    for other in location.others:
        yield Line(f"  {_('also')}: {finding_text(other)}", indent=4)
    for code in location.untold:
        yield Line(f"  {_('could not be told')}: {_(UNTOLD.get(code, code))}", indent=4)


def proof_text(code: str) -> str:
    """A code of a proof in words."""
    name, _colon, detail = code.partition(":")
    return _(PROOFS[name]).format(detail=harmless(detail)) if name in PROOFS else harmless(code)


def path_table(trace: TraceObservation) -> Iterator[Line]:
    """One line for each distance: who answered, and how each kind of packet fared."""
    rows = [(_("hop"), _("address"), *(_(title) for _kind, title in _COLUMNS))]
    for ttl in distances(trace):
        answers = (shown_answer(trace, kind, ttl) for kind, _title in _COLUMNS)
        rows.append((str(ttl), " ".join(addresses_at(trace, ttl)) or "*", *answers))
    full = tuple(shown_answer(trace, kind, FULL_TTL) for kind, _title in _COLUMNS)
    rows.append((_("any"), harmless(trace.endpoint.ip), *full))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        yield Line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def distances(trace: TraceObservation) -> range:
    """From the first hop to where the farthest walk was answered, or heard of last."""
    ends = []
    for kind in WalkKind:
        told = [s for s in trace.steps(kind) if s.ttl < FULL_TTL and s.answer not in _NOTHING]
        ended = [s.ttl for s in told if s.answer is not Answer.EXPIRED]
        ends.append(min(ended) if ended else max((s.ttl for s in told), default=0))
    return range(1, max(ends, default=0) + 1)


_NOTHING = (Answer.SILENCE, Answer.UNSENT)


def addresses_at(trace: TraceObservation, ttl: int) -> Sequence[str]:
    """Who said that packets ran out at a distance, made harmless."""
    told = (
        step.address
        for kind in WalkKind
        for step in trace.steps(kind)
        if step.ttl == ttl and step.answer is Answer.EXPIRED and step.address
    )
    return [harmless(ip) for ip in dict.fromkeys(told)]


def shown_answer(trace: TraceObservation, kind: WalkKind, ttl: int) -> str:
    """The most telling answer at a distance, "" where nothing was asked."""
    steps: list[Step] = [step for step in trace.steps(kind) if step.ttl == ttl]
    if not steps:
        return ""
    return _(ANSWERS[min((step.answer for step in steps), key=_ORDER.index)])
