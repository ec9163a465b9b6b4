"""`socks5h://[USER:PASSWORD@]HOST:PORT`: a SOCKS5 proxy, which resolves the names."""

from kzmitm.model.target import DNSPlace, Vantage
from kzmitm.netio.links._proxy import proxy_address
from kzmitm.netio.links._socks import DEFAULT_PORT, SOCKSProxyLink

FORM = "socks5h://[USER:PASSWORD@]HOST:PORT"
NAMES_RESOLVED = DNSPlace.VANTAGE


def open_link(rest: str, vantage: Vantage) -> SOCKSProxyLink:
    return SOCKSProxyLink(vantage, proxy_address("socks5h", rest, DEFAULT_PORT))
