"""tlsmiddlebox: the handshake again and again with a rising TTL, unverified (ts-037-tlsmiddlebox.md).

Most of these end in a timeout because the packet never arrived; what counts is a certificate.
"""

from collections.abc import Iterator

from kzmitm.ooni.experiment import TRACE, Found, Row, objects

TESTS = ("tlsmiddlebox",)


def handshakes(keys: Row, _options: frozenset[str]) -> Iterator[Found]:
    """Those of the target's name; `iterative_trace` is a list, and was an object once."""
    traces = keys.get("iterative_trace")
    for trace in objects([traces] if isinstance(traces, dict) else traces):
        target = trace.get("target_trace")
        if not isinstance(target, dict):
            continue
        name = target.get("server_name")
        for iteration in objects(target.get("iterations")):
            row = iteration.get("handshake")
            if isinstance(row, dict):
                address = row.get("address") or trace.get("address")
                yield Found(
                    {"server_name": name} | row | {"address": address}, [], role=TRACE, verified=False
                )
