"""From facts and a verdict to what is told and kept of a target."""

from collections.abc import Sequence

from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import TLSObservation
from kzmitm.model.traits import TraitMatch
from kzmitm.model.verdict import Outcome, Verdict
from kzmitm.pki.registry import Registry
from kzmitm.report.text import JudgedTarget, shown_certificate
from kzmitm.verdict.answer_traits import products_of, traits_of_measurement
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import HandshakeFacts
from kzmitm.verdict.location import locations_of

MAX_CERTIFICATES = 32
"""Certificates of a chain that are told; the bundle keeps all of them as they came."""


def chain_of(about: HandshakeFacts | None) -> tuple[Certificate, ...]:
    """The parsed chain of the handshake that the verdict is about, as `Judge.deciding` tells it."""
    return about.chain[:MAX_CERTIFICATES] if about is not None else ()


def products_behind(
    measurement: Measurement, verdict: Verdict, chain: Sequence[Certificate], registry: Registry
) -> tuple[TraitMatch, ...]:
    """The products that an interceptor's answer is consistent with; () for other outcomes."""
    if verdict.outcome is not Outcome.INTERCEPTION:
        return ()
    traits = traits_of_measurement(measurement, chain[0] if chain else None)
    return () if traits is None else products_of(traits, registry)


def failures_of(facts: Facts) -> tuple[str | None, ...]:
    """What OONI calls the failure of each handshake's chain, in the order of the measurement."""
    return tuple(each.report.failure if each.report else None for each in facts.handshakes)


def judged_target(measurement: Measurement, verdict: Verdict, about: HandshakeFacts | None) -> JudgedTarget:
    """What is told of a target; `about` is the handshake that the verdict is about."""
    return JudgedTarget(
        target=str(measurement.target),
        verdict=verdict,
        chain=tuple(map(shown_certificate, chain_of(about))),
        failure=_failure(measurement, verdict, about.observation if about is not None else None),
        local_trust=measurement.local_trust,
        locations=locations_of(measurement),
    )


def target_in_a_line(measurement: Measurement, verdict: Verdict) -> JudgedTarget:
    """What the line of a target tells, which shows no chain."""
    return JudgedTarget(
        target=str(measurement.target),
        verdict=verdict,
        failure=_failure(measurement, verdict, measurement.first),
    )


def _failure(measurement: Measurement, verdict: Verdict, shown: TLSObservation | None) -> str | None:
    """Of the furthest step that was reached: handshake, connect, lookup."""
    if verdict.outcome is Outcome.CLEAN:
        return None
    if shown is not None:
        return shown.failure
    for step in (measurement.tcp, measurement.dns):
        found = next((observation.failure for observation in step if observation.failure), None)
        if found is not None:
            return found
    return None
