"""A trace as a measurement of OONI's `tlsmiddlebox` (ts-037), which its readers and ours understand.

https://github.com/ooni/spec/blob/master/nettests/ts-037-tlsmiddlebox.md; what differs in practice stands in
ooni/probe-cli, internal/experiment/tlsmiddlebox: `iterative_trace` is a list, and a ClientHello that ran out
is a timeout with a `so_error`. Only the walks of the two names have a place there; the whole trace is in
`x_kzmitm`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kzmitm.model.failure import Failure
from kzmitm.model.measurement import Measurement
from kzmitm.model.trace import FULL_TTL, HELLO_ANSWERS, Answer, Step, TraceObservation, WalkKind
from kzmitm.ooni import rows
from kzmitm.ooni.emit import emit

TEST_NAME = "tlsmiddlebox"
TEST_VERSION = "0.1.2+kzmitm.1"
"""The version of OONI's test whose keys these are, and ours of the `x_` keys."""

_END = frozenset({Answer.HANDSHAKE, Answer.RESET})
"""After these OONI cuts a trace."""


def emit_trace(
    measurement: Measurement, *, test_start_time: datetime, locations: list[Any] | None = None
) -> Mapping[str, Any]:
    """The OONI measurement of all traces of a measurement; no address of the user is in it but routers'."""
    whole = emit(measurement, test_start_time=test_start_time)
    keys = whole["test_keys"]
    own = keys["x_kzmitm"] | ({} if locations is None else {"locations": locations})
    return whole | {
        "input": f"tlstrace://{measurement.target.sni or measurement.target.hostname}",
        "test_name": TEST_NAME,
        "test_version": TEST_VERSION,
        "test_keys": {
            "queries": keys["queries"],
            "tcp_connect": keys["tcp_connect"],
            "iterative_trace": [_iterative(trace) for trace in measurement.trace],
            "x_kzmitm": own,
        },
    }


def _iterative(trace: TraceObservation) -> rows.Row:
    return {
        "address": str(trace.endpoint),
        "control_trace": _completed(trace, WalkKind.HELLO_CONTROL),
        "target_trace": _completed(trace, WalkKind.HELLO_WATCHED),
        "x_method": str(trace.method),
    }


def _completed(trace: TraceObservation, kind: WalkKind) -> rows.Row | None:
    """One row for each distance, up to the first end; None where nothing was asked, as OONI has it."""
    walk = next((walk for walk in trace.walks if walk.kind is kind), None)
    if walk is None:
        return None
    best: dict[int, Step] = {}
    for step in walk.steps:
        if step.ttl < FULL_TTL and (step.ttl not in best or _rank(step) > _rank(best[step.ttl])):
            best[step.ttl] = step
    iterations = []
    for ttl in sorted(best):
        iterations.append({"ttl": ttl, "handshake": _handshake(trace, walk.name, best[ttl])})
        if best[ttl].answer in _END:
            break
    return {"server_name": walk.name, "iterations": iterations}


def _rank(step: Step) -> int:
    if step.answer in HELLO_ANSWERS:
        return 3
    return {Answer.EXPIRED: 2, Answer.SILENCE: 1}.get(step.answer, 0)


def _handshake(trace: TraceObservation, name: str | None, step: Step) -> rows.Row:
    if step.tls is not None:
        return rows.tls_handshake(step.tls, certificate_failure=None, verified=False)
    expired = step.answer is Answer.EXPIRED
    return {
        "network": "tcp",
        "address": str(trace.endpoint),
        "server_name": name,
        "cipher_suite": "",
        "tls_version": "",
        "negotiated_protocol": "",
        "failure": Failure.GENERIC_TIMEOUT if expired else step.failure,
        "no_tls_verify": True,
        "peer_certificates": [],
        "t0": step.t0,
        "t": step.t,
        "tags": [],
        "transaction_id": 0,
    } | ({"so_error": Failure.HOST_UNREACHABLE} if expired else {})
