"""What holds of every measurement, however odd."""

import logging
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_scenarios import SCENARIOS
from verdict_world import (
    AV_CA,
    AV_DER,
    BENIGN,
    EGOV_ROOT,
    EGOV_ROOT_DER,
    FAMILY_CA,
    FAMILY_DER,
    HOST,
    IP,
    NONSENSE,
    OTHER_IP,
    PRIVATE_IP,
    clean_host,
    context_of,
    control_of,
    cut,
    dns,
    facts_of,
    genuine,
    genuine_elsewhere,
    handshake,
    measured,
    refused,
    self_signed,
    state,
    tcp,
    under,
    unknown,
)

from kzmitm.model.failure import Failure
from kzmitm.model.observation import Role, TLSObservation
from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import CODES, EvidenceCode, UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.engine import CRASHED, RULES, judge, judge_every_rule
from kzmitm.verdict.facts import views
from kzmitm.verdict.handshake import State
from kzmitm.verdict.rule import Rule, Tier

HOSTS = {Role.BENIGN_SNI: BENIGN, Role.NONSENSE_SNI: NONSENSE}
FAILURES = (
    Failure.CONNECTION_RESET,
    Failure.GENERIC_TIMEOUT,
    Failure.EOF,
    Failure.SSL_FAILED_HANDSHAKE,
    Failure.PROXY_FAILED,
    "unknown_failure: x",
)


def chains(host):
    return (
        genuine(host),
        genuine(host)[:1],
        genuine(host, days=10),
        genuine("default.test"),
        genuine_elsewhere(host, logged=False),
        state(host),
        unknown(host),
        under(AV_CA, AV_DER, host),
        under(EGOV_ROOT, EGOV_ROOT_DER, host),
        under(FAMILY_CA, FAMILY_DER, host),
        self_signed(host),
        self_signed("page.test"),
        (b"",),
        (b"0\x03\x02\x01", *state(host)),
        (*self_signed(host), *state(host)),
    )


@st.composite
def handshakes(draw, roles=tuple(Role)):
    role = draw(st.sampled_from(roles))
    ip = draw(st.sampled_from((IP, OTHER_IP, PRIVATE_IP)))
    profile = draw(st.sampled_from(("small", "browser")))
    engine = draw(st.sampled_from(("kzmitm", "openssl")))
    match draw(st.integers(0, 5)):
        case 0:
            return cut(draw(st.sampled_from(FAILURES)), role, ip=ip, profile=profile, engine=engine)
        case 1:
            return refused(draw(st.sampled_from((40, 112))), role, ip=ip, profile=profile, engine=engine)
        case _:
            return handshake(
                draw(st.sampled_from(chains(HOSTS.get(role, HOST)))),
                role,
                ip=ip,
                profile=profile,
                engine=engine,
                verified=draw(st.sampled_from((True, True, True, None, False))),
                failure=draw(st.sampled_from((None, None, None, Failure.CONNECTION_RESET))),
            )


LOOKUPS = st.builds(
    lambda ips, engine, failure: dns(*([] if failure else ips), engine=engine, failure=failure),
    st.lists(st.sampled_from((IP, OTHER_IP, PRIVATE_IP, "not an address")), max_size=2),
    st.sampled_from(("getaddrinfo", "udp", "doh")),
    st.sampled_from((None, None, Failure.DNS_NXDOMAIN, Failure.DNS_SERVFAIL)),
)
CONNECTS = st.builds(tcp, st.sampled_from((None, *FAILURES[:3])), st.sampled_from((IP, OTHER_IP)))
CONTROLS = st.sampled_from(
    (
        {},
        control_of(genuine()),
        control_of(genuine(), ips=(OTHER_IP,)),
        control_of(self_signed()),
        control_of(state()),
        control_of(unknown(own_key="another")),
        control_of(failures=(Failure.GENERIC_TIMEOUT,), ips=()),
        control_of((b"junk",), ()),
    )
)
BEFORE = st.lists(
    st.sampled_from(
        (
            clean_host(),
            facts_of(measured(handshake(unknown("a.test"), sni="a.test"), host="a.test")),
            facts_of(measured(handshake(unknown("b.example"), sni="b.example"), host="b.example")),
            facts_of(
                measured(handshake(self_signed("page.test"), sni="a.test", ip=PRIVATE_IP), host="a.test")
            ),
        )
    ),
    max_size=4,
)


