"""Every emitted line is readable by OONI's `oonidata` package, and says there what it says here."""

import base64
import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from measurement_strategies import MEASUREMENTS
from oonidata_here import oonidata_python

from kzmitm.evidence.json_writer import canonical
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import DNSAnswer, DNSObservation, Hello, TCPObservation, TLSObservation
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.ooni.emit import emit

READER = Path(__file__).with_name("read_with_oonidata.py")
STARTED = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)


def read(documents: list[dict]) -> list[dict]:
    lines = b"".join(canonical(document, floats=True) + b"\n" for document in documents)
    done = subprocess.run(
        [oonidata_python(), str(READER)], input=lines, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def certificate(common_name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, STARTED, STARTED + timedelta(90))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_an_intercepted_and_a_dead_address_arrive_whole():
    forged, issuer = certificate("www.example.test"), certificate("Look-alike CA")
    alive, dead = Endpoint("192.0.2.7", 443), Endpoint("2001:db8::7", 443)
    m = Measurement(
        target=Target("www.example.test"),
        vantage=Vantage(asn="AS64500", cc="KZ"),
        started_at=STARTED,
        dns=(
            DNSObservation(
                hostname="www.example.test",
                engine="getaddrinfo",
                query_type="ANY",
                answers=(
                    DNSAnswer(answer_type="A", ip=alive.ip),
                    DNSAnswer(answer_type="AAAA", ip=dead.ip),
                ),
            ),
        ),
        tcp=(
            TCPObservation(endpoint=dead, failure="network_unreachable", t0=0.1, t=0.2, transaction_id=1),
            TCPObservation(endpoint=alive, t0=0.1, t=0.2, transaction_id=2),
        ),
        tls=(
            TLSObservation(
                endpoint=alive,
                sni="www.example.test",
                hello=Hello("small"),
                version="TLSv1.3",
                presented_chain=(forged, issuer),
                t0=0.2,
                t=0.3,
                transaction_id=2,
            ),
        ),
    )
    (seen,) = read([emit(m, failures=["ssl_unknown_authority"], test_start_time=STARTED)])
    assert seen == {
        "class": "UrlGetter",
        "input": "tlshandshake://www.example.test:443",
        "probe_ip": "127.0.0.1",
        "queries": [["www.example.test", [alive.ip, dead.ip]]],
        "tcp": [[dead.ip, 443, False, "network_unreachable"], [alive.ip, 443, True, None]],
        "tls": [
            {
                "address": "192.0.2.7:443",
                "server_name": "www.example.test",
                "failure": "ssl_unknown_authority",
                "no_tls_verify": False,
                "version": "TLSv1.3",
                "chain": [hashlib.sha256(der).hexdigest() for der in (forged, issuer)],
            }
        ],
        "leaf_subjects": ["www.example.test"],
    }


def one_endpoint_per_transaction(m: Measurement) -> bool:
    """As a scan numbers them: a transaction is one connection."""
    endpoints: dict[int, Endpoint] = {}
    return all(endpoints.setdefault(o.transaction_id, o.endpoint) == o.endpoint for o in (*m.tcp, *m.tls))


@settings(
    max_examples=1,  # each example is many measurements, read by one process
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(MEASUREMENTS.filter(one_endpoint_per_transaction), min_size=25, max_size=60))
def test_any_measurement_is_readable(measurements: list[Measurement]):
    documents = [emit(m, test_start_time=m.started_at) for m in measurements]
    seen = read(documents)
    assert [len(each["tls"]) for each in seen] == [len(m.tls) for m in measurements]
    for each, m in zip(seen, measurements, strict=True):
        assert [h["chain"] for h in each["tls"]] == [
            [hashlib.sha256(der).hexdigest() for der in o.presented_chain] for o in m.tls
        ]


def test_the_lines_are_base64_of_the_octets_themselves():
    der = certificate("a")
    m = Measurement(
        target=Target("a.test"),
        vantage=Vantage(),
        started_at=STARTED,
        tls=(
            TLSObservation(
                endpoint=Endpoint("192.0.2.1", 1), sni=None, hello=Hello("x"), presented_chain=(der,)
            ),
        ),
    )
    (row,) = emit(m, test_start_time=STARTED)["test_keys"]["tls_handshakes"]
    assert row["peer_certificates"] == [{"format": "base64", "data": base64.b64encode(der).decode()}]
