"""The sentence that says whether programs on this computer would have accepted a certificate."""

import pytest

from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.verdict import Confidence, Outcome, Scope, Verdict
from kzmitm.report.local_trust import REMOVE, local_trust_text
from kzmitm.report.text import JudgedTarget, explanation, explanation_sentence

FORGED = Verdict(outcome=Outcome.INTERCEPTION, confidence=Confidence.CONFIRMED, scope=Scope.STATE)
OFFICE = Verdict(outcome=Outcome.INTERCEPTION, confidence=Confidence.LIKELY, scope=Scope.MIDDLEBOX)
UNSURE = Verdict(outcome=Outcome.INCONCLUSIVE, confidence=None)


def trust(*applications: str, accepted=True, root=b"r", origins=("user",)):
    return LocalTrust(
        leaf_sha256="",
        accepted=accepted,
        root=root,
        origins=origins,
        applications=applications,
        stores_read=12,
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            trust(accepted=False, root=b""),
            "no program would have accepted it without a warning (12 trust stores were read)",
        ),
        (
            trust(accepted=None, root=b""),
            "not every trust store could be read, so it is not known what programs accept",
        ),
        (
            trust("Firefox", "Java"),
            "accepted locally: Firefox, Java would have accepted it without a warning",
        ),
        (
            trust(*"ABCDEF"),
            "accepted locally: A, B, C, D, 2 more would have accepted it without a warning",
        ),
        (trust(), "accepted locally: a program would have accepted it without a warning"),
        (
            trust("Firefox", accepted=False),
            "Firefox trusts its root, but would have warned of its name or its dates",
        ),
    ],
)
def test_what_is_said(value, said):
    assert local_trust_text(value) == said
    judged = JudgedTarget(target="video.test", verdict=FORGED, local_trust=value)
    assert explanation_sentence(judged).endswith(f" On this computer: {said}.")
    assert f"On this computer: {said}" in list(map(str, explanation(judged)))


def test_names_of_strangers_are_made_harmless():
    assert "\x1b" not in local_trust_text(trust("Fire\x1b[31mfox"))


@pytest.mark.parametrize(
    ("verdict", "value", "told"),
    [
        (FORGED, trust("Firefox"), True),
        (FORGED, trust("Firefox", origins=("vendor",)), False),
        (OFFICE, trust("Firefox"), False),
        (FORGED, trust(accepted=False, root=b""), False),
        (FORGED, None, False),
        (UNSURE, trust("Firefox"), False),
    ],
)
def test_a_root_that_hides_a_forgery_is_to_be_removed_first(verdict, value, told):
    lines = list(map(str, explanation(JudgedTarget(target="a.test", verdict=verdict, local_trust=value))))
    assert any(REMOVE in line for line in lines) is told
    if told:
        assert lines[lines.index("What to do next:") + 1] == f"  1. {REMOVE}"
