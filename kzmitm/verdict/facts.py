"""What is known of one target, derived once: named values for the rules, and no judgement.

A measurement holds several handshakes that ask for the target's name. Each is looked at for itself, with
the others as its contrast, so that a clean one never hides a forged one: `Facts` is such a view, and
`others` are the remaining views of the same measurement.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kzmitm.model.certificate import Certificate
from kzmitm.model.failure import Failure
from kzmitm.model.measurement import ControlEntry, Measurement
from kzmitm.model.observation import Role, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.model.verdict import Forger
from kzmitm.pki.attribution import Attribution
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.forgers import match_forgers
from kzmitm.pki.registry import Registry
from kzmitm.pki.relations import FieldRelations, relate
from kzmitm.pki.store import TrustStore
from kzmitm.verdict.contrast import (
    NO_CONTRAST,
    ContrastFacts,
    contrast_facts,
    copies_names,
    genuine_leaves,
    minted_for_other_names,
)
from kzmitm.verdict.control import NO_CONTROL, ControlFacts, completes, control_facts
from kzmitm.verdict.handshake import (
    SUBJECT_ROLES,
    HandshakeFacts,
    Judging,
    State,
    assess,
    validate,
)
from kzmitm.verdict.resolution import (
    NOT_RESOLVED,
    AddressFacts,
    Resolution,
    address_facts,
    resolution,
)

MAX_VIEWS = 16
"""Handshakes of one measurement that are judged each for itself; we make eight follow-ups at most."""

CLOCK_TOLERANCE_S = 300
"""A clock that is off by less fails no certificate: CAs backdate by an hour, and witnesses have delays."""

_NO_ADDRESS = AddressFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One view of a measurement: `focus` is the handshake that it is about, None if there was none."""

    measurement: Measurement
    now: datetime
    registry_version: str
    store_version: str
    handshakes: tuple[HandshakeFacts, ...]
    """One per TLS observation of the measurement, in its order."""
    focus: HandshakeFacts | None
    others: tuple["Facts", ...] = ()
    contrast: ContrastFacts = NO_CONTRAST
    control: ControlFacts = NO_CONTROL
    resolved: Resolution = NOT_RESOLVED
    address: AddressFacts = _NO_ADDRESS
    genuine: tuple[Certificate, ...] = ()
    """Leaves of the name that are known to be genuine, from the control or from elsewhere here."""
    has_genuine_key: bool = False
    """The leaf's key is one of theirs, so nobody stands between, whatever else is wrong."""
    lacks_intermediate: bool = False
    """The chain verifies with certificates that others had: it was only sent incomplete."""
    trusted_at_true_time: bool = False
    """The chain is fine at the time that independent witnesses tell."""
    copies_names: bool = False
    """Another key under the very names of a genuine leaf."""
    mints_names: bool = False
    """Its issuer makes certificates for whatever name is asked for."""
    relations: FieldRelations | None = None
    forgers: Mapping[bool | None, tuple[Forger, ...]] | None = None
    """Whose way of forging this is, by whether the key is shared between hosts (None: not known)."""

    @property
    def hostname(self) -> str:
        return self.measurement.target.hostname

    @property
    def state(self) -> State | None:
        return self.focus.state if self.focus is not None else None

    @property
    def is_plain(self) -> bool:
        """Trusted at the first handshake, with nothing to hold against it: most targets of most runs."""
        return (
            self.focus is not None
            and self.focus.state is State.TRUSTED
            and self.resolved is NOT_RESOLVED
            and self.control is NO_CONTROL
            and self.contrast is NO_CONTRAST
            and not self.focus.attributions
            and not self.others
        )

    @property
    def is_forged(self) -> bool:
        """Shown by somebody without a public CA's key and without the site's own: forged, or the site's fault."""
        return (
            self.focus is not None
            and self.focus.is_forgeable
            and not self.has_genuine_key
            and not self.lacks_intermediate
        )

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        return self.focus.attributions if self.focus is not None else ()

    @property
    def failure(self) -> str | None:
        """OONI's single string for the focus."""
        return self.focus.failure if self.focus is not None else None

    @property
    def failures(self) -> tuple[str | None, ...]:
        """OONI's single string per TLS observation of the measurement."""
        return tuple(handshake.failure for handshake in self.handshakes)

    @property
    def tcp_failures(self) -> tuple[str, ...]:
        """Why connects failed; () if one was answered or none was tried."""
        tcp = self.measurement.tcp
        failures = tuple(o.failure for o in tcp if o.failure is not None)
        return failures if len(failures) == len(tcp) else ()

    @property
    def clock_is_off(self) -> bool | None:
        """Our clock disagrees with independent witnesses; None if none was asked."""
        offset = self.measurement.clock_offset_s
        return None if offset is None else abs(offset) > CLOCK_TOLERANCE_S

    @property
    def second_engine_agrees(self) -> bool | None:
        """OpenSSL saw the same leaf, or the same failure; None if it was not asked."""
        if self.focus is None:
            return None
        seen = [
            h
            for h in (*self.contrast.other_hellos, *self.contrast.repeats)
            if h.observation.hello.engine != self.focus.observation.hello.engine
        ]
        return any(_same_end(h, self.focus) for h in seen) if seen else None

    @property
    def is_interrupted(self) -> bool:
        """Ended by us, or by our own proxy: says nothing of the target."""
        own = (Failure.INTERRUPTED, Failure.PROXY_FAILED)
        return self.focus is not None and self.focus.observation.failure in own


