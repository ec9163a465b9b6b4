"""Answers to foreign names: what they mean beside the control, and networks together."""

import pytest
from verdict_world import registry

from kzmitm.model.matrix import AnswerKind, Reading
from kzmitm.model.reflection import Fitness, NameOutcome, NameResult, Reflector, ReflectorResult
from kzmitm.pki.registry import parse_registry
from kzmitm.verdict.reflection import by_network, fitness_of, is_answered, outcome_of


def certificate(leaf: str, *, vouched: bool, issuer: str = "somebody") -> Reading:
    return Reading(kind=AnswerKind.CERTIFICATE, leaf_sha256=leaf, vouched=vouched, issuer=issuer)


OWN = certificate("own", vouched=True)
DEFAULT = certificate("default", vouched=False, issuer="itself")
ALERT, RESET, SILENCE, FAULT, HTTP = (
    Reading(kind=kind)
    for kind in (
        AnswerKind.ALERT,
        AnswerKind.RESET,
        AnswerKind.SILENCE,
        AnswerKind.FAULT,
        AnswerKind.NOT_TLS,
    )
)


@pytest.mark.parametrize(
    ("reading", "control", "outcome"),
    [
        (certificate("x", vouched=False), OWN, NameOutcome.FORGED),
        (certificate("x", vouched=False), RESET, NameOutcome.FORGED),
        (OWN, OWN, NameOutcome.UNAFFECTED),
        (certificate("twin", vouched=True), OWN, NameOutcome.UNAFFECTED),
        (DEFAULT, DEFAULT, NameOutcome.UNAFFECTED),
        (certificate("made", vouched=False, issuer="itself"), DEFAULT, NameOutcome.UNAFFECTED),
        (certificate("made", vouched=False, issuer="box"), DEFAULT, NameOutcome.FORGED),
        (ALERT, ALERT, NameOutcome.UNAFFECTED),
        (ALERT, OWN, NameOutcome.UNAFFECTED),
        (ALERT, RESET, NameOutcome.NOT_TOLD),
        (RESET, OWN, NameOutcome.BLOCKED),
        (SILENCE, ALERT, NameOutcome.BLOCKED),
        (RESET, RESET, NameOutcome.UNAFFECTED),
        (RESET, SILENCE, NameOutcome.NOT_TOLD),
        (SILENCE, SILENCE, NameOutcome.NOT_TOLD),
        (HTTP, HTTP, NameOutcome.UNAFFECTED),
        (HTTP, OWN, NameOutcome.NOT_TOLD),
        (FAULT, FAULT, NameOutcome.NOT_TOLD),
    ],
)
def test_outcome_of_a_name(reading: Reading, control: Reading, outcome: NameOutcome):
    assert outcome_of(reading, own=OWN, control=control) is outcome


def test_fitness_is_a_valid_certificate_for_the_own_name():
    assert fitness_of(OWN, is_trusted=True) is Fitness.FIT
    assert fitness_of(DEFAULT, is_trusted=False) is Fitness.NOT_VALID
    assert fitness_of(SILENCE, is_trusted=False) is Fitness.NO_ANSWER
    assert [is_answered(each) for each in (OWN, ALERT, RESET)] == [True, True, False]


def server(name: str, asn: int, *outcomes: NameOutcome, fitness: Fitness = Fitness.FIT) -> ReflectorResult:
    return ReflectorResult(
        reflector=Reflector(hostname=name, asn=asn),
        fitness=fitness,
        names=tuple(
            NameResult(sni=f"n{i}.test", outcome=outcome, kind="certificate")
            for i, outcome in enumerate(outcomes)
        ),
    )


def test_networks_are_summed_up_the_most_intercepted_first():
    networks = parse_registry(
        {"networks.toml": b'[[networks]]\nasn = 9198\nname = "Incumbent"\nrole = "x"\n'}
    )
    results = [
        server("a.test", 0, NameOutcome.UNAFFECTED),
        server("b.test", 9198, NameOutcome.FORGED, NameOutcome.FORGED),
        server("c.test", 9198, NameOutcome.BLOCKED, NameOutcome.FORGED),
        server("d.test", 9198, fitness=Fitness.NOT_VALID),
        server("e.test", 64500, NameOutcome.NOT_TOLD),
        server("f.test", 64500, NameOutcome.UNAFFECTED),
    ]
    first, second, third = by_network(results, networks.networks)
    assert (first.asn, first.name, first.reflectors, first.fit) == (9198, "Incumbent", 3, 2)
    assert (first.intercepted, first.blocked) == (2, 1)
    assert first.forged_names == (("n1.test", 2), ("n0.test", 1))
    assert (second.asn, second.name, second.fit, second.intercepted) == (64500, "", 2, 0)
    assert third.asn == 0
    assert by_network([], registry().networks) == ()
