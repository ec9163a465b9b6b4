"""Where to connect instead: `--connect-to HOST:PORT:ADDR:PORT` and `--resolve HOST:PORT:ADDR`, as in curl.

https://curl.se/docs/manpage.html#--connect-to and #--resolve. Here ADDR is an address (or `localhost`):
no name is looked up that the user did not ask about.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from kzmitm.errors import UsageError
from kzmitm.model.target import Endpoint, Target, is_ip, to_ascii_hostname
from kzmitm.wording import Wording

CONNECT_TO_HINT = Wording("Write --connect-to HOST:PORT:ADDR:PORT; empty parts mean any, or the same.")
RESOLVE_HINT = Wording("Write --resolve HOST:PORT:ADDR[,ADDR]; * stands for any host.")


@dataclass(frozen=True, slots=True)
class ConnectTo:
    """For `host` and `port` (None: any) connect to `ip` and `to_port` (None: the same)."""

    host: str | None
    port: int | None
    ip: str | None
    to_port: int | None


@dataclass(frozen=True, slots=True)
class Resolve:
    """`host` (None: any) on `port` (None: any) has these addresses."""

    host: str | None
    port: int | None
    ips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overrides:
    """All of the user's; the first that fits decides."""

    connect_to: tuple[ConnectTo, ...] = ()
    resolve: tuple[Resolve, ...] = ()

    def endpoints(self, target: Target) -> tuple[Endpoint, ...]:
        """Where this target is to be reached without asking a resolver; () if the user left it open."""
        rule = next((r for r in self.connect_to if _fits(r.host, r.port, target)), None)
        port = rule.to_port if rule is not None and rule.to_port is not None else target.port
        if rule is not None and rule.ip is not None:
            return (Endpoint(rule.ip, port),)
        return tuple(Endpoint(ip, port) for ip in self._ips(target))

    def port(self, target: Target) -> int:
        """The port to connect to."""
        rule = next((r for r in self.connect_to if _fits(r.host, r.port, target)), None)
        return rule.to_port if rule is not None and rule.to_port is not None else target.port

    def _ips(self, target: Target) -> tuple[str, ...]:
        if target.address is not None:
            return (target.address,)
        if is_ip(target.hostname):
            return (target.hostname,)
        rule = next((r for r in self.resolve if _fits(r.host, r.port, target)), None)
        return rule.ips if rule is not None else ()


def _fits(host: str | None, port: int | None, target: Target) -> bool:
    return (host is None or host == target.hostname) and (port is None or port == target.port)


def parse_overrides(connect_to: Sequence[str], resolve: Sequence[str]) -> Overrides:
    """Read the arguments of the two options; raises UsageError that names the argument."""
    return Overrides(
        tuple(parse_connect_to(text) for text in connect_to), tuple(parse_resolve(text) for text in resolve)
    )


def parse_connect_to(text: str) -> ConnectTo:
    """Read `HOST:PORT:ADDR:PORT`; raises UsageError that names the argument."""
    try:
        host, port, address, to_port = _split(text, 4)
        ip = _ip(address) if address else None
        return ConnectTo(_host(host), _port(port), ip, _port(to_port))
    except ValueError as exc:
        raise UsageError(
            "--connect-to {text}: {why}", hint=CONNECT_TO_HINT, text=repr(text[:100]), why=exc
        ) from None


def parse_resolve(text: str) -> Resolve:
    """Read `HOST:PORT:ADDR[,ADDR]`; raises UsageError that names the argument."""
    try:
        host, port, rest = _split(text, 3)
        ips = tuple(_ip(part.strip()) for part in rest.split(","))
        return Resolve(None if host == "*" else _host(host), _port(port), ips)
    except ValueError as exc:
        raise UsageError(
            "--resolve {text}: {why}", hint=RESOLVE_HINT, text=repr(text[:100]), why=exc
        ) from None


def _split(text: str, count: int) -> list[str]:
    """Cut at colons outside brackets; the last part keeps its own (a bare IPv6 address of --resolve)."""
    parts: list[str] = []
    depth = start = 0
    for i, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        last = len(parts) == count - 1
        if character == ":" and depth == 0 and not (last and count == 3):
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    if len(parts) != count:
        raise ValueError(
            Wording(
                "{count} parts with {count_2} colons are needed, not {count_3}",
                count=count,
                count_2=count - 1,
                count_3=len(parts),
            )
        )
    return parts


def _host(text: str) -> str | None:
    if not text:
        return None
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return str(ipaddress.ip_address(bare)) if is_ip(bare) else to_ascii_hostname(text)


def _port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
        raise ValueError(Wording("not a port: {text}", text=repr(text[:20])))
    return int(text)


def _ip(text: str) -> str:
    if text.lower() == "localhost":
        return "127.0.0.1"
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not is_ip(bare):
        raise ValueError(Wording("not an address: {text}", text=repr(text[:60])))
    return str(ipaddress.ip_address(bare))
