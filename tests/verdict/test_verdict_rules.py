"""Every rule: where it fires, where it stays quiet, and what each situation is called."""

import hashlib

import pytest
from verdict_scenarios import NEAR_MISSES, SCENARIOS

from kzmitm.verdict.engine import RULES, RULES_VERSION, judge
from kzmitm.verdict.rule import Tier

IDS = [rule.id for rule in RULES]


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name):
    scenario = SCENARIOS[name]
    verdict = judge(*scenario.prepare())
    assert (verdict.outcome, verdict.confidence) == (scenario.outcome, scenario.confidence)
    assert verdict.rule_ids[: len(scenario.rules)] == tuple(sorted(scenario.rules))


def fired(name):
    return judge(*SCENARIOS[name].prepare()).rule_ids


@pytest.mark.parametrize("rule_id", IDS)
def test_every_rule_fires_and_stays_quiet_somewhere(rule_id):
    deciding = [name for name, scenario in SCENARIOS.items() if rule_id in scenario.rules]
    assert deciding, "no scenario that this rule decides"
    assert rule_id in fired(deciding[0])
    assert rule_id not in fired(NEAR_MISSES[rule_id])


def test_near_misses_are_of_rules_that_exist():
    assert set(NEAR_MISSES) == set(IDS)


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_every_rule_says_why(rule):
    assert rule.predicate.__doc__
    assert rule.id == f"{rule.predicate.__module__.rpartition('.')[2]}.{rule.predicate.__name__}"


def test_ids_are_unique():
    assert len(set(IDS)) == len(IDS)


def test_only_fallbacks_and_baselines_judge_every_handshake():
    """Each state of a handshake has a rule of last resort."""
    assert {rule.id for rule in RULES if rule.tier is Tier.FALLBACK} >= {
        "fallback.untrusted_chain",
        "fallback.no_chain",
        "fallback.cut_after_chain",
        "fallback.nothing_measured",
    }


def test_rules_version_follows_the_rules():
    """A change of ids, tiers, outcomes or confidences asks for a new version here and there."""
    table = "\n".join(f"{r.id} {r.tier.name} {r.outcome} {r.confidence} {r.asks}" for r in RULES)
    digest = hashlib.sha256(table.encode()).hexdigest()[:16]
    assert (RULES_VERSION, digest) == ("1.6", "883d411b4c8a9875")
