"""Named situations, each a whole run with the target in question last: what rules are held against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cryptography.x509.oid import ExtendedKeyUsageOID
from verdict_world import (
    AV_CA,
    AV_DER,
    BENIGN,
    BOX_CA,
    BOX_DER,
    CARRIED_ROOT,
    EGOV_ROOT,
    EGOV_ROOT_DER,
    FAMILY_CA,
    FAMILY_DER,
    FORMER_ROOT,
    FORMER_ROOT_DER,
    HOST,
    IP,
    ISSUER_DER,
    LONG,
    NONSENSE,
    NOW,
    ORIGIN_DER,
    OTHER_IP,
    PRIVATE_IP,
    PUBLIC_UNTIL,
    STATE_CA,
    STATE_CA_OLD_DER,
    STATE_ROOT,
    STATE_ROOT_DER,
    TRIAL_CA,
    TRIAL_CA_DER,
    UNKNOWN_CA,
    UNKNOWN_DER,
    certificate,
    clean_host,
    context_of,
    control_of,
    cut,
    dns,
    facts_of,
    former,
    genuine,
    genuine_elsewhere,
    handshake,
    leaf,
    measured,
    origin,
    refused,
    self_signed,
    state,
    tcp,
    trusted_here,
    under,
    unknown,
)

from kzmitm.model.failure import Failure
from kzmitm.model.measurement import ControlEntry
from kzmitm.model.observation import Role, TLSObservation
from kzmitm.model.target import REFLECTED, Vantage
from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts


@dataclass(frozen=True)
class Scenario:
    """`rules` must be the deciding ones, first in the verdict."""

    outcome: Outcome
    confidence: Confidence | None
    rules: tuple[str, ...]
    run: Callable[[], list[Facts]]

    def prepare(self) -> tuple[Facts, RunContext]:
        facts = self.run()
        return facts[-1], context_of(*facts)


SCENARIOS: dict[str, Scenario] = {}
_O, _C = Outcome, Confidence


def scenario(
    outcome: Outcome, confidence: Confidence | None, *rules: str
) -> Callable[[Callable[[], Facts | list[Facts]]], None]:
    def add(make: Callable[[], Facts | list[Facts]]) -> None:
        def run() -> list[Facts]:
            made = make()
            return made if isinstance(made, list) else [made]

        SCENARIOS[make.__name__] = Scenario(outcome, confidence, rules, run)

    return add


def one(*observations: object, control: object = None, **options: object) -> Facts:
    now = options.pop("now", NOW)
    return facts_of(measured(*observations, **options), control, now=now)  # type: ignore[arg-type]


BENIGN_FINE = handshake(genuine(BENIGN), Role.BENIGN_SNI)
DEFAULT_SITE = genuine("default.test")
BENIGN_DEFAULT = handshake(DEFAULT_SITE, Role.BENIGN_SNI)
CONTROL = control_of(genuine())
KZ = "nca.gov.kz"


BLOCK_PAGE = self_signed("block.operator.test")


# Trusted


@scenario(_O.CLEAN, None, "trusted.for_this_name")
def clean() -> Facts:
    return one(handshake(genuine()), dns("93.184.216.34"), tcp())


@scenario(_O.CLEAN, None, "trusted.for_this_name")
def clean_with_another_key_than_control() -> Facts:
    """A CDN rotates its keys."""
    return one(handshake(genuine(own_key="rotated", logged=False)), control=CONTROL)


@scenario(_O.CLEAN, None, "trusted.for_this_name")
def clean_by_another_ca_than_control() -> Facts:
    return one(handshake(genuine_elsewhere()), control=CONTROL)


@scenario(_O.TRUSTED_UNEXPECTED, _C.SUSPECTED, "trusted.unexpected")
def trusted_by_another_ca_and_not_logged() -> Facts:
    return one(handshake(genuine_elsewhere(logged=False)), control=CONTROL)


# Known keys


@scenario(_O.INTERCEPTION, _C.CONFIRMED, "known_ca.signed")
def known_key_signed_the_intermediate() -> Facts:
    return one(handshake(state()), BENIGN_FINE)


@scenario(_O.INTERCEPTION, _C.CONFIRMED, "known_ca.signed")
def known_root_with_expired_intermediate() -> Facts:
    return one(handshake((leaf(HOST, STATE_CA), STATE_CA_OLD_DER, STATE_ROOT_DER)))


@scenario(_O.INTERCEPTION, _C.CONFIRMED, "known_ca.signed")
def known_key_with_control() -> Facts:
    return one(handshake(state()), control=CONTROL)


@scenario(_O.INTERCEPTION, _C.CONFIRMED, "known_ca.signed")
def known_key_also_in_control() -> Facts:
    """The way to the clean place leads through the interceptor, too."""
    return one(handshake(state()), control=control_of(state()))


@scenario(_O.INCONCLUSIVE, None, "known_ca.signed_and_in_control")
def known_key_on_the_states_own_service() -> Facts:
    chain = state(KZ)
    return one(handshake(chain, sni=KZ), control=control_of(chain, host=KZ), host=KZ)


@scenario(_O.INTERCEPTION, _C.LIKELY, "known_ca.signed_for_other_names")
def cut_where_other_names_are_forged() -> Facts:
    return one(cut(), handshake(state(BENIGN), Role.BENIGN_SNI), handshake(genuine("x.test"), Role.NO_SNI))


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain", "known_ca.beside_the_chain")
def known_root_beside_a_self_signed_leaf() -> Facts:
    return one(handshake((*self_signed(), STATE_ROOT_DER)))


@scenario(_O.CLEAN, None, "trusted.for_this_name")
def known_root_beside_a_trusted_chain() -> Facts:
    return one(handshake((*genuine(), STATE_ROOT_DER)))


@scenario(_O.INTERCEPTION, _C.CONFIRMED, "known_ca.signed")
def forged_at_one_address_clean_at_another() -> Facts:
    return one(handshake(genuine()), handshake(state(), ip=OTHER_IP))


@scenario(_O.INTERCEPTION, _C.CONFIRMED, "known_ca.signed")
def forged_first_clean_on_repeat() -> Facts:
    return one(handshake(state()), handshake(genuine(), Role.REPEAT))


# Proof


@scenario(_O.INCONCLUSIVE, None, "proof.copied_chain")
def copied_state_chain() -> Facts:
    return one(handshake(state(), verified=False))


@scenario(_O.INCONCLUSIVE, None, "proof.genuine_chain_without_its_key")
def copied_genuine_chain() -> Facts:
    return one(handshake(genuine(), verified=False))


# Clock


@scenario(_O.INCONCLUSIVE, None, "clock.trusted_at_true_time")
def clock_ten_months_ahead() -> Facts:
    ahead = timedelta(days=300)
    return one(handshake(genuine()), offset=ahead.total_seconds(), now=NOW + ahead)


def _late(host: str, at: datetime) -> Facts:
    return one(handshake(genuine(host), sni=host), host=host, now=at)


@scenario(_O.INCONCLUSIVE, None, "clock.every_host_out_of_time")
def every_host_expired() -> list[Facts]:
    ahead = NOW + timedelta(days=300)
    return [_late(host, ahead) for host in ("a.test", "b.example", "c.invalid", HOST)]


@scenario(_O.INCONCLUSIVE, None, "clock.leaf_from_the_future")
def leaf_not_yet_valid() -> Facts:
    return one(handshake(genuine(start=NOW + timedelta(days=2))))


# Portals


def _portal(host: str, ip: str, address: str | None = None) -> Facts:
    chain = under(UNKNOWN_CA, ISSUER_DER, "login.portal.test")
    return one(handshake(chain, sni=host, ip=ip), dns(ip, host=host), host=host, address=address)


@scenario(_O.CAPTIVE_PORTAL, _C.LIKELY, "portal.one_leaf_for_all_hosts")
def portal_at_every_address() -> list[Facts]:
    hosts = ("a.test", "b.example", "c.invalid", HOST)
    return [_portal(host, f"93.184.216.{i}") for i, host in enumerate(hosts, 1)]


@scenario(_O.CAPTIVE_PORTAL, _C.SUSPECTED, "portal.private_address_for_all_hosts")
def portal_by_dns() -> list[Facts]:
    return [_portal(host, PRIVATE_IP) for host in ("a.test", "b.example", "c.invalid", HOST)]


def _sent_to_one_address(host: str, *others: TLSObservation) -> Facts:
    page = self_signed("login.portal.test")
    return one(handshake(page, sni=host), handshake(page, Role.BENIGN_SNI), *others, host=host, address=IP)


@scenario(_O.CAPTIVE_PORTAL, _C.SUSPECTED, "portal.one_leaf_at_a_given_address")
def portal_at_a_given_address() -> list[Facts]:
    return [_sent_to_one_address(host) for host in ("a.test", "b.example", HOST)]


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def page_of_some_names_at_a_given_address() -> list[Facts]:
    other = handshake(unknown(NONSENSE), Role.NONSENSE_SNI)
    return [_sent_to_one_address(host, other) for host in ("a.test", "b.example", HOST)]


@scenario(_O.CAPTIVE_PORTAL, _C.SUSPECTED, "portal.one_leaf_for_all_names_here")
def one_leaf_for_all_names_of_one_host() -> Facts:
    return one(handshake(BLOCK_PAGE), handshake(BLOCK_PAGE, Role.BENIGN_SNI), control=CONTROL)


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "contrast.control_is_genuine_other_names")
def block_page_in_the_path() -> list[Facts]:
    """Other hosts are fine: no portal."""
    page = one(handshake(BLOCK_PAGE), handshake(BLOCK_PAGE, Role.BENIGN_SNI), control=CONTROL)
    return [clean_host(), page]


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.control_is_genuine")
def block_page_in_the_path_for_this_name() -> Facts:
    return one(handshake(BLOCK_PAGE), BENIGN_DEFAULT, control=CONTROL)


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def one_leaf_for_some_hosts() -> list[Facts]:
    """A CDN's default certificate, or a block page in the path: other hosts are fine."""
    hosts = ("a.test", "b.example", "c.invalid", HOST)
    return [clean_host(), *(_portal(host, f"93.184.216.{i}") for i, host in enumerate(hosts, 1))]


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def private_address_for_some_hosts() -> list[Facts]:
    return [clean_host(), *(_portal(host, PRIVATE_IP) for host in ("a.test", "b.example", "c.invalid", HOST))]


