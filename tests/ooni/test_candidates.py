"""Rows of OONI's observations: which of them are worth a look."""

import json
import time

import pytest

from kzmitm import resources
from kzmitm.ooni.candidates import MAX_TEXT, candidates, is_uid, name_in_order
from kzmitm.pki.registry import parse_registry

REGISTRY = parse_registry(resources.fingerprint_files(()))
UID = "20240901151413.637888_KZ_webconnectivity_c351db70f739197a"
ISSUER = "tls_end_entity_certificate_issuer"
HASH = "tls_end_entity_certificate_fingerprint"


def reasons(**fields):
    found = list(candidates([{"measurement_uid": UID, **fields}], REGISTRY))
    return found[0].reasons if found else ()


def test_a_row_of_a_clean_site():
    row = {"tls_failure": None, ISSUER: "CN=R11,O=Let's Encrypt,C=US", HASH: "ab" * 32}
    assert reasons(**row) == ()


@pytest.mark.parametrize(
    "issuer",
    [
        "CN=Information Security Certification Authority,O=ISCA,C=KZ",
        "CN=Qaznet Trust Network,C=KZ",
        "CN = Qaznet Trust Network, C = KZ",
        r"CN=\51aznet Trust Network,C=KZ",
    ],
)
def test_the_names_of_known_authorities(issuer):
    assert any(reason.startswith("issuer:") for reason in reasons(**{ISSUER: issuer}))


def test_a_known_certificate_whatever_the_failure():
    sha256, known = next(iter(REGISTRY.by_sha256.items()))
    expected = (f"certificate:{known.authority}",)
    assert reasons(**{HASH: sha256}) == expected
    assert reasons(**{HASH: sha256.upper()}) == expected
    assert reasons(tls_certificate_chain_fingerprints=["ab" * 32, sha256]) == expected
    sha1, known = next(iter(REGISTRY.by_sha1.items()))
    assert reasons(**{HASH: sha1}) == (f"certificate:{known.authority}",)


@pytest.mark.parametrize(
    "failure", ["ssl_unknown_authority", "ssl_invalid_certificate", "ssl_invalid_hostname"]
)
def test_refused_certificates(failure):
    assert reasons(tls_failure=failure) == (f"failure:{failure}",)


@pytest.mark.parametrize("failure", ["connection_reset", "generic_timeout_error", "", 7, ["x"], {}])
def test_other_failures(failure):
    assert reasons(tls_failure=failure) == ()


@pytest.mark.parametrize(
    "row",
    [
        None, 7, [], {}, {"measurement_uid": None}, {"measurement_uid": "../../etc/passwd"},
        {"measurement_uid": UID + "/x"}, {"measurement_uid": "20240901" + "a" * 200},
    ],
)  # fmt: skip
def test_rows_that_are_none(row):
    if isinstance(row, dict):
        row["tls_failure"] = "ssl_unknown_authority"
    assert not list(candidates([row], REGISTRY))


def test_fields_of_any_type_do_no_harm():
    values = (None, 7, 1.5, True, [], ["x", 7], {}, {"a": 1}, "x" * 10**6, "\ud800", "\\" * 5000, "," * 5000)
    for value in values:
        names = (ISSUER, HASH, "tls_certificate_chain_fingerprints", "probe_asn", "input")
        row = {"measurement_uid": UID, "tls_failure": "ssl_unknown_authority", **dict.fromkeys(names, value)}
        [found] = candidates([row], REGISTRY)
        json.dumps(dict(found.row))
        assert all(not isinstance(kept, str) or len(kept) <= MAX_TEXT for kept in found.row.values())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CN=a,O=b,C=KZ", "C=KZ, O=b, CN=a"),
        (r"CN=a\,b\+c,C=KZ", "C=KZ, CN=a,b+c"),
        ("CN=a+OU=b,C=KZ", "C=KZ, OU=b, CN=a"),
        (r"CN=\d0\96\41", "CN=ЖA"),
        (r"CN=\ff", "CN=\ufffd"),
        ("1.2.840.113549.1.9.1=a@b,CN=c", "CN=c, emailAddress=a@b"),
        ("CN=a\\", "CN=a\\"),
        ("CN=" + "x" * 100, "CN=" + "x" * 80 + "…"),
        (",".join(f"OU={n}" for n in range(20, 0, -1)), ", ".join(f"OU={n}" for n in range(1, 17)) + ", …"),
        ("", ""),
        (",,", ""),
    ],
)
def test_names_in_the_order_of_their_encoding(text, name):
    assert name_in_order(text) == name


def test_no_name_takes_long():
    began = time.process_time()
    for text in ("\\" * MAX_TEXT, "a\\" * (MAX_TEXT // 2), "," * MAX_TEXT, "=" * MAX_TEXT, r"\41" * 1300):
        name_in_order(text)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("uid", "expected"),
    [
        (UID, True), ("01763d5c86e8c1c02b4d2ae3c1c2c3cd", True), ("", False), ("x", False), ("..", False),
        ("2024..x", False), ("2024/x", False), ("2024\n", False), ("20240901.", False), ("-2024", False),
        ("con", False), (UID + " ", False),
    ],
)  # fmt: skip
def test_ids_of_measurements(uid, expected):
    assert is_uid(uid) is expected
