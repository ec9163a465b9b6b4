"""Every rule of the archive reached by a case of its own, and the order in which they are asked."""

import inspect
from datetime import UTC, datetime
from pathlib import Path

import pytest
from archive_cases import HOSTNAME, INVALID, RESET, UNKNOWN, case
from verdict_world import (
    AV_CA,
    AV_DER,
    CARRIED_ROOT,
    EGOV_ROOT,
    EGOV_ROOT_DER,
    FAMILY_CA,
    FAMILY_DER,
    FORMER_CA_DER,
    FORMER_ROOT,
    FORMER_ROOT_DER,
    HOST,
    IP,
    ISSUER_DER,
    LONG,
    ROOT,
    STATE_CA_DER,
    STATE_ROOT,
    STATE_ROOT_DER,
    TRIAL_CA_DER,
    UNKNOWN_CA,
    UNKNOWN_DER,
    certificate,
    former,
    genuine,
    leaf,
    origin,
    self_signed,
    state,
    under,
    unknown,
)

from kzmitm.model.verdict import Confidence, Outcome, Scope
from kzmitm.ooni.archive import rules
from kzmitm.ooni.archive.cases import Vouchers
from kzmitm.ooni.archive.failures import Kind, kind_of
from kzmitm.ooni.archive.rules import RULES, judge
from kzmitm.pki.parse import parse_certificate

OLD = genuine(start=datetime(2020, 1, 1, tzinfo=UTC), days=90)
OTHER = "other.test"
PORTAL = genuine(OTHER)
CLAIMED = (leaf(HOST, "O=Public Trust, CN=Public Issuer 9", located=True),)
FORGED = (leaf(HOST, ROOT, issuer_key="somebody else"),)
RESELLER = "O=Let's Pretend, CN=R3"
LOGGED = (leaf(HOST, RESELLER, located=True),)
OLD_LOGGED = (leaf(HOST, RESELLER, located=True, start=datetime(2020, 1, 1, tzinfo=UTC)),)
CROSS_SIGNED = (certificate(ROOT, "O=Former, CN=Former Root", own_key=ROOT, ca=True),)
PASTED = (leaf(HOST, ROOT, issuer_key="somebody else"), ISSUER_DER)
ALIKE = {"control": UNKNOWN}
SUB_DER = certificate("O=Nobody Knows, CN=Sub", UNKNOWN_CA, ca=True)
STATE_BELOW = (*state(), certificate(STATE_ROOT, FORMER_ROOT, **LONG), FORMER_ROOT_DER)
STATE_PKI = under(EGOV_ROOT, EGOV_ROOT_DER)
STATE_PKI_HOME = under(EGOV_ROOT, EGOV_ROOT_DER, "bank.kz")
STATE_PKI_ELSEWHERE = under(EGOV_ROOT, EGOV_ROOT_DER, OTHER)
STATE_PKI_BY_NAME = (leaf(HOST, EGOV_ROOT, issuer_key="nobody"),)
FINE = {"control": "ok"}
ELSEWHERE = {"in_control": False}
LIED_TO = {"private": True, "in_control": False}

UNKNOWN_ISSUER = parse_certificate(UNKNOWN_DER)
VOUCHED = Vouchers(shown=frozenset({UNKNOWN_ISSUER.sha256}))
SIGNED = Vouchers(issuers=(UNKNOWN_ISSUER,))
PUBLIC = Vouchers(shown=frozenset({parse_certificate(ISSUER_DER).sha256}))

