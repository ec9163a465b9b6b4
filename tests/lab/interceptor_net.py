"""Client, router and server in namespaces of their own, for the tests of the interceptor.

Runs as the first process of private namespaces; all of it ends with it. The main thread lives at the client.
"""

import ctypes
import json
import os
import resource
import select
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import Leaf, PublicCA, pem
from kzmitm.lab.interceptor import rules

SERVERS = {4: "10.99.2.2", 6: "fd99:2::2"}
RAW = "10.99.2.3"
ROUTER = "10.99.2.1"
QUEUE, MARK, PORT = 5, 0x4B5A00, 8443
WATCHED = ["social.lab.test", "selfsigned.lab.test"]
CLONE_NEWNET = 0x40000000

TOPOLOGY = """\
link set lo up
link add inside type veth peer name eth0 netns client
link add outside type veth peer name eth0 netns server
addr add 10.99.1.1/24 dev inside
addr add fd99:1::1/64 dev inside nodad
addr add 10.99.2.1/24 dev outside
addr add fd99:2::1/64 dev outside nodad
link set inside up
link set outside up
"""
END = """\
link set lo up
addr add 10.99.{n}.2/24 dev eth0
addr add fd99:{n}::2/64 dev eth0 nodad
link set eth0 up
route add default via 10.99.{n}.1
route add default via fd99:{n}::1
"""


def run(*argv: str, stdin=""):
    done = subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr}")
    return done.stdout


def enter(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{namespace}").open() as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


class Net:
    def __init__(self, mode="inline", **config):
        self.mode = mode
        now = datetime.now(UTC)  # noqa: TID251 - the interceptor reads the clock as well
        self.public, self.fake = PublicCA(now), LookAlikeCA(now)
        self.interceptor = None
        self.log = Path("/run/interceptor.log")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        self._build()
        self._start_origin()
        self.config = self._config(config)

    def _build(self):
        for name in ("client", "server"):
            run("ip", "netns", "add", name)
        run("ip", "netns", "attach", "router", str(os.getpid()))
        run("ip", "-batch", "-", stdin=TOPOLOGY)
        for number, name in enumerate(("client", "server"), 1):
            run("ip", "-n", name, "-batch", "-", stdin=END.format(n=number))
        run("ip", "-n", "server", "addr", "add", f"{RAW}/24", "dev", "eth0")
        run("sh", "-c", "echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding")
        run("ip", "netns", "exec", "server", "sh", "-c", "echo 4096 >/proc/sys/net/core/somaxconn")
        run("ip", "netns", "exec", "client", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse")

    def _start_origin(self):
        folder = Path("/run/sites")
        folder.mkdir()
        for name in ("news.lab.test", "social.lab.test", "www.social.lab.test"):
            one = self.public.issue(Leaf(hostname=name))
            (folder / f"{name}.pem").write_bytes(pem(one.certificate) + one.chain_pem + one.key_pem)
        one = self.public.self_signed("selfsigned.lab.test")
        (folder / "selfsigned.lab.test.pem").write_bytes(pem(one.certificate) + one.key_pem)
        script = Path(__file__).with_name("interceptor_origin.py")
        self.origin = subprocess.Popen(
            ["ip", "netns", "exec", "server", sys.executable, str(script), str(folder), *SERVERS.values(),
             "raw", RAW],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.origin.stdout.readline() == "READY\n"

    def _config(self, changes):
        issuer = self.fake.intermediate
        return {
            "mode": self.mode,
            "action": "forge",
            "watched": WATCHED,
            "rule": "2019-late",
            "chain": pem(issuer.certificate).decode(),
            "key": issuer.key_pem.decode(),
            "public_roots": self.public.store_pem.decode(),
            "require_valid_origin": True,
            "port": PORT,
            "queue": QUEUE,
            "mark": MARK,
        } | changes

    def set_up(self):
        if self.mode == "inline":
            commands = rules.inline_setup("inside", "outside", queue=QUEUE, mark=MARK)
        else:
            commands = rules.proxy_setup("inside", port=PORT)
        for command in commands:
            run(*command.argv, stdin=command.stdin)

    def tear_down(self):
        if self.mode == "inline":
            commands = rules.inline_teardown("inside", "outside", queue=QUEUE, mark=MARK)
        else:
            commands = rules.proxy_teardown()
        for command in commands:
            run("ip", "netns", "exec", "router", *command.argv, stdin=command.stdin)

    def start(self):
        """With rules and interceptor in force; from now on the caller is at the client."""
        self.set_up()
        self.interceptor = subprocess.Popen(
            [sys.executable, "-m", "kzmitm.lab.interceptor"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log.open("w"), text=True,
        )  # fmt: skip
        self.interceptor.stdin.write(json.dumps(self.config) + "\n")
        self.interceptor.stdin.flush()
        ready = self.interceptor.stdout.readline()
        assert ready == "READY\n", self.log.read_text()
        enter("client")
        return self

    def stop(self):
        self.interceptor.stdin.close()
        assert self.interceptor.wait(10) == 0, self.log.read_text()

    def raw_server_says(self):
        assert select.select([self.origin.stdout], [], [], 10)[0], "the server says nothing"
        return self.origin.stdout.readline().split()

    def is_forged(self, der):
        issuer = x509.load_der_x509_certificate(der).issuer
        assert issuer in {
            self.fake.intermediate.certificate.subject,
            self.public.issuing.certificate.subject,
            x509.load_der_x509_certificate(der).subject,
        }
        return issuer == self.fake.intermediate.certificate.subject


class Client:
    """One TLS client that decides itself how its hello is sent."""

    def __init__(self, sni, ip=SERVERS[4], protocols=("h2", "http/1.1"), source=None):
        self.connected = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        self.connected.settimeout(20)
        self.connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source is not None:
            self.connected.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.connected.bind(("", source))
        self.connected.connect((ip, 443))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.set_alpn_protocols(list(protocols))
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=sni)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.hello = self.outgoing.read()

    def send_hello(self, pieces=None):
        for piece in pieces or [self.hello]:
            self.connected.sendall(piece)
        return self

    def do(self, call, *args: object):
        while True:
            try:
                result = call(*args)
            except ssl.SSLWantReadError:
                self.flush()
                data = self.connected.recv(65_536)
                if data:
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()
            else:
                self.flush()
                return result

    def flush(self):
        if waiting := self.outgoing.read():
            self.connected.sendall(waiting)

    def handshake(self):
        self.do(self.tls.do_handshake)
        return self

    @property
    def leaf(self):
        return self.tls.getpeercert(binary_form=True)

    def ask(self):
        """Whom the origin saw, its ALPN and version."""
        self.do(self.tls.write, b"who\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self.do(self.tls.read, 65_536)
        return answer.decode().split()

    def close(self):
        self.connected.close()


def whole(sni, **kwargs):
    """A client whose hand is shaken, the hello sent as one."""
    return Client(sni, **kwargs).send_hello().handshake()
