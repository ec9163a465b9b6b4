"""What each importer makes of files of its tool, row by row."""

import gzip
import json
import subprocess
from datetime import UTC, datetime

import pytest
from import_support import DATA, EC, RSA, fixture, imported, need, openssl_server, read

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Alert, Role
from kzmitm.model.target import REFLECTED, Endpoint
from kzmitm.ooni.importing import Imported, Nothing, Problem, Unknown, formats, recognised
from kzmitm.ooni.read_rows import UNKNOWN_HELLO

AT = datetime(2026, 11, 26, 5, tzinfo=UTC)

FIXTURES = {
    "hyperquack-v1.jsonl": "hyperquack",
    "hyperquack-v2.jsonl": "hyperquack",
    "nmap-7.93.xml": "nmap",
    "ripe-atlas.json": "ripe-atlas",
    "sslyze-6.3.1.json.gz": "sslyze",
    "testssl-3.0.8-flat.json": "testssl",
    "testssl-3.0.8-pretty.json": "testssl",
    "testssl-3.2-flat.json": "testssl",
    "tlsx.jsonl": "tlsx",
    "zgrab2.jsonl": "zgrab2",
    "handshakes.pcap": "pcap",
    "handshakes.pcapng": "pcap",
}


def test_there_is_a_fixture_of_every_format():
    assert set(FIXTURES.values()) == set(formats())
    assert all(importer.__doc__ for importer in formats().values())


@pytest.mark.parametrize("name", FIXTURES)
def test_a_format_is_told_by_its_content_packed_or_not(name):
    octets = fixture(name)
    octets = gzip.decompress(octets) if name.endswith(".gz") else octets
    assert recognised(octets[: 1 << 16]) == (FIXTURES[name],)
    packed = read(gzip.compress(octets), measured_at=AT)
    assert packed == read(octets, measured_at=AT)
    assert imported(packed)


@pytest.mark.parametrize("name", FIXTURES)
def test_no_value_is_made_up(name):
    for record in imported(read(fixture(name), measured_at=AT)):
        measurement = record.measurement
        assert measurement.vantage.asn == "AS0"
        assert measurement.local_trust is None
        assert measurement.clock_offset_s is None
        assert {Unknown.DNS, Unknown.CONTROL} <= set(record.cannot_know)
        assert len(set(record.cannot_know)) == len(record.cannot_know)
        for observation in measurement.tls:
            assert (observation.hello == UNKNOWN_HELLO) is (Unknown.HELLO in record.cannot_know)
            assert observation.proof is None
            assert observation.sni is None or Unknown.SNI not in record.cannot_know
            if observation.chain_truncated:
                assert Unknown.WHOLE_CHAIN in record.cannot_know


def summary(records):
    """(line, handshakes as (sni, version, chain lengths, failure), failed connects) of each measurement."""
    return [
        (
            record.line,
            [(o.sni, o.version, len(o.presented_chain), o.failure) for o in record.measurement.tls],
            [o.failure for o in record.measurement.tcp],
        )
        for record in imported(records)
    ]


def others(records, kind):
    return [(each.where, each.why) for each in records if isinstance(each, kind)]


# -- RIPE Atlas


def test_ripe_atlas():
    records = read(fixture("ripe-atlas.json"))
    reset = Failure.SSL_FAILED_HANDSHAKE
    assert summary(records) == [
        (1, [(None, "TLSv1.2", 2, None)], []),
        (2, [(None, "TLSv1.2", 2, None)], []),
        (3, [(None, "TLSv1.2", 0, reset)], []),
        (4, [(None, "", 0, Failure.GENERIC_TIMEOUT)], []),
        (5, [], [Failure.GENERIC_TIMEOUT]),
        (6, [], []),
        (7, [(None, "SSLv3", 1, None)], []),
    ]
    first, second, alerted, _, _, denied, old = imported(records)
    handshake = first.measurement.tls[0]
    assert handshake.presented_chain == RSA
    assert handshake.cipher_suite == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert (handshake.t0, handshake.t) == (0.03125, 0.0705)
    assert first.measurement.started_at == datetime(2027, 1, 26, 21, 46, 40, tzinfo=UTC)
    assert first.measurement.vantage.id == "ripe-atlas:1003454"
    assert second.measurement.tls[0].endpoint == Endpoint("2001:db8::7", 443)
    assert alerted.measurement.tls[0].alerts == (Alert(2, 40),)
    assert denied.measurement.dns[0].failure == (
        "unknown_failure: non-recoverable failure in name resolution (1)"
    )
    assert old.measurement.tls[0].endpoint.port == 443
    assert others(records, Nothing) == [("file:8", "a measurement of another type")]
    assert others(records, Problem) == [("file:9", "$: neither certificates nor an alert nor an error")]