CASES = [
    ("not_asked_of_the_site", case(UNKNOWN, state(), role="benign_sni")),
    ("not_asked_of_the_site", case(UNKNOWN, unknown(), role="resolver")),
    ("not_asked_of_the_site", case(RESET, role="resolver")),
    ("not_asked_of_the_site", case("interrupted")),
    ("not_asked_of_the_site", case("generic_timeout_error", role="trace")),
    ("known_key", case(UNKNOWN, [STATE_CA_DER])),
    ("known_key", case(INVALID, [STATE_CA_DER], control=INVALID, in_control=False)),
    ("known_key", case("", state(), verified=False)),
    ("known_key", case("", [STATE_ROOT_DER], verified=True)),
    ("known_key", case(RESET, [STATE_ROOT_DER])),
    ("known_key", case(UNKNOWN, [STATE_CA_DER], role="other_name")),
    ("known_key", case(UNKNOWN, state(), role="trace")),
    ("known_key", case(UNKNOWN, [STATE_CA_DER], role="resolver")),
    ("verified_by_the_probe", case()),
    ("verified_by_the_probe", case("", genuine(), control=UNKNOWN, **LIED_TO)),
    ("verified_here", case("", genuine(), verified=False)),
    ("vouched_for_elsewhere", case("", unknown(), verified=False, vouchers=VOUCHED)),
    ("nothing_kept", case("", verified=False)),
    ("public_for_another_name", case(HOSTNAME, PORTAL, role="other_name")),
    ("public_for_another_name", case("", PORTAL, role="trace", verified=False)),
    ("family_in_control_too", case(UNKNOWN, [FAMILY_DER], **ALIKE)),
    ("known_family", case(UNKNOWN, [FAMILY_DER])),
    ("known_family", case(UNKNOWN, [FAMILY_DER], role="resolver")),
    ("known_family", case(RESET, [FAMILY_DER], **FINE)),
    ("known_family", case("unknown_failure: tls: bad certificate", [FAMILY_DER])),
    ("known_family", case(INVALID, [FAMILY_DER], **FINE)),
    ("control_fails_alike", case(UNKNOWN, unknown()[:1], in_control=True, **ALIKE)),
    ("control_fails_alike", case(UNKNOWN, in_control=True, **ALIKE)),
    ("control_refuses_this_address", case(UNKNOWN, unknown()[:1], **ALIKE, **ELSEWHERE)),
    ("control_fails_alike_somewhere", case(UNKNOWN, unknown()[:1], **ALIKE)),
    ("control_fails_alike_somewhere", case(UNKNOWN, under(AV_CA, AV_DER), **ALIKE)),
    ("no_certificate_kept", case(UNKNOWN, **FINE)),
    ("no_certificate_kept", case("ssl_error: error:14007086: certificate verify failed")),
    ("no_certificate_kept", case(UNKNOWN, [b"no certificate"], **FINE)),
    ("state_pki_abroad", case(UNKNOWN, STATE_PKI, **FINE)),
    ("state_pki_abroad", case(UNKNOWN, [EGOV_ROOT_DER], **FINE)),
    ("state_pki_abroad_without_control", case(UNKNOWN, STATE_PKI)),
    ("state_pki_abroad_without_control", case(UNKNOWN, STATE_PKI, control=RESET)),
    ("state_pki_of_its_own_will", case(HOSTNAME, STATE_PKI_ELSEWHERE)),
    ("state_pki_of_its_own_will", case(UNKNOWN, STATE_PKI_HOME, name="bank.kz", host="bank.kz")),
    ("state_pki_of_its_own_will", case(UNKNOWN, STATE_PKI_HOME, name=IP, host=IP)),
    ("state_pki_of_its_own_will", case(UNKNOWN, STATE_PKI_BY_NAME)),
    ("control_fails_alike_somewhere", case(UNKNOWN, STATE_PKI, **ALIKE)),
    ("public_at_a_private_address", case(HOSTNAME, PORTAL, **LIED_TO)),
    ("private_address", case(UNKNOWN, unknown(OTHER)[:1], **LIED_TO)),
    ("private_address", case(RESET, **LIED_TO)),
    ("private_address", case(INVALID, OLD, **LIED_TO)),
    ("public_for_another_host_elsewhere", case(HOSTNAME, PORTAL, **ELSEWHERE)),
    ("public_for_another_host", case(HOSTNAME, PORTAL, **FINE)),
    ("public_for_another_host", case(HOSTNAME, PORTAL, **FINE, **ELSEWHERE)),
    ("public_and_refused", case(INVALID, OLD, **FINE)),
    ("public_and_refused", case(UNKNOWN, [ISSUER_DER], control="page")),
    ("public_and_refused", case(UNKNOWN, [UNKNOWN_DER], vouchers=VOUCHED, **FINE)),
    ("public_and_refused", case(UNKNOWN, unknown()[:1], vouchers=SIGNED, **FINE)),
    ("control_is_content", case(UNKNOWN, FORGED, vouchers=SIGNED, **FINE)),
    ("public_and_refused", case(INVALID, CROSS_SIGNED, **FINE)),
    ("public_and_broken", case(INVALID, CROSS_SIGNED)),
    ("public_and_broken", case(INVALID, OLD)),
    ("public_and_broken", case(HOSTNAME, PORTAL)),
    ("public_and_broken", case(INVALID, OLD, control=RESET)),
    ("named_after_a_public_ca", case(UNKNOWN, CLAIMED, **FINE)),
    ("named_after_a_public_ca", case(UNKNOWN, LOGGED, **FINE)),
    ("named_after_a_public_ca", case(INVALID, OLD_LOGGED, **FINE)),
    ("named_after_a_public_ca", case(UNKNOWN, LOGGED)),
    ("not_for_browsers_here_only", case(UNKNOWN, origin(), **FINE)),
    ("for_origin_servers", case(UNKNOWN, origin())),
    ("for_tests", case(UNKNOWN, [TRIAL_CA_DER], control=RESET)),
    ("not_for_browsers_here_only", case(UNKNOWN, [TRIAL_CA_DER], **FINE)),
    ("no_longer_for_browsers", case(UNKNOWN, former())),
    ("no_longer_for_browsers", case(UNKNOWN, (leaf(HOST, CARRIED_ROOT),))),
    ("no_longer_for_browsers", case(UNKNOWN, [leaf(HOST, CARRIED_ROOT, located=True)])),
    ("signed_after_it_was_dropped", case(UNKNOWN, former(days_after=2))),
    ("signed_after_it_was_dropped", case(UNKNOWN, [FORMER_CA_DER])),
    ("control_is_content", case(UNKNOWN, former(), **FINE)),
    ("control_is_content", case(UNKNOWN, origin(issuer_key="a forger"), **FINE)),
    ("control_fails_alike", case(UNKNOWN, origin(), in_control=True, **ALIKE)),
    ("known_key", case(UNKNOWN, STATE_BELOW)),
    ("unknown_and_no_control", case(UNKNOWN, origin(issuer_key="a forger"))),
    ("unknown_and_no_control", case(HOSTNAME, origin(OTHER))),
    ("unknown_for_another_host", case(HOSTNAME, origin(OTHER), **FINE)),
    ("control_is_content", case(UNKNOWN, [UNKNOWN_DER], **FINE)),
    ("control_is_content", case(UNKNOWN, FORGED, **FINE)),
    ("control_is_content", case(UNKNOWN, PASTED, vouchers=PUBLIC, **FINE)),
    ("control_is_content", case(UNKNOWN, [leaf(HOST, ROOT, issuer_key="other", located=True)], **FINE)),
    ("control_is_content", case(UNKNOWN, [leaf(HOST, RESELLER, located=True, logged=False)], **FINE)),
    ("control_is_content", case(UNKNOWN, [leaf(HOST, RESELLER)], **FINE)),
    ("control_is_content", case(UNKNOWN, [leaf(HOST, AV_CA, located=True)], **FINE)),
    ("control_is_content", case(UNKNOWN, self_signed(), control="page")),
    ("control_is_content", case(INVALID, [SUB_DER], **FINE)),
    ("control_is_content", case(UNKNOWN, under(AV_CA, AV_DER), **FINE)),
    ("unknown_for_another_host", case(HOSTNAME, self_signed(OTHER), **FINE)),
    ("unknown_for_another_host", case(INVALID, self_signed(OTHER), **FINE)),
    ("product_by_name", case(UNKNOWN, under(AV_CA, AV_DER))),
    ("unknown_and_no_control", case(UNKNOWN, [UNKNOWN_DER])),
    ("unknown_and_no_control", case(HOSTNAME, under(AV_CA, AV_DER, OTHER))),
    ("unknown_and_no_control", case(UNKNOWN, under(AV_CA, AV_DER), control=RESET)),
    ("cut_off_here_only", case(RESET, **FINE)),
    ("cut_off_here_only", case("generic_timeout_error", role="other_name", **FINE)),
    ("cut_off_everywhere", case(RESET, control=RESET)),
    ("cut_off_everywhere", case(RESET, control=UNKNOWN)),
    ("cut_off", case(RESET)),
    ("cut_off", case("eof_error", role="other_name")),
]

