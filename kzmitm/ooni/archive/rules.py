"""What a handshake in somebody else's data means: the first rule that holds decides.

A probe of OONI keeps one certificate after a failure, not always the server's; the control kept none and
tells only whether it succeeded. So these rules rest on three things: whose key or family the certificate is,
what kind of failure it was, and what the control met at the same address under the same name
(https://ooni.org/post/2024-kazakhstan-report/). No certificate, no interception: only a suspicion.
"""

from kzmitm.model.failure import Failure
from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.ooni.archive.cases import Case, HandshakeVerdict
from kzmitm.ooni.archive.failures import Kind
from kzmitm.ooni.archive.harmless import NOT_FOR_BROWSERS, is_made_by, is_made_by_dropped_one
from kzmitm.ooni.archive.labelling import label_of
from kzmitm.ooni.archive.rule import RULES, rule
from kzmitm.ooni.archive.state_pki import state_pki_of
from kzmitm.ooni.experiment import OTHER_NAME, RESOLVER, TRACE
from kzmitm.pki.kinds import Kind as AuthorityKind
from kzmitm.pki.kinds import scope_of
from kzmitm.pki.report import NameStatus, TimeStatus
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.handshake import State

CONTROL, PORTAL, CLOCK = UndecidedCode.CONTROL, UndecidedCode.PORTAL_LOGIN, UndecidedCode.CLOCK
WHOLE_CHAIN, MORE_HOSTS = UndecidedCode.WHOLE_CHAIN, UndecidedCode.MORE_HOSTS
INTERCEPTION, INCONCLUSIVE = Outcome.INTERCEPTION, Outcome.INCONCLUSIVE


def judge(case: Case) -> HandshakeVerdict:
    """The verdict of the first rule that holds; the last one always does."""
    found = next(each for each in RULES if each.holds(case))
    interception = found.outcome is INTERCEPTION
    who = case.interceptor or case.family or case.named or state_pki_of(case)
    attribution = who if interception else None
    return HandshakeVerdict(
        outcome=found.outcome,
        rule=found.id,
        confidence=found.confidence,
        scope=scope_of(attribution.authority.kind if attribution else "") if interception else None,
        authority=attribution.authority.id if attribution else "",
        match=attribution.authority.match if attribution else "",
        label=label_of(found.outcome, case),
        asks=found.asks,
    )


@rule(None)
def not_asked_of_the_site(case: Case) -> bool:
    """A packet that may not have arrived, or the probe's own end: silence says nothing.

    Nor does what befalls a resolver, unless an interceptor is recognised there.
    """
    role = case.situation.role
    if role == RESOLVER:
        return case.interceptor is None and case.family is None
    ours = case.kind is Kind.OURS or role not in ("", OTHER_NAME, TRACE)
    return ours or (role == TRACE and case.facts is None)


@rule(INTERCEPTION, Confidence.CONFIRMED)
def known_key(case: Case) -> bool:
    """A known interception key signed it, whatever the failure, the dates and the control say.

    A box that a company chose is met by the control as well, on that company's own pages: there it is no
    interception. A state's root is used by no site of its own will.
    """
    found = case.interceptor
    return found is not None and (
        found.authority.kind == AuthorityKind.STATE_INTERCEPTION or case.control is not Kind.CERTIFICATE
    )


@rule(Outcome.CLEAN)
def verified_by_the_probe(case: Case) -> bool:
    """The probe verified the chain against its own list of public roots; an interceptor cannot pass that."""
    return case.kind is Kind.NONE and case.situation.verified


@rule(Outcome.CLEAN)
def verified_here(case: Case) -> bool:
    """Nobody verified it then; at the time it was met it verifies in the pinned store."""
    return case.kind is Kind.NONE and case.facts is not None and case.facts.state is State.TRUSTED


@rule(Outcome.CLEAN)
def vouched_for_elsewhere(case: Case) -> bool:
    """Nobody verified it then, and no root of the pinned store does now; probes verified the same CA."""
    facts = case.facts
    return (
        not case.situation.failure
        and case.has_voucher
        and facts is not None
        and facts.report is not None
        and facts.report.name is NameStatus.MATCH
        and facts.report.time is TimeStatus.VALID
    )


@rule(None)
def nothing_kept(case: Case) -> bool:
    """A handshake that succeeded unverified, and no certificate to verify now."""
    return case.kind is Kind.NONE


