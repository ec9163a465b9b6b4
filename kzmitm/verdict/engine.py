"""Rules to a verdict, order-free: the highest tier that fired decides, unless it contradicts itself."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import kzmitm.verdict.rules
from kzmitm._registry import discover
from kzmitm.model.target import REFLECTED
from kzmitm.model.verdict import Authority, Confidence, Forger, Outcome, Scope, Verdict
from kzmitm.pki.kinds import INTERCEPTION_KINDS, scope_of
from kzmitm.pki.root_class import RootClass
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import MIN_HOSTS, RunContext
from kzmitm.verdict.exclusion import ruled_out
from kzmitm.verdict.facts import Facts, views
from kzmitm.verdict.handshake import HandshakeFacts, State
from kzmitm.verdict.labels import labels
from kzmitm.verdict.rule import Rule, Tier, rule
from kzmitm.verdict.undecided import undecided

__all__ = ["RULES", "RULES_VERSION", "Rule", "Tier", "judge", "rule"]

logger = logging.getLogger(__name__)

RULES_VERSION = "1.6"
"""Second part: rules were added or changed; first: one was retired. A test pins it to the rules' ids."""

CRASHED = ":crashed"
"""Behind the id of a rule that raised an exception: it counts as not fired."""


def load_rules() -> tuple[Rule, ...]:
    """Every rule of every file in `rules/`, sorted by id."""
    found = {
        entry.id: entry
        for module in discover(kzmitm.verdict.rules)
        for entry in vars(module).values()
        if isinstance(entry, Rule)
    }
    return tuple(found[rule_id] for rule_id in sorted(found))


RULES = load_rules()

_MADE_HERE = frozenset({RootClass.PRODUCT, RootClass.UNKNOWN_LOCAL})
"""Classes of roots that, once they were added to a computer, may be an organisation's."""
_MANAGED = frozenset({"admin", "policy"})
"""Origins of roots (`kzmitm.roots.values.Origin`) that whoever runs the computer put there."""

_OF_ANY_SERVER = frozenset({"attribution", "fallback", "known_ca", "run", "trusted", "unreachable"})
"""Themes that hold whoever's server it is. The others take it for the site's, or for one in its place: they
are left out where a server was asked for names that are not its own."""

_PLAIN_RULE = "trusted.for_this_name"

_CONFIDENCES = (Confidence.CONFIRMED, Confidence.LIKELY, Confidence.SUSPECTED)
"""Strongest first."""


@dataclass(frozen=True, slots=True)
class _Fired:
    """Rules that fired, and ids of those that crashed."""

    rules: tuple[Rule, ...]
    crashed: tuple[str, ...]


def judge(facts: Facts, context: RunContext, rules: Sequence[Rule] = RULES) -> Verdict:
    """What a measurement means in the context of its run. Pure; never raises.

    Every view of the measurement is judged for itself and the gravest verdict stands, so that a clean
    handshake hides no forged one; the ids of all rules that fired anywhere are kept.
    """
    if rules is RULES and facts.is_plain:
        return _plain(facts.registry_version, facts.store_version)
    return judge_every_rule(facts, context, rules)


@lru_cache(maxsize=16)
def _plain(registry_version: str, store_version: str) -> Verdict:
    """The verdict of every plain target: no other rule can fire on one (a test holds this to all of them)."""
    return Verdict(
        outcome=Outcome.CLEAN,
        confidence=None,
        rule_ids=(_PLAIN_RULE,),
        rules_version=RULES_VERSION,
        registry_version=registry_version,
        store_version=store_version,
    )


def judge_every_rule(facts: Facts, context: RunContext, rules: Sequence[Rule] = RULES) -> Verdict:
    """As `judge`, without the short way for plain targets."""
    ranked = _ranked(facts, context, rules)
    worst = ranked[0][0]
    ids = dict.fromkeys(rule_id for verdict, _ in ranked for rule_id in verdict.rule_ids)
    return replace(worst, rule_ids=tuple(ids))


def deciding(facts: Facts, context: RunContext) -> HandshakeFacts | None:
    """The handshake that the verdict of `judge` is about, None if there was none."""
    return _ranked(facts, context, RULES)[0][1].focus if facts.others else facts.focus


def _ranked(facts: Facts, context: RunContext, rules: Sequence[Rule]) -> list[tuple[Verdict, Facts]]:
    """Every view with its verdict, the gravest first."""
    verdicts = [(_judge_view(view, context, rules), view) for view in views(facts)]
    with_chain = any(view.focus is not None and view.focus.chain for _, view in verdicts)
    return sorted(verdicts, key=lambda pair: _gravity(*pair, dead_counts=not with_chain))


_GRAVITY: tuple[Outcome, ...] = (
    Outcome.INTERCEPTION,
    Outcome.CAPTIVE_PORTAL,
    Outcome.DNS_HIJACK,
    Outcome.INCONCLUSIVE,
    Outcome.TRUSTED_UNEXPECTED,
    Outcome.BLOCKED,
    Outcome.ORIGIN_MISCONFIGURED,
    Outcome.UNREACHABLE,
    Outcome.CLEAN,
)
"""Which view speaks for a target, gravest first. Inconclusive before all that is harmless."""


