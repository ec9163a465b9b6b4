"""The small parts: names, addresses, labels, controls, corners of facts."""

from dataclasses import replace
from datetime import timedelta

import pytest
from verdict_world import (
    AV_CA,
    AV_DER,
    HOST,
    IP,
    NOW,
    OTHER_IP,
    PRIVATE_IP,
    ROOT_DER,
    STATE_ROOT,
    STATE_ROOT_DER,
    clean_host,
    context_of,
    control_of,
    cut,
    dns,
    facts_of,
    genuine,
    genuine_elsewhere,
    handshake,
    leaf,
    measured,
    pem,
    refused,
    registry,
    self_signed,
    state,
    tcp,
    under,
    unknown,
    verdict_of,
)

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Role
from kzmitm.model.verdict import Cause, Confidence, Outcome, Scope
from kzmitm.pki.store import parse_store
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.control import anomalies
from kzmitm.verdict.engine import judge
from kzmitm.verdict.handshake import State
from kzmitm.verdict.labels import labels
from kzmitm.verdict.names import base_name, in_country, is_government, signed_together
from kzmitm.verdict.resolution import is_private, translated
from kzmitm.verdict.rule import Rule, Tier


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("www.example.com", "example.com"),
        ("example.com", "example.com"),
        ("WWW.Example.com.", "example.com"),
        ("a.b.gov.kz", "b.gov.kz"),
        ("gov.kz", "gov.kz"),
        ("a.kaspi.kz", "kaspi.kz"),
        ("news.bbc.co.uk", "bbc.co.uk"),
        ("co.com", "co.com"),
        ("a.co.com", "co.com"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_base_name(host, base):
    assert base_name(host) == base


@pytest.mark.parametrize(
    ("ip", "same"),
    [
        ("64:ff9b::5db8:d822", "93.184.216.34"),
        ("64:ff9b::1:5db8:d822", "64:ff9b::1:5db8:d822"),
        ("64:ff9b:1::5db8:d822", "64:ff9b:1::5db8:d822"),
        ("93.184.216.34", "93.184.216.34"),
        ("site.example", "site.example"),
        ("64:ff9b::no", "64:ff9b::no"),
    ],
)
def test_translated(ip, same):
    assert translated(ip) == same


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("www.example.com", "example.com"),
        ("tax.gov.br", "gov.br"),
        ("a.b.go.kr", "go.kr"),
        ("gov.kz", "gov.kz"),
        ("army.mil", "mil"),
        ("www.nasa.gov", "gov"),
        ("go.com", "go.com"),
        ("a.go.com", "go.com"),
        ("93.184.216.34", "93.184.0.0/16"),
        ("2606:2800:220::1", "2606:2800::/32"),
        ("10.1.2.3", "inner"),
        ("fe80::1", "inner"),
        ("localhost", "localhost"),
    ],
)
def test_signed_together(host, group):
    assert signed_together(host) == group


@pytest.mark.parametrize(
    ("host", "country", "inside", "government"),
    [
        ("nca.pki.gov.kz", "KZ", True, True),
        ("gov.kz", "KZ", True, True),
        ("idp.egov.kz", "KZ", True, True),
        ("kaspi.kz", "KZ", True, False),
        ("gov.kz.evil.com", "KZ", False, False),
        ("notgov.kz", "KZ", True, False),
        ("сайт.қаз".encode("idna").decode(), "KZ", True, False),
        ("gosuslugi.ru", "RU", True, False),
        ("x.su", "RU", True, False),
        ("x.gov.ru", "KZ", False, False),
        ("x.de", "DE", True, False),
        ("x.gov.kz", None, False, False),
        ("kz", "KZ", True, False),
    ],
)
def test_country(host, country, inside, government):
    assert in_country(host, country) is inside
    assert is_government(host, country) is government


@pytest.mark.parametrize(
    ("ip", "private"),
    [
        (IP, False),
        (PRIVATE_IP, True),
        ("100.64.0.1", True),
        ("::1", True),
        ("2606:2800::1", False),
        ("x", True),
    ],
)
def test_private_addresses(ip, private):
    assert is_private(ip) is private


