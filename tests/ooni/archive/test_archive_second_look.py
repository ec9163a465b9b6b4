"""What only many measurements tell, and what not even many do."""

import random

import pytest
from archive_cases import HOSTNAME, INVALID, RESET, UNKNOWN, case
from verdict_world import (
    AV_CA,
    AV_DER,
    ISSUER_DER,
    STATE_CA_DER,
    UNKNOWN_DER,
    certificate,
    genuine,
    self_signed,
    under,
    unknown,
)

from kzmitm.model.verdict import Confidence, Outcome, Scope
from kzmitm.ooni.archive.rules import judge
from kzmitm.ooni.archive.second_look import MIN_FAULTY_HOSTS, MIN_HOSTS, Met, Sighting, look_again

HOSTS = ("a.example", "b.test", "c.org", "d.net", "e.com", "f.info")
PROBE, OTHER_PROBE = "probe 1", "probe 2"
FINE = {"control": "ok"}


def met(made, host, asns=(9198,), software=PROBE):
    return Met(made, judge(made), frozenset(Sighting(asn, host, software) for asn in asns))


def shown(host, ders=(UNKNOWN_DER,), failure=UNKNOWN, asns=(9198,), software=PROBE, **told):
    """A host that showed a certificate, somewhere."""
    made = case(failure, ders, name=host, host=host, chain_id=f"{hash(tuple(ders))}", **told)
    return met(made, host, asns, software)


def looked(*all_met, clean=()):
    """The outcome, rule and confidence of each after the second look; it must not depend on the order."""
    told = {str(n): each for n, each in enumerate(all_met)}
    changed = look_again(told, frozenset(clean))
    for seed in range(3):
        names = list(told)
        random.Random(seed).shuffle(names)
        assert look_again({name: told[name] for name in names}, frozenset(clean)) == changed
    return [changed.get(name, each.verdict) for name, each in told.items()]


def rules(verdicts):
    return [verdict.rule.removeprefix("archive.") for verdict in verdicts]


