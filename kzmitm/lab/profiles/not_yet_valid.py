"""A certificate of the public CA that begins in two days."""

from datetime import timedelta

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.origin_fault import origin_fault
from kzmitm.lab.pki import Credential, Leaf


def _broken(lab: Lab, hostname: str) -> Credential:
    return lab.public_ca.issue(Leaf(hostname=hostname, not_before=lab.now + timedelta(days=2)))


PROFILE = origin_fault(
    "not_yet_valid", title="a site whose certificate is not valid yet", site="notyet.lab.test", broken=_broken
)
