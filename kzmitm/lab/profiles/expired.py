"""A certificate of the public CA that ran out three days ago."""

from kzmitm.lab.parts.origin_fault import origin_fault
from kzmitm.lab.sites import Flaw

PROFILE = origin_fault(
    Flaw.EXPIRED,
    title="a site whose certificate ran out",
    lesson="The owner forgot to renew. The chain leads to a public authority and only its time is over, "
    "and a clean place is shown the very same certificate. An expired interception certificate is "
    "another matter: no public authority stands above it.",
    site="expired.lab.test",
)
