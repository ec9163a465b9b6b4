"""The origin servers and the name server of the network, and what they show."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

from kzmitm.lab.certificates.flaws import broken
from kzmitm.lab.certificates.pki import Credential, Leaf, PublicCA, pem
from kzmitm.lab.control.commands import module_command
from kzmitm.lab.network import names, origins, quic_origin
from kzmitm.lab.network.processes import READY, Port, Processes
from kzmitm.lab.network.topology import NAMESERVER, SITE_ADDRESSES
from kzmitm.lab.products import Products
from kzmitm.lab.sites import SITES, Flaw, Site

HOST = "server"
QUIC = "quic"


class Servers:
    """nginx, dnsmasq and the QUIC origin; started anew when what they show changes."""

    def __init__(self, directory: Path, processes: Processes, products: Products, now: datetime) -> None:
        self.now = now
        self.public_ca = PublicCA(now)
        self.other_public_ca = PublicCA(
            now, organization="Other LAB Trust", root="Lab Public Root Y2", issuing="Lab Issuing E7"
        )
        self.sites: dict[str, Site] = {site.hostname: site for site in SITES}
        self.shown: dict[str, origins.Variants] = {
            name: ((self._ordinary(site),),) for name, site in self.sites.items()
        }
        self._directory = directory
        self._processes = processes
        self._products = products
        self._addresses = {name: self._address(i, name) for i, name in enumerate(self.sites)}

    @cached_property
    def block_page(self) -> Credential:
        """What the page to which hijacked names lead presents."""
        return self.public_ca.self_signed("block.isp.lab.test")

    @property
    def store_pem(self) -> bytes:
        """Both public roots, which the scan pins."""
        return self.public_ca.store_pem + self.other_public_ca.store_pem

    def start(self) -> None:
        """Start all servers; return when they listen."""
        with_quic = quic_origin.has_quic()
        if with_quic:  # first, as it takes longest
            self._start_quic()
        self._start_origins()
        self._start_names()
        self._wait()
        if with_quic:
            self._processes.wait_for_word(QUIC, READY)

    def addresses_of(self, hostname: str) -> tuple[str, ...]:
        """What the name server says of a site."""
        return self._addresses[hostname]

    def add(self, hostnames: Sequence[str]) -> None:
        """Serve more sites."""
        for hostname in hostnames:
            self.sites[hostname] = Site(hostname)
            self.shown[hostname] = ((self._ordinary(self.sites[hostname]),),)
            self._addresses[hostname] = self._address(len(self._addresses), hostname)
        self._restart_all()

    def remove(self, hostnames: Sequence[str]) -> None:
        """Serve these sites no more."""
        for hostname in hostnames:
            del self.sites[hostname], self.shown[hostname], self._addresses[hostname]
        self._restart_all()

    def present(self, shown: Mapping[str, origins.Variants]) -> None:
        """Let sites present other certificates."""
        self.shown |= shown
        self._processes.stop(origins.NAME)
        self._start_origins()
        self._processes.wait_for(origins.NAME, Port(origins.HTTPS))

    def broken(self, flaw: Flaw, hostname: str) -> Credential:
        """A certificate with a flaw of the site's own."""
        return broken(self.public_ca, flaw, hostname, self.now)

    def _ordinary(self, site: Site) -> Credential:
        if site.flaw is not None:
            return self.broken(site.flaw, site.hostname)
        return self.public_ca.issue(Leaf(hostname=site.hostname))

    def _address(self, number: int, _hostname: str) -> tuple[str, ...]:
        """Each site has an address of both families; the first has two, as big sites do."""
        pair = SITE_ADDRESSES[number % len(SITE_ADDRESSES)]
        return (*SITE_ADDRESSES[0], *SITE_ADDRESSES[1]) if number == 0 else pair

    def _restart_all(self) -> None:
        for name in (origins.NAME, names.NAME):
            self._processes.stop(name)
        self._start_origins()
        self._start_names()
        self._wait()

    def _wait(self) -> None:
        self._processes.wait_for(origins.NAME, Port(origins.HTTPS), Port(origins.HTTP))
        self._processes.wait_for(names.NAME, Port(names.DNS), Port(names.DNS, "udp"))

    def _start_origins(self) -> None:
        text, files = origins.configuration(self._directory, self.shown, self.block_page)
        for stem, content in files.items():
            (self._directory / stem).write_bytes(content)
        path = self._directory / "nginx.conf"
        path.write_text(text)
        program = str(self._products.programs["nginx-light"])
        self._processes.start(origins.NAME, HOST, [program, "-c", str(path), "-e", "stderr"])

    def _start_names(self) -> None:
        program = str(self._products.programs["dnsmasq-base"])
        argv = names.arguments(program, self._addresses, listen=NAMESERVER)
        self._processes.start(names.NAME, HOST, argv)

    def _start_quic(self) -> None:
        """The same sites over QUIC, which no interceptor of the laboratory touches."""
        leaf = self.public_ca.issue(Leaf(hostname=SITES[0].hostname, more=tuple(self.sites)[1:]))
        document = quic_origin.document(
            chain_pem=pem(leaf.certificate) + leaf.chain_pem,
            key_pem=leaf.key_pem,
            addresses=[address for pair in SITE_ADDRESSES for address in pair],
        )
        self._processes.start(QUIC, HOST, module_command(quic_origin.__name__), stdin=document)
