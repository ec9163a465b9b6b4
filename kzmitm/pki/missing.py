"""Why there is no path: self-signed, an intermediate left out, or an issuer nobody knows.

Leaving out an intermediate is the commonest mistake of honest servers, and looks to a verifier just
like interception. It is proven by the intermediate itself, where that is known. Without it only names speak,
and receipts that nobody checked: a forger writes any name and copies what he likes, so that
`issuer_of_known_organisation` and `receipts_of_transparency_logs` excuse nobody.
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
    claim = (
        None if "bad_signature" in search.notes else _claim(top, search.store, alone=leaf is top.certificate)
    )
    if claim is not None:
        return Absence(PathStatus.MISSING_INTERMEDIATE, ("missing_intermediate", claim, "unknown_issuer"))
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


def _claim(top: Anatomy, store: TrustStore, *, alone: bool) -> str | None:
    """The reason that speaks for a public issuer of `top`, which says where that one's certificate is.

    The organisation of an anchor; or of a leaf that came `alone`, receipts of logs that take only what public
    CAs sign (RFC 6962, 3.1): most intermediates have another organisation than their root. None if there is
    none, or if the issuer has the name of an anchor: that is at hand, is missing nowhere, and did not sign.
    """
    certificate = top.certificate
    if certificate.is_self_issued or store.with_subject(certificate.issuer) or not _tells_where(top):
        return None
    organization = certificate.issuer.organization
    if organization is not None and organization.casefold() in store.organizations:
        return "issuer_of_known_organisation"
    if alone and not certificate.is_ca and ext.SIGNED_CERTIFICATE_TIMESTAMPS in top.values:
        return "receipts_of_transparency_logs"
    return None


def _tells_where(top: Anatomy) -> bool:
    """It says where its issuer's certificate can be had (RFC 5280, 4.2.2.1)."""
    value = top.values.get(ext.AUTHORITY_INFO_ACCESS)
    try:
        return value is not None and ext.read_ca_issuers(value)
    except DERError:
        return False
