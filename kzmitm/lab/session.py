"""A laboratory as those who show it see it: the demo, the quiz, the check and the console.

Two laboratories fulfil it: the network of namespaces, and the one on loopback where namespaces are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kzmitm.lab.profile import Expected, Place, Profile
from kzmitm.lab.settings import Settings
from kzmitm.lab.sites import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A host on the way, in the order of the way."""

    name: str
    """What commands call it, such as `operator`."""
    title: str
    """What it is, for people."""
    place: Place
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A profile, and what keeps it from being switched on here."""

    profile: Profile
    missing: tuple[str, ...] = ()
    """Packages that would bring its product; () if it can be switched on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """What is switched on."""

    profile: Profile
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the scan said of a site, and what it had to say."""

    hostname: str
    row: Mapping[str, Any]
    """An entry of `targets` in a scan document (kzmitm.scan/1.0)."""
    expected: Expected
    presented: tuple[bytes, ...]
    """The chain that came, DER in order."""
    genuine: tuple[bytes, ...]
    """The chain that a clean place gets, DER in order."""


class Session(Protocol):
    """A laboratory that is up. One caller at a time; every method returns when the thing is done."""

    kind: str
    """`network` or `loopback`."""

    @property
    def hops(self) -> Sequence[Hop]:
        """The way from the client to the sites, both ends included."""
        ...

    @property
    def sites(self) -> Sequence[Site]:
        """Every site that has an origin."""
        ...

    def offers(self) -> Sequence[Offer]:
        """Every profile that can exist in this laboratory, by name."""
        ...

    def active(self) -> Active | None:
        """What is switched on; None if nothing is."""
        ...

    def switch_on(self, profile: str, given: Mapping[str, str]) -> Active:
        """Switch a profile on in place of what was on; raises UsageError, LaboratoryError."""
        ...

    def switch_off(self) -> None:
        """Take away what is on, if anything is."""
        ...

    def scan(self, hostnames: Sequence[str]) -> tuple[Finding, ...]:
        """Run the real scan from the client; raises LaboratoryError if it did not end well."""
        ...
