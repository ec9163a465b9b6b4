"""What a recognised certificate has to do with the leaf that was shown."""

from kzmitm.model.certificate import Certificate
from kzmitm.model.observation import TLSObservation
from kzmitm.pki.attribution import UNLINKED, Attribution
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.path import Walk
from kzmitm.pki.registry import Registry
from kzmitm.pki.report import PathStatus


def is_evidence(attribution: Attribution, chain: tuple[Certificate, ...], walk: Walk) -> bool:
    """It bears on the leaf: by signatures, or in a trusted chain by its path.

    Roots are public, so a copy of one beside any leaf proves nothing; and a chain that validates owes
    nothing to what else was sent with it.
    """
    if UNLINKED in attribution.traits:
        return False
    if walk.status is not PathStatus.TRUSTED:
        return True
    certificate = chain[attribution.position]
    return any(certificate.sha256 == other.sha256 for other in walk.validated_path)


def is_borrowed(
    attribution: Attribution,
    leaf: Certificate,
    observation: TLSObservation,
    *,
    registry: Registry,
    cache: CertificateCache,
) -> bool:
    """The leaf is for a known key, and nothing shows that its holder had a hand in it.

    Anybody can have a certificate made for a public key of somebody else's. Whoever holds the key signs our
    nonce with it, or the certificate; OONI keeps a CA's certificate in the place of the leaf.
    """
    proof = observation.proof
    if (
        attribution.position
        or attribution.authority.match != "key"
        or leaf.is_ca
        or (proof is not None and proof.verified)
    ):
        return False
    keys = (s.public_key for s in registry.signers if s.authority == attribution.authority.id)
    return not any(key is not None and cache.is_signed_by_key(leaf, key) for key in keys)
