"""Rounds over time: first and last seen, what changed, and alarms that do not flicker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.campaign.alarms import alarms, as_document
from kzmitm.campaign.history import Seen, changes, spans
from kzmitm.campaign.share_store import Result


def seen(number, outcome, *, vantage="v", target="t", authority="", at=None, state="done"):
    result = Result(0, state, outcome, "", authority, "c" if authority else "", at or number * 100.0)
    return Seen(number, vantage, target, result)


def rounds(text):
    outcomes = {"i": "interception", "c": "clean", "?": "inconclusive", "b": "blocked"}
    return [
        seen(n, outcomes.get(letter, ""), authority="kz" if letter == "i" else "",
             state="failed" if letter == "x" else "done")
        for n, letter in enumerate(text, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "after", "told"),
    [
        ("cccc", 1, []),
        ("i", 1, [("intercepted", 1)]),
        ("i", 2, []),
        ("ii", 2, [("intercepted", 2)]),
        ("cici", 2, []),
        ("iic", 2, [("intercepted", 2)]),
        ("iicc", 2, [("intercepted", 2), ("free", 4)]),
        ("iiii", 2, [("intercepted", 2)]),
        ("i?i", 2, [("intercepted", 3)]),
        ("ixbi", 2, [("intercepted", 4)]),
        ("iiciicc", 2, [("intercepted", 2), ("free", 7)]),
        ("icic", 1, [("intercepted", 1), ("free", 2), ("intercepted", 3), ("free", 4)]),
    ],
)
def test_a_change_is_told_once_it_stays(text, after, told):
    assert [(alarm.state, alarm.round) for alarm in alarms(rounds(text), after=after)] == told


@given(st.text("ic?xb", max_size=12), st.integers(1, 4))
def test_alarms_of_the_past_stay_as_they_were(text, after):
    """What was told is never told again, and never otherwise, when rounds are added."""
    all_of_it = alarms(rounds(text), after=after)
    for end in range(len(text)):
        earlier = alarms(rounds(text[:end]), after=after)
        assert all_of_it[: len(earlier)] == earlier
    assert len({alarm.id for alarm in all_of_it}) == len(all_of_it)


def test_an_alarm_as_a_document():
    (alarm,) = alarms(rounds("i"), after=1)
    told = as_document(alarm, "camp")
    assert (told["state"], told["authority"], told["campaign"]) == ("intercepted", "kz", "camp")


def test_spans_are_of_interception_only():
    results = [*rounds("ciic"), seen(2, "interception", target="u", authority="", at=50.0)]
    found = spans(results, lambda _seen: "AS1")
    assert set(found["domain"]) == {"t", "u"}
    assert set(found["authority"]) == {"kz", "unknown"}
    span = found["domain"]["t"]
    assert (span.first_round, span.last_round, span.sightings) == (2, 3, 2)
    assert (span.first_at, span.last_at) == (200.0, 300.0)
    assert found["network"]["AS1"].first_at == 50.0


def test_changes_between_two_rounds():
    before = [seen(1, "clean", target="a"), seen(1, "clean", target="b"), seen(1, "blocked", target="c")]
    after = [
        seen(2, "interception", target="a", authority="kz"),
        seen(2, "clean", target="b"),
        seen(2, "", target="c", state="failed"),
        seen(2, "clean", target="d"),
    ]
    found = list(changes(before, after))
    assert [(each.target, each.begins_interception) for each in found] == [
        ("a", True),
        ("c", False),
        ("d", False),
    ]
    assert found[1].after is None
    assert found[2].before is None
