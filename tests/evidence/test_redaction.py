"""What gets out at the public level: nothing but what is on a list."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from evidence_samples import FINISHED, INTERCEPTED, header, measurement
from hypothesis import given
from hypothesis import strategies as st
from journal_samples import SCHEMAS, chain_of

from kzmitm.evidence.json_writer import canonical
from kzmitm.evidence.layout import Level
from kzmitm.evidence.redaction import public_certificates, public_frame, public_row
from kzmitm.evidence.scan_document import frame_of, summary_of, target_row
from kzmitm.model.codec import to_json
from kzmitm.model.target import DNSPlace, Vantage
from kzmitm.model.verdict import Outcome, Scope
from kzmitm.pki.parse import parse_certificate

FRAME = {
    "schema", "version", "tool.name", "tool.version", "week", "complete", "rules_version", "registry.version",
    "store.name", "store.version", "store.date", "store.sha256", "vantage.kind", "vantage.asn", "vantage.cc",
    "vantage.dns",
    *(f"summary.{outcome}" for outcome in Outcome),
    *(
        f"options.{name}"
        for name in (
            "lists", "targets", "sni", "profile", "split", "engine", "follow_ups", "concurrency",
            "rate_per_s", "timeout_s", "families", "stop_after", "doh", "connect_to", "control",
        )
    ),
}  # fmt: skip
"""Every member that may get out of what surrounds the rows."""
CHAIN = {
    f"chain.{name}"
    for name in ("sha256", "spki_sha256", "subject", "issuer", "not_before", "not_after", "parse_error")
}
ROW = {
    "confidence", "authority.id", "authority.name", "authority.kind", "authority.match",
    "authority.matched_sha256", "authority.country", "forgers.id", "forgers.name", "forgers.relations",
    "rule_ids", "undecided", "labels", "certificate_failure", "target", "hostname", "port", "sni",
    "handshake.version", "handshake.cipher_suite", "handshake.alpn", "handshake.proof_verified",
    "handshake.failure", "ruled_out.cause", "ruled_out.evidence", "outcome", "scope",
}  # fmt: skip
"""... and out of a row, beside its chain."""
CONSTANT = {"level", "started_at", "finished_at", "bundle", "vantage.id", "address", "explanation"}
CONSTANT |= {"ruled_out.detail"}


def full_frame():
    """A frame with everything in it that we write."""
    options = dict.fromkeys(
        (name.removeprefix("options.") for name in FRAME if name.startswith("options.")), 1
    )
    return frame_of(
        replace(header(**options, judged_at=FINISHED), vantage=Vantage(dns=DNSPlace.HERE)).to_json(),
        summary_of({"clean": 3}),
        finished_at=FINISHED,
        bundle="/home/b",
    ) | {"salt": "0" * 32}


def full_row():
    certificates = [parse_certificate(der) for der in chain_of("www0.example.test")]
    return target_row(measurement(), INTERCEPTED, certificates=certificates, explanation="why")


def marked(value, path, marks, unknown):
    """`value` with a mark of its own in every place, and one in a member that nobody knows at every level."""
    if isinstance(value, dict):
        told = {key: marked(item, (*path, key), marks, unknown) for key, item in value.items()}
        return told | {unknown: marked("", (*path, unknown), marks, unknown)}
    if isinstance(value, list):
        return [marked(item, path, marks, unknown) for item in value] or [marked("", path, marks, unknown)]
    marks.append(".".join(path))
    return f"mark{len(marks):05}end"


def survivors(document, marks):
    """The paths whose marks are still there."""
    text = canonical(document).decode()
    return {path for number, path in enumerate(marks, 1) if f"mark{number:05}end" in text}


def paths(value, path=()) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from paths(item, path)
    else:
        yield ".".join(path)


UNKNOWN = st.text(min_size=1, max_size=9).map("x_".__add__)


@given(UNKNOWN)
def test_of_the_frame_only_what_is_listed_gets_out(unknown):
    marks: list[str] = []
    frame = marked(full_frame(), (), marks, unknown)
    found = public_frame(frame)
    assert survivors(found, marks) == FRAME
    assert set(paths(found)) == FRAME | (CONSTANT & set(paths(found)))
    assert (found["level"], found["started_at"], found["finished_at"]) == (Level.PUBLIC, None, None)
    assert (found["bundle"], found["vantage"]["id"]) == (None, "")


@given(
    UNKNOWN, st.sampled_from(Outcome), st.sampled_from([*Scope, None]), st.sampled_from(["mozilla", "custom"])
)
def test_of_a_row_only_what_is_listed_gets_out(unknown, outcome, scope, store):
    marks: list[str] = []
    whole = full_row()
    row = marked(whole, (), marks, unknown) | {"outcome": str(outcome), "scope": scope}
    for mine, theirs in zip(row["chain"], whole["chain"], strict=True):
        mine |= {key: theirs[key] for key in ("subject", "issuer")}  # by which they are chained
    frame = {"store": {"name": store}}
    found = public_row(row, frame)
    shown = (outcome is Outcome.CLEAN and store != "custom") or (
        outcome is Outcome.INTERCEPTION and scope in (Scope.STATE, Scope.ISP)
    )
    told = CHAIN - {"chain.subject", "chain.issuer"} if shown else set()
    assert survivors(found, marks) == (ROW - {"outcome", "scope"}) | told
    assert set(paths(found)) <= ROW | CONSTANT | CHAIN | {"chain"}
    leaf = [number for number, path in enumerate(marks, 1) if path.startswith("chain.")][: len(CHAIN) + 1]
    assert not any(f"mark{number:05}end" in canonical(found).decode() for number in leaf)
    assert len(public_certificates(found)) == (2 if shown else 0)


def test_every_member_of_a_document_is_decided_about():
    """A new one is on a list here, or known not to get out."""
    private = {
        "started_at", "finished_at", "bundle", "salt", "level", "vantage.id", "options.judged_at",
    }  # fmt: skip
    assert set(paths(full_frame())) == FRAME | private
    traits = {f"traits.{key}" for key in full_row()["traits"]} - {"traits.consistent_with"}  # no products
    assert set(paths(full_row())) == ROW | CHAIN | traits | {"address", "explanation", "ruled_out.detail"}


def test_of_roots_that_the_user_gave_only_that_they_were():
    frame = full_frame() | {"store": {"name": "custom", "version": "acme", "date": "2026", "sha256": "ff"}}
    assert public_frame(frame)["store"] == {"name": "custom", "version": "", "date": "", "sha256": ""}


@pytest.mark.parametrize(
    ("failure", "shown"),
    [
        ("unknown_failure: /home/aigerim: no such file", "unknown_failure"),
        ("unknown_failure: proxy", "unknown_failure"),
        ("connection_reset", "connection_reset"),
        (None, None),
        (7, None),
    ],
)
def test_the_words_of_libraries_do_not_get_out(failure, shown):
    row = full_row() | {"handshake": full_row()["handshake"] | {"failure": failure}}
    assert public_row(row, full_frame())["handshake"]["failure"] == shown
    assert public_row(row | {"handshake": None}, full_frame())["handshake"] is None


@pytest.mark.parametrize("scope", [*Scope, None])
@pytest.mark.parametrize("outcome", Outcome)
def test_what_is_reduced_fits_the_schema_and_reduces_to_itself(outcome, scope):
    row = full_row() | {"outcome": str(outcome), "scope": scope}
    row = json.loads(canonical(row))
    public = public_frame(full_frame()) | {"targets": [public_row(row, full_frame())]}
    SCHEMAS["scan"].validate(json.loads(canonical(to_json(public))))
    assert public_frame(public) == {key: value for key, value in public.items() if key != "targets"}


def test_a_frame_of_a_stranger_without_a_tool():
    frame = {key: value for key, value in full_frame().items() if key != "tool"}
    assert public_frame(frame)["tool"] == public_frame(frame | {"tool": ["name"]})["tool"] == {}
