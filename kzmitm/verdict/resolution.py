"""What the resolvers said, and whether the address that was asked belongs to the name."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from kzmitm.model.failure import Failure
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import DNSObservation
from kzmitm.model.target import is_ip

_DENIALS = frozenset({Failure.DNS_NXDOMAIN, Failure.DNS_NO_ANSWER, Failure.DNS_REFUSED})
"""A resolver's word on the name; a timeout or SERVFAIL says something of the resolver.

No answer is a word on one type only (RFC 2308, 2.2): it denies the name if the other types have none either.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The answers of the system's resolver (or a plain one) and of encrypted ones; None = not observed."""

    system_ips: frozenset[str] = frozenset()
    doh_ips: frozenset[str] = frozenset()
    system_failure: str | None = None
    """The denial, else the failure, of a system resolver that gave no address."""
    doh_denies: bool = False
    """An encrypted resolver says that the name does not exist or has no address."""
    asked_system: bool = False
    asked_doh: bool = False

    @property
    def is_disjoint(self) -> bool | None:
        """The two have no address in common; usual for a CDN, so never a verdict by itself."""
        if not self.system_ips or not self.doh_ips:
            return None
        return self.system_ips.isdisjoint(self.doh_ips)

    @property
    def system_gives_only_private(self) -> bool:
        """The system's resolver gives nothing but private addresses, and an encrypted one a public one."""
        return (
            bool(self.system_ips)
            and all(map(is_private, self.system_ips))
            and any(not is_private(ip) for ip in self.doh_ips)
        )

    @property
    def system_denies(self) -> bool:
        """The system's resolver says there is no such name or address."""
        return not self.system_ips and self.system_failure in _DENIALS

    @property
    def system_lies(self) -> bool:
        """The system's resolver denies a name for which an encrypted one has public addresses."""
        return self.system_denies and any(not is_private(ip) for ip in self.doh_ips)


NOT_RESOLVED = Resolution()


def resolution(observations: Iterable[DNSObservation]) -> Resolution:
    """The answers by kind of resolver."""
    system: set[str] = set()
    doh: set[str] = set()
    failures: dict[tuple[str, str], list[str]] = {}
    asked_system = asked_doh = False
    for observation in observations:
        if observation.engine == "doh":
            asked_doh = True
            doh.update(observation.ips)
        else:
            asked_system = True
            system.update(observation.ips)
        if observation.failure is not None:
            resolver = observation.engine, observation.resolver_address
            failures.setdefault(resolver, []).append(observation.failure)
    words = [(engine == "doh", _word(of_types)) for (engine, _), of_types in failures.items()]
    system_words = sorted((word for is_doh, word in words if not is_doh), key=_denials_first)
    return Resolution(
        system_ips=frozenset(system),
        doh_ips=frozenset(doh),
        system_failure=system_words[0] if system_words and not system else None,
        doh_denies=not doh and any(is_doh and word in _DENIALS for is_doh, word in words),
        asked_system=asked_system,
        asked_doh=asked_doh,
    )


def _word(failures: list[str]) -> str:
    """What one resolver says of the name by its failures for several types."""
    return min(failures, key=lambda failure: (failure == Failure.DNS_NO_ANSWER, *_denials_first(failure)))


def _denials_first(failure: str) -> tuple[bool, str]:
    return failure not in _DENIALS, failure


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFacts:
    """Whether the address of a handshake is the name's; `ip` is "" when there was none."""

    ip: str = ""
    is_given: bool = False
    """Fixed by the user, or the target is an address: no resolver had a say."""
    in_control: bool | None = None
    in_doh: bool | None = None
    is_private: bool = False
    """Not a public address, though a resolver gave it for a name and no control has it."""
    serves_name: bool = False
    """It also showed a genuine certificate for the name."""

    @property
    def is_confirmed(self) -> bool:
        """It is the name's, by the word of somebody else than the system's resolver."""
        return self.is_given or self.serves_name or self.in_control is True or self.in_doh is True

    @property
    def is_doubtful(self) -> bool:
        """Somebody trustworthy has other addresses for the name, and nobody has this one."""
        return not self.is_confirmed and (self.in_control is False or self.in_doh is False)


def address_facts(
    measurement: Measurement, ip: str, resolved: Resolution, *, control_ips: frozenset[str], serves_name: bool
) -> AddressFacts:
    """What is known of `ip` as an address of the target."""
    target = measurement.target
    given = target.address is not None or is_ip(target.hostname)
    known = is_ip(ip)  # a vantage that resolves by itself leaves a name here
    same = {ip, translated(ip)}
    in_control = not same.isdisjoint(control_ips) if control_ips and known else None
    return AddressFacts(
        ip=ip,
        is_given=given,
        in_control=in_control,
        in_doh=not same.isdisjoint(resolved.doh_ips) if resolved.doh_ips and known else None,
        is_private=not given and in_control is not True and ip in resolved.system_ips and is_private(ip),
        serves_name=serves_name,
    )


_NAT64 = "64:ff9b::"
"""The well-known prefix under which networks without IPv4 translate it (RFC 6052, 2.1)."""
_PREFIX = ipaddress.ip_address(_NAT64).packed[:12]


def translated(ip: str) -> str:
    """The IPv4 address that is reached by this one of NAT64, or `ip` itself for any other."""
    if not ip.startswith(_NAT64) or not is_ip(ip):
        return ip
    octets = ipaddress.ip_address(ip).packed
    return str(ipaddress.IPv4Address(octets[12:])) if octets[:12] == _PREFIX else ip


def is_private(ip: str) -> bool:
    """True for an address that is not globally reachable (IANA special-purpose registries), or is none."""
    try:
        return not ipaddress.ip_address(ip).is_global
    except ValueError:
        return True
