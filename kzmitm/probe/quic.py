"""One handshake over QUIC with one endpoint; a fault of the library costs that observation only."""

import logging

from kzmitm.model.failure import unknown_failure
from kzmitm.model.observation import Hello, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.netio.quic import ENGINE, PROFILE, shake_hands_over_quic
from kzmitm.probe.tls import Conditions

logger = logging.getLogger(__name__)


async def shake_hands_quic(sni: str | None, endpoint: Endpoint, conditions: Conditions) -> TLSObservation:
    """What a server shows over QUIC; whatever happens is in the observation. aioquic must be there."""
    t0 = conditions.stopwatch.elapsed()
    try:
        return await shake_hands_over_quic(
            sni, endpoint, conditions.link, stopwatch=conditions.stopwatch, limits=conditions.limits
        )
    except Exception as exc:  # a stranger's datagrams must not cost the observations around this one
        logger.debug("QUIC with %s", endpoint, exc_info=True)
        return TLSObservation(
            endpoint=endpoint,
            sni=sni,
            hello=Hello(PROFILE, ENGINE),
            failure=unknown_failure(f"internal error: {type(exc).__name__}"),
            t0=t0,
            t=conditions.stopwatch.elapsed(),
        )