class TestIssuers:
    def test_in_two_networks_confirm(self):
        first, second = looked(shown("a.example", **FINE), shown("b.test", asns=(29355,), **FINE))
        assert rules([first, second]) == ["issuer_in_two_networks"] * 2
        assert {first.confidence, second.confidence} == {Confidence.CONFIRMED}
        assert first.outcome is Outcome.INTERCEPTION

    def test_in_one_network_do_not(self):
        found = looked(shown("a.example", **FINE), shown("b.test", **FINE), shown("c.org", **FINE))
        assert rules(found) == ["control_is_content"] * 3
        assert {each.confidence for each in found} == {Confidence.LIKELY}

    def test_of_one_host_do_not(self):
        """A site's own odd certificate is the same in all networks."""
        found = looked(shown("a.example", **FINE), shown("www.a.example", asns=(29355,), **FINE))
        assert rules(found) == ["control_is_content"] * 2

    def test_of_another_key_do_not(self):
        other = certificate("O=Nobody Knows, CN=Nobody Knows CA", own_key="another", ca=True, names=None)
        found = looked(shown("a.example", **FINE), shown("b.test", [other], asns=(29355,), **FINE))
        assert rules(found) == ["control_is_content"] * 2

    def test_known_by_an_identifier_alone_do_not_confirm(self):
        """Anybody can write the identifier of a key into a leaf."""
        found = looked(
            shown("a.example", unknown("a.example")[:1], **FINE),
            shown("b.test", unknown("b.test")[:1], asns=(29355,), **FINE),
        )
        assert rules(found) == ["control_is_content"] * 2

    def test_unknown_networks_are_none(self):
        found = looked(shown("a.example", asns=(0,), **FINE), shown("b.test", asns=(9198,), **FINE))
        assert rules(found) == ["control_is_content"] * 2

    def test_beside_a_control_decide_where_there_is_none(self):
        found = looked(shown("a.example", **FINE), shown("b.test"))
        assert rules(found) == ["control_is_content", "issuer_met_beside_a_control"]
        assert found[1].outcome is Outcome.INTERCEPTION
        assert (found[1].confidence, found[1].scope) == (Confidence.LIKELY, Scope.UNKNOWN)
        assert found[1].label == "tls.mitm"

    def test_beside_a_control_keep_the_product_that_was_named(self):
        found = looked(
            shown("a.example", under(AV_CA, AV_DER, "a.example"), **FINE),
            shown("b.test", under(AV_CA, AV_DER, "b.test")),
        )
        assert rules(found) == ["control_is_content", "issuer_met_beside_a_control"]
        assert {(each.authority, each.scope) for each in found} == {("antivirus", Scope.LOCAL)}
        assert found[1].label == "tls.mitm.ca_signed"

    @pytest.mark.parametrize(
        "hosts",
        [("tax.gov.br", "police.gov.br", "health.gov.br"), ("army.mil", "navy.mil", "air.mil")],
    )
    def test_of_services_of_one_state_are_not(self, hosts):
        """They have a PKI of the state, which is public nowhere (kzmitm.verdict.names.signed_together)."""
        found = looked(*map(shown, hosts))
        assert rules(found) == ["unknown_and_no_control"] * len(hosts)

    def test_of_unrelated_hosts_are_suspected(self):
        found = looked(*[shown(host) for host in HOSTS[:MIN_HOSTS]])
        assert rules(found) == ["issuer_of_unrelated_hosts"] * MIN_HOSTS
        assert {(each.outcome, each.confidence) for each in found} == {
            (Outcome.INTERCEPTION, Confidence.SUSPECTED)
        }

    def test_of_a_country_over_hosts_of_its_own_domain_are_not(self):
        """Banks, courts and universities have authorities of their country in common, public nowhere."""
        root = [certificate("C=BR, O=Raiz, CN=Raiz v5", ca=True, names=None)]
        home = ("www.court.jus.br", "www.senate.leg.br", "www.bank.com.br", "www.army.mil.br")
        assert rules(looked(*[shown(host, root) for host in home])) == ["unknown_and_no_control"] * 4
        assert (
            rules(looked(*[shown(host, root) for host in (*home, "a.example")]))
            == ["issuer_of_unrelated_hosts"] * 5
        )
        abroad = ("a.ru", "b.ru", "c.ru")
        assert rules(looked(*[shown(host, root) for host in abroad])) == ["issuer_of_unrelated_hosts"] * 3
        assert rules(looked(*[shown(host) for host in abroad])) == ["issuer_of_unrelated_hosts"] * 3

    def test_of_too_few_hosts_are_not(self):
        assert rules(looked(*[shown(host) for host in HOSTS[: MIN_HOSTS - 1]])) == [
            "unknown_and_no_control"
        ] * (MIN_HOSTS - 1)

    def test_of_one_operators_hosts_are_not(self):
        hosts = ("www.a.example", "cdn.a.example", "a.example", "mail.a.example")
        assert rules(looked(*map(shown, hosts))) == ["unknown_and_no_control"] * 4

    def test_of_certificates_for_others_are_not(self):
        """One server's certificate at many names is a default site, or a portal."""
        found = looked(*[shown(host, self_signed("box.test"), HOSTNAME) for host in HOSTS])
        assert rules(found) == ["unknown_and_no_control"] * len(HOSTS)

    def test_that_are_not_known_join_nothing(self):
        bare = (certificate("CN=a", "CN=nobody", names=["a.example"])[:60],)
        assert rules(looked(*[shown(host, bare) for host in HOSTS])) == ["no_certificate_kept"] * len(HOSTS)


class TestPortals:
    PAGE = self_signed("login.test")

    def test_one_certificate_for_all_hosts_of_a_network(self):
        found = looked(*[shown(host, self.PAGE, HOSTNAME, **FINE) for host in HOSTS[:2]])
        assert rules(found) == ["one_certificate_for_all_hosts"] * 2
        assert {(each.outcome, each.confidence, each.label) for each in found} == {
            (Outcome.CAPTIVE_PORTAL, Confidence.SUSPECTED, "")
        }

    def test_genuine_ones_as_well(self):
        page = genuine("login.test")
        assert (
            rules(looked(*[shown(host, page, HOSTNAME, **FINE) for host in HOSTS[:2]]))
            == ["one_certificate_for_all_hosts"] * 2
        )

    @pytest.mark.parametrize("hosts", [HOSTS[:1], ("a.example", "www.a.example")])
    def test_of_one_operator_it_is_none(self, hosts):
        found = looked(*[shown(host, self.PAGE, HOSTNAME, **FINE) for host in hosts])
        assert rules(found) == ["unknown_for_another_host"] * len(hosts)

    def test_in_several_networks_it_is_none(self):
        found = looked(
            shown("a.example", self.PAGE, HOSTNAME, **FINE),
            shown("b.test", self.PAGE, HOSTNAME, asns=(29355,), **FINE),
        )
        assert rules(found) == ["unknown_for_another_host"] * 2

    def test_of_several_certificates_it_is_none(self):
        found = looked(
            shown("a.example", self.PAGE, HOSTNAME, **FINE),
            shown("b.test", self_signed("other.test"), HOSTNAME, **FINE),
        )
        assert rules(found) == ["unknown_for_another_host"] * 2


