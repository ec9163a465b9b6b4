"""The generator of corpora: the same octets from the same seed, every situation, and a truth that holds."""

import base64
import gzip
import hashlib
import json
import os
import ssl
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kzmitm.ooni.decode import decode
from kzmitm.pki.attribution import attribute
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.kinds import SCOPES
from kzmitm.pki.path import validate_path
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.report import PathStatus
from kzmitm.pki.store import parse_store
from kzmitm.resources import fingerprint_files

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from corpus import (  # noqa: E402
    SITUATIONS,
    fifty,
    plans,
    public_certificates,
    situation,
    write_corpus,
    write_published,
)

MEGABYTES = 12
CERTIFICATE_FAILURES = {"ssl_unknown_authority", "ssl_invalid_certificate", "ssl_invalid_hostname"}
ENVELOPE = (
    "annotations", "data_format_version", "extensions", "input", "measurement_start_time", "probe_asn",
    "probe_cc", "probe_ip", "probe_network_name", "report_id", "resolver_asn", "resolver_ip",
    "resolver_network_name", "software_name", "software_version", "test_keys", "test_name", "test_runtime",
    "test_start_time", "test_version",
)  # fmt: skip
IN_SITUATION = [(name, era) for name, kind in SITUATIONS.items() for era in kind.eras]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus, and what was told of it."""
    out = tmp_path_factory.mktemp("corpus")
    return out, write_corpus(out, plans(7, MEGABYTES, None, "gz", None), processes=2)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    out = tmp_path_factory.mktemp("published")
    return out, write_published(out, 7, "none", processes=2)


def truths(out):
    return [json.loads(line) for line in (out / "truth.jsonl").read_text().splitlines()]


def lines(out):
    """(file, line number, octets) of every measurement."""
    for path in sorted((out / "raw").rglob("*.jsonl*")):
        text = path.read_bytes()
        text = gzip.decompress(text) if path.suffix == ".gz" else text
        for number, line in enumerate(text.splitlines(), 1):
            yield str(path.relative_to(out)), number, line


def octets_of(out):
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def handshakes(value):
    """Every df-006 row, wherever a test has put it."""
    if isinstance(value, dict):
        if "tls_version" in value:
            yield value
        for inner in value.values():
            yield from handshakes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from handshakes(inner)


def registry_of(out):
    return parse_registry(fingerprint_files([out / "registry"]))


def certificates(row):
    return [base64.b64decode(one["data"]) for one in row.get("peer_certificates") or () if "data" in one]


def test_the_same_seed_gives_the_same_octets_on_any_number_of_processes(tmp_path):
    for folder, processes, seed in (("a", 1, 3), ("b", 2, 3), ("c", 1, 4)):
        write_corpus(tmp_path / folder, plans(seed, 1, None, "gz", None), processes=processes)
    a, b, c = (octets_of(tmp_path / folder) for folder in "abc")
    assert a == b
    assert not set(a.values()) & set(c.values())


def test_every_situation_occurs_and_the_sums_are_right(corpus):
    out, told = corpus
    found = truths(out)
    assert set(told["by_class"]) == set(SITUATIONS)
    assert told["by_class"] == dict(sorted(Counter(truth["class"] for truth in found).items()))
    assert told["lines"] == len(found) == len({truth["uid"] for truth in found})
    assert told["interceptions"] == sum(truth["is_interception"] for truth in found)


def test_size_and_repetition_are_those_of_the_bucket(corpus):
    out, told = corpus
    assert told["octets"] == sum(len(line) + 1 for _file, _number, line in lines(out))
    assert 1 <= told["octets"] / (MEGABYTES * 1e6) < 1.15
    assert 2.5 < told["ratio"] < 4.5


def test_lines_and_truth_are_of_the_same_measurements(corpus):
    out, _told = corpus
    by_place = {(truth["file"], truth["line"]): truth for truth in truths(out)}
    styles = Counter()
    for file, number, line in lines(out):
        truth, document = by_place.pop((file, number)), json.loads(line)
        assert [key for key in ENVELOPE if key not in document] == []
        assert document["test_name"] == truth["test_name"]
        assert document["probe_asn"] == f"AS{truth['asn']}"
        assert (document["report_id"], document["input"]) == (truth["report_id"], truth["input"])
        assert file.split("/")[4] == truth["test_name"].replace("_", "")
        styles[truth["uid_in_line"]] += 1
        if truth["uid_in_line"]:
            assert document["measurement_uid"] == truth["uid"]
            assert b"<" not in line
        else:
            assert "measurement_uid" not in document
            assert b"</" not in line
            assert line.isascii()
    assert by_place == {}
    assert min(styles[True], styles[False]) > 10


@pytest.mark.parametrize(("name", "era"), IN_SITUATION)
def test_a_situation_is_as_the_engine_writes_it(name, era):
    document, truth = situation(name, 5, era=era)
    assert (document, truth) == situation(name, 5, era=era)
    rows = list(handshakes(document["test_keys"]))
    for row in rows:
        if row["failure"] is None:
            assert row["tls_version"]
        else:
            assert (row["cipher_suite"], row["tls_version"], row["negotiated_protocol"]) == ("", "", "")
            if row["failure"] in CERTIFICATE_FAILURES:
                assert len(certificates(row)) == 1
            else:
                assert certificates(row) == []
        old = truth["test_name"] == "web_connectivity" and era == "old"
        assert ("address" in row, "transaction_id" in row) == (
            not old,
            era == "v05" or truth["test_name"] != "web_connectivity",
        )
    if truth["is_interception"]:
        stored = {hashlib.sha256(der).hexdigest() for row in rows for der in certificates(row)}
        assert truth["certificate_sha256"] in stored
        if truth["test_name"] == "web_connectivity":
            assert truth["domain"] in {row["server_name"] for row in rows}
    else:
        assert truth["certificate_sha256"] is None


@pytest.mark.parametrize(
    "name", [n for n, kind in SITUATIONS.items() if kind.test_name == "web_connectivity"]
)
def test_our_own_reader_takes_it(name):
    document, _truth = situation(name, 5)
    measurement = decode(document)
    assert len(measurement.tls) == len(document["test_keys"]["tls_handshakes"])


def test_whose_they_are_is_told_by_the_match_that_the_truth_says(tmp_path):
    write_corpus(tmp_path, fifty(5, "none"))
    registry, cache = registry_of(tmp_path), CertificateCache()
    by_place = {(truth["file"], truth["line"]): truth for truth in truths(tmp_path)}
    seen = set()
    for file, number, line in lines(tmp_path):
        truth = by_place[file, number]
        seen.add(truth["class"])
        told = set()
        for row in handshakes(json.loads(line)["test_keys"]):
            chain = [cache.parse(der) for der in certificates(row)]
            told |= {
                (a.authority.id, a.authority.match) for a in attribute(chain, registry=registry, cache=cache)
            }
        if truth["authority"] is None:
            assert {identity for identity, _match in told} <= {"kz-nuc-rk"}, truth["class"]
        else:
            assert (truth["authority"], truth["match"]) in told, truth["class"]
            assert truth["scope"] == SCOPES[registry.authorities[truth["authority"]].kind]
    assert seen == set(SITUATIONS)


def test_genuine_chains_hold_in_the_store_that_lies_beside_them(tmp_path):
    write_corpus(tmp_path, fifty(5, "none"))
    store = parse_store((tmp_path / "store.pem").read_bytes(), name="corpus", version="1", date="2024-01-01")
    cache = CertificateCache()
    checked = 0
    for name in ("clean_https", "clean_rotating_certificates", "clean_no_tls_verify", "clean_redirect"):
        document, truth = situation(name, 5)
        now = datetime.fromisoformat(truth["measured_at"])
        for row in handshakes(document["test_keys"]):
            chain = [cache.parse(der) for der in certificates(row)]
            report = validate_path(chain, store=store, hostname=row["server_name"], now=now, cache=cache)
            assert report.trusted, report
            checked += 1
    assert checked > 4


def test_one_stored_certificate_of_a_public_authority_can_be_told(tmp_path):
    """Where the probe kept a leaf alone, or an issuer, the roots and intermediates beside the corpus tell."""
    roots, intermediates = public_certificates(5)
    pem = "".join(ssl.DER_cert_to_PEM_cert(der) for der in roots)
    store = parse_store(pem.encode(), name="corpus", version="1", date="2024-01-01")
    cache = CertificateCache()
    for name in ("captive_portal_same_address", "clock_wrong", "old_trust_store", "cdn_default_certificate"):
        document, truth = situation(name, 5)
        (der,) = {der for row in handshakes(document["test_keys"]) for der in certificates(row)}
        now = datetime.fromisoformat(truth["measured_at"])
        report = validate_path(
            [cache.parse(der)],
            store=store,
            hostname=None,
            now=now,
            cache=cache,
            intermediates=[cache.parse(one) for one in intermediates],
        )
        expected = PathStatus.TRUSTED if name == "old_trust_store" else PathStatus.MISSING_INTERMEDIATE
        assert report.path is expected, (name, report)


def test_the_published_figures_are_those_of_the_registry(published):
    out, told = published
    registry = parse_registry(fingerprint_files())
    observed = registry.observations["ooni-2024-intermediates"]
    incident = registry.incidents["kz-2021-2024-isca"]
    figures, summary = told["published"], observed["summary"]
    assert figures["certificates"] == summary["intermediates"] == 7
    assert figures["known_roots"] == summary["distinct_known_roots"] == 4
    assert figures["certificates_of_unknown_roots"] == summary["unknown_root_intermediates"] == 2
    assert figures["domains"] == sorted(incident.domains)
    assert figures["asns"] == sorted(incident.asns)
    assert figures["first_seen"][:10] == incident.start
    assert figures["last_seen"][:10] == incident.end
    assert [one["outside_validity"] > 0 for one in figures["each"]] == [n == 5 for n in range(1, 8)]
    by_uid = {truth["uid"]: truth for truth in truths(out)}
    for one, real in zip(figures["each"], observed["intermediates"], strict=True):
        example = by_uid[real["example_measurement"].rpartition("/")[2]]
        assert example["certificate_sha256"] == one["sha256"]
        assert example["within_validity"] is not real["expired_when_measured"]
        assert example["measured_at"] == f"{real['example_measured_at']:%Y-%m-%dT%H:%M:%SZ}"
    assert told["lines"] - told["interceptions"] == 10 * told["interceptions"]


def test_the_published_certificates_are_alike_in_all_that_is_known(published):
    out, told = published
    registry, cache = registry_of(out), CertificateCache()
    observed = registry.observations["ooni-2024-intermediates"]["intermediates"]
    for one, real in zip(told["published"]["each"], observed, strict=True):
        certificate = cache.parse(base64.b64decode(one["base64"]))
        assert certificate.serial == int(real["serial_hex"], 16)
        assert (certificate.not_before, certificate.not_after) == (real["not_before"], real["not_after"])
        assert certificate.sha1 == real["sha1"]  # as the overlay has it
        signers = [
            signer
            for signer in registry.signers
            if signer.public_key and cache.is_signed_by_key(certificate, signer.public_key)
        ]
        assert [signer.sha256 for signer in signers] == ([one["root_sha256"]] if one["root_sha256"] else [])
        assert real.get("signed_by", {}).get("root_sha256") == one["root_sha256"]


def oonidata_python():
    named = os.environ.get("KZMITM_OONIDATA_PYTHON")
    python = Path(named) if named else ROOT / ".venv-oonidata" / "bin" / "python"
    if not python.exists():
        reason = "no environment with oonidata (make .venv-oonidata/.done, or KZMITM_OONIDATA_PYTHON)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return str(python)


LOAD = """
import json, sys
from oonidata.dataclient import load_measurement
for line in sys.stdin.buffer:
    keys = load_measurement(json.loads(line)).test_keys
    print(json.dumps([[h.failure, len(h.peer_certificates or [])] for h in keys.tls_handshakes or []]))
