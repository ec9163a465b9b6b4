"""A good leaf without the intermediate that leads to the root."""

from dataclasses import replace

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.origin_fault import origin_fault
from kzmitm.lab.pki import Credential, Leaf


def _broken(lab: Lab, hostname: str) -> Credential:
    return replace(lab.public_ca.issue(Leaf(hostname=hostname)), chain=())


PROFILE = origin_fault(
    "missing_intermediate",
    title="a site that leaves out the intermediate certificate",
    site="nochain.lab.test",
    broken=_broken,
)
