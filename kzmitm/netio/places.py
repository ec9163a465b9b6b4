"""Where a vantage comes out, asked of a service that tells whoever asks: never without the user's leave.

The form of the answer is that of Cloudflare's /cdn-cgi/trace: lines `key=value`, of which `ip` and `loc`
are read. No service is built in.
"""

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kzmitm.errors import UsageError, WordedError
from kzmitm.netio.vantage import VantageLink
from kzmitm.wording import Wording, reason_of

TIMEOUT_S = 15.0
MAX_ANSWER = 16384
"""Octets; a trace has some hundred."""
MAX_TABLE_LINES = 5_000_000
"""Of a table of networks; the whole routing table has a million."""

_COUNTRY_LETTERS = 2


class LocateError(WordedError):
    """The service did not tell; the reason holds no address."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the service said: our address there, which is never stored, and the country."""

    address: str
    cc: str


async def ask_place(
    link: VantageLink, url: str, *, root_pem: str, ip: str | None = None, wait_s: float = TIMEOUT_S
) -> Place:
    """Ask the service at `url` through the link; raises LocateError.

    Its certificate is checked against `root_pem`. `ip` is its address, for links whose names are resolved
    here. `wait_s` is the patience with each step.
    """
    import httpcore  # noqa: PLC0415 - a tenth of a second that those do not pay who ask no service

    from kzmitm.netio.linked import LinkedBackend  # noqa: PLC0415 - as above

    host = urlsplit(url).hostname or ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=root_pem.encode("ascii", "ignore").decode())
    backend = LinkedBackend(link, {host: ip} if ip else None)
    waits = dict.fromkeys(("connect", "read", "write", "pool"), wait_s)
    body = b""
    try:
        async with (
            httpcore.AsyncConnectionPool(ssl_context=context, network_backend=backend) as pool,
            pool.stream("GET", url, extensions={"timeout": waits}) as response,
        ):
            if response.status != 200:
                raise LocateError("the service answered {status}", status=response.status)
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise LocateError("the service answered too much")
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as exc:
        raise LocateError("the service could not be asked ({name})", name=type(exc).__name__) from None
    return _read(body)


def _read(body: bytes) -> Place:
    told: dict[str, str] = {}
    for line in body.decode("ascii", "replace").splitlines():
        key, _, value = line.partition("=")
        told.setdefault(key.strip(), value.strip())
    try:
        address = str(ipaddress.ip_address(told.get("ip", "")))
    except ValueError:
        raise LocateError("the service told no address") from None
    cc = told.get("loc", "").upper()
    is_country = len(cc) == _COUNTRY_LETTERS and cc.isascii() and cc.isalpha()
    return Place(address, cc if is_country else "ZZ")


def check_service(url: str) -> str:
    """The URL of a service; raises UsageError."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable():
        raise UsageError(
            "not a service that tells where one is: {url}", hint="Give an https:// URL.", url=repr(url[:100])
        )
    return url


class NetworkTable:
    """Which network announces an address: the longest prefix of a table decides."""

    def __init__(self) -> None:
        self._by_length: dict[tuple[int, int], dict[int, str]] = {}

    def add(self, prefix: str, asn: str) -> None:
        """Raises ValueError for what is no prefix or no number."""
        network = ipaddress.ip_network(prefix, strict=False)
        number = int(asn.upper().removeprefix("AS").split("_")[0].split(",")[0])
        of_length = self._by_length.setdefault((network.version, network.prefixlen), {})
        of_length[int(network.network_address)] = f"AS{number}"

    def asn_of(self, address: str) -> str:
        """`AS9198`; `AS0` if the table does not tell."""
        ip = ipaddress.ip_address(address)
        for version, length in sorted(self._by_length, reverse=True):
            if version == ip.version:
                start = int(ip) >> (ip.max_prefixlen - length) << (ip.max_prefixlen - length)
                found = self._by_length[version, length].get(start)
                if found is not None:
                    return found
        return "AS0"


def read_table(path: Path) -> NetworkTable:
    """Read lines `PREFIX ASN` or, as CAIDA's pfx2as has them, `ADDRESS LENGTH ASN`; raises UsageError."""
    table = NetworkTable()
    try:
        with path.open(encoding="ascii") as file:
            for number, line in enumerate(file, 1):
                words = line.partition("#")[0].split()
                if words:
                    _add_line(table, words, f"{path}:{number}")
                if number > MAX_TABLE_LINES:
                    raise UsageError(
                        "{path}: over {max_table_lines} lines",
                        hint="Is this a table?",
                        path=path,
                        max_table_lines=MAX_TABLE_LINES,
                    )
    except (OSError, UnicodeError) as exc:
        why = reason_of(exc) if isinstance(exc, OSError) else Wording("not text")
        raise UsageError(
            "{path}: {why}", hint="Give a file with lines PREFIX ASN.", path=path, why=why
        ) from None
    return table


def _add_line(table: NetworkTable, words: list[str], where: str) -> None:
    try:
        *prefix, asn = words
        table.add("/".join(prefix), asn)
    except ValueError:
        raise UsageError(
            "{where}: not a prefix and a network number",
            hint="Write lines like 192.0.2.0/24 AS64500.",
            where=where,
        ) from None
