"""A small world for judging: public CAs, interceptors, sites, and measurements of them; the same every time.

Keys are derived from names and ECDSA is deterministic (RFC 6979), so that certificates and with them the
golden verdicts never change.
"""

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from kzmitm.model.failure import Failure
from kzmitm.model.local_trust import LocalTrust
from kzmitm.model.measurement import ControlChain, ControlEntry, Measurement
from kzmitm.model.observation import (
    Alert,
    DNSAnswer,
    DNSObservation,
    Hello,
    Proof,
    ProofKind,
    Role,
    TCPObservation,
    TLSObservation,
)
from kzmitm.model.target import Endpoint, Target, Vantage, is_ip
from kzmitm.model.verdict import Verdict
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.registry import Registry, parse_registry
from kzmitm.pki.store import TrustStore, parse_store
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.engine import judge
from kzmitm.verdict.facts import Facts, derive

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST, BENIGN, NONSENSE = "watched.example", "benign.test", "zq1x.invalid"
IP, OTHER_IP, PRIVATE_IP = "93.184.216.34", "93.184.216.35", "10.1.2.3"
ORDER = int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16)
_OIDS = {"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


@functools.cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(
        int.from_bytes(hashlib.sha256(name.encode()).digest()) % (ORDER - 1) + 1, ec.SECP256R1()
    )


def dn(text: str) -> x509.Name:
    """`C=KZ, CN=Example` in the order of the encoding."""
    parts = [part.partition("=") for part in text.split(", ")]
    return x509.Name([x509.NameAttribute(_OIDS[short], value) for short, _, value in parts])


def certificate(
    subject: str,
    issuer: str | None = None,
    *,
    own_key: str | None = None,
    issuer_key: str | None = None,
    names: Sequence[str] | None = (),
    ca: bool = False,
    start: datetime = NOW - timedelta(days=30),
    days: int = 90,
    logged: bool = True,
    usages: Sequence[x509.ObjectIdentifier] = (),
    located: bool = False,
) -> bytes:
    """DER of a certificate; keys are named like the certificates unless said otherwise."""
    own = key(own_key or subject)
    signer = key(issuer_key or issuer or own_key or subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(dn(subject))
        .issuer_name(dn(issuer or subject))
        .public_key(own.public_key())
        .serial_number(
            int.from_bytes(hashlib.sha256(f"{subject}{issuer}{own_key}{names}".encode()).digest()[:8])
        )
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ip_address(n)) if is_ip(n) else x509.DNSName(n) for n in names]
            ),
            critical=False,
        )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if located:
        where = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.test/1.der")
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([where]), critical=False)
    if logged and not ca:
        builder = builder.add_extension(x509.UnrecognizedExtension(SCT_LIST, b"\x04\x00"), critical=False)
    made = builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(serialization.Encoding.DER)


LONG = {"start": datetime(2020, 1, 1, tzinfo=UTC), "days": 7300, "ca": True}
ROOT, ROOT_2 = "O=Public Trust, CN=Public Root", "O=Other Trust, CN=Other Root"
ISSUER, ISSUER_2 = "O=Public Trust, CN=Public Issuer 1", "O=Other Trust, CN=Other Issuer 1"
STATE_ROOT = "C=KZ, O=Look-alike, CN=Look-alike State Root"
STATE_CA = "C=KZ, CN=Look-alike Security"
EGOV_ROOT = "C=KZ, CN=Look-alike eGov Root"
UNKNOWN_CA = "O=Nobody Knows, CN=Nobody Knows CA"
AV_CA = "O=Look-alike Antivirus, CN=Look-alike Antivirus Root"
BOX_CA = "O=Look-alike Box, CN=Look-alike Box CA"
FAMILY_CA = "O=Look-alike Family, CN=Family Root 11"
ORIGIN_CA = "O=Look-alike Network, CN=Look-alike Origin CA"
TRIAL_ROOT, TRIAL_CA = "O=Look-alike Trial, CN=Trial Root", "O=Look-alike Trial, CN=Trial Issuer 1"
FORMER_ROOT, FORMER_CA = "O=Once Public, CN=Once Public Root", "O=Once Public, CN=Once Public Issuer"
CARRIED_ROOT = "O=Public Elsewhere, CN=Public Elsewhere Root"
PUBLIC_UNTIL = datetime(2025, 9, 1, tzinfo=UTC)
"""Day on which the former root was last seen in a public programme."""

