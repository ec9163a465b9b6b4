"""Whether a vantage still carries: its own failures in a row, told apart from those of targets."""

from dataclasses import dataclass

from kzmitm.model.failure import Failure
from kzmitm.model.measurement import Measurement
from kzmitm.scan.proving import VantageProof

DOWN_AFTER = 5
"""Failures of the link itself in a row: a proxy that is restarted loses what was under way, not more."""

DOUBTFUL_AFTER = 25
"""Targets in a row that nothing was heard of: lists have dead names, and these do not come in such rows."""


@dataclass(slots=True)
class LinkHealth:
    """Counts for one vantage. It is down until it is proven anew, as a dead one tells nothing of targets."""

    down_after: int = DOWN_AFTER
    doubtful_after: int = DOUBTFUL_AFTER
    failures: int = 0
    """Of the link itself, in a row."""
    silences: int = 0
    """Targets in a row without any answer, whosever fault it is."""
    is_down: bool = False

    @property
    def is_doubtful(self) -> bool:
        """It should be proven before it is believed that so many targets are silent."""
        return self.is_down or self.silences >= self.doubtful_after

    def note(self, measurement: Measurement) -> None:
        """Take what a measurement through the vantage tells of it. Controls from elsewhere do not count."""
        if is_link_failure(measurement):
            self.failures += 1
            self.silences += 1
        elif _was_answered(measurement):
            self.failures = self.silences = 0
        else:
            if measurement.tcp:
                self.failures = 0  # the link said what became of the target: it did its work
            self.silences += 1
        self.is_down = self.is_down or self.failures >= self.down_after

    def note_proof(self, proof: VantageProof) -> None:
        """A proof decides: it is up again if it is usable, and down if not."""
        self.is_down = not proof.is_usable
        if proof.is_usable:
            self.failures = self.silences = 0


def is_link_failure(measurement: Measurement) -> bool:
    """The link failed, and says nothing of the target: the measurement is worth repeating."""
    handshakes = [o for o in measurement.tls if not o.vantage_id]
    if any(o.presented_chain for o in handshakes):
        return False
    parts = (handshakes, measurement.tcp, measurement.dns)
    return any(o.failure == Failure.PROXY_FAILED for part in parts for o in part)


def _was_answered(measurement: Measurement) -> bool:
    return any(o.failure is None for o in measurement.tcp)
