"""Traits of whoever answered, from observations that were made anyway and some made for them. Pure."""

from collections.abc import Iterable, Mapping

from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import TCPObservation, TLSObservation
from kzmitm.model.traits import AnswerTraits, TraitMatch
from kzmitm.pki.product_traits import match_traits
from kzmitm.pki.registry import Registry
from kzmitm.pki.requirements import EXTENSIONS
from kzmitm.pki.shape import certificate_shape
from kzmitm.wire.iana import extensions as ext
from kzmitm.wire.iana.versions import TLS12, TLS13, VERSIONS
from kzmitm.wire.ja3s import ja3s
from kzmitm.wire.profiles import PROFILES

MEASURED_WITH = "small"
"""The hello profile that JA3S values of the registry were measured with."""

_SCTS = EXTENSIONS["signed_certificate_timestamps"]
_OWN_ENGINE = "kzmitm"


def traits_of(
    observation: TLSObservation,
    *,
    leaf: Certificate | None,
    tcp: TCPObservation | None = None,
    others: Iterable[TLSObservation] = (),
    jarm: str | None = None,
) -> AnswerTraits:
    """The traits that one answer shows; `leaf` is its first certificate, parsed.

    `others` are answers of the same to other hellos, which tell of tickets and of versions offered alone.
    """
    answers = (observation, *others)
    alone = {
        version: taken for o in answers if (version := _only_version(o)) and (taken := _taken(o)) is not None
    }
    return AnswerTraits(
        jarm=jarm,
        ja3s=ja3s(observation) if observation.hello.profile == MEASURED_WITH else None,
        shape=certificate_shape(leaf) if leaf is not None else None,
        alpn=observation.alpn if _can_tell(observation, ext.ALPN) else None,
        session_ticket=next((told for o in answers if (told := _ticket(o)) is not None), None),
        ocsp_staple=bool(observation.ocsp_staple) if _can_tell(observation, ext.STATUS_REQUEST) else None,
        embedded_scts=any(oid == _SCTS for oid, _ in leaf.extensions) if leaf is not None else None,
        accepted=_versions(alone, taken=True),
        refused=_versions(alone, taken=False),
        connect_s=tcp.t - tcp.t0 if tcp is not None and tcp.failure is None else None,
        answer_s=_answer_time(observation),
    )


def traits_of_measurement(
    measurement: Measurement, leaf: Certificate | None, *, jarm: str | None = None
) -> AnswerTraits | None:
    """What a scan's own handshakes show of the answer that its verdict is about; None if nothing came.

    Nothing more is sent for it.
    """
    first = measurement.first
    if first is None or not first.presented_chain:
        return None
    tcp = next((o for o in measurement.tcp if o.transaction_id == first.transaction_id), None)
    others = [
        o for o in measurement.tls
        if o is not first and o.sni == first.sni and o.endpoint == first.endpoint and not o.vantage_id
    ]  # fmt: skip
    return traits_of(first, leaf=leaf, tcp=tcp, others=others, jarm=jarm)


def products_of(traits: AnswerTraits, registry: Registry) -> tuple[TraitMatch, ...]:
    """The products of the registry that the traits are consistent with."""
    known = [(f.id, f.name, f.traits) for f in registry.forgers.values() if f.traits is not None]
    return match_traits(traits, known)


def _can_tell(observation: TLSObservation, extension: int) -> bool:
    """Our own engine read the whole flight, and the extension was offered."""
    profile = PROFILES.get(observation.hello.profile)
    return (
        observation.hello.engine == _OWN_ENGINE
        and bool(observation.presented_chain)
        and profile is not None
        and extension in profile.extensions
    )


def _ticket(observation: TLSObservation) -> bool | None:
    if observation.version == VERSIONS[TLS13] or not _can_tell(observation, ext.SESSION_TICKET):
        return None
    return ext.SESSION_TICKET in observation.server_extensions


def _only_version(observation: TLSObservation) -> str:
    """The one version that the hello offered, "" if it left a choice."""
    profile = PROFILES.get(observation.hello.profile)
    if profile is None or profile.versions:
        return ""
    # Without supported_versions older ones are offered too (RFC 8446, 4.1.2), which nobody means who has 1.2.
    return VERSIONS[min(profile.legacy_version, TLS12)]


def _taken(observation: TLSObservation) -> bool | None:
    """Whether the version was taken; None if the network failed before that was told."""
    version = _only_version(observation)
    if observation.version:
        return observation.version == version
    return False if any(not alert.sent for alert in observation.alerts) else None


def _versions(alone: Mapping[str, bool], *, taken: bool) -> tuple[str, ...] | None:
    return tuple(sorted(version for version, was in alone.items() if was is taken)) if alone else None


def _answer_time(observation: TLSObservation) -> float | None:
    """From the last write before the first read to that read."""
    written: float | None = None
    for event in observation.events:
        if event.operation == "write" and event.failure is None:
            written = event.t
        elif event.operation == "read" and event.num_bytes:
            return None if written is None else event.t - written
    return None
