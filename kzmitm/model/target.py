"""What is asked about (Target), where it is reached (Endpoint), where we measure from (Vantage)."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum

import idna

from kzmitm.wording import Wording

MAX_HOSTNAME = 253
"""Octets of a host name on the wire without the final dot (RFC 1035, 2.3.4)."""

SAME_AS_HOSTNAME = "\0"
"""Default of `Target.sni`; a NUL cannot occur in a name."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port; `ip` is in canonical text form (RFC 5952 for IPv6)."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """A host name to be watched: `hostname` as A-labels in lower case, or an IP address.

    `sni` is what the ClientHello carries (any text; None for no server_name extension); it is the
    host name unless given. `address` fixes the IP address, so that no name is resolved.
    """

    hostname: str
    port: int = 443
    sni: str | None = SAME_AS_HOSTNAME
    address: str | None = None

    def __post_init__(self) -> None:
        if self.sni == SAME_AS_HOSTNAME:
            object.__setattr__(self, "sni", None if is_ip(self.hostname) else self.hostname)

    def __str__(self) -> str:
        host = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return host if self.port == 443 else f"{host}:{self.port}"


REFLECTED = "reflected"
"""`Vantage.kind` where a server is asked, from outside, for names that are not its own (Hyperquack)."""
DIRECT = "direct"
"""`Vantage.kind` of this computer, by its own way to the Internet."""


class DNSPlace(StrEnum):
    """Where the names of a measurement became addresses."""

    HERE = "here"
    """On the computer that measures, by the ways that its other programs take."""
    VANTAGE = "vantage"
    """At the vantage: by the proxy itself, or by name servers asked through the link."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where a measurement was made; `asn` and `cc` are AS0 and ZZ unless the user gave them.

    `dns` is None in results from before it was told.
    """

    id: str = "direct"
    kind: str = DIRECT
    asn: str = "AS0"
    cc: str = "ZZ"
    network_name: str = ""
    dns: DNSPlace | None = None


def is_ip(text: str) -> bool:
    """True if `text` is an IPv4 or IPv6 address (without brackets)."""
    if ":" not in text and not text[-1:].isdigit():
        return False  # a name, as nearly always; asking `ipaddress` costs more than all the rest
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def to_ascii_hostname(name: str) -> str:
    """The A-label form of a host name in lower case, without a final dot (IDNA 2008 with UTS 46 mapping).

    Underscores are let through, as names in use have them. Raises ValueError for what DNS cannot hold.
    """
    name = name.strip().removesuffix(".")
    if not name:
        raise ValueError(Wording("empty host name"))
    if name.isascii():
        text = name.lower()
    else:
        try:
            text = idna.encode(name, uts46=True).decode("ascii").lower()
        except idna.IDNAError as exc:
            raise ValueError(Wording("not a host name: {why}", why=exc)) from exc
    labels = text.split(".")
    if len(text) > MAX_HOSTNAME or not all(map(_is_label, labels)):
        raise ValueError(Wording("not a host name: {name}", name=repr(name[:80])))
    if labels[-1].isdigit():
        # Resolvers read `1.2.3` as the address 1.2.0.3 (inet_aton).
        raise ValueError(Wording("neither a host name nor an address: {name}", name=repr(name[:80])))
    return text


def _is_label(label: str) -> bool:
    """RFC 1035 length; letters, digits and underscore, with hyphens only inside (RFC 952)."""
    letters = label.replace("-", "").replace("_", "")
    return len(label) <= 63 and letters.isalnum() and label[0] != "-" and label[-1] != "-"


def to_unicode_hostname(name: str) -> str:
    """The name as people write it; the A-label form again where it does not decode."""
    try:
        return idna.decode(name)
    except (idna.IDNAError, UnicodeError):
        return name


def parse_target(text: str) -> Target:
    """Read `HOST[:PORT]`, `[IPv6]:PORT` or `https://HOST[:PORT]/…`; raises ValueError that says why not."""
    body = text.strip()
    scheme, separator, rest = body.partition("://")
    if separator:
        if scheme.lower() != "https":
            raise ValueError(Wording("only https can be scanned, not {scheme}", scheme=scheme[:20]))
        body = rest.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0].rpartition("@")[2]
    host, port = split_host_port(body)
    return Target(_canonical_host(host), port)


def split_host_port(text: str, default_port: int = 443) -> tuple[str, int]:
    """(host, port) of `HOST[:PORT]`, `[IPv6][:PORT]` or a bare IPv6 address; raises ValueError."""
    if is_ip(text):
        return text, default_port
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        if not bracket or not is_ip(host) or (tail and not tail.startswith(":")):
            raise ValueError(Wording("not an address: {text}", text=repr(text[:80])))
        port_text = tail[1:] if tail else ""
    else:
        host, _, port_text = text.partition(":")
        if not _ and not host:
            raise ValueError(Wording("empty host name"))
    if not port_text:
        return host, default_port
    if not (
        port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 and 0 < int(port_text) < 65536
    ):
        raise ValueError(Wording("not a port: {port_text}", port_text=repr(port_text[:20])))
    return host, int(port_text)


def _canonical_host(host: str) -> str:
    return str(ipaddress.ip_address(host)) if is_ip(host) else to_ascii_hostname(host)