def refused(host, software=PROBE, asn=9198):
    """A genuine certificate that a probe refuses though the control is content."""
    return shown(host, [ISSUER_DER], UNKNOWN, (asn,), software, **FINE)


CLEAN = [(9198, host) for host in HOSTS]


class TestFaults:
    def test_of_one_software_where_others_are_content(self):
        found = looked(*map(refused, HOSTS[:MIN_FAULTY_HOSTS]), clean=CLEAN)
        assert rules(found) == ["fault_of_an_instrument"] * MIN_FAULTY_HOSTS
        assert {each.outcome for each in found} == {Outcome.INCONCLUSIVE}

    def test_of_too_few_hosts(self):
        found = looked(*map(refused, HOSTS[: MIN_FAULTY_HOSTS - 1]), clean=CLEAN)
        assert rules(found) == ["public_and_refused"] * (MIN_FAULTY_HOSTS - 1)

    def test_of_two_programs_is_the_networks(self):
        both = [refused(host, software) for host in HOSTS for software in (PROBE, OTHER_PROBE)]
        joined = [
            Met(each.case, each.verdict, frozenset(Sighting(9198, h, s) for s in (PROBE, OTHER_PROBE)))
            for each, h in zip(both[::2], HOSTS, strict=True)
        ]
        assert rules(looked(*joined, clean=CLEAN)) == ["public_and_refused"] * len(HOSTS)

    @pytest.mark.parametrize("clean", [(), [(29355, host) for host in HOSTS], CLEAN[:1]])
    def test_where_nobody_is_content_it_is_none(self, clean):
        """Half of the hosts must have been verified in the same networks."""
        assert rules(looked(*map(refused, HOSTS[:4]), clean=clean)) == ["public_and_refused"] * 4

    def test_half_of_the_hosts_are_enough(self):
        assert rules(looked(*map(refused, HOSTS[:4]), clean=CLEAN[:2])) == ["fault_of_an_instrument"] * 4

    @pytest.mark.parametrize("failure", [UNKNOWN, INVALID])
    def test_an_alien_certificate_is_never_hidden(self, failure):
        """However many hosts one program alone refuses: a forger may sit on its computer only."""
        sub = certificate("O=Nobody Knows, CN=Sub", "O=Nobody Knows, CN=Nobody Knows CA", ca=True)
        alien = [shown(host, [sub], failure, **FINE) for host in HOSTS]
        found = looked(*alien, *map(refused, HOSTS), clean=CLEAN)
        assert set(rules(found[: len(HOSTS)])) == {"control_is_content"}
        assert set(rules(found[len(HOSTS) :])) == {"fault_of_an_instrument"}

    def test_a_known_key_is_never_hidden(self):
        known = [shown(host, [STATE_CA_DER], **FINE) for host in HOSTS]
        assert {each.verdict.rule for each in known} == {"archive.known_key"}
        assert rules(looked(*known, clean=CLEAN)) == ["known_key"] * len(HOSTS)

    def test_certificates_that_were_not_kept(self):
        bare = [met(case(UNKNOWN, control="ok", name=h, host=h), h) for h in HOSTS]
        assert rules(looked(*bare, clean=CLEAN)) == ["fault_of_an_instrument"] * len(HOSTS)

    def test_what_was_only_cut_off_is_left_alone(self):
        cut = [met(case(RESET, control="ok", name=h, host=h), h) for h in HOSTS]
        assert rules(looked(*cut, clean=CLEAN)) == ["cut_off_here_only"] * len(HOSTS)


def test_nothing_is_made_of_nothing():
    assert look_again({}, frozenset()) == {}
