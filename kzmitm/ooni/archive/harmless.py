"""An authority that no browser trusts and that nobody intercepts with, over a refused certificate."""

from kzmitm.ooni.archive.cases import Case
from kzmitm.pki.attribution import KEY_MATCHES
from kzmitm.pki.kinds import Kind

NOT_FOR_BROWSERS = (Kind.ORIGIN_CA, Kind.TEST_CA)


def is_made_by(case: Case, *kinds: Kind) -> bool:
    """The key of a harmless authority of one of these kinds made the certificate, for this very host."""
    found = case.harmless
    return found is not None and case.is_for_host and found.authority.kind in kinds


def is_made_by_dropped_one(case: Case) -> bool:
    """An authority that browsers dropped made it, and nothing shows that this was before."""
    found = case.facts.harmless_claim if case.facts is not None else None
    return found is not None and found.authority.match in KEY_MATCHES