"""


def test_oonidata_loads_it(corpus):
    """All but certificates without their data, which it writes itself and refuses to read."""
    out, _told = corpus
    refused = {(t["file"], t["line"]) for t in truths(out) if t["class"] == "clean_without_certificates"}
    found = [
        line
        for file, number, line in lines(out)
        if "/webconnectivity/" in file and (file, number) not in refused
    ]
    done = subprocess.run(
        [oonidata_python(), "-c", LOAD],
        input=b"\n".join(found),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    expected = [
        [
            [row["failure"], len(row.get("peer_certificates") or [])]
            for row in json.loads(line)["test_keys"]["tls_handshakes"]
        ]
        for line in found
    ]
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def test_a_form_in_which_it_does_not_occur_is_refused():
    with pytest.raises(ValueError, match="does not occur"):
        situation("isca_redirect_hop", era="old")


def test_no_time_of_the_making_is_in_it():
    _document, truth = situation("clean_https", 9)
    assert datetime.fromisoformat(truth["measured_at"]) < datetime(2025, 1, 1, tzinfo=UTC)


def test_the_command_makes_one_of_each(tmp_path):
    script = [
        sys.executable,
        str(ROOT / "bench" / "corpus.py"),
        str(tmp_path),
        "--fifty",
        "--style",
        "uploader",
    ]
    done = subprocess.run(script, capture_output=True, text=True, check=True, timeout=60)
    assert f"{len(SITUATIONS)} measurements in 8 files" in done.stderr
    assert Counter(truth["class"] for truth in truths(tmp_path)) == Counter(list(SITUATIONS))
    assert all(b"\\/" in line for _file, _number, line in lines(tmp_path))
