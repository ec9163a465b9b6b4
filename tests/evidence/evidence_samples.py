"""Measurements, verdicts and a header for the tests of evidence."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.model.certificate import Certificate, Name, NameAttribute, PublicKey
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import (
    DNSAnswer,
    DNSObservation,
    Hello,
    Proof,
    ProofKind,
    Role,
    TCPObservation,
    TLSObservation,
)
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.model.verdict import Authority, Cause, Confidence, Forger, Outcome, RuledOut, Scope, Verdict

STARTED = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
FINISHED = STARTED + timedelta(minutes=1)


@dataclass(frozen=True)
class Store:
    name: str = "test roots"
    version: str = "2026.1"
    date: str = "2026-01-01"
    sha256: str = "0" * 64


def header(**options) -> ScanHeader:
    return ScanHeader(
        started_at=STARTED, rules_version="7", registry_version="abc", store=Store(), options=options
    )


def octets(seed: object, size: int = 700) -> bytes:
    """What stands for a certificate: the same for the same seed."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


def handshake(sni: str | None, chain=(), ip="192.0.2.7", failure=None, role=Role.FIRST, **more):
    return TLSObservation(
        endpoint=Endpoint(ip, 443),
        sni=sni,
        hello=Hello("small", size=517),
        role=role,
        presented_chain=tuple(chain),
        failure=failure,
        t0=0.2,
        t=0.3,
        **more,
    )


def measurement(number: int = 0, *, tls=None, started_at=STARTED) -> Measurement:
    name = f"www{number}.example.test"
    endpoint = Endpoint("192.0.2.7", 443)
    proof = Proof(ProofKind.TLS13, 0x0403, b"signature", b"signed", b"c" * 32, b"s" * 32, verified=True)
    shown = handshake(name, [octets(number), octets("ca")], version="TLSv1.3", proof=proof)
    return Measurement(
        target=Target(name),
        vantage=Vantage(),
        started_at=started_at + timedelta(seconds=number),
        dns=(
            DNSObservation(
                hostname=name,
                engine="getaddrinfo",
                query_type="ANY",
                answers=(DNSAnswer(answer_type="A", ip=endpoint.ip),),
            ),
        ),
        tcp=(TCPObservation(endpoint=endpoint, t0=0.1, t=0.2),),
        tls=(shown,) if tls is None else tuple(tls),
    )


def certificate(der: bytes, common_name: str = "a", **more) -> Certificate:
    name = Name(b"", (NameAttribute("2.5.4.3", common_name),))
    key = PublicKey(kind="ec", bits=256, spki_sha256="1" * 64, curve="secp256r1")
    fields = {"not_before": STARTED, "not_after": FINISHED, "public_key": key} | more
    return Certificate(
        der=der,
        sha256=hashlib.sha256(der).hexdigest(),
        sha1="",
        subject=name,
        issuer=name,
        **fields,
    )


CLEAN = Verdict(
    outcome=Outcome.CLEAN,
    confidence=None,
    rule_ids=("chain.trusted",),
    rules_version="7",
    registry_version="abc",
    store_version="2026.1",
)
INTERCEPTED = Verdict(
    outcome=Outcome.INTERCEPTION,
    confidence=Confidence.CONFIRMED,
    scope=Scope.STATE,
    authority=Authority("x", "Look-alike", "interception", "key", "key:" + "2" * 64, "KZ"),
    forgers=(Forger("sslsplit", "sslsplit", ("key.exponent_3",)),),
    rule_ids=("authority.known_key",),
    ruled_out=(RuledOut(Cause.CLOCK, "clock.agrees", "off by 1 s"),),
    undecided=("second_network",),
    labels=("tls.mitm",),
    certificate_failure="ssl_unknown_authority",
    rules_version="7",
    registry_version="abc",
    store_version="2026.1",
)
