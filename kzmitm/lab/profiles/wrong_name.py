"""A certificate of the public CA for another name."""

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.origin_fault import origin_fault
from kzmitm.lab.pki import Credential, Leaf


def _broken(lab: Lab, hostname: str) -> Credential:
    return lab.public_ca.issue(Leaf(hostname=hostname, certified="shop.lab.test"))


PROFILE = origin_fault(
    "wrong_name",
    title="a site with the certificate of another name",
    site="wronghost.lab.test",
    broken=_broken,
)
