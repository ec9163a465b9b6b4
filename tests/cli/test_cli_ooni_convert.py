"""`kzmitm ooni convert`: files of other tools judged, and written as lines of OONI's format."""

import gzip
import io
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from jsonschema import Draft202012Validator

from kzmitm.cli import clock
from kzmitm.cli.ooni import conversion
from kzmitm.evidence.schema import schema_text
from kzmitm.model.codec import format_time
from kzmitm.ooni.decode import decode
from kzmitm.ooni.importers import ripe_atlas
from kzmitm.ooni.importing import Unknown, formats
from kzmitm.report.imported import CANNOT_KNOW

DATA = Path(__file__).parents[1] / "ooni" / "importers" / "data"
OWN_ROOT = ("--store", DATA / "ca.pem")
SCHEMA = json.loads(schema_text("conversion"))


def convert(kzmitm, *names: str, **options):
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return kzmitm("ooni", "convert", *(DATA / name for name in names), *OWN_ROOT, *words)


def test_formats_are_listed(kzmitm):
    shown = kzmitm("ooni", "convert", "--formats")
    assert (shown.code, shown.err) == (0, "")
    assert [line.split()[0] for line in shown.out.splitlines()] == list(formats())
    assert "RIPE Atlas" in shown.out


def test_every_code_has_a_sentence():
    assert set(CANNOT_KNOW) == set(Unknown)


def test_a_good_file_is_clean(kzmitm):
    shown = convert(kzmitm, "sslyze-6.3.1.json.gz")
    assert shown.code == 0
    assert "CLEAN         www.example.org:18443\n" in shown.out
    assert "UNREACHABLE   nothing.example:18444" in shown.out
    assert f"{DATA}/sslyze-6.3.1.json.gz (sslyze): cannot know: " in shown.out
    assert shown.out.count("cannot know: ") == 1
    assert shown.err == ""


def _atlas(pems, host):
    row = json.loads((DATA / "ripe-atlas.json").read_text())[0]
    return row | {"cert": pems, "dst_name": host, "timestamp": int(clock.now().timestamp())}


def _tlsx(pems, host):
    row = json.loads((DATA / "tlsx.jsonl").read_text().splitlines()[0])
    chain = [{"certificate": pem} for pem in pems[1:]]
    return row | {"certificate": pems[0], "chain": chain, "host": host, "sni": host, "timestamp": _now()}


def _zgrab2(pems, host):
    row = json.loads((DATA / "zgrab2.jsonl").read_text().splitlines()[0])
    raw = [{"raw": "".join(pem.split("-----")[2].split())} for pem in pems]
    grab = row["data"]["tls"] | {"timestamp": _now()}
    grab["result"]["handshake_log"]["server_certificates"] = {"certificate": raw[0], "chain": raw[1:]}
    return row | {"domain": host, "data": {"tls": grab}}


def _sslyze(pems, host):
    document = json.loads(gzip.decompress((DATA / "sslyze-6.3.1.json.gz").read_bytes()))
    shown = document["server_scan_results"][1]
    shown["network_configuration"]["tls_server_name_indication"] = host
    deployment = {"received_certificate_chain": [{"as_pem": pem} for pem in pems]}
    shown["scan_result"]["certificate_info"]["result"] = {"certificate_deployments": [deployment]}
    return document | {"server_scan_results": [shown], "date_scans_started": _now()}


def _hyperquack(pems, host):
    """The leaf only; the registry knows it by its hash."""
    line = json.loads((DATA / "hyperquack-v2.jsonl").read_text().splitlines()[0])
    probe = line["response"][1] | {"start_time": _now()}
    probe["response"]["Certificate"] = "".join(pems[0].split("-----")[2].split())
    return line | {"test_url": host, "response": [probe]}


def _now():
    return clock.now().isoformat()


HOSTS = ("www.a.test", "www.b.example", "www.c.invalid")
"""Of three operators: one unknown issuer for all of them is nobody's own mistake."""


