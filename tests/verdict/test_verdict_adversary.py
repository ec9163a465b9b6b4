"""What a forger does to be missed, and what innocent people do that looks like forging."""

import pytest
from verdict_world import (
    EGOV_ROOT,
    EGOV_ROOT_DER,
    HOST,
    IP,
    ISSUER_DER,
    NONSENSE,
    OTHER_IP,
    STATE_ROOT,
    UNKNOWN_CA,
    at,
    certificate,
    clean_host,
    context_of,
    control_of,
    cut,
    dns,
    facts_of,
    genuine,
    handshake,
    measured,
    self_signed,
    state,
    tcp,
    under,
    unknown,
    verdict_of,
)

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Role
from kzmitm.model.target import is_ip
from kzmitm.model.verdict import Cause, Confidence, Outcome
from kzmitm.verdict.engine import deciding, judge
from kzmitm.verdict.facts import MAX_VIEWS

SERVICE = "service.gov.kz"


def by_the_state(host, **options):
    return under(EGOV_ROOT, EGOV_ROOT_DER, host, **options)


def by_a_namesake(host):
    """Under the name of the state's PKI and a key of nobody's."""
    return under(EGOV_ROOT, ISSUER_DER, host, issuer_key="nobody")


def test_many_clean_addresses_hide_no_forged_one():
    clean = [handshake(genuine(own_key=f"{i}"), ip=f"93.184.217.{i}") for i in range(1, MAX_VIEWS + 5)]
    verdict = verdict_of(*clean, handshake(state(), ip="93.184.217.99"))
    assert (verdict.outcome, verdict.confidence) == (Outcome.INTERCEPTION, Confidence.CONFIRMED)


def test_the_handshake_that_decides_is_told():
    shown = (handshake(genuine()), handshake(state(), ip=OTHER_IP), handshake(self_signed(), Role.REPEAT))
    facts = facts_of(measured(*shown))
    assert deciding(facts, context_of(facts)).observation is shown[1]
    alone = facts_of(measured(shown[0]))
    assert deciding(alone, context_of(alone)).observation is shown[0]
    assert deciding(facts_of(measured()), context_of()) is None


@pytest.mark.parametrize(
    ("chain", "verified", "outcome"),
    [
        ((certificate(f"CN={HOST}", UNKNOWN_CA, own_key=STATE_ROOT, names=(HOST,)),), None, "inconclusive"),
        ((certificate(f"CN={HOST}", UNKNOWN_CA, own_key=STATE_ROOT, names=(HOST,)),), True, "interception"),
        ((certificate(f"CN={HOST}", STATE_ROOT, own_key=STATE_ROOT, names=(HOST,)),), None, "interception"),
        ((certificate(STATE_ROOT, UNKNOWN_CA, ca=True),), None, "interception"),
    ],
    ids=["borrowed", "proven", "signed by the same key", "an authority's own"],
)
def test_a_leaf_for_somebody_elses_key_frames_nobody(chain, verified, outcome):
    """A certificate can be made for any public key; who holds it shows in what the key signs."""
    failure = None if verified else Failure.CONNECTION_RESET
    verdict = verdict_of(handshake(chain, verified=verified, failure=failure))
    assert verdict.outcome == outcome
    assert (verdict.authority is not None) is (outcome == "interception")


def test_a_state_pki_signs_for_many_sites_at_home():
    """Banks of one country use the authority of its state: an issuer of unrelated hosts, and no forger."""
    hosts = ("bank.kz", "shop.kz", "insurance.kz")
    run = [facts_of(measured(handshake(by_the_state(host), sni=host), host=host)) for host in hosts]
    verdict = judge(run[-1], context_of(*run))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert Cause.ORIGIN not in {one.cause for one in verdict.ruled_out}


@pytest.mark.parametrize(
    ("target", "sni", "named"),
    [(IP, None, "portal.kz"), ("firm.example", "firm.example", SERVICE)],
    ids=["address", "default certificate"],
)
def test_a_state_pki_for_names_that_were_not_asked_for(target, sni, named):
    """A server shows its own certificate to whoever asks by address, or for a name that is not its own."""
    verdict = verdict_of(handshake(by_the_state(named), sni=sni), host=target)
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_the_name_in_the_hello_tells_whose_country():
    """Not the host that was reached: the name is what the certificate is forged for."""
    forged = verdict_of(
        handshake(by_the_state("site.example"), sni="site.example"), host="server.kz", sni="site.example"
    )
    assert (forged.outcome, forged.rule_ids[0]) == (Outcome.INTERCEPTION, "state_pki.foreign_host")
    own = verdict_of(handshake(by_the_state(SERVICE), sni=SERVICE), host=IP, sni=SERVICE)
    assert own.outcome is Outcome.ORIGIN_MISCONFIGURED


@pytest.mark.parametrize("signed", [by_the_state, by_a_namesake], ids=["key", "name"])
def test_a_state_pki_that_forges_on_its_own_service(signed):
    """The service is no excuse where the same authority makes certificates for names that exist nowhere."""
    minted = handshake(signed(NONSENSE), Role.NONSENSE_SNI)
    verdict = verdict_of(handshake(signed(SERVICE), sni=SERVICE), minted, host=SERVICE)
    assert (verdict.outcome, verdict.rule_ids[0]) == (
        Outcome.INTERCEPTION,
        "contrast.minted_for_any_name",
    )