IDS = (
    "archive.not_asked_of_the_site",
    "archive.known_key",
    "archive.verified_by_the_probe",
    "archive.verified_here",
    "archive.vouched_for_elsewhere",
    "archive.nothing_kept",
    "archive.public_for_another_name",
    "archive.family_in_control_too",
    "archive.known_family",
    "archive.control_fails_alike",
    "archive.control_refuses_this_address",
    "archive.control_fails_alike_somewhere",
    "archive.no_certificate_kept",
    "archive.state_pki_abroad",
    "archive.state_pki_abroad_without_control",
    "archive.state_pki_of_its_own_will",
    "archive.public_at_a_private_address",
    "archive.private_address",
    "archive.public_for_another_host_elsewhere",
    "archive.public_for_another_host",
    "archive.public_and_refused",
    "archive.public_and_broken",
    "archive.named_after_a_public_ca",
    "archive.not_for_browsers_here_only",
    "archive.for_tests",
    "archive.for_origin_servers",
    "archive.no_longer_for_browsers",
    "archive.signed_after_it_was_dropped",
    "archive.control_is_content",
    "archive.unknown_for_another_host",
    "archive.product_by_name",
    "archive.unknown_and_no_control",
    "archive.cut_off_here_only",
    "archive.cut_off_everywhere",
    "archive.cut_off",
)
ELSE = (
    "archive.issuer_in_two_networks", "archive.issuer_met_beside_a_control",
    "archive.issuer_of_unrelated_hosts", "archive.one_certificate_for_all_hosts",
    "archive.fault_of_an_instrument", "archive.own_line_is_damaged", "archive.lookup_fails_here_only",
    "archive.lookup_fails_everywhere", "archive.lookup_fails", "archive.connect_fails_here_only",
    "archive.connect_fails_everywhere", "archive.connect_fails", "archive.lookup_gives_a_private_address",
    "archive.lookup_differs", "archive.nothing_measured",
)  # fmt: skip
"""What the second look and the measurement as a whole say."""


