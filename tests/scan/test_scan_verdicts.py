"""Whole scans of interceptors and broken sites on loopback that differ by one thing, and their verdicts."""

import asyncio
import itertools
from base64 import b64encode
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL

from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import Leaf, PublicCA, distinguished_name, ec_key, make_ca
from kzmitm.lab.loopback.origin import TLSOrigin
from kzmitm.lab.loopback.servers import Connection, ServerThread
from kzmitm.model.target import Target
from kzmitm.model.verdict import Confidence, Outcome, Scope
from kzmitm.netio.links.direct import DirectLink
from kzmitm.netio.overrides import parse_overrides
from kzmitm.netio.pump import Limits
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.store import parse_store
from kzmitm.resources import fingerprint_files
from kzmitm.scan import Network, ScanOptions, scan
from kzmitm.verdict.judge import Judge

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOST, BENIGN, STRANGER = "www.watched.test", "www.weather.test", "default.hoster.test"
LIMITS = Limits(2, 2, 2)
O, C = Outcome, Confidence  # noqa: E741


class UnknownCA(PublicCA):
    """Makes leaves as the public CA does, under names that nobody knows, with its own certificate sent."""

    def __init__(self, now, **names):
        super().__init__(now)
        self.issuing = make_ca(distinguished_name(**names), key=ec_key(), now=now)


class World:
    """A public CA, an interceptor known by its key, one that nobody knows, and servers."""

    def __init__(self):
        self.public, self.known = PublicCA(NOW), LookAlikeCA(NOW)
        self.unknown = UnknownCA(NOW, O="Nobody Knows", CN="Nobody Knows CA")
        self.isca = UnknownCA(NOW, C="KZ", O="ISCA", CN="Information Security Certification Authority")
        self.servers = ServerThread()
        self.genuine = {n: self.public.issue(Leaf(hostname=n)) for n in (HOST, BENIGN, STRANGER)}
        self.store = parse_store(self.public.store_pem, name="lab", version="1", date="2026-01-01")
        key = self.known.root.certificate.fingerprint(hashes.SHA256()).hex()
        spki = self.known.root.certificate.public_key()
        self.registry = parse_registry(
            fingerprint_files() | {"authorities/look-alike.toml": _authority(key, spki)}
        )

    def site(self, choose):
        """A server whose certificate `choose` gives by SNI."""
        return self.servers.listen(lambda: TLSOrigin(choose, hostname=HOST), "127.0.0.1")

    def scan(self, endpoints):
        """Verdicts by host of one run over `endpoints`, settled."""
        judge = Judge(registry=self.registry, store=self.store)
        rules = [f"{host}::{at.ip}:{at.port}" for host, at in endpoints.items()]
        network = Network(link=DirectLink(), overrides=parse_overrides(rules, []))
        options = ScanOptions(limits=LIMITS, benign_sni=(BENIGN,))
        verdicts = {}

        async def run():
            results = scan(
                [Target(host) for host in endpoints],
                network=network, judge=judge, options=options, rng=Random(7), now=lambda: NOW,
            )  # fmt: skip
            async with aclosing(results):
                async for judged in results:
                    verdicts[judged.measurement.target.hostname] = judged.verdict

        asyncio.run(run())
        for settled in judge.settle():
            verdicts[settled.facts.measurement.target.hostname] = settled.verdict
        return verdicts


def _authority(fingerprint, public_key):
    der = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"""id = "look-alike"
kind = "state_interception"
country = "KZ"
[names]
en = "look-alike"
[[certificates]]
role = "root"
sha256 = "{fingerprint}"
spki_sha256 = "{sha256(der).hexdigest()}"
public_key = "{b64encode(der).decode()}"
""".encode()


@pytest.fixture(scope="module")
def world():
    made = World()
    yield made
    made.servers.close()


def told(verdict):
    return verdict.outcome, verdict.confidence


def alone(world, choose):
    return world.scan({HOST: world.site(choose)})[HOST]