def derive(
    measurement: Measurement,
    *,
    registry: Registry,
    store: TrustStore,
    control: Mapping[tuple[str, int], ControlEntry],
    cache: CertificateCache,
    now: datetime,
    intermediates: Sequence[Certificate] = (),
) -> Facts:
    """The facts of a measurement at `now` (aware UTC). Pure; `intermediates` may complete chains."""
    judging = Judging(registry, store, cache, now, tuple(intermediates))
    target = measurement.target
    entry = control.get((target.hostname, target.port)) if control else None
    handshakes = tuple([assess(o, judging, hostname=_judged_name(o, measurement)) for o in measurement.tls])
    plain = len(handshakes) == 1 and handshakes[0].state is State.TRUSTED and entry is None
    if plain and handshakes[0].observation.role is Role.FIRST and _resolves_plainly(measurement):
        return Facts(
            measurement=measurement,
            now=now,
            registry_version=registry.version,
            store_version=store.version,
            handshakes=handshakes,
            focus=handshakes[0],
        )
    return _derive_whole(measurement, handshakes, entry, judging)


def _resolves_plainly(measurement: Measurement) -> bool:
    """No resolver failed: a trusted chain needs no more from DNS."""
    return all(observation.failure is None for observation in measurement.dns)


def _judged_name(observation: TLSObservation, measurement: Measurement) -> str:
    return observation.sni if observation.sni is not None else measurement.target.hostname


def _derive_whole(
    measurement: Measurement,
    handshakes: tuple[HandshakeFacts, ...],
    entry: ControlEntry | None,
    judging: Judging,
) -> Facts:
    local = [h for h in handshakes if h.observation.role is not Role.CONTROL]
    remote = [h for h in handshakes if h.observation.role is Role.CONTROL]
    hostname = measurement.target.sni or measurement.target.hostname
    common = Facts(
        measurement=measurement,
        now=judging.now,
        registry_version=judging.registry.version,
        store_version=judging.store.version,
        handshakes=handshakes,
        focus=None,
        control=control_facts(entry, remote, judging, hostname=hostname),
        resolved=resolution(measurement.dns),
    )
    views = [_view(common, focus, local, judging) for focus in _focuses(local, measurement.first)]
    if not views:
        return common
    return replace(views[0], others=tuple(views[1:]))


