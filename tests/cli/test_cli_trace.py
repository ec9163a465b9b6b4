"""The trace from the command line: what is refused before anything is sent, and loopback as a path."""

import json
import socket
import subprocess
from contextlib import suppress

import pytest
from jsonschema import validate
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from kzmitm.cli.main import main
from kzmitm.cli.mmdb import system_in, systems_in
from kzmitm.errors import UsageError
from kzmitm.evidence.schema import schema_text
from kzmitm.model.location import System
from kzmitm.netio import errqueue

linux = pytest.mark.skipif(not errqueue.is_supported(), reason="needs Linux")


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("KZMITM_HOME", str(tmp_path / "home"))


def complaint(capsys, code, *words):
    assert main(["trace", *words]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["http://a.test"], "only https"),
        (["192.0.2.1"], "is an address"),
        (["a.test", "--control-port", "0"], "--control-port"),
        (["a.test", "--control-port", "443"], "--control-port"),
        (["a.test", "--control-sni", "a.test"], "the watched name itself"),
        (["a.test", "--control-sni", "no name"], "--control-sni"),
        (["a.test", "--svg", "/nonexistent/folder/x.svg"], "no folder"),
        (["a.test", "--mmdb", "/nonexistent/x.mmdb"], "--mmdb"),
        (["a.test", "--via", "gopher://x"], "not a vantage"),
    ],
)
def test_bad_words_are_refused(capsys, words, reason):
    assert reason in complaint(capsys, 2, *words, "--i-understand")


@linux
@pytest.mark.parametrize("via", ["socks5://127.0.0.1:9", "http://127.0.0.1:9", "tor:"])
def test_no_trace_through_a_proxy(capsys, via):
    assert "no trace through" in complaint(capsys, 2, "a.test", "--via", via, "--i-understand")


@linux
def test_scan_does_not_locate_through_a_proxy(capsys, tmp_path):
    words = ["a.test", "--locate", "--no-save", "--via", "socks5://127.0.0.1:9", "--i-understand"]
    assert main(["scan", *words]) == 2
    assert "no trace through socks5" in capsys.readouterr().err


def test_consent_comes_first(capsys):
    assert "consent" in complaint(capsys, 4, "a.test")


@pytest.fixture
def deaf_port():
    """A port of loopback on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@linux
def test_a_closed_port_in_words_and_as_a_document(capsys, deaf_port):
    words = ["trace", f"a.test:{deaf_port}", "--resolve", f"a.test:{deaf_port}:127.0.0.1", "--i-understand"]
    assert main([*words, "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    validate(document, json.loads(schema_text("trace")))
    assert document["verdict"]["outcome"] == "unreachable"
    (trace,) = document["traces"]
    assert trace["trace"]["is_on_link"]
    assert trace["location"]["finding"]["device"] in ("unlocated", "tcp_block")
    assert main(words) == 3
    assert "127.0.0.1" in capsys.readouterr().out


@linux
def test_a_name_without_address_of_the_family_is_said(capsys):
    words = ["a.test", "-6", "--resolve", "a.test:443:127.0.0.1", "--i-understand"]
    assert "no address of a.test" in complaint(capsys, 2, *words)


@linux
def test_a_name_that_nobody_resolves_is_no_mistake_of_the_user(process):
    """Nothing could be measured: as without a network at all, which this is."""
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    code, out, err = process("trace", "a.test", "--i-understand", "--json", within=alone)
    assert code == 3, err
    document = json.loads(out)
    validate(document, json.loads(schema_text("trace")))
    assert (document["verdict"]["outcome"], document["traces"]) == ("inconclusive", [])
    assert err.decode() == "no address of a.test was found; give one: --resolve HOST:PORT:ADDR\n"


@pytest.mark.parametrize(
    ("record", "system"),
    [
        (
            {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"},
            System(64500, "Example"),
        ),
        ({"asn": "AS64501", "as_name": "Other"}, System(64501, "Other")),
        ({"asn": 64502}, System(64502)),
        ({"asn": "AS9999999999999"}, None),
        ({"asn": "ASx"}, None),
        ({"asn": True}, None),
        ({"asn": -1}, None),
        ({}, None),
        (None, None),
        ("text", None),
    ],
)
def test_records_of_databases(record, system):
    assert system_in(record) == system


def test_what_is_no_database(tmp_path):
    path = tmp_path / "x.mmdb"
    path.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="--mmdb"):
        systems_in(path)


def test_a_database_of_the_format_itself(tmp_path):
    """As MaxMind, and others, publish them; the longest prefix counts."""
    made = MMDBWriter(6, "ASN", languages=["en"], ipv4_compatible=True)
    told = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"}
    made.insert_network(IPSet(["203.0.113.0/24"]), told)
    made.insert_network(IPSet(["203.0.113.128/25"]), told | {"autonomous_system_number": 64501})
    made.insert_network(IPSet(["2001:db8::/32"]), {"asn": "AS64502", "as_name": "Other"})
    path = tmp_path / "asn.mmdb"
    made.to_db_file(str(path))
    system_of = systems_in(path)
    assert system_of("203.0.113.5") == System(64500, "Example")
    assert system_of("203.0.113.200") == System(64501, "Example")
    assert system_of("2001:db8::1") == System(64502, "Other")
    assert system_of("192.0.2.1") is None
    cut = tmp_path / "cut.mmdb"
    cut.write_bytes(path.read_bytes()[:-40])
    with suppress(UsageError):  # told at once, or nothing of it believed
        assert systems_in(cut)("192.0.2.1") is None
