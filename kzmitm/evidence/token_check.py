"""What a check of a time stamp comes to (RFC 3161)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TokenStatus(StrEnum):
    """What a token is worth."""

    VALID = "valid"
    """Its signer, under one of the roots, saw these octets at that time."""
    INVALID = "invalid"
    """It is not about these octets, or its signature or chain is wrong."""
    UNCHECKED = "unchecked"
    """Perhaps good, perhaps worthless: something that the check needs is not here."""


class TokenReason(StrEnum):
    """Why a token is not valid. The words are public: never renamed."""

    NONE = ""
    TOO_LARGE = "too_large"
    DAMAGED = "damaged"
    """Cut short, or followed by something else."""
    NOT_GRANTED = "not_granted"
    WRONG_MESSAGE = "wrong_message"
    WRONG_NONCE = "wrong_nonce"
    """An old answer, played again."""
    BAD_SIGNATURE = "bad_signature"
    BAD_CHAIN = "bad_chain"
    """A root of ours issued it, but it does not hold: not at its time, or not for timestamps."""
    UNREADABLE = "unreadable"
    UNKNOWN_ALGORITHM = "unknown_algorithm"
    GRANTED_WITH_MODS = "granted_with_mods"
    """The authority changed something that was asked for; the library does not look at what."""
    NO_LIBRARY = "no_library"
    NO_ROOT = "no_root"
    UNTRUSTED_ROOT = "untrusted_root"
    """It leads to none of the roots: anybody could have made it."""
    OPENTIMESTAMPS = "opentimestamps"
    """Its chain ends in Bitcoin, which is asked with other tools."""


INVALID_REASONS = frozenset(
    (
        TokenReason.TOO_LARGE,
        TokenReason.DAMAGED,
        TokenReason.NOT_GRANTED,
        TokenReason.WRONG_MESSAGE,
        TokenReason.WRONG_NONCE,
        TokenReason.BAD_SIGNATURE,
        TokenReason.BAD_CHAIN,
    )
)
"""With any other reason the token is unchecked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCheck:
    """What was found about a token. With a status other than VALID, `at` and `authority` are mere claims."""

    status: TokenStatus
    at: datetime | None = None
    """genTime, aware UTC."""
    authority: str = ""
    """The signer's subject: text of a stranger; "" where unknown."""
    reason: str = TokenReason.NONE
    said: str = ""
    """What the authority said when it refused: text of a stranger."""