# DNS


@scenario(_O.DNS_HIJACK, _C.LIKELY, "dns.genuine_elsewhere")
def block_page_by_dns() -> Facts:
    return one(
        handshake(BLOCK_PAGE, ip="93.184.216.99"),
        handshake(genuine(), Role.OTHER_ADDRESS),
        dns("93.184.216.99"),
        dns("93.184.216.34", engine="doh"),
    )


@scenario(_O.DNS_HIJACK, _C.LIKELY, "dns.impostor_at_a_wrong_address")
def impostor_that_control_sees_too() -> Facts:
    """A second vantage asks our address and finds the same; by its own resolver it gets the genuine site."""
    return one(
        handshake(unknown(), ip="93.184.216.99"),
        handshake(unknown(), Role.CONTROL, ip="93.184.216.99"),
        handshake(genuine(), Role.CONTROL),
        dns("93.184.216.99"),
    )


@scenario(_O.INTERCEPTION, _C.CONFIRMED, "known_ca.signed")
def known_key_at_an_impostor() -> Facts:
    return one(
        handshake(state(), ip="93.184.216.99"),
        handshake(state(), Role.CONTROL, ip="93.184.216.99"),
        handshake(genuine(), Role.CONTROL),
    )


@scenario(_O.ORIGIN_MISCONFIGURED, _C.CONFIRMED, "origin.control_sees_the_same")
def one_broken_server_of_several() -> Facts:
    return one(handshake(self_signed()), control=control_of(genuine(), self_signed()))


@scenario(_O.DNS_HIJACK, _C.LIKELY, "dns.private_answer")
def private_answer() -> Facts:
    return one(handshake(BLOCK_PAGE, ip=PRIVATE_IP), dns(PRIVATE_IP), dns("93.184.216.34", engine="doh"))


@scenario(_O.DNS_HIJACK, _C.LIKELY, "dns.bogon_but_genuine")
def bogon_while_the_site_is_there() -> Facts:
    found = (dns("0.0.0.0"), dns("93.184.216.34", engine="doh"))
    return one(handshake(genuine()), tcp(Failure.CONNECTION_REFUSED, "0.0.0.0"), tcp(), *found)


