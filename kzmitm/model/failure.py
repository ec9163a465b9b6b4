"""Failures: what went wrong on the network, as OONI names it (spec df-007).

A failure is a value. Code that meets an unknown one keeps its text, with addresses scrubbed, as
`unknown_failure: <text>`; see https://github.com/ooni/spec/blob/master/data-formats/df-007-errors.md
"""

import ipaddress
import re
from enum import StrEnum


class Failure(StrEnum):
    """The failure strings of df-007 that a DNS, TCP or TLS operation of ours can end with."""

    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    CONNECTION_ABORTED = "connection_aborted"
    HOST_UNREACHABLE = "host_unreachable"
    NETWORK_UNREACHABLE = "network_unreachable"
    NETWORK_DOWN = "network_down"
    NETWORK_RESET = "network_reset"
    GENERIC_TIMEOUT = "generic_timeout_error"
    """Our own deadline passed; not the kernel's `timed_out`."""
    TIMED_OUT = "timed_out"
    EOF = "eof_error"
    SSL_INVALID_HOSTNAME = "ssl_invalid_hostname"
    SSL_UNKNOWN_AUTHORITY = "ssl_unknown_authority"
    SSL_INVALID_CERTIFICATE = "ssl_invalid_certificate"
    SSL_FAILED_HANDSHAKE = "ssl_failed_handshake"
    """An alert, bytes that are not TLS, or a handshake that breaks the rules."""
    DNS_NXDOMAIN = "dns_nxdomain_error"
    DNS_NO_ANSWER = "dns_no_answer"
    DNS_SERVFAIL = "dns_servfail_error"
    DNS_REFUSED = "dns_refused_error"
    DNS_SERVER_MISBEHAVING = "dns_server_misbehaving"
    DNS_TEMPORARY = "dns_temporary_failure"
    DNS_NON_RECOVERABLE = "dns_non_recoverable_failure"
    ADDRESS_FAMILY_NOT_SUPPORTED = "address_family_not_supported"
    ADDRESS_NOT_AVAILABLE = "address_not_available"
    PERMISSION_DENIED = "permission_denied"
    INVALID_ARGUMENT = "invalid_argument"
    NO_BUFFER_SPACE = "no_buffer_space"
    INTERRUPTED = "interrupted"
    PROXY_FAILED = "unknown_failure: proxy"
    """The vantage's own proxy failed; says nothing of the target (no OONI name)."""


SCRUBBED = "[scrubbed]"
"""What OONI writes in the place of an address."""

_IPV4 = re.compile(r"(?<!\d)(?<!\d\.)((?:\d{1,3}\.){3}\d{1,3})(?!\d|\.\d)(?::\d{1,5}(?!\d))?", re.ASCII)
_IPV6 = re.compile(
    r"(\[?)((?:[0-9A-Fa-f.]{0,15}:){2,8}[0-9A-Fa-f.]{0,15})((?:%\w{1,16})?(?:\](?::\d{1,5})?)?)", re.ASCII
)
"""What may be an address, with its zone and port. Every repetition is bounded: hostile text costs no more."""


def scrub(text: str, *, keep: str = "") -> str:
    """`text` with every IP address (and its port) but `keep` replaced by `[scrubbed]`.

    Times such as 12:34:56, object identifiers, `std::x` and a lone `::` are no addresses.
    """
    if ":" in text:
        text = _IPV6.sub(lambda match: _without_ipv6(match, keep), text)
    if "." in text:
        text = _IPV4.sub(
            lambda match: match[0] if match[1] == keep or not _is_address(match[1]) else SCRUBBED, text
        )
    return text


def _without_ipv6(match: re.Match[str], keep: str) -> str:
    """The candidate cut to whole words, then to what an address can begin and end with."""
    opening, run, tail = match.groups()
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1]
    if not opening and (before.isalnum() or before == "_"):
        run = run[run.index(":") :]
    if not tail and (after.isalnum() or after == "_"):
        run = run[: run.rindex(":") + 1]
    without_port = run.rpartition(":")[0]
    ends = (run, run.rstrip("."), run.removesuffix(":"), run.removeprefix(":"), run.strip(":"), without_port)
    for address in ends:
        if address != "::" and _is_address(address):
            framed = opening + address + tail
            found = framed if framed in match[0] else address
            return match[0] if address == keep else match[0].replace(found, SCRUBBED)
    return match[0]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def unknown_failure(text: str) -> str:
    """`unknown_failure: <text>` with every IP address replaced by `[scrubbed]`, at most 200 characters."""
    return "unknown_failure: " + scrub(text)[:200]
