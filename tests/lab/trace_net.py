"""A network of any shape in namespaces of its own, and a trace through it: what the laboratory does not have.

Started as `unshare … python trace_net.py SPEC-JSON`; says what each trace came to as JSON, one line each.

A spec has `hops` (routers in a row), and may have `parallel` (a second row of routers instead of hops A to
B: [A, B, COUNT]), `back` (routers on the way back only), and `rules`: [HOP, COMMAND…] run at a router,
`{name}` in them being the watched name; `proxies`: hops that end every connection to port 443; `families`;
`method`; `times`.
"""

import asyncio
import contextlib
import datetime as dt
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kzmitm.cli import clock
from kzmitm.lab.network.hosts import _enter, new_host
from kzmitm.model.codec import to_json
from kzmitm.model.target import Endpoint
from kzmitm.netio.clock import start_stopwatch
from kzmitm.netio.links.direct import DirectLink
from kzmitm.scan.locating import TraceManner, Ways
from kzmitm.verdict.locate import locate

WATCHED, CONTROL = "watched.example", "harmless.example"
SERVER = {4: "203.0.113.10", 6: "fd99::10"}
PORTS = (443, 80)


class Net:
    """Hosts by name, wires between them, and two routes: to the server, and to the client."""

    def __init__(self, spec):
        self.spec = spec
        self.hosts = {}
        self.wires = 0
        self.address = {}
        self.client = {}
        self.build()

    def host(self, name):
        if name not in self.hosts:
            self.hosts[name] = new_host()
            self.sh(
                name,
                "ip link set lo up; cd /proc/sys/net; echo 1 >ipv4/ip_forward;"
                "echo 1 >ipv6/conf/all/forwarding;"
                "echo 0 >ipv4/conf/all/rp_filter; echo 0 >ipv4/conf/default/rp_filter;"
                "echo 0 >ipv6/conf/all/accept_dad; echo 0 >ipv6/conf/default/accept_dad;"
                f"echo {self.spec.get('ratelimit', 0)} >ipv4/icmp_ratelimit;"
                f"echo {self.spec.get('ratelimit', 0)} >ipv6/icmp/ratelimit;"
                "echo 0 >ipv4/conf/all/send_redirects; echo 1 >ipv4/fib_multipath_hash_policy;"
                "echo 1 >ipv6/fib_multipath_hash_policy",
            )
        return name

    def sh(self, host, script):
        command = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.hosts[host]}", "sh", "-ec", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{host}: {script}: {done.stderr}")

    def wire(self, near, far):
        """Connect two hosts; remembers the address of each towards the other."""
        self.wires += 1
        n = self.wires
        pid = os.getpid()
        ends = [(near, far, 1), (far, near, 2)]
        self.sh(
            near,
            f"ip link add w{n} index {100 + 2 * n} netns /proc/{pid}/fd/{self.hosts[near]} type veth "
            f"peer name w{n} index {101 + 2 * n} netns /proc/{pid}/fd/{self.hosts[far]}",
        )
        for host, other, last in ends:
            self.sh(
                host,
                f"ip addr add 10.9.{n}.{last}/24 dev w{n}; ip addr add fd09:{n:x}::{last}/64 dev w{n} nodad;"
                f"ip link set w{n} up",
            )
            self.address[host, other] = {4: f"10.9.{n}.{last}", 6: f"fd09:{n:x}::{last}"}

    def route(self, host, destination, *hops):
        for family in (4, 6):
            vias = [self.address[hop, host][family] for hop in hops]
            words = f"via {vias[0]}" if len(vias) == 1 else " ".join(f"nexthop via {via}" for via in vias)
            self.sh(host, f"ip -{family} route add {destination[family]} {words}")

    def row(self, names):
        for near, far in pairwise(names):
            if (near, far) not in self.address:
                self.wire(near, far)

    def build(self):
        count = self.spec["hops"]
        routers = [f"r{n}" for n in range(1, count + 1)]
        main = ["client", *routers, "server"]
        for name in main:
            self.host(name)
        self.row(main)
        self.client = self.address["client", "r1"]
        self.sh("server", "".join(f"ip addr add {ip} dev lo;" for ip in SERVER.values()))
        branch = self.branch(main)
        back = [*(self.host(f"b{n}") for n in range(1, self.spec.get("back", 0) + 1))]
        if back:
            self.row(["server", *reversed(back), "r1"])
        for near, far in pairwise(main):
            ahead = (far, branch[1]) if branch and near == branch[0] else (far,)
            self.route(near, SERVER, *ahead)
            if near != "client":
                before = main[main.index(near) - 1]
                if before != "client":
                    self.route(near, self.client, before)
        self.route("server", self.client, back[-1] if back else main[-2])
        for near, far in pairwise(back):
            self.route(far, self.client, near)
        if back:
            self.route(back[0], self.client, "r1")

    def branch(self, main):
        """A second row of routers; the way back is always by the first."""
        if "parallel" not in self.spec:
            return None
        first, last, count = self.spec["parallel"]
        names = [self.host(f"p{n}") for n in range(1, count + 1)]
        near, far = main[first - 1], main[last + 1]
        self.row([near, *names, far])
        for here, there in zip(names, [*names[1:], far], strict=True):
            self.route(here, SERVER, there)
        for here, there in zip(names, [near, *names[:-1]], strict=True):
            self.route(here, self.client, there)
        return near, names[0]


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trace test")])
    now = clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM) + private


