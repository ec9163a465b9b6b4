"""What the control of a measurement tells of an address: the test helper's words, of all ages."""

from functools import cached_property

from kzmitm.ooni.archive.documents import Control
from kzmitm.ooni.archive.failures import Kind, kind_of

PAGE = "page"
"""The page came over TLS from one of the site's addresses: the word of a control that lists no handshakes."""
_FOUND_BY_CONTROL = 2 | 8


class ControlView:
    """One control; everything is empty where there is none. `https` says how the page was asked for."""

    def __init__(self, control: Control | None, *, https: bool) -> None:
        self._control = control if control is not None else Control()
        self._https = https

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Those that the control found for the host."""
        dns = self._control.dns
        return frozenset(dns.addrs or ()) if dns is not None and not dns.failure else frozenset()

    @cached_property
    def _asns(self) -> frozenset[int]:
        info = self._control.ip_info or {}
        found = (info[ip].asn for ip in self.addresses if ip in info)
        return frozenset(asn for asn in found if asn)

    @property
    def lookup(self) -> str:
        """`ok`, the failure of the control's lookup, or "" where it made none."""
        dns = self._control.dns
        return "" if dns is None else dns.failure or "ok"

    @property
    def connect(self) -> str:
        """`ok` if the control reached any address, else a failure, or ""."""
        tried = self._control.tcp_connect
        if not tried:
            return ""
        failures = [each.failure for each in tried.values()]
        return "ok" if not all(failures) else failures[0] or ""

    def has(self, ip: str) -> bool | None:
        """The address is one of the control's, good for the host, or in a network of the control's addresses.

        None where the control looked nothing up.
        """
        if not self.addresses:
            return None
        if ip in self.addresses:
            return True
        info = (self._control.ip_info or {}).get(ip)
        if info is None:
            return False
        return bool((info.flags or 0) & _FOUND_BY_CONTROL) or info.asn in self._asns

    def of(self, address: str, ip: str, name: str, host: str) -> str:
        """What the control met at an endpoint under a name: `ok`, `page`, a failure, or ""."""
        handshakes = self._control.tls_handshake
        if not handshakes:
            return self._page(ip, name, host)
        found = handshakes.get(address)
        if found is None or (found.server_name and found.server_name.lower() != name.lower()):
            return ""
        if found.failure:
            return found.failure
        return "" if found.status is False else "ok"

    def _page(self, ip: str, name: str, host: str) -> str:
        """Before 2022 the control tells of no handshakes, but it verified the page's."""
        page = self._control.http_request
        if page is None or not self._https or name.lower() != host or ip not in self.addresses:
            return ""
        if not page.failure:
            return PAGE
        return page.failure if kind_of(page.failure) is Kind.CERTIFICATE else ""
