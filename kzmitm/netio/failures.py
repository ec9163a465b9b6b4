"""From exceptions to failures: what the network did, in OONI's words (spec df-007).

https://github.com/ooni/spec/blob/master/data-formats/df-007-errors.md
"""

import errno
import os
import socket
import ssl

from kzmitm.model.failure import Failure, unknown_failure

_ERRNO: dict[str, Failure] = {
    "ECONNREFUSED": Failure.CONNECTION_REFUSED,
    "ECONNRESET": Failure.CONNECTION_RESET,
    "ECONNABORTED": Failure.CONNECTION_ABORTED,
    "EHOSTUNREACH": Failure.HOST_UNREACHABLE,
    "ENETUNREACH": Failure.NETWORK_UNREACHABLE,
    "ENETDOWN": Failure.NETWORK_DOWN,
    "ENETRESET": Failure.NETWORK_RESET,
    "ETIMEDOUT": Failure.TIMED_OUT,
    "EAFNOSUPPORT": Failure.ADDRESS_FAMILY_NOT_SUPPORTED,
    "EADDRNOTAVAIL": Failure.ADDRESS_NOT_AVAILABLE,
    "EACCES": Failure.PERMISSION_DENIED,
    "EPERM": Failure.PERMISSION_DENIED,
    "EINVAL": Failure.INVALID_ARGUMENT,
    "ENOBUFS": Failure.NO_BUFFER_SPACE,
    "EINTR": Failure.INTERRUPTED,
}

_WINSOCK: dict[int, Failure] = {
    10004: Failure.INTERRUPTED,
    10013: Failure.PERMISSION_DENIED,
    10022: Failure.INVALID_ARGUMENT,
    10047: Failure.ADDRESS_FAMILY_NOT_SUPPORTED,
    10049: Failure.ADDRESS_NOT_AVAILABLE,
    10050: Failure.NETWORK_DOWN,
    10051: Failure.NETWORK_UNREACHABLE,
    10052: Failure.NETWORK_RESET,
    10053: Failure.CONNECTION_ABORTED,
    10054: Failure.CONNECTION_RESET,
    10055: Failure.NO_BUFFER_SPACE,
    10060: Failure.TIMED_OUT,
    10061: Failure.CONNECTION_REFUSED,
    10065: Failure.HOST_UNREACHABLE,
}
"""https://learn.microsoft.com/windows/win32/winsock/windows-sockets-error-codes-2"""

_BY_NUMBER: dict[int, Failure] = _WINSOCK | {
    getattr(errno, name): failure for name, failure in _ERRNO.items() if hasattr(errno, name)
}

_GAI: dict[str, Failure] = {
    "EAI_NONAME": Failure.DNS_NXDOMAIN,
    "EAI_NODATA": Failure.DNS_NO_ANSWER,
    "EAI_ADDRFAMILY": Failure.DNS_NO_ANSWER,
    "EAI_AGAIN": Failure.DNS_TEMPORARY,
    "EAI_FAIL": Failure.DNS_NON_RECOVERABLE,
}
"""getaddrinfo(3); every other EAI_* is `dns_server_misbehaving`, as OONI's engine has it."""

_BY_GAI: dict[int, Failure] = {
    getattr(socket, name): failure for name, failure in reversed(_GAI.items()) if hasattr(socket, name)
}
# Windows has one number for EAI_NONAME and EAI_NODATA; reversed() lets the commoner one win.

_RCODE: dict[int, Failure | None] = {
    0: None,
    2: Failure.DNS_SERVFAIL,
    3: Failure.DNS_NXDOMAIN,
    5: Failure.DNS_REFUSED,
}
"""RFC 1035, 4.1.1."""


MAX_CAUSES = 8
"""Exceptions looked under for the one that the network raised; httpx' stack wraps it four times."""


def innermost(exc: BaseException) -> BaseException:
    """The socket's or TLS' own exception under those of httpx, httpcore and anyio."""
    inner: BaseException | None = exc
    for _ in range(MAX_CAUSES):
        if inner is None or (isinstance(inner, OSError) and inner.errno is not None):
            break
        group = inner.exceptions if isinstance(inner, BaseExceptionGroup) else ()
        inner = group[0] if group else inner.__cause__ or inner.__context__
    return exc if inner is None else inner


def classify(exc: BaseException) -> str:
    """The failure string of an exception; `unknown_failure: <text>` without addresses for a strange one.

    A `TimeoutError` without an errno is our own deadline (`generic_timeout_error`), one with ETIMEDOUT
    the kernel's (`timed_out`).
    """
    if isinstance(exc, socket.gaierror):
        return _BY_GAI.get(exc.errno or 0, Failure.DNS_SERVER_MISBEHAVING)
    if isinstance(exc, ssl.SSLEOFError | ssl.SSLZeroReturnError | EOFError):
        return Failure.EOF
    if isinstance(exc, ssl.SSLError):
        return Failure.SSL_FAILED_HANDSHAKE
    if isinstance(exc, OSError) and exc.errno is not None:
        return classify_errno(exc.errno)
    if isinstance(exc, TimeoutError):
        return Failure.GENERIC_TIMEOUT
    if isinstance(exc, ConnectionResetError):
        return Failure.CONNECTION_RESET
    return unknown_failure(str(exc) or type(exc).__name__)


def classify_errno(number: int) -> str:
    """The failure string of an errno (or of a Winsock error)."""
    return _BY_NUMBER.get(number) or unknown_failure(os.strerror(number).lower())


def classify_rcode(rcode: int) -> str | None:
    """The failure string of a DNS response code, None for NOERROR (which may still hold no answer)."""
    return _RCODE.get(rcode, Failure.DNS_SERVER_MISBEHAVING)
