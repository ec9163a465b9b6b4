"""What was attached to a bundle after it was signed: timestamps, and signatures of partners."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kzmitm.evidence import layout
from kzmitm.evidence.container import Container
from kzmitm.evidence.damage import Code, Problem
from kzmitm.evidence.opentimestamps import check_proof
from kzmitm.evidence.signing.known_signers import KnownSigners
from kzmitm.evidence.signing.sshsig import PublicKey, SignatureError, verify
from kzmitm.evidence.token_check import TokenReason, TokenStatus
from kzmitm.evidence.verification.bag_check import attestations
from kzmitm.wording import Wording

_LACKING = (TokenReason.NO_LIBRARY, TokenReason.NO_ROOT, TokenReason.UNTRUSTED_ROOT)
"""Why a token that is good may be unchecked: the reader lacks something."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A token; `at` is the time that it vouches for, if it could be checked."""

    file: str
    status: TokenStatus
    at: datetime | None
    authority: str
    reason: str


@dataclass(frozen=True, slots=True)
class Countersignature:
    """A partner's signature that verifies; `known_as` is empty for a key that nobody told us of."""

    file: str
    key: PublicKey
    known_as: str


@dataclass(frozen=True, slots=True)
class Attestations:
    timestamps: tuple[Timestamp, ...] = ()
    countersignatures: tuple[Countersignature, ...] = ()
    problems: tuple[Problem, ...] = ()


def examine_attestations(
    container: Container, *, known: KnownSigners, roots: Callable[[], Sequence[bytes]], now: datetime
) -> Attestations:
    """What was attached; raises DamagedError for a file that cannot be read."""
    stamps: list[Timestamp] = []
    signatures: list[Countersignature] = []
    problems: list[Problem] = []
    for name in attestations(container):
        octets = container.read(name, max_bytes=layout.MAX_ATTESTATION)
        if not layout.is_attestation_of(name, octets):
            problems.append(Problem(Code.FILE_CHANGED, name))
            continue
        if name.endswith(".sig"):
            found = _countersignature(container, name, octets, known, now)
            (signatures if isinstance(found, Countersignature) else problems).append(found)  # type: ignore[arg-type]
            continue
        stamped = container.read(layout.SIGNATURE, max_bytes=layout.MAX_TAG_FILE)
        stamp = _timestamp(name, octets, stamped, roots)
        stamps.append(stamp)
        if stamp.status is TokenStatus.INVALID:
            problems.append(Problem(Code.TIMESTAMP_INVALID, name, stamp.reason))
    return Attestations(tuple(stamps), tuple(signatures), tuple(problems))


def _timestamp(name: str, octets: bytes, stamped: bytes, roots: Callable[[], Sequence[bytes]]) -> Timestamp:
    if name.endswith(".ots"):
        proof = check_proof(octets, stamped)
        return Timestamp(name, proof.status, None, "", proof.reason)
    from kzmitm.evidence.timestamps import check_token  # noqa: PLC0415 (few have one, and it loads much)

    found = check_token(octets, stamped, roots())
    status = found.status
    was_unchecked = name.endswith(".unchecked.tsr")
    if status is TokenStatus.UNCHECKED and not was_unchecked and found.reason not in _LACKING:
        # One that could not be read when it was attached bears another name.
        status = TokenStatus.INVALID
    return Timestamp(name, status, found.at, found.authority, found.reason)


def _countersignature(
    container: Container, name: str, octets: bytes, known: KnownSigners, now: datetime
) -> Countersignature | Problem:
    namespace = layout.COUNTERSIGN_NAMESPACE
    message = container.read(layout.TAG_MANIFEST, max_bytes=layout.MAX_TAG_FILE)
    try:
        key = verify(message, octets, namespace)
    except SignatureError as exc:
        return Problem(Code.COUNTERSIGNATURE_INVALID, name, str(exc))
    partner = layout.plain_attestation(name).removeprefix("attest-").removesuffix(".sig")
    names = known.names_of(key, namespace, now)
    if partner not in names and known.keys_of(partner, namespace, now):
        return Problem(
            Code.COUNTERSIGNER_CHANGED, name, Wording("signed by {fingerprint}", fingerprint=key.fingerprint)
        )
    return Countersignature(name, key, names[0] if names else "")