@pytest.mark.parametrize(("name", "made"), CASES, ids=[f"{n}-{name}" for n, (name, _) in enumerate(CASES)])
def test_a_case_is_decided_by_its_rule(name, made):
    verdict = judge(made)
    assert verdict.rule == f"archive.{name}"
    found = next(each for each in RULES if each.id == verdict.rule)
    assert (verdict.outcome, verdict.confidence, verdict.asks) == (
        found.outcome,
        found.confidence,
        found.asks,
    )


def test_every_rule_is_reached_and_their_order_is_pinned():
    assert {f"archive.{name}" for name, _ in CASES} == set(IDS)
    assert tuple(each.id for each in RULES) == IDS
    assert len({*IDS, *ELSE}) == len(IDS) + len(ELSE)


def test_a_later_rule_would_hold_as_well():
    """The order decides: many cases fit several rules."""
    several = [name for name, made in CASES if sum(each.holds(made) for each in RULES[:-1]) > 1]
    assert len(set(several)) > 20
    assert all(RULES[-1].holds(made) for _, made in CASES)


def test_every_rule_tells_what_it_means():
    assert all(inspect.getdoc(each.holds) for each in RULES)
    manual = Path(__file__).parents[3] / "docs" / "archive.md"
    if manual.is_file():
        text = manual.read_text(encoding="utf-8")
        assert [each for each in (*IDS, *ELSE) if each.removeprefix("archive.") not in text] == []


def test_every_rule_that_sql_says_is_known():
    sql = Path(rules.__file__).parent
    told = {
        word
        for path in (*sql.glob("sql/*.sql"), sql / "second_look.py", sql / "writing.py")
        for word in path.read_text().replace('"', "'").split("'")
        if word.startswith("archive.") and not word.endswith("%")
    }
    assert told <= {*IDS, *ELSE}
    assert set(ELSE) <= told


