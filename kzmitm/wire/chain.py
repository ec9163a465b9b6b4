"""The Certificate message of every version (RFC 5246, 7.4.2; RFC 8446, 4.4.2), whole or cut off."""

from kzmitm.wire.iana.alerts import DECODE_ERROR
from kzmitm.wire.iana.extensions import STATUS_REQUEST
from kzmitm.wire.limits import MAX_CERTIFICATES, MESSAGE_HEADER
from kzmitm.wire.parsing import extensions, vector, whole_vector
from kzmitm.wire.session import Findings
from kzmitm.wire.violation import ViolationError

_OCSP = 1


def read_chain(message: bytes, findings: Findings, *, tls13: bool) -> None:
    """Put the entries into `findings.chain`; raises ViolationError, with those before the fault kept.

    They are then a part of the chain only, and told to be: without the rest a genuine leaf looks forged.
    """
    offset = MESSAGE_HEADER
    if tls13:
        context, offset = vector(message, offset, 1)
        if context:
            raise ViolationError("the server's certificate has a request context", DECODE_ERROR)
    start = offset + 3
    stop = start + int.from_bytes(message[offset:start], "big")
    try:
        _read_entries(message[start:stop], findings, tls13=tls13)
    except ViolationError:
        findings.chain_truncated = bool(findings.chain)
        raise
    if stop != len(message):
        findings.chain_truncated |= stop > len(message)
        raise ViolationError("the certificate list does not fill its message", DECODE_ERROR)
    if not findings.chain:
        raise ViolationError("the certificate message is empty", DECODE_ERROR)


def salvage_chain(message: bytes, findings: Findings, *, tls13: bool) -> None:
    """Keep the entries that fitted of a message that was cut off."""
    findings.chain_truncated = True
    offset = MESSAGE_HEADER + (1 if tls13 else 0) + 3
    try:
        _read_entries(message[offset:], findings, tls13=tls13)
    except ViolationError:
        return


def _read_entries(block: bytes, findings: Findings, *, tls13: bool) -> None:
    offset, end = 0, len(block)
    chain = findings.chain
    while offset < end:
        if len(chain) == MAX_CERTIFICATES:
            findings.chain_truncated = True
            return
        der, offset = vector(block, offset, 3)
        if not der:
            raise ViolationError("a certificate is empty", DECODE_ERROR)
        chain.append(der)
        if tls13:
            extra, offset = vector(block, offset, 2)
            if extra:
                found = extensions(extra)
                if len(chain) == 1 and STATUS_REQUEST in found:
                    findings.ocsp_staple = ocsp_response(found[STATUS_REQUEST])


def ocsp_response(status: bytes) -> bytes:
    """The OCSP response in a CertificateStatus (RFC 6066, 8); raises ViolationError for any other."""
    if not status or status[0] != _OCSP:
        raise ViolationError("a certificate status is of an unknown type", DECODE_ERROR)
    return whole_vector(status, 1, 3)
