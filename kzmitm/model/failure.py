"""Failures: what went wrong on the network, as OONI names it (spec df-007).

A failure is a value. Code that meets an unknown one keeps its text, with addresses scrubbed, as
`unknown_failure: <text>`; see https://github.com/ooni/spec/blob/master/data-formats/df-007-errors.md
"""

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


_IPV4 = r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?"
_IPV6 = r"\[?(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}\]?(?::\d+)?"
_ADDRESS = re.compile(f"{_IPV4}|{_IPV6}")


def unknown_failure(text: str) -> str:
    """`unknown_failure: <text>` with every IP address replaced by `[scrubbed]`, at most 200 characters."""
    return "unknown_failure: " + _ADDRESS.sub("[scrubbed]", text)[:200]
