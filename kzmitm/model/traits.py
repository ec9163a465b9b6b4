"""What an answer shows of the product that gave it, beside its certificates' names and keys."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTraits:
    """Traits of whoever answered. None = could not be told: not asked for, or nothing came.

    `ja3s` is of the hello profile `small` only, as it depends on what was offered. Times are seconds.
    """

    jarm: str | None = None
    ja3s: str | None = None
    shape: str | None = None
    """Of the leaf (docs/certificate-shape.md)."""
    alpn: str | None = None
    """The protocol chosen of `h2` and `http/1.1`; "" if none was, which costs visitors HTTP/2."""
    session_ticket: bool | None = None
    """Whether tickets are given: before TLS 1.3 only, where the ServerHello says so."""
    ocsp_staple: bool | None = None
    embedded_scts: bool | None = None
    """Whether the leaf carries timestamps of CT logs (RFC 6962, 3.3)."""
    accepted: tuple[str, ...] | None = None
    """Versions that were offered alone and taken, in OONI's spelling."""
    refused: tuple[str, ...] | None = None
    """Versions that were offered alone and not taken."""
    connect_s: float | None = None
    """From SYN to SYN-ACK: to whoever ends the TCP connection."""
    answer_s: float | None = None
    """From the hello to the first octets of the answer: with whatever lies behind."""


@dataclass(frozen=True, slots=True)
class TraitMatch:
    """A product that traits are consistent with, and the traits that agree."""

    id: str
    name: str
    agreeing: tuple[str, ...]