@scenario(_O.CLEAN, None, "trusted.for_this_name")
def private_address_that_is_genuine() -> Facts:
    """Some networks lead every name through an address of theirs."""
    found = (dns(PRIVATE_IP), dns("93.184.216.34", engine="doh"))
    return one(handshake(genuine(), ip=PRIVATE_IP), handshake(genuine()), *found)


@scenario(_O.DNS_HIJACK, _C.SUSPECTED, "dns.bogon_that_is_silent")
def bogon_where_nobody_answers() -> Facts:
    found = (dns(PRIVATE_IP), dns("93.184.216.34", engine="doh"))
    return one(tcp(Failure.CONNECTION_REFUSED, PRIVATE_IP), *found)


@scenario(_O.DNS_HIJACK, _C.SUSPECTED, "dns.bogon_that_is_silent")
def bogon_where_the_handshake_fails() -> Facts:
    found = (dns(PRIVATE_IP), dns("93.184.216.34", engine="doh"))
    return one(cut(ip=PRIVATE_IP), tcp(ip=PRIVATE_IP), *found)


@scenario(_O.INCONCLUSIVE, None, "fallback.nothing_measured")
def no_answer_for_one_type_while_the_other_fails() -> Facts:
    """No AAAA record, and the A query lost: the resolver denied nothing."""
    lost = dns(engine="udp", failure=Failure.DNS_TEMPORARY)
    none = replace(lost, query_type="AAAA", failure=Failure.DNS_NO_ANSWER)
    return one(lost, none, dns("93.184.216.34", engine="doh"))


def _misled(host: str) -> Facts:
    return one(
        handshake(BLOCK_PAGE, ip="93.184.216.99", sni=host),
        dns("93.184.216.99", host=host),
        dns("93.184.216.34", engine="doh", host=host),
        host=host,
    )


@scenario(_O.DNS_HIJACK, _C.SUSPECTED, "dns.one_address_for_many_names")
def block_page_for_many_names() -> list[Facts]:
    return [clean_host(), *(_misled(host) for host in ("a.test", "b.example", HOST))]


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def block_page_for_one_name() -> list[Facts]:
    return [clean_host(), _misled(HOST)]


@scenario(_O.INCONCLUSIVE, None, "dns.private_site_of_that_name")
def inner_site_of_a_company() -> Facts:
    return one(handshake(unknown(), ip=PRIVATE_IP), dns(PRIVATE_IP), control=CONTROL)


@scenario(_O.BLOCKED, _C.LIKELY, "dns.denied_but_genuine")
def name_denied_but_site_is_there() -> Facts:
    return one(handshake(genuine()), dns(failure=Failure.DNS_NXDOMAIN), dns("93.184.216.34", engine="doh"))


@scenario(_O.BLOCKED, _C.SUSPECTED, "dns.denied")
def name_denied() -> Facts:
    return one(dns(failure=Failure.DNS_NXDOMAIN), dns("93.184.216.34", engine="doh"))


@scenario(_O.UNREACHABLE, None, "dns.no_such_name")
def no_such_name() -> Facts:
    return one(dns(failure=Failure.DNS_NXDOMAIN), dns(engine="doh", failure=Failure.DNS_NXDOMAIN))


@scenario(_O.INCONCLUSIVE, None, "dns.only_one_resolver_denies")
def only_one_resolver_denies() -> Facts:
    return one(dns(failure=Failure.DNS_NXDOMAIN), dns(engine="doh", failure=Failure.GENERIC_TIMEOUT))


@scenario(_O.BLOCKED, _C.SUSPECTED, "dns.denied_unlike_control")
def name_denied_unlike_control() -> Facts:
    return one(dns(failure=Failure.DNS_NXDOMAIN), control=CONTROL)


# A state's e-signature PKI


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "state_pki.own_government_host")
def state_pki_on_its_own_service() -> Facts:
    return one(handshake(under(EGOV_ROOT, EGOV_ROOT_DER, KZ), sni=KZ), host=KZ)


@scenario(_O.ORIGIN_MISCONFIGURED, _C.SUSPECTED, "state_pki.own_government_host_by_name")
def state_pki_by_name_on_its_own_service() -> Facts:
    chain = under(EGOV_ROOT, ISSUER_DER, KZ, issuer_key="somebody")
    return one(handshake(chain, sni=KZ), host=KZ)


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.control_is_genuine", "contrast.copied_names")
def state_pki_instead_of_a_public_one() -> Facts:
    chain = under(EGOV_ROOT, EGOV_ROOT_DER, KZ)
    return one(handshake(chain, sni=KZ), host=KZ, control=control_of(genuine(KZ), host=KZ))


@scenario(_O.INTERCEPTION, _C.LIKELY, "state_pki.foreign_host")
def state_pki_on_a_foreign_host() -> Facts:
    return one(handshake(under(EGOV_ROOT, EGOV_ROOT_DER)))


@scenario(_O.INCONCLUSIVE, None, "state_pki.own_country_host")
def state_pki_on_a_host_of_its_country() -> Facts:
    host = "bank.kz"
    return one(handshake(under(EGOV_ROOT, EGOV_ROOT_DER, host), sni=host), BENIGN_DEFAULT, host=host)


# Authorities that no browser trusts, and nobody intercepts with

UNRELATED = ("a.test", "b.example", HOST)
RESELLER = "O=Let's Pretend, CN=R3"


@scenario(_O.ORIGIN_MISCONFIGURED, _C.SUSPECTED, "harmless_ca.for_origin_servers")
def origin_certificates_of_unrelated_hosts() -> list[Facts]:
    """Servers behind one delivery network, each met without it."""
    return [one(handshake(origin(host), sni=host), host=host) for host in UNRELATED]


@scenario(_O.ORIGIN_MISCONFIGURED, _C.CONFIRMED, "origin.control_sees_the_same")
def origin_certificates_of_unrelated_hosts_here_and_in_control() -> list[Facts]:
    return [
        one(handshake(origin(host), sni=host), host=host, control=control_of(origin(host), host=host))
        for host in UNRELATED
    ]


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "harmless_ca.for_tests")
def trial_certificates_of_unrelated_hosts() -> list[Facts]:
    return [one(handshake(under(TRIAL_CA, TRIAL_CA_DER, host), sni=host), host=host) for host in UNRELATED]


