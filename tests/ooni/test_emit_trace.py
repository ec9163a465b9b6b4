"""OONI's tlsmiddlebox layout: read back by our own reader of that test, with the trace in full beside it."""

import json
from datetime import UTC, datetime

from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Hello, TLSObservation
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.model.trace import FULL_TTL, Answer, Step, TraceMethod, TraceObservation, Walk, WalkKind
from kzmitm.ooni.decode import decode
from kzmitm.ooni.emit_trace import emit_trace
from kzmitm.ooni.experiment import handshakes_of
from kzmitm.ooni.publication import publishable

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENDPOINT = Endpoint("203.0.113.10", 443)


def seen(failure=None, **more):
    return TLSObservation(
        endpoint=ENDPOINT,
        sni="a.test",
        hello=Hello("small"),
        failure=failure,
        presented_chain=(b"DER",),
        **more,
    )


def step(ttl, answer, *, tls=None, failure=None):
    return Step(ttl=ttl, flow=40000, answer=answer, tls=tls, failure=failure, t0=0.5, t=1.0)


WATCHED = Walk(
    kind=WalkKind.HELLO_WATCHED,
    port=443,
    name="a.test",
    steps=(
        step(3, Answer.HANDSHAKE, tls=seen()),
        step(1, Answer.SILENCE, tls=seen("generic_timeout_error"), failure="generic_timeout_error"),
        step(1, Answer.EXPIRED, failure="host_unreachable"),
        step(2, Answer.UNSENT, failure="connection_refused"),
        step(4, Answer.HANDSHAKE, tls=seen()),
        step(
            FULL_TTL, Answer.HANDSHAKE, tls=seen(detail="hello 198.51.100.7", first_bytes=b"to 198.51.100.7")
        ),
    ),
)
TRACE = TraceObservation(endpoint=ENDPOINT, method=TraceMethod.SOCKETS, walks=(WATCHED,), t=2.0)
MEASUREMENT = Measurement(
    target=Target("a.test"), vantage=Vantage(), started_at=STARTED, trace=(TRACE,), software_version="1.0"
)


def emitted():
    return json.loads(json.dumps(emit_trace(MEASUREMENT, test_start_time=STARTED, locations=[{"x": 1}])))


def test_layout_is_that_of_the_test():
    told = emitted()
    assert (told["test_name"], told["input"]) == ("tlsmiddlebox", "tlstrace://a.test")
    keys = told["test_keys"]
    assert set(keys) == {"queries", "tcp_connect", "iterative_trace", "x_kzmitm"}
    (trace,) = keys["iterative_trace"]
    assert trace["address"] == "203.0.113.10:443"
    assert trace["control_trace"] is None  # nothing was asked
    target = trace["target_trace"]
    assert target["server_name"] == "a.test"
    assert [each["ttl"] for each in target["iterations"]] == [1, 2, 3]  # up to the first answer


def test_expired_is_a_timeout_with_its_reason():
    first, second, third = (
        each["handshake"]
        for each in emitted()["test_keys"]["iterative_trace"][0]["target_trace"]["iterations"]
    )
    assert (first["failure"], first["so_error"]) == ("generic_timeout_error", "host_unreachable")
    assert (second["failure"], "so_error" in second) == ("connection_refused", False)
    assert (third["failure"], third["no_tls_verify"]) == (None, True)
    assert third["peer_certificates"]


def test_our_reader_of_the_test_reads_it():
    found = list(handshakes_of("tlsmiddlebox")(emitted()["test_keys"], frozenset()))
    assert [each.row["server_name"] for each in found] == ["a.test"] * 3
    assert all(each.role == "trace" and not each.verified for each in found)


def test_whole_trace_comes_back_without_addresses_of_the_user():
    told = emitted()
    assert "198.51.100.7" not in json.dumps(told)
    (trace,) = decode(told).trace
    assert [s.answer for s in trace.walks[0].steps] == [s.answer for s in WATCHED.steps]
    assert trace.walks[0].steps[0].tls == WATCHED.steps[0].tls


def test_routers_near_the_user_are_not_published():
    assert "trace" not in publishable(emitted())["test_keys"]["x_kzmitm"]
