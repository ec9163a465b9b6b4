"""Process 1 of a network of namespaces: makes it, answers for it, and takes it along when it goes.

Started by `unshare` as `python -m kzmitm.lab.network.labd`. Everything lives in its namespaces: hosts are
network namespaces that only its file descriptors hold, files are in a RAM file system that only its mount
namespace has, programs are in its process namespace. However it ends, the kernel ends and frees all of that.
"""

import argparse
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kzmitm.errors import KzmitmError
from kzmitm.lab.control.daemon import Daemon, Orders, say_ready
from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.network import mounts
from kzmitm.lab.network.hosts import new_host, wait_until_reached
from kzmitm.lab.network.network import Network
from kzmitm.lab.network.origins import HTTPS
from kzmitm.lab.network.processes import Processes
from kzmitm.lab.network.servers import Servers
from kzmitm.lab.network.topology import (
    HOST_SETTINGS,
    HOSTS,
    NAMESERVER,
    ROUTER_SETTINGS,
    ROUTERS,
    SITE_ADDRESSES,
    WIRES,
    addressing,
    links,
)
from kzmitm.lab.products import SERVERS, Products, find_products, how_to_get
from kzmitm.wording import parts

DIRECTORY = Path("/dev/shm")  # noqa: S108 - a mount of our own lies over it
"""Exists on every Linux; covering it also keeps the shared memory of what runs here apart."""

NSSWITCH = "hosts: files dns\n"
"""No other service: systemd-resolved and the like are reached by sockets that namespaces do not hide."""


def main() -> None:
    """Make the laboratory, say so or why not, serve until told to go or left alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--now", required=True, type=datetime.fromisoformat)
    parser.add_argument("--channel", type=int)
    parser.add_argument("--listen", type=int)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would put keys on a disk
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        network = make(args.now, find_products())
    except KzmitmError as exc:
        say_ready(parts(exc, exc.hint))
        sys.exit(1)
    daemon = Daemon(Answers(network).orders, network.processes.reap)
    if args.channel is not None:
        daemon.adopt(socket.socket(fileno=args.channel))
    if args.listen is not None:
        daemon.listen(socket.socket(fileno=args.listen))
    say_ready({"ready": True})
    daemon.serve()


def make(now: datetime, products: Products) -> Network:
    """The network, up; raises LaboratoryError."""
    if missing := products.lacks(SERVERS):
        raise LaboratoryError("the network needs what is not installed", hint=how_to_get(missing))
    mounts.memory(DIRECTORY)
    directory = DIRECTORY / "kzmitm"
    directory.mkdir(mode=0o700)
    hosts = {host: new_host() for host in HOSTS}
    processes = Processes(directory, hosts)
    servers = Servers(directory, processes, products, now)
    for host in HOSTS:
        _set_up(processes, host, HOST_SETTINGS + (ROUTER_SETTINGS if host in ROUTERS else ()))
    batch = "".join(links(wire, hosts[wire.near], hosts[wire.far]) for wire in WIRES)
    processes.execute("client", ["ip", "-batch", "-"], batch)
    for host in HOSTS:
        processes.execute(host, ["ip", "-batch", "-"], addressing(host))
    _cover(directory, "resolv.conf", f"nameserver {NAMESERVER[0]}\noptions timeout:1 attempts:4\n")
    _cover(directory, "nsswitch.conf", NSSWITCH)
    (directory / "roots.pem").write_bytes(servers.store_pem)
    servers.start()
    wait_until_reached(hosts["client"], SITE_ADDRESSES[0][1], HTTPS)
    return Network(directory, processes, servers, products)


def _set_up(processes: Processes, host: str, settings: Sequence[tuple[str, str]]) -> None:
    # The files of /proc/sys/net are those of the namespace of whoever opens them.
    script = "".join(f"echo {value} >/proc/sys/{name}\n" for name, value in settings)
    processes.execute(host, ["sh", "-e"], script)


def _cover(directory: Path, name: str, content: str) -> None:
    """Let /etc/NAME read otherwise inside; where there is no such file the system's default will do."""
    path = directory / name
    path.write_text(content)
    covered = Path("/etc") / name
    if covered.is_file():
        mounts.bind(path, covered)


class Answers:
    """What is answered to those who use the network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.orders: Orders = {
            "status": lambda _: self._status(),
            "on": self._on,
            "off": lambda _: self._off(),
            "genuine": self._genuine,
        }

    def _status(self) -> dict[str, Any]:
        network = self._network
        active = network.active
        return {
            "kind": "network",
            "profile": active.profile.name if active else None,
            "settings": dict(active.settings.values) if active else {},
            "hosts": network.processes.host_descriptors,
            "sites": list(network.servers.shown),
            "directory": str(network.directory),
            "environment": network.environment,
            "public_root": network.public_ca.root.pem.decode(),
            "root": network.installed_root.pem.decode() if network.installed_root else None,
        }

    def _on(self, order: dict[str, Any]) -> dict[str, Any]:
        self._network.switch_on(order["profile"], order.get("given", {}))
        return self._status()

    def _off(self) -> dict[str, Any]:
        self._network.switch_off()
        return self._status()

    def _genuine(self, _order: dict[str, Any]) -> dict[str, Any]:
        """What each site itself presents at its first address."""
        return {
            name: [c.hex() for c in variants[0][0].presented]
            for name, variants in self._network.servers.shown.items()
        }


if __name__ == "__main__":
    main()