def _gravity(verdict: Verdict, view: Facts, *, dead_counts: bool) -> tuple[bool, int, int]:
    """For sorting. A dead address says little when another shows a chain: it comes last then."""
    without_chain = view.focus is None or not view.focus.chain
    dead = without_chain and verdict.outcome in (Outcome.INCONCLUSIVE, Outcome.UNREACHABLE)
    confidence = _CONFIDENCES.index(verdict.confidence) if verdict.confidence else len(_CONFIDENCES)
    return dead and not dead_counts, _GRAVITY.index(verdict.outcome), confidence


def _judge_view(facts: Facts, context: RunContext, rules: Sequence[Rule]) -> Verdict:
    fired = _fire(facts, context, rules)
    top = max((r.tier for r in fired.rules), default=None)
    deciding = [r for r in fired.rules if r.tier is top]
    outcome, confidence = _decide(deciding)
    if fired.crashed and outcome is Outcome.CLEAN:
        outcome, confidence = Outcome.INCONCLUSIVE, None
    asked = tuple(code for r in deciding for code in r.asks)
    if fired.crashed:
        asked += (UndecidedCode.RULE_FAULT,)
    others = [r for r in fired.rules if r.tier is not top]
    authority = _authority(outcome, facts)
    return Verdict(
        outcome=outcome,
        confidence=confidence,
        scope=_scope(authority, facts, context) if outcome is Outcome.INTERCEPTION else None,
        authority=authority,
        forgers=_forgers(facts, context) if outcome is Outcome.INTERCEPTION else (),
        rule_ids=(*(r.id for r in (*deciding, *others)), *fired.crashed),
        ruled_out=ruled_out(outcome, facts, context),
        undecided=undecided(outcome, confidence, asked, facts, context),
        labels=labels(outcome, facts),
        certificate_failure=_certificate_failure(facts),
        rules_version=RULES_VERSION,
        registry_version=facts.registry_version,
        store_version=facts.store_version,
    )


def _fire(facts: Facts, context: RunContext, rules: Sequence[Rule]) -> _Fired:
    fired, crashed = [], []
    is_reflected = facts.measurement.vantage.kind == REFLECTED
    for one in sorted(rules, key=lambda r: r.id) if rules is not RULES else rules:
        if is_reflected and one.id.partition(".")[0] not in _OF_ANY_SERVER:
            continue
        try:
            if one.predicate(facts, context):
                fired.append(one)
        except Exception:  # one rule's fault must not cost a verdict; it is noted there
            logger.exception("rule %s crashed", one.id)
            crashed.append(one.id + CRASHED)
    return _Fired(tuple(fired), tuple(crashed))


def _decide(deciding: Sequence[Rule]) -> tuple[Outcome, Confidence | None]:
    """The outcome on which the top tier agrees, with its strongest confidence; else INCONCLUSIVE."""
    outcomes = {r.outcome for r in deciding}
    if len(outcomes) != 1:
        return Outcome.INCONCLUSIVE, None
    held = {r.confidence for r in deciding}
    return outcomes.pop(), next((c for c in _CONFIDENCES if c in held), None)


def _authority(outcome: Outcome, facts: Facts) -> Authority | None:
    """The strongest recognised authority, interceptors before state PKIs of equal strength.

    Whoever intercepts, it is none of the harmless ones: these are named where nobody is said to.
    """
    if outcome is Outcome.CLEAN or facts.state is State.UNPROVEN:
        return None
    elsewhere = facts.forged_names if outcome is Outcome.INTERCEPTION else ()
    found = sorted(
        facts.attributions or elsewhere,
        key=lambda a: (_CONFIDENCES.index(a.confidence), a.authority.kind not in INTERCEPTION_KINDS),
    )
    if found or facts.focus is None or outcome not in _OWN_DOING:
        return found[0].authority if found else None
    own = facts.focus.harmless or facts.focus.harmless_claim
    return own.authority if own is not None else None


_OWN_DOING = frozenset({Outcome.ORIGIN_MISCONFIGURED, Outcome.INCONCLUSIVE})


def _scope(authority: Authority | None, facts: Facts, context: RunContext) -> Scope:
    """Whose interceptor: the authority's kind, else a box if it touches every name, else unknown.

    Also a box's if an administrator or a policy put its root here; one that a user added may be a state's,
    who asks people to do so.
    """
    if authority is not None:
        return scope_of(authority.kind)
    focus = facts.focus
    if focus is None or not focus.chain:
        return Scope.UNKNOWN
    every_name = facts.mints_names or context.hosts_signed_by(focus.chain[0]) >= MIN_HOSTS
    trust = facts.local_trust
    managed = facts.local_root_class in _MADE_HERE and trust is not None and _MANAGED & set(trust.origins)
    return (
        Scope.MIDDLEBOX if (every_name or managed) and not facts.contrast.benign_is_genuine else Scope.UNKNOWN
    )


def _forgers(facts: Facts, context: RunContext) -> tuple[Forger, ...]:
    if facts.forgers is None or facts.focus is None:
        return ()
    return facts.forgers[context.shares_key(facts.focus.spki_sha256)]


def _certificate_failure(facts: Facts) -> str | None:
    """OONI's string for the chain; None without one."""
    focus = facts.focus
    return focus.report.failure if focus is not None and focus.report is not None else None
