"""Documents to rows: what one pass over an archive keeps. Pure: where the rows go is an argument."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
from isal.isal_zlib import crc32

from kzmitm.model.target import MAX_HOSTNAME, is_ip, split_host_port, to_ascii_hostname
from kzmitm.ooni.archive.chains import Chain, ChainReader
from kzmitm.ooni.archive.control import ControlView
from kzmitm.ooni.archive.documents import (
    MAX_ROWS,
    Document,
    Handshake,
    Query,
    Surroundings,
    TestKeys,
    decode_typed,
    is_own,
    surroundings_of,
)
from kzmitm.ooni.archive.loose_json import UNREADABLE
from kzmitm.ooni.archive.reading import TooLong
from kzmitm.ooni.archive.rows import MAX_TEXT, HandshakeRow, MeasurementRow
from kzmitm.ooni.archive.tolerant import NoMeasurementError, decode_tolerant, object_in
from kzmitm.verdict.resolution import is_private
from kzmitm.wording import Wording

SYSTEM_ENGINES = frozenset({"getaddrinfo", "system", "golang_net_resolver", "go", "unknown"})
"""OONI's names (df-002) for the resolver that every other program of the computer asks."""

_SPECIAL = (10, 100, 127, 169, 172, 192, 198, 203)
_ALL_PUBLIC = frozenset(str(octet) for octet in range(1, 224) if octet not in _SPECIAL)
"""First octets of IPv4 addresses under which IANA keeps nothing back: asking `ipaddress` takes long."""

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
            return Wording("longer than any measurement; passed over")
        try:
            document, surroundings = _read(line)
            time = _time(document.measurement_start_time)
        except NoMeasurementError as exc:
            return str(exc)
        keys = document.test_keys
        row = _measurement(document, self._next, time)
        row.source, row.line, row.digest = cut(source), number, crc32(line)
        row.uid = cut(document.measurement_uid) or _made_uid(document, line)
        own = _own(keys, line)
        row.own = own is not None
        self._next += 1
        if own is not None:
            self._sink.own(row.doc, own)
        control = None
        if surroundings is not None:
            https = document.input is not None and document.input.startswith("https://")
            # A control that failed may have left its empty shell, in which nothing failed.
            told = None if keys.control_failure else surroundings.control
            control = ControlView(told, https=https)
            _surround(row, keys, surroundings, control)
        self._sink.measurement(row)
        if keys.tls_handshakes:
            self._handshakes(row, control, keys.tls_handshakes)
        return None

    def _handshakes(
        self, common: MeasurementRow, control: ControlView | None, handshakes: Sequence[Handshake]
    ) -> None:
        for n, each in enumerate(handshakes):
            chain = self._chains.read(bytes(each.peer_certificates))
            if chain.ders:
                self._sink.chain(chain)
            address, name = each.address or "", each.server_name or ""
            ip, port, private = _endpoint(address if len(address) <= MAX_TEXT else "")
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
                    control=cut(control.of(address, ip, name, common.host)) if control is not None else "",
                    in_control=control.has(ip) if control is not None else None,
                )
            )


def _read(line: bytes) -> tuple[Document, Surroundings | None]:
    """The document, and what else it saw unless its handshakes settle it; raises NoMeasurementError."""
    document = decode_typed(line)
    if document is not None:
        try:
            return document, _surroundings(document.test_keys)
        except UNREADABLE:
            pass
    document = decode_tolerant(line)
    return document, _surroundings(document.test_keys)


def _surroundings(keys: TestKeys) -> Surroundings | None:
    return None if _is_settled(keys.tls_handshakes) else surroundings_of(keys)


def _own(keys: TestKeys, line: bytes) -> bytes | None:
    """The measurement on one line if it is ours, out of the envelope or the lines it may have come in."""
    if not is_own(keys):
        return None
    try:
        return msgspec.json.encode(object_in(line))
    except (NoMeasurementError, RecursionError):
        return None


def _is_settled(handshakes: Sequence[Handshake] | None) -> bool:
    """The probe verified every handshake, and there was one."""
    return bool(handshakes) and all(not each.failure and not each.no_tls_verify for each in handshakes or ())


def _made_uid(document: Document, line: bytes) -> str:
    """A name for what has none, as the lines of OONI's bucket: the same for all copies, however written."""
    told = (document.report_id, document.input, document.measurement_start_time, document.test_runtime)
    content = repr(told).encode("utf-8", "replace") if document.report_id else line
    return "made-" + sha256(content).hexdigest()[:32]