@rule(Outcome.CLEAN)
def public_for_another_name(case: Case) -> bool:
    """The helper's address shows the helper's public certificate, whatever name it was asked for."""
    return case.situation.role in (OTHER_NAME, TRACE) and case.kind is Kind.CERTIFICATE and case.is_public


@rule(INCONCLUSIVE, asks=(UndecidedCode.SECOND_NETWORK,))
def family_in_control_too(case: Case) -> bool:
    """The family of a state's roots, and the control is refused a certificate there as well."""
    return case.family is not None and case.fails_alike


@rule(INTERCEPTION, Confidence.LIKELY)
def known_family(case: Case) -> bool:
    """All traits of a family of interception roots, whatever the failure; traits are public, so no more."""
    return case.family is not None


@rule(Outcome.ORIGIN_MISCONFIGURED, Confidence.LIKELY)
def control_fails_alike(case: Case) -> bool:
    """The address is the site's own, and from outside its certificate is refused as well."""
    return case.fails_alike and case.situation.in_control is True


@rule(Outcome.DNS_HIJACK, Confidence.LIKELY)
def control_refuses_this_address(case: Case) -> bool:
    """The control does not have this address, and is refused a certificate there: somebody else's server."""
    return case.fails_alike and case.situation.in_control is False


@rule(Outcome.ORIGIN_MISCONFIGURED, Confidence.SUSPECTED, asks=(UndecidedCode.ENCRYPTED_DNS,))
def control_fails_alike_somewhere(case: Case) -> bool:
    """As above, but the control looked nothing up: the site's own fault, or an impostor's address."""
    return case.fails_alike


@rule(INCONCLUSIVE, asks=(WHOLE_CHAIN,))
def no_certificate_kept(case: Case) -> bool:
    """A certificate was refused and not kept: what it was, nobody can tell any more."""
    return case.kind is Kind.CERTIFICATE and (case.facts is None or not case.facts.is_readable)


@rule(INTERCEPTION, Confidence.LIKELY)
def state_pki_abroad(case: Case) -> bool:
    """A state's PKI signed for a host outside its country's domain: nobody there asks it to."""
    return case.control is Kind.NONE and state_pki_of(case) is not None


@rule(INTERCEPTION, Confidence.SUSPECTED, asks=(CONTROL,))
def state_pki_abroad_without_control(case: Case) -> bool:
    """As above, with nothing to compare it with: banks of that country have hosts in other domains, too."""
    return state_pki_of(case) is not None


@rule(Outcome.ORIGIN_MISCONFIGURED, Confidence.SUSPECTED, asks=(CONTROL,))
def state_pki_of_its_own_will(case: Case) -> bool:
    """A state's PKI for signatures, and no control that was shown anything better."""
    return case.kind is Kind.CERTIFICATE and case.has_state_pki and case.control is not Kind.NONE


def _is_lied_to(case: Case) -> bool:
    """The address is private, and the control has public ones."""
    return case.situation.private and case.situation.in_control is False and case.kind is not Kind.NONE


@rule(Outcome.CAPTIVE_PORTAL, Confidence.SUSPECTED, asks=(PORTAL,))
def public_at_a_private_address(case: Case) -> bool:
    """The name was led into the local network, to a public certificate of somebody else: a login page."""
    return _is_lied_to(case) and case.is_public and case.failure == Failure.SSL_INVALID_HOSTNAME


@rule(Outcome.DNS_HIJACK, Confidence.LIKELY)
def private_address(case: Case) -> bool:
    """The name was led into the local network, where nothing answers rightly."""
    return _is_lied_to(case)


def _is_for_another(case: Case) -> bool:
    """A public certificate of somebody else."""
    refused = case.kind is Kind.CERTIFICATE and case.failure == Failure.SSL_INVALID_HOSTNAME
    return refused and case.is_public


@rule(INCONCLUSIVE, asks=(UndecidedCode.ENCRYPTED_DNS, PORTAL))
def public_for_another_host_elsewhere(case: Case) -> bool:
    """A public certificate of somebody else at an address that the control does not have and did not try."""
    return _is_for_another(case) and case.control is None and case.situation.in_control is False


@rule(INCONCLUSIVE, asks=(PORTAL, MORE_HOSTS))
def public_for_another_host(case: Case) -> bool:
    """A public certificate of somebody else, where the control meets the right one: a portal, perhaps."""
    return _is_for_another(case) and case.control is Kind.NONE