@st.composite
def runs(draw):
    observations = [*draw(st.lists(handshakes(), max_size=6)), *draw(st.lists(LOOKUPS, max_size=3))]
    observations += draw(st.lists(CONNECTS, max_size=2))
    offset = draw(st.sampled_from((None, 0.0, 3e7, -3e7, 1e300, float("inf"), float("nan"))))
    facts = facts_of(measured(*observations, offset=offset), draw(CONTROLS))
    return facts, context_of(*draw(BEFORE), facts)


@settings(max_examples=150, deadline=None)
@given(runs(), st.randoms(use_true_random=False))
def test_a_verdict_of_every_run(run, rng):
    facts, context = run
    verdict = judge(facts, context)
    assert verdict == judge_every_rule(facts, context), "the short way"
    shuffled = list(RULES)
    rng.shuffle(shuffled)
    assert verdict == judge(facts, context, shuffled), "the order of rules"
    assert set(verdict.undecided) <= set(UndecidedCode)
    assert {entry.evidence for entry in verdict.ruled_out} <= set(EvidenceCode)
    assert len({entry.cause for entry in verdict.ruled_out}) == len(verdict.ruled_out)
    assert len(set(verdict.rule_ids)) == len(verdict.rule_ids) > 0
    assert not any(rule_id.endswith(CRASHED) for rule_id in verdict.rule_ids)
    assert len(facts.failures) == len(facts.measurement.tls)


@settings(max_examples=80, deadline=None)
@given(runs())
def test_clean_means_a_trusted_handshake_and_none_that_is_not(run):
    facts, context = run
    verdict = judge(facts, context)
    states = {view.state for view in views(facts)}
    if verdict.outcome is Outcome.CLEAN:
        assert State.TRUSTED in states
        assert states.isdisjoint({State.UNTRUSTED, State.UNPROVEN})
        assert (verdict.confidence, verdict.ruled_out, verdict.undecided) == (None, (), ())
    if verdict.outcome is Outcome.INTERCEPTION:
        assert verdict.scope is not None
        assert verdict.labels
        assert verdict.confidence is not None
    if verdict.outcome is Outcome.INCONCLUSIVE:
        assert verdict.confidence is None


@settings(max_examples=80, deadline=None)
@given(runs())
def test_the_highest_tier_decides(run):
    facts, context = run
    tiers = {rule.id: rule for rule in RULES}
    for view in views(facts):
        verdict = judge_every_rule(replace(view, others=()), context)
        fired = [tiers[rule_id] for rule_id in verdict.rule_ids]
        top = [rule for rule in fired if rule.tier is max(rule.tier for rule in fired)]
        assert fired[: len(top)] == top
        outcomes = {rule.outcome for rule in top}
        assert verdict.outcome is (outcomes.pop() if len(outcomes) == 1 else Outcome.INCONCLUSIVE)


@settings(max_examples=80, deadline=None)
@given(st.lists(handshakes(), min_size=1, max_size=5), st.lists(LOOKUPS, max_size=2), CONTROLS)
def test_less_evidence_never_makes_clean(observations, lookups, control):
    """Taking away follow-ups, lookups and the control turns no inconclusive or intercepted target clean."""
    first = handshake(unknown())
    whole = facts_of(measured(first, *observations, *lookups), control)
    assert judge(whole, context_of(whole)).outcome is not Outcome.CLEAN
    for i in range(len(observations)):
        fewer = observations[:i] + observations[i + 1 :]
        less = facts_of(measured(first, *fewer, *lookups[:1]))
        assert judge(less, context_of(less)).outcome is not Outcome.CLEAN