def cut(text: str | None) -> str:
    """A text of strangers at the length that is kept, without NUL, which no database takes."""
    if not text:
        return ""
    return text[:MAX_TEXT].replace("\0", "�") if len(text) > MAX_TEXT or "\0" in text else text


def _measurement(document: Document, doc: int, time: str) -> MeasurementRow:
    return MeasurementRow(
        doc=doc,
        uid="",
        time=time,
        cc=cut(document.probe_cc),
        asn=_asn(cut(document.probe_asn)),
        network=cut(document.probe_network_name),
        test=cut(document.test_name),
        test_version=cut(document.test_version),
        software=_software(cut(document.software_name), cut(document.software_version)),
        software_version=cut(document.software_version),
        input=cut(document.input),
        host=_host(cut(document.input)),
        handshakes=len(document.test_keys.tls_handshakes or ()),
    )


def _surround(row: MeasurementRow, keys: TestKeys, seen: Surroundings, control: ControlView) -> None:
    """Add what lookups, connects and the control tell."""
    given, failure = _system_answers(seen.queries)
    connects = [each.status.failure for each in seen.tcp_connect if each.status is not None]
    row.dns_failure = "" if given else cut(failure)
    row.addresses = min(len(given), 65535)
    row.tcp_failure = cut(connects[0]) if connects and all(connects) else ""
    row.control = cut(keys.control_failure) or ("ok" if seen.control is not None else "")
    row.control_dns, row.control_tcp = cut(control.lookup), cut(control.connect)
    row.in_control = any(map(control.has, given)) if given and control.addresses else None
    row.private = bool(given) and all(map(_is_private, given))


def _system_answers(queries: Sequence[Query]) -> tuple[set[str], str]:
    """The addresses that the system's resolver gave, and its first failure."""
    given: set[str] = set()
    failure = ""
    for query in queries[:MAX_ROWS]:
        asked_nobody_else = query.engine is None and query.resolver_hostname is None
        if query.engine in SYSTEM_ENGINES or asked_nobody_else:
            failure = failure or query.failure or ""
            for answer in query.answers or ():
                ip = answer.ipv4 or answer.ipv6
                if ip:
                    given.add(cut(ip))
    return given, failure


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
    if ip.partition(".")[0] in _ALL_PUBLIC:
        return False
    return is_ip(ip) and is_private(ip)


def _depth(tags: Sequence[str]) -> int:
    for tag in tags:
        if tag.startswith("depth="):
            digits = tag[6:]
            return min(int(digits), 255) if digits.isascii() and digits.isdigit() and len(digits) < 4 else 0
    return 0


# A quarter of the time of what it spares, and nearly all are such.
_USUAL_URL = re.compile(
    r"https?://((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,63})(?:/|\Z)", re.ASCII
)


@lru_cache(maxsize=4096)
def _host(text: str) -> str:
    """The host of an input (a URL of any scheme, or bare) as A-labels; "" if there is none."""
    usual = _USUAL_URL.match(text)
    if usual is not None and len(usual[1]) <= MAX_HOSTNAME:
        return usual[1]
    try:
        netloc = urlsplit(text).netloc if "://" in text else text.partition("/")[0]
        host, _ = split_host_port(netloc.rpartition("@")[2])
        return host if is_ip(host) else to_ascii_hostname(host)
    except ValueError:
        return ""


@lru_cache(maxsize=1024)
def _asn(text: str) -> int:
    digits = text.removeprefix("AS")
    valid = digits.isascii() and digits.isdigit() and len(digits) <= 10
    return int(digits) if valid and int(digits) < 1 << 32 else 0


@lru_cache(maxsize=1024)
def _software(name: str, version: str) -> str:
    return cut(f"{name} {version}".strip())


@lru_cache(maxsize=4096)
def _time(text: str) -> str:
    """The time if it is one (UTC, df-000), else NoMeasurementError."""
    try:
        time = datetime.fromisoformat(text[:20]).isoformat(" ")
        if text not in (time, time.replace(" ", "T")):
            raise ValueError  # noqa: TRY301 (one complaint for all that it can be)
    except ValueError:
        raise NoMeasurementError(
            "measurement_start_time is no UTC time: {text}", text=repr(text[:40])
        ) from None
    return time
