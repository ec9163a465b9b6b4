"""web_connectivity, urlgetter and ours: a list `tls_handshakes`, each for the site itself.

https://github.com/ooni/spec/blob/master/nettests/ts-017-web-connectivity.md, ts-027-urlgetter.md

web_connectivity keeps those with its own resolvers apart, in `x_doh` (from 0.5 on).
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from kzmitm.model.target import is_ip, to_ascii_hostname
from kzmitm.ooni.experiment import LAST_REQUEST, RESOLVER, UNCHECKED, Found, Row, is_of_handshake, objects

TESTS = ("web_connectivity", "urlgetter", "kzmitm")


def handshakes(keys: Row, options: frozenset[str]) -> Iterator[Found]:
    """Every row, and what only requests tell of; urlgetter may have been told to check none."""
    unchecked = UNCHECKED in options
    events = objects(keys.get("network_events"))
    rows = objects(keys.get("tls_handshakes"))
    for row in rows:
        yield Found(row, events, verified=not unchecked)
    yield from _of_resolvers(keys.get("x_doh"))
    if LAST_REQUEST in keys:
        if is_of_handshake(keys[LAST_REQUEST]) and not any(
            is_of_handshake(row.get("failure")) for row in rows
        ):
            yield from _of_requests(keys)
    elif keys.get("tls_handshakes") is None:
        yield from _of_requests(keys)


def _of_resolvers(doh: Any) -> Iterator[Found]:
    """Those that were refused, with what was kept: an interceptor may be recognised by it."""
    if isinstance(doh, dict):
        events = objects(doh.get("network_events"))
        for row in objects(doh.get("tls_handshakes")):
            if row.get("failure") and row.get("peer_certificates"):
                yield Found(row, events, role=RESOLVER)


def _of_requests(keys: Row) -> Iterator[Found]:
    """Handshakes that have no row: all until 2021-06, and those that redirects lead to until version 0.5."""
    for request in objects(keys.get("requests")):
        failure, sent = request.get("failure"), request.get("request")
        if is_of_handshake(failure):
            name = _host(sent.get("url")) if isinstance(sent, dict) else ""
            yield Found({"failure": failure, "address": "", "server_name": name}, [])


def _host(url: Any) -> str:
    try:
        host = urlsplit(url).hostname or "" if isinstance(url, str) else ""
        return host if is_ip(host) else to_ascii_hostname(host)
    except ValueError:
        return ""
