"""Every outcome as people read it, held against texts that were read by eye; and every code has words."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.model.certificate import Certificate, Name, NameAttribute, PublicKey
from kzmitm.model.failure import Failure
from kzmitm.model.verdict import Authority, Cause, Confidence, Forger, Outcome, RuledOut, Scope, Verdict
from kzmitm.pki.kinds import Kind
from kzmitm.report import advice, findings, reasons, texts
from kzmitm.report.advice import next_steps
from kzmitm.report.language import catalogue_of, speaking
from kzmitm.report.text import (
    MAX_CHAIN_LINES,
    JudgedTarget,
    explanation,
    explanation_sentence,
    gravity,
    labelled_hash,
    shown_certificate,
    summary_line,
    target_line,
)
from kzmitm.verdict.codes import CODES, EvidenceCode, UndecidedCode
from kzmitm.verdict.engine import RULES

GOLDEN = Path(__file__).parents[1] / "golden" / "cli"


def certificate(common_name, digit):
    name = Name(b"", (NameAttribute("2.5.4.6", "KZ"), NameAttribute("2.5.4.3", common_name)))
    key = PublicKey(kind="rsa", bits=2048, spki_sha256=f"{digit}e" * 32)
    return shown_certificate(
        Certificate(der=b"", sha256=f"{digit}c" * 32, sha1="", subject=name, public_key=key)
    )


QAZNET = Authority(
    id="kz-qaznet",
    name="Qaznet Trust Network",
    kind="state_interception",
    match="signature",
    matched_sha256="key:" + "2e" * 32,
    country="KZ",
)

MATCHES = ("certificate", "key", "signature", "family", "name")

CASES = {
    "clean": JudgedTarget(target="news.test", verdict=Verdict(outcome=Outcome.CLEAN, confidence=None)),
    "interception-state": JudgedTarget(
        target="video.test",
        chain=(certificate("video.test", 1), certificate("Security Certificate", 2)),
        verdict=Verdict(
            outcome=Outcome.INTERCEPTION,
            confidence=Confidence.CONFIRMED,
            scope=Scope.STATE,
            authority=QAZNET,
            rule_ids=("known_ca.signed", "contrast.copied_names"),
            forgers=(Forger("kz-2019-early", "Kazakhstan, July 2019", ("subject:copied", "exponent:3")),),
            ruled_out=(
                RuledOut(Cause.CLOCK, EvidenceCode.NOT_A_TIME_FAILURE),
                RuledOut(Cause.DNS, EvidenceCode.ADDRESS_IN_DOH, "192.0.2.7"),
                RuledOut(Cause.CAPTIVE_PORTAL, EvidenceCode.NAMES_COVER_HOST, "video.test"),
            ),
            certificate_failure=Failure.SSL_UNKNOWN_AUTHORITY,
        ),
    ),
    "interception-antivirus": JudgedTarget(
        target="mail.test:8443",
        verdict=Verdict(
            outcome=Outcome.INTERCEPTION,
            confidence=Confidence.LIKELY,
            scope=Scope.LOCAL,
            authority=Authority("avast", "Avast", "antivirus", "name"),
            undecided=(UndecidedCode.LOCAL_ROOTS,),
        ),
    ),
    "interception-unknown": JudgedTarget(
        target="mail.test",
        verdict=Verdict(
            outcome=Outcome.INTERCEPTION,
            confidence=Confidence.SUSPECTED,
            scope=Scope.UNKNOWN,
            undecided=(UndecidedCode.CONTROL, UndecidedCode.SECOND_NETWORK),
        ),
    ),
    "trusted-unexpected": JudgedTarget(
        target="chat.test",
        verdict=Verdict(
            outcome=Outcome.TRUSTED_UNEXPECTED,
            confidence=Confidence.SUSPECTED,
            undecided=(UndecidedCode.SECOND_NETWORK,),
        ),
    ),
    "captive-portal": JudgedTarget(
        target="news.test",
        verdict=Verdict(
            outcome=Outcome.CAPTIVE_PORTAL,
            confidence=Confidence.LIKELY,
            certificate_failure=Failure.SSL_INVALID_HOSTNAME,
        ),
    ),
    "dns-hijack": JudgedTarget(
        target="news.test", verdict=Verdict(outcome=Outcome.DNS_HIJACK, confidence=Confidence.LIKELY)
    ),
    "origin-misconfigured": JudgedTarget(
        target="old.test",
        verdict=Verdict(
            outcome=Outcome.ORIGIN_MISCONFIGURED,
            rule_ids=("origin.expired",),
            confidence=Confidence.LIKELY,
            certificate_failure=Failure.SSL_INVALID_CERTIFICATE,
        ),
    ),
    "blocked": JudgedTarget(
        target="video.test",
        failure=Failure.CONNECTION_RESET,
        verdict=Verdict(outcome=Outcome.BLOCKED, confidence=Confidence.LIKELY),
    ),
    "unreachable": JudgedTarget(
        target="gone.test",
        failure=Failure.DNS_NXDOMAIN,
        verdict=Verdict(outcome=Outcome.UNREACHABLE, confidence=None),
    ),
    "inconclusive": JudgedTarget(
        target="odd.test",
        verdict=Verdict(
            outcome=Outcome.INCONCLUSIVE,
            confidence=None,
            rule_ids=("fallback.untrusted_chain",),
            undecided=(UndecidedCode.BENIGN_SNI, UndecidedCode.CONTROL),
            certificate_failure=Failure.SSL_UNKNOWN_AUTHORITY,
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_golden_explanation(name):
    judged = CASES[name]
    shown = "\n".join(
        [str(target_line(judged)), "", *map(str, explanation(judged)), "", explanation_sentence(judged)]
    )
    path = GOLDEN / f"explain-{name}.txt"
    if os.environ.get("KZMITM_GOLDEN") == "write":
        path.write_text(shown + "\n", encoding="utf-8", newline="\n")
    assert shown + "\n" == path.read_text(encoding="utf-8")


def test_every_outcome_has_a_golden_case():
    assert {judged.verdict.outcome for judged in CASES.values()} == set(Outcome)


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        (texts.WORDS, Outcome),
        (texts.SEEN, Outcome),
        (advice.STEPS, Outcome),
        (advice.LIMITS, Outcome),
        (texts.CONFIDENCES, Confidence),
        (texts.WHY_SURE, Confidence),
        (texts.SCOPES, Scope),
        (advice.INTERCEPTION_STEPS, Scope),
        (texts.KINDS, Kind),
        (texts.SCOPE_WORDS, Scope),
        (texts.MATCHES, MATCHES),
        (texts.WHY_SURE_BY_MATCH, MATCHES),
        (texts.CAUSES, Cause),
        (texts.FAILURES, Failure),
        (reasons.EVIDENCE, EvidenceCode),
        (findings.GROUNDS, [rule.id for rule in RULES]),
        (reasons.UNDECIDED, UndecidedCode),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_code_has_a_text_and_no_text_is_left_over(table, codes):
    assert set(table) == set(codes)
    assert all(table.values()) or table is advice.STEPS


def test_codes_of_verdicts_are_covered():
    assert set(reasons.EVIDENCE) | set(reasons.UNDECIDED) == CODES


def test_words_differ():
    assert len(set(texts.WORDS.values())) == len(Outcome)


def test_codes_of_a_newer_version_are_shown_by_their_own_words():
    assert reasons.evidence_text("seen_from_space") == "seen from space"
    assert reasons.undecided_text("seen_from_space") == "seen from space"
    assert reasons.relation_text("key_worn:yes") == "key worn: yes"
    assert reasons.relation_text("serial:low_bits(?)") == "serial: low bits(?)"
    assert reasons.relation_text("duration:long") == "duration: long"
    assert reasons.relation_text("sideways") == "sideways"
    assert findings.grounds(["moon.full_moon"]) == ("moon: full moon",)
    assert texts.kind_text("quantum_box") == "quantum box"
    assert texts.failure_text("unknown_failure: broken pipe") == "a failure without a name: broken pipe"
    assert texts.failure_text("something_new") == "a failure without a name: something_new"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("subject:copied", "its name is copied from the genuine certificate"),
        ("serial:low_bits(31)", "its serial number differs from the genuine one in the last 31 bits only"),
        ("validity:shift(-86400)", "its dates are the genuine ones, moved by -24 h"),
        ("duration:31536000", "it is valid for 365 days"),
        ("duration:5400", "it is valid for 2 h"),
        ("key:rsa2048", "its key is rsa2048"),
        ("exponent:3", "the exponent of its key is 3"),
        ("key_shared_between_hosts:yes", "other sites show certificates with the same key"),
        ("extensions:key_usage+subject_alt_name", "its extensions are key usage, subject alt name"),
    ],
)
def test_how_it_was_forged_is_said_plainly(code, said):
    assert reasons.relation_text(code) == said


def test_a_proxy_that_failed_is_not_blamed_on_the_site():
    judged = JudgedTarget(
        target="a.test", verdict=CASES["unreachable"].verdict, failure=str(Failure.PROXY_FAILED)
    )
    said = "\n".join(map(str, explanation(judged)))
    assert "1. See whether the proxy runs" in said
    assert "on line" not in said


def test_the_short_form_ends_with_what_to_do():
    judged = CASES["interception-state"]
    short, whole = explanation(judged, technical=False), explanation(judged)
    assert not any("SHA-256 of certificate" in str(line) for line in short)
    assert set(map(str, short)) < set(map(str, whole))
    assert str(short[-1]).lstrip()[:2] == f"{len(next_steps(judged.verdict))}."


@pytest.mark.parametrize(
    ("matched", "shown"),
    [
        ("certificate:ab", "SHA-256 of certificate ab"),
        ("key:ab", "SHA-256 of key ab"),
        ("\x1b:ab", "\\x1b:ab"),
    ],
)
def test_a_hash_is_never_without_its_label(matched, shown):
    assert labelled_hash(matched) == shown


def test_a_state_comes_before_an_antivirus_and_clean_comes_last():
    order = sorted(CASES, key=lambda name: gravity(CASES[name].verdict))
    assert order[:3] == ["interception-state", "interception-unknown", "interception-antivirus"]
    assert order[-1] == "clean"


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({}, "0 targets"),
        ({Outcome.CLEAN: 1}, "1 target: 1 clean"),
        ({Outcome.CLEAN: 2, Outcome.INTERCEPTION: 1}, "3 targets: 1 interception, 2 clean"),
    ],
)
def test_summary(counts, shown):
    assert str(summary_line(Counter(counts))) == shown


@pytest.mark.parametrize(
    ("language", "shown"),
    [("ru", "4 цели: заблокирован — 3, чисто — 1"), ("kk", "4 нысана: 3 бұғатталған, 1 таза")],
)
def test_summary_in_other_languages(language, shown):
    """Labels do not agree with numbers; a Russian sentence with one behind `3` is no sentence."""
    with speaking(catalogue_of(language)):
        assert str(summary_line({Outcome.BLOCKED: 3, Outcome.CLEAN: 1})) == shown


def test_a_name_alone_is_said_to_be_forgeable():
    named = Verdict(
        outcome=Outcome.INTERCEPTION,
        confidence=Confidence.LIKELY,
        authority=Authority("x", "X", "state_interception", "name"),
    )
    assert advice.NAMES_CAN_BE_FORGED in advice.limits(named)


def test_a_long_chain_is_cut_and_the_cut_is_shown():
    chain = tuple(certificate(f"c{n}", n % 10) for n in range(10_000))
    shown = [
        str(line)
        for line in explanation(JudgedTarget(target="x.test", verdict=CASES["blocked"].verdict, chain=chain))
    ]
    assert f"  and {10_000 - MAX_CHAIN_LINES} more" in shown
    assert len(shown) < 60


HOSTILE = st.text(st.sampled_from("\x1b[31m\n\r\x9b\u202e\u2028\ud800a"), min_size=1, max_size=12)


@settings(deadline=None)
@given(HOSTILE)
def test_no_text_of_a_stranger_reaches_a_line_as_it_is(text):
    authority = Authority(text, text, text, text, text, text)
    verdict = Verdict(
        outcome=Outcome.INTERCEPTION,
        confidence=Confidence.LIKELY,
        authority=authority,
        forgers=(Forger(text, text, (text,)),),
        ruled_out=(RuledOut(Cause.DNS, text, text),),
        undecided=(text,),
        rule_ids=(text,),
        certificate_failure=text,
    )
    judged = JudgedTarget(target=text, verdict=verdict, chain=(certificate(text, 1),), failure=text)
    lines = [target_line(judged), *explanation(judged)]
    shown = [*map(str, lines), explanation_sentence(judged)]
    assert not any(c in line for line in shown for c in "\x1b\n\r\x9b\u202e\u2028\ud800")


def test_without_a_network_the_advice_is_to_connect_first():
    """An encrypted resolver is of no use there, nor is another network to be found."""
    told = Verdict(
        outcome=Outcome.INCONCLUSIVE,
        confidence=None,
        rule_ids=("run.no_network",),
        undecided=(UndecidedCode.CONNECTION,),
    )
    (step,) = next_steps(told)
    assert step.startswith("Connect this computer to a network")
    assert len(next_steps(replace(told, undecided=(UndecidedCode.CONTROL,)))) > 1
