"""What kind of failure a failure string is; OONI's strings of all ages (df-007, and what came before)."""

from enum import StrEnum
from functools import lru_cache

from kzmitm.model.failure import Failure


class Kind(StrEnum):
    NONE = "none"
    CERTIFICATE = "certificate"
    """A chain came and was refused."""
    CUT = "cut"
    """The network, or whoever speaks for it, ended the handshake; also what came instead of TLS."""
    OURS = "ours"
    """Ended on the probe's side; says nothing."""


CERTIFICATE = frozenset(
    {Failure.SSL_INVALID_HOSTNAME, Failure.SSL_UNKNOWN_AUTHORITY, Failure.SSL_INVALID_CERTIFICATE}
)
_VERIFICATION = ("certificate verify failed", "failed to verify certificate", "x509:")
"""In the failures of Measurement Kit (OpenSSL's words) and in those that OONI does not map (Go's words)."""
_OURS = frozenset({Failure.INTERRUPTED, "connection_already_closed", "unknown_failure: context canceled"})


@lru_cache(maxsize=4096)
def kind_of(failure: str) -> Kind:
    """The kind of a failure string, "" being none."""
    if not failure:
        return Kind.NONE
    word = failure.partition(" ")[0]  # Measurement Kit put OpenSSL's behind it once
    if word in CERTIFICATE or any(each in failure for each in _VERIFICATION):
        return Kind.CERTIFICATE
    return Kind.OURS if failure in _OURS else Kind.CUT
