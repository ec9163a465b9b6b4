"""Timestamps of bundles (RFC 3161): what is asked of an authority, and what its answer is worth.

Stamped are the octets of the bundle's signature; kept is the whole TimeStampResp, so that `openssl ts
-verify` reads it too. What a token says is read by `timestamp_token`; the chain of its signer is the work of
rfc3161-client (the extra `stamp`), which may be absent: then a token can be kept, but not called valid.
"""

import hashlib
import importlib.metadata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from cryptography.x509 import load_der_x509_certificate

from kzmitm.evidence import layout
from kzmitm.evidence.timestamp_token import (
    DIGESTS,
    GRANTED,
    GRANTED_WITH_MODS,
    Response,
    Token,
    anchors_of,
    read_response,
    read_token,
)
from kzmitm.evidence.token_check import INVALID_REASONS, TokenCheck, TokenReason, TokenStatus
from kzmitm.model.certificate import Certificate
from kzmitm.pki import der
from kzmitm.pki.der import DERError

_T = TypeVar("_T")

MAX_TOKEN = layout.MAX_ATTESTATION
"""Octets of a response, 64 KiB: ten times what the authorities in use send with their chains."""

NONCE_OCTETS = 8
"""A nonce of 64 bits, as RFC 3161, 2.4.1 has it."""

LIBRARY = "rfc3161-client"
FLOOR = (1, 0, 9)
"""Older ones put the certificates of the token among the trusted: whoever signed it, it was valid."""

_REQUEST = bytes.fromhex("3043020101 3031300d060960864801650304020105000420")
"""TimeStampReq (RFC 3161, 2.4.1) up to the hash: version 1, SHA-256; then nonce and certReq TRUE."""


@dataclass(frozen=True, slots=True)
class TimestampRequest:
    """A TimeStampReq in DER, and the nonce that its answer must repeat."""

    der: bytes
    nonce: int