def _atlas_of_probes(forger, path, probes):
    rows = []
    for probe, host in zip(probes, HOSTS, strict=True):
        pems = [f"{pem}-----END CERTIFICATE-----\n" for pem in _certificates(forger.site(host))]
        rows.append(_atlas(pems, host) | {"prb_id": probe})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def outcomes(shown):
    Draft202012Validator(SCHEMA).validate(shown.json)
    return {row["hostname"]: row["outcome"] for row in shown.json["targets"]}


def test_hosts_of_one_vantage_bear_each_other_out(kzmitm, tmp_path, forger):
    path = _atlas_of_probes(forger, tmp_path / "x", (7, 7, 7))
    shown = kzmitm("ooni", "convert", path, "--json")
    assert outcomes(shown) == dict.fromkeys(HOSTS, "interception")
    assert {row["vantage"]["id"] for row in shown.json["targets"]} == {"ripe-atlas:7"}
    measured = datetime.fromtimestamp(json.loads(path.read_text().splitlines()[0])["timestamp"], tz=UTC)
    assert shown.json["targets"][0]["measured_at"] == format_time(measured)


def test_those_of_other_vantages_bear_nothing_out(kzmitm, tmp_path, forger):
    path = _atlas_of_probes(forger, tmp_path / "x", (7, 8, 9))
    shown = kzmitm("ooni", "convert", path, "--json")
    assert outcomes(shown) == dict.fromkeys(HOSTS, "inconclusive")


def test_nor_do_those_of_other_files(kzmitm, tmp_path, forger):
    lines = _atlas_of_probes(forger, tmp_path / "x", (7, 7, 7)).read_text().splitlines()
    paths = [tmp_path / f"{number}.json" for number in range(3)]
    for path, line in zip(paths, lines, strict=True):
        path.write_text(line)
    assert outcomes(kzmitm("ooni", "convert", *paths, "--json")) == dict.fromkeys(HOSTS, "inconclusive")


def test_vantages_without_number_are_judged_in_bounded_memory(kzmitm, tmp_path, forger, monkeypatch):
    """The run that was silent for longest is closed; one that goes on keeps what it knows."""
    monkeypatch.setattr(conversion, "MAX_RUNS", 2)
    lines = _atlas_of_probes(forger, tmp_path / "x", (7, 7, 7)).read_text().splitlines()
    others = [json.dumps(json.loads(lines[0]) | {"prb_id": probe}) for probe in (8, 9, 10)]
    path = tmp_path / "many"
    path.write_text("\n".join([lines[0], others[0], lines[1], others[1], lines[2], others[2]]))
    shown = kzmitm("ooni", "convert", path, "--json").json["targets"]
    assert {row["outcome"] for row in shown if row["vantage"]["id"] == "ripe-atlas:7"} == {"interception"}
    assert [row["number"] for row in shown if row["vantage"]["id"] != "ripe-atlas:7"] == [1, 3, 5]


@pytest.mark.parametrize("write", [_atlas, _tlsx, _zgrab2, _sslyze])
def test_a_known_interceptor_is_found_by_the_files_of_any_tool(kzmitm, tmp_path, forger, write):
    pems = [f"{pem}-----END CERTIFICATE-----\n" for pem in _certificates(forger.site("www.example.org"))]
    path = tmp_path / "found.json"
    path.write_text(json.dumps(write(pems, "www.example.org")))
    shown = kzmitm("ooni", "convert", path, "--fingerprints", forger.overlay())
    assert shown.code == 1, shown
    assert "INTERCEPTION" in shown.out
    assert "The Test Authority" in shown.out


