"""`tor:[HOST:PORT]` and `tor:unix:PATH`: a Tor client; names are resolved at the exit.

Every target has credentials of its own that nobody else knows, and Tor gives streams with different ones
different circuits (IsolateSOCKSAuth, the default; torrc(5)): what one exit saw of one target, another
did not see of the next. All connections to one target share a circuit, so that they can be compared.
"""

import errno
import hashlib
import hmac
import secrets
import socket
from dataclasses import dataclass, field
from types import MappingProxyType

from kzmitm.model.target import DNSPlace, Endpoint, Vantage, split_host_port
from kzmitm.netio.links._proxy import dial, dial_unix, proxy_address
from kzmitm.netio.links._socks import REPLIES, connect_by
from kzmitm.netio.vantage import AddressError, VantageLink
from kzmitm.wording import Wording

FORM = Wording("tor:, tor:HOST:PORT or tor:unix:/PATH")
NAMES_RESOLVED = DNSPlace.VANTAGE

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 9050
"""torrc(5), SocksPort."""

_UNIX = "unix:"
_REPLIES = MappingProxyType({**REPLIES, 6: errno.ETIMEDOUT})
"""Tor says "TTL expired" where the exit waited for the target in vain (stream_end_reason_to_socks5_response
in src/core/or/reasons.c)."""


@dataclass(frozen=True, slots=True, repr=False)
class TorLink(VantageLink):
    """A Tor client's SOCKS port."""

    vantage: Vantage
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    path: str = ""
    """Of its socket in the file system; "" if it listens on TCP."""
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def __repr__(self) -> str:
        return f"TorLink({self.vantage!r})"

    async def connect(self, endpoint: Endpoint, timeout_s: float) -> socket.socket:
        """A socket connected to `endpoint` by an exit; raises OSError for what that says of the target."""
        return await connect_by(
            self._dial, endpoint, timeout_s, credentials=self._credentials(endpoint.ip), replies=_REPLIES
        )

    async def _dial(self) -> socket.socket:
        return await (dial_unix(self.path) if self.path else dial(self.host, self.port))

    def _credentials(self, host: str) -> tuple[str, str]:
        """Random to all who do not know our secret; the same for one target as long as the link lives."""
        digest = hmac.new(self.secret, host.encode(), hashlib.sha256).hexdigest()
        return digest[:32], digest[32:]


def open_link(rest: str, vantage: Vantage) -> TorLink:
    if not rest:
        return TorLink(vantage)
    if rest.startswith(_UNIX):
        path = rest.removeprefix(_UNIX)
        if not path.startswith("/") or "\0" in path:
            raise AddressError("the path of the socket must begin with a slash")
        return TorLink(vantage, path=path)
    if rest.startswith("/") or "@" in rest:
        raise AddressError("it takes a host and a port only")
    host, port = _host_and_port(rest)
    return TorLink(vantage, host, port)


def _host_and_port(rest: str) -> tuple[str, int]:
    try:
        split_host_port(rest, DEFAULT_PORT)
    except ValueError:
        raise AddressError("it takes a host and a port only") from None
    address = proxy_address("tor", f"//{rest}", DEFAULT_PORT)
    return address.host, address.port
