"""The network that is up: what profiles switch on, and how every bit of it is undone."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from kzmitm.errors import UsageError
from kzmitm.lab.certificates.look_alike import CANames, LookAlikeCA
from kzmitm.lab.certificates.pki import Credential, PublicCA
from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.network import mounts
from kzmitm.lab.network.processes import Port, Processes
from kzmitm.lab.network.servers import Servers
from kzmitm.lab.network.topology import INSIDE, ROUTERS
from kzmitm.lab.overlay import write_overlay
from kzmitm.lab.products import Products, how_to_get
from kzmitm.lab.profile import profile_named
from kzmitm.lab.session import Active

SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
)
"""The trusted roots in one file: Debian and Arch, Fedora, openSUSE."""


class Network:
    """What a profile builds on. Whatever a method here does is undone when the profile is taken off."""

    def __init__(self, directory: Path, processes: Processes, servers: Servers, products: Products) -> None:
        self.directory = directory
        self.processes = processes
        self.servers = servers
        self.active: Active | None = None
        self.environment: dict[str, dict[str, str]] = {}
        """What is added to the environment of commands, by host."""
        self._products = products
        self._undo = ExitStack()
        self._look_alikes: dict[tuple[CANames, bool], LookAlikeCA] = {}
        self.installed_root: Credential | None = None
        """The root of the forging CA of the active profile, for the browser of the demo."""
        write_overlay(directory / "overlay")

    @property
    def now(self) -> datetime:
        """When the laboratory was made."""
        return self.servers.now

    @property
    def public_ca(self) -> PublicCA:
        """The public CA of the sites."""
        return self.servers.public_ca

    # --- what profiles use

    def program(self, package: str) -> str:
        """The path of a product."""
        return str(self._products.programs[package])

    def file(self, name: str, content: bytes) -> Path:
        """A file in the laboratory's memory."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._undo.callback(path.unlink, missing_ok=True)
        return path

    def folder(self, name: str) -> Path:
        """An empty folder in the laboratory's memory."""
        path = self.directory / name
        path.mkdir()
        self._undo.callback(shutil.rmtree, path, ignore_errors=True)
        return path

    def look_alike(self, names: CANames, *, has_expired: bool = False) -> LookAlikeCA:
        """A forging CA of these names; the same one for as long as the laboratory lives."""
        key = names, has_expired
        if key not in self._look_alikes:
            self._look_alikes[key] = LookAlikeCA(self.now, names, has_expired=has_expired)
        return self._look_alikes[key]

    def announce(self, root: Credential, *, known: bool, name: str) -> None:
        """Say which root forges; `known`: the registry of the scan has its key, under `name`."""
        self.installed_root = root
        if known:
            write_overlay(self.directory / "overlay", root, name=name)

    def start(
        self,
        name: str,
        host: str,
        argv: Sequence[str],
        *,
        ports: Sequence[Port] = (),
        word: str = "",
        stdin: bytes | None = None,
    ) -> None:
        """Start a program in a host; return when it listens on `ports` and has said `word`."""
        self._undo.callback(self.processes.stop, name)
        self.processes.start(name, host, argv, stdin=stdin)
        if ports:
            self.processes.wait_for(name, *ports)
        if word:
            self.processes.wait_for_word(name, word)

    def nft(self, host: str, ruleset: str) -> None:
        """Lay firewall rules over a host (`nft -f`)."""
        self.flush_at_the_end(host)
        self.processes.execute(host, ["nft", "-f", "-"], ruleset)

    def iptables(self, host: str, *rules: str, table: str = "filter", v4_only: bool = False) -> None:
        """Append rules of iptables, and the same for IPv6: nft has no match for text in a packet."""
        self.flush_at_the_end(host)
        for command in ("iptables",) if v4_only else ("iptables", "ip6tables"):
            for rule in rules:
                self.processes.execute(host, [command, "-w", "-t", table, "-A", *rule.split()])

    def redirect(self, host: str, port: int, *, only: str = "") -> None:
        """Send what comes from the client's side to port 443 to a program of this host instead."""
        self.nft(
            host,
            "table inet kzmitm {\n"
            "  chain prerouting {\n"
            "    type nat hook prerouting priority dstnat;\n"
            f'    iifname "{INSIDE}" {only} tcp dport 443 redirect to :{port}\n'
            "  }\n}\n",
        )

    def execute(self, host: str, argv: Sequence[str], text: str = "") -> None:
        """Run a command in a host; what it does must be undone with `execute_at_the_end`."""
        self.processes.execute(host, argv, text)

    def execute_at_the_end(self, host: str, argv: Sequence[str], text: str = "") -> None:
        """Run a command in a host when the profile is taken off; that it fails is no matter then."""
        self._undo.callback(self._execute_leniently, host, argv, text)

    def flush_at_the_end(self, host: str) -> None:
        """Take all firewall rules off a host when the profile is taken off."""
        self.execute_at_the_end(host, ("nft", "flush", "ruleset"))

    def trust_locally(self, root: Credential) -> None:
        """Put a root into the system's store, as every host of the laboratory and nobody outside sees it."""
        bundle = next((path for path in SYSTEM_BUNDLES if path.is_file()), None)
        if bundle is None:
            return
        path = self.file("system-store.pem", bundle.read_bytes() + root.pem)
        mounts.bind(path, bundle)
        self._undo.callback(mounts.unbind, bundle)

    def show(self, hostname: str, *variants: Sequence[Credential]) -> None:
        """Let a site present other certificates: at its n-th address the n-th variant."""
        before = self.servers.shown[hostname]
        self._undo.callback(self._present, {hostname: before})
        self._present({hostname: variants})

    def serve_names(self, host: str, argv: Callable[[str], Sequence[str]], *, port: int) -> None:
        """Start another name server in a host and send the client's questions to it instead."""
        self.start("dnsmasq-other", host, argv(self.program("dnsmasq-base")), ports=(Port(port, "udp"),))
        self._undo.callback(self._forget_connections, host)
        self.nft(
            host,
            "table inet kzmitm-dns {\n"
            "  chain prerouting {\n"
            "    type nat hook prerouting priority dstnat;\n"
            f'    iifname "{INSIDE}" udp dport 53 redirect to :{port}\n'
            f'    iifname "{INSIDE}" tcp dport 53 redirect to :{port}\n'
            "  }\n}\n",
        )
        self._forget_connections(host)

    def set_environment(self, host: str, **variables: str) -> None:
        """Let every command in a host have these variables."""
        self._undo.callback(self.environment.pop, host, None)
        self.environment[host] = variables

    def hide(self, routers: Sequence[str]) -> None:
        """Let routers forward, but never say that a packet's time ran out."""
        for router in ROUTERS if "all" in routers else routers:
            self.nft(
                router,
                "table inet kzmitm-silence {\n"
                "  chain output {\n"
                "    type filter hook output priority filter;\n"
                "    icmp type { time-exceeded, destination-unreachable } drop\n"
                "    icmpv6 type { time-exceeded, destination-unreachable } drop\n"
                "  }\n}\n",
            )

    # --- what process 1 uses

    def switch_on(self, name: str, given: Mapping[str, str]) -> Active:
        """Put a profile in the way, in place of what was there; raises UsageError, LaboratoryError."""
        profile = profile_named(name)
        settings = profile.settle(given)
        if profile.network is None:
            raise UsageError(
                "the profile {name} exists on loopback only",
                hint="kzmitm lab up --loopback, or another one",
                name=name,
            )
        if missing := self._products.lacks(profile.needs):
            raise UsageError(
                "the profile {name} needs what is not installed", hint=how_to_get(missing), name=name
            )
        self.switch_off()
        try:
            self._serve(profile.struck(settings))
            self.hide(settings.names("hidden"))
            profile.network(self, settings)
        except BaseException:
            self.switch_off()
            raise
        self.active = Active(profile=profile, settings=settings)
        return self.active

    def switch_off(self) -> None:
        """Undo everything, in reverse."""
        self.active = None
        self.installed_root = None
        undo, self._undo = self._undo, ExitStack()
        undo.close()
        write_overlay(self.directory / "overlay")

    def _serve(self, hostnames: Sequence[str]) -> None:
        """Let names that no site has be sites for as long as the profile is on."""
        new = [name for name in hostnames if name not in self.servers.shown]
        if new:
            self._undo.callback(self.servers.remove, new)
            self.servers.add(new)

    def _present(self, shown: Mapping[str, Sequence[Sequence[Credential]]]) -> None:
        self.servers.present(shown)

    def _forget_connections(self, host: str) -> None:
        """So that questions from a port that was in use before go by the rules that there are now."""
        self._execute_leniently(
            host, (sys.executable, "-I", "-S", str(Path(__file__).with_name("forget.py")))
        )

    def _execute_leniently(self, host: str, argv: Sequence[str], text: str = "") -> None:
        with contextlib.suppress(LaboratoryError):
            self.processes.execute(host, argv, text)
