"""tlsping: one handshake for each ping (ts-033-tlsping.md)."""

from collections.abc import Iterator

from kzmitm.ooni.experiment import Found, Row, objects

TESTS = ("tlsping",)


def handshakes(keys: Row, _options: frozenset[str]) -> Iterator[Found]:
    for ping in objects(keys.get("pings")):
        row = ping.get("tls_handshake")
        if isinstance(row, dict):
            yield Found(row, objects(ping.get("network_events")))