def test_the_address_of_a_probe_is_never_kept():
    assert "203.0.113.9" not in repr(read(fixture("ripe-atlas.json")))
    assert "192.168.1.5" not in repr(read(fixture("ripe-atlas.json")))


ATLAS = json.loads(fixture("ripe-atlas.json"))[0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"timestamp": None}, "$.timestamp: not seconds since 1970"),
        ({"timestamp": True}, "$.timestamp: not seconds since 1970"),
        ({"timestamp": 1e300}, "$.timestamp: not seconds since 1970"),
        ({"timestamp": 5}, "$.timestamp: no handshake is of the year 1970"),
        ({"dst_port": "99999"}, "$.dst_port: not a port"),
        ({"dst_addr": "192.0.2"}, "$.dst_addr: not an address: '192.0.2'"),
        ({"dst_name": "a b"}, "$.dst_name: not a host name: 'a b'"),
        ({"cert": "x"}, "$.cert: not a list of certificates"),
        ({"cert": ["x"]}, "$.cert[0]: not one certificate in PEM"),
        ({"cert": ATLAS["cert"] * 60}, "$.cert: more than 100 certificates"),
        (
            {"cert": ["-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----"]},
            "$.cert[0]: not base64",
        ),
        (
            {"cert": ["-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"]},
            "$.cert[0]: 0 octets are no certificate",
        ),
        ({"alert": {"level": 300}}, "$.alert: not an alert"),
        ({"alert": 3}, "$.alert: not an object"),
    ],
)
def test_bad_results_of_ripe_atlas_are_named(change, why):
    good = json.dumps(ATLAS)
    (problem, after) = read(f"{json.dumps(ATLAS | change)}\n{good}\n".encode(), "ripe-atlas")
    assert problem == Problem("file:1", why)
    assert after == read(good.encode())[0].__class__(after.measurement, "file", 2, after.cannot_know)


def test_other_words_of_ripe_atlas():
    def one(**change):
        (record,) = read(json.dumps(ATLAS | {"cert": None} | change).encode(), "ripe-atlas")
        return record.measurement

    assert one(err="bad type").tls[0].failure == "unknown_failure: bad type"
    assert one(err="connect: Connection refused").tcp[0].failure == Failure.CONNECTION_REFUSED
    assert one(alert={"level": 1, "description": 112}).tls[0].failure == Failure.SSL_INVALID_HOSTNAME
    assert one(alert={"level": 1, "description": 0}).tls[0].failure == Failure.EOF
    assert one(err="x", server_cipher=0xC02F).tls[0].cipher_suite.startswith("TLS_ECDHE")
    assert one(err="x", method="QUIC", ver=None).tls[0].version == ""
    assert one(err="x", prb_id=None).vantage.id == "ripe-atlas"


# -- tlsx


def test_tlsx():
    records = read(fixture("tlsx.jsonl"), measured_at=AT)
    name = "www.example.org"
    assert summary(records) == [
        (1, [(name, "TLSv1.2", 2, None)], []),
        (2, [(name, "TLSv1.3", 1, None)], []),
        (3, [(name, "TLSv1.2", 0, None)], []),
        (4, [(name, "TLSv1.2", 2, None)], []),
        (5, [(None, "TLSv1.2", 1, None)], []),
        (6, [(None, "", 0, Failure.CONNECTION_RESET)], []),
        (7, [], [Failure.CONNECTION_REFUSED]),
    ]
    first, leaf_only, hashes, by_openssl, no_name, failed, _ = imported(records)
    assert first.measurement.tls[0].presented_chain == RSA
    assert by_openssl.measurement.tls[0].presented_chain == RSA
    assert by_openssl.measurement.tls[0].cipher_suite == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert first.measurement.started_at == datetime(2027, 1, 26, 7, 53, 20, 123456, tzinfo=UTC)
    assert Unknown.WHOLE_CHAIN not in first.cannot_know
    assert Unknown.WHOLE_CHAIN in leaf_only.cannot_know
    assert Unknown.WHOLE_CHAIN in hashes.cannot_know
    assert Unknown.WHOLE_CHAIN in no_name.cannot_know
    assert Unknown.SNI in no_name.cannot_know
    assert {Unknown.TIME, Unknown.ADDRESS} <= set(failed.cannot_know)
    assert failed.measurement.started_at == AT
    assert others(records, Nothing) == [("file:8", "a certificate out of a log, with no handshake")]