def test_forged_for_the_watched_name_only(world):
    forged = world.known.forge(world.genuine[HOST].certificate)
    verdict = alone(world, lambda sni: forged if sni == HOST else world.genuine[STRANGER])
    assert told(verdict) == (O.INTERCEPTION, C.CONFIRMED)
    assert verdict.scope is Scope.STATE
    assert verdict.authority.match == "signature"


def test_a_leaf_alone_under_the_whole_name_of_isca(world):
    forged = replace(world.isca.issue(Leaf(hostname=HOST)), chain=())
    verdict = alone(world, lambda _sni: forged)
    assert told(verdict) == (O.INTERCEPTION, C.LIKELY)
    assert (verdict.authority.id, verdict.authority.match, verdict.scope) == (
        "kz-isca",
        "family",
        Scope.STATE,
    )


def test_an_unknown_issuer_that_passes_the_operators_other_names(world):
    forged = world.unknown.issue(Leaf(hostname=HOST))
    own = world.public.issue(Leaf(hostname="*.watched.test"))
    verdict = alone(world, lambda sni: forged if sni == HOST else own)
    assert told(verdict) == (O.INTERCEPTION, C.LIKELY)
    assert verdict.authority is None
    assert "control" in verdict.undecided


def test_a_private_ca_on_a_server_of_strangers(world):
    private = world.unknown.issue(Leaf(hostname=HOST))
    verdict = alone(world, lambda sni: private if sni == HOST else world.genuine[STRANGER])
    assert told(verdict) == (O.INCONCLUSIVE, None)
    assert "control" in verdict.undecided


def test_a_private_ca_for_every_name_alike(world):
    private = world.unknown.issue(Leaf(hostname=HOST))
    assert told(alone(world, lambda _sni: private)) == (O.INCONCLUSIVE, None)


def test_an_unknown_issuer_on_demand(world):
    made = {}

    def mint(sni):
        return made.setdefault(sni, world.unknown.issue(Leaf(hostname=sni or "nobody.test")))

    verdict = alone(world, mint)
    assert told(verdict) == (O.INTERCEPTION, C.LIKELY)
    assert verdict.scope is Scope.MIDDLEBOX
    assert "local_roots" in verdict.undecided


@pytest.mark.parametrize("every", [2, 3])
def test_interception_of_some_connections(world, every):
    """The first one forged; the repeat, or another hello, meets the genuine site."""
    forged = world.unknown.issue(Leaf(hostname=HOST))
    counter = itertools.count()

    def choose(sni):
        if sni != HOST:
            return world.genuine[STRANGER]
        return forged if next(counter) % every == 0 else world.genuine[HOST]

    assert alone(world, choose).outcome is O.INTERCEPTION


class BySize(TLSOrigin):
    """Forges for what fits one packet."""

    def __init__(self, small, big):
        super().__init__(small, hostname=HOST)
        self._big = big
        self._began = False

    def data_received(self, data):
        if not self._began:
            self._began = True
            if len(data) > 1400:
                super().__init__(self._big, hostname=HOST)
                self._began = True
        super().data_received(data)


def test_only_small_hellos_are_forged(world):
    forged = world.unknown.issue(Leaf(hostname=HOST))

    def choose_small(sni):
        return forged if sni == HOST else world.genuine[STRANGER]

    at = world.servers.listen(lambda: BySize(choose_small, lambda _sni: world.genuine[HOST]), "127.0.0.1")
    verdict = world.scan({HOST: at})[HOST]
    assert told(verdict) == (O.INTERCEPTION, C.LIKELY)
    assert "contrast.only_this_hello" in verdict.rule_ids


