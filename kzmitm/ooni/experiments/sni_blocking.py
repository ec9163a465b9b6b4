"""sni_blocking: a helper's address is asked for its own name and for the target's (ts-024-sni-blocking.md).

The helper's certificate is for another name than the target's, so `ssl_invalid_hostname` is what a free path
shows; the control handshake, with another name at the same address, is the contrast. Early
rows had no name: it stands beside them.
"""

from collections.abc import Iterator

from kzmitm.ooni.experiment import OTHER_NAME, Found, Row, objects

TESTS = ("sni_blocking",)


def handshakes(keys: Row, _options: frozenset[str]) -> Iterator[Found]:
    control = keys.get("control")
    rows = objects(control.get("tls_handshakes")) if isinstance(control, dict) else []
    answered = any(row.get("failure") is None for row in rows)
    target = keys.get("target")
    if isinstance(target, dict):
        for row in objects(target.get("tls_handshakes")):
            events = objects(target.get("network_events"))
            named = {"server_name": target.get("sni"), **row}
            yield Found(named, events, role=OTHER_NAME, control="ok" if answered else "")
