import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from evidence_samples import CLEAN, FINISHED, INTERCEPTED, certificate, handshake, header, measurement, octets
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from kzmitm.errors import UsageError
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.redaction import public_frame, public_row
from kzmitm.evidence.scan_document import (
    ROWS,
    document_around,
    document_chunks,
    frame_of,
    row_verdict,
    summary_of,
    target_row,
    week_of,
)
from kzmitm.evidence.schema import schema_names, schema_text
from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Target, Vantage
from kzmitm.model.verdict import Authority, Cause, Confidence, Forger, Outcome, RuledOut, Scope, Verdict

SCHEMA = Draft202012Validator(json.loads(schema_text("scan")))


def document(header_json, rows, *, finished_at, bundle=None):
    """What is streamed, as a reader of the whole gets it."""
    counts = Counter(str(row["outcome"]) for row in rows)
    frame = frame_of(header_json, summary_of(counts), finished_at=finished_at, bundle=bundle)
    return json.loads(b"".join(document_chunks(frame, [canonical(row, floats=True) for row in rows])))


WORD = st.text("abc", min_size=1, max_size=4)
WORDS = st.lists(WORD, max_size=2).map(tuple)
VERDICTS = st.builds(
    Verdict,
    outcome=st.sampled_from(Outcome),
    confidence=st.none() | st.sampled_from(Confidence),
    scope=st.none() | st.sampled_from(Scope),
    authority=st.none()
    | st.builds(
        Authority,
        WORD,
        WORD,
        WORD,
        st.sampled_from(["certificate", "key", "signature", "family", "name"]),
        st.sampled_from(["", "key:" + "a" * 64]),
        st.none() | WORD,
    ),
    forgers=st.lists(st.builds(Forger, WORD, WORD, WORDS), max_size=2).map(tuple),
    rule_ids=WORDS,
    ruled_out=st.lists(st.builds(RuledOut, st.sampled_from(Cause), WORD, st.text()), max_size=2).map(tuple),
    undecided=WORDS,
    labels=WORDS,
    certificate_failure=st.none() | WORD,
    rules_version=st.just("7"),
    registry_version=st.just("abc"),
    store_version=st.just("2026.1"),
)


@given(VERDICTS)
def test_a_row_fits_the_schema_and_tells_the_verdict_again(verdict):
    row = target_row(measurement(), verdict, certificates=[certificate(b"x")], explanation="why")
    whole = document(header().to_json(), [row], finished_at=FINISHED)
    SCHEMA.validate(whole)
    assert row_verdict(json.loads(canonical(row)), whole) == verdict


def test_every_enum_stands_in_the_schema():
    target = json.loads(schema_text("scan"))["$defs"]["target"]["properties"]
    assert target["outcome"]["enum"] == list(Outcome)
    assert target["confidence"]["enum"] == [*Confidence, None]
    assert target["scope"]["enum"] == [*Scope, None]
    assert json.loads(schema_text("scan"))["$defs"]["ruled_out"]["properties"]["cause"]["enum"] == list(Cause)
    assert json.loads(schema_text("scan"))["properties"]["summary"]["required"] == list(Outcome)


def test_an_unknown_schema():
    with pytest.raises(UsageError, match="no schema 'x'"):
        schema_text("x")


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "fine"},
        {"confidence": 0.9},
        {"address": 1},
        {"handshake": {}},
        {"chain": [{"sha256": "00"}]},
        {"ruled_out": [{"cause": "weather", "evidence": "x", "detail": ""}]},
    ],
    ids=str,
)
def test_the_schema_refuses(change):
    row = target_row(measurement(), CLEAN) | change
    with pytest.raises(ValidationError):
        SCHEMA.validate(document(header().to_json(), [row], finished_at=FINISHED))


def test_no_key_of_a_row_may_be_missing():
    row = target_row(measurement(), INTERCEPTED)
    for key in row:
        rest = {name: value for name, value in row.items() if name != key}
        assert not SCHEMA.is_valid(
            document(header().to_json(), [rest | {"outcome": "clean"}], finished_at=FINISHED)
        ) or key in ("outcome", "traits")


def test_a_target_without_handshake_or_proof():
    nothing = Measurement(
        target=Target("a.test", address="192.0.2.9"), vantage=Vantage(), started_at=FINISHED
    )
    row = target_row(nothing, CLEAN)
    assert (row["handshake"], row["address"], row["chain"]) == (None, "192.0.2.9", [])
    refused = replace(nothing, tls=(handshake("a.test", failure="connection_reset"),))
    row = target_row(refused, CLEAN)
    assert row["handshake"]["failure"] == "connection_reset"
    assert row["handshake"]["proof_verified"] is None
    assert row["address"] == "192.0.2.7"


def test_a_certificate_that_could_not_be_read():
    bad = certificate(octets(1), parse_error="not DER", not_before=None, not_after=None, public_key=None)
    row = target_row(measurement(), CLEAN, certificates=[bad])
    assert row["chain"][0]["parse_error"] == "not DER"
    assert row["chain"][0]["not_before"] is None
    SCHEMA.validate(document(header().to_json(), [row], finished_at=FINISHED))


