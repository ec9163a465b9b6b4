"""What is known of one target, derived once from its measurement. Pure: all that is asked is an argument."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import ControlEntry, Measurement
from kzmitm.model.observation import Role, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.forgers import match_forgers
from kzmitm.pki.registry import Registry
from kzmitm.pki.relations import relate
from kzmitm.pki.store import TrustStore
from kzmitm.verdict.contrast import contrast_facts, copies_names, genuine_leaves, minted_for_other_names
from kzmitm.verdict.control import completes, control_facts
from kzmitm.verdict.handshake import SUBJECT_ROLES, HandshakeFacts, Judging, State, assess, validate
from kzmitm.verdict.resolution import address_facts, resolution
from kzmitm.verdict.view import CLOCK_TOLERANCE_S, Facts, views

__all__ = ["MAX_VIEWS", "Facts", "derive", "views"]

MAX_VIEWS = 16
"""Handshakes of one measurement that are judged each for itself; we make eight follow-ups at most."""


def derive(  # noqa: PLR0913 - the contract of the package; all but the measurement are keywords
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
    trust = measurement.local_trust
    handshakes = tuple(
        [assess(o, judging, hostname=_judged_name(o, measurement), trust=trust) for o in measurement.tls]
    )
    if handshakes and entry is None and _is_plain(handshakes) and _resolves(measurement):
        return Facts(
            measurement=measurement,
            now=now,
            registry_version=registry.version,
            store_version=store.version,
            handshakes=handshakes,
            focus=handshakes[0],
        )
    return _derive_whole(measurement, handshakes, entry, judging)


def _is_plain(handshakes: tuple[HandshakeFacts, ...]) -> bool:
    """All are first ones, at one address or several, and trusted."""
    return all(h.state is State.TRUSTED and h.observation.role is Role.FIRST for h in handshakes)


def _resolves(measurement: Measurement) -> bool:
    """The system's resolver gave an address that answered, or was not asked: no more is needed from DNS."""
    asked = False
    for observation in measurement.dns:
        if observation.engine != "doh":
            asked = True
            for answer in observation.answers:
                for handshake in measurement.tls:
                    if answer.ip == handshake.endpoint.ip:
                        return True
    return not asked


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

    A follow-up without a chain is only contrast: a server may well refuse an odd hello. Of more than are
    judged the most suspicious stay, lest many clean addresses hide a forged one.
    """
    found: dict[tuple[Endpoint, State, str | None], HandshakeFacts] = {}
    for handshake in sorted(local, key=lambda h: h.observation is not first):
        role = handshake.observation.role
        if role not in SUBJECT_ROLES or (role is not Role.FIRST and not handshake.chain):
            continue
        end = handshake.leaf_sha256 or handshake.observation.failure
        found.setdefault((handshake.observation.endpoint, handshake.state, end), handshake)
    focuses = list(found.values())
    if len(focuses) <= MAX_VIEWS:
        return focuses
    return [focuses[0], *sorted(focuses[1:], key=_harmlessness)][:MAX_VIEWS]


def _harmlessness(handshake: HandshakeFacts) -> tuple[bool, bool, bool]:
    """A sort key: recognised before unknown, untrusted before fine, a chain before none."""
    return not handshake.attributions, handshake.state is State.TRUSTED, not handshake.chain


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
    keys = {leaf.spki_sha256 for leaf in genuine}
    if not common.control.is_genuine:
        keys |= common.control.leaf_keys
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
