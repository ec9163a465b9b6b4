"""The Internet Impact Assessment of the root certificate programme, as the Internet Society published it.

Source: Internet Society, Kazakhstan Internet Landscape (2025, in Kazakh), table 3, which applies the Internet Impact
Assessment Toolkit: the critical properties of the Internet way of networking, and what enables an open, globally
connected, secure and trustworthy Internet. Facts only; what data show of each is in `impact_evidence`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kzmitm.report.language import N_

SOURCE: Final = N_("Internet Society, Kazakhstan Internet Landscape (2025, in Kazakh), table 3")
TOOLKIT: Final = N_("Internet Impact Assessment Toolkit (Internet Society)")


class Item(StrEnum):
    """What the assessment asks about, one id each."""

    INFRASTRUCTURE = "infrastructure"
    ARCHITECTURE = "architecture"
    ROUTING = "routing"
    IDENTIFIERS = "identifiers"
    NEUTRALITY = "neutrality"
    ACCESS = "access"
    DEPLOYMENT = "deployment"
    GOVERNANCE = "governance"
    REACHABILITY = "reachability"
    CAPACITY = "capacity"
    CONFIDENTIALITY = "confidentiality"
    INTEGRITY = "integrity"
    RELIABILITY = "reliability"
    ACCOUNTABILITY = "accountability"
    PRIVACY = "privacy"


@dataclass(frozen=True, slots=True)
class Assessed:
    """An item, its goal (none of a critical property), and why the source calls it affected (empty: it does not)."""

    item: Item
    name: str
    goal: str = ""
    because: str = ""


PROPERTIES: Final = (
    Assessed(Item.INFRASTRUCTURE, N_("accessible infrastructure with a common protocol")),
    Assessed(Item.ARCHITECTURE, N_("open architecture of interoperable and reusable building blocks")),
    Assessed(Item.ROUTING, N_("decentralised management and a single distributed routing system")),
    Assessed(Item.IDENTIFIERS, N_("common global identifiers")),
    Assessed(Item.NEUTRALITY, N_("technology neutral, general-purpose network")),
)
ENABLERS: Final = (
    Assessed(Item.ACCESS, N_("easy and unrestricted access"), N_("open")),
    Assessed(
        Item.DEPLOYMENT,
        N_("unrestricted use and deployment of Internet technologies"),
        N_("open"),
        N_("users of the root cannot rely on TLS, while users elsewhere can"),
    ),
    Assessed(Item.GOVERNANCE, N_("collaborative development, management and governance"), N_("open")),
    Assessed(
        Item.REACHABILITY,
        N_("unrestricted reachability"),
        N_("globally connected"),
        N_(
            "interception can filter single pieces of content, and browsers that block the root show errors to users who "
            "installed it"
        ),
    ),
    Assessed(Item.CAPACITY, N_("available capacity"), N_("globally connected")),
    Assessed(
        Item.CONFIDENTIALITY,
        N_("data confidentiality of information, devices and applications"),
        N_("secure"),
        N_("a third party reads what the two ends encrypted; how the taken data are kept is not controlled"),
    ),
    Assessed(
        Item.INTEGRITY,
        N_("integrity of information, applications and services"),
        N_("secure"),
        N_("content can be changed on the way without either end knowing"),
    ),
    Assessed(
        Item.RELIABILITY,
        N_("reliability, resilience and availability"),
        N_("trustworthy"),
        N_("the browser keeps showing a secure connection where there is none"),
    ),
    Assessed(
        Item.ACCOUNTABILITY,
        N_("accountability"),
        N_("trustworthy"),
        N_("nobody tells users that their data were taken, and there is no official way to complain"),
    ),
    Assessed(
        Item.PRIVACY,
        N_("privacy"),
        N_("trustworthy"),
        N_("users cannot control who receives their data and when"),
    ),
)
