"""A real nats-server, TLS sites that keep their own log, and a campaign over both; all on loopback."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kzmitm.campaign.file import parse_campaign
from kzmitm.campaign.plan import Plan
from kzmitm.campaign.remote_setup import Remote
from kzmitm.campaign.served import ServedRunner
from kzmitm.campaign.server_config import ServerSettings, ServerUser, server_config
from kzmitm.campaign.share_store import results_of
from kzmitm.campaign.state import CampaignFolder, Versions
from kzmitm.campaign.subjects import Subjects
from kzmitm.campaign.target_table import TargetTable
from kzmitm.campaign.work_manner import Ceiling
from kzmitm.campaign.worker import Worker
from kzmitm.campaign.world import World
from kzmitm.evidence.signing.keys import new_key
from kzmitm.netio.nats_keys import new_nkey
from kzmitm.netio.nats_queue import open_queue
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.netio.queue_access import Credentials, parse_server
from kzmitm.netio.vantage import open_vantage
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.store import parse_store
from kzmitm.resources import fingerprint_files
from kzmitm.scan import Network, ScanOptions
from kzmitm.targets import parse_targets
from kzmitm.verdict.judge import Judge

DEADLINE_S = 20.0
REGISTRY = parse_registry(fingerprint_files(()))


def now():
    return datetime.now(tz=UTC)  # noqa: TID251 (a test is its own caller)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Authority:
    """Signs certificates for any name."""

    def __init__(self, folder, name="Test Root"):
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._signed(self._name, self._key.public_key(), None)
        self.pem = folder / f"{name.replace(' ', '-')}.pem"
        self.pem.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def leaf(self, *names: str):
        """Files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._signed(subject, key.public_key(), names)
        stem = self.folder / f"leaf-{certificate.serial_number}"
        chain = (certificate, self._certificate)
        stem.with_suffix(".crt").write_bytes(
            b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)
        )
        stem.with_suffix(".key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return stem.with_suffix(".crt"), stem.with_suffix(".key")

    def _signed(self, subject, key, names):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now() - timedelta(days=1))
            .not_valid_after(now() + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
        )
        if names is not None:
            alternatives = x509.SubjectAlternativeName(
                [
                    x509.DNSName(each) if each[-1:].isalpha() else x509.IPAddress(ip_address(each))
                    for each in names
                ]
            )
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


