"""Fields that all importers read: certificates, times, names, ports, versions, failures. None is guessed."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from kzmitm.model.failure import Failure, unknown_failure
from kzmitm.model.target import Endpoint, Target, is_ip, to_ascii_hostname
from kzmitm.ooni.fields import DecodeError, Fields
from kzmitm.ooni.import_json import MAX_RECORD, Document, documents
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Problem, Reading, Record, Unknown
from kzmitm.wire.iana.suites import SUITES
from kzmitm.wire.iana.versions import VERSIONS, version_name
from kzmitm.wire.limits import MAX_CERTIFICATE_MESSAGE, MAX_CERTIFICATES

FIRST_YEAR, LAST_YEAR = 1994, 2199
"""Years a handshake can be of: SSL is of 1994, and what is judged needs some room around it."""

ALWAYS_UNKNOWN = (Unknown.HELLO, Unknown.DNS, Unknown.CONTROL)
"""What no format of another tool tells."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PEM = re.compile(
    r"-----BEGIN (?:X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]*+)-----END (?:X509 )?CERTIFICATE-----"
)
_OPENSSL_SUITES = {openssl: iana for iana, openssl in SUITES.values()}
_IANA_SUITES = frozenset(_OPENSSL_SUITES.values())

_VERSION_NAMES = {
    "ssl30": "SSLv3",
    "sslv3": "SSLv3",
    "tls10": "TLSv1",
    "tlsv1": "TLSv1",
    "tlsv10": "TLSv1",
    "tls11": "TLSv1.1",
    "tlsv11": "TLSv1.1",
    "tls12": "TLSv1.2",
    "tlsv12": "TLSv1.2",
    "tls13": "TLSv1.3",
    "tlsv13": "TLSv1.3",
}
"""Spellings of versions in lower case without blanks, dots and underlines."""

_FAILURES: tuple[tuple[str, Failure | None], ...] = (
    ("x509:", None),
    ("tls: failed to verify certificate", None),
    ("connection refused", Failure.CONNECTION_REFUSED),
    ("rejected the connection", Failure.CONNECTION_REFUSED),
    ("connection reset", Failure.CONNECTION_RESET),
    ("broken pipe", Failure.CONNECTION_RESET),
    ("no route to host", Failure.HOST_UNREACHABLE),
    ("host is unreachable", Failure.HOST_UNREACHABLE),
    ("network is unreachable", Failure.NETWORK_UNREACHABLE),
    ("no such host", Failure.DNS_NXDOMAIN),
    ("timeout", Failure.GENERIC_TIMEOUT),
    ("timed out", Failure.GENERIC_TIMEOUT),
    ("deadline exceeded", Failure.GENERIC_TIMEOUT),
    ("remote error: tls: unrecognized name", Failure.SSL_INVALID_HOSTNAME),
    ("remote error: tls", Failure.SSL_FAILED_HANDSHAKE),
    ("first record does not look like a tls handshake", Failure.SSL_FAILED_HANDSHAKE),
    ("handshake failure", Failure.SSL_FAILED_HANDSHAKE),
    ("eof", Failure.EOF),
)
"""Words of error messages (Go's net and crypto/tls, sslyze, Atlas probes) and what they mean, first match
first. A complaint about certificates is no failure of the network."""


def each_document(
    source: Source, read: Callable[[Fields, str, int], Iterable[Record]], *, limit: int = MAX_RECORD
) -> Iterator[Record]:
    """What `read(fields, where, line)` makes of each JSON object of a file; its DecodeErrors are problems."""
    for document in documents(source, limit=limit):
        if isinstance(document, Problem):
            yield document
        else:
            yield from _read_one(document, source, read)


def _read_one(
    document: Document, source: Source, read: Callable[[Fields, str, int], Iterable[Record]]
) -> Iterator[Record]:
    where = f"{source.name}:{document.line}"
    try:
        yield from read(Fields(document.value, "$"), where, document.line)
    except DecodeError as exc:
        yield Problem(where, str(exc))


def pem_certificates(text: str, path: str) -> tuple[bytes, ...]:
    """The DER of the certificates in a text; raises DecodeError for one that does not decode."""
    return tuple(der_of(match[1], path) for match in _PEM.finditer(text))


def pem_certificate(text: str, path: str) -> bytes:
    """The DER of the only certificate in a text; raises DecodeError."""
    found = pem_certificates(text, path)
    if len(found) != 1:
        raise DecodeError("{path}: not one certificate in PEM", path=path)
    return found[0]


