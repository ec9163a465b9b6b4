"""What the trust stores of this computer add to a verdict, and what they never take from one."""

import hashlib
from dataclasses import replace

import pytest
from verdict_world import (
    AV_CA,
    AV_DER,
    BOX_CA,
    BOX_DER,
    FAMILY_CA,
    FAMILY_DER,
    HOST,
    IP,
    NONSENSE,
    OTHER_IP,
    ROOT_DER,
    STATE_ROOT_DER,
    UNKNOWN_CA,
    UNKNOWN_DER,
    certificate,
    context_of,
    control_of,
    facts_of,
    genuine,
    handshake,
    leaf,
    measured,
    state,
    trusted_here,
    under,
    unknown,
)

from kzmitm.model.observation import Role, TLSObservation
from kzmitm.model.verdict import Cause, Confidence, Outcome, Scope
from kzmitm.pki.registry import parse_registry
from kzmitm.verdict.engine import judge

CONTROL = control_of(genuine())
BENIGN_OWN = handshake(genuine("*." + HOST), Role.BENIGN_SNI)
O, C, S = Outcome, Confidence, Scope  # noqa: E741


def verdict(*observations: TLSObservation, trust, control=None, before=(), known=None):
    facts = facts_of(measured(*observations, trust=trust), control, known=known)
    return judge(facts, context_of(*before, facts))


def excluded(found, cause=Cause.LOCAL_ROOT):
    return next(((each.evidence, each.detail) for each in found.ruled_out if each.cause is cause), None)


@pytest.mark.parametrize(
    ("ca", "der", "root_class", "origin", "scope"),
    [
        (AV_CA, AV_DER, "product", "admin", S.LOCAL),
        (AV_CA, AV_DER, "product", "user", S.LOCAL),
        (BOX_CA, BOX_DER, "product", "policy", S.MIDDLEBOX),
        (UNKNOWN_CA, UNKNOWN_DER, "unknown_local", "policy", S.MIDDLEBOX),
        (UNKNOWN_CA, UNKNOWN_DER, "unknown_local", "admin", S.MIDDLEBOX),
        # Users are asked to add the roots of states: such a root accuses no office.
        (UNKNOWN_CA, UNKNOWN_DER, "unknown_local", "user", S.UNKNOWN),
        (UNKNOWN_CA, UNKNOWN_DER, "unknown_local", "environment", S.UNKNOWN),
        # One that looks like a state's stays that state's, wherever it is trusted.
        (FAMILY_CA, FAMILY_DER, "interception_name_only", "admin", S.STATE),
    ],
)
def test_an_added_root_tells_whose_it_is(ca, der, root_class, origin, scope):
    chain = under(ca, der)
    found = verdict(
        handshake(chain), control=CONTROL, trust=trusted_here(chain, der, root_class, origin, "vendor")
    )
    assert (found.outcome, found.confidence, found.scope) == (O.INTERCEPTION, C.LIKELY, scope)
    assert "local_roots" not in found.undecided
    assert excluded(found) is None


def test_a_product_is_surer_with_its_root():
    chain = under(AV_CA, AV_DER)
    without = verdict(handshake(chain), trust=None)
    assert (without.confidence, "local_roots" in without.undecided) == (C.SUSPECTED, True)
    with_root = verdict(handshake(chain), trust=trusted_here(chain, AV_DER, "product", "admin"))
    assert (with_root.confidence, "local_roots" in with_root.undecided) == (C.LIKELY, False)


def test_a_root_that_is_only_in_the_store_names_its_authority_by_certificate():
    """The forger sends a lone leaf, as mitmproxy does; the registry knows nothing but the root's hash."""
    sha256 = hashlib.sha256(UNKNOWN_DER).hexdigest()
    known = parse_registry(
        {
            "authorities/a.toml": f'id = "a"\nkind = "antivirus"\n[names]\nen = "A"\n[[certificates]]\n'
            f'role = "root"\nsha256 = "{sha256}"\n'.encode()
        }
    )
    chain = unknown()[:1]
    assert verdict(handshake(chain), trust=trusted_here(chain), known=known).outcome is O.INCONCLUSIVE
    found = verdict(handshake(chain), trust=trusted_here(chain, UNKNOWN_DER, "product", "admin"), known=known)
    assert (found.outcome, found.confidence, found.scope) == (O.INTERCEPTION, C.CONFIRMED, S.LOCAL)
    assert (found.authority.id, found.authority.match) == ("a", "certificate")


def test_a_root_that_did_not_sign_names_nobody():
    """Whatever a file says of the stores, signatures decide."""
    chain = unknown()
    found = verdict(handshake(chain), trust=trusted_here(chain, STATE_ROOT_DER, "state_interception", "user"))
    assert found.outcome is O.INCONCLUSIVE


@pytest.mark.parametrize("root", [b"\x30", b"not a certificate", b"\0" * 5000, STATE_ROOT_DER[:-1]])
def test_a_root_that_is_none_changes_nothing(root):
    trust = trusted_here(unknown(), root, "no_such_class", "no_such_origin")
    assert verdict(handshake(unknown()), trust=trust).outcome is O.INCONCLUSIVE


def test_a_states_root_that_is_trusted_stays_a_states():
    trust = trusted_here(state(), STATE_ROOT_DER, "state_interception", "user")
    with_root = verdict(handshake(state()), BENIGN_OWN, trust=trust)
    without = verdict(handshake(state()), BENIGN_OWN, trust=None)
    assert (with_root.outcome, with_root.confidence, with_root.scope) == (
        O.INTERCEPTION,
        C.CONFIRMED,
        S.STATE,
    )
    assert excluded(with_root)[0] == excluded(without)[0] == "known_key_signed"