@rule(INCONCLUSIVE, asks=(CLOCK,))
def public_and_refused(case: Case) -> bool:
    """A public CA's key vouches for it, and the control is content: a wrong clock, old roots."""
    return case.kind is Kind.CERTIFICATE and case.is_public and case.control is Kind.NONE


@rule(Outcome.ORIGIN_MISCONFIGURED, Confidence.SUSPECTED, asks=(CONTROL,))
def public_and_broken(case: Case) -> bool:
    """A public CA's key vouches for it: expired, for another name, or sent without its intermediate."""
    return case.kind is Kind.CERTIFICATE and case.is_public


@rule(INCONCLUSIVE, asks=(WHOLE_CHAIN, CONTROL))
def named_after_a_public_ca(case: Case) -> bool:
    """It looks like a public CA's, whose key was not kept: an incomplete chain, a clock, or a forgery."""
    return case.kind is Kind.CERTIFICATE and case.claims_public


@rule(INCONCLUSIVE, asks=(UndecidedCode.SECOND_NETWORK,))
def not_for_browsers_here_only(case: Case) -> bool:
    """One for origin servers or tests made it, where the control gets another: no forger has their keys."""
    return case.is_alien and is_made_by(case, *NOT_FOR_BROWSERS) and case.control is Kind.NONE


@rule(Outcome.ORIGIN_MISCONFIGURED, Confidence.LIKELY, asks=(CONTROL,))
def for_tests(case: Case) -> bool:
    """An authority for tests made it for this host: the site is set up wrongly."""
    return case.is_alien and is_made_by(case, AuthorityKind.TEST_CA)


@rule(Outcome.ORIGIN_MISCONFIGURED, Confidence.SUSPECTED, asks=(CONTROL,))
def for_origin_servers(case: Case) -> bool:
    """An authority for servers behind a delivery network did, which nobody else looks after."""
    return case.is_alien and is_made_by(case, AuthorityKind.ORIGIN_CA)


@rule(Outcome.ORIGIN_MISCONFIGURED, Confidence.SUSPECTED, asks=(CONTROL,))
def no_longer_for_browsers(case: Case) -> bool:
    """An authority made it that browsers have dropped since: no excuse where the control is content."""
    return case.is_alien and is_made_by(case, AuthorityKind.FORMER_CA) and case.control is not Kind.NONE


@rule(INCONCLUSIVE, asks=(CONTROL, MORE_HOSTS))
def signed_after_it_was_dropped(case: Case) -> bool:
    """An authority made it that browsers had dropped, or dropped since: nothing shows which."""
    return case.is_alien and is_made_by_dropped_one(case) and case.control is not Kind.NONE


@rule(INTERCEPTION, Confidence.LIKELY)
def control_is_content(case: Case) -> bool:
    """An unknown issuer for this very host, where the control verifies the site's own at the same address.

    OONI's argument of 2024: the address is genuine, so the path changes the certificate.
    """
    return case.is_alien and case.control is Kind.NONE and case.is_for_host


@rule(INCONCLUSIVE, asks=(PORTAL, MORE_HOSTS))
def unknown_for_another_host(case: Case) -> bool:
    """As above, but the certificate names somebody else: a portal's or a block page's own, not a forgery."""
    return case.is_alien and case.control is Kind.NONE


@rule(INTERCEPTION, Confidence.SUSPECTED, asks=(CONTROL, UndecidedCode.LOCAL_ROOTS))
def product_by_name(case: Case) -> bool:
    """The name of an interception product over a certificate for this very host, and no control."""
    return case.named is not None and case.is_alien and case.is_for_host and case.control is None


@rule(INCONCLUSIVE, asks=(CONTROL, MORE_HOSTS))
def unknown_and_no_control(case: Case) -> bool:
    """A certificate of an unknown issuer, and nothing to compare it with."""
    return case.kind is Kind.CERTIFICATE


@rule(Outcome.BLOCKED, Confidence.LIKELY)
def cut_off_here_only(case: Case) -> bool:
    """The handshake is cut off here, and the control completes it at the same address with the same name."""
    return case.control is Kind.NONE


@rule(Outcome.UNREACHABLE)
def cut_off_everywhere(case: Case) -> bool:
    """The control fails there as well."""
    return case.control is not None


@rule(INCONCLUSIVE, asks=(CONTROL,))
def cut_off(_case: Case) -> bool:
    """The handshake is cut off, and nothing tells whether it is elsewhere."""
    return True