@scenario(
    _O.INCONCLUSIVE,
    None,
    "contrast.control_is_genuine",
    "contrast.copied_names",
    "harmless_ca.for_origin_servers",
)
def origin_certificate_where_control_is_genuine() -> Facts:
    return one(handshake(origin()), control=CONTROL)


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def origin_certificate_of_somebody_else() -> Facts:
    """A server's default, or that of whoever sits at a wrong address."""
    return one(handshake(origin("else.test")))


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain", "harmless_ca.by_name_only")
def origin_certificate_by_name_only() -> Facts:
    return one(handshake(origin(issuer_key="a forger")))


@scenario(_O.INTERCEPTION, _C.LIKELY, "run.one_issuer_for_unrelated_hosts")
def one_issuer_with_the_name_of_an_origin_authority() -> list[Facts]:
    """A forger takes its name, which excuses nothing."""
    return [one(handshake(origin(host, issuer_key="a forger"), sni=host), host=host) for host in UNRELATED]


@scenario(_O.INTERCEPTION, _C.LIKELY, "run.one_issuer_for_unrelated_hosts")
def harmless_root_beside_the_forged_chains_of_unrelated_hosts() -> list[Facts]:
    """A forger sends its certificate along, which signed nothing."""
    return [
        one(handshake((*unknown(host), ORIGIN_DER, FORMER_ROOT_DER), sni=host), host=host)
        for host in UNRELATED
    ]


@scenario(_O.ORIGIN_MISCONFIGURED, _C.SUSPECTED, "harmless_ca.no_longer_for_browsers")
def certificates_of_a_former_authority_for_unrelated_hosts() -> list[Facts]:
    return [one(handshake(former(host), sni=host), host=host) for host in UNRELATED]


@scenario(_O.ORIGIN_MISCONFIGURED, _C.SUSPECTED, "harmless_ca.no_longer_for_browsers")
def new_certificates_of_an_authority_that_is_public_elsewhere() -> list[Facts]:
    return [one(handshake((leaf(host, CARRIED_ROOT),), sni=host), host=host) for host in UNRELATED]


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.control_is_genuine", "contrast.copied_names")
def former_authority_and_control_genuine() -> Facts:
    return one(handshake(former()), control=CONTROL)


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain", "harmless_ca.signed_after_it_was_dropped")
def new_certificate_of_a_former_authority() -> Facts:
    return one(handshake(former(days_after=2)))


@scenario(_O.INTERCEPTION, _C.LIKELY, "run.one_issuer_for_unrelated_hosts")
def new_certificates_of_a_former_authority_for_unrelated_hosts() -> list[Facts]:
    return [one(handshake(former(host, days_after=2), sni=host), host=host) for host in UNRELATED]


@scenario(_O.INTERCEPTION, _C.CONFIRMED, "known_ca.signed")
def known_key_below_a_former_authority() -> Facts:
    """As the sub-authorities that were sold for interception."""
    cross = certificate(STATE_ROOT, FORMER_ROOT, **LONG)
    chain = (leaf(HOST, STATE_ROOT, start=PUBLIC_UNTIL - timedelta(days=9), days=400), cross)
    return one(handshake((*chain, FORMER_ROOT_DER)))


@scenario(_O.INTERCEPTION, _C.LIKELY, "attribution.family")
def family_below_a_former_authority() -> Facts:
    cross = certificate(FAMILY_CA, FORMER_ROOT, start=datetime(2024, 5, 6, tzinfo=UTC), days=3650, ca=True)
    chain = (leaf(HOST, FAMILY_CA, start=PUBLIC_UNTIL - timedelta(days=9), days=400), cross)
    return one(handshake((*chain, FORMER_ROOT_DER)))


# The site's own doing


@scenario(_O.ORIGIN_MISCONFIGURED, _C.CONFIRMED, "origin.control_sees_the_same")
def self_signed_everywhere() -> Facts:
    return one(handshake(self_signed()), control=control_of(self_signed()))


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "origin.control_sees_the_same_issuer")
def private_ca_everywhere() -> Facts:
    return one(handshake(unknown()), control=control_of(unknown(own_key="another server")))


def _forged_here_and_there(host: str, *others: TLSObservation, **there: object) -> Facts:
    seen = handshake(unknown(host), sni=host)
    return one(seen, *others, host=host, control=control_of(unknown(host, **there), host=host))


@scenario(_O.INCONCLUSIVE, None, "origin.control_may_be_deceived")
def one_issuer_for_unrelated_hosts_here_and_in_control() -> list[Facts]:
    """The control was made behind the same box."""
    return [_forged_here_and_there(host) for host in ("a.test", "b.example", HOST)]


@scenario(_O.INCONCLUSIVE, None, "origin.control_may_be_deceived")
def names_made_on_demand_here_and_another_key_in_control() -> Facts:
    minted = handshake(unknown(NONSENSE), Role.NONSENSE_SNI)
    return _forged_here_and_there(HOST, minted, own_key="another each time")


@scenario(_O.ORIGIN_MISCONFIGURED, _C.CONFIRMED, "origin.control_sees_the_same")
def one_private_ca_of_two_hosts_here_and_in_control() -> list[Facts]:
    return [_forged_here_and_there(host) for host in ("a.test", HOST)]


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "origin.genuine_key_in_a_broken_chain")
def intermediate_missing_here_only() -> Facts:
    return one(handshake(genuine()[:1]), control=CONTROL)


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "origin.missing_intermediate")
def intermediate_missing() -> Facts:
    return one(handshake(genuine()[:1]), BENIGN_FINE)


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain", "origin.maybe_missing_intermediate")
def issuer_with_a_public_name() -> Facts:
    return one(handshake((leaf(HOST, "O=Public Trust, CN=Public Issuer 9", located=True),)), BENIGN_DEFAULT)


def _claimed(host: str = HOST, **more: object) -> TLSObservation:
    """Leaf only, by an issuer with the name of a public CA."""
    shown = leaf(host, "O=Public Trust, CN=Public Issuer 9", located=True)
    return handshake((shown,), sni=host, **more)  # type: ignore[arg-type]


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain", "origin.maybe_missing_intermediate")
def intermediate_of_a_reseller_missing_at_unrelated_hosts() -> list[Facts]:
    """Most public intermediates have another organisation than their root; their leaves are logged."""
    shown = {host: leaf(host, RESELLER, located=True) for host in UNRELATED}
    return [one(handshake((shown[host],), sni=host), host=host) for host in UNRELATED]


