"""tlsping: one handshake for each ping, in a list until 2022-06-22 (ts-033-tlsping.md)."""

from collections.abc import Iterator

from kzmitm.ooni.experiment import Found, Row, objects

TESTS = ("tlsping",)


def handshakes(keys: Row, _options: frozenset[str]) -> Iterator[Found]:
    for ping in objects(keys.get("pings")):
        events = objects(ping.get("network_events"))
        for key in ("tls_handshake", "tls_handshakes"):
            value = ping.get(key)
            for row in objects([value] if isinstance(value, dict) else value):
                yield Found(row, events)