def test_a_state_service_that_is_public_at_the_same_address():
    again = handshake(genuine(SERVICE), Role.REPEAT, sni=SERVICE)
    verdict = verdict_of(handshake(by_the_state(SERVICE), sni=SERVICE), again, host=SERVICE)
    assert verdict.outcome is Outcome.INTERCEPTION
    assert "contrast.comes_and_goes" in verdict.rule_ids


@pytest.mark.parametrize(
    "hosts",
    [
        ("tax.gov.br", "police.gov.br", "health.gov.br"),
        ("army.mil", "navy.mil", "air.mil"),
        ("10.0.0.1", "10.9.0.2", "192.168.0.3"),
        ("93.184.216.1", "93.184.217.2", "93.184.218.3"),
        ("2606:2800:1::1", "2606:2800:2::1", "2606:2800:3::1"),
    ],
)
def test_one_private_authority_of_a_state_or_a_provider(hosts):
    """Its services are run by different people and signed by one authority that is public nowhere."""
    run = [
        facts_of(measured(handshake(unknown(host), sni=None if is_ip(host) else host), host=host))
        for host in hosts
    ]
    assert run[-1].focus.covers_host
    assert judge(run[-1], context_of(*run)).outcome is Outcome.INCONCLUSIVE


def behind_a_portal(number):
    """At the site's own address every name draws the login page's certificate."""
    host, ip = f"site.domain{number}", f"93.184.216.{number}"
    page = self_signed("login.portal.test")
    return facts_of(
        measured(handshake(page, sni=host, ip=ip), handshake(page, Role.BENIGN_SNI, ip=ip), host=host),
        control_of(genuine(host), host=host, ips=(ip,)),
    )


def test_a_portal_that_lets_one_site_through():
    run = [clean_host(), *map(behind_a_portal, range(1, 12))]
    assert judge(run[-1], context_of(*run)).outcome is Outcome.CAPTIVE_PORTAL
    few = run[:4]
    assert judge(few[-1], context_of(*few)).outcome is Outcome.INTERCEPTION


def through_a_tunnel(host, number, *observations):
    """A program for circumvention gives each name an address of its own (198.18.0.0/15)."""
    ip = f"198.18.0.{number}"
    found = (dns(ip, host=host), dns(IP, engine="doh", host=host), tcp(ip=ip))
    return facts_of(measured(*(at(o, ip) for o in observations), *found, host=host), control_of(genuine()))


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [
        ((cut(), handshake(genuine("default.test"), Role.BENIGN_SNI)), Outcome.BLOCKED),
        ((cut(Failure.EOF),), Outcome.INCONCLUSIVE),
        ((handshake(unknown()),), Outcome.INTERCEPTION),
        ((handshake(genuine()),), Outcome.CLEAN),
    ],
    ids=["cut by name", "cut", "forged", "fine"],
)
def test_inner_addresses_of_a_tunnel_are_no_lies(shown, outcome):
    """Where unrelated sites are genuine at such addresses, one more says nothing of the resolver."""
    fine = [
        through_a_tunnel(host, number, handshake(genuine(host), sni=host))
        for number, host in enumerate(("a.test", "b.example", "c.invalid"), 1)
    ]
    facts = through_a_tunnel(HOST, 9, *shown)
    assert judge(facts, context_of(*fine, facts)).outcome is outcome


NAT64_IP = "64:ff9b::5db8:d822"
"""IP, as it is reached in a network without IPv4."""


@pytest.mark.parametrize(
    ("shown", "rule_id"),
    [
        (handshake(unknown(), ip=NAT64_IP), "contrast.control_is_genuine"),
        (cut(ip=NAT64_IP), "blocked.cut_unlike_control"),
        (tcp(Failure.CONNECTION_REFUSED, NAT64_IP), "blocked.tcp_unlike_control"),
    ],
    ids=["forged", "cut", "refused"],
)
def test_an_address_that_the_network_translates_is_the_same(shown, rule_id):
    """Mobile networks reach IPv4 by addresses of IPv6 that nobody else has for the name."""
    found = (dns(NAT64_IP), dns(IP, engine="doh"))
    assert verdict_of(shown, *found, control=control_of(genuine())).rule_ids[0] == rule_id


def named_in_the_subject_alone(host):
    chain = (certificate(f"CN={host}", UNKNOWN_CA, own_key=host, names=None),)
    return facts_of(measured(handshake(chain, sni=host), host=host))


def test_leaves_that_name_their_host_in_the_subject_alone():
    """No browser takes such a name, but old boxes write it: it is none of somebody else."""
    run = [named_in_the_subject_alone(host) for host in ("a.test", "b.example", HOST)]
    assert judge(run[-1], context_of(*run)).rule_ids[0] == "run.one_issuer_for_unrelated_hosts"
    nameless = facts_of(measured(handshake((certificate("O=Nobody", UNKNOWN_CA),))))
    assert [one.focus.covers_host for one in (*run, nameless)] == [True, True, True, False]
    assert facts_of(measured(handshake(run[0].focus.observation.presented_chain))).focus.covers_host is False
