import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from evidence_samples import STARTED, handshake, measurement, octets
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kzmitm.errors import UsageError
from kzmitm.evidence import control as control_module
from kzmitm.evidence.control import add, entry_of, is_worth_recording, merge, read_control, write_control
from kzmitm.evidence.schema import schema_text
from kzmitm.model.measurement import ControlChain, ControlEntry
from kzmitm.model.observation import Role
from kzmitm.model.verdict import Outcome

SCHEMA = Draft202012Validator(json.loads(schema_text("control")))
CHAINS = st.builds(
    ControlChain,
    chain=st.lists(st.binary(max_size=5), max_size=3).map(tuple),
    seen_at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ip=st.text(max_size=4),
)
ENTRIES = st.builds(
    ControlEntry,
    hostname=st.sampled_from(["a", "b"]),
    port=st.sampled_from([443, 8443]),
    chains=st.lists(CHAINS, max_size=4).map(tuple),
    ips=st.lists(st.text(max_size=3), max_size=4).map(tuple),
    failures=st.lists(st.text(max_size=3), max_size=4).map(tuple),
)


@given(st.lists(ENTRIES, max_size=4))
def test_what_is_written_is_read(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("control") / "c.json"
    control = {}
    for entry in entries:
        add(control, merge(entry, entry))
    write_control(path, control)
    assert read_control(path) == control
    SCHEMA.validate(json.loads(path.read_bytes()))


def test_a_name_keeps_its_chains_addresses_and_no_other_name():
    name = "www0.example.test"
    m = measurement(
        tls=[
            handshake(name, [b"rsa", b"ca"]),
            handshake(name, [b"ecdsa", b"ca"], ip="192.0.2.8", role=Role.OTHER_ADDRESS),
            handshake(name, [b"rsa", b"ca"], role=Role.REPEAT),
            handshake(name, [b"cut"], chain_truncated=True, role=Role.OTHER_HELLO),
            handshake("control.test", [b"other"], role=Role.BENIGN_SNI),
            handshake(None, [b"default"], role=Role.NO_SNI),
            handshake(name, failure="generic_timeout_error", role=Role.OTHER_HELLO),
        ]
    )
    entry = entry_of(m)
    assert [c.chain for c in entry.chains] == [(b"rsa", b"ca"), (b"ecdsa", b"ca")]
    assert entry.ips == ("192.0.2.7", "192.0.2.8")
    assert entry.failures == ()


def test_without_a_chain_the_deepest_failure_is_kept():
    refused = measurement(tls=[handshake("www0.example.test", failure="connection_reset")])
    assert entry_of(refused).failures == ("connection_reset",)
    dead = replace(refused, tls=(), tcp=(replace(refused.tcp[0], failure="connection_refused"),))
    assert entry_of(dead).failures == ("connection_refused",)
    unknown = replace(refused, tls=(), tcp=(), dns=(replace(refused.dns[0], failure="dns_nxdomain_error"),))
    assert entry_of(unknown).failures == ("dns_nxdomain_error",)
    assert entry_of(replace(refused, tls=(), tcp=(), dns=())).failures == ()


def test_the_newest_are_kept_and_each_once():
    control = {}
    for day in range(40):
        tls = [handshake("www0.example.test", [octets(day // 2, 10)])]
        add(control, entry_of(measurement(tls=tls, started_at=STARTED + timedelta(days=day))))
    (entry,) = control.values()
    assert [c.chain[0] for c in entry.chains] == [octets(i, 10) for i in range(19, 3, -1)]
    assert [c.seen_at for c in entry.chains[:1]] == [STARTED + timedelta(days=39)]


def test_what_shows_that_the_place_is_not_clean_is_not_recorded():
    worth = {outcome for outcome in Outcome if is_worth_recording(outcome)}
    assert worth == {
        Outcome.CLEAN,
        Outcome.ORIGIN_MISCONFIGURED,
        Outcome.UNREACHABLE,
        Outcome.INCONCLUSIVE,
    }


@pytest.fixture
def good(tmp_path):
    control = {}
    add(control, entry_of(measurement()))
    write_control(tmp_path / "good.json", control)
    return json.loads((tmp_path / "good.json").read_text())


def test_a_later_minor_version_may_say_more(tmp_path, good):
    good["schema"] = "kzmitm.control/1.7"
    good["news"] = good["names"][0]["news"] = good["names"][0]["chains"][0]["news"] = 1
    path = tmp_path / "c.json"
    path.write_text(json.dumps(good))
    assert read_control(path) == {("www0.example.test", 443): entry_of(measurement())}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("WWW0.Example.TEST.", "www0.example.test"),
        ("пример.test", "xn--e1afmkfd.test"),
        ("2001:DB8::0001", "2001:db8::1"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_name_may_be_written_as_people_do(tmp_path, good, written, meant):
    good["names"][0]["hostname"] = written
    path = tmp_path / "c.json"
    path.write_text(json.dumps(good))
    assert list(read_control(path)) == [(meant, 443)]


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ((), [], "not a control file"),
        ((), {}, "not a control file"),
        (("schema",), "kzmitm.scan/1.0", "not a control file"),
        (("schema",), 7, "not a control file"),
        (("certificates",), [], r"\$\.certificates: an object"),
        (("certificates", "00"), "AA==", r"\$\.certificates\.00: the content has another SHA-256"),
        (("certificates", "00"), "?", r"\$\.certificates\.00: not base64"),
        (("names",), {}, r"\$\.names: a list"),
        (("names", 0), 1, r"\$\.names\[0\]: an object"),
        (("names", 0), {}, r"\$\.names\[0\]\.hostname: missing"),
        (("names", 0, "port"), "443", r"\$\.names\[0\]\.port: an integer"),
        (("names", 0, "port"), 0, r"\$\.names\[0\]\.port: not a port: 0"),
        (("names", 0, "port"), 65536, r"\$\.names\[0\]\.port: not a port"),
        (("names", 0, "hostname"), "a b", r"\$\.names\[0\]\.hostname: not a host name"),
        (("names", 0, "ips"), [1], r"\$\.names\[0\]\.ips\[0\]: text"),
        (("names", 0, "chains"), {}, r"\$\.names\[0\]\.chains: a list"),
        (("names", 0, "chains", 0), 1, r"\$\.names\[0\]\.chains\[0\]: an object"),
        (("names", 0, "chains", 0, "seen_at"), "today", r"chains\[0\]\.seen_at: not a UTC time"),
        (("names", 0, "chains", 0, "certificates"), None, r"chains\[0\]\.certificates: a list"),
        (("names", 0, "chains", 0, "certificates", 0), "ff", r"certificates\[0\]: no such certificate"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, good, where, value, message):
    if where:
        parent = good
        for key in where[:-1]:
            parent = parent[key]
        parent[where[-1]] = value
    else:
        good = value
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(good))
    with pytest.raises(UsageError, match=message):
        read_control(path)


def test_a_file_that_is_no_json_absent_or_too_long(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no such control file"):
        read_control(tmp_path / "none")
    (tmp_path / "c").write_bytes(b"{")
    with pytest.raises(UsageError, match="line 1"):
        read_control(tmp_path / "c")
    monkeypatch.setattr(control_module, "MAX_FILE", 0)
    with pytest.raises(UsageError, match="longer than 0"):
        read_control(tmp_path / "c")
