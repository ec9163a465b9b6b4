"""What a forger does to be missed, and what innocent people do that looks like forging."""

from verdict_world import genuine, handshake, state, verdict_of

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.facts import MAX_VIEWS


def test_many_clean_addresses_hide_no_forged_one():
    clean = [handshake(genuine(own_key=f"{i}"), ip=f"93.184.217.{i}") for i in range(1, MAX_VIEWS + 5)]
    verdict = verdict_of(*clean, handshake(state(), ip="93.184.217.99"))
    assert (verdict.outcome, verdict.confidence) == (Outcome.INTERCEPTION, Confidence.CONFIRMED)
