"""The schemas of what others read by program: strict about what we write, open for what comes later."""

import copy
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from journal_samples import SCHEMAS, proven
from jsonschema import Draft202012Validator

from kzmitm.evidence.damage import Code
from kzmitm.evidence.layout import Level
from kzmitm.evidence.schema import schema_text
from kzmitm.evidence.timestamps import TokenStatus
from kzmitm.evidence.verification.verify import SignerStatus
from kzmitm.model.observation import ProofKind, Role, Split
from kzmitm.ooni.emit import emit

sys.path.insert(0, str(Path(__file__).parents[1] / "ooni"))

from measurement_strategies import MEASUREMENTS

SALT = {"salt": "0123456789abcdef" * 2}
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FINGERPRINT = "SHA256:" + "A" * 43
VERIFICATION = {
    "schema": "kzmitm.verification/1.0",
    "version": "1.0",
    "result": "unaltered",
    "bundle_id": "a" * 64,
    "level": "public",
    "container": "archive",
    "repacked": False,
    "problems": [],
    "withheld": ["data/partner/scan.json"],
    "signer": {
        "fingerprint": FINGERPRINT,
        "name": "signer-0123456789abcdef",
        "status": "known",
        "known_as": "x",
    },
    "timestamps": [
        {
            "file": "attest-a.tsr",
            "status": "valid",
            "at": "2026-01-02T03:04:05Z",
            "authority": "A",
            "reason": "",
        },
        {
            "file": "attest-b.ots",
            "status": "unchecked",
            "at": None,
            "authority": "",
            "reason": "opentimestamps",
        },
    ],
    "countersignatures": [{"file": "attest-c.sig", "fingerprint": FINGERPRINT, "known_as": ""}],
    "proof": {
        "intercepted": 2,
        "intercepted_proven": 1,
        "others": 3,
        "others_proven": 0,
        "invalid": 0,
        "withheld": False,
        "sentence": "1 of 2.",
    },
}
ALTERED = VERIFICATION | {
    "result": "altered",
    "bundle_id": "",
    "level": None,
    "container": None,
    "signer": None,
    "problems": [{"code": "archive_damaged", "file": "", "detail": ""}],
}
SHARING = {
    "schema": "kzmitm.sharing/1.0",
    "version": "1.0",
    "bundle_id": "a" * 64,
    "level": "public",
    "out": None,
    "files": [{"path": "bagit.txt", "size": 55, "level": None, "kept": True, "meaning": ""}],
}
TARGETS = {"schema": "kzmitm.targets/1.0", "version": "1.0", "count": 1, "targets": ["a.test:8443"]}
ENVIRONMENT = {
    "schema": "kzmitm.environment/1.0",
    "version": "1.0",
    "salt": SALT["salt"],
    "system": "Linux",
    "release": "6.1",
    "machine": "x86_64",
    "python": "3.11.7",
    "libraries": {"httpx": ""},
    "resolvers": ["192.0.2.53"],
}


def line(measurement, **more):
    """A line as a journal holds it."""
    told = {"annotations": {"platform": "linux", **SALT}, "versions": {"rules": "7"}} | more
    return json.loads(json.dumps(emit(measurement, test_start_time=STARTED, **told)))


SAMPLES = {
    "measurement": line(proven()),
    "verification": VERIFICATION,
    "sharing": SHARING,
    "targets": TARGETS,
    "environment": ENVIRONMENT,
}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(MEASUREMENTS)
def test_any_measurement_fits(measurement):
    SCHEMAS["measurement"].validate(line(measurement))


@pytest.mark.parametrize("document", [VERIFICATION, ALTERED])
def test_both_ends_of_a_verification_fit(document):
    SCHEMAS["verification"].validate(document)


