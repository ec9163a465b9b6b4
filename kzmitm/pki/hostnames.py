"""Does a certificate name a host? RFC 9525 as browsers do it: subjectAltName, one left-most wildcard."""

from ipaddress import ip_address

from kzmitm.model.certificate import Certificate
from kzmitm.pki.report import NameStatus

_LABEL_OCTETS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
"""Letters, digits, hyphen, and the underscore that hosts in use have against RFC 1123."""


def judge_name(leaf: Certificate, hostname: str | None) -> NameStatus:
    """Whether the leaf names `hostname`: a DNS name in ASCII (a final dot is ignored) or an IP address."""
    if hostname is None:
        return NameStatus.UNKNOWN
    if leaf.san_dns is None:
        return NameStatus.NO_SAN
    if (address := as_address(hostname)) is not None:
        return NameStatus.MATCH if address in (leaf.san_ip or ()) else NameStatus.MISMATCH
    host = hostname.lower().removesuffix(".")
    if host in leaf.san_dns and "*" not in host:
        return NameStatus.MATCH
    if is_hostname(host) and any(matches(pattern, host) for pattern in leaf.san_dns):
        return NameStatus.MATCH
    return NameStatus.MISMATCH


def as_address(hostname: str) -> str | None:
    """The address that `hostname` is, as certificates are read, or None for a name."""
    if ":" not in hostname and not hostname[-1:].isdigit() and hostname[-1:] != "]":
        return None  # no last label of a host is a number (RFC 3696, 2)
    try:
        return str(ip_address(hostname.removeprefix("[").removesuffix("]")))
    except ValueError:
        return None


def is_hostname(host: str) -> bool:
    """True for a lower-case name of labels of 1 to 63 octets, without a wildcard."""
    return len(host) <= 253 and all(
        0 < len(label) <= 63 and _LABEL_OCTETS.issuperset(label) for label in host.split(".")
    )


def is_pattern(pattern: str) -> bool:
    """True for a lower-case host name, or one whose whole left-most label is `*`, above two more labels.

    `*.com` would speak for every site of a registry; no public suffix list is needed to refuse that.
    """
    if not pattern.startswith("*."):
        return is_hostname(pattern)
    return pattern.count(".") > 1 and is_hostname(pattern[2:])


def matches(pattern: str, host: str) -> bool:
    """True if a dNSName of a certificate means this lower-case host (RFC 9525, 6.3)."""
    pattern = pattern.lower()
    if not is_pattern(pattern):
        return False
    if pattern[0] != "*":
        return pattern == host
    first, _, rest = host.partition(".")
    return bool(first) and rest == pattern[2:]
