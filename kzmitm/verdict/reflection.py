"""What an answer to a foreign name means, and what the servers of a network say together. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kzmitm.model.matrix import AnswerKind, Reading
from kzmitm.model.reflection import Fitness, NameOutcome, NetworkSummary, ReflectorResult
from kzmitm.pki.records import Network

CUTS = frozenset({AnswerKind.RESET, AnswerKind.CLOSED, AnswerKind.SILENCE})
_UNHEARD = frozenset({AnswerKind.SILENCE, AnswerKind.NO_CONNECTION, AnswerKind.FAULT})
"""What a server that is down does to every name."""
_ANSWERS = frozenset({AnswerKind.CERTIFICATE, AnswerKind.ALERT})


def is_answered(reading: Reading) -> bool:
    """Somebody spoke TLS."""
    return reading.kind in _ANSWERS


def outcome_of(reading: Reading, *, own: Reading, control: Reading) -> NameOutcome:
    """What the answer to a watched name means beside those to the server's own and to the control name.

    A cut is BLOCKED only if the control name is answered; ask it once more before believing it.
    """
    if reading.kind is AnswerKind.CERTIFICATE:
        shown_to_others = reading.leaf_sha256 in (own.leaf_sha256, control.leaf_sha256)
        # Some servers make a certificate for every name themselves.
        makes_its_own = control.vouched is False and control.issuer == reading.issuer
        innocent = reading.vouched or shown_to_others or makes_its_own
        return NameOutcome.UNAFFECTED if innocent else NameOutcome.FORGED
    if reading.kind is AnswerKind.ALERT:
        return NameOutcome.UNAFFECTED if is_answered(control) else NameOutcome.NOT_TOLD
    if reading.kind in CUTS and is_answered(control):
        return NameOutcome.BLOCKED
    if reading.kind is control.kind and reading.kind not in _UNHEARD:
        return NameOutcome.UNAFFECTED  # the server treats every foreign name so
    return NameOutcome.NOT_TOLD


def fitness_of(reading: Reading, *, is_trusted: bool) -> Fitness:
    """Whether a server can be measured with, by the answer to its own name."""
    if reading.kind is not AnswerKind.CERTIFICATE:
        return Fitness.NO_ANSWER
    return Fitness.FIT if is_trusted else Fitness.NOT_VALID


def by_network(
    results: Iterable[ReflectorResult], networks: Mapping[int, Network]
) -> tuple[NetworkSummary, ...]:
    """One summary for each autonomous system, the one with most intercepted servers first."""
    grouped: dict[int, list[ReflectorResult]] = defaultdict(list)
    for result in results:
        grouped[result.reflector.asn].append(result)
    summaries = [
        _summary(asn, networks[asn].name if asn in networks else "", members)
        for asn, members in grouped.items()
    ]
    return tuple(sorted(summaries, key=lambda each: (-each.intercepted, -each.fit, each.asn)))


def _summary(asn: int, name: str, members: Sequence[ReflectorResult]) -> NetworkSummary:
    forged = Counter(
        each.sni for result in members for each in result.names if each.outcome is NameOutcome.FORGED
    )
    return NetworkSummary(
        asn=asn,
        name=name,
        reflectors=len(members),
        fit=sum(result.fitness is Fitness.FIT for result in members),
        intercepted=_count(members, NameOutcome.FORGED),
        blocked=_count(members, NameOutcome.BLOCKED),
        forged_names=tuple(sorted(forged.items(), key=lambda item: (-item[1], item[0]))),
    )


def _count(members: Iterable[ReflectorResult], outcome: NameOutcome) -> int:
    return sum(any(each.outcome is outcome for each in result.names) for result in members)