def _focuses(local: Sequence[HandshakeFacts], first: TLSObservation | None) -> list[HandshakeFacts]:
    """The handshakes to be judged, `first` first: those for the target's name that differ.

    A follow-up without a chain is only contrast: a server may well refuse an odd hello.
    """
    found: dict[tuple[Endpoint, State, str | None], HandshakeFacts] = {}
    for handshake in sorted(local, key=lambda h: h.observation is not first):
        role = handshake.observation.role
        if role not in SUBJECT_ROLES or (role is not Role.FIRST and not handshake.chain):
            continue
        end = handshake.leaf_sha256 or handshake.observation.failure
        found.setdefault((handshake.observation.endpoint, handshake.state, end), handshake)
    return list(found.values())[:MAX_VIEWS]


def _view(common: Facts, focus: HandshakeFacts, local: Sequence[HandshakeFacts], judging: Judging) -> Facts:
    measurement = common.measurement
    contrast = contrast_facts(focus, local, judging)
    genuine = genuine_leaves(contrast, common.control)
    address = address_facts(
        measurement,
        focus.observation.endpoint.ip,
        common.resolved,
        control_ips=common.control.ips,
        serves_name=bool(contrast.genuine_here),
    )
    view = replace(common, focus=focus, contrast=contrast, address=address, genuine=genuine)
    if focus.state is not State.UNTRUSTED:
        return view
    keys = {leaf.spki_sha256 for leaf in genuine} | set(common.control.leaf_keys)
    extra = {c.sha256: c for h in local if h is not focus and h.is_anchored for c in h.chain[1:]}
    view = replace(
        view,
        has_genuine_key=focus.spki_sha256 is not None and focus.spki_sha256 in keys,
        lacks_intermediate=completes(focus, (*common.control.certificates, *extra.values()), judging),
        trusted_at_true_time=_trusted_at_true_time(focus, measurement, judging),
        copies_names=any(copies_names(focus.chain[0], leaf) for leaf in genuine),
        mints_names=minted_for_other_names(focus, contrast),
    )
    return _with_forgers(view, judging) if view.is_forged else view


def _trusted_at_true_time(focus: HandshakeFacts, measurement: Measurement, judging: Judging) -> bool:
    """The chain is trusted once the witnessed offset is taken from our clock."""
    offset = measurement.clock_offset_s
    if offset is None or abs(offset) <= CLOCK_TOLERANCE_S or not focus.fails_by_time_only:
        return False
    try:
        true_time = judging.now - timedelta(seconds=offset)
    except (OverflowError, ValueError):  # a witness that is out of its mind
        return False
    return validate(focus.chain, replace(judging, now=true_time), hostname=focus.hostname).trusted


def _with_forgers(view: Facts, judging: Judging) -> Facts:
    """Adds the relations to the best genuine leaf, and the forgers they are consistent with."""
    focus = view.focus
    assert focus is not None  # noqa: S101 - a view always has one
    leaf = focus.chain[0]
    genuine = next((g for g in view.genuine if copies_names(leaf, g)), next(iter(view.genuine), None))
    issuer = next(
        (
            c
            for c in focus.chain[1:3]
            if c.subject.der == leaf.issuer.der and judging.cache.is_signed_by(leaf, c)
        ),
        None,
    )
    relations = relate(leaf, genuine, issuer=issuer, sni=focus.observation.sni, seen_at=judging.now)
    forgers = {
        shared: match_forgers(relations, shared_key=shared, registry=judging.registry)
        for shared in (None, False, True)
    }
    return replace(view, relations=relations, forgers=forgers)


def _same_end(one: HandshakeFacts, other: HandshakeFacts) -> bool:
    if one.chain or other.chain:
        return one.leaf_sha256 == other.leaf_sha256 and one.state is other.state
    return one.observation.failure == other.observation.failure


def views(facts: Facts) -> Iterable[Facts]:
    """The view itself, then the other views of the same measurement."""
    yield facts
    yield from facts.others
