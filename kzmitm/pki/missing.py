"""Why there is no path: self-signed, an intermediate left out, or an issuer nobody knows.

Leaving out an intermediate is the commonest mistake of honest servers, and looks to a verifier just
like interception. It is proven by the intermediate itself, where that is known. Without it only names
speak, and a forger writes any name: `issuer_of_known_organisation` excuses nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kzmitm.model.certificate import Certificate
from kzmitm.pki import extensions as ext
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.der import DERError
from kzmitm.pki.path_search import Hit, Search
from kzmitm.pki.report import PathStatus
from kzmitm.pki.store import TrustStore

MAX_MISSING = 3
"""Intermediates in a row that a server could have left out: public paths have no more."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Why no anchor was reached; `completed` is the path that known intermediates complete."""

    status: PathStatus
    reasons: tuple[str, ...]
    completed: Hit | None = None


def explain_absence(
    search: Search, presented: Sequence[Anatomy], intermediates: Sequence[Certificate]
) -> Absence:
    """Why `search` found no path from its leaf through what was presented."""
    leaf, top = search.leaf.certificate, search.longest[-1]
    if len(search.longest) == 1 and leaf.is_self_issued and search.cache.is_signed_by(leaf, leaf):
        return Absence(PathStatus.SELF_SIGNED, ("self_signed", "unknown_issuer"))
    known = relevant(intermediates, [parts.certificate for parts in search.longest])
    if known:
        wider = Search(search.leaf, search.store, search.cache, search.assess)
        wider.run([*presented, *map(search.cache.anatomy, known)])
        if wider.best is not None and not wider.best.faults:
            reasons = ("missing_intermediate", "completed_by_known_intermediate")
            return Absence(PathStatus.MISSING_INTERMEDIATE, reasons, wider.best)
        search.notes |= wider.notes
    if "bad_signature" not in search.notes and claims_known_issuer(top, search.store):
        return Absence(
            PathStatus.MISSING_INTERMEDIATE,
            ("missing_intermediate", "issuer_of_known_organisation", "unknown_issuer"),
        )
    return Absence(PathStatus.UNKNOWN_ISSUER, ("unknown_issuer",))


def relevant(intermediates: Sequence[Certificate], path: Sequence[Certificate]) -> list[Certificate]:
    """Of many known intermediates those whose names could continue one of the certificates of `path`."""
    wanted = {certificate.issuer.der for certificate in path}
    found: dict[str, Certificate] = {}
    for _ in range(MAX_MISSING):
        more = [c for c in intermediates if c.subject.der in wanted and c.sha256 not in found]
        if not more:
            break
        found.update((c.sha256, c) for c in more)
        wanted |= {c.issuer.der for c in more}
    return list(found.values())


def claims_known_issuer(top: Anatomy, store: TrustStore) -> bool:
    """True if `top` names an issuer of an anchor's organisation and says where its certificate is.

    Not if it names an anchor itself: that is at hand, is missing nowhere, and did not sign.
    """
    organization = top.certificate.issuer.organization
    if (
        organization is None
        or top.certificate.is_self_issued
        or organization.casefold() not in store.organizations
        or store.with_subject(top.certificate.issuer)
    ):
        return False
    value = top.values.get(ext.AUTHORITY_INFO_ACCESS)
    try:
        return value is not None and ext.read_ca_issuers(value)
    except DERError:
        return False
