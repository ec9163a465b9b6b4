"""A certificate that the site signed itself."""

from kzmitm.lab.parts.origin_fault import origin_fault
from kzmitm.lab.sites import Flaw

PROFILE = origin_fault(
    Flaw.SELF_SIGNED,
    title="a site with a certificate it signed itself",
    lesson="New servers come with such a certificate, and some owners leave it. Nobody vouches for it, as"
    " for a forged one; but a clean place is shown the same key, and no interceptor sits in front "
    "of both.",
    site="selfsigned.lab.test",
)
