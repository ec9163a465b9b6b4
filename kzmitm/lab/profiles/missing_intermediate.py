"""A good leaf without the intermediate that leads to the root."""

from kzmitm.lab.parts.origin_fault import origin_fault
from kzmitm.lab.sites import Flaw

PROFILE = origin_fault(
    Flaw.MISSING_INTERMEDIATE,
    title="a site that leaves out the intermediate certificate",
    lesson="The leaf is genuine, yet the certificate between it and the root was not sent, so a strict "
    "client finds an unknown issuer: the commonest false alarm. The missing one is known from "
    "other sites, and with it the chain is whole.",
    site="nochain.lab.test",
)
