"""A certificate of the public CA for another name."""

from kzmitm.lab.parts.origin_fault import origin_fault
from kzmitm.lab.sites import Flaw

PROFILE = origin_fault(
    Flaw.WRONG_NAME,
    title="a site with the certificate of another name",
    lesson="The server holds a genuine certificate, only for another name of its owner. A forger would have "
    "copied the right name: an interceptor that names somebody else is a rare thing.",
    site="wronghost.lab.test",
)
