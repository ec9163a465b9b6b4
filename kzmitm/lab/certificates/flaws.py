"""Certificates with a flaw of the site's own doing."""

from datetime import datetime, timedelta

from kzmitm.lab.certificates.pki import Credential, Leaf, PublicCA
from kzmitm.lab.sites import Flaw

AGE_OF_EXPIRED = timedelta(days=93)
"""A leaf of 90 days that ended three days ago."""
AHEAD = timedelta(days=2)


def broken(ca: PublicCA, flaw: Flaw, hostname: str, now: datetime) -> Credential:
    """What a site with this flaw presents."""
    match flaw:
        case Flaw.EXPIRED:
            return ca.issue(Leaf(hostname=hostname, not_before=now - AGE_OF_EXPIRED))
        case Flaw.NOT_YET_VALID:
            return ca.issue(Leaf(hostname=hostname, not_before=now + AHEAD))
        case Flaw.WRONG_NAME:
            return ca.issue(Leaf(hostname=hostname, certified="shop.lab.test"))
        case Flaw.SELF_SIGNED:
            return ca.self_signed(hostname)
        case Flaw.MISSING_INTERMEDIATE:
            whole = ca.issue(Leaf(hostname=hostname))
            return Credential(whole.certificate, whole.key)
