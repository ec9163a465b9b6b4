"""`socks5://[USER:PASSWORD@]HOST:PORT`: a SOCKS5 proxy; names are resolved here."""

from kzmitm.model.target import DNSPlace, Vantage
from kzmitm.netio.links._proxy import proxy_address
from kzmitm.netio.links._socks import DEFAULT_PORT, SOCKSProxyLink

FORM = "socks5://[USER:PASSWORD@]HOST:PORT"
NAMES_RESOLVED = DNSPlace.HERE


def open_link(rest: str, vantage: Vantage) -> SOCKSProxyLink:
    return SOCKSProxyLink(vantage, proxy_address("socks5", rest, DEFAULT_PORT), names_here=True)
