"""What the control of a measurement tells of an address: the test helper's words, of all ages."""

from kzmitm.ooni.archive.documents import Control
from kzmitm.ooni.archive.failures import Kind, kind_of
from kzmitm.ooni.archive.rows import MAX_TEXT

PAGE = "page"
"""The page came over TLS from one of the site's addresses: the word of a control that lists no handshakes."""
_FOUND_BY_CONTROL = 2 | 8
_NONE = Control()


class ControlView:
    """One control; everything is empty where there is none. `https` says how the page was asked for."""

    __slots__ = ("_asns", "_handshakes", "_https", "_info", "_page", "_tcp", "addresses", "lookup")

    def __init__(self, control: Control | None, *, https: bool) -> None:
        control = control if control is not None else _NONE
        dns = control.dns
        found = dns.addrs if dns is not None and not dns.failure else None
        self.addresses = frozenset(found or ())
        """Those that the control found for the host."""
        self.lookup = "" if dns is None else dns.failure or ("ok" if found else "")
        """`ok`, the failure of the control's lookup, or "" where it found neither."""
        self._https = https
        self._page = control.http_request
        self._tcp = control.tcp_connect
        self._handshakes = control.tls_handshake
        self._info = control.ip_info or {}
        self._asns: frozenset[int] | None = None

    @property
    def connect(self) -> str:
        """`ok` if the control reached any address, else a failure, or ""."""
        tried = self._tcp
        if not tried:
            return ""
        failures = [each.failure for each in tried.values()]
        return "ok" if not all(failures) else failures[0] or ""

    def has(self, ip: str) -> bool | None:
        """The address is one of the control's, good for the host, or in a network of the control's addresses.

        None where the control looked nothing up, or the address is not known.
        """
        if not (self.addresses and ip):
            return None
        if ip in self.addresses:
            return True
        info = self._info.get(ip)
        if info is None:
            return False
        if self._asns is None:
            found = (self._info[one].asn for one in self.addresses if one in self._info)
            self._asns = frozenset(asn for asn in found if asn)
        return bool((info.flags or 0) & _FOUND_BY_CONTROL) or info.asn in self._asns

    def of(self, address: str, ip: str, name: str, host: str) -> str:
        """What the control met at an endpoint under a name: `ok`, `page`, a failure, or ""."""
        if not self._handshakes:
            return self._of_page(ip, name, host)
        found = self._handshakes.get(address)
        if found is None or (found.server_name and found.server_name.lower() != name.lower()):
            return ""
        if found.failure:
            return found.failure
        return "" if found.status is False else "ok"

    def _of_page(self, ip: str, name: str, host: str) -> str:
        """Before 2022 the control tells of no handshakes, but it verified the page's."""
        page = self._page
        if page is None or not self._https or name.lower() != host or ip not in self.addresses:
            return ""
        if not page.failure:
            return PAGE
        return page.failure if kind_of(page.failure[:MAX_TEXT]) is Kind.CERTIFICATE else ""