def test_of_several_handshakes_the_one_that_decided_is_shown(kzmitm, tmp_path, forger):
    """sslyze tells of each deployment of a server: here the genuine one first, then a forged one."""
    pems = [f"{pem}-----END CERTIFICATE-----\n" for pem in _certificates(forger.site("www.example.org"))]
    genuine = json.loads(gzip.decompress((DATA / "sslyze-6.3.1.json.gz").read_bytes()))
    shown = next(each for each in genuine["server_scan_results"] if _deployments(each))
    document = _sslyze(pems, shown["network_configuration"]["tls_server_name_indication"])
    deployments = _deployments(document["server_scan_results"][0])
    deployments[:0] = _deployments(shown)
    document["date_scans_started"] = genuine["date_scans_started"]
    path = tmp_path / "both.json"
    path.write_text(json.dumps(document))
    told = kzmitm("ooni", "convert", path, *OWN_ROOT, "--fingerprints", forger.overlay(), "--json").json
    (target,) = told["targets"]
    assert target["outcome"] == "interception"
    leaf = x509.load_pem_x509_certificate(pems[0].encode())
    assert target["chain"][0]["sha256"] == leaf.fingerprint(hashes.SHA256()).hex()


def _deployments(result):
    info = (result["scan_result"] or {}).get("certificate_info") or {}
    return (info.get("result") or {}).get("certificate_deployments") or []


def test_hyperquack_finds_a_known_interceptor_at_a_server_that_is_not_the_site(kzmitm, tmp_path, forger):
    pems = [f"{pem}-----END CERTIFICATE-----\n" for pem in _certificates(forger.site("www.example.org"))]
    path = tmp_path / "found.json"
    path.write_text(json.dumps(_hyperquack(pems[1:], "www.example.org")))
    shown = kzmitm("ooni", "convert", path, "--fingerprints", forger.overlay())
    assert shown.code == 1, shown


def _certificates(path):
    """The certificates in a file with a key in front, without their last lines."""
    text = path.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :].split("-----END CERTIFICATE-----\n")[:-1]


def test_captures_with_a_key_log(kzmitm):
    shown = convert(kzmitm, "handshakes.pcap", keylog=DATA / "handshakes.keys")
    assert shown.code == 3
    assert "1 passed over: the certificates are encrypted, and no key of theirs is there" in shown.out
    assert "1 passed over: an earlier session goes on" in shown.out
    assert shown.out.count("CLEAN") == 3
    without = convert(kzmitm, "handshakes.pcap")
    assert "2 passed over: the certificates are encrypted" in without.out


def test_what_some_records_do_not_say_is_counted(kzmitm):
    shown = convert(kzmitm, "tlsx.jsonl", now="2027-01-26")
    assert "(of 3 of 7)" in shown.out
    assert "when it was; you said it with --now (of 1 of 7)" in shown.out


def test_a_leaf_alone_accuses_nobody(kzmitm):
    shown = convert(kzmitm, "sslyze-6.3.1.json.gz", "nmap-7.93.xml", "testssl-3.0.8-pretty.json")
    assert shown.code == 3
    assert shown.out.count("INCONCLUSIVE  www.example.org:18443  certificates of the site were not kept") >= 2
    assert "BROKEN" not in shown.out


def test_hyperquack_accuses_no_site(kzmitm, tmp_path):
    line = json.loads((DATA / "hyperquack-v2.jsonl").read_text().splitlines()[0])
    rows = [line | {"test_url": f"www.a{i}.example{i}.org", "vp": f"192.0.2.{i % 7}"} for i in range(60)]
    path = tmp_path / "x"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for more in ((), OWN_ROOT, (*OWN_ROOT, DATA / "sslyze-6.3.1.json.gz")):
        shown = kzmitm("ooni", "convert", path, *more)
        assert shown.out.count("INCONCLUSIVE  www.a") >= 60
        assert "INTERCEPTION  " not in shown.out


