"""The innocent causes that were tested and excluded, each with its evidence: what a reader asks first."""

from collections.abc import Callable, Iterator, Mapping

from kzmitm.model.verdict import Cause, Outcome, RuledOut, Scope
from kzmitm.pki.kinds import scope_of
from kzmitm.verdict.codes import EvidenceCode
from kzmitm.verdict.context import MIN_HOSTS, RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import STRONG_MATCHES, HandshakeFacts, State

Evidence = Iterator[tuple[EvidenceCode, str]]
"""(code, what was seen) for one cause, the strongest first."""

_ASSERTED: Mapping[Outcome, Cause] = {
    Outcome.ORIGIN_MISCONFIGURED: Cause.ORIGIN,
    Outcome.DNS_HIJACK: Cause.DNS,
    Outcome.CAPTIVE_PORTAL: Cause.CAPTIVE_PORTAL,
}
"""An outcome does not rule out what it says."""

_UNTESTED = frozenset({Outcome.CLEAN, Outcome.UNREACHABLE})


def ruled_out(outcome: Outcome, facts: Facts, context: RunContext) -> tuple[RuledOut, ...]:
    """One entry per excluded cause, with its strongest evidence."""
    if outcome in _UNTESTED or facts.focus is None or facts.is_interrupted:
        return ()
    if facts.focus.state is State.UNPROVEN:  # a chain that somebody copied says nothing of him
        return ()
    asserted = _ASSERTED.get(outcome)
    found = []
    for cause, test in _TESTS.items():
        evidence = next(test(facts, facts.focus, context), None)
        if cause is not asserted and evidence is not None:
            found.append(RuledOut(cause, evidence[0], evidence[1]))
    return tuple(found)


def _known_key(focus: HandshakeFacts, scopes: frozenset[Scope]) -> Evidence:
    for attribution in focus.attributions:
        authority = attribution.authority
        if authority.match in STRONG_MATCHES and scope_of(authority.kind) in scopes:
            yield EvidenceCode.KNOWN_KEY_SIGNED, authority.matched_sha256


def _benign(facts: Facts, focus: HandshakeFacts) -> Evidence:
    """One leaf for both names is no contrast, however public: portals have such, and shared servers."""
    differs = any(h.leaf_sha256 != focus.leaf_sha256 for h in facts.contrast.benign)
    if facts.contrast.benign_is_genuine and differs:
        yield EvidenceCode.BENIGN_SNI_GENUINE, facts.contrast.benign[0].hostname


def _local_root(facts: Facts, focus: HandshakeFacts, _context: RunContext) -> Evidence:
    if focus.state is State.UNTRUSTED:  # a filter on this computer may well cut off single names
        yield from _known_key(focus, frozenset({Scope.STATE, Scope.ISP}))
        trust = facts.local_trust
        if trust is not None and trust.is_added:
            return
        if trust is not None and trust.is_known and not trust.root:
            yield EvidenceCode.NO_LOCAL_ROOT, f"{trust.stores_read}"
        yield from _benign(facts, focus)


def _portal(facts: Facts, focus: HandshakeFacts, _context: RunContext) -> Evidence:
    yield from _known_key(focus, frozenset({Scope.STATE, Scope.ISP}))
    if focus.chain and focus.covers_host:
        yield EvidenceCode.NAMES_COVER_HOST, focus.hostname
    yield from _benign(facts, focus)
    for other in facts.contrast.other_names:
        if focus.chain and other.chain and other.leaf_sha256 != focus.leaf_sha256:
            yield EvidenceCode.LEAF_VARIES_BY_SNI, other.hostname


def _dns(facts: Facts, _focus: HandshakeFacts, _context: RunContext) -> Evidence:
    address = facts.address
    for holds, code in (
        (address.is_given, EvidenceCode.ADDRESS_GIVEN),
        (address.in_control, EvidenceCode.ADDRESS_IN_CONTROL),
        (address.in_doh, EvidenceCode.ADDRESS_IN_DOH),
        (address.serves_name, EvidenceCode.ADDRESS_SERVES_NAME),
    ):
        if holds:
            yield code, address.ip


