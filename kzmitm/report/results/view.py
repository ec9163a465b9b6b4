"""What a report of a scan's result is made from: values that whoever reads the result fills in.

They hold only what the level of the report lets out; nothing here reduces anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kzmitm.model.certificate import Certificate
from kzmitm.model.verdict import Outcome
from kzmitm.report.document import Picture
from kzmitm.report.text import JudgedTarget


class Witness(StrEnum):
    """Where the chain that was expected was seen."""

    CONTROL = "control"
    """At a place that is known to be clean."""
    HERE = "here"
    """In another handshake of the same measurement."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A chain that the name is known to have, leaf first; above the leaf it may be empty."""

    chain: tuple[Certificate, ...]
    witness: Witness
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedTarget:
    """One target. `presented` is empty where the chain was withheld, or none came."""

    judged: JudgedTarget
    hostname: str
    sni: str
    port: str
    """All three as the row has them: they find its measurement."""
    address: str | None = None
    seen_at: datetime | None = None
    tls: str = ""
    """The version that was negotiated, "" if none was."""
    is_proven: bool | None = None
    """Whether the other side proved that it holds the key of the leaf; None if it was not asked."""
    presented: tuple[Certificate, ...] = ()
    expected: Expected | None = None
    location: Picture | None = None
    """Where on the path the interceptor stands, if that was traced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What checking the result found. `is_altered` is None for a scan that did not end: nobody signed it."""

    is_altered: bool | None
    problems: tuple[str, ...] = ()
    bundle_id: str = ""
    key: str = ""
    """Fingerprint of the key that signed."""
    statements: tuple[str, ...] = ()
    """Sentences: whose the signature is, what the proofs show, what timestamps and partners say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """One result as a report tells it."""

    check: Check
    targets: tuple[ReportedTarget, ...] = ()
    """Those that are told one by one, in the order of the scan."""
    outcomes: Mapping[Outcome, int]
    """How often each outcome was reached, of all targets."""
    week: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    is_complete: bool = True
    asn: str = ""
    """`AS9198`, "" if it was not given."""
    network: str = ""
    """The operator of that network by the registry."""
    country: str = ""
    computer: tuple[tuple[str, str], ...] = ()
    """The computer that measured, for its owner alone."""
    versions: tuple[tuple[str, str], ...] = ()
    """What judged: program, rules, registry, roots."""
    is_reduced: bool = False
    """Something was left out, in the result or for this report."""

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    @property
    def reference(self) -> str:
        """The name of the bundle by its content, as its folder has it; "" if it has none."""
        return f"bundle-{self.check.bundle_id[:16]}" if self.check.bundle_id else ""
