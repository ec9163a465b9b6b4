"""web_connectivity, urlgetter and ours: a list `tls_handshakes`, each for the site itself.

https://github.com/ooni/spec/blob/master/nettests/ts-017-web-connectivity.md, ts-027-urlgetter.md

web_connectivity keeps those with its own resolvers apart, in `x_doh` (from 0.5 on).
"""

from collections.abc import Iterator
from typing import Any

from kzmitm.ooni.experiment import RESOLVER, UNCHECKED, Found, Row, objects

TESTS = ("web_connectivity", "urlgetter", "kzmitm")


def handshakes(keys: Row, options: frozenset[str]) -> Iterator[Found]:
    """Every row; urlgetter may have been told to check none."""
    unchecked = UNCHECKED in options
    events = objects(keys.get("network_events"))
    for row in objects(keys.get("tls_handshakes")):
        yield Found(row, events, verified=not unchecked)
    yield from _of_resolvers(keys.get("x_doh"))
    if "tls_handshakes" not in keys:
        yield from _of_measurement_kit(keys)
        yield from _of_first_echcheck(keys, events)


def _of_first_echcheck(keys: Row, events: list[Row]) -> Iterator[Found]:
    """Until its version 0.2, a row in `control` and one, with ECH, in `target`."""
    for row in (keys.get("control"), keys.get("target")):
        if isinstance(row, dict) and "peer_certificates" in row:
            yield Found(row, events)


def _of_resolvers(doh: Any) -> Iterator[Found]:
    """Those that were refused, with what was kept: an interceptor may be recognised by it."""
    if isinstance(doh, dict):
        events = objects(doh.get("network_events"))
        for row in objects(doh.get("tls_handshakes")):
            if row.get("failure") and row.get("peer_certificates"):
                yield Found(row, events, role=RESOLVER)


def _of_measurement_kit(keys: Row) -> Iterator[Found]:
    """Before 2020 a failed handshake shows only as the failure of a request, in OpenSSL's words."""
    for request in objects(keys.get("requests")):
        failure = request.get("failure")
        if isinstance(failure, str) and failure.startswith("ssl_error"):
            yield Found({"failure": failure, "address": ""}, [])