TLSX = json.loads(fixture("tlsx.jsonl").splitlines()[0])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"timestamp": None}, "$.timestamp: it does not say when it was measured (--now TIME would)"),
        ({"timestamp": "2027-01-26"}, "$.timestamp: not a time with a zone: '2027-01-26'"),
        ({"timestamp": "0001-01-01T00:00:00+05:00"}, "$.timestamp: not a time with a zone"),
        ({"timestamp": "1001-01-01T00:00:00Z"}, "$.timestamp: no handshake is of the year 1001"),
        ({"port": "x"}, "$.port: not a port"),
        ({"host": ""}, "$.host: empty host name"),
        ({"chain": [{"certificate": "x"}]}, "$.chain[0].certificate: not one certificate in PEM"),
        ({"certificate": None, "fingerprint_hash": None}, "$: a handshake without a certificate"),
    ],
)
def test_bad_lines_of_tlsx_are_named(change, why):
    (problem,) = read(json.dumps(TLSX | change).encode(), "tlsx")
    assert isinstance(problem, Problem)
    assert problem.why.startswith(why)


# -- zgrab2


def test_zgrab2():
    records = read(fixture("zgrab2.jsonl"))
    name = "www.example.org"
    assert summary(records) == [
        (1, [(None, "TLSv1.2", 2, None)], []),
        (2, [(name, "TLSv1.2", 2, None)], []),
        (3, [(None, "TLSv1.2", 2, None)], []),
        (4, [(None, "TLSv1.3", 1, None)], []),
        (5, [], [Failure.GENERIC_TIMEOUT]),
        (6, [(None, "", 0, Failure.EOF)], []),
        (7, [(None, "", 0, Failure.SSL_FAILED_HANDSHAKE)], []),
    ]
    tls, with_name, http, smtp, *_ = imported(records)
    assert tls.measurement.tls[0].presented_chain == RSA
    assert with_name.measurement.tls[0].presented_chain == EC
    assert str(with_name.measurement.target) == "www.example.org:8443"
    assert Unknown.SNI not in with_name.cannot_know
    assert http.measurement.tls[0].endpoint == Endpoint("", 0)
    assert Unknown.ADDRESS in http.cannot_know
    assert smtp.measurement.tls[0].cipher_suite == "TLS_AES_128_GCM_SHA256"
    assert others(records, Nothing) == [("file:4", "a module that did no TLS handshake")]


ZGRAB = json.loads(fixture("zgrab2.jsonl").splitlines()[0])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "$.data: no result of a module"),
        ({"tls": {"status": "success", "port": 443}}, "$.data.tls.timestamp: not a time with a zone: ''"),
        ({"tls": {"status": "success", "port": 0}}, "$.data.tls.port: not a port"),
        (
            {"tls": {"result": {"handshake_log": {"server_certificates": {"certificate": {"raw": "?"}}}}}},
            "$.data.tls.result.handshake_log.server_certificates.certificate.raw: not base64",
        ),
    ],
)
def test_bad_lines_of_zgrab2_are_named(data, why):
    assert read(json.dumps(ZGRAB | {"data": data}).encode(), "zgrab2") == [Problem("file:1", why)]


def test_a_zgrab_without_any_word_of_why():
    grab = {"protocol": "tls", "port": 443, "timestamp": "2027-01-26T07:53:20Z"}
    (record,) = read(json.dumps(ZGRAB | {"data": {"tls": grab}}).encode(), "zgrab2")
    assert record.measurement.tls[0].failure == "unknown_failure: no status"


# -- sslyze


def test_sslyze():
    (refused, shown) = read(fixture("sslyze-6.3.1.json.gz"))
    assert refused.measurement.tcp[0].failure == Failure.CONNECTION_REFUSED
    assert str(refused.measurement.target) == "nothing.example:18444"
    handshakes = shown.measurement.tls
    assert {o.presented_chain for o in handshakes if o.role is Role.FIRST} == {RSA, EC}
    assert [o.role for o in handshakes] == [Role.FIRST, Role.FIRST, Role.NO_SNI]
    assert [o.sni for o in handshakes] == ["www.example.org", "www.example.org", None]
    assert shown.measurement.started_at == datetime(2026, 11, 26, 4, 5, 14, 630881, tzinfo=UTC)
    assert Unknown.PARAMETERS in shown.cannot_know
    assert shown.measurement.target.address is None


