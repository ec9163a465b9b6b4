import json
from dataclasses import replace

import pytest
from evidence_samples import CLEAN, FINISHED, INTERCEPTED, certificate, handshake, header, measurement, octets
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from kzmitm.errors import UsageError
from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.scan_document import (
    document,
    document_chunks,
    row_verdict,
    schema_text,
    summary_of,
    target_row,
)
from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Target, Vantage
from kzmitm.model.verdict import Authority, Cause, Confidence, Forger, Outcome, RuledOut, Scope, Verdict

SCHEMA = Draft202012Validator(json.loads(schema_text("scan")))

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


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(json.loads(schema_text("scan")))
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
        ) or (key == "outcome")


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
    rows = [target_row(measurement(i), INTERCEPTED if i else CLEAN) for i in range(3)]
    first = header(timeout_s=2.0, rate=0.5, names=("a", {"x": 1.25})).to_json()
    assert first["options"] == {"timeout_s": 2, "rate": "0.5", "names": ["a", {"x": "1.25"}]}
    for some in (rows, []):
        counts: dict[str, int] = {}
        for row in some:
            counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
        streamed = b"".join(
            document_chunks(
                first, map(canonical, some), summary_of(counts), finished_at=FINISHED, bundle="/x"
            )
        )
        assert json.loads(streamed) == document(first, some, finished_at=FINISHED, bundle="/x")
        assert list(json.loads(streamed))[:2] == ["schema", "version"]
        assert streamed.endswith(b"}\n")
