"""Documents to rows: what one pass over an archive keeps. Pure: where the rows go is an argument."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Protocol
from urllib.parse import urlsplit

from isal.isal_zlib import crc32

from kzmitm.model.target import is_ip, split_host_port, to_ascii_hostname
from kzmitm.ooni.archive.chains import Chain, ChainReader
from kzmitm.ooni.archive.control import ControlView
from kzmitm.ooni.archive.documents import (
    MAX_ROWS,
    Document,
    Handshake,
    Query,
    decode_typed,
)
from kzmitm.ooni.archive.reading import TooLong
from kzmitm.ooni.archive.rows import DOH, MAX_TEXT, SYSTEM, UDP, HandshakeRow, MeasurementRow
from kzmitm.ooni.archive.tolerant import NoMeasurementError, decode_tolerant
from kzmitm.verdict.resolution import is_private

ENGINES: Mapping[str | None, int] = {
    "getaddrinfo": SYSTEM, "system": SYSTEM, "golang_net_resolver": SYSTEM, "go": SYSTEM, "unknown": SYSTEM,
    "udp": UDP, "tcp": UDP, "doh": DOH, "doh3": DOH, "dot": DOH,
}  # fmt: skip
"""Whose answer a lookup's is, by OONI's names of its engines (df-002)."""

_OWN = b'"kzmitm.measurement/1.'
_OPTIONAL = frozenset({"", "first"})


class Sink(Protocol):
    """Where rows go; a chain is given with each of its handshakes and kept once."""

    def measurement(self, row: MeasurementRow) -> None: ...

    def handshake(self, row: HandshakeRow) -> None: ...

    def chain(self, chain: Chain) -> None: ...

    def own(self, doc: int, line: bytes) -> None: ...


class Extractor:
    """Takes documents one after another; remembers chains between them, in bounded memory."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._chains = ChainReader()
        self._next = 0

    def add(self, line: bytes, *, source: str, number: int) -> str | None:
        """Keep the rows of a document; returns why there are none, or None."""
        if isinstance(line, TooLong):
            return "longer than any measurement; passed over"
        document = decode_typed(line)
        try:
            if document is None:
                document = decode_tolerant(line)
            time = _time(document.measurement_start_time)
        except NoMeasurementError as exc:
            return str(exc)
        self._keep(document, line, time, f"{source}", number)
        return None

    def _keep(self, document: Document, line: bytes, time: str, source: str, number: int) -> None:
        doc, self._next = self._next, self._next + 1
        keys = document.test_keys
        own = keys.x_kzmitm is not None and _OWN in bytes(keys.x_kzmitm)
        handshakes = (keys.tls_handshakes or [])[:MAX_ROWS]
        control = ControlView(keys.control, https=document.input is not None and _is_https(document.input))
        row = _measurement(document, doc, time, control)
        row.source, row.line, row.own = source, number, own
        row.digest = crc32(line)
        row.uid = cut(document.measurement_uid) or "sha256-" + sha256(line).hexdigest()[:32]
        row.handshakes = len(handshakes)
        self._sink.measurement(row)
        if own:
            self._sink.own(doc, line)
        if handshakes:
            self._handshakes(row, control, keys.queries or (), handshakes)

    def _handshakes(
        self,
        common: MeasurementRow,
        control: ControlView,
        queries: Sequence[Query],
        handshakes: Sequence[Handshake],
    ) -> None:
        resolvers = _resolvers(queries)
        for n, each in enumerate(handshakes):
            chain = self._chains.read(bytes(each.peer_certificates))
            if chain.ders:
                self._sink.chain(chain)
            ip, port, private = _endpoint(each.address or "")
            name = each.server_name or ""
            self._sink.handshake(
                HandshakeRow(
                    doc=common.doc,
                    n=n,
                    time=common.time,
                    asn=common.asn,
                    test=common.test,
                    software=common.software,
                    host=common.host,
                    role="" if each.x_role is None or each.x_role in _OPTIONAL else cut(each.x_role),
                    depth=_depth(each.tags) if each.tags else 0,
                    ip=ip,
                    port=port,
                    private=private,
                    name=cut(name).lower(),
                    failure=cut(each.failure),
                    verified=not each.no_tls_verify,
                    version=cut(each.tls_version),
                    chain=chain.id,
                    control=cut(control.of(each.address or "", ip, name, common.host)),
                    in_control=control.has(ip),
                    resolvers=resolvers.get(ip, 0),
                )
            )


