"""One TLS handshake with one endpoint: the connect and the whole chain it showed."""

import logging
from dataclasses import dataclass, replace

from kzmitm.model.failure import Failure, unknown_failure
from kzmitm.model.observation import Hello, Role, Split, TCPObservation, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.pump import DEFAULT_LIMITS, Exchange, Limits, run_handshake
from kzmitm.netio.vantage import VantageLink
from kzmitm.wire.client import TLSClient
from kzmitm.wire.driver import HandshakeDriver
from kzmitm.wire.profiles import PROFILES

logger = logging.getLogger(__name__)

OWN_ENGINE = "kzmitm"
SECOND_ENGINE = "openssl"


_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""How alerts and handshake records begin (RFC 8446, 5.1)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the hello is to be: name asked for (None: no server_name), profile, cut, and the engine."""

    sni: str | None
    profile: str = "small"
    split: Split = Split.NONE
    engine: str = OWN_ENGINE


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what a handshake is made: from where, by which clock, how long."""

    link: VantageLink
    stopwatch: Stopwatch
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Probed:
    """A connect and, if it was answered, the handshake on it."""

    tcp: TCPObservation
    tls: TLSObservation | None


def new_driver(offer: Offer) -> HandshakeDriver:
    """The engine that makes this offer; raises KeyError for a profile that does not exist."""
    profile = PROFILES[offer.profile]
    if offer.engine == SECOND_ENGINE:
        from kzmitm.wire.openssl import OpenSSLClient  # noqa: PLC0415 - most runs never need it

        return OpenSSLClient(sni=offer.sni, profile=profile, split=offer.split)
    return TLSClient(sni=offer.sni, profile=profile, split=offer.split, log_records=True)


async def shake_hands(
    offer: Offer,
    endpoint: Endpoint,
    conditions: Conditions,
    *,
    role: Role = Role.FIRST,
    transaction_id: int = 1,
) -> Probed:
    """Connect to `endpoint` and make `offer`; whatever happens there is in the result."""
    driver = new_driver(offer)
    t0 = conditions.stopwatch.elapsed()
    try:
        exchange = await run_handshake(
            conditions.link, endpoint, driver, stopwatch=conditions.stopwatch, limits=conditions.limits
        )
        tls = None if exchange.connect_failure else _observe(driver, exchange, endpoint, role, transaction_id)
    except Exception as exc:  # a fault of ours must not cost the measurements around it
        logger.debug("handshake with %s", endpoint, exc_info=True)
        t = conditions.stopwatch.elapsed()
        exchange = Exchange(None, t0, t0, t, ())
        tls = TLSObservation(
            endpoint=endpoint,
            sni=offer.sni,
            hello=Hello(offer.profile, offer.engine, split=offer.split),
            role=role,
            failure=unknown_failure(f"internal error: {type(exc).__name__}"),
            t0=t0,
            t=t,
            transaction_id=transaction_id,
        )
    tcp = TCPObservation(
        endpoint=endpoint,
        failure=exchange.connect_failure,
        t0=exchange.t0,
        t=exchange.t_connected,
        transaction_id=transaction_id,
    )
    return Probed(tcp, _from(conditions.link, tls, role))


def _observe(
    driver: HandshakeDriver, exchange: Exchange, endpoint: Endpoint, role: Role, transaction_id: int
) -> TLSObservation:
    return driver.observation(
        endpoint=endpoint,
        role=role,
        t0=exchange.t_connected,
        t=exchange.t,
        transaction_id=transaction_id,
        events=exchange.events,
    )


def _from(link: VantageLink, tls: TLSObservation | None, role: Role) -> TLSObservation | None:
    """Handshakes from another vantage than the measurement's carry its name."""
    if tls is None or role is not Role.CONTROL:
        return tls
    return replace(tls, vantage_id=link.vantage.id)


def needs_second_engine(observation: TLSObservation) -> bool:
    """Our own engine broke it off: no chain, no alert from the server, yet it spoke TLS.

    The server may speak something that we do not; OpenSSL decides whether the flaw is ours.
    """
    return (
        observation.failure == Failure.SSL_FAILED_HANDSHAKE
        and observation.hello.engine == OWN_ENGINE
        and not observation.presented_chain
        and (not observation.first_bytes or observation.first_bytes.startswith(_TLS_RECORDS))
        and all(alert.sent for alert in observation.alerts)
    )