def der_of(text: str, path: str) -> bytes:
    """What base64 with or without line ends stands for; raises DecodeError."""
    try:
        octets = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("{path}: not base64", path=path) from None
    if not 0 < len(octets) <= MAX_CERTIFICATE_MESSAGE:
        raise DecodeError("{path}: {count} octets are no certificate", path=path, count=len(octets))
    return octets


def chain_of(certificates: Iterable[bytes], path: str) -> tuple[bytes, ...]:
    """A chain of no more certificates than a handshake of ours would keep; raises DecodeError."""
    chain = tuple(certificates)
    if len(chain) > MAX_CERTIFICATES:
        raise DecodeError(
            "{path}: more than {max_certificates} certificates", path=path, max_certificates=MAX_CERTIFICATES
        )
    return chain


def time_of(text: str, path: str, *, naive_is_utc: bool = False) -> datetime:
    """An ISO 8601 time with a zone as aware UTC; raises DecodeError."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and naive_is_utc:
            moment = moment.replace(tzinfo=UTC)
        if moment.tzinfo is not None:
            return _plausible(moment.astimezone(UTC), path)
    except (ValueError, OverflowError):
        pass
    raise DecodeError("{path}: not a time with a zone: {text}", path=path, text=repr(text[:40]))


def epoch_time(value: Any, path: str) -> datetime:
    """Seconds since 1970, as a number or its digits, as aware UTC; raises DecodeError."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError("{path}: not seconds since 1970", path=path)
    try:
        return _plausible(_EPOCH + timedelta(seconds=value), path)
    except (OverflowError, ValueError):
        raise DecodeError("{path}: not seconds since 1970", path=path) from None


def told_time(reading: Reading, path: str) -> datetime:
    """When it was by the word of the user, of a record that does not tell; raises DecodeError."""
    if reading.measured_at is None:
        raise DecodeError("{path}: it does not say when it was measured (--now TIME would)", path=path)
    return _plausible(reading.measured_at, path)


def _plausible(moment: datetime, path: str) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise DecodeError("{path}: no handshake is of the year {year}", path=path, year=moment.year)
    return moment


def port_of(value: Any, path: str) -> int:
    """A port as a number, as its digits, or as the name of HTTPS; raises DecodeError."""
    if value == "https":
        return 443
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 5:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 16:
        raise DecodeError("{path}: not a port", path=path)
    return value


def target_of(host: str, port: int, path: str, *, sni: str | None, address: str = "") -> Target:
    """The target with that name, or address if none was asked for; raises DecodeError."""
    if sni and is_ip(host):
        host = sni
    try:
        name = canonical_ip(host) or to_ascii_hostname(host)
    except ValueError as exc:
        raise DecodeError("{path}: {why}", path=path, why=exc) from None
    return Target(name, port, sni, address or None)


def canonical_ip(text: str) -> str:
    """The address in canonical form, or "" for what is none."""
    return str(ipaddress.ip_address(text)) if is_ip(text) else ""


def endpoint_of(address: str, port: int, path: str) -> Endpoint:
    """The endpoint; without an address ("") only the port is known. Raises DecodeError."""
    ip = canonical_ip(address)
    if address and not ip:
        raise DecodeError("{path}: not an address: {address}", path=path, address=repr(address[:60]))
    return Endpoint(ip, port)


def sent_name(name: str) -> str | None:
    """The server_name that a client sends which is told to connect to `name`: none for an address."""
    return None if not name or is_ip(name) else name


def version_of(value: Any) -> str:
    """A version of TLS, by its number or in anybody's words, in OONI's spelling; "" if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return version_name(value) if value in VERSIONS else ""
    if isinstance(value, str):
        return _VERSION_NAMES.get(re.sub(r"[ ._]", "", value[:20]).lower(), "")
    return ""


def suite_of(value: Any) -> str:
    """A cipher suite, by its number, IANA's name or OpenSSL's, as IANA names it; "" for an unknown one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return SUITES[value][0] if value in SUITES else ""
    if isinstance(value, str):
        return value if value in _IANA_SUITES else _OPENSSL_SUITES.get(value, "")
    return ""


def failure_of(message: str) -> str | None:
    """What an error message of another tool means; None where it only complains of certificates."""
    text = message.lower()
    for words, failure in _FAILURES:
        if words in text:
            return failure
    return unknown_failure(message)
