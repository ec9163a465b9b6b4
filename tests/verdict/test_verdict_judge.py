"""The judge of a run: memory, settling, and what a run teaches."""

from datetime import timedelta

import pytest
from verdict_world import (
    AV_CA,
    AV_DER,
    CACHE,
    HOST,
    NOW,
    cut,
    dns,
    facts_of,
    genuine,
    handshake,
    measured,
    registry,
    self_signed,
    store,
    under,
    unknown,
)

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Role
from kzmitm.model.verdict import Confidence, Outcome, Scope
from kzmitm.verdict import context as context_module
from kzmitm.verdict import judge as judge_module
from kzmitm.verdict.judge import Judge


def judge(**options):
    return Judge(registry=registry(), store=store(), **options)


def forged(host):
    return measured(handshake(unknown(host), sni=host), host=host)


def test_a_run_settles_what_one_host_could_not():
    court = judge(cache=CACHE)
    hosts = ("a.test", "b.example", HOST)
    verdicts = [court.verdict(forged(host), NOW) for host in hosts]
    assert [v.outcome for v in verdicts] == [Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE, Outcome.INTERCEPTION]
    settled = court.settle()
    assert {s.facts.hostname for s in settled} == {"a.test", "b.example"}
    assert {s.verdict.outcome for s in settled} == {Outcome.INTERCEPTION}
    assert {s.verdict.scope for s in settled} == {Scope.MIDDLEBOX}
    assert [s.before for s in settled] == verdicts[:2]
    assert court.settle() == ()


def test_intermediates_of_trusted_chains_complete_others():
    court = judge()
    short = measured(handshake(genuine()[:1]))
    first = court.verdict(short, NOW)
    assert first.outcome is Outcome.INCONCLUSIVE
    court.verdict(measured(handshake(genuine("fine.test"), sni="fine.test"), host="fine.test"), NOW)
    (settled,) = court.settle()
    assert settled.verdict.outcome is Outcome.ORIGIN_MISCONFIGURED
    assert "origin.missing_intermediate" in settled.verdict.rule_ids
    assert len(court.intermediates) == 1


def test_facts_count_nothing_and_are_remembered():
    court = judge()
    measurement = forged(HOST)
    facts = court.facts(measurement, NOW)
    assert court.facts(measurement, NOW) is facts
    assert court.facts(measurement, NOW + timedelta(days=1)) is not facts
    assert court.context.targets == 0
    court.verdict(measurement, NOW)
    assert court.context.targets == 1


def test_follow_ups_are_the_judges_business():
    court = judge()
    facts = court.facts(forged(HOST), NOW)
    assert court.needs_follow_up(facts)
    assert court.follow_ups(facts, benign_sni=("benign.test",), nonsense_sni="x.invalid")


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(judge_module, "MAX_KEPT", 4)
    monkeypatch.setattr(judge_module, "MAX_INTERMEDIATES", 1)
    monkeypatch.setattr(context_module, "MAX_KEYS", 3)
    court = judge(cache=CACHE)
    for i in range(8):
        host = f"h{i}.s{i}.test"
        court.verdict(measured(handshake(self_signed(host), sni=host), host=host), NOW)
        court.verdict(
            measured(handshake(self_signed("page.test"), sni=host, ip=f"93.184.216.{i}"), host=host), NOW
        )
        court.verdict(measured(handshake(genuine(host), sni=host), host=host), NOW)
    assert len(court._kept) == 4
    assert len(court.intermediates) == 1
    context = court.context
    for name in context_module.RunContext.__slots__ if hasattr(context, "__slots__") else vars(context):
        tally = getattr(context, name)
        if isinstance(tally, context_module._Witnesses):
            assert tally.size <= 3
            assert all(len(names) <= context_module.MAX_NAMES for names in tally._names.values())


def test_a_name_is_witnessed_once_and_only_so_often():
    tally = context_module._Witnesses()
    for i in range(2 * context_module.MAX_NAMES):
        tally.add("key", "one.test")
        tally.add("key", f"h{i}.test")
    assert tally.count("key") == context_module.MAX_NAMES
    assert tally.count("other") == 0


