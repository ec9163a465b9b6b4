"""dnscheck: a resolver asked over TLS or HTTPS, each of its addresses in a lookup (ts-028-dnscheck.md)."""

from collections.abc import Iterator

from kzmitm.ooni.experiment import Found, Row, objects

TESTS = ("dnscheck",)


def handshakes(keys: Row, _options: frozenset[str]) -> Iterator[Found]:
    """Those of all lookups; the name is the resolver's, which is the host that is asked about."""
    lookups = keys.get("lookups")
    for lookup in lookups.values() if isinstance(lookups, dict) else ():
        if isinstance(lookup, dict):
            events = objects(lookup.get("network_events"))
            for row in objects(lookup.get("tls_handshakes")):
                yield Found(row, events)