@settings(max_examples=80, deadline=None)
@given(st.lists(handshakes(), max_size=6), st.lists(LOOKUPS, max_size=2), BEFORE)
def test_a_known_key_is_never_outvoted(observations, lookups, before):
    """Without a control nothing talks a proven chain of a known interception key away."""
    others = [o for o in observations if o.role is not Role.CONTROL and not _holds_state_key(o)]
    facts = facts_of(measured(handshake(state(), ip="93.184.216.77"), *others, *lookups))
    verdict = judge(facts, context_of(*before, facts))
    assert (verdict.outcome, verdict.confidence) == (Outcome.INTERCEPTION, Confidence.CONFIRMED)
    assert "known_ca.signed" in verdict.rule_ids


def _holds_state_key(observation: TLSObservation) -> bool:
    return state()[0] in observation.presented_chain


# Rules made to order


def made(rule_id, tier, outcome, confidence=None, *, fires=True):
    return Rule(rule_id, tier, outcome, confidence, (), lambda _facts, _context: fires)


TRUSTED = facts_of(measured(handshake(genuine())))


def test_a_contradiction_in_the_top_tier_is_inconclusive_with_both_ids():
    rules = [
        made("a.one", Tier.CONTRAST, Outcome.INTERCEPTION, Confidence.LIKELY),
        made("b.two", Tier.CONTRAST, Outcome.ORIGIN_MISCONFIGURED),
        made("c.three", Tier.BASELINE, Outcome.CLEAN),
    ]
    verdict = judge(TRUSTED, RunContext(), rules)
    assert (verdict.outcome, verdict.confidence) == (Outcome.INCONCLUSIVE, None)
    assert verdict.rule_ids == ("a.one", "b.two", "c.three")


def test_the_strongest_confidence_of_those_that_agree():
    rules = [
        made("a.one", Tier.CONTRAST, Outcome.INTERCEPTION, Confidence.SUSPECTED),
        made("b.two", Tier.CONTRAST, Outcome.INTERCEPTION, Confidence.LIKELY),
    ]
    assert judge(TRUSTED, RunContext(), rules).confidence is Confidence.LIKELY


def test_no_rule_no_verdict():
    verdict = judge(TRUSTED, RunContext(), [made("a.one", Tier.MASK, Outcome.CLEAN, fires=False)])
    assert (verdict.outcome, verdict.rule_ids) == (Outcome.INCONCLUSIVE, ())


def test_a_crash_is_noted_and_nothing_is_clean_after_it(caplog):
    def crash(facts, context):
        raise RuntimeError("on purpose")

    rules = [
        Rule("a.broken", Tier.ARTEFACT, Outcome.INTERCEPTION, None, (), crash),
        made("b.clean", Tier.BASELINE, Outcome.CLEAN),
    ]
    with caplog.at_level(logging.ERROR):
        verdict = judge(TRUSTED, RunContext(), rules)
    assert "a.broken" in caplog.text
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.rule_ids == ("b.clean", "a.broken:crashed")
    assert UndecidedCode.RULE_FAULT in verdict.undecided


def test_codes_are_unique():
    assert len(CODES) == len(EvidenceCode) + len(UndecidedCode) - len(set(EvidenceCode) & set(UndecidedCode))


@pytest.mark.parametrize("name", SCENARIOS)
def test_views_change_nothing_but_the_focus(name):
    """The same measurement with its handshakes in another order has the same outcome."""
    facts, context = SCENARIOS[name].prepare()
    verdict = judge(facts, context)
    shuffled = list(facts.measurement.tls)
    random.Random(7).shuffle(shuffled)
    again = facts_of(replace(facts.measurement, tls=tuple(shuffled)), now=facts.now)
    if not facts.control.is_known:
        assert judge(again, context).outcome is verdict.outcome
