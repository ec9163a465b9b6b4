"""Whether an authority that no browser trusts explains a certificate, with nobody in between.

An interceptor owns none of these keys, so that only keys tell: a name or a manner can be copied from a
certificate that everybody gets to see.
"""

from kzmitm.model.certificate import Certificate
from kzmitm.pki.attribution import KEY_MATCHES, Attribution
from kzmitm.pki.entries import KnownCertificate
from kzmitm.pki.kinds import Kind
from kzmitm.pki.registry import Registry


def explains(attribution: Attribution, leaf: Certificate, registry: Registry) -> bool:
    """True if a harmless authority's key, in the leaf's own line of signatures, made it as it makes others.

    One that was dropped keeps nobody's rules any more, and may be in other hands: it explains what it signed
    while a programme carried it, and all of it while others still do. Of a certificate of a CA, which is what
    OONI keeps of some chains, nobody can tell when the leaf below was made.
    """
    authority = attribution.authority
    if authority.match not in KEY_MATCHES:
        return False
    if authority.kind != Kind.FORMER_CA:
        return True
    known = registry.entry_of(authority.matched_sha256)
    return known is not None and (bool(known.carried_by) or _is_of_its_time(leaf, known))


def _is_of_its_time(leaf: Certificate, known: KnownCertificate) -> bool:
    """Made while the authority was public, by the date that it wrote into it."""
    if leaf.is_ca or leaf.not_before is None or known.public_until is None:
        return False
    return leaf.not_before <= known.public_until
