"""A certificate of the public CA that begins in two days."""

from kzmitm.lab.parts.origin_fault import origin_fault
from kzmitm.lab.sites import Flaw

PROFILE = origin_fault(
    Flaw.NOT_YET_VALID,
    title="a site whose certificate is not valid yet",
    lesson="The owner installed next week's certificate today. As a computer whose clock is behind sees "
    "every certificate like this, one site alone, and a clean place that sees the same, tell which"
    " it is.",
    site="notyet.lab.test",
)