def test_bad_records_are_named_and_counted(kzmitm, tmp_path):
    good = (DATA / "zgrab2.jsonl").read_text().splitlines()[0]
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join([good, *['{"data": 1}'] * 14, "broken", good]))
    shown = kzmitm("ooni", "convert", path, *OWN_ROOT)
    assert shown.code == 3
    assert shown.err.splitlines()[:2] == [
        f"{path}:2: $.data: no result of a module",
        f"{path}:3: $.data: no result of a module",
    ]
    assert len(shown.err.splitlines()) == 11
    assert shown.err.endswith("and 5 more records that cannot be used\n")
    assert shown.out.count("CLEAN") == 2


@pytest.mark.parametrize(
    "names",
    [
        ("ripe-atlas.json", "tlsx.jsonl", "zgrab2.jsonl", "hyperquack-v1.jsonl", "hyperquack-v2.jsonl"),
        ("sslyze-6.3.1.json.gz", "nmap-7.93.xml", "testssl-3.0.8-flat.json", "handshakes.pcap", "README.md"),
    ],
)
def test_whatever_there_is_fits_the_schema(kzmitm, names):
    formats = () if "README.md" not in names else ("--format", "testssl")
    document = kzmitm("ooni", "convert", *(DATA / name for name in names[:4]), *OWN_ROOT, "--json").json
    Draft202012Validator(SCHEMA).validate(document)
    assert document["targets"]
    broken = kzmitm("ooni", "convert", DATA / names[4], *formats, *OWN_ROOT, "--json").json
    Draft202012Validator(SCHEMA).validate(broken)


def test_the_rest_of_a_file_of_bad_records_is_not_looked_at(kzmitm, tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "MAX_BAD", 50)
    good = (DATA / "zgrab2.jsonl").read_text().splitlines()[0]
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join([good, *['{"data": 1}'] * 50, good, *['{"data": 1}'] * 51, good]))
    shown = kzmitm("ooni", "convert", path, *OWN_ROOT)
    assert shown.out.count("CLEAN") == 2
    assert shown.err.splitlines()[-2:] == [
        f"{path}: 50 records in a row cannot be used; the rest was passed over",
        "and 91 more records that cannot be used",
    ]
    assert len(kzmitm("ooni", "convert", path, *OWN_ROOT, "--json").json["problems"]["first"]) == 10


def test_the_schema_knows_what_cannot_be_known_and_repeats_that_of_a_scan():
    defs, scan = SCHEMA["$defs"], json.loads(schema_text("scan"))["$defs"]
    assert defs["unknown"]["enum"] == list(Unknown)
    assert SCHEMA["properties"]["problems"]["properties"]["first"]["maxItems"] == conversion.MAX_TOLD
    told = ("description", "required", "properties")
    for name in defs.keys() & scan.keys():
        mine, theirs = defs[name], scan[name]
        assert set(mine.get("required", ())) >= set(theirs.get("required", ())), name
        assert {k: v for k, v in mine.items() if k not in told} == {
            k: v for k, v in theirs.items() if k not in told
        }
        for key in mine.get("properties", {}).keys() & theirs.get("properties", {}).keys():
            one, other = mine["properties"][key], theirs["properties"][key]
            assert one | {"description": ""} == other | {"description": ""}, (name, key)


def test_the_document(kzmitm):
    document = kzmitm("ooni", "convert", DATA / "ripe-atlas.json", *OWN_ROOT, "--json").json
    assert list(document)[:2] == ["schema", "version"]
    assert (document["schema"], document["complete"]) == ("kzmitm.conversion/1.0", True)
    (file,) = document["files"]
    assert (file["format"], file["imported"], file["problems"]) == ("ripe-atlas", 7, 1)
    assert file["passed_over"] == {"a measurement of another type": 1}
    assert file["cannot_know"]["sni"] == 7
    assert document["problems"]["count"] == 1
    rows = document["targets"]
    assert sorted(row["number"] for row in rows) == list(range(7))
    assert sum(document["summary"].values()) == 7
    first = next(row for row in rows if row["number"] == 0)
    assert (first["outcome"], first["line"], len(first["chain"])) == ("clean", 1, 2)
    assert "dns" in first["cannot_know"]


