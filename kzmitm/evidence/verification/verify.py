"""Everything that can be said of a bundle without trusting who gave it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from kzmitm.errors import BundleError
from kzmitm.evidence import layout
from kzmitm.evidence.container import Container, open_container
from kzmitm.evidence.damage import Code, DamagedError, Problem
from kzmitm.evidence.signing.known_signers import KnownSigners
from kzmitm.evidence.signing.sshsig import PublicKey
from kzmitm.evidence.verification.attestation_check import Attestations, examine_attestations
from kzmitm.evidence.verification.bag_check import Bag, examine_bag
from kzmitm.evidence.verification.document_check import examine_documents
from kzmitm.evidence.verification.proof_check import ProofCheck
from kzmitm.wording import Wording, reason_of


class SignerStatus(StrEnum):
    """How much is known of who signed."""

    EXPECTED = "expected"
    """The fingerprint that was asked for."""
    KNOWN = "known"
    OWN = "own"
    """A key of this computer's user."""
    UNKNOWN = "unknown"
    CHANGED = "changed"
    """Another key than asked for, or than known by this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Whose signature verifies: `name` is what it calls itself, `known_as` what we call it."""

    key: PublicKey
    name: str
    status: SignerStatus
    known_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the reader knows beforehand."""

    expected: str = ""
    """A fingerprint, `SHA256:…`."""
    known: KnownSigners = field(default_factory=KnownSigners)
    own: Mapping[str, PublicKey] = field(default_factory=dict)
    """Keys of this user by campaign."""
    roots: Callable[[], Sequence[bytes]] = tuple
    """DER of the roots of timestamp authorities; asked for if there is a timestamp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found. The bundle is unaltered if there is no problem."""

    problems: tuple[Problem, ...]
    bundle_id: str = ""
    level: layout.Level | None = None
    is_folder: bool = False
    is_repacked: bool = False
    withheld: tuple[str, ...] = ()
    signer: Signer | None = None
    attestations: Attestations = field(default_factory=Attestations)
    proof: ProofCheck = field(default_factory=lambda: ProofCheck(withheld=True))

    @property
    def is_unaltered(self) -> bool:
        return not self.problems


def verify_bundle(path: Path, *, trust: Trust, now: datetime) -> Verification:
    """What can be said of the bundle at `path`; raises BundleError if there is none, or it cannot be read.

    `now` decides whether a known signer may sign, and nothing else.
    """
    try:
        container = open_container(path)
    except DamagedError as exc:
        return Verification(problems=(exc.problem,))
    try:
        with container:
            return _verify(container, trust, now)
    except OSError as exc:
        raise BundleError("{path}: cannot be read: {why}", path=path, why=reason_of(exc)) from exc


def _verify(container: Container, trust: Trust, now: datetime) -> Verification:
    found = examine_bag(container)
    signer = _signer(found, trust, now)
    problems = [*found.problems]
    if signer is not None and signer.status is SignerStatus.CHANGED:
        problems.append(
            Problem(
                Code.SIGNER_CHANGED,
                layout.SIGNATURE,
                Wording("signed by {fingerprint}", fingerprint=signer.key.fingerprint),
            )
        )
    attached, proof = Attestations(), ProofCheck(withheld=True)
    if not found.problems:  # else what is inside is nobody's word
        told, proof = examine_documents(container)
        attached = _attached(container, trust, now)
        problems += [*told, *attached.problems]
    return Verification(
        problems=tuple(problems),
        bundle_id=found.bundle_id,
        level=layout.narrowest_level(container.names),
        is_folder=container.is_folder,
        is_repacked=container.is_repacked,
        withheld=found.withheld,
        signer=signer,
        attestations=attached,
        proof=proof,
    )


def _attached(container: Container, trust: Trust, now: datetime) -> Attestations:
    try:
        return examine_attestations(container, known=trust.known, roots=trust.roots, now=now)
    except DamagedError as exc:
        return Attestations(problems=(exc.problem,))


def _signer(found: Bag, trust: Trust, now: datetime) -> Signer | None:
    key = found.key
    if key is None:
        return None
    names = trust.known.names_of(key, layout.NAMESPACE, now)
    campaign = next((name for name, own in trust.own.items() if own == key), None)
    by_name = trust.known.keys_of(found.signer_name, layout.NAMESPACE, now) if found.signer_name else ()
    known_as = next((name for name in names if name != found.signer_name), names[0] if names else "")
    if trust.expected:
        status = SignerStatus.EXPECTED if trust.expected == key.fingerprint else SignerStatus.CHANGED
    elif by_name and key not in by_name:
        status = SignerStatus.CHANGED
    elif names:
        status = SignerStatus.KNOWN
    elif campaign is not None:
        status, known_as = SignerStatus.OWN, campaign
    else:
        status = SignerStatus.UNKNOWN
    return Signer(key=key, name=found.signer_name, status=status, known_as=known_as)