@pytest.mark.parametrize("accepted", [False, True])
def test_selective_forgery_is_no_offices_even_with_a_managed_root(accepted):
    """Not said to be a box's: a state picks names, an office's box takes nearly all."""
    trust = trusted_here(unknown(), UNKNOWN_DER, "unknown_local", "admin", accepted=accepted)
    found = verdict(handshake(unknown()), BENIGN_OWN, trust=trust)
    assert (found.outcome, found.scope) == (O.INTERCEPTION, S.UNKNOWN)
    assert excluded(found) is None  # not even by the harmless name


def test_no_root_rules_a_local_program_out():
    found = verdict(handshake(unknown()), BENIGN_OWN, trust=trusted_here(unknown(), stores=7))
    assert excluded(found) == ("no_local_root", "7")
    assert excluded(verdict(handshake(unknown()), BENIGN_OWN, trust=None))[0] == "benign_sni_genuine"
    assert excluded(verdict(handshake(state()), trust=trusted_here(state())))[0] == "known_key_signed"


@pytest.mark.parametrize("root_class", ["leaked_key", "interception_name_only", "product", "unknown_local"])
def test_an_added_root_of_any_class_leaves_a_local_program_possible(root_class):
    trust = trusted_here(unknown(), UNKNOWN_DER, root_class, "user")
    assert excluded(verdict(handshake(unknown()), BENIGN_OWN, trust=trust)) is None


def test_no_root_is_no_question_any_more():
    assert "local_roots" in verdict(handshake(unknown()), trust=None).undecided
    assert "local_roots" not in verdict(handshake(unknown()), trust=trusted_here(unknown())).undecided


def test_stores_that_were_not_all_read_rule_nothing_out():
    unsure = replace(trusted_here(unknown()), accepted=None)
    found = verdict(handshake(unknown()), trust=unsure)
    assert excluded(found) is None
    assert "local_roots" in found.undecided


def test_a_root_of_the_vendor_accuses_and_rules_out_nothing():
    trust = trusted_here(unknown(), UNKNOWN_DER, "unknown_local", "vendor")
    found = verdict(handshake(unknown()), trust=trust)
    assert found.rule_ids == ("fallback.untrusted_chain",)
    assert excluded(found) is None
    assert "local_roots" not in found.undecided


def test_what_is_said_of_one_chain_holds_for_no_other():
    other = unknown(own_key="another")
    found = verdict(handshake(other), trust=trusted_here(unknown(), UNKNOWN_DER, "unknown_local", "admin"))
    assert found.rule_ids == ("fallback.untrusted_chain",)
    fine = verdict(handshake(genuine()), trust=trusted_here(genuine(), ROOT_DER, "unknown_local", "admin"))
    assert (fine.outcome, fine.rule_ids) == (O.CLEAN, ("trusted.for_this_name",))


def test_a_forgery_at_another_address_is_bound_to_its_own_leaf():
    forged = handshake(under(AV_CA, AV_DER), ip=OTHER_IP)
    trust = trusted_here(under(AV_CA, AV_DER), AV_DER, "product", "admin")
    found = verdict(handshake(genuine(), ip=IP), forged, trust=trust)
    assert (found.outcome, found.scope) == (O.INTERCEPTION, S.LOCAL)
    assert "local_root.product" in found.rule_ids


def test_an_authority_for_ones_own_sites_is_not_accused():
    trust = trusted_here(unknown(), UNKNOWN_DER, "unknown_local", "admin")
    found = verdict(handshake(unknown()), trust=trust)
    assert (found.outcome, found.scope) == (O.INCONCLUSIVE, None)
    same = control_of(unknown())
    inner = verdict(handshake(unknown()), trust=trust, control=same)
    assert inner.outcome is O.ORIGIN_MISCONFIGURED  # a clean place sees the same


def test_an_unknown_root_that_makes_names_on_demand():
    nonsense = handshake((leaf(NONSENSE, UNKNOWN_CA), UNKNOWN_DER), Role.NONSENSE_SNI)
    trust = trusted_here(unknown(), UNKNOWN_DER, "unknown_local", "admin")
    found = verdict(handshake(unknown()), nonsense, trust=trust)
    assert "local_root.unknown_over_others_site" in found.rule_ids
    assert (found.outcome, found.scope) == (O.INTERCEPTION, S.MIDDLEBOX)


def test_an_unknown_root_over_many_hosts():
    hosts = [f"host{i}.example" for i in range(4)]
    seen = [
        facts_of(measured(handshake(unknown(h), sni=h, ip=f"93.184.1.{i}"), host=h))
        for i, h in enumerate(hosts)
    ]
    trust = trusted_here(unknown(), UNKNOWN_DER, "unknown_local", "user")
    assert (
        "local_root.unknown_over_others_site"
        in verdict(handshake(unknown()), trust=trust, before=seen).rule_ids
    )


def test_a_leaf_that_is_trusted_itself():
    """Somebody added the very certificate: it stands above itself, and once."""
    chain = (certificate(f"CN={HOST}", own_key="lone", names=(HOST,)),)
    found = verdict(handshake(chain), trust=trusted_here(chain, chain[0], "unknown_local", "user"))
    assert found.outcome is O.INCONCLUSIVE


def test_a_certificate_for_others_is_not_the_products_doing():
    chain = under(AV_CA, AV_DER, "box.example")
    found = verdict(handshake(chain), trust=trusted_here(chain, AV_DER, "product", "admin"))
    assert not any(rule_id.startswith("local_root.") for rule_id in found.rule_ids)