@pytest.mark.parametrize(
    ("observation", "label"),
    [
        (cut(Failure.CONNECTION_RESET), "tls.reset.sni"),
        (cut(Failure.CONNECTION_ABORTED), "tls.reset.sni"),
        (cut(Failure.GENERIC_TIMEOUT), "tls.timeout"),
        (cut(Failure.TIMED_OUT), "tls.timeout"),
        (cut(Failure.EOF), "tls.eof"),
        (refused(), "tls.alert"),
        (handshake(failure=Failure.SSL_FAILED_HANDSHAKE, first_bytes=b"HTTP/1.1 403"), "tls"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_labels_of_blocking_by_name(observation, label):
    verdict = verdict_of(observation, handshake(genuine("default.test"), Role.BENIGN_SNI))
    assert (verdict.outcome, verdict.labels) == (Outcome.BLOCKED, (label,))


@pytest.mark.parametrize(
    ("failures", "label"),
    [
        ((Failure.CONNECTION_REFUSED,), "tcp.refused"),
        ((Failure.CONNECTION_RESET, Failure.CONNECTION_ABORTED), "tcp.reset"),
        ((Failure.GENERIC_TIMEOUT, Failure.TIMED_OUT), "tcp.timeout"),
        ((Failure.HOST_UNREACHABLE,), "ip.unreachable"),
        ((Failure.CONNECTION_REFUSED, Failure.GENERIC_TIMEOUT), "tcp"),
        ((Failure.PERMISSION_DENIED,), "tcp"),
    ],
)
def test_labels_of_connects(failures, label):
    verdict = verdict_of(*(tcp(failure) for failure in failures), control=control_of(genuine()))
    assert (verdict.outcome, verdict.labels) == (Outcome.BLOCKED, (label,))


@pytest.mark.parametrize(
    ("failure", "label"), [(Failure.DNS_NXDOMAIN, "dns.nxdomain"), (Failure.DNS_REFUSED, "dns.refused")]
)
def test_labels_of_denials(failure, label):
    assert verdict_of(dns(failure=failure), dns(IP, engine="doh")).labels == (label,)


def test_a_resolver_in_trouble_denies_nothing():
    verdict = verdict_of(dns(failure=Failure.DNS_SERVFAIL), dns(IP, engine="doh"), handshake(genuine()))
    assert verdict.outcome is Outcome.CLEAN


def test_a_private_address_of_an_encrypted_resolver_makes_no_liar():
    verdict = verdict_of(dns(failure=Failure.DNS_NXDOMAIN), dns(PRIVATE_IP, engine="doh"))
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_without_a_certificate_there_is_no_interception_label():
    """OONI's ontology: no certificate, label tls."""
    assert labels(Outcome.INTERCEPTION, facts_of(measured())) == ("tls",)
    always = Rule("a.b", Tier.ARTEFACT, Outcome.INTERCEPTION, Confidence.LIKELY, (), lambda _f, _c: True)
    assert judge(facts_of(measured()), RunContext(), [always]).scope is Scope.UNKNOWN


def test_scope_of_an_issuer_that_signs_for_all_but_spares_the_benign_name():
    """Selective by name: no office proxy, so nobody's in particular."""
    spared = handshake(genuine("benign.test"), Role.BENIGN_SNI)
    hosts = [
        facts_of(measured(handshake(unknown(host), sni=host), spared, host=host))
        for host in ("a.test", "b.example", HOST)
    ]
    assert judge(hosts[-1], context_of(*hosts)).scope is Scope.UNKNOWN


def test_a_known_root_in_the_store_is_still_an_interceptor():
    """A user who was made to trust it is intercepted all the same."""
    trusted = parse_store(pem(ROOT_DER, STATE_ROOT_DER), name="t", version="1", date="")
    facts = facts_of(measured(handshake((*state(), STATE_ROOT_DER))), trusted=trusted)
    assert facts.state is State.TRUSTED
    verdict = judge(facts, context_of(facts))
    assert (verdict.outcome, verdict.confidence) == (Outcome.INTERCEPTION, Confidence.CONFIRMED)


def test_a_leaf_straight_under_the_known_root():
    verdict = verdict_of(handshake((leaf(HOST, STATE_ROOT),)))
    assert (verdict.authority.match, verdict.labels) == ("signature", ("tls.mitm.ca_signed",))


def test_anomalies():
    plain = facts_of(measured(handshake(genuine_elsewhere(logged=False), alpn="", version="TLSv1.2")))
    control = facts_of(measured(handshake(genuine()), handshake(genuine(), Role.CONTROL))).control
    assert (control.alpn, control.version) == ("h2", "TLSv1.3")
    assert anomalies(plain.focus, control) == ("no_sct", "alpn_loss", "version_loss")
    assert anomalies(facts_of(measured(handshake(genuine()))).focus, control) == ()


@pytest.mark.parametrize(
    "more",
    [{"server_extensions": (18,)}, {"ocsp_staple": b".." + bytes.fromhex("2b06010401d679020405")}],
    ids=["extension", "staple"],
)
def test_timestamps_may_come_beside_the_certificate(more):
    verdict = verdict_of(handshake(genuine_elsewhere(logged=False), **more), control=control_of(genuine()))
    assert verdict.outcome is Outcome.CLEAN


def test_second_engine():
    def agreement(other):
        return facts_of(measured(handshake(unknown()), other)).second_engine_agrees

    assert agreement(handshake(unknown(), Role.OTHER_HELLO, engine="openssl")) is True
    assert agreement(handshake(genuine(), Role.OTHER_HELLO, engine="openssl")) is False
    assert agreement(handshake(unknown(), Role.REPEAT)) is None
    assert facts_of(measured()).second_engine_agrees is None
    both = facts_of(measured(refused(), refused(role=Role.OTHER_HELLO, engine="openssl")))
    assert both.second_engine_agrees is True
    causes = {entry.cause: entry.evidence for entry in judge(both, context_of(both)).ruled_out}
    assert causes == {Cause.INSTRUMENT: "second_engine_agrees"}


def test_a_vantage_that_resolves_by_itself_leaves_no_address_to_doubt():
    facts = facts_of(measured(handshake(unknown(), ip=HOST)), control_of(genuine()))
    assert facts.address.in_control is None
    assert not facts.address.is_doubtful


def test_without_a_chain_nobody_vouches():
    focus = facts_of(measured(cut())).focus
    said = (focus.has_public_issuer, focus.is_anchored, focus.covers_host, focus.fails_by_time_only)
    assert not any(said)


def test_control_in_vain():
    """A second vantage without an answer, a file with an empty chain: known, and of no help."""
    silent = facts_of(measured(handshake(unknown()), cut(role=Role.CONTROL)))
    assert (silent.control.is_known, silent.control.has_only_failures) == (True, True)
    empty = facts_of(measured(handshake(unknown())), control_of(()))
    assert not empty.control.is_known


def test_control_addresses_come_from_genuine_handshakes_only():
    facts = facts_of(
        measured(
            handshake(unknown()),
            handshake(unknown(), Role.CONTROL, ip=IP),
            handshake(genuine(), Role.CONTROL, ip=OTHER_IP),
        )
    )
    assert facts.control.ips == {OTHER_IP}


def test_clock():
    def asked(offset, now=NOW):
        facts = facts_of(measured(handshake(genuine(days=10)), offset=offset), now=now)
        return facts.clock_is_off, judge(facts, context_of(facts))

    for offset, off in ((None, None), (float("nan"), None), (10.0, False), (1e9, True), (float("inf"), True)):
        is_off, verdict = asked(offset)
        assert is_off is off
        assert (UndecidedCode.CLOCK in verdict.undecided) is (off is not False)
    beside = facts_of(measured(handshake(genuine(days=10))))
    verdict = judge(beside, context_of(clean_host(), beside))
    assert Cause.CLOCK in {entry.cause for entry in verdict.ruled_out}
    assert UndecidedCode.CLOCK not in verdict.undecided


def test_a_clock_that_is_off_but_not_to_blame():
    """Expired at the true time as well."""
    facts = facts_of(measured(handshake(genuine(days=10)), offset=3600.0))
    assert judge(facts, context_of(facts)).outcome is Outcome.ORIGIN_MISCONFIGURED


def test_failures_of_every_handshake():
    facts = facts_of(
        measured(
            handshake(genuine()),
            handshake(unknown(), Role.REPEAT),
            cut(role=Role.NO_SNI),
            handshake(genuine("benign.test"), Role.BENIGN_SNI, verified=False),
        )
    )
    assert facts.failures == (None, "ssl_unknown_authority", "connection_reset", "ssl_failed_handshake")


def test_an_intermediate_that_another_address_sent():
    facts = facts_of(
        measured(
            handshake(genuine()[:1]), handshake(genuine(own_key="other"), Role.OTHER_ADDRESS, ip=OTHER_IP)
        )
    )
    assert facts.lacks_intermediate
    assert judge(facts, context_of(facts)).outcome is Outcome.ORIGIN_MISCONFIGURED


def test_leaf_without_a_readable_key():
    facts = facts_of(measured(handshake((b"\x30\x00",))))
    context = context_of(facts)
    assert facts.focus.spki_sha256 is None
    assert judge(facts, context).outcome is Outcome.INCONCLUSIVE


def test_portal_at_an_address_that_the_user_gave_counts_for_no_address():
    facts = facts_of(measured(handshake(self_signed("page.test")), address=IP))
    assert context_of(facts).hosts_misnamed_at(IP) == 0


def test_forgers_need_a_genuine_leaf_or_habits_of_their_own():
    facts = facts_of(measured(handshake(unknown())), control_of(genuine()))
    assert facts.relations is not None
    assert judge(facts, context_of(facts)).forgers[0].id == "copier"
    assert facts_of(measured(handshake(genuine()))).forgers is None


def test_products_speak_for_their_kind():
    box = verdict_of(handshake(under(AV_CA, AV_DER)))
    assert (box.scope, box.authority.kind) == (Scope.LOCAL, "antivirus")


def test_expired_interception_is_still_interception():
    verdict = verdict_of(handshake(state(days=1)), now=NOW + timedelta(days=400))
    assert (verdict.outcome, verdict.confidence) == (Outcome.INTERCEPTION, Confidence.CONFIRMED)


def test_registry_and_store_are_named():
    verdict = verdict_of(handshake(genuine()))
    assert (verdict.registry_version, verdict.store_version) == (registry().version, "1")


def test_sni_of_ones_own():
    """The chain is judged for the name that was sent, not for the host that was reached."""
    measurement = measured(handshake(genuine("front.test"), sni="front.test"), host=HOST, sni="front.test")
    assert facts_of(measurement).state is State.TRUSTED
    assert facts_of(replace(measurement, tls=(handshake(genuine("front.test")),))).state is State.UNTRUSTED