def cut(text: str | None) -> str:
    """A text of strangers at the length that is kept, without NUL, which no database takes."""
    if not text:
        return ""
    return text[:MAX_TEXT].replace("\0", "�") if len(text) > MAX_TEXT or "\0" in text else text


def _measurement(document: Document, doc: int, time: str, control: ControlView) -> MeasurementRow:
    keys = document.test_keys
    given, failure = _system_answers(keys.queries or ())
    connects = [each.status.failure for each in keys.tcp_connect or () if each.status is not None]
    return MeasurementRow(
        doc=doc,
        uid="",
        time=time,
        cc=cut(document.probe_cc),
        asn=_asn(document.probe_asn),
        network=cut(document.probe_network_name),
        test=cut(document.test_name),
        test_version=cut(document.test_version),
        software=_software(document.software_name, document.software_version),
        software_version=cut(document.software_version),
        input=cut(document.input),
        host=_host(document.input),
        dns_failure="" if given else cut(failure),
        addresses=min(len(given), 65535),
        tcp_failure=cut(connects[0]) if connects and all(connects) else "",
        control=cut(keys.control_failure) or ("ok" if keys.control is not None else ""),
        control_dns=cut(control.lookup),
        control_tcp=cut(control.connect),
        in_control=any(map(control.has, given)) if given and control.addresses else None,
        private=bool(given) and all(map(_is_private, given)),
    )


def _is_https(text: str) -> bool:
    return text.startswith("https://")


def _system_answers(queries: Sequence[Query]) -> tuple[set[str], str]:
    """The addresses that the system's resolver gave, and its first failure."""
    given: set[str] = set()
    failure = ""
    for query in queries[:MAX_ROWS]:
        if ENGINES.get(query.engine) == SYSTEM:
            failure = failure or query.failure or ""
            for answer in query.answers or ():
                ip = answer.ipv4 or answer.ipv6
                if ip:
                    given.add(ip)
    return given, failure


def _resolvers(queries: Sequence[Query]) -> dict[str, int]:
    """Whose answers held an address."""
    found: dict[str, int] = {}
    for query in queries[:MAX_ROWS]:
        bit = ENGINES.get(query.engine, 0)
        if bit and query.answers:
            for answer in query.answers:
                ip = answer.ipv4 or answer.ipv6
                if ip:
                    found[ip] = found.get(ip, 0) | bit
    return found


@lru_cache(maxsize=4096)
def _endpoint(address: str) -> tuple[str, int, bool]:
    """Address, port and whether it is private; `[scrubbed]:443` where the probe's own address stood.

    ("", 0, False) where there is none.
    """
    ip, _, digits = address.rpartition(":")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) < 65536):
        return "", 0, False
    ip = cut(ip.removeprefix("[").removesuffix("]") if ":" in ip else ip)
    return ip, int(digits), _is_private(ip)


@lru_cache(maxsize=4096)
def _is_private(ip: str) -> bool:
    return is_ip(ip) and is_private(ip)


def _depth(tags: Sequence[str]) -> int:
    for tag in tags:
        if tag.startswith("depth="):
            digits = tag[6:]
            return min(int(digits), 255) if digits.isascii() and digits.isdigit() and len(digits) < 4 else 0
    return 0


@lru_cache(maxsize=4096)
def _host(text: str | None) -> str:
    """The host of an input (a URL of any scheme, or bare) as A-labels; "" if there is none."""
    if not text:
        return ""
    try:
        netloc = urlsplit(text).netloc if "://" in text else text.partition("/")[0]
        host, _ = split_host_port(netloc.rpartition("@")[2])
        return host if is_ip(host) else to_ascii_hostname(host)
    except ValueError:
        return ""


@lru_cache(maxsize=1024)
def _asn(text: str | None) -> int:
    digits = (text or "").removeprefix("AS")
    valid = digits.isascii() and digits.isdigit() and len(digits) <= 10
    return int(digits) if valid and int(digits) < 1 << 32 else 0


@lru_cache(maxsize=1024)
def _software(name: str | None, version: str | None) -> str:
    return cut(f"{name or ''} {version or ''}".strip())


@lru_cache(maxsize=4096)
def _time(text: str) -> str:
    """The time if it is one (UTC, df-000), else NoMeasurementError."""
    try:
        if len(text) != 19:
            raise ValueError  # noqa: TRY301 (one complaint for all that it can be)
        return datetime.fromisoformat(text).isoformat(" ")
    except ValueError:
        raise NoMeasurementError(f"measurement_start_time is no UTC time: {text[:40]!r}") from None
