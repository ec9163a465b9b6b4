"""Every row of the table of Go's order of judgement: the failure string and the certificate kept."""

from collections.abc import Callable

import pytest
from chain_factory import Issued, alt_names, days, ext, intermediate, judge, leaf, name_constraints, root

from kzmitm.pki.report import NameStatus, PathReport, PathStatus, TimeStatus

GOOD, EVIL = root("O=Good, CN=Good Root"), root("O=Evil, CN=Evil Root")
GOOD_CA, EVIL_CA = intermediate(GOOD, "O=Good, CN=Good CA"), intermediate(EVIL, "O=Evil, CN=Evil CA")
EXPIRED_CA = intermediate(EVIL, "O=Evil, CN=Old Evil CA", not_after=days(-1))
FORGED, GENUINE = leaf(EVIL_CA), leaf(GOOD_CA)
UNDER_EXPIRED = leaf(EXPIRED_CA)
UNDER_ROOT = leaf(EVIL)
SELF_SIGNED = leaf(EVIL, key=EVIL.key, issuer=FORGED.subject)

UNKNOWN, INVALID, HOSTNAME = "ssl_unknown_authority", "ssl_invalid_certificate", "ssl_invalid_hostname"

ROWS: dict[str, tuple[list[Issued], str | None, int, str]] = {
    "forged leaf only": ([FORGED], UNKNOWN, 0, "unknown_issuer"),
    "leaf + self-signed root": ([UNDER_ROOT, EVIL], UNKNOWN, 1, "unknown_issuer"),
    "leaf + intermediate": ([FORGED, EVIL_CA], UNKNOWN, 1, "unknown_issuer"),
    "leaf + intermediate + root": ([FORGED, EVIL_CA, EVIL], UNKNOWN, 2, "unknown_issuer"),
    "leaf + expired intermediate": ([UNDER_EXPIRED, EXPIRED_CA], INVALID, 1, "intermediate_expired"),
    "leaf + expired intermediate + root": (
        [UNDER_EXPIRED, EXPIRED_CA, EVIL],
        INVALID,
        1,
        "intermediate_expired",
    ),
    "self-signed leaf": ([SELF_SIGNED], UNKNOWN, 0, "self_signed"),
    "expired forged leaf": (
        [leaf(EVIL_CA, not_after=days(-1)), EVIL_CA],
        INVALID,
        0,
        "leaf_expired",
    ),
    "forged leaf, wrong name": ([leaf(EVIL_CA, "DNS:other.example"), EVIL_CA], HOSTNAME, 0, "name_mismatch"),
    "expired + wrong name, good CA": (
        [leaf(GOOD_CA, "DNS:other.example", not_after=days(-1)), GOOD_CA],
        INVALID,
        0,
        "leaf_expired",
    ),
    "genuine leaf, intermediate not sent": ([GENUINE], UNKNOWN, 0, "unknown_issuer"),
    "genuine leaf, only CN": ([leaf(GOOD_CA, without=["2.5.29.17"]), GOOD_CA], HOSTNAME, 0, "no_san"),
    "genuine": ([GENUINE, GOOD_CA], None, 0, ""),
    "genuine, root sent too": ([GENUINE, GOOD_CA, GOOD], None, 0, ""),
}


@pytest.mark.parametrize("row", ROWS)
def test_row_of_the_table(row):
    chain, failure, stored, reason = ROWS[row]
    report = judge(chain, GOOD)
    assert report.failure == failure
    assert report.stored is not None
    assert report.stored.der == chain[stored].der
    assert report.trusted is (failure is None)
    assert (reason in report.reasons) if reason else report.reasons == ()


def test_what_one_string_hides_is_kept():
    report = judge([leaf(EVIL_CA, "DNS:other.example", not_after=days(-1)), EVIL_CA], GOOD)
    assert (report.time, report.name, report.path) == (
        TimeStatus.EXPIRED,
        NameStatus.MISMATCH,
        PathStatus.UNKNOWN_ISSUER,
    )
    assert {"leaf_expired", "name_mismatch", "unknown_issuer"} <= set(report.reasons)


def test_an_expired_chain_still_has_its_path():
    old_ca = intermediate(GOOD, not_after=days(-2))
    report = judge([leaf(old_ca, not_after=days(-1)), old_ca], GOOD)
    assert report.path is PathStatus.TRUSTED
    assert not report.trusted
    assert report.reasons == ("leaf_expired", "intermediate_expired")
    assert len(report.validated_path) == 3


@pytest.mark.parametrize(
    ("make", "failure", "stored"),
    [
        (lambda ca: [leaf(ca, extra=[critical()]), ca], "unknown_failure: tls", 0),
        (lambda ca: [leaf(GOOD, key=None), ca], None, 0),
    ],
    ids=["critical extension of the leaf", "unrelated extra"],
)
def test_other_failures(make: Callable[[Issued], list[Issued]], failure: str | None, stored: int):
    chain = make(GOOD_CA)
    report = judge(chain, GOOD)
    assert (report.failure or "").startswith(failure or "")
    assert report.trusted is (failure is None)
    assert report.stored is not None
    assert report.stored.der == chain[stored].der


def critical() -> bytes:
    return ext("1.3.6.1.4.1.55738.666.1", b"", critical=True)


def test_expired_anchor_is_invalid_certificate():
    old = root("O=Good, CN=Old Root", not_after=days(-1))
    report = judge([leaf(old)], old)
    assert report.failure == INVALID
    assert report.reasons == ("anchor_expired",)
    assert report.path is PathStatus.TRUSTED


def test_a_constraint_on_a_trusted_path_is_invalid_certificate():
    ca = intermediate(GOOD, extra=[name_constraints(["DNS:other.example"])])
    report = judge([leaf(ca), ca], GOOD)
    assert (report.failure, report.path) == (INVALID, PathStatus.INVALID)


def test_an_issuer_that_is_no_ca_leaves_nobody():
    report = judge([leaf(GENUINE), GENUINE, GOOD_CA], GOOD)
    assert report.failure == UNKNOWN
    assert "not_a_ca" in report.reasons
    assert report.path is PathStatus.INVALID


def test_no_certificate_and_no_sense():
    empty, garbage = judge([], GOOD), judge([b"nonsense"], GOOD)
    assert (empty.path, garbage.path) == (PathStatus.EMPTY, PathStatus.UNPARSABLE)
    assert empty.failure
    assert garbage.failure
    assert empty.failure.startswith("unknown_failure: ")
    assert garbage.failure.startswith("unknown_failure: ")
    assert empty.topmost is None
    assert garbage.topmost is not None


def test_times_that_cannot_be_read_are_not_valid():
    report: PathReport = judge([leaf(GOOD, not_after=b"\x17\x01Z")], GOOD)
    assert report.time is TimeStatus.UNKNOWN
    assert report.failure == "unknown_failure: tls: failed to parse certificate from server"
    assert {"leaf_time_unknown", "unparsable"} <= set(report.reasons)


def test_alternative_name_of_another_kind_is_a_mismatch():
    report = judge([leaf(GOOD, without=["2.5.29.17"], extra=[alt_names("email:a@example.com")])], GOOD)
    assert report.name is NameStatus.MISMATCH
    assert report.failure == HOSTNAME