def test_interception_names_who_did_it():
    told = judge(case(UNKNOWN, [STATE_CA_DER]))
    assert (told.authority, told.match, told.scope) == ("state", "signature", Scope.STATE)
    told = judge(case(UNKNOWN, [STATE_ROOT_DER]))
    assert (told.authority, told.match) == ("state", "key")
    told = judge(case(UNKNOWN, [FAMILY_DER]))
    assert (told.authority, told.match, told.scope) == ("family", "family", Scope.STATE)
    told = judge(case(UNKNOWN, under(AV_CA, AV_DER)))
    assert (told.authority, told.match, told.scope) == ("antivirus", "name", Scope.LOCAL)
    told = judge(case(UNKNOWN, STATE_PKI))
    assert (told.authority, told.match, told.scope) == ("egov", "key", Scope.STATE)
    told = judge(case(UNKNOWN, [UNKNOWN_DER], control="ok"))
    assert (told.authority, told.match, told.scope) == ("", "", Scope.UNKNOWN)


def test_what_is_no_interception_names_nobody():
    for name, made in CASES:
        told = judge(made)
        if told.outcome is not Outcome.INTERCEPTION:
            assert (told.authority, told.match, told.scope) == ("", "", None), name


def test_without_a_certificate_nothing_is_intercepted():
    for failure in (UNKNOWN, INVALID, HOSTNAME, RESET, "eof_error", ""):
        for control in ("ok", "page", "", UNKNOWN):
            for verified in (True, False):
                told = judge(case(failure, control=control, verified=verified, **LIED_TO))
                assert told.outcome is not Outcome.INTERCEPTION


def test_a_box_that_the_control_meets_too_is_its_owners():
    """Of a company's own choice; a state's root is used by no site of its own will."""
    told = judge(case(UNKNOWN, [STATE_CA_DER], control=UNKNOWN, in_control=True))
    assert (told.outcome, told.confidence) == (Outcome.INTERCEPTION, Confidence.CONFIRMED)


def test_a_service_of_the_state_itself_may_use_its_root():
    told = judge(case(UNKNOWN, state("www.gov.kz"), name="www.gov.kz", host="www.gov.kz"))
    assert told.rule == "archive.unknown_and_no_control"
    told = judge(case(UNKNOWN, state("www.gov.kz"), name="www.gov.kz", host="www.gov.kz", **ALIKE))
    assert told.rule == "archive.control_fails_alike_somewhere"


def test_a_service_of_the_state_that_shows_others_something_better_does_not():
    told = judge(case(UNKNOWN, state("www.gov.kz"), name="www.gov.kz", host="www.gov.kz", control="ok"))
    assert (told.rule, told.authority) == ("archive.known_key", "state")


@pytest.mark.parametrize(
    ("label", "made"),
    [
        ("tls.mitm.ca_signed", case(UNKNOWN, [STATE_CA_DER])),
        ("tls.mitm.ca_signed", case(UNKNOWN, state())),
        ("tls.mitm.self_signed", case(UNKNOWN, self_signed(), control="ok")),
        ("", case("", [STATE_ROOT_DER])),
        ("tls.mitm.ca_signed", case("", state(), verified=False)),
        ("tls", case(UNKNOWN, control="ok")),
        ("tls", case(UNKNOWN, [UNKNOWN_DER])),
        ("tls.reset", case(RESET, control="ok")),
        ("tls.reset.sni", case(RESET, control="ok", role="other_name")),
        ("tls.timeout", case("generic_timeout_error", control="ok")),
        ("tls.alert", case("unknown_failure: remote error: tls: handshake failure", control="ok")),
        ("tls", case("unknown_failure: something odd", control="ok")),
        ("dns.injection", case(UNKNOWN, unknown()[:1], control=UNKNOWN, in_control=False)),
        ("dns.injection.bogon", case(RESET, **LIED_TO)),
        ("", case(HOSTNAME, PORTAL, **LIED_TO)),
        ("", case(RESET, control=RESET)),
        ("", case(UNKNOWN, unknown()[:1], control=UNKNOWN, in_control=True)),
        ("", case()),
    ],
    ids=str,
)
def test_labels_are_of_oonis_ontology(label, made):
    assert judge(made).label == label