ROOT_DER, ROOT_2_DER = certificate(ROOT, **LONG), certificate(ROOT_2, **LONG)
ISSUER_DER, ISSUER_2_DER = certificate(ISSUER, ROOT, **LONG), certificate(ISSUER_2, ROOT_2, **LONG)
STATE_ROOT_DER = certificate(STATE_ROOT, **LONG)
STATE_CA_DER = certificate(STATE_CA, STATE_ROOT, **LONG)
STATE_CA_OLD_DER = certificate(STATE_CA, STATE_ROOT, ca=True, start=NOW - timedelta(days=200), days=75)
EGOV_ROOT_DER = certificate(EGOV_ROOT, **LONG)
UNKNOWN_DER, AV_DER, BOX_DER = (certificate(ca, **LONG) for ca in (UNKNOWN_CA, AV_CA, BOX_CA))
ORIGIN_DER = certificate(ORIGIN_CA, **LONG)
TRIAL_CA_DER = certificate(TRIAL_CA, TRIAL_ROOT, **LONG)
FORMER_ROOT_DER = certificate(FORMER_ROOT, **LONG)
FORMER_CA_DER = certificate(FORMER_CA, FORMER_ROOT, **LONG)
FAMILY_DER = certificate(FAMILY_CA, start=datetime(2024, 5, 6, tzinfo=UTC), days=3650, ca=True)


def leaf(host: str, issuer: str, *, own_key: str | None = None, **options: object) -> bytes:
    """A leaf for a host; its key is its own per issuer and host."""
    options.setdefault("names", (host,))
    return certificate(f"CN={host}", issuer, own_key=own_key or f"{issuer}/{host}", **options)  # type: ignore[arg-type]


def genuine(host: str = HOST, **options: object) -> tuple[bytes, ...]:
    return (leaf(host, ISSUER, **options), ISSUER_DER)


def genuine_elsewhere(host: str = HOST, **options: object) -> tuple[bytes, ...]:
    """By another public CA."""
    return (leaf(host, ISSUER_2, **options), ISSUER_2_DER)


def state(host: str = HOST, **options: object) -> tuple[bytes, ...]:
    """Under the look-alike state root, which is not sent."""
    return (leaf(host, STATE_CA, **options), STATE_CA_DER)


def origin(host: str = HOST, **options: object) -> tuple[bytes, ...]:
    """By the authority for origin servers, whose certificate is not sent."""
    return (leaf(host, ORIGIN_CA, **options),)


def former(host: str = HOST, *, days_after: int = -100, **options: object) -> tuple[bytes, ...]:
    """Under the former root, made so many days after it was last public; valid still."""
    options |= {"start": PUBLIC_UNTIL + timedelta(days=days_after), "days": 700}
    return (leaf(host, FORMER_CA, **options), FORMER_CA_DER)


def unknown(host: str = HOST, **options: object) -> tuple[bytes, ...]:
    return (leaf(host, UNKNOWN_CA, **options), UNKNOWN_DER)


def under(ca: str, der: bytes, host: str = HOST, **options: object) -> tuple[bytes, ...]:
    return (leaf(host, ca, **options), der)


def self_signed(host: str = HOST, **options: object) -> tuple[bytes, ...]:
    options.setdefault("names", (host,))
    return (certificate(f"CN={host}", own_key=f"self/{host}", **options),)  # type: ignore[arg-type]


