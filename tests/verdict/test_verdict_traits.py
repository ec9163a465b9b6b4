"""Traits from observations: what was not asked for is not told."""

from dataclasses import replace

import pytest
from verdict_world import CACHE, cut, genuine, handshake, measured, refused, tcp, unknown

from kzmitm.model.observation import NetworkEvent, Role, TLSObservation
from kzmitm.model.traits import AnswerTraits
from kzmitm.pki.registry import parse_registry
from kzmitm.verdict.answer_traits import products_of, traits_of, traits_of_measurement

TICKET, STATUS = 35, 5


def leaf_of(chain):
    return CACHE.parse(chain[0])


def told(observation: TLSObservation, *others: TLSObservation, **more) -> AnswerTraits:
    leaf = leaf_of(observation.presented_chain) if observation.presented_chain else None
    return traits_of(observation, leaf=leaf, others=others, **more)


def test_what_one_answer_shows():
    events = (
        NetworkEvent("connect", 0.01),
        NetworkEvent("write", 0.02, 517),
        NetworkEvent("record_read_handshake", 0.05, 90),
        NetworkEvent("read", 0.05, 1400),
    )
    seen = handshake(genuine(), events=events, server_extensions=(43, 51, 0, 16), ocsp_staple=b"x")
    connect = replace(tcp(), t0=0.0, t=0.01)
    traits = told(seen, tcp=connect, jarm="0" * 62)
    assert (traits.ja3s, traits.jarm) == ("f4febc55ea12b31ae17cfb7e614afda8", "0" * 62)
    assert traits.shape.startswith("cs1_secp256r1_")
    assert (traits.alpn, traits.ocsp_staple, traits.embedded_scts) == ("h2", True, True)
    assert traits.session_ticket is None
    assert (traits.connect_s, round(traits.answer_s, 3)) == (0.01, 0.03)
    assert (traits.accepted, traits.refused) == (None, None)


@pytest.mark.parametrize(
    ("events", "answered"),
    [
        ((), None),
        ((NetworkEvent("read", 0.1, 7),), None),
        ((NetworkEvent("write", 0.1, 7, "broken"), NetworkEvent("read", 0.2, 7)), None),
        ((NetworkEvent("write", 0.1, 7), NetworkEvent("write", 0.2, 7), NetworkEvent("read", 0.5, 0)), None),
        ((NetworkEvent("write", 0.1, 7), NetworkEvent("write", 0.2, 7), NetworkEvent("read", 0.5, 1)), 0.3),
    ],
)
def test_time_of_the_answer_is_from_the_last_write_before_it(events, answered):
    found = told(handshake(genuine(), events=events)).answer_s
    assert found == (None if answered is None else pytest.approx(answered))


def test_a_handshake_without_a_chain_tells_little():
    traits = told(cut())
    assert traits == AnswerTraits()
    assert told(cut(), tcp=tcp("connection_refused")).connect_s is None


def test_our_second_engine_and_odd_profiles_tell_no_details():
    assert told(handshake(genuine(), engine="openssl", alpn="")).alpn is None
    strange = told(handshake(genuine(), profile="of-tomorrow"))
    assert (strange.alpn, strange.ja3s, strange.accepted) == (None, None, None)
    assert told(handshake(genuine(), profile="browser")).ja3s is None


@pytest.mark.parametrize(("types", "gives"), [((TICKET, STATUS), True), ((STATUS,), False)])
def test_tickets_are_told_before_13_where_they_were_offered(types, gives):
    old = handshake(genuine(), Role.OTHER_HELLO, profile="tls12", version="TLSv1.2", server_extensions=types)
    assert told(handshake(genuine()), old).session_ticket is gives
    assert told(handshake(genuine(), version="TLSv1.2")).session_ticket is None


def test_versions_offered_alone():
    others = (
        handshake(genuine(), profile="tls12", version="TLSv1.2"),
        refused(70, profile="tls11"),
        cut(profile="legacy"),
    )
    traits = told(handshake(genuine()), *others)
    assert (traits.accepted, traits.refused) == (("TLSv1.2",), ("TLSv1.1",))
    downgraded = told(handshake(genuine()), handshake(genuine(), profile="tls12", version="TLSv1"))
    assert (downgraded.accepted, downgraded.refused) == ((), ("TLSv1.2",))


def test_of_a_measurement_only_the_same_question_at_the_same_place_from_here_counts():
    first = handshake(unknown(), transaction_id=2)
    old = handshake(unknown(), Role.OTHER_HELLO, profile="legacy", version="TLSv1")
    elsewhere = replace(old, vantage_id="clean")
    other_name = handshake(genuine(), Role.BENIGN_SNI, profile="legacy", version="TLSv1")
    connect = replace(tcp(), t0=0.5, t=0.75, transaction_id=2)
    leaf = leaf_of(unknown())
    traits = traits_of_measurement(measured(first, old, tcp(), connect), leaf)
    assert traits is not None
    assert (traits.accepted, traits.connect_s) == (("TLSv1",), 0.25)
    for other in (elsewhere, other_name):
        traits = traits_of_measurement(measured(first, other), leaf)
        assert traits is not None
        assert (traits.accepted, traits.connect_s) == (None, None)
    assert traits_of_measurement(measured(cut()), None) is None
    assert traits_of_measurement(measured(tcp("connection_refused")), None) is None


def test_products_are_those_of_the_registry_that_have_traits():
    text = 'id = "{0}"\nname = "{0}"\ntelling = ["exponent"]\n[require]\nexponent = 3\n'
    table = '[traits]\nalpn = ["h2"]\ntelling = ["alpn"]\nsource = "made up"\n'
    registry = parse_registry(
        {
            "forgers/one.toml": (text.format("one") + table).encode(),
            "forgers/two.toml": text.format("two").encode(),
        }
    )
    assert [match.id for match in products_of(AnswerTraits(alpn="h2"), registry)] == ["one"]
