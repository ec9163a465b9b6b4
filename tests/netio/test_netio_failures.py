import errno
import socket
import ssl

import pytest

from kzmitm.model.failure import Failure
from kzmitm.netio.failures import classify, classify_errno, classify_rcode

CASES = [
    (ConnectionRefusedError(errno.ECONNREFUSED, ""), "connection_refused"),
    (ConnectionResetError(errno.ECONNRESET, ""), "connection_reset"),
    (ConnectionResetError(), "connection_reset"),
    (ConnectionAbortedError(errno.ECONNABORTED, ""), "connection_aborted"),
    (OSError(errno.EHOSTUNREACH, ""), "host_unreachable"),
    (OSError(errno.ENETUNREACH, ""), "network_unreachable"),
    (OSError(errno.ENETDOWN, ""), "network_down"),
    (OSError(errno.ENETRESET, ""), "network_reset"),
    (TimeoutError(errno.ETIMEDOUT, ""), "timed_out"),
    (TimeoutError(), "generic_timeout_error"),
    (OSError(errno.EAFNOSUPPORT, ""), "address_family_not_supported"),
    (OSError(errno.EADDRNOTAVAIL, ""), "address_not_available"),
    (PermissionError(errno.EACCES, ""), "permission_denied"),
    (PermissionError(errno.EPERM, ""), "permission_denied"),
    (OSError(errno.EINVAL, ""), "invalid_argument"),
    (OSError(errno.ENOBUFS, ""), "no_buffer_space"),
    (InterruptedError(errno.EINTR, ""), "interrupted"),
    (OSError(10054, "Winsock"), "connection_reset"),
    (EOFError(), "eof_error"),
    (ssl.SSLEOFError(), "eof_error"),
    (ssl.SSLZeroReturnError(), "eof_error"),
    (ssl.SSLError(1, "handshake failure"), "ssl_failed_handshake"),
    (ssl.SSLCertVerificationError(1, "verify"), "ssl_failed_handshake"),
    (socket.gaierror(socket.EAI_NONAME, ""), "dns_nxdomain_error"),
    (socket.gaierror(socket.EAI_NODATA, ""), "dns_no_answer"),
    (socket.gaierror(socket.EAI_AGAIN, ""), "dns_temporary_failure"),
    (socket.gaierror(socket.EAI_FAIL, ""), "dns_non_recoverable_failure"),
    (socket.gaierror(socket.EAI_FAMILY, ""), "dns_server_misbehaving"),
]


@pytest.mark.parametrize(("exc", "failure"), CASES, ids=lambda v: repr(v)[:60])
def test_known_exceptions_have_oonis_names(exc, failure):
    assert classify(exc) == failure
    assert failure in set(Failure)


def test_strange_exceptions_keep_their_text_without_addresses():
    assert classify(ValueError("from 192.0.2.7:443 and [2001:db8::1]:443")) == (
        "unknown_failure: from [scrubbed] and [scrubbed]"
    )
    assert classify(ValueError()) == "unknown_failure: ValueError"
    assert classify_errno(errno.EXDEV).startswith("unknown_failure: ")


@pytest.mark.parametrize(
    ("rcode", "failure"),
    [
        (0, None),
        (1, "dns_server_misbehaving"),
        (2, "dns_servfail_error"),
        (3, "dns_nxdomain_error"),
        (5, "dns_refused_error"),
    ],
)
def test_response_codes(rcode, failure):
    assert classify_rcode(rcode) == failure