class OldTLS(Connection):
    """Speaks TLS 1.0 and nothing newer, with RSA key exchange, as weak boxes do."""

    def __init__(self, credential):
        super().__init__()
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_cipher_list(b"AES128-SHA:@SECLEVEL=0")
        context.set_min_proto_version(SSL.TLS1_VERSION)
        context.set_max_proto_version(SSL.TLS1_VERSION)
        context.use_certificate(credential.certificate)
        context.use_privatekey(credential.key)
        for certificate in credential.chain:
            context.add_extra_chain_cert(certificate)
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()

    def data_received(self, data):
        self._tls.bio_write(data)
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._flush()
        except SSL.Error:
            self._flush()
            self.transport.close()

    def _flush(self):
        try:
            while True:
                self.transport.write(self._tls.bio_read(65536))
        except SSL.Error:
            pass


def test_a_weak_box_that_speaks_tls_1_0_only(world):
    forged = world.known.forge(world.genuine[HOST].certificate)
    verdict = world.scan({HOST: world.servers.listen(lambda: OldTLS(forged), "127.0.0.1")})[HOST]
    assert told(verdict) == (O.INTERCEPTION, C.CONFIRMED)


def test_a_portal_with_a_public_certificate(world):
    portal = world.public.issue(Leaf(hostname="login.wifi.test"))
    hosts = ("www.one.test", "www.two.test", "www.three.test")
    at = {
        host: world.servers.listen(lambda: TLSOrigin(lambda _sni: portal, hostname="login"), f"127.0.0.{i}")
        for i, host in enumerate(hosts, 1)
    }
    assert {told(v) for v in world.scan(at).values()} == {(O.CAPTIVE_PORTAL, C.LIKELY)}


def test_a_portal_to_which_all_were_sent_at_one_address(world):
    """As `--connect-to ::ADDRESS:PORT` does."""
    page = world.public.self_signed("login.wifi.test")
    at = world.site(lambda _sni: page)
    hosts = ("www.one.test", "www.two.test", "www.three.test")
    verdicts = world.scan(dict.fromkeys(hosts, at))
    assert {told(v) for v in verdicts.values()} == {(O.CAPTIVE_PORTAL, C.SUSPECTED)}


def test_a_wrong_name_alone_may_be_a_portal(world):
    verdict = alone(world, lambda _sni: world.genuine[STRANGER])
    assert told(verdict) == (O.ORIGIN_MISCONFIGURED, C.SUSPECTED)
    assert {"more_hosts", "portal_login"} <= set(verdict.undecided)
    assert "captive_portal" not in {one.cause for one in verdict.ruled_out}


def test_a_missing_intermediate_that_nobody_supplied_is_no_interception(world):
    broken = replace(world.genuine[HOST], chain=())
    assert alone(world, lambda _sni: broken).outcome in {O.INCONCLUSIVE, O.ORIGIN_MISCONFIGURED}


def test_a_missing_intermediate_that_a_neighbour_supplies(world):
    broken = replace(world.genuine[HOST], chain=())
    verdict = alone(world, lambda sni: broken if sni == HOST else world.genuine[STRANGER])
    assert told(verdict) == (O.ORIGIN_MISCONFIGURED, C.LIKELY)


def test_an_interceptor_that_begins_during_the_run(world):
    forged = {
        h: world.unknown.issue(Leaf(hostname=h)) for h in ("www.b.test", "www.c.example", "www.d.invalid")
    }
    clean = world.public.issue(Leaf(hostname="www.a.test"))
    sites = {"www.a.test": world.site(lambda _sni: clean)}
    for host, credential in forged.items():
        sites[host] = world.site(
            lambda sni, host=host, credential=credential: (
                credential if sni == host else world.genuine[STRANGER]
            )
        )
    verdicts = world.scan(sites)
    assert verdicts.pop("www.a.test").outcome is O.CLEAN
    assert {told(v) for v in verdicts.values()} == {(O.INTERCEPTION, C.LIKELY)}


def test_expired_forgery_is_a_forgery(world):
    forged = world.known.forge(
        world.public.issue(Leaf(hostname=HOST, not_before=NOW - timedelta(days=200))).certificate
    )
    assert told(alone(world, lambda _sni: forged)) == (O.INTERCEPTION, C.CONFIRMED)
