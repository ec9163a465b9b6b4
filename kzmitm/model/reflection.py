"""Measuring from outside: servers in a country, asked for names not their own (Raman et al., IMC 2020)."""

from dataclasses import dataclass
from enum import StrEnum

from kzmitm.model.target import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflector:
    """A server that is asked; `asn` is 0 where the list does not say."""

    hostname: str
    port: int = 443
    address: str | None = None
    asn: int = 0

    def __str__(self) -> str:
        return self.hostname if self.port == 443 else f"{self.hostname}:{self.port}"


class Fitness(StrEnum):
    """Whether a server can be measured with."""

    FIT = "fit"
    NOT_FOUND = "not_found"
    """It has no address."""
    NO_ANSWER = "no_answer"
    """No certificate came for its own name."""
    NOT_VALID = "not_valid"
    """Its own certificate is not publicly valid: in 2019 such servers were left alone by the interceptor."""
    LOST = "lost"
    """It answered at first, and then no more."""
    NOT_ASKED = "not_asked"
    """It was stopped before."""


class NameOutcome(StrEnum):
    """What came of one name at one server."""

    FORGED = "forged"
    """A certificate that no public authority vouches for, and that the server shows to no other name."""
    UNAFFECTED = "unaffected"
    """As for the control name."""
    BLOCKED = "blocked"
    """Cut off, while the control name is answered before and after."""
    NOT_TOLD = "not_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameResult:
    """One name at one server; `chain` is the forged one, DER in the order presented."""

    sni: str
    outcome: NameOutcome
    kind: str
    """How the last hello was answered (`AnswerKind`)."""
    failure: str | None = None
    asked: int = 1
    """How often; a forgery is looked at twice."""
    chain: tuple[bytes, ...] = ()
    authority: str | None = None
    """Id of the registry's authority that it is attributed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectorResult:
    """One server: whether it was fit, and what came of each name."""

    reflector: Reflector
    fitness: Fitness
    endpoint: Endpoint | None = None
    control_kind: str | None = None
    """How the control name was answered."""
    names: tuple[NameResult, ...] = ()
    is_complete: bool = True
    """Every name was asked that was to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSummary:
    """One autonomous system: how many servers there were, were fit, and behind an interceptor or a filter."""

    asn: int
    name: str
    reflectors: int = 0
    fit: int = 0
    intercepted: int = 0
    """Servers at which any name was forged."""
    blocked: int = 0
    forged_names: tuple[tuple[str, int], ...] = ()
    """Names with the number of servers at which they were forged, the commonest first."""