SSLYZE = json.loads(gzip.decompress(fixture("sslyze-6.3.1.json.gz")))
REFUSED, SHOWN = SSLYZE["server_scan_results"]


def sslyze(*servers: object, **change):
    return read(json.dumps(SSLYZE | {"server_scan_results": servers} | change).encode(), "sslyze")


def failed(name, **more):
    trace = f"Traceback (most recent call last):\n  File x\nsslyze.errors.{name}: host -> 192.0.2.7\n"
    return REFUSED | {"connectivity_error_trace": trace} | more


@pytest.mark.parametrize(
    ("name", "connect", "handshake"),
    [
        ("ConnectionToServerTimedOut", Failure.GENERIC_TIMEOUT, None),
        ("HttpProxyRejectedConnection", Failure.PROXY_FAILED, None),
        ("ServerRejectedTlsHandshake", None, Failure.SSL_FAILED_HANDSHAKE),
        ("TlsHandshakeTimedOut", None, Failure.GENERIC_TIMEOUT),
        ("SomethingNew", None, "unknown_failure: SomethingNew"),
    ],
)
def test_what_exceptions_of_sslyze_mean(name, connect, handshake):
    (record,) = sslyze(failed(name))
    assert [o.failure for o in record.measurement.tcp] == ([connect] if connect else [])
    assert [o.failure for o in record.measurement.tls] == ([handshake] if handshake else [])


def test_other_results_of_sslyze():
    no_address = {"hostname": "www.example.org", "port": 443}
    (record,) = sslyze(failed("HttpProxyRejectedConnection", server_location=no_address))
    assert Unknown.ADDRESS in record.cannot_know
    crashed = SHOWN | {"scan_result": {"certificate_info": {"status": "ERROR", "error_reason": "TIMEOUT"}}}
    (record,) = sslyze(crashed)
    assert record.measurement.tls[0].failure == "unknown_failure: an error without a name"
    assert sslyze(SHOWN | {"scan_result": {}}) == [
        Nothing("file:1", "a server whose certificates were not asked for")
    ]
    empty = {"certificate_info": {"result": {"certificate_deployments": [{}]}}}
    (problem, good) = sslyze(SHOWN | {"scan_result": empty}, SHOWN)
    assert problem.why.endswith("certificate_deployments[0]: a deployment without certificates")
    assert isinstance(good, Imported)
    (problem,) = read(b'{"sslyze_version": "4"}', "sslyze")
    assert problem.why.startswith("$.server_scan_results: missing")
    (record,) = sslyze(SHOWN, date_scans_started="2021-01-01 10:00:00.5")
    assert record.measurement.started_at == datetime(2021, 1, 1, 10, 0, 0, 500000, tzinfo=UTC)


# -- testssl.sh


@pytest.mark.parametrize("form", ["flat", "pretty"])
def test_testssl_keeps_leaves_only(form):
    (record,) = read(fixture(f"testssl-3.0.8-{form}.json"), measured_at=AT)
    assert [o.presented_chain for o in record.measurement.tls] == [RSA[:1], EC[:1]]
    assert {Unknown.WHOLE_CHAIN, Unknown.PARAMETERS} <= set(record.cannot_know)
    assert (Unknown.TIME in record.cannot_know) is (form == "flat")
    assert record.measurement.started_at == (
        AT if form == "flat" else datetime(2026, 11, 26, 4, 5, 27, tzinfo=UTC)
    )
    assert record.measurement.tls[0].endpoint == Endpoint("127.0.0.1", 18443)


def test_a_flat_file_of_testssl_needs_a_time():
    (problem,) = read(fixture("testssl-3.0.8-flat.json"))
    assert problem == Problem(
        "file:9", "$.startTime: it does not say when it was measured (--now TIME would)"
    )


def test_newer_testssl_tells_the_intermediates():
    records = read(fixture("testssl-3.2-flat.json"), measured_at=AT)
    (record, refused) = imported(records)
    assert [o.presented_chain for o in record.measurement.tls] == [RSA, EC[:1]]
    assert [o.chain_truncated for o in record.measurement.tls] == [False, True]
    assert refused.measurement.tcp[0].failure == Failure.CONNECTION_REFUSED
    assert others(records, Nothing) == [("file:51", "a server whose certificates were not asked for")]