def _origin(facts: Facts, focus: HandshakeFacts, context: RunContext) -> Evidence:
    if not (focus.state is State.TRUSTED or facts.has_genuine_key or facts.is_home_of_state_pki):
        yield from _known_key(focus, frozenset(Scope))
    if facts.control.is_genuine and (facts.is_forged or focus.state in (State.FAILED, State.CUT)):
        yield EvidenceCode.CONTROL_GENUINE, f"key:{facts.control.genuine[0].spki_sha256}"
    if facts.is_forged:
        yield from _genuine_nearby(facts)
        yield from _issuer_beyond_one_site(facts, focus, context)


def _genuine_nearby(facts: Facts) -> Evidence:
    contrast = facts.contrast
    for handshakes, code in (
        (contrast.repeats, EvidenceCode.REPEAT_GENUINE),
        (contrast.other_hellos, EvidenceCode.OTHER_HELLO_GENUINE),
        (contrast.other_addresses, EvidenceCode.OTHER_ADDRESS_GENUINE),
    ):
        for other in handshakes:
            if other.state is State.TRUSTED:
                yield code, f"key:{other.spki_sha256}"


def _issuer_beyond_one_site(facts: Facts, focus: HandshakeFacts, context: RunContext) -> Evidence:
    if facts.mints_names:
        yield EvidenceCode.ISSUER_MINTS_NAMES, str(focus.chain[0].issuer)
    many = context.hosts_signed_by(focus.chain[0]) >= MIN_HOSTS and not facts.is_home_of_state_pki
    if focus.covers_host and many:
        yield EvidenceCode.ISSUER_SIGNS_UNRELATED_HOSTS, str(focus.chain[0].issuer)


def _cdn(facts: Facts, focus: HandshakeFacts, _context: RunContext) -> Evidence:
    forged = facts.is_forged and focus.is_readable and focus.harmless is None
    if forged and not focus.claims_public_issuer:
        yield EvidenceCode.ISSUER_NOT_PUBLIC, str(focus.chain[0].issuer)


def _clock(facts: Facts, focus: HandshakeFacts, context: RunContext) -> Evidence:
    if focus.is_forgeable and focus.is_readable:
        yield EvidenceCode.NOT_A_TIME_FAILURE, ""
    if facts.clock_is_off is False:
        yield EvidenceCode.CLOCK_WITNESSED, f"{facts.measurement.clock_offset_s:.0f} s"
    late = focus.is_early  # what is only ours is late: older certificates pass at such a clock
    if focus.state is State.UNTRUSTED and context.trusted and facts.clock_is_off is None and not late:
        yield EvidenceCode.OTHER_HOSTS_IN_TIME, f"{context.trusted}"


def _instrument(facts: Facts, focus: HandshakeFacts, _context: RunContext) -> Evidence:
    if facts.second_engine_agrees:
        yield EvidenceCode.SECOND_ENGINE_AGREES, ""
    proof = focus.observation.proof
    if proof is not None and proof.verified and focus.spki_sha256 is not None:
        yield EvidenceCode.PROOF_VERIFIED, f"key:{focus.spki_sha256}"
    if any(
        other.leaf_sha256 == focus.leaf_sha256 and other.failure == focus.failure
        for other in facts.contrast.repeats
    ):
        yield EvidenceCode.REPEAT_AGREES, ""


_TESTS: Mapping[Cause, Callable[[Facts, HandshakeFacts, RunContext], Evidence]] = {
    Cause.LOCAL_ROOT: _local_root,
    Cause.CAPTIVE_PORTAL: _portal,
    Cause.DNS: _dns,
    Cause.ORIGIN: _origin,
    Cause.CDN: _cdn,
    Cause.CLOCK: _clock,
    Cause.INSTRUMENT: _instrument,
}
