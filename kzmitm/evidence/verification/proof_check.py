"""Whether the servers that were measured held the keys of the certificates that they presented.

A chain alone proves nothing, since anybody can copy one. A signature over our own nonce does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Role, TLSObservation
from kzmitm.model.verdict import Outcome
from kzmitm.wire.proof import verify_proof

_JUDGED = frozenset({Role.FIRST, Role.REPEAT, Role.OTHER_HELLO})
"""Handshakes that are alike; other names, addresses and vantages may get the genuine certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofCheck:
    """Handshakes in which a forged certificate was presented, and all others."""

    intercepted: int = 0
    """With intercepted targets by their own names, at the address that was judged."""
    intercepted_proven: int = 0
    """Those in which the leaf's key signed our nonce, as was just found again."""
    others: int = 0
    others_proven: int = 0
    invalid: int = 0
    """Said to be proven, and not."""
    withheld: bool = False
    """The measurements are not there to be checked."""


class ProofCount:
    """Counts while the measurements pass by."""

    def __init__(self) -> None:
        self._presented = [0, 0]
        self._proven = [0, 0]
        self._invalid = 0
        self._any = False

    def add(self, measurement: Measurement, row: Mapping[str, Any] | None) -> str:
        """Check the proofs of a measurement; which handshake's does not verify, "" if none."""
        self._any = True
        is_intercepted = row is not None and row.get("outcome") == Outcome.INTERCEPTION
        broken = ""
        for number, observation in enumerate(measurement.tls, 1):
            if not observation.presented_chain:
                continue
            kind = is_intercepted and observation.role in _JUDGED
            self._presented[kind] += 1
            found = _holds(observation)
            self._proven[kind] += found is True
            if found is False:
                self._invalid += 1
                broken = broken or f"handshake {number}"
        return broken

    def result(self) -> ProofCheck:
        return ProofCheck(
            intercepted=self._presented[1],
            intercepted_proven=self._proven[1],
            others=self._presented[0],
            others_proven=self._proven[0],
            invalid=self._invalid,
            withheld=not self._any,
        )


def _holds(observation: TLSObservation) -> bool | None:
    """True if the signature verifies, False if it should and does not, None if nothing is claimed."""
    proof = observation.proof
    if proof is None:
        return None
    found = verify_proof(proof, observation.presented_chain[0])
    if found:
        return True
    return False if proof.verified and found is False else None
