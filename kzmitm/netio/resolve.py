"""Resolving a name in several ways at once; that they disagree is evidence, not an error."""

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from kzmitm.model.failure import Failure
from kzmitm.model.observation import DNSObservation
from kzmitm.netio.answers import Reply
from kzmitm.netio.clock import Stopwatch
from kzmitm.netio.doh import DEFAULT_SERVERS, TIMEOUT_S, DoHResolver
from kzmitm.netio.links._local import plain_socket
from kzmitm.netio.stubdns import NewSocket, Servers, StubResolver, configured_nameservers
from kzmitm.netio.sysdns import SystemResolver
from kzmitm.netio.vantage import VantageLink

LOOKUP_TIMEOUT_S = 5.0
"""Longest wait for one lookup (OONI's engine: 5 s for DNS over UDP)."""

GRACE_S = 1.5
"""Once one resolver has given addresses, how long the others may still take."""

CACHE_SIZE = 1024
"""Names remembered in a run; a list rarely asks a name twice, and then close together."""


class Engine(Protocol):
    """One way of asking."""

    @property
    def engine(self) -> str:
        """OONI's name for it."""
        ...

    @property
    def query_types(self) -> tuple[str, ...]:
        """What a name is asked for."""
        ...

    async def ask(self, hostname: str, query_type: str) -> Reply:
        """The reply; network failures are in it."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long lookups may take, in seconds."""

    lookup_s: float = LOOKUP_TIMEOUT_S
    grace_s: float = GRACE_S
    doh_s: float = TIMEOUT_S


class Resolver:
    """The system resolver, the configured name servers and a DoH server, asked in parallel."""

    def __init__(
        self, engines: Sequence[Engine], *, doh: DoHResolver | None = None, patience: Patience | None = None
    ) -> None:
        self._engines = tuple(engines)
        self._doh = doh
        self._patience = patience or Patience()
        self._cache: OrderedDict[str, tuple[DNSObservation, ...]] = OrderedDict()

    @property
    def has_given_up_doh(self) -> bool:
        """True once DoH failed so often that it is no longer asked: worth telling the user."""
        return self._doh is not None and self._doh.is_given_up

    async def resolve(self, hostname: str, stopwatch: Stopwatch) -> tuple[DNSObservation, ...]:
        """One observation per question asked. Of a name asked before, the same with t0 and t of 0."""
        cached = self._cache.get(hostname)
        if cached is not None:
            self._cache.move_to_end(hostname)
            return cached
        rows = await self._ask_all(hostname, stopwatch)
        if any(row.ips for row in rows):
            self._cache[hostname] = tuple(replace(row, t0=0.0, t=0.0) for row in rows)
            if len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
        return rows

    async def _ask_all(self, hostname: str, stopwatch: Stopwatch) -> tuple[DNSObservation, ...]:
        engines: list[Engine] = list(self._engines)
        if self._doh is not None and not self._doh.is_given_up:
            engines.append(self._doh)
        scopes: set[asyncio.Timeout] = set()
        tasks = [
            asyncio.create_task(self._ask(engine, (hostname, query_type), stopwatch, scopes))
            for engine in engines
            for query_type in engine.query_types
        ]
        try:
            pending = set(tasks)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if any(task.result().ips for task in done):
                    _hurry(scopes, self._patience.grace_s)
        finally:
            if any(not task.done() for task in tasks):
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return tuple(task.result() for task in tasks)

    async def _ask(
        self, engine: Engine, question: tuple[str, str], stopwatch: Stopwatch, scopes: set[asyncio.Timeout]
    ) -> DNSObservation:
        hostname, query_type = question
        limit = self._patience.doh_s if engine is self._doh else self._patience.lookup_s
        t0 = stopwatch.elapsed()
        try:
            async with asyncio.timeout(limit) as scope:
                scopes.add(scope)
                try:
                    reply = await engine.ask(hostname, query_type)
                finally:
                    scopes.discard(scope)
        except TimeoutError:
            reply = Reply(failure=Failure.GENERIC_TIMEOUT)
        return DNSObservation(
            hostname=hostname,
            engine=engine.engine,
            query_type=query_type,
            resolver_address=reply.resolver_address,
            answers=reply.answers,
            failure=reply.failure or (None if reply.answers else Failure.DNS_NO_ANSWER),
            rcode=reply.rcode,
            t0=t0,
            t=stopwatch.elapsed(),
        )

    async def aclose(self) -> None:
        """Close the connections to the DoH server."""
        if self._doh is not None:
            await self._doh.aclose()


def _hurry(scopes: Iterable[asyncio.Timeout], grace_s: float) -> None:
    latest = asyncio.get_running_loop().time() + grace_s
    for scope in scopes:
        when = scope.when()
        if when is not None and when > latest:
            scope.reschedule(latest)


def open_resolver(
    *,
    root_pem: str,
    doh_servers: tuple[str, ...] = DEFAULT_SERVERS,
    patience: Patience | None = None,
    link: VantageLink | None = None,
) -> Resolver:
    """The resolver of a scan; without DoH if `doh_servers` is empty. `root_pem` are the pinned roots.

    Where `link` has name servers of its own, these are asked through it, DoH too, and the system's
    resolver is not: it would ask by whatever way it takes.
    """
    if link is not None and link.nameservers is not None:
        doh = DoHResolver(doh_servers, root_pem=root_pem, link=link) if doh_servers else None
        return Resolver(_stubs(link.nameservers, link.new_socket), doh=doh, patience=patience)
    engines: list[Engine] = [SystemResolver(), *_stubs(configured_nameservers(), plain_socket)]
    doh = DoHResolver(doh_servers, root_pem=root_pem) if doh_servers else None
    return Resolver(engines, doh=doh, patience=patience)


def _stubs(nameservers: Servers, new_socket: NewSocket) -> list[Engine]:
    return [StubResolver(nameservers, new_socket)] if nameservers else []


def addresses(rows: Iterable[DNSObservation]) -> tuple[str, ...]:
    """Addresses to connect to, in the order of the system resolver, IPv4 before IPv6.

    What a program here would get comes first: getaddrinfo's, else the name servers'. DoH's serve only
    where these gave none, so that a name hidden by a lying resolver can still be measured.
    """
    by_engine: dict[str, list[str]] = {}
    for row in rows:
        by_engine.setdefault(row.engine, []).extend(row.ips)
    for engine in ("getaddrinfo", "udp", "doh"):
        ips = [ip for ip in dict.fromkeys(by_engine.get(engine, ())) if _is_unicast(ip)]
        if ips:
            return tuple(sorted(ips, key=lambda ip: ":" in ip))
    return ()


def _is_unicast(text: str) -> bool:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (ip.is_unspecified or ip.is_multicast)