def test_testssl_and_what_it_could_not_scan():
    pretty = {"Invocation": "testssl x", "startTime": "1795665927"}
    (problem,) = read(json.dumps(pretty | {"scanResult": [{"id": "scanProblem"}]}).encode())
    assert problem.why == "$.scanResult: nothing was scanned, and the server is not named"
    finding = {"id": "cert", "ip": "/", "port": "443", "severity": "INFO", "finding": ""}
    assert read(json.dumps([finding]).encode()) == []
    finding["ip"] = "example.org/x"
    (problem,) = read(json.dumps([finding]).encode())
    assert problem.why == "$.ip: not an address: 'x'"
    (problem,) = read(b'[{"id": "x"}]', "testssl")
    assert problem.why == "$: not a finding of testssl.sh"
    by_address = {"id": "cert", "ip": "/192.0.2.7", "port": "443", "severity": "INFO"}
    by_address["finding"] = (DATA / "ca.pem").read_text()
    (record,) = read(json.dumps([by_address]).encode(), measured_at=AT)
    assert (record.measurement.target.hostname, record.measurement.tls[0].sni) == ("192.0.2.7", None)
    no_address = by_address | {"ip": "www.example.org/"}
    (record,) = read(json.dumps([no_address]).encode(), measured_at=AT)
    assert Unknown.ADDRESS in record.cannot_know


def test_the_real_testssl(tmp_path):
    testssl = need("testssl")
    with openssl_server(tmp_path) as (port, leaf):
        out = tmp_path / "out.json"
        words = f"{testssl} -S --ip 127.0.0.1 --warnings off --color 0 --jsonfile-pretty".split()
        subprocess.run(
            [*words, out, f"https://www.example.org:{port}"],
            check=False,  # it counts the faults of the server
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
        )
    (record,) = imported(read(out.read_bytes()))
    assert [o.presented_chain[0] for o in record.measurement.tls] == [leaf]
    assert str(record.measurement.target) == f"www.example.org:{port}"


# -- Nmap


def test_nmap():
    (record,) = read(fixture("nmap-7.93.xml"))
    (handshake,) = record.measurement.tls
    assert (handshake.sni, handshake.presented_chain) == ("www.example.org", EC[:1])
    assert handshake.chain_truncated
    assert handshake.endpoint == Endpoint("127.0.0.1", 18443)
    assert record.line == 13
    assert record.measurement.started_at == datetime(2026, 11, 26, 4, 4, 53, tzinfo=UTC)
    assert Unknown.WHOLE_CHAIN in record.cannot_know


XML = fixture("nmap-7.93.xml")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"<!DOCTYPE nmaprun>", b"<!DOCTYPE nmaprun [<!ENTITY a 'b'>]>", "a document type"),
        (b"<!DOCTYPE nmaprun>", b'<!DOCTYPE nmaprun SYSTEM "http://192.0.2.1/x">', "a document type"),
        (b"<!DOCTYPE nmaprun>", b"<!DOCTYPE html>", "a document type"),
        (b"<host starttime", b"<host><x " + b"y='" + b"z" * (5 << 20), "a piece of markup longer"),
        (b'<elem key="pem">', b'<elem key="pem">' + b"A" * (70 << 10), "a certificate without end"),
        (b"<host ", b"<a>" * 70 + b"<host ", "nested too deeply"),
        (b"</host>", b"</hosts>", "not XML: mismatched tag"),
        (b"</nmaprun>", b"", "not XML: no element found"),
        (b'<elem key="pem">', b'<elem key="pem">&b;', "not XML: undefined entity"),
    ],
)
def test_what_nmap_does_not_write_ends_the_reading(old, new, why):
    assert old in XML
    *_, problem = read(XML.replace(old, new), "nmap")
    assert isinstance(problem, Problem)
    assert problem.why.startswith(why)


def test_hosts_before_the_damage_are_kept():
    (record, problem) = read(XML[: XML.index(b"<runstats>")])
    assert isinstance(record, Imported)
    assert isinstance(problem, Problem)