class Servers:
    """TLS servers in any of the hosts; a socket belongs to where it was made."""

    def __init__(self, net):
        self._net = net
        self._own = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            path.write_bytes(certificate())
            self._context.load_cert_chain(path)

    def start(self, host, port):
        _enter(self._net.hosts[host])
        sock = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        _enter(self._own)
        threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, listener):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=self._answer, args=(sock,), daemon=True).start()

    def _answer(self, sock):
        with contextlib.suppress(OSError), sock:
            sock.settimeout(5)
            with contextlib.suppress(ssl.SSLError), self._context.wrap_socket(sock, server_side=True) as tls:
                tls.recv(1)


def commands(net, spec):
    for hop, *lines in spec.get("rules", ()):
        for line in lines:
            if line.startswith("ip46tables"):
                for program in ("iptables", "ip6tables"):
                    net.sh(hop, program + line.removeprefix("ip46tables").replace("{name}", WATCHED))
            else:
                net.sh(hop, line.replace("{name}", WATCHED))


async def trace(net, spec):
    watch = start_stopwatch(clock.now())
    endpoints = [Endpoint(SERVER[family], 443) for family in spec.get("families", (4, 6))]
    manner = TraceManner(control_sni=CONTROL, raw=spec.get("method") == "raw")
    ways = Ways(endpoints, WATCHED, link=DirectLink(), stopwatch=watch, manner=manner)
    await ways.run()
    return ways.observations()


def steps(trace):
    return {
        f"{walk.kind}": [
            f"{s.ttl}:{s.answer}@{s.flow}{' ' + s.address if s.address else ''} {s.reply_ttl} {s.quoted_ttl}"
            for s in walk.steps
        ]
        for walk in trace.walks
    }


def main():
    spec = json.loads(sys.argv[1])
    net = Net(spec)
    servers = Servers(net)
    for port in PORTS:
        servers.start("server", port)
    for proxy in spec.get("proxies", ()):
        servers.start(proxy, 8443)
        net.sh(
            proxy,
            "nft -f - <<'X'\ntable inet proxy {\nchain pre {\ntype nat hook prerouting priority dstnat;\n"
            "ip daddr 203.0.113.10 tcp dport 443 redirect to :8443\n"
            "ip6 daddr fd99::10 tcp dport 443 redirect to :8443\n}\n}\nX",
        )
    commands(net, spec)
    _enter(net.hosts["client"])
    for _ in range(spec.get("times", 1)):
        for observation in asyncio.run(trace(net, spec)):
            location = to_json(locate(observation))
            told = {"location": location, "seconds": round(observation.t - observation.t0, 2)}
            if spec.get("verbose"):
                told["steps"] = steps(observation)
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
