"""What is asked next of a suspicious target."""

import pytest
from verdict_world import (
    BENIGN,
    HOST,
    IP,
    NONSENSE,
    OTHER_IP,
    control_of,
    cut,
    dns,
    facts_of,
    genuine,
    handshake,
    measured,
    refused,
    state,
    tcp,
    unknown,
)

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Role
from kzmitm.verdict.followup import MAX_FOLLOW_UPS, FollowUp, needs_follow_up, plan_follow_ups


def plan(*observations: object, control=None, benign=(BENIGN,), **options):
    facts = facts_of(measured(*observations, **options), control)
    return plan_follow_ups(facts, benign_sni=benign, nonsense_sni=NONSENSE)


@pytest.mark.parametrize(
    "observations",
    [(handshake(genuine()),), (), (tcp(Failure.CONNECTION_REFUSED),), (cut(Failure.INTERRUPTED),)],
    ids=["clean", "nothing", "no connect", "interrupted"],
)
def test_nothing_is_asked_where_nothing_would_be_learnt(observations):
    assert plan(*observations) == ()
    assert not needs_follow_up(facts_of(measured(*observations)))


def test_untrusted_chain():
    assert needs_follow_up(facts_of(measured(handshake(unknown()))))
    assert plan(handshake(unknown())) == (
        FollowUp(Role.BENIGN_SNI, BENIGN, "small"),
        FollowUp(Role.NONSENSE_SNI, NONSENSE, "small"),
        FollowUp(Role.NO_SNI, None, "small"),
        FollowUp(Role.OTHER_HELLO, HOST, "browser"),
        FollowUp(Role.REPEAT, HOST, "small"),
    )


def test_cut_handshake_is_tried_as_a_browser_and_as_an_old_client():
    hellos = [f for f in plan(cut()) if f.role is Role.OTHER_HELLO]
    assert hellos == [FollowUp(Role.OTHER_HELLO, HOST, "browser"), FollowUp(Role.OTHER_HELLO, HOST, "legacy")]


def test_refused_handshake_is_tried_with_the_second_engine():
    hellos = [f for f in plan(refused()) if f.role is Role.OTHER_HELLO]
    assert hellos == [
        FollowUp(Role.OTHER_HELLO, HOST, "legacy"),
        FollowUp(Role.OTHER_HELLO, HOST, "small", None, "openssl"),
    ]


def test_unproven_chain_is_tried_with_the_second_engine():
    assert FollowUp(Role.OTHER_HELLO, HOST, "small", None, "openssl") in plan(
        handshake(genuine(), verified=False)
    )


def test_no_profile_is_asked_twice():
    assert all(f.profile == "browser" for f in plan(handshake(unknown(), profile="browser")))
    legacy = plan(refused(profile="legacy"))
    assert [f.engine for f in legacy if f.role is Role.OTHER_HELLO] == ["openssl"]


def test_other_addresses_encrypted_resolver_first():
    addresses = [
        f.address
        for f in plan(
            handshake(unknown()),
            dns(IP, "93.184.216.40"),
            dns("93.184.216.50", engine="doh"),
            tcp(Failure.GENERIC_TIMEOUT, "93.184.216.40"),
            control=control_of(genuine(), ips=(OTHER_IP,)),
        )
        if f.role is Role.OTHER_ADDRESS
    ]
    assert addresses == ["93.184.216.50", OTHER_IP]


def test_a_given_address_is_not_left():
    roles = {f.role for f in plan(handshake(unknown()), dns(OTHER_IP), address=IP)}
    assert Role.OTHER_ADDRESS not in roles


def test_the_benign_name_is_somebody_elses():
    benign = [
        f.sni for f in plan(handshake(unknown()), benign=(f"www.{HOST}", BENIGN)) if f.role is Role.BENIGN_SNI
    ]
    assert benign == [BENIGN]
    assert Role.BENIGN_SNI not in {f.role for f in plan(handshake(unknown()), benign=())}


def test_no_server_name_is_not_taken_away_twice():
    assert Role.NO_SNI not in {f.role for f in plan(handshake(unknown(), sni=None), sni=None)}


def test_bounded_and_the_repeat_comes_last():
    many = dns(*(f"93.184.216.{i}" for i in range(50, 90)), engine="doh")
    for first in (cut(), refused(), handshake(state()), handshake(genuine(), verified=False)):
        steps = plan(first, many)
        assert len(steps) <= MAX_FOLLOW_UPS
        assert steps[-1].role is Role.REPEAT