def spki(name: str) -> bytes:
    return (
        key(name)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _authority(
    identity: str, kind: str, ca: str, *more: str, pattern: bool = False, hashed: bool = False
) -> bytes:
    """`more` are lines about the certificate."""
    lines = [f'id = "{identity}"', f'kind = "{kind}"', 'country = "KZ"']
    if pattern:
        lines.append(f'subject_patterns = ["CN={ca.rpartition("CN=")[2]}"]')
    lines += ["[names]", f'en = "{identity}"']
    if hashed:
        der = spki(ca)
        lines += [
            "[[certificates]]",
            'role = "root"',
            f'subject = "{ca}"',
            f'spki_sha256 = "{hashlib.sha256(der).hexdigest()}"',
            f'public_key = "{base64.b64encode(der).decode()}"',
            *more,
        ]
    return "\n".join(lines).encode()


_FAMILY = b"""
id = "family"
kind = "state_interception"
country = "KZ"
[names]
en = "family"
[[traits]]
id = "family-root"
subject_has = ["O=Look-alike Family"]
not_before_date = 2024-05-06
"""
_FORGER = b"""
id = "copier"
name = "Copier"
product = "Copier 1"
about = "Copies subject and names and makes keys on P-256."
telling = ["subject", "san"]
confidence = "high"
sources = ["made up"]
[require]
subject = ["copied"]
san = ["copied"]
"""


@functools.cache
def registry() -> Registry:
    return parse_registry(
        {
            "authorities/state.toml": _authority("state", "state_interception", STATE_ROOT, hashed=True),
            "authorities/egov.toml": _authority("egov", "state_pki", EGOV_ROOT, hashed=True, pattern=True),
            "authorities/antivirus.toml": _authority("antivirus", "antivirus", AV_CA, pattern=True),
            "authorities/box.toml": _authority("box", "commercial_middlebox", BOX_CA, pattern=True),
            "authorities/family.toml": _FAMILY,
            "authorities/origin.toml": _authority(
                "origin", "origin_ca", ORIGIN_CA, hashed=True, pattern=True
            ),
            "authorities/trial.toml": _authority("trial", "test_ca", TRIAL_ROOT, hashed=True),
            "authorities/former.toml": _authority(
                "former", "former_ca", FORMER_ROOT, f"public_until = {PUBLIC_UNTIL:%Y-%m-%d}", hashed=True
            ),
            "authorities/carried.toml": _authority(
                "carried",
                "former_ca",
                CARRIED_ROOT,
                "public_until = 2020-01-01",
                'carried_by = ["apple"]',
                hashed=True,
            ),
            "forgers/copier.toml": _FORGER,
        }
    )


def pem(*ders: bytes) -> bytes:
    return b"".join(
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
        for der in ders
    )


@functools.cache
def store() -> TrustStore:
    return parse_store(pem(ROOT_DER, ROOT_2_DER), name="test", version="1", date="2026-01-01")


CACHE = CertificateCache(max_entries=4096)


def proof(*, verified: bool | None = True) -> Proof:
    return Proof(ProofKind.TLS13, 0x0403, b"s", b"d", b"c" * 32, b"r" * 32, verified)


def handshake(
    chain: Sequence[bytes] = (),
    role: Role = Role.FIRST,
    *,
    sni: str | None = "",
    ip: str = IP,
    failure: str | None = None,
    alert: int | None = None,
    profile: str = "small",
    engine: str = "kzmitm",
    verified: bool | None = True,
    **more: object,
) -> TLSObservation:
    """One handshake; the SNI is the one that goes with the role unless given."""
    names = {Role.BENIGN_SNI: BENIGN, Role.NONSENSE_SNI: NONSENSE, Role.NO_SNI: None}
    fine = bool(chain) and failure is None
    fields = {
        "version": "TLSv1.3" if fine else "",
        "cipher_suite": "TLS_AES_128_GCM_SHA256" if fine else "",
        "alpn": "h2" if fine else "",
        "proof": proof(verified=verified) if chain and verified is not None else None,
        "alerts": (Alert(2, alert),) if alert is not None else (),
    } | more
    return TLSObservation(
        endpoint=Endpoint(ip, 443),
        sni=names.get(role, HOST) if sni == "" else sni,
        hello=Hello(profile, engine, 517),
        role=role,
        presented_chain=tuple(chain),
        failure=failure,
        **fields,  # type: ignore[arg-type]
    )


def cut(failure: str = Failure.CONNECTION_RESET, role: Role = Role.FIRST, **more: object) -> TLSObservation:
    return handshake((), role, failure=failure, **more)  # type: ignore[arg-type]


def refused(alert: int = 40, role: Role = Role.FIRST, **more: object) -> TLSObservation:
    return handshake((), role, failure=Failure.SSL_FAILED_HANDSHAKE, alert=alert, **more)  # type: ignore[arg-type]


def dns(
    *ips: str, engine: str = "getaddrinfo", failure: str | None = None, host: str = HOST
) -> DNSObservation:
    return DNSObservation(
        hostname=host,
        engine=engine,
        query_type="ANY" if engine == "getaddrinfo" else "A",
        answers=tuple(DNSAnswer(answer_type="A", ip=ip) for ip in ips),
        failure=failure,
    )


def tcp(failure: str | None = None, ip: str = IP) -> TCPObservation:
    return TCPObservation(endpoint=Endpoint(ip, 443), failure=failure)


def measured(
    *observations: TLSObservation | TCPObservation | DNSObservation,
    host: str = HOST,
    offset: float | None = None,
    trust: LocalTrust | None = None,
    **target: object,
) -> Measurement:
    return Measurement(
        target=Target(host, **target),  # type: ignore[arg-type]
        vantage=Vantage(),
        started_at=NOW,
        tls=tuple(o for o in observations if isinstance(o, TLSObservation)),
        tcp=tuple(o for o in observations if isinstance(o, TCPObservation)),
        dns=tuple(o for o in observations if isinstance(o, DNSObservation)),
        clock_offset_s=offset,
        local_trust=trust,
    )


def trusted_here(
    chain: Sequence[bytes],
    root: bytes = b"",
    root_class: str = "",
    *origins: str,
    accepted: bool | None = None,
    stores: int = 9,
) -> LocalTrust:
    """What this computer's stores say of a chain: a root in Firefox vouches for it, or none does."""
    return LocalTrust(
        leaf_sha256=hashlib.sha256(chain[0]).hexdigest(),
        accepted=bool(root) if accepted is None else accepted,
        root=root,
        root_class=root_class,
        origins=origins,
        applications=("Firefox",) if root else (),
        stores_read=stores,
    )


def control_of(
    *chains: Sequence[bytes], ips: Sequence[str] = (IP,), failures: Sequence[str] = (), host: str = HOST
) -> Mapping[tuple[str, int], ControlEntry]:
    entry = ControlEntry(
        hostname=host,
        chains=tuple(ControlChain(chain=tuple(chain), seen_at=NOW) for chain in chains),
        ips=tuple(ips),
        failures=tuple(failures),
    )
    return {(host, 443): entry}


def facts_of(
    measurement: Measurement,
    control: Mapping[tuple[str, int], ControlEntry] | None = None,
    *,
    now: datetime = NOW,
    known: Registry | None = None,
    trusted: TrustStore | None = None,
) -> Facts:
    return derive(
        measurement,
        registry=known or registry(),
        store=trusted or store(),
        control=control or {},
        cache=CACHE,
        now=now,
    )


def context_of(*facts: Facts) -> RunContext:
    context = RunContext()
    for one in facts:
        context.add(one)
    return context


def verdict_of(
    *observations: TLSObservation | TCPObservation | DNSObservation,
    control: Mapping[tuple[str, int], ControlEntry] | None = None,
    before: Sequence[Facts] = (),
    now: datetime = NOW,
    **target: object,
) -> Verdict:
    """The verdict of one target after `before` in the same run."""
    facts = facts_of(measured(*observations, **target), control, now=now)  # type: ignore[arg-type]
    return judge(facts, context_of(*before, facts))


def clean_host(host: str = "fine.test") -> Facts:
    return facts_of(measured(handshake(genuine(host), sni=host), host=host))


def at(observation: TLSObservation, ip: str) -> TLSObservation:
    return replace(observation, endpoint=Endpoint(ip, 443))
