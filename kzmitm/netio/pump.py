"""One handshake over a raw non-blocking socket: connect, send what the driver says, feed it what comes.

The driver knows TLS and no sockets; this knows sockets and no TLS. Nothing here waits without a limit:
a connect, the handshake as a whole and the silence between two reads each have their own, kept by one
timer per connection.
"""

from kzmitm.model.failure import Failure
from kzmitm.model.target import Endpoint
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.failures import classify
from kzmitm.netio.flight import Exchange, Flight, Limits
from kzmitm.netio.vantage import ProxyError, VantageLink
from kzmitm.wire.driver import Conversation

__all__ = ["DEFAULT_LIMITS", "Exchange", "Limits", "run_handshake"]

DEFAULT_LIMITS = Limits()


async def run_handshake(
    link: VantageLink,
    endpoint: Endpoint,
    driver: Conversation,
    *,
    stopwatch: Stopwatch,
    limits: Limits = DEFAULT_LIMITS,
) -> Exchange:
    """Connect to `endpoint` through `link` and run `driver` until it is done or a limit is reached.

    Network failures end up in the Exchange (connect) or in the driver (handshake). Raises only what the
    driver raises, which would be a fault of ours. When cancelled, the connection is closed at once.
    """
    flight = Flight(driver, stopwatch, limits, link.watch())
    try:
        try:
            if link.is_direct:
                flight.connect(endpoint, link.new_socket)
            else:
                flight.adopt(await link.connect(endpoint, limits.connect_s))
        except OSError as exc:
            flight.end_connect(classify(exc))
        except ProxyError:
            flight.end_connect(Failure.PROXY_FAILED)
        await flight.ended
    finally:
        flight.close()
    return flight.exchange()
