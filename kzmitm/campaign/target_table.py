"""Targets of a campaign in little memory, each with a number: a hundred thousand in a few megabytes."""

from array import array
from collections.abc import Iterable, Iterator
from hashlib import sha256
from random import Random

from kzmitm.model.target import Target, parse_target
from kzmitm.wording import Wording

MAX_TARGETS = 10_000_000


class TargetTable:
    """Targets by number, without doubles, in the order in which they came."""

    __slots__ = ("_ends", "_text")

    def __init__(self, targets: Iterable[Target]) -> None:
        seen: set[bytes] = set()
        text = bytearray()
        ends = array("Q")
        for target in targets:
            line = str(target).encode("ascii")
            digest = sha256(line).digest()[:8]
            if digest in seen:
                continue
            seen.add(digest)
            text += line
            ends.append(len(text))
            if len(ends) > MAX_TARGETS:
                raise ValueError(Wording("more than {max_targets} targets", max_targets=MAX_TARGETS))
        self._text = bytes(text)
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> Target:
        start = self._ends[number - 1] if number else 0
        return parse_target(self._text[start : self._ends[number]].decode("ascii"))

    def __iter__(self) -> Iterator[Target]:
        return (self[number] for number in range(len(self)))

    def lines(self) -> bytes:
        """The targets in their order, a line each."""
        lines, start = bytearray(), 0
        for end in self._ends:
            lines += self._text[start:end] + b"\n"
            start = end
        return bytes(lines)

    @property
    def digest(self) -> str:
        """SHA-256 of the targets in their order."""
        return sha256(self._text + self._ends.tobytes()).hexdigest()

    def sampled(self, count: int | None, seed: int) -> "TargetTable":
        """`count` of them, chosen by the seed, in their order; all if that is None or not fewer."""
        if count is None or count >= len(self):
            return self
        chosen = sorted(Random(f"sample {seed}").sample(range(len(self)), count))  # noqa: S311 (not a secret)
        return TargetTable(self[number] for number in chosen)