@scenario(_O.INTERCEPTION, _C.LIKELY, "run.one_issuer_for_unrelated_hosts")
def issuer_that_logs_nothing_at_unrelated_hosts() -> list[Facts]:
    shown = {host: leaf(host, RESELLER, located=True, logged=False) for host in UNRELATED}
    return [one(handshake((shown[host],), sni=host), host=host) for host in UNRELATED]


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "contrast.only_claims_a_public_issuer")
def issuer_with_a_public_name_and_control_genuine() -> Facts:
    return one(_claimed(), control=CONTROL)


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "contrast.only_claims_a_public_issuer")
def issuer_with_a_public_name_in_turn_with_the_genuine_one() -> Facts:
    return one(_claimed(), handshake(genuine(), Role.REPEAT))


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.minted_for_any_name", "contrast.only_claims_a_public_issuer")
def issuer_with_a_public_name_for_every_name() -> Facts:
    return one(_claimed(), _claimed(NONSENSE, role=Role.NONSENSE_SNI))


@scenario(_O.INCONCLUSIVE, None, "fallback.chain_not_whole", "fallback.untrusted_chain")
def record_that_lost_the_intermediate_and_control_genuine() -> Facts:
    return one(_claimed(chain_truncated=True), control=CONTROL)


@scenario(_O.INCONCLUSIVE, None, "fallback.chain_not_whole", "fallback.untrusted_chain")
def record_that_lost_the_intermediate() -> Facts:
    """As of a tool that keeps the leaf only: the site may well have sent the rest."""
    return one(handshake(genuine()[:1], chain_truncated=True), BENIGN_FINE)


@scenario(_O.INCONCLUSIVE, None, "fallback.chain_not_whole")
def record_that_lost_every_certificate() -> Facts:
    return one(handshake((), chain_truncated=True), BENIGN_FINE)


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def server_asked_for_a_name_not_its_own() -> list[Facts]:
    """From outside, as Hyperquack does: the server owes that name no certificate."""
    measurement = measured(handshake(DEFAULT_SITE), BENIGN_FINE)
    return [clean_host(), facts_of(replace(measurement, vantage=Vantage(kind=REFLECTED)))]


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "origin.expired")
def expired() -> Facts:
    return one(handshake(genuine(days=10)))


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "origin.not_yet_valid")
def leaf_not_yet_valid_by_a_right_clock() -> Facts:
    return one(handshake(genuine(start=NOW + timedelta(days=2))), offset=0.5)


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "origin.wrong_name")
def wrong_name() -> list[Facts]:
    return [clean_host(), one(handshake(DEFAULT_SITE), BENIGN_DEFAULT)]


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "origin.wrong_name")
def wrong_name_among_several() -> Facts:
    return one(handshake(DEFAULT_SITE), BENIGN_FINE)


@scenario(_O.INCONCLUSIVE, None, "origin.wrong_name_shared")
def wrong_name_shared_by_unrelated_hosts() -> list[Facts]:
    hosts = ("a.test", "b.example", HOST)
    shown = [
        one(handshake(DEFAULT_SITE, sni=host, ip=f"93.184.216.{i}"), host=host)
        for i, host in enumerate(hosts)
    ]
    return [clean_host(), *shown]


@scenario(_O.ORIGIN_MISCONFIGURED, _C.SUSPECTED, "origin.wrong_name_or_portal")
def wrong_name_for_every_name() -> Facts:
    return one(handshake(DEFAULT_SITE), BENIGN_DEFAULT, handshake(DEFAULT_SITE, Role.NONSENSE_SNI))


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def wrong_name_but_right_in_control() -> Facts:
    return one(handshake(DEFAULT_SITE), control=CONTROL)


@scenario(_O.ORIGIN_MISCONFIGURED, _C.LIKELY, "origin.forbidden_by_its_own_ca")
def leaf_not_for_servers() -> Facts:
    return one(handshake(genuine(usages=(ExtendedKeyUsageOID.EMAIL_PROTECTION,))))


# Recognised by text


@scenario(_O.INTERCEPTION, _C.LIKELY, "attribution.family")
def family_of_roots() -> Facts:
    return one(handshake(under(FAMILY_CA, FAMILY_DER)))


@scenario(_O.INCONCLUSIVE, None, "attribution.family_and_in_control")
def family_also_in_control() -> Facts:
    chain = under(FAMILY_CA, FAMILY_DER)
    return one(handshake(chain), control=control_of(chain))


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "attribution.name")
def antivirus_by_name() -> Facts:
    return one(handshake(under(AV_CA, AV_DER)))


@scenario(_O.INCONCLUSIVE, None, "attribution.name_over_another_host", "fallback.untrusted_chain")
def page_of_a_box() -> Facts:
    return one(handshake(under(BOX_CA, BOX_DER, "box.office.test")))


# Contrasts


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.minted_for_any_name")
def antivirus_for_every_name() -> Facts:
    return one(
        handshake(under(AV_CA, AV_DER)),
        handshake(under(AV_CA, AV_DER, BENIGN), Role.BENIGN_SNI),
        handshake(under(AV_CA, AV_DER, NONSENSE), Role.NONSENSE_SNI),
        handshake(under(AV_CA, AV_DER), Role.NO_SNI),
    )


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.minted_for_any_name")
def unknown_box_for_every_name() -> Facts:
    return one(handshake(unknown()), handshake(unknown(NONSENSE), Role.NONSENSE_SNI))


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.control_is_genuine")
def unknown_issuer_and_control_genuine() -> Facts:
    return one(handshake(unknown(names=(HOST, "www." + HOST))), control=CONTROL)


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "contrast.control_was_genuine")
def self_signed_where_an_old_control_was_genuine() -> Facts:
    return one(handshake(self_signed()), control=_old(control_of(genuine(start=NOW - timedelta(days=80)))))


@scenario(_O.CLEAN, None, "trusted.for_this_name")
def clean_by_another_ca_than_an_old_control() -> Facts:
    return one(
        handshake(genuine_elsewhere(logged=False)),
        control=_old(control_of(genuine(start=NOW - timedelta(days=80)))),
    )


