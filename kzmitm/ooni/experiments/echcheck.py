"""echcheck: the same handshake without and with Encrypted ClientHello (ts-039-echcheck.md).

The engine gives it no list of roots, so that the system's own list decides, which may hold the root of an
interceptor: that a handshake succeeded proves nothing, and its chain is verified here.
"""

from collections.abc import Iterator

from kzmitm.ooni.experiment import Found, Row, objects

TESTS = ("echcheck",)


def handshakes(keys: Row, _options: frozenset[str]) -> Iterator[Found]:
    events = objects(keys.get("network_events"))
    for row in objects(keys.get("tls_handshakes")):
        yield Found(row, events, verified=False)