def test_lines_of_ooni(kzmitm, tmp_path):
    out = tmp_path / "out.jsonl"
    shown = convert(kzmitm, "ripe-atlas.json", out=out)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 7
    assert lines[0]["annotations"]["imported_from"] == "ripe-atlas"
    assert "sni" in lines[0]["annotations"]["cannot_know"].split(",")
    assert lines[0]["test_keys"]["x_kzmitm"]["versions"]["rules"]
    measurement = decode(lines[0])
    assert measurement.vantage.id == "ripe-atlas:1003454"
    assert len(measurement.tls[0].presented_chain) == 2
    assert "203.0.113.9" not in out.read_text()
    again = convert(kzmitm, "ripe-atlas.json", out=out)
    assert (again.code, again.out) == (2, "")
    assert "exists already" in again.err
    assert shown.code == 3


def test_nothing_is_left_of_what_failed(kzmitm, tmp_path):
    out = tmp_path / "out.jsonl"
    shown = kzmitm("ooni", "convert", DATA / "ripe-atlas.json", DATA / "README.md", "--out", out)
    assert shown.code == 2
    assert "README.md: not a file that can be read here; name its format with --format (" in shown.err
    assert not [path for path in tmp_path.iterdir() if path.name != "home"]


@pytest.mark.parametrize(
    "text",
    [
        '{"annotations":{},"data_format_version":"0.2.0","input":"https:\\/\\/example.kz\\/"',
        '{\n  "input": null,\n  "probe_asn": "AS0",',
        '{"format":"json","content":{"id":"1","test_keys":{}}}',
        '{"input":"","raw_measurement":"{}"}',
    ],
)
def test_measurements_of_ooni_are_sent_to_where_they_are_read(kzmitm, tmp_path, text):
    path = tmp_path / "ooni.json"
    path.write_text(text)
    shown = kzmitm("ooni", "convert", path)
    assert shown.code == 2
    assert "measurements of OONI; find the interception in them with `kzmitm ooni analyze`" in shown.err


def test_no_verdict_falls_before_every_file_is_known_to_be_good(kzmitm):
    shown = kzmitm("ooni", "convert", DATA / "ripe-atlas.json", DATA / "README.md")
    assert (shown.code, shown.out) == (2, "")