def _old(control: Mapping[tuple[str, int], ControlEntry]) -> Mapping[tuple[str, int], ControlEntry]:
    """As seen on the last days of its leaves, and judged long after."""
    return {
        at: replace(
            entry, chains=tuple(replace(c, seen_at=c.seen_at + timedelta(days=-61)) for c in entry.chains)
        )
        for at, entry in control.items()
    }


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "contrast.control_is_genuine_address_unconfirmed")
def control_genuine_at_other_addresses() -> Facts:
    return one(
        handshake(unknown(names=(HOST, "www." + HOST))), control=control_of(genuine(), ips=(OTHER_IP,))
    )


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.only_this_name")
def only_the_watched_name_is_forged() -> Facts:
    own = genuine("*." + HOST)
    return one(handshake(unknown()), handshake(own, Role.BENIGN_SNI), refused(112, Role.NONSENSE_SNI))


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.copied_names", "contrast.only_this_name")
def only_the_watched_name_is_forged_beside_its_genuine_leaf() -> Facts:
    return one(handshake(unknown()), handshake(genuine(), Role.BENIGN_SNI))


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "contrast.only_this_name_where_others_live")
def only_the_watched_name_is_forged_where_the_harmless_site_answers() -> Facts:
    return one(handshake(unknown()), BENIGN_FINE)


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def private_ca_beside_a_strangers_default_site() -> Facts:
    return one(handshake(unknown()), BENIGN_DEFAULT, handshake(DEFAULT_SITE, Role.NONSENSE_SNI))


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.only_this_hello")
def only_the_small_hello_is_forged() -> Facts:
    chain = unknown(names=(HOST, "www." + HOST))
    return one(handshake(chain), handshake(genuine(), Role.OTHER_HELLO, profile="browser"))


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.comes_and_goes")
def unknown_issuer_comes_and_goes() -> Facts:
    chain = unknown(names=(HOST, "www." + HOST))
    return one(handshake(chain), handshake(genuine(), Role.REPEAT))


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "contrast.only_this_address")
def unknown_issuer_at_one_address() -> Facts:
    chain = unknown(names=(HOST, "www." + HOST))
    return one(handshake(chain), handshake(genuine(), Role.OTHER_ADDRESS, ip=OTHER_IP))


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.copied_names", "contrast.only_this_address")
def names_copied_at_one_address() -> Facts:
    return one(handshake(unknown()), handshake(genuine(), Role.OTHER_ADDRESS, ip=OTHER_IP))


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "contrast.self_signed_beside_genuine")
def self_signed_now_and_then() -> Facts:
    return one(handshake(self_signed()), handshake(genuine(), Role.REPEAT))


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def self_signed_on_a_shared_server() -> Facts:
    return one(handshake(self_signed()), BENIGN_DEFAULT)


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def unknown_issuer_alone() -> Facts:
    return one(handshake(unknown()))


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "contrast.control_is_genuine_other_names")
def garbage_where_control_is_genuine() -> Facts:
    return one(handshake((b"no certificate",)), control=CONTROL)


# The run


def _forged(host: str, **options: object) -> Facts:
    return one(handshake(unknown(host, **options), sni=host), host=host)


@scenario(_O.INTERCEPTION, _C.LIKELY, "run.one_issuer_for_unrelated_hosts")
def one_issuer_for_unrelated_hosts() -> list[Facts]:
    return [_forged(host) for host in ("a.test", "b.example", HOST)]


@scenario(_O.INTERCEPTION, _C.SUSPECTED, "run.one_issuer_for_chosen_names")
def one_issuer_for_two_hosts_where_harmless_names_pass() -> list[Facts]:
    return [_forged("a.test"), one(handshake(unknown()), BENIGN_DEFAULT)]


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain")
def one_issuer_for_hosts_of_one_operator() -> list[Facts]:
    return [_forged(host) for host in ("a.corp.test", "b.corp.test", "c.corp.test")]


@scenario(_O.INTERCEPTION, _C.LIKELY, "run.one_key_for_unrelated_hosts")
def one_key_for_unrelated_hosts() -> list[Facts]:
    return [
        one(
            handshake((certificate(f"CN={host}", own_key="one for all", names=(host,)),), sni=host), host=host
        )
        for host in ("a.test", "b.example", HOST)
    ]


@scenario(_O.INCONCLUSIVE, None, "run.no_network")
def computer_that_is_connected_to_nothing() -> list[Facts]:
    """No resolver answers, whatever is asked for."""
    silent = Failure.DNS_TEMPORARY
    return [one(dns(failure=silent), dns(failure=Failure.GENERIC_TIMEOUT, engine="doh")) for _ in range(2)]


@scenario(_O.INCONCLUSIVE, None, "dns.only_one_resolver_denies")
def resolver_that_is_silent_for_one_name() -> list[Facts]:
    return [clean_host(), one(dns(failure=Failure.DNS_TEMPORARY))]


@scenario(_O.INCONCLUSIVE, None, "dns.only_one_resolver_denies")
def resolver_that_is_silent_while_another_name_is_denied() -> list[Facts]:
    denied = one(dns(failure=Failure.DNS_NXDOMAIN, host="denied.test"), host="denied.test")
    return [denied, one(dns(failure=Failure.DNS_TEMPORARY))]


@scenario(_O.INCONCLUSIVE, None, "dns.only_one_resolver_denies")
def resolver_that_is_silent_while_an_address_refuses() -> list[Facts]:
    refused_there = one(tcp(Failure.CONNECTION_REFUSED), host="93.184.216.34")
    return [refused_there, one(dns(failure=Failure.DNS_TEMPORARY))]


@scenario(_O.INCONCLUSIVE, None, "dns.only_one_resolver_denies")
def silence_at_another_vantage() -> Facts:
    measurement = measured(dns(failure=Failure.DNS_TEMPORARY))
    return facts_of(replace(measurement, vantage=Vantage(id="a", kind="socks5h")))


# Blocking


@scenario(_O.BLOCKED, _C.LIKELY, "blocked.cut_for_this_name")
def reset_by_name() -> Facts:
    return one(cut(), BENIGN_DEFAULT, cut(role=Role.REPEAT))


@scenario(_O.BLOCKED, _C.LIKELY, "blocked.cut_for_this_name")
def reset_by_name_most_of_the_time() -> Facts:
    """Who injects resets wins most races against the server, not all."""
    again = cut(role=Role.OTHER_HELLO, profile="browser")
    return one(cut(), BENIGN_DEFAULT, again, handshake(genuine(), Role.REPEAT))


@scenario(_O.BLOCKED, _C.LIKELY, "blocked.cut_for_this_name")
def timeout_by_name() -> Facts:
    return one(cut(Failure.GENERIC_TIMEOUT), refused(112, Role.BENIGN_SNI))


