"""Requests to public services over HTTPS (OONI's archive and API), in limits, through the user's proxy.

Certificates are checked against the pinned roots, not the system's: an interceptor whose root was installed
on this computer is not believed. Proxies that the environment names are used, as `kzmitm stamp` does, since
people who hide their address expect it.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kzmitm import __version__
from kzmitm.errors import UsageError
from kzmitm.netio.failures import classify, innermost
from kzmitm.netio.patience import ServiceError, TransientError, asked_pause

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

USER_AGENT = f"kzmitm/{__version__}"
"""Who runs an archive for everybody may know which program loads it."""

CONNECT_S = 15.0
SILENCE_S = 30.0
"""Without any octet; slow mobile networks pause for ten seconds when the cell changes."""

ANSWER_S = 120.0
"""For a whole answer in memory, so that one that drips ends; OONI's API may take half of it."""

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed (RFC 9110, 15.5.9 and 15.6; RFC 6585, 4; S3's 503
SlowDown)."""

MAX_SAID = 200
"""Characters of what a service says about a failure that are passed on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer in memory."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def parse_service(url: str, *, option: str) -> str:
    """The base of a service's URL without a slash at its end; raises UsageError for what is none.

    HTTPS is demanded but of this very computer, where tests and mirrors are.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.port != 0 and bool(parts.hostname)
        usable = usable and not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(
            "{option}: not the address of a service: {url}",
            hint="give its URL: https://HOST/",
            option=option,
            url=repr(url[:100]),
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise UsageError(
            "{option}: {url}: not encrypted, so that anybody on the way could change what comes",
            hint="give an address that begins with https://",
            option=option,
            url=url[:100],
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def new_client(root_pem: str, *, connections: int) -> "httpx.AsyncClient":
    """A client that believes the roots in `root_pem`; raises UsageError for a proxy that cannot be used."""
    import httpx  # noqa: PLC0415 - a tenth of a second that other verbs do not pay

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=root_pem)
    try:
        return httpx.AsyncClient(
            verify=context,
            follow_redirects=False,
            timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=connections),
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
        )
    except (ImportError, ValueError, httpx.InvalidURL) as exc:
        raise UsageError(
            "the proxy that the environment names cannot be used: {why}",
            hint="name one of the form http://HOST:PORT in HTTPS_PROXY",
            why=exc,
        ) from None


async def ask(
    client: "httpx.AsyncClient", request: "httpx.Request", *, max_octets: int, now: "Callable[[], datetime]"
) -> Answer:
    """The answer to a request, whatever its status but PASSING; raises TransientError, ServiceError."""
    import httpx  # noqa: PLC0415 - as above

    try:
        async with asyncio.timeout(ANSWER_S):
            response = await client.send(request, stream=True)
            try:
                raise_if_passing(response, now())
                body = await _read(response, max_octets)
            finally:
                await response.aclose()
    except TimeoutError:
        raise TransientError("no whole answer within {answer_s} s", answer_s=f"{ANSWER_S:g}") from None
    except httpx.HTTPError as exc:
        raise network_error(exc) from exc
    return Answer(response.status_code, body, response.headers)


def raise_if_passing(response: "httpx.Response", now: datetime) -> None:
    """Raise TransientError for a status that may pass."""
    if response.status_code in PASSING:
        raise TransientError(
            "HTTP status {status_code}",
            asked_s=asked_pause(response.headers.get("retry-after"), now),
            status_code=response.status_code,
        )


def network_error(exc: Exception) -> ServiceError:
    """What the network did, in one word of `Failure` where there is one.

    A certificate that is refused will be refused again.
    """
    inner = innermost(exc)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return ServiceError(
            "its certificate is not genuine: {verify_message}",
            hint="somebody may be intercepting the connection: use another network",
            verify_message=inner.verify_message[:MAX_SAID],
        )
    if isinstance(inner, TimeoutError) or "Timeout" in type(exc).__name__:
        return TransientError("no answer within {silence_s} s", silence_s=f"{SILENCE_S:g}")
    return TransientError(classify(inner))


async def _read(response: "httpx.Response", max_octets: int) -> bytes:
    """The body, as it came; one that is compressed was not asked for."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ServiceError("its answer is compressed, which was not asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_octets:
            raise ServiceError("its answer is longer than {max_octets} KiB", max_octets=max_octets >> 10)
    return bytes(body)