class _NotValidError(Exception):
    """The end of a check; only inside this module."""

    def __init__(self, reason: TokenReason, *, said: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.said = said


def is_available() -> bool:
    """True if the library that checks chains is here, and new enough."""
    try:
        version = importlib.metadata.version(LIBRARY)
        import rfc3161_client  # noqa: F401, PLC0415 - an extra; a plain install works without
    except ImportError:
        return False
    numbers = (part for part in version.split(".")[: len(FLOOR)] if part.isdigit())
    return tuple(map(int, numbers)) >= FLOOR


def request_for(stamped: bytes, rng: Callable[[int], bytes]) -> TimestampRequest:
    """The request for a stamp of these octets: their SHA-256, a nonce from `rng`, and the chain with it."""
    octets = rng(NONCE_OCTETS)
    # A first octet of 40 to 7f makes it a positive INTEGER of always the same length.
    nonce = bytes([octets[0] & 0x3F | 0x40]) + octets[1:]
    digest = hashlib.sha256(stamped).digest()
    request = _REQUEST + digest + bytes([der.INTEGER, NONCE_OCTETS]) + nonce + b"\x01\x01\xff"
    return TimestampRequest(request, int.from_bytes(nonce, "big"))


def accept_response(
    request: TimestampRequest, response: bytes, stamped: bytes, roots: Sequence[bytes]
) -> TokenCheck:
    """What an authority's answer to `request` is worth; `roots` in DER. Never raises, whatever it sent."""
    return _checked(response, stamped, roots, request.nonce)


def check_token(token: bytes, stamped: bytes, roots: Sequence[bytes]) -> TokenCheck:
    """What a token that was kept is worth; `roots` in DER. Never raises, whatever the octets.

    Certificates are judged at the time of the stamp (RFC 3161, appendix B), which they need not outlive.
    """
    return _checked(token, stamped, roots, None)


def _checked(octets: bytes, stamped: bytes, roots: Sequence[bytes], nonce: int | None) -> TokenCheck:
    token: Token | None = None
    reason, said = TokenReason.NONE, ""
    try:
        response = _response(octets, stamped)
        token = _token(response)
        _check_claims(token, response, stamped, nonce)
        _check_chain(octets, token, roots)
    except _NotValidError as exc:
        reason, said = exc.reason, exc.said
    status = TokenStatus.INVALID if reason in INVALID_REASONS else TokenStatus.UNCHECKED
    return TokenCheck(
        status=status if reason else TokenStatus.VALID,
        at=token.at if token else None,
        authority=str(token.signer.subject) if token and token.signer else "",
        reason=reason,
        said=said,
    )


def _response(octets: bytes, stamped: bytes) -> Response:
    """The response, which holds a token with a hash of what was stamped somewhere in its octets."""
    if len(octets) > MAX_TOKEN:
        raise _NotValidError(TokenReason.TOO_LARGE)
    is_about_this = any(hashlib.new(name, stamped).digest() in octets for name in DIGESTS.values())
    try:
        response = read_response(octets)
    except DERError:
        if not is_about_this:
            raise _NotValidError(TokenReason.WRONG_MESSAGE) from None
        raise _NotValidError(TokenReason.UNREADABLE if _is_whole(octets) else TokenReason.DAMAGED) from None
    if response.status not in (GRANTED, GRANTED_WITH_MODS):
        raise _NotValidError(TokenReason.NOT_GRANTED, said=response.said)
    if not is_about_this:
        raise _NotValidError(TokenReason.WRONG_MESSAGE)
    return response


def _is_whole(octets: bytes) -> bool:
    """True if these may be one element: the definite length says so, or there is none (X.690, 8.1.3.6)."""
    if octets[:2] == b"\x30\x80":
        return octets.endswith(b"\0\0")
    try:
        der.whole(octets, der.SEQUENCE)
    except DERError:
        return False
    return True


def _token(response: Response) -> Token:
    try:
        return read_token(response.token)
    except DERError:
        raise _NotValidError(TokenReason.UNREADABLE) from None


def _check_claims(token: Token, response: Response, stamped: bytes, nonce: int | None) -> None:
    """What needs no root: the message, the nonce, and the signature by whom it names."""
    name, digest = token.imprint
    if not name or hashlib.new(name, stamped).digest() != digest:
        raise _NotValidError(TokenReason.WRONG_MESSAGE)
    if nonce is not None and token.nonce != nonce:
        raise _NotValidError(TokenReason.WRONG_NONCE)
    if token.is_signature_valid is False:
        raise _NotValidError(TokenReason.BAD_SIGNATURE)
    if token.is_signature_valid is None:
        raise _NotValidError(TokenReason.UNKNOWN_ALGORITHM if token.signer else TokenReason.UNREADABLE)
    if response.status == GRANTED_WITH_MODS:
        raise _NotValidError(TokenReason.GRANTED_WITH_MODS)


def _check_chain(octets: bytes, token: Token, roots: Sequence[bytes]) -> None:
    """What the library says: strict DER, the chain at the time of the stamp, the key purpose."""
    if not is_available():
        raise _NotValidError(TokenReason.NO_LIBRARY)
    import rfc3161_client as rfc3161  # noqa: PLC0415 - an extra

    parsed = _guarded(lambda: rfc3161.decode_timestamp_response(octets), TokenReason.UNREADABLE)
    if not roots:
        raise _NotValidError(TokenReason.NO_ROOT)
    anchors = anchors_of(token, roots)
    if not anchors:
        raise _NotValidError(TokenReason.UNTRUSTED_ROOT)
    # One at a time: of two roots of the same name OpenSSL would try the first only.
    if not any(_holds(rfc3161, parsed, token, anchor) for anchor in anchors):
        raise _NotValidError(TokenReason.BAD_CHAIN)


def _holds(rfc3161: ModuleType, parsed: object, token: Token, anchor: Certificate) -> bool:
    """True if the library verifies the token under this root, at the time of the stamp."""

    def verify() -> bool:
        verifier = rfc3161.VerifierBuilder(roots=[load_der_x509_certificate(anchor.der)]).build()
        return verifier.verify(parsed, token.imprint[1]) is True  # compared with what was stamped before

    try:
        return _guarded(verify, TokenReason.BAD_CHAIN)
    except _NotValidError:
        return False


def _guarded(ask: Callable[[], _T], reason: TokenReason) -> _T:
    """The library's answer; whatever it raises becomes `reason`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd certificates, which are for us to judge
            return ask()
    except BaseException as exc:
        # A panic of its Rust half is no Exception; Ctrl-C is none either, but not the library's.
        if isinstance(exc, Exception) or type(exc).__name__ == "PanicException":
            raise _NotValidError(reason) from exc
        raise