@scenario(_O.BLOCKED, _C.LIKELY, "blocked.cut_for_this_hello")
def reset_of_small_hellos() -> Facts:
    return one(cut(Failure.EOF), handshake(genuine(), Role.OTHER_HELLO, profile="browser"))


@scenario(_O.BLOCKED, _C.SUSPECTED, "blocked.cut_unlike_control")
def every_hello_cut_unlike_control() -> Facts:
    return one(cut(), cut(role=Role.BENIGN_SNI), control=CONTROL)


@scenario(_O.BLOCKED, _C.LIKELY, "blocked.refused_unlike_control")
def alert_unlike_control() -> Facts:
    return one(refused(), BENIGN_DEFAULT, control=CONTROL)


@scenario(_O.BLOCKED, _C.SUSPECTED, "blocked.refused_for_this_name")
def page_in_plain_text_for_this_name() -> Facts:
    page = handshake(failure=Failure.SSL_FAILED_HANDSHAKE, first_bytes=b"HTTP/1.1 302 Found\r\n")
    return one(page, BENIGN_DEFAULT)


@scenario(_O.BLOCKED, _C.SUSPECTED, "blocked.tcp_unlike_control")
def connect_refused_unlike_control() -> Facts:
    return one(tcp(Failure.CONNECTION_REFUSED), control=CONTROL)


@scenario(_O.CLEAN, None, "blocked.cut_once")
def reset_once() -> Facts:
    return one(cut(), handshake(genuine(), Role.REPEAT))


@scenario(_O.CLEAN, None, "blocked.hello_not_understood")
def alert_to_our_hello_only() -> Facts:
    return one(refused(), handshake(genuine(), Role.OTHER_HELLO, engine="openssl"))


@scenario(_O.INCONCLUSIVE, None, "fallback.no_chain")
def reset_alone() -> Facts:
    return one(cut())


@scenario(_O.INCONCLUSIVE, None, "fallback.no_chain")
def our_own_proxy_failed() -> Facts:
    return one(cut(Failure.PROXY_FAILED), BENIGN_DEFAULT)


@scenario(_O.BLOCKED, _C.LIKELY, "blocked.cut_for_this_name")
def reset_after_the_chain() -> Facts:
    return one(handshake(genuine(), failure=Failure.CONNECTION_RESET, verified=None), BENIGN_DEFAULT)


@scenario(_O.INCONCLUSIVE, None, "fallback.cut_after_chain")
def reset_after_the_chain_alone() -> Facts:
    return one(handshake(genuine(), failure=Failure.CONNECTION_RESET, verified=None))


@scenario(_O.CLEAN, None, "trusted.for_this_name")
def one_dead_address() -> Facts:
    return one(cut(Failure.GENERIC_TIMEOUT, ip="2606:2800::1"), handshake(genuine()))


# Nothing there


@scenario(_O.UNREACHABLE, None, "unreachable.control_fails_too")
def down_everywhere() -> Facts:
    control = control_of(failures=(Failure.GENERIC_TIMEOUT,), ips=())
    return one(cut(Failure.GENERIC_TIMEOUT), BENIGN_DEFAULT, control=control)


@scenario(_O.UNREACHABLE, None, "unreachable.every_name_fails")
def every_name_times_out() -> Facts:
    return one(cut(Failure.GENERIC_TIMEOUT), cut(Failure.GENERIC_TIMEOUT, Role.BENIGN_SNI))


@scenario(_O.UNREACHABLE, None, "unreachable.no_connect_answered")
def connect_refused() -> Facts:
    return one(tcp(Failure.CONNECTION_REFUSED), tcp(Failure.GENERIC_TIMEOUT, OTHER_IP))


@scenario(_O.INCONCLUSIVE, None, "fallback.nothing_measured")
def nothing_measured() -> Facts:
    return one()


@scenario(_O.INCONCLUSIVE, None, "run.nothing_gets_through")
def every_host_of_the_run_is_silent() -> list[Facts]:
    silent = [
        one(cut(Failure.GENERIC_TIMEOUT), cut(Failure.GENERIC_TIMEOUT, Role.BENIGN_SNI), host=host)
        for host in ("a.test", "b.example")
    ]
    return [*silent, one(tcp(Failure.CONNECTION_REFUSED), control=CONTROL)]


@scenario(_O.BLOCKED, _C.SUSPECTED, "blocked.tcp_unlike_control")
def one_host_is_silent_and_others_answer() -> list[Facts]:
    silent = [one(cut(Failure.GENERIC_TIMEOUT), host=host) for host in ("a.test", "b.example")]
    other = one(cut(), BENIGN_DEFAULT, host="c.invalid")
    return [*silent, other, one(tcp(Failure.CONNECTION_REFUSED), control=CONTROL)]


# The trust stores of this computer


@scenario(_O.INTERCEPTION, _C.LIKELY, "local_root.product")
def antivirus_whose_root_is_here() -> Facts:
    chain = under(AV_CA, AV_DER)
    return one(handshake(chain), trust=trusted_here(chain, AV_DER, "product", "admin"))


@scenario(
    _O.INTERCEPTION,
    _C.LIKELY,
    "contrast.control_is_genuine",
    "contrast.copied_names",
    "local_root.unknown_over_others_site",
)
def company_proxy_whose_root_is_here() -> Facts:
    trust = trusted_here(unknown(), UNKNOWN_DER, "unknown_local", "policy")
    return one(handshake(unknown()), control=CONTROL, trust=trust)


@scenario(_O.INCONCLUSIVE, None, "fallback.untrusted_chain", "local_root.unknown_over_one_site")
def own_authority_whose_root_is_here() -> Facts:
    """A company's inner site, as far as one handshake tells."""
    return one(handshake(unknown()), trust=trusted_here(unknown(), UNKNOWN_DER, "unknown_local", "admin"))


@scenario(_O.INTERCEPTION, _C.CONFIRMED, "known_ca.signed")
def state_root_that_is_trusted_here() -> Facts:
    trust = trusted_here(state(), STATE_ROOT_DER, "state_interception", "user")
    return one(handshake(state()), BENIGN_FINE, trust=trust)


@scenario(_O.INTERCEPTION, _C.LIKELY, "contrast.only_this_name")
def forged_for_one_name_and_no_root_is_here() -> Facts:
    """The stores say more than the harmless name: a filter on this computer may cut off single names."""
    own = handshake(genuine("*." + HOST), Role.BENIGN_SNI)
    return one(handshake(unknown()), own, trust=trusted_here(unknown()))


