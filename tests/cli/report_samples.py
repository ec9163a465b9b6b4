"""Results for the tests of reports: real certificates, genuine and forged, with whatever names."""

import functools
import hashlib
import warnings
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from cli_bundles import write
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kzmitm.evidence.control import add, entry_of, write_control
from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Hello, Role, TLSObservation
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.model.verdict import Authority, Cause, Confidence, Forger, Outcome, RuledOut, Scope, Verdict
from kzmitm.pki.parse import parse_certificate

STARTED = datetime(2026, 1, 2, 12, 34, 56, tzinfo=UTC)
STORE = SimpleNamespace(name="mozilla", version="2026.1.1", date="2026-01-01", sha256="ab" * 32)
NETWORK = Vantage(asn="AS9198", cc="KZ")
ADDRESS = "192.0.2.77"
"""Told from the partner level on, and never to the public."""

AUTHORITY = Authority(
    "kz-qaznet", "Qaznet Trust Network", "state_interception", "signature", "key:" + "2e" * 32, "KZ"
)
FORGED = Verdict(
    outcome=Outcome.INTERCEPTION,
    confidence=Confidence.CONFIRMED,
    scope=Scope.STATE,
    authority=AUTHORITY,
    forgers=(Forger("kz", "Kazakhstan, July and August 2019", ("subject:copied", "exponent:3")),),
    rule_ids=("known_ca.signed", "contrast.only_this_name"),
    ruled_out=tuple(
        RuledOut(cause, evidence, "key:" + "2e" * 32)
        for cause, evidence in (
            (Cause.LOCAL_ROOT, "known_key_signed"),
            (Cause.CAPTIVE_PORTAL, "known_key_signed"),
            (Cause.ORIGIN, "known_key_signed"),
            (Cause.CLOCK, "not_a_time_failure"),
        )
    ),
    certificate_failure="ssl_unknown_authority",
    rules_version="1.4",
    registry_version="0123456789abcdef",
    store_version="2026.1.1",
)  # fmt: skip


def verdict(outcome, **more):
    return Verdict(
        outcome=outcome,
        confidence=more.pop("confidence", None),
        rules_version="1.4",
        registry_version="r",
        store_version="s",
        **more,
    )


CLEAN = verdict(Outcome.CLEAN, rule_ids=("trusted.for_this_name",))


@functools.cache
def _key(number):
    return ec.derive_private_key(number + 2, ec.SECP256R1())


def _name(common_name, organization=None):
    told = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common_name)]
    with warnings.catch_warnings(action="ignore"):  # longer than RFC 5280 allows
        return x509.Name([x509.NameAttribute(oid, text, _validate=False) for oid, text in told if text])


@functools.cache
def authority(common_name, key=0):
    """A self-signed authority: its name, its DER."""
    return _certificate(_name(common_name), _name(common_name), key, key, ())


@functools.cache
def leaf(hostname, issuer, *, issuer_key=0, key=1, common_name=None, organization=None):
    """A leaf for a host, signed by an authority of `authority`."""
    subject = _name(common_name or hostname, organization)
    return _certificate(subject, _name(issuer), key, issuer_key, (hostname,))


def _certificate(subject, issuer, key, issuer_key, hosts):
    serial = int.from_bytes(hashlib.sha256(repr((subject, issuer, key)).encode()).digest()[:8], "big") | 1
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(_key(key).public_key())
        .serial_number(serial)
        .not_valid_before(STARTED - timedelta(days=20))
        .not_valid_after(STARTED + timedelta(days=70))
        .add_extension(x509.BasicConstraints(ca=not hosts, path_length=None), critical=True)
    )
    if hosts:
        names = [x509.DNSName(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(_key(issuer_key), hashes.SHA256()).public_bytes(serialization.Encoding.DER)


GENUINE = "Test Public Root"
FORGER = "Security Certificate"


def genuine_chain(hostname):
    return leaf(hostname, GENUINE, issuer_key=10, key=11), authority(GENUINE, 10)


def forged_chain(hostname, issuer=FORGER, **names):
    return leaf(hostname, issuer, issuer_key=20, key=21, **names), authority(issuer, 20)


def measured(hostname, chain, *, failure=None, ip=ADDRESS, others=()):
    """A measurement that was shown a chain; `others` are (role, chain) of follow-ups."""

    def handshake(shown, role=Role.FIRST, at=ip):
        return TLSObservation(
            endpoint=Endpoint(at, 443),
            sni=hostname,
            hello=Hello("small"),
            role=role,
            version="TLSv1.3" if shown else "",
            cipher_suite="TLS_AES_128_GCM_SHA256" if shown else "",
            presented_chain=tuple(shown),
            failure=failure if role is Role.FIRST else None,
        )

    follow_ups = (handshake(shown, role, "192.0.2.78") for role, shown in others)
    return Measurement(
        target=Target(hostname),
        vantage=NETWORK,
        started_at=STARTED + timedelta(seconds=1),
        tls=(handshake(chain), *follow_ups),
    )


def row(measurement, judged):
    first = measurement.first
    return measurement, judged, tuple(map(parse_certificate, first.presented_chain if first else ()))


def forged_row(hostname, judged=FORGED, **names):
    return row(measured(hostname, forged_chain(hostname, **names)), judged)


def clean_row(hostname):
    return row(measured(hostname, genuine_chain(hostname)), CLEAN)


def result(folder, rows, *, finished=True, complete=True, vantage=NETWORK):
    """The bundle `scan.zip` of some rows in `folder`; the journal's folder if it did not finish."""
    header = ScanHeader(
        started_at=STARTED, rules_version="1.4", registry_version="r", store=STORE, vantage=vantage
    )
    at = STARTED + timedelta(minutes=5) if finished else None
    folder.mkdir(exist_ok=True)
    return write(folder / "scan.zip", rows, header=header, complete=complete, finished_at=at)


def control(folder, hostnames):
    """A control file that saw the genuine chain of some names."""
    known = {}
    for hostname in hostnames:
        add(known, entry_of(measured(hostname, genuine_chain(hostname))))
    write_control(folder / "control.json", known)
    return folder / "control.json"


def store(folder):
    """The root of the genuine chains in PEM."""
    pem = x509.load_der_x509_certificate(authority(GENUINE, 10)).public_bytes(serialization.Encoding.PEM)
    (folder / "roots.pem").write_bytes(pem)
    return folder / "roots.pem"
