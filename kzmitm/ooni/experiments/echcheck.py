"""echcheck: the same handshake without and with Encrypted ClientHello (ts-039-echcheck.md).

The engine gives it no list of roots, so that the system's own list decides, which may hold the root of an
interceptor: that a handshake succeeded proves nothing, and its chain is verified here.
"""

from collections.abc import Iterator

from kzmitm.ooni.experiment import Found, Row, objects

TESTS = ("echcheck",)


def handshakes(keys: Row, _options: frozenset[str]) -> Iterator[Found]:
    """Every row; until version 0.2 there was one in `control` and one, with ECH, in `target`."""
    events = objects(keys.get("network_events"))
    first = [row for row in objects([keys.get("control"), keys.get("target")]) if "peer_certificates" in row]
    for row in (*objects(keys.get("tls_handshakes")), *first):
        yield Found(row, events, verified=False)
