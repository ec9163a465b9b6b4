"""A certificate that the site signed itself."""

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.origin_fault import origin_fault
from kzmitm.lab.pki import Credential


def _broken(lab: Lab, hostname: str) -> Credential:
    return lab.public_ca.self_signed(hostname)


PROFILE = origin_fault(
    "self_signed",
    title="a site with a certificate it signed itself",
    site="selfsigned.lab.test",
    broken=_broken,
)