def test_what_can_be_read_only_once(kzmitm, tmp_path):
    """A pipe, as `<(zcat x.gz)` is one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=((DATA / "tlsx.jsonl").read_bytes(),))
    writer.start()
    shown = kzmitm("ooni", "convert", pipe, *OWN_ROOT)
    writer.join()
    assert f"{pipe} (tlsx): cannot know: " in shown.out


def test_what_came_into_the_place_meanwhile_is_not_overwritten(kzmitm, tmp_path, monkeypatch):
    out, original = tmp_path / "out.jsonl", ripe_atlas.read

    def meanwhile(source, reading):
        out.write_text("another's")
        return original(source, reading)

    monkeypatch.setattr(ripe_atlas, "read", meanwhile)
    shown = convert(kzmitm, "ripe-atlas.json", out=out)
    assert (shown.code, out.read_text()) == (2, "another's")
    assert "exists already" in shown.err


def test_stdin_packed(kzmitm, monkeypatch):
    packed = gzip.compress((DATA / "tlsx.jsonl").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed)))
    shown = kzmitm("ooni", "convert", "-", *OWN_ROOT)
    assert "- (tlsx): cannot know: " in shown.out
    assert "-:6: $.timestamp: it does not say when it was measured" in shown.err


def test_a_format_can_be_said(kzmitm, tmp_path):
    path = tmp_path / "x"
    path.write_bytes((DATA / "zgrab2.jsonl").read_bytes())
    shown = kzmitm("ooni", "convert", path, "--format", "ripe-atlas")
    assert shown.code == 3
    assert "7 passed over: a measurement of another type" in shown.out
    wrong = kzmitm("ooni", "convert", path, "--format", "nonsense")
    assert wrong.code == 2
    assert "invalid choice" in wrong.err


def test_a_file_that_could_be_two(kzmitm, tmp_path):
    path = tmp_path / "x"
    path.write_text('{"type":"sslcert","handshake_log": 1}\n')
    shown = kzmitm("ooni", "convert", path)
    assert shown.code == 2
    assert "it could be ripe-atlas, zgrab2" in shown.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "no file is named"),
        (("/nonexistent",), "/nonexistent: No such file or directory"),
        (("/",), "/: Is a directory"),
        (("a\0b",), "embedded null byte"),
        (("x", "--now", "yesterday"), "--now: not a time"),
        (("x", "--keylog", "/nonexistent"), "--keylog: /nonexistent: No such file"),
    ],
)
def test_wrong_words(kzmitm, words, complaint):
    shown = kzmitm("ooni", "convert", *words)
    assert (shown.code, shown.out) == (2, "")
    assert complaint in shown.err


def test_a_damaged_file_of_an_unknown_format(kzmitm, tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"hello")[:12])
    shown = kzmitm("ooni", "convert", path)
    assert shown.code == 2
    assert "the file is cut off" in shown.err


def test_an_empty_list(kzmitm, tmp_path):
    path = tmp_path / "x"
    path.write_text("[]")
    shown = kzmitm("ooni", "convert", path, "--format", "ripe-atlas")
    assert shown.code == 3
    assert f"{path}: nothing is in it" in shown.err


def test_names_of_strangers_steer_no_terminal(kzmitm, tmp_path):
    row = json.loads((DATA / "ripe-atlas.json").read_text())[0] | {"dst_name": "a\x1b[31m\u202e"}
    path = tmp_path / "\x1b[2Jx\udcff"
    path.write_text(json.dumps(row))
    shown = kzmitm("ooni", "convert", path, "--format", "ripe-atlas")
    assert "\x1b" not in shown.out + shown.err
    assert "not a host name" in shown.err
    shown = kzmitm("ooni", "convert", path, "--format", "ripe-atlas", "--json")
    assert shown.json["problems"]["count"] == 1


def test_it_can_be_judged_at_another_time(kzmitm):
    shown = convert(kzmitm, "ripe-atlas.json", now="2040-01-01T00:00:00Z")
    assert "CLEAN" not in shown.out


def test_ctrl_c_keeps_what_was_read(kzmitm, tmp_path, monkeypatch):
    original = ripe_atlas.read

    def stopped(source, reading):
        records = original(source, reading)
        yield next(records)
        raise KeyboardInterrupt

    monkeypatch.setattr(ripe_atlas, "read", stopped)
    out = tmp_path / "out.jsonl"
    shown = convert(kzmitm, "ripe-atlas.json", out=out)
    assert shown.code == 3
    assert "stopped; what was read by then was judged" in shown.err
    assert len(out.read_text().splitlines()) == 1
    assert "CLEAN" in shown.out


def test_many_suspicious_records_are_settled(kzmitm, tmp_path):
    """More than are held until the end: the first ones are judged again with all the rest."""
    row = json.loads((DATA / "ripe-atlas.json").read_text())[0]
    rows = [
        row | {"dst_name": f"host{i}.example{i}.org", "dst_addr": f"192.0.2.{i % 200}"} for i in range(300)
    ]
    path = tmp_path / "x"
    path.write_text("".join(json.dumps(each) + "\n" for each in [*rows, row]))
    shown = kzmitm("ooni", "convert", path, *OWN_ROOT)
    assert shown.out.splitlines()[-1].startswith("301 targets: ")
    assert shown.out.count("www.example.org") >= 1