def test_names_that_nmap_sends():
    def sni(xml):
        (record,) = read(xml, "nmap")
        return record.measurement.target.hostname, record.measurement.tls[0].sni, record.cannot_know

    no_argument = XML.replace(b"-&#45;script-args tls.servername=www.example.org ", b"")
    assert sni(no_argument)[:2] == ("127.0.0.1", None)
    user = no_argument.replace(b"<hostnames>", b'<hostnames><hostname name="example.net" type="user"/>')
    assert sni(user)[:2] == ("example.net", "example.net")
    file = no_argument.replace(b' args="nmap', b' args="nmap --script-args-file=x')
    assert Unknown.SNI in sni(file)[2]
    quoted = no_argument.replace(b' args="nmap', b" args=\"nmap --script-args='a=1,tls.servername=q.example'")
    assert sni(quoted)[:2] == ("q.example", "q.example")
    broken = no_argument.replace(b' args="nmap', b" args=\"nmap 'x tls.servername=q.example")
    assert sni(broken)[:2] == ("q.example", "q.example")


def test_services_of_nmap_that_are_not_judged():
    udp = XML.replace(b'protocol="tcp" portid', b'protocol="udp" portid')
    assert read(udp) == []
    no_pem = XML.replace(b'key="pem"', b'key="mep"')
    assert read(no_pem) == [Nothing("file:13", "a script's result without a certificate")]
    bad = XML.replace(b'portid="18443"', b'portid="0"')
    assert read(bad) == [Problem("file:13", "port: not a port")]


def test_files_of_nmap_are_bounded_and_may_be_damaged(monkeypatch):
    monkeypatch.setattr("kzmitm.ooni.importers.nmap.MAX_SERVICES", 0)
    assert read(XML) == []
    assert read(gzip.compress(XML)[:-12])[-1] == Problem("file", "the file is cut off")


def test_the_real_nmap(tmp_path):
    nmap = need("nmap")
    with openssl_server(tmp_path) as (port, leaf):
        words = f"{nmap} -n -Pn -sT -p{port} --script ssl-cert -oX - 127.0.0.1 --script-args".split()
        xml = subprocess.run(
            [*words, "tls.servername=www.example.org"],
            check=True,
            capture_output=True,
        ).stdout
    (record,) = read(xml)
    assert record.measurement.tls[0].presented_chain == (leaf,)
    assert str(record.measurement.target) == f"www.example.org:{port}"


# -- Hyperquack


def test_hyperquack_2():
    records = read(fixture("hyperquack-v2.jsonl"))
    name = "www.blocked.example"
    assert summary(records) == [
        (1, [(name, "TLSv1.2", 1, None)] * 2 + [("control-2fa1129e0ced3942.com", "TLSv1.2", 1, None)], []),
        (2, [("blocked.example", "", 0, Failure.CONNECTION_RESET)], []),
        (3, [], [Failure.GENERIC_TIMEOUT]),
    ]
    (first, *_) = imported(records)
    assert [o.role for o in first.measurement.tls] == [Role.FIRST, Role.FIRST, Role.NONSENSE_SNI]
    assert (first.measurement.vantage.kind, first.measurement.vantage.cc) == (REFLECTED, "KZ")
    assert first.measurement.target.address == "192.0.2.7"
    assert first.measurement.tls[0].presented_chain == RSA[:1]
    assert "141.212.1.1" not in repr(records)
    assert [why for _, why in others(records, Nothing)] == [
        "every answer was as the template: no certificate is kept then",
        "a probe of another service than https",
    ]


def test_hyperquack_1():
    (record, nothing) = read(fixture("hyperquack-v1.jsonl"))
    assert summary([record]) == [
        (
            1,
            [
                ("www.blocked.example", "TLSv1.2", 1, None),
                ("www.blocked.example", "", 0, Failure.GENERIC_TIMEOUT),
            ],
            [],
        )
    ]
    assert record.measurement.vantage.cc == "ZZ"
    assert record.measurement.started_at == datetime(2020, 11, 6, 20, 24, 21, 124508, tzinfo=UTC)
    assert isinstance(nothing, Nothing)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"test_url": ""}, "$.test_url: no host in it"),
        ({"test_url": "http://[x"}, "$.test_url: no host in it"),
        ({"vp": "x"}, "$.vp: not an address: 'x'"),
        ({"response": 5}, "$.response: not a list of at most 4096 elements"),
    ],
)
def test_bad_lines_of_hyperquack_are_named(change, why):
    line = json.loads(fixture("hyperquack-v2.jsonl").splitlines()[0])
    assert read(json.dumps(line | change).encode(), "hyperquack") == [Problem("file:1", why)]
