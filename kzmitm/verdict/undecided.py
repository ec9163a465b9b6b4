"""What would decide a case, or raise the confidence of its verdict: only tests that were not made yet."""

from collections.abc import Iterator

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import MIN_HOSTS, RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import State
from kzmitm.verdict.labels import NETWORK_CUTS


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
    codes = [code for code in asked if not _was_tried(code, facts)]
    if outcome is Outcome.INCONCLUSIVE or confidence is Confidence.SUSPECTED:
        codes += _untried(facts, context)
    if outcome is Outcome.INTERCEPTION:
        codes.append(UndecidedCode.SECOND_NETWORK)
    return tuple(dict.fromkeys(codes))


def _was_tried(code: UndecidedCode, facts: Facts) -> bool:
    """A test that was made is not asked for again, whatever came of it."""
    match code:
        case UndecidedCode.CONTROL:
            return facts.control.is_known
        case UndecidedCode.BENIGN_SNI:
            return bool(facts.contrast.benign)
        case UndecidedCode.REPEAT:
            return bool(facts.contrast.repeats)
        case UndecidedCode.OTHER_HELLO:
            return bool(facts.contrast.other_hellos)
        case UndecidedCode.OTHER_ADDRESS:
            return bool(facts.contrast.other_addresses)
        case UndecidedCode.SECOND_ENGINE:
            return facts.second_engine_agrees is not None
        case UndecidedCode.ENCRYPTED_DNS:
            return facts.address.is_given or bool(facts.resolved.doh_ips) or facts.resolved.doh_denies
        case _:
            return False


def _untried(facts: Facts, context: RunContext) -> Iterator[UndecidedCode]:
    wanted: list[UndecidedCode] = []
    focus = facts.focus
    if focus is None:
        wanted = [UndecidedCode.CONTROL, UndecidedCode.ENCRYPTED_DNS]
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
    yield from (code for code in wanted if not _was_tried(code, facts))
    if focus is not None and focus.state is State.UNTRUSTED and context.targets < MIN_HOSTS:
        yield UndecidedCode.MORE_HOSTS
