"""The steps of a trace by what was asked and how far it went: what prober and judge both ask of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kzmitm.model.trace import FULL_TTL, HELLO_ANSWERS, Answer, Step, WalkKind

Steps = Mapping[WalkKind, Sequence[Step]]

HELLO_KINDS = (WalkKind.HELLO_CONTROL, WalkKind.HELLO_WATCHED, WalkKind.HELLO_FLOOR)
BESIDE_KINDS = (WalkKind.SYN_CONTROL, WalkKind.UDP)
"""What shows how far the way goes on, whatever is done to the target's port."""


def reached(kind: WalkKind) -> frozenset[Answer]:
    """The answers that come in the target's name."""
    if kind in HELLO_KINDS:
        return HELLO_ANSWERS
    return frozenset({Answer.ARRIVED}) if kind is WalkKind.UDP else frozenset({Answer.OPEN, Answer.REFUSED})


class TraceTable:
    """Looks at steps, which may grow meanwhile. Distances are TTLs below FULL_TTL."""

    def __init__(self, steps: Steps, target_ip: str) -> None:
        self._steps = steps
        self._target_ip = target_ip

    def at(self, kind: WalkKind, ttl: int) -> list[Step]:
        """The steps of one distance."""
        return [step for step in self._steps.get(kind, ()) if step.ttl == ttl]

    def walked(self, kind: WalkKind) -> Iterator[Step]:
        """The steps below full TTL."""
        return (step for step in self._steps.get(kind, ()) if step.ttl < FULL_TTL)

    def nearest(self, kind: WalkKind, answers: Iterable[Answer]) -> int | None:
        """The lowest TTL with one of the answers."""
        wanted = frozenset(answers)
        return min((step.ttl for step in self.walked(kind) if step.answer in wanted), default=None)

    def farthest_expiry(self, kind: WalkKind) -> int:
        """The highest TTL at which a packet is known to have run out, 0 if none is."""
        return max((s.ttl for s in self.walked(kind) if self.is_expiry(s)), default=0)

    def is_expiry(self, step: Step) -> bool:
        """A router said that it ran out there; what a target says of itself counts no hop."""
        return step.answer is Answer.EXPIRED and step.address != self._target_ip

    def has(self, kind: WalkKind, ttl: int, answers: Iterable[Answer]) -> bool:
        """Some step of that distance had one of the answers."""
        wanted = frozenset(answers)
        return any(step.answer in wanted for step in self.at(kind, ttl))

    def answers_fully(self, kind: WalkKind) -> bool:
        """It is answered at full TTL."""
        return self.has(kind, FULL_TTL, reached(kind))

    def is_answered(self, kind: WalkKind, ttl: int) -> bool:
        """It is answered in the target's name at that distance."""
        return self.has(kind, ttl, reached(kind))

    # -- what may be worth proving

    def opening(self) -> int | None:
        """The distance at which connections open."""
        return self.nearest(WalkKind.SYN, {Answer.OPEN})

    def refusal(self) -> int | None:
        """The distance at which they are refused, if none opens anywhere."""
        has_opened = any(step.answer is Answer.OPEN for step in self._steps.get(WalkKind.SYN, ()))
        return None if has_opened else self.nearest(WalkKind.SYN, {Answer.REFUSED})

    def expiry_from(self, kind: WalkKind, ttl: int) -> int | None:
        """The lowest TTL from `ttl` on at which a router said that a packet of this kind ran out."""
        return min((s.ttl for s in self.walked(kind) if s.ttl >= ttl and self.is_expiry(s)), default=None)

    def goes_beyond(self, ttl: int) -> bool:
        """Something other than the target's port is answered farther away, or runs out no nearer."""
        for kind in BESIDE_KINDS:
            end = self.nearest(kind, reached(kind))
            if self.expiry_from(kind, ttl) is not None or (end is not None and end > ttl):
                return True
        return False

    def sign_of_life(self, kinds: Iterable[WalkKind], beyond: int) -> int | None:
        """The lowest TTL above `beyond` at which one of these kinds was heard of."""
        return min(
            (
                step.ttl
                for kind in kinds
                for step in self.walked(kind)
                if step.ttl > beyond and self.is_heard(kind, step)
            ),
            default=None,
        )

    def is_heard(self, kind: WalkKind, step: Step) -> bool:
        """It ran out, or was answered in the target's name."""
        return step.answer is Answer.EXPIRED or step.answer in reached(kind)

    def selective_answer(self) -> int | None:
        """The lowest TTL at which the watched name is answered and the harmless one was not."""
        watched, control = WalkKind.HELLO_WATCHED, WalkKind.HELLO_CONTROL
        distances = sorted({step.ttl for step in self.walked(watched) if step.answer in HELLO_ANSWERS})
        return next((ttl for ttl in distances if not self.is_answered(control, ttl)), None)

    def is_swallowed(self) -> bool:
        """The watched name is never answered, and the harmless one is."""
        watched = self._steps.get(WalkKind.HELLO_WATCHED, ())
        sent = [step for step in watched if step.ttl == FULL_TTL and step.answer is not Answer.UNSENT]
        return (
            self.answers_fully(WalkKind.HELLO_CONTROL)
            and bool(sent)
            and not any(step.answer in HELLO_ANSWERS for step in watched)
            and all(step.answer is Answer.SILENCE for step in sent)
        )