NEAR_MISSES: Mapping[str, str] = {
    "attribution.family": "unknown_issuer_alone",
    "attribution.family_and_in_control": "family_of_roots",
    "attribution.name": "page_of_a_box",
    "attribution.name_over_another_host": "antivirus_by_name",
    "blocked.cut_for_this_hello": "reset_by_name",
    "blocked.cut_for_this_name": "every_name_times_out",
    "blocked.cut_once": "reset_by_name",
    "blocked.cut_unlike_control": "every_name_times_out",
    "blocked.hello_not_understood": "reset_of_small_hellos",
    "blocked.refused_for_this_name": "alert_unlike_control",
    "blocked.refused_unlike_control": "page_in_plain_text_for_this_name",
    "blocked.tcp_unlike_control": "connect_refused",
    "clock.every_host_out_of_time": "expired",
    "clock.leaf_from_the_future": "leaf_not_yet_valid_by_a_right_clock",
    "clock.trusted_at_true_time": "expired",
    "contrast.comes_and_goes": "self_signed_now_and_then",
    "contrast.control_is_genuine": "control_genuine_at_other_addresses",
    "contrast.control_was_genuine": "unknown_issuer_and_control_genuine",
    "contrast.control_is_genuine_address_unconfirmed": "unknown_issuer_and_control_genuine",
    "contrast.control_is_genuine_other_names": "block_page_in_the_path_for_this_name",
    "contrast.copied_names": "unknown_issuer_at_one_address",
    "contrast.minted_for_any_name": "antivirus_by_name",
    "contrast.only_claims_a_public_issuer": "issuer_with_a_public_name",
    "contrast.only_this_address": "unknown_issuer_comes_and_goes",
    "contrast.only_this_hello": "only_the_watched_name_is_forged",
    "contrast.only_this_name": "private_ca_beside_a_strangers_default_site",
    "contrast.only_this_name_where_others_live": "only_the_watched_name_is_forged",
    "contrast.self_signed_beside_genuine": "unknown_issuer_comes_and_goes",
    "dns.bogon_but_genuine": "private_address_that_is_genuine",
    "dns.bogon_that_is_silent": "private_answer",
    "dns.denied": "name_denied_but_site_is_there",
    "dns.denied_but_genuine": "clean",
    "dns.denied_unlike_control": "only_one_resolver_denies",
    "dns.genuine_elsewhere": "names_copied_at_one_address",
    "dns.impostor_at_a_wrong_address": "one_broken_server_of_several",
    "dns.no_such_name": "only_one_resolver_denies",
    "dns.one_address_for_many_names": "block_page_for_one_name",
    "dns.only_one_resolver_denies": "no_such_name",
    "dns.private_answer": "inner_site_of_a_company",
    "dns.private_site_of_that_name": "private_answer",
    "fallback.chain_not_whole": "intermediate_missing",
    "fallback.cut_after_chain": "reset_alone",
    "fallback.no_chain": "reset_after_the_chain",
    "fallback.nothing_measured": "reset_alone",
    "fallback.untrusted_chain": "clean",
    "harmless_ca.by_name_only": "origin_certificates_of_unrelated_hosts",
    "harmless_ca.no_longer_for_browsers": "new_certificate_of_a_former_authority",
    "harmless_ca.for_origin_servers": "origin_certificate_by_name_only",
    "harmless_ca.for_tests": "origin_certificates_of_unrelated_hosts",
    "harmless_ca.signed_after_it_was_dropped": "certificates_of_a_former_authority_for_unrelated_hosts",
    "known_ca.beside_the_chain": "known_root_beside_a_trusted_chain",
    "known_ca.signed": "known_root_beside_a_self_signed_leaf",
    "known_ca.signed_for_other_names": "reset_by_name",
    "known_ca.signed_and_in_control": "known_key_also_in_control",
    "local_root.product": "antivirus_by_name",
    "local_root.unknown_over_one_site": "company_proxy_whose_root_is_here",
    "local_root.unknown_over_others_site": "own_authority_whose_root_is_here",
    "origin.control_may_be_deceived": "one_private_ca_of_two_hosts_here_and_in_control",
    "origin.control_sees_the_same": "private_ca_everywhere",
    "origin.control_sees_the_same_issuer": "unknown_issuer_and_control_genuine",
    "origin.expired": "leaf_not_yet_valid",
    "origin.forbidden_by_its_own_ca": "expired",
    "origin.genuine_key_in_a_broken_chain": "intermediate_missing",
    "origin.maybe_missing_intermediate": "intermediate_missing",
    "origin.missing_intermediate": "issuer_with_a_public_name",
    "origin.not_yet_valid": "leaf_not_yet_valid",
    "origin.wrong_name": "wrong_name_for_every_name",
    "origin.wrong_name_or_portal": "wrong_name",
    "origin.wrong_name_shared": "wrong_name",
    "portal.one_leaf_at_a_given_address": "page_of_some_names_at_a_given_address",
    "portal.one_leaf_for_all_hosts": "one_leaf_for_some_hosts",
    "portal.one_leaf_for_all_names_here": "block_page_in_the_path",
    "portal.private_address_for_all_hosts": "private_address_for_some_hosts",
    "proof.copied_chain": "copied_genuine_chain",
    "proof.genuine_chain_without_its_key": "copied_state_chain",
    "run.no_network": "resolver_that_is_silent_for_one_name",
    "run.nothing_gets_through": "one_host_is_silent_and_others_answer",
    "run.one_issuer_for_chosen_names": "private_ca_beside_a_strangers_default_site",
    "run.one_issuer_for_unrelated_hosts": "one_issuer_for_hosts_of_one_operator",
    "run.one_key_for_unrelated_hosts": "one_issuer_for_unrelated_hosts",
    "state_pki.foreign_host": "state_pki_on_a_host_of_its_country",
    "state_pki.own_country_host": "state_pki_on_its_own_service",
    "state_pki.own_government_host": "state_pki_instead_of_a_public_one",
    "state_pki.own_government_host_by_name": "state_pki_on_its_own_service",
    "trusted.for_this_name": "expired",
    "trusted.unexpected": "clean_by_another_ca_than_control",
    "unreachable.control_fails_too": "timeout_by_name",
    "unreachable.every_name_fails": "reset_by_name",
    "unreachable.no_connect_answered": "nothing_measured",
}
"""Per rule a scenario much like its own in which it must stay quiet."""
