"""web_connectivity, urlgetter, echcheck and ours: a list `tls_handshakes`, each for the site itself.

https://github.com/ooni/spec/blob/master/nettests/ts-017-web-connectivity.md, ts-027-urlgetter.md,
ts-039-echcheck.md
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from kzmitm.model.target import is_ip, to_ascii_hostname
from kzmitm.ooni.experiment import LAST_REQUEST, UNCHECKED, Found, Row, is_of_handshake, objects

TESTS = ("web_connectivity", "urlgetter", "echcheck", "kzmitm")


def handshakes(keys: Row, options: frozenset[str]) -> Iterator[Found]:
    """Every row, and what only requests tell of; urlgetter may have been told to check none."""
    unchecked = UNCHECKED in options
    events = objects(keys.get("network_events"))
    rows = objects(keys.get("tls_handshakes"))
    for row in rows:
        yield Found(row, events, verified=not unchecked)
    if LAST_REQUEST in keys:
        if is_of_handshake(keys[LAST_REQUEST]) and not any(
            is_of_handshake(row.get("failure")) for row in rows
        ):
            yield from _of_requests(keys)
    elif keys.get("tls_handshakes") is None:
        yield from _of_requests(keys)
        yield from _of_first_echcheck(keys, events)


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


def _of_first_echcheck(keys: Row, events: list[Row]) -> Iterator[Found]:
    """Until its version 0.2, a row in `control` and one, with ECH, in `target`."""
    for row in (keys.get("control"), keys.get("target")):
        if isinstance(row, dict) and "peer_certificates" in row:
            yield Found(row, events)
