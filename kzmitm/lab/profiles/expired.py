"""A certificate of the public CA that ran out three days ago."""

from datetime import timedelta

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.origin_fault import origin_fault
from kzmitm.lab.pki import Credential, Leaf


def _broken(lab: Lab, hostname: str) -> Credential:
    return lab.public_ca.issue(Leaf(hostname=hostname, not_before=lab.now - timedelta(days=93)))


PROFILE = origin_fault(
    "expired", title="a site whose certificate ran out", site="expired.lab.test", broken=_broken
)
