"""What would decide a case, or raise the confidence of its verdict: only tests that were not made yet."""

from collections.abc import Callable, Iterator, Mapping

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import MIN_HOSTS, RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import State
from kzmitm.verdict.labels import NETWORK_CUTS

_BY_NETWORK = frozenset({Outcome.INTERCEPTION, Outcome.BLOCKED, Outcome.DNS_HIJACK})
"""Surer once another network shows the same, or not."""
_BY_CONTROL = _BY_NETWORK | {Outcome.ORIGIN_MISCONFIGURED}
"""Surer once a clean place is asked."""


def undecided(
    outcome: Outcome,
    confidence: Confidence | None,
    asked: tuple[UndecidedCode, ...],
    facts: Facts,
    context: RunContext,
) -> tuple[UndecidedCode, ...]:
    """Codes in the order of their worth: what the deciding rules ask for, then what was not tried."""
    if confidence is Confidence.CONFIRMED or outcome is Outcome.CLEAN:
        return ()
    if UndecidedCode.CONNECTION in asked:
        return (UndecidedCode.CONNECTION,)  # nothing else can be tried without it
    codes = [code for code in asked if not _was_tried(code, facts, context)]
    if outcome is Outcome.INCONCLUSIVE or confidence is Confidence.SUSPECTED:
        codes += _untried(facts, context)
    if outcome in _BY_CONTROL and not _has_control(facts):
        codes.append(UndecidedCode.CONTROL)
    if outcome in _BY_NETWORK:
        codes.append(UndecidedCode.SECOND_NETWORK)
    return tuple(dict.fromkeys(codes))


def _was_tried(code: UndecidedCode, facts: Facts, context: RunContext) -> bool:
    """A test that was made is not asked for again, whatever came of it."""
    test = _TRIED.get(code)
    return test is not None and test(facts, context)


def _has_control(facts: Facts) -> bool:
    return facts.control.is_known and not facts.control.is_stale


def _has_clock(facts: Facts, context: RunContext) -> bool:
    """Witnesses agree with our clock, or, without any, other hosts are fine at this time.

    For a leaf from the future they say nothing: a late clock leaves older certificates valid.
    """
    if facts.clock_is_off is not None:
        return facts.clock_is_off is False
    return context.trusted > 0 and not (facts.focus is not None and facts.focus.is_early)


def _has_encrypted_dns(facts: Facts, _context: RunContext) -> bool:
    return facts.address.is_given or bool(facts.resolved.doh_ips) or facts.resolved.doh_denies


_TRIED: Mapping[UndecidedCode, Callable[[Facts, RunContext], bool]] = {
    UndecidedCode.CONTROL: lambda facts, _: _has_control(facts),
    UndecidedCode.BENIGN_SNI: lambda facts, _: bool(facts.contrast.benign),
    UndecidedCode.REPEAT: lambda facts, _: bool(facts.contrast.repeats),
    UndecidedCode.OTHER_HELLO: lambda facts, _: bool(facts.contrast.other_hellos),
    UndecidedCode.OTHER_ADDRESS: lambda facts, _: bool(facts.contrast.other_addresses),
    UndecidedCode.SECOND_ENGINE: lambda facts, _: facts.second_engine_agrees is not None,
    UndecidedCode.ENCRYPTED_DNS: _has_encrypted_dns,
    UndecidedCode.CLOCK: _has_clock,
    UndecidedCode.LOCAL_ROOTS: lambda facts, _: facts.local_trust is not None and facts.local_trust.is_known,
}
"""The other codes cannot be tried from here."""


def _untried(facts: Facts, context: RunContext) -> Iterator[UndecidedCode]:
    wanted: list[UndecidedCode] = []
    focus = facts.focus
    if focus is None:
        wanted = [UndecidedCode.CONTROL]
        wanted += [UndecidedCode.ENCRYPTED_DNS] if not facts.measurement.tcp else []
    elif facts.is_interrupted:
        wanted = [UndecidedCode.REPEAT]
    elif focus.state is State.UNTRUSTED:
        wanted = [
            UndecidedCode.CONTROL,
            UndecidedCode.BENIGN_SNI,
            UndecidedCode.OTHER_ADDRESS,
            UndecidedCode.ENCRYPTED_DNS,
        ]
    elif focus.state in (State.FAILED, State.CUT):
        wanted = [UndecidedCode.CONTROL, UndecidedCode.BENIGN_SNI, UndecidedCode.REPEAT]
        if focus.observation.failure not in NETWORK_CUTS:
            wanted += [UndecidedCode.OTHER_HELLO, UndecidedCode.SECOND_ENGINE]
    yield from (code for code in wanted if not _was_tried(code, facts, context))
    if focus is not None and focus.state is State.UNTRUSTED and context.targets < MIN_HOSTS:
        yield UndecidedCode.MORE_HOSTS
    if (
        focus is not None
        and facts.is_forged
        and not (focus.is_self_signed or facts.contrast.benign_is_genuine)
        and not _was_tried(UndecidedCode.LOCAL_ROOTS, facts, context)
    ):
        yield UndecidedCode.LOCAL_ROOTS