def test_streamed_and_whole_are_the_same_document():
    rows = [json.loads(canonical(target_row(measurement(i), INTERCEPTED if i else CLEAN))) for i in range(3)]
    first = header(timeout_s=2.0, rate=0.5, names=("a", {"x": 1.25})).to_json()
    assert first["options"] == {"timeout_s": 2, "rate": "0.5", "names": ["a", {"x": "1.25"}]}
    for some in (rows, rows[:1], []):
        counts = Counter(row["outcome"] for row in some)
        frame = frame_of(first, summary_of(counts), finished_at=FINISHED, bundle="/x")
        streamed = b"".join(document_chunks(frame, map(canonical, some)))
        whole = frame | {"targets": some}
        assert json.loads(streamed) == whole
        assert list(json.loads(streamed)) == [
            "schema",
            "version",
            *sorted(whole.keys() - {"schema", "version"}),
        ]
        assert streamed.endswith(b"}\n")
        assert document_around(frame).replace(ROWS, json.dumps(some).encode()).count(b"\n") == 1
        lines = streamed.splitlines(keepends=True)
        assert len(lines) == (len(some) + 2 if some else 1)
        assert [json.loads(line.rstrip(b",\n")) for line in lines[1:-1]] == some


def test_a_frame_counts_what_is_there_and_names_what_is_not():
    found = frame_of(header().to_json(), summary_of({"clean": 2}), finished_at=None, complete=False)
    assert (found["finished_at"], found["complete"], found["bundle"]) == (None, False, None)
    assert found["summary"] == dict.fromkeys(Outcome, 0) | {"clean": 2}
    assert (found["level"], "salt" in found) == ("partner", False)
    SCHEMA.validate(json.loads(b"".join(document_chunks(found, []))))


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-W01"),
        (datetime(2027, 1, 1, tzinfo=UTC), "2026-W53"),
        (datetime(2024, 12, 30, tzinfo=UTC), "2025-W01"),
        (datetime(2026, 1, 5, 4, tzinfo=timezone(timedelta(hours=5))), "2026-W01"),
    ],
)
def test_the_week_is_that_of_iso_8601_in_utc(moment, week):
    assert week_of(moment) == week


class TestLevels:
    """What the schema demands of each level."""

    @pytest.fixture
    def partner(self):
        rows = [target_row(measurement(), INTERCEPTED, certificates=[certificate(b"x"), certificate(b"y")])]
        return document(header(judged_at=FINISHED).to_json(), rows, finished_at=FINISHED)

    @pytest.fixture
    def public(self, partner):
        rows = [public_row(row, partner) for row in partner["targets"]]
        return json.loads(canonical(public_frame(partner) | {"targets": rows}))

    def test_both(self, partner, public):
        SCHEMA.validate(partner)
        SCHEMA.validate(partner | {"salt": "0" * 32})
        SCHEMA.validate(public)

    @pytest.mark.parametrize(
        "change",
        [
            {"started_at": "2026-01-02T03:04:05Z"},
            {"finished_at": "2026-01-02T03:04:05Z"},
            {"salt": "0" * 32},
            {"bundle": "/home/x"},
            {"week": "2026-W54"},
            {"week": "2026-01-02"},
            {"level": "full"},
        ],
        ids=str,
    )
    def test_a_public_one_tells_no_more(self, public, change):
        assert not SCHEMA.is_valid(public | change)

    @pytest.mark.parametrize(
        "change",
        [
            {"address": "192.0.2.1"},
            {"explanation": "why"},
            {"ruled_out": [{"cause": "clock", "evidence": "x", "detail": "off by 1 s"}]},
        ],
        ids=str,
    )
    def test_nor_its_rows(self, public, change):
        row = public["targets"][0] | change
        assert not SCHEMA.is_valid(public | {"targets": [row]})
        told = {"failure": "unknown_failure: /home"}
        row = public["targets"][0] | {"handshake": public["targets"][0]["handshake"] | told}
        assert not SCHEMA.is_valid(public | {"targets": [row]})
        assert not SCHEMA.is_valid(public | {"vantage": public["vantage"] | {"id": "socks5://me"}})

    @pytest.mark.parametrize("change", [{"started_at": None}, {"salt": "0"}, {"salt": None}], ids=str)
    def test_a_partner_one_no_less(self, partner, change):
        assert not SCHEMA.is_valid(partner | change)

    def test_a_level_is_never_missing(self, partner, public):
        for whole in (partner, public):
            for key in ("level", "week"):
                assert not SCHEMA.is_valid({name: value for name, value in whole.items() if name != key})


def test_each_schema_is_one_and_bears_its_name():
    assert schema_names() == (
        "alarm",
        "archive",
        "campaign-diff",
        "campaign-evidence",
        "campaign-history",
        "campaign-merge",
        "campaign-plan",
        "campaign-status",
        "control",
        "conversion",
        "environment",
        "fetch",
        "fingerprints",
        "inspection",
        "lab_check",
        "lab_profiles",
        "lab_status",
        "matrix",
        "measurement",
        "merge",
        "query",
        "reflect",
        "roots",
        "scan",
        "sharing",
        "stamp",
        "targets",
        "trace",
        "traits",
        "verification",
    )
    for name in schema_names():
        schema = json.loads(schema_text(name))
        Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"urn:kzmitm:schema:{name}:1.0"
        assert schema["title"] == f"kzmitm.{name}/1.0"
        assert schema["description"]
