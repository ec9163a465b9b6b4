"""The API and the collector on loopback: what is asked, how often, and what every answer means."""

import asyncio
import json
from datetime import UTC, date, datetime

import pytest
from ooni_services import API, Collector, FakeTime, first_times, serving

from kzmitm.cli.sources import pinned_pem
from kzmitm.netio.ooni_api import OONIAPI, ROWS, Receipt, RefusedError
from kzmitm.netio.patience import Pace, Patience, ServiceError, Timing
from kzmitm.netio.web import new_client

PEM = pinned_pem()
UID = "20240301151413.637888_KZ_webconnectivity_c351db70f739197a"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def ask(time):
    def run(service, what):
        async def work():
            timing = Timing(time.clock, time.sleep, lambda: 1.0)
            async with new_client(PEM, connections=1) as client:
                now = lambda: datetime(2026, 1, 1, tzinfo=UTC)  # noqa: E731
                patience = Patience(timing, attempts=3)
                return await what(OONIAPI(client, service.url, patience, Pace(1.0, timing), now))

        return asyncio.run(work())

    return run


def test_a_request_a_second(ask, time):
    with serving(API({UID: {"test_keys": {}}})) as service:

        async def three(api):
            return [await api.raw_measurement(UID) for _ in range(3)]

        assert ask(service, three) == [b'{"test_keys": {}}'] * 3
    assert time.slept == [1, 1]


def test_what_is_asked_of_the_table():
    with serving(API()) as service:
        time = FakeTime()

        async def rows():
            timing = Timing(time.clock, time.sleep)
            async with new_client(PEM, connections=1) as client:
                api = OONIAPI(client, service.url, Patience(timing), Pace(1.0, timing), lambda: None)
                day, until = date(2024, 3, 1), date(2024, 3, 2)
                return await api.observations("KZ", "web_connectivity", day, until, 4000)

        assert json.loads(asyncio.run(rows()))["results"] == []
        [(path, query, _headers)] = service.requests
    assert path == "/api/v1/observations"
    assert query == {
        "probe_cc": "KZ",
        "test_name": "web_connectivity",
        "since": "2024-03-01",
        "until": "2024-03-02",
        "order_by": "measurement_start_time",
        "order": "ASC",
        "limit": str(ROWS),
        "offset": "4000",
    }


def test_a_refusal_is_told(ask):
    service = API()
    service.fault = lambda handler, *_: handler.reply(b'{"detail":"no"}', status=404) or True
    with serving(service), pytest.raises(RefusedError, match=r'HTTP status 404: \{"detail":"no"\}'):
        ask(service, lambda api: api.measurement_meta(UID))


def test_a_submission(ask):
    with serving(Collector()) as service:
        receipt = ask(service, lambda api: api.submit('{"probe_cc": "KZ"}'))
        [told] = service.taken
        [(path, _query, headers)] = service.requests
    assert receipt == Receipt("20260102030405.000001_KZ_urlgetter_0000000000000001", "")
    assert path == "/api/v1/submit_measurement"
    assert headers["content-type"] == "application/json"
    assert told == {
        "format": "json",
        "content": '{"probe_cc": "KZ"}',
        "nym": None,
        "zkp_request": None,
        "manifest_version": None,
        "protocol_version": None,
    }


@pytest.mark.parametrize(
    ("body", "receipt"),
    [
        (b"{}", Receipt("", "")),
        (b"[]", Receipt("", "")),
        (b"thanks", Receipt("", "its answer cannot be read")),
        (b"[" * 100_000, Receipt("", "its answer cannot be read")),
        (b'{"measurement_uid": 7, "error": {"a": 1}}', Receipt("", "{'a': 1}")),
        (b'{"measurement_uid": "u", "error": "bad_proof"}', Receipt("u", "bad_proof")),
        (b'{"measurement_uid": "' + b"u" * 999 + b'"}', Receipt("u" * 200, "")),
    ],
)
def test_a_success_is_one_whatever_it_says(ask, body, receipt):
    service = Collector()
    service.fault = lambda handler, *_: handler.reply(body) or True
    with serving(service):
        assert ask(service, lambda api: api.submit("{}")) == receipt


def test_the_network_is_given_time(ask, time):
    service = Collector()
    service.fault = first_times(2, lambda handler, *_: handler.cut())
    with serving(service):
        assert ask(service, lambda api: api.submit("{}")).measurement_uid
        assert len(service.taken) == 1
    service.fault = lambda handler, *_: handler.reply(b"", status=500) or True
    with serving(service), pytest.raises(ServiceError, match=r"HTTP status 500 \(3 attempts\)"):
        ask(service, lambda api: api.submit("{}"))