@pytest.mark.parametrize(
    ("issuer", "made"),
    [
        ("", case(UNKNOWN)),
        ("", case(UNKNOWN, [b"no certificate"])),
        ("id:", case(UNKNOWN, unknown()[:1])),
        ("key:", case(UNKNOWN, unknown())),
        ("key:", case(UNKNOWN, [UNKNOWN_DER])),
        ("key:", case(UNKNOWN, self_signed())),
    ],
    ids=["none", "unreadable", "leaf", "chain", "issuer", "self-signed"],
)
def test_the_key_of_an_issuer_tells_it_from_others(issuer, made):
    assert made.issuer_key.startswith(issuer)
    assert bool(made.issuer_key) is bool(issuer)


def test_a_certificate_sent_along_is_not_who_signed():
    """Anybody can put a public CA's certificate, or a known interceptor's, behind a leaf of his own."""
    alone = case("", self_signed(), verified=False)
    for other in (STATE_ROOT_DER, ISSUER_DER):
        made = case("", (*self_signed(), other), verified=False, vouchers=PUBLIC)
        assert made.issuer_key == alone.issuer_key
        assert judge(made).rule == "archive.unknown_and_no_control"


def test_the_country_of_an_issuer_is_read_where_it_was_kept():
    assert case(UNKNOWN, [EGOV_ROOT_DER]).issuer_country == "KZ"
    assert case(UNKNOWN, under(EGOV_ROOT, EGOV_ROOT_DER)[:1]).issuer_country == "KZ"
    assert case(UNKNOWN, [UNKNOWN_DER]).issuer_country == ""
    assert case(UNKNOWN).issuer_country == ""


def test_a_leaf_that_was_not_kept_named_the_host_by_the_probes_word():
    assert case(UNKNOWN, [UNKNOWN_DER]).is_for_host
    assert case(INVALID, [SUB_DER]).is_for_host
    assert not case(HOSTNAME, [SUB_DER]).is_for_host
    assert not case(INVALID, [UNKNOWN_DER]).is_for_host, "a site may have signed it itself"
    assert not case(INVALID, self_signed(OTHER)).is_for_host
    assert case(HOSTNAME, self_signed(HOST)).is_for_host
    assert not case(HOSTNAME).is_for_host


def test_a_failure_that_nobody_named_is_found_from_the_chain():
    found = case("", unknown(OTHER), verified=False)
    assert (found.failure, found.kind) == (HOSTNAME, Kind.CERTIFICATE)
    assert case("", verified=False).failure == ""
    assert case("", genuine(), verified=False).failure == ""
    assert case(RESET, genuine()).failure == RESET


def test_a_name_is_asked_for_or_else_the_host():
    assert case("", genuine(), name="", verified=False).kind is Kind.NONE
    assert case("", genuine(), name=OTHER, verified=False).kind is Kind.CERTIFICATE


def test_kinds_of_failures_of_all_ages():
    for failure in (
        UNKNOWN,
        INVALID,
        HOSTNAME,
        "ssl_error: error:14007086:SSL routines:CONNECT_CR_CERT:certificate verify failed",
        "unknown_failure: tls: failed to verify certificate: x509: certificate relies on legacy",
        "unknown_failure: x509: unhandled critical extension",
    ):
        assert kind_of(failure) is Kind.CERTIFICATE, failure
    for failure in ("interrupted", "connection_already_closed", "unknown_failure: context canceled"):
        assert kind_of(failure) is Kind.OURS
    for failure in (RESET, "eof_error", "ssl_failed_handshake", "unknown_failure: tls: first record", "x"):
        assert kind_of(failure) is Kind.CUT
    assert kind_of("") is Kind.NONE


def test_traits_of_a_family_on_a_leaf_that_they_did_not_sign(monkeypatch):
    """Copied beside another leaf, a root of the family has signed nothing here."""
    made = case(UNKNOWN, (*unknown(), FAMILY_DER))
    assert made.family is None
    assert judge(made).rule == "archive.unknown_and_no_control"
    assert case(UNKNOWN, under(FAMILY_CA, FAMILY_DER)).family is not None


def test_a_known_root_beside_a_strangers_leaf_is_no_evidence():
    made = case(UNKNOWN, (*self_signed(), STATE_ROOT_DER), control="ok")
    assert (made.interceptor, judge(made).authority) == (None, "")


def test_an_unreadable_certificate_is_none_that_was_seen():
    made = case(UNKNOWN, [certificate("CN=x")[:50]], control="ok")
    assert judge(made).rule == "archive.no_certificate_kept"