def test_what_was_met_several_times_outlives_what_was_met_once(monkeypatch):
    monkeypatch.setattr(context_module, "MAX_KEYS", 3)
    tally = context_module._Witnesses()
    for name in ("a.test", "b.test"):
        tally.add("interceptor", name)
    for i in range(9):
        tally.add(f"once {i}", "a.test")
    assert (tally.count("interceptor"), tally.count("once 8"), tally.count("once 6")) == (2, 1, 0)
    for key in ("one", "two", "three"):
        tally.add(key, "a.test")
        tally.add(key, "b.test")
    assert [tally.count(key) for key in ("interceptor", "one", "two", "three")] == [0, 2, 2, 2]
    assert tally.size == 3


def test_a_verdict_outlives_a_long_run(monkeypatch):
    """Thousands of strangers in between, and what was said of the interceptor is not taken back."""
    monkeypatch.setattr(context_module, "MAX_KEYS", 4)
    court = judge(cache=CACHE)
    for host in ("a.test", "b.example", HOST):
        verdict = court.verdict(forged(host), NOW)
    assert verdict.outcome is Outcome.INTERCEPTION
    for i in range(9):
        host = f"h{i}.s{i}.test"
        court.verdict(measured(handshake(under(f"CN=CA {i}", AV_DER, host), sni=host), host=host), NOW)
    assert [s.facts.hostname for s in court.settle()] == ["a.test", "b.example"]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [(("a.test",), None), (("a.test", "b.test"), True)],
    ids=["too few", "shared"],
)
def test_shared_keys(hosts, expected):
    court = judge(cache=CACHE)
    for host in hosts:
        chain = under(AV_CA, AV_DER, host, own_key="one for all")
        facts = court.facts(measured(handshake(chain, sni=host), host=host), NOW)
        court.verdict_of(facts)
    assert court.context.shares_key(facts.focus.spki_sha256) is expected
    assert court.context.shares_key(None) is None


def test_keys_of_their_own():
    court = judge(cache=CACHE)
    for host in ("a.test", "b.test"):
        court.verdict(forged(host), NOW)
    assert court.context.shares_key("of another") is False


def test_a_reset_is_kept_for_settling_and_stays_what_it_is():
    court = judge()
    verdict = court.verdict(measured(cut()), NOW)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert court.settle() == ()


def test_the_clock_is_blamed_by_nearly_all_hosts_only():
    court = judge(cache=CACHE)
    late = NOW + timedelta(days=300)
    for host in ("a.test", "b.example"):
        court.verdict(measured(handshake(genuine(host), sni=host), host=host), late)
    third = court.verdict(measured(handshake(genuine()), handshake(genuine(), Role.REPEAT)), late)
    assert third.rule_ids[0] == "clock.every_host_out_of_time"
    assert {s.verdict.outcome for s in court.settle()} == {Outcome.INCONCLUSIVE}


def test_dual_stack_hosts_are_plain():
    facts = facts_of(
        measured(
            handshake(genuine()),
            handshake(genuine(), ip="2606:2800::1"),
            dns("93.184.216.34", "2606:2800::1"),
            dns(engine="doh", failure=Failure.DNS_NO_ANSWER),
        )
    )
    assert facts.is_plain
    assert judge().verdict_of(facts).confidence is None


def test_confidence_is_not_raised_by_repeating_oneself():
    """Judging one measurement twice in a run makes no second witness of it."""
    court = judge(cache=CACHE)
    for _ in range(5):
        verdict = court.verdict(forged(HOST), NOW)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.confidence is not Confidence.LIKELY


def test_the_judge_tells_which_handshake_decided():
    court = judge(cache=CACHE)
    fine, bad = handshake(genuine()), handshake(unknown(), Role.REPEAT)
    facts = court.facts(measured(fine, bad), NOW)
    assert court.verdict_of(facts).outcome is Outcome.INTERCEPTION
    assert court.deciding(facts).observation is bad
    nothing = court.facts(measured(), NOW)
    assert court.deciding(nothing) is None
