"""The laboratory on loopback: sites, certificates, and what is in front of them. Needs no privileges."""

import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket

from kzmitm.errors import UsageError
from kzmitm.lab.certificates.flaws import broken
from kzmitm.lab.certificates.look_alike import QAZNET, CANames, LookAlikeCA
from kzmitm.lab.certificates.pki import Credential, Leaf, PublicCA
from kzmitm.lab.loopback.children import Children
from kzmitm.lab.loopback.origin import TLSOrigin
from kzmitm.lab.loopback.servers import Connection, ServerThread
from kzmitm.lab.products import Products, how_to_get
from kzmitm.lab.profile import CLEAN, Expected, Loopback, Profile, all_profiles, on_loopback, profile_named
from kzmitm.lab.sites import SITES, Flaw, Site
from kzmitm.model.target import Endpoint

LOOPBACK = "127.0.0.1"
HTTPS = 443


class Lab:
    """Hosts, addresses and certificates of one laboratory, for the profiles to build on.

    Every site answers with its own certificate at every address of the laboratory, chosen by SNI, so that
    contrasts by name and by address both mean something.
    """

    def __init__(
        self, *, now: datetime, products: Products, sites: Sequence[Site] = SITES, ca_names: CANames = QAZNET
    ) -> None:
        self.now = now
        self._ca_names = ca_names
        self.sites = {site.hostname: site for site in sites}
        self.public_ca = PublicCA(now)
        self._products = products
        self._addresses = _loopback_addresses()
        self._servers = ServerThread()
        self._children = Children()
        self._shown = {name: self.public_ca.issue(Leaf(hostname=name)) for name in self.sites}
        self._origins = {name: self.serve(self._origin(name), next(self._addresses)) for name in self.sites}
        self._profiles: dict[str, tuple[str, ...]] = {}
        self._routes: dict[str, dict[str, Endpoint]] = {}

    @cached_property
    def look_alike(self) -> LookAlikeCA:
        """The look-alike CA, made when it is first needed (RSA keys take time)."""
        return LookAlikeCA(self.now, self._ca_names)

    @property
    def has_addresses(self) -> bool:
        """Each site has an address of its own: not where loopback is one address only (macOS)."""
        return len({endpoint.ip for endpoint in self._origins.values()}) > 1

    @property
    def directory(self) -> Path:
        """A private directory, in memory where possible, that vanishes with the laboratory."""
        return self._children.directory

    # --- what profiles use

    def program(self, package: str) -> str:
        """The path of a product."""
        return str(self._products.programs[package])

    def origin(self, hostname: str) -> Endpoint:
        """Where the site itself answers."""
        return self._origins[hostname]

    def shown(self, hostname: str) -> Credential:
        """What the site itself presents now."""
        return self._shown[hostname]

    def show(self, hostname: str, credential: Credential) -> None:
        """Let the site present something else."""
        self._shown[hostname] = credential

    def show_ordinary(self, hostname: str) -> None:
        """Let the site present an ordinary certificate again."""
        self._shown[hostname] = self.public_ca.issue(Leaf(hostname=hostname))

    def sites_of(self, profile: str) -> tuple[str, ...]:
        """The sites that a profile stands in front of."""
        return self._profiles[profile]

    def broken(self, flaw: Flaw, hostname: str) -> Credential:
        """A certificate with a flaw of the site's own."""
        return broken(self.public_ca, flaw, hostname, self.now)

    @property
    def watched(self) -> tuple[str, ...]:
        """The names that interceptors and filters watch."""
        return tuple(name for name, site in self.sites.items() if site.watched)

    def struck_of(self, profile: str) -> tuple[str, ...]:
        """The watched ones of the sites that a profile stands in front of."""
        return tuple(name for name in self._profiles[profile] if self.sites[name].watched)

    def serve(self, connection: Callable[[], Connection], ip: str) -> Endpoint:
        """Serve connections at an address of the laboratory, on a port that the kernel chooses."""
        return self._servers.listen(connection, ip)

    def free_endpoint(self, ip: str) -> Endpoint:
        """An endpoint that nobody listens on, for a product that wants to be told its port."""
        with socket(AF_INET, SOCK_STREAM) as sock:
            sock.bind((ip, 0))
            return Endpoint(ip, sock.getsockname()[1])

    def start(self, name: str, argv: Sequence[str]) -> None:
        """Start a product; raises LaboratoryError."""
        self._children.start(name, argv)

    def stop(self, name: str) -> None:
        """End a product and return when it is gone."""
        self._children.stop(name)

    def route(self, profile: str, hostname: str, endpoint: Endpoint) -> None:
        """Let the client reach a site through `endpoint`."""
        self._routes[profile][hostname] = endpoint

    def relay(self, profile: str) -> Iterator[tuple[Endpoint, Endpoint]]:
        """A fresh endpoint routed to for each site of a profile, and the origin to relay it to.

        It has the address of the origin and another port: what stands in a path does not change addresses.
        """
        for hostname in self.sites_of(profile):
            endpoint = self.free_endpoint(self.origin(hostname).ip)
            self.route(profile, hostname, endpoint)
            yield endpoint, self.origin(hostname)

    def wait_for(self, profile: str) -> None:
        """Return once a product listens wherever the profile routes to; raises LaboratoryError."""
        self._children.wait_for(profile, tuple(self._routes[profile].values()))

    # --- what the demo and the tests use

    @contextmanager
    def running(self) -> Iterator["Lab"]:
        """The laboratory, for as long as the block lasts; nothing of it is left afterwards."""
        try:
            yield self
        finally:
            self.close()

    def close(self) -> None:
        """End everything and remove the private directory."""
        self._children.close()
        self._servers.close()

    def switch_on(self, name: str, sites: Sequence[str] = ()) -> None:
        """Put a profile in front of `sites` (its own by default); raises UsageError for a missing product."""
        profile, arrangement = self._arrangement(name)
        if missing := self._products.lacks(needs_here(profile)):
            raise UsageError(
                "the profile {name} needs what is not installed", hint=how_to_get(missing), name=name
            )
        self._profiles[name] = tuple(sites) or arrangement.sites
        self._routes[name] = {}
        arrangement.on(self)

    def switch_off(self, name: str) -> None:
        """Take a profile away."""
        self._arrangement(name)[1].off(self)
        del self._profiles[name], self._routes[name]

    def profile_of(self, hostname: str) -> Profile:
        """What stands in front of a site; the profile `none` if nothing does."""
        names = [name for name, sites in self._profiles.items() if hostname in sites]
        return all_profiles()[names[0] if names else "none"]

    def expected_of(self, hostname: str) -> Expected:
        """What the scanner must say of a site as things are."""
        profile = self.profile_of(hostname)
        watched = self.sites[hostname].watched
        return CLEAN if profile.selective and not watched else profile.expected(profile.settle({}))

    def _arrangement(self, name: str) -> tuple[Profile, Loopback]:
        profile = profile_named(name)
        if profile.loopback is None:
            raise UsageError(
                "the profile {name} cannot exist on loopback",
                hint="there is: {on_loopback}",
                name=name,
                on_loopback=", ".join(on_loopback()),
            )
        return profile, profile.loopback

    def routes(self) -> Mapping[str, Endpoint]:
        """Where the client reaches each site as things are."""
        found = dict(self._origins)
        for routes in self._routes.values():
            found |= routes
        return found

    def clean_routes(self) -> Mapping[str, Endpoint]:
        """Where a client in a clean network reaches each site: its origin."""
        return dict(self._origins)

    def _origin(self, hostname: str) -> Callable[[], Connection]:
        def choose(sni: str | None) -> Credential:
            return self._shown.get(sni or hostname) or self._shown[hostname]

        return lambda: TLSOrigin(choose, hostname=hostname)


def needs_here(profile: Profile) -> tuple[str, ...]:
    """The products that a profile needs on loopback, where no packet passes a firewall."""
    return tuple(need for need in profile.needs if need != "iptables")


def connect_to(routes: Mapping[str, Endpoint]) -> tuple[str, ...]:
    """The routes as values of `--connect-to`."""
    return tuple(f"{name}:{HTTPS}:{endpoint}" for name, endpoint in routes.items())


def _loopback_addresses() -> Iterator[str]:
    """An address for each server where all of 127/8 is loopback (Linux), else 127.0.0.1 for all.

    The third octet is drawn, so that laboratories that run at once stay apart.
    """
    if not sys.platform.startswith("linux"):
        while True:
            yield LOOPBACK
    network = secrets.randbelow(254) + 1
    for host in range(10, 255):
        yield f"127.77.{network}.{host}"