class Sites:
    """TLS servers on as many ports as there are names; `seen` counts the names asked for."""

    def __init__(self, authority, count):
        self.seen = Counter()
        self.gate = threading.Event()
        """Nothing is answered before it is set."""
        self.gate.set()
        self.asked = threading.Event()
        crt, key = authority.leaf("*.site.test")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(crt, key)
        self._context.sni_callback = self._note
        self._listeners = [socket.create_server(("127.0.0.1", 0), backlog=64) for _ in range(count)]
        self.ports = [each.getsockname()[1] for each in self._listeners]
        self.names = [f"t{i}.site.test" for i in range(count)]
        self.overrides = [f"{n}:443:127.0.0.1:{p}" for n, p in zip(self.names, self.ports, strict=True)]
        for each in self._listeners:
            threading.Thread(target=self._accept, args=(each,), daemon=True).start()

    def _note(self, _sock, name, _context):
        self.seen[name] += 1

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._shake, args=(connection,), daemon=True).start()

    def _shake(self, connection):
        self.asked.set()
        self.gate.wait(DEADLINE_S)
        with suppress(OSError), self._context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1)

    def close(self):
        self.gate.set()
        for each in self._listeners:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class NatsServer:
    """A nats-server of our own; `kill` is as hard as a loss of power."""

    def __init__(self, folder, campaign="camp", vantages=("a", "b"), tls=None, max_store=None, workers=4):
        if shutil.which("nats-server") is None:
            pytest.skip("nats-server is not installed")
        folder.mkdir()
        self.port = free_port()
        self.keys = {each: new_nkey() for each in ("", *vantages)}
        settings = ServerSettings(
            host="127.0.0.1",
            port=self.port,
            store=str(folder / "data"),
            certificate=str(tls[0]) if tls else "",
            key=str(tls[1]) if tls else "",
            max_store=max_store,
        )
        users = [ServerUser(each, self.keys[each].public, workers) for each in vantages]
        self.config = folder / "nats.conf"
        self.config.write_text(server_config(campaign, self.keys[""].public, users, settings))
        self.log = folder / "log"
        self.url = f"{'tls' if tls else 'nats'}://127.0.0.1:{self.port}"
        self._process = None

    def start(self):
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["nats-server", "-c", str(self.config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as link:
                if link.recv(4) == b"INFO":
                    return self
            assert self._process.poll() is None, self.log.read_text()
            time.sleep(0.01)  # nothing tells when a server listens
        raise AssertionError(self.log.read_text())

    def kill(self):
        self._process.kill()
        self._process.wait()

    def credentials(self, vantage=""):
        return Credentials(nkey=self.keys[vantage], campaign="camp", vantage=vantage)

    def write_credentials(self, path, vantage=""):
        note = f"# vantage {vantage}\n" if vantage else ""
        path.write_text(f"# campaign camp\n{note}{self.keys[vantage].seed}\n")
        path.chmod(0o600)
        return path

    async def queue(self, vantage="", inbox=None):
        return await open_queue(
            parse_server(self.url),
            self.credentials(vantage),
            inbox=inbox or Subjects("camp", vantage or "kzmitm").inbox,
            told=lambda _: None,
        )


@contextmanager
def server_for(folder, **options):
    server = NatsServer(folder / "nats", **options).start()
    try:
        yield server
    finally:
        server.kill()


def campaign_text(names, vantages=("a", "b"), keys=None, rounds=1, **limits):
    told = "".join(f"{key} = {value}\n" for key, value in limits.items())
    parts = "".join(
        f'[[vantages]]\nname = "{each}"\nuri = "worker:"\n'
        + (f'key = "{keys[each].public.line}"\n' if keys and each in keys else "")
        for each in vantages
    )
    return (
        '[campaign]\nname = "camp"\ncontact = "nobody@example.org"\nseed = 7\n'
        f"[targets]\nnames = {list(names)!r}\n"
        "[controls]\nevery = 0\n"
        f'[rounds]\ncount = {rounds}\nevery = "1ms"\n'
        "[collect]\nfollow_ups = false\nfamilies = [4]\ndoh = false\n"
        f'[limits]\nrate = 1000.0\nendpoint_gap = "0s"\ntimeout = "5s"\n{told}{parts}'
    ).replace("'", '"')


@dataclass
class Events:
    """A watcher that lets tests wait for what happens."""

    notes: list = field(default_factory=list)
    results: list = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on_share(self, share, *, left):
        self.on_note(share, "share", str(left))

    def on_result(self, job, judged):
        self.results.append((job, judged))
        self._changed.set()

    def on_note(self, share, code, detail=""):
        self.notes.append((share.vantage if share else "", code, detail))
        self._changed.set()

    def codes(self, vantage):
        return [code for name, code, _ in self.notes if name == vantage]

    async def until(self, condition):
        async with asyncio.timeout(DEADLINE_S):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()


class Setting:
    """A campaign with its sites, a folder for it, and whoever works for it."""

    def __init__(self, folder, server, *, count=6, vantages=("a", "b"), keys=None, **limits):
        self.folder = folder
        self.server = server
        self.authority = Authority(folder)
        self.sites = Sites(self.authority, count)
        self.octets = campaign_text(self.sites.names, vantages, keys, **limits).encode()
        self.campaign = parse_campaign(self.octets, name="test.toml")
        self.plan = Plan(self.campaign, TargetTable(parse_targets(self.sites.names)), TargetTable(()))
        self.store = parse_store(self.authority.pem.read_bytes(), name="test", version="", date="")
        self.keys = keys or {}
        self.events = Events()
        self.network = Network(
            link=open_vantage("direct:"), overrides=parse_overrides(self.sites.overrides, ())
        )

    @classmethod
    def bare(cls, folder, server, authority, network) -> "Setting":
        """Only what workers need, who measure through this network."""
        made = object.__new__(cls)
        made.folder, made.server, made.authority, made.network = folder, server, authority, network
        made.store = parse_store(authority.pem.read_bytes(), name="test", version="", date="")
        made.keys = {}
        return made

    def judge(self):
        return Judge(registry=REGISTRY, store=self.store)

    def world(self):
        options = ScanOptions(limits=Limits(5, 5, 5), concurrency=4, follow_ups=False)
        return World(networks={}, judge=self.judge, options=options, now=now)

    def campaign_folder(self, name="out"):
        folder = CampaignFolder(self.folder / name, self.plan)
        folder.begin(self.octets, Versions("1", "1", "1", "1"))
        return folder

    @asynccontextmanager
    async def coordinator(self, **options):
        """The coordinator at work; yields the task of its run."""
        queue = await self.server.queue()
        remote = Remote(queue=queue, **{"ack_wait_s": 1.0, "wait_s": 0.5, "again_s": 0.1} | options)
        runner = ServedRunner(self.campaign_folder(), self.world(), self.events, remote=remote)
        task = asyncio.create_task(runner.run())
        try:
            yield task
        finally:
            runner.stopping.set()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task], timeout=5)
            task.cancel()
            await queue.close()

    @asynccontextmanager
    async def worker(self, vantage, told=None, **options):
        """A worker of a vantage, as it is meant to be."""
        queue = await self.server.queue(vantage)
        worker = Worker(
            queue=queue,
            names=Subjects("camp", vantage),
            network=self.network,
            judge=self.judge,
            key=self.keys.setdefault(vantage, new_key()),
            ceiling=Ceiling(concurrency=4, rate=1000.0),
            now=now,
            told=told or (lambda _code, _detail: None),
            **{"wait_s": 0.5, "again_s": 0.1} | options,
        )
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await asyncio.wait([task], timeout=5)
            task.cancel()
            await queue.close()

    def stored(self, vantage, name="out", number=1):
        """Results of a share by job; asserts that each is there once."""
        folder = self.folder / name / "rounds" / f"{number:04d}" / vantage
        found = list(results_of(folder))
        by_number = {each.number: each for each in found}
        assert len(by_number) == len(found)
        return by_number

    def close(self):
        self.sites.close()


@contextmanager
def setting(folder, **options):
    """A server and a campaign on it."""
    server_options = {key: options.pop(key) for key in ("max_store", "workers") if key in options}
    vantages = options.get("vantages", ("a", "b"))
    with server_for(folder, vantages=vantages, **server_options) as server:
        made = Setting(folder, server, **options)
        try:
            yield made
        finally:
            made.close()


def run(work, timeout=DEADLINE_S * 1.5):
    """Run a test's coroutine, never without end."""

    async def limited():
        async with asyncio.timeout(timeout):
            await work

    asyncio.run(limited())