def objects(value):
    """Every object in a value."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(item)


FREE = ("libraries", "extensions", "versions")
"""Objects whose members are not ours to name, or all optional."""


@pytest.mark.parametrize("name", SAMPLES)
def test_a_later_version_may_say_more_and_ours_never_less(name):
    schema = SCHEMAS[name]
    schema.validate(SAMPLES[name])
    later = copy.deepcopy(SAMPLES[name])
    free = [id(each[key]) for each in objects(later) for key in FREE if isinstance(each.get(key), dict)]
    places = [each for each in objects(later) if id(each) not in free]
    assert places
    for each in places:
        each["x_news"] = "news"
        schema.validate(later)
        for key in sorted(each.keys() - {"x_news"}):
            value = each.pop(key)
            optional = key.startswith("x_") and key not in (
                "x_role",
                "x_sni",
                "x_hello",
                "x_network_failure",
                "x_kzmitm",
            )
            optional = optional or key in ("platform", "architecture", "ipv4")
            assert schema.is_valid(later) == optional, key
            each[key] = [[]]
            assert not schema.is_valid(later), key
            each[key] = value
    schema.validate(later)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("probe_ip",), "192.0.2.1"),
        (("resolver_ip",), "192.0.2.1"),
        (("probe_cc",), "kz"),
        (("probe_asn",), "AS01"),
        (("input",), "https://a.test/"),
        (("measurement_start_time",), "2026-01-02T03:04:05Z"),
        (("report_id",), "2026"),
        (("annotations", "salt"), "0"),
        (("test_keys", "requests"), [{}]),
        (("test_keys", "tls_handshakes", 0, "x_role"), "reason"),
        (("test_keys", "tls_handshakes", 0, "x_events"), [["read", 0.1, 3]]),
        (("test_keys", "tls_handshakes", 0, "peer_certificates", 0, "data"), "??"),
        (("test_keys", "tls_handshakes", 0, "x_proof", "verified"), "yes"),
        (("test_keys", "x_kzmitm", "started_at"), "2026-01-02 03:04:05"),
        (("test_keys", "x_kzmitm", "format"), "kzmitm.measurement/2.0"),
    ],
    ids=str,
)
def test_a_measurement_that_is_none_of_ours(path, value):
    document = copy.deepcopy(SAMPLES["measurement"])
    place = document
    for key in path[:-1]:
        place = place[key]
    assert path[-1] in place or path[-1].startswith("x_")
    place[path[-1]] = value
    assert not SCHEMAS["measurement"].is_valid(document)


@pytest.mark.parametrize(
    ("document", "change"),
    [
        (VERIFICATION, {"problems": ALTERED["problems"]}),
        (VERIFICATION, {"signer": None}),
        (VERIFICATION, {"signer": VERIFICATION["signer"] | {"status": "changed"}}),
        (VERIFICATION, {"signer": VERIFICATION["signer"] | {"status": "authentic"}}),
        (VERIFICATION, {"signer": VERIFICATION["signer"] | {"fingerprint": "MD5:00"}}),
        (VERIFICATION, {"bundle_id": ""}),
        (VERIFICATION, {"level": None}),
        (VERIFICATION, {"container": None}),
        (VERIFICATION, {"result": "good"}),
        (ALTERED, {"problems": []}),
        (ALTERED, {"problems": [{"code": "broken", "file": "", "detail": ""}]}),
        (ALTERED, {"bundle_id": "a"}),
    ],
)
def test_a_verification_that_contradicts_itself(document, change):
    assert not SCHEMAS["verification"].is_valid(document | change)


@pytest.mark.parametrize("change", [{"level": "full"}, {"out": ""}, {"bundle_id": ""}, {"files": [{}]}])
def test_a_sharing_that_is_none(change):
    assert not SCHEMAS["sharing"].is_valid(SHARING | change)
    SCHEMAS["sharing"].validate(SHARING | {"out": "/x.zip", "level": "partner"})


def test_every_enum_stands_in_the_schemas():
    verification = json.loads(schema_text("verification"))["$defs"]
    assert verification["problem"]["properties"]["code"]["enum"] == list(Code)
    assert verification["signer"]["properties"]["status"]["enum"] == list(SignerStatus)
    assert verification["timestamp"]["properties"]["status"]["enum"] == list(TokenStatus)
    measurement = json.loads(schema_text("measurement"))["$defs"]
    assert measurement["tls_handshake"]["properties"]["x_role"]["enum"] == list(Role)
    hello = measurement["tls_handshake"]["properties"]["x_hello"]
    assert hello["properties"]["split"]["enum"] == list(Split)
    assert measurement["proof"]["properties"]["kind"]["enum"] == list(ProofKind)
    for name in ("verification", "sharing"):
        schema = json.loads(schema_text(name))
        levels = schema["properties"]["level"]["enum"]
        assert set(levels) - {None} <= set(Level)
        Draft202012Validator.check_schema(schema)
