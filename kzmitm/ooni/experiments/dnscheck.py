"""dnscheck: resolvers over TLS and HTTPS, handshakes at each of their addresses (ts-028-dnscheck.md).

The input is the resolver's URL, so it is the resolver's own certificate that is asked for.
"""

from collections.abc import Iterator
from itertools import islice

from kzmitm.ooni.experiment import MAX_OBJECTS, Found, Row, objects

TESTS = ("dnscheck",)


def handshakes(keys: Row, _options: frozenset[str]) -> Iterator[Found]:
    """Those of every lookup; `lookups` has them by the URL of the address."""
    lookups = keys.get("lookups")
    for lookup in islice(lookups.values() if isinstance(lookups, dict) else (), MAX_OBJECTS):
        if isinstance(lookup, dict):
            events = objects(lookup.get("network_events"))
            for row in objects(lookup.get("tls_handshakes")):
                yield Found(row, events)
