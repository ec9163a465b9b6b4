"""Fake Linux systems below a folder, laid out as those of distributions, and certificates for them."""

import base64
import os
import warnings
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kzmitm.pki.parse import parse_certificate
from kzmitm.roots.system import System
from kzmitm.roots.values import Platform

SHARED = Path(__file__).resolve().parents[3] / "shared" / "certs"
MOZILLA = Path("/usr/share/ca-certificates/mozilla")
ADDED_AT = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)

SERVER, CLIENT, CODE, EMAIL = (f"1.3.6.1.5.5.7.3.{number}" for number in (1, 2, 3, 4))


def pem(der: bytes, label: str = "CERTIFICATE") -> bytes:
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label.encode(), lines, label.encode())


@cache
def root(name: str) -> bytes:
    """A root of a test as DER; the same name gives the same one."""
    return _signed(name, None)[0]


@cache
def _signed(name: str, issuer: str | None) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = _signed(issuer, None)[1] if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]) if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    made = builder.sign(signer, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER), key


def leaf(name: str, issuer: str) -> bytes:
    return _signed(name, issuer)[0]


@cache
def mozilla() -> tuple[bytes, ...]:
    """The roots of Debian's real package as it is installed here."""
    found = []
    for path in sorted(MOZILLA.glob("*.crt")):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("-----")]
        found.append(base64.b64decode("".join(lines)))
    assert len(found) > 100, "the package ca-certificates is not installed"
    return tuple(found)


def qaznet() -> bytes | None:
    """The real Qaznet root of 2019, or None without the material beside the checkout."""
    for path in sorted(SHARED.glob("*.pem")):
        der = base64.b64decode("".join(path.read_text().split("-----")[2].split()))
        certificate = parse_certificate(der)
        if "Qaznet" in str(certificate.subject) and certificate.subject == certificate.issuer:
            return der
    return None


def p11_object(der: bytes, *lines: str) -> bytes:
    """A certificate in p11-kit's own form."""
    return "\n".join(("[p11-kit-object-v1]", *lines, "")).encode() + pem(der) + b"\n"


def p11_purposes(der: bytes, *oids: str, extension: str = "2.5.29.37") -> bytes:
    """Purposes in p11-kit's own form, stapled to the key of a certificate."""
    listed = b"".join(_tlv(0x06, _oid(oid)) for oid in oids)
    value = _tlv(0x30, _tlv(0x06, _oid(extension)) + _tlv(0x04, _tlv(0x30, listed)))
    written = "".join(f"%{octet:02x}" for octet in value)
    with warnings.catch_warnings():  # a real root has a serial number that is none
        warnings.simplefilter("ignore")
        key = x509.load_der_x509_certificate(der).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    head = (
        f'[p11-kit-object-v1]\nclass: x-certificate-extension\nobject-id: {extension}\nvalue: "{written}"\n'
    )
    return head.encode() + pem(spki, "PUBLIC KEY") + b"\n"


def _tlv(tag: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes((tag, len(content))) + content


def _oid(dotted: str) -> bytes:
    first, second, *arcs = map(int, dotted.split("."))
    octets = bytearray([40 * first + second])
    for arc in arcs:
        parts = [arc & 0x7F]
        while arc := arc >> 7:
            parts.append(arc & 0x7F | 0x80)
        octets += bytes(reversed(parts))
    return bytes(octets)


def put(base: Path, path: str, content: bytes | str, at: datetime | None = None) -> Path:
    """A file of the fake system, and when it was changed."""
    file = base / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if at is not None:
        os.utime(file, (at.timestamp(), at.timestamp()))
    return file


def link(base: Path, path: str, target: str) -> None:
    file = base / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.symlink_to(target)


def linux(base: Path, **options) -> System:
    return System(base, platform=Platform.LINUX, **options)


def bundle(ders, after_each: bytes = b"") -> bytes:
    return b"".join(pem(der) + after_each for der in ders)


EMAIL_ONLY = 3
"""So many of the last roots are for mail only in the layouts of p11-kit, as in Mozilla's list."""


def in_package(roots) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """What a package of p11-kit's distributions has for servers (`roots`, if given), and for mail only."""
    return (mozilla()[:-EMAIL_ONLY], mozilla()[-EMAIL_ONLY:]) if roots is None else (tuple(roots), ())


def debian(base: Path, added=(), roots=None) -> None:
    brought = mozilla() if roots is None else tuple(roots)
    put(base, "/etc/debian_version", "12.5\n")
    names = [f"mozilla/{number}.crt" for number, _ in enumerate(brought)]
    for name, der in zip(names, brought, strict=True):
        put(base, f"/usr/share/ca-certificates/{name}", pem(der))
        link(base, f"/etc/ssl/certs/{name[8:-4]}.pem", f"/usr/share/ca-certificates/{name}")
        link(base, f"/etc/ssl/certs/{int(name[8:-4]):08x}.0", f"{name[8:-4]}.pem")
    put(base, "/etc/ca-certificates.conf", "# comment\n" + "".join(f"{name}\n" for name in names))
    put(base, "/etc/ssl/certs/ca-certificates.crt", bundle((*brought, *added)))
    for number, der in enumerate(added):
        put(base, f"/usr/local/share/ca-certificates/added-{number}.crt", pem(der), ADDED_AT)
        link(
            base, f"/etc/ssl/certs/added-{number}.pem", f"/usr/local/share/ca-certificates/added-{number}.crt"
        )


def ubuntu(base: Path, added=(), roots=None) -> None:
    """Debian's places; only the files that name it differ."""
    debian(base, added, roots)
    put(base, "/etc/debian_version", "trixie/sid\n")
    put(base, "/etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n")


def alpine(base: Path, added=(), roots=None) -> None:
    """Its bundle has an empty line after each root."""
    brought = mozilla() if roots is None else tuple(roots)
    put(base, "/etc/alpine-release", "3.20.0\n")
    put(base, "/etc/ssl/certs/ca-certificates.crt", bundle((*brought, *added), b"\n"))
    link(base, "/etc/ssl/cert.pem", "certs/ca-certificates.crt")
    link(base, "/etc/ssl1.1/cert.pem", "/etc/ssl/cert.pem")
    for number, der in enumerate(added):
        put(base, f"/usr/local/share/ca-certificates/added-{number}.crt", pem(der), ADDED_AT)


def _trust_source(servers, mail) -> bytes:
    """As Mozilla's list is in p11-kit's form."""
    parts = []
    for number, der in enumerate((*servers, *mail)):
        parts.append(p11_object(der, f'label: "Root%20{number}"', "trusted: true", "modifiable: false"))
        parts.append(p11_purposes(der, *([SERVER, EMAIL] if number < len(servers) else [EMAIL])))
    return b"# generated\n" + b"".join(parts)


def fedora(base: Path, added=(), roots=None) -> None:
    servers, mail = in_package(roots)
    put(base, "/usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit", _trust_source(servers, mail))
    extracted = "/etc/pki/ca-trust/extracted"
    put(base, f"{extracted}/pem/tls-ca-bundle.pem", bundle((*servers, *added)))
    link(base, "/etc/pki/tls/certs/ca-bundle.crt", f"{extracted}/pem/tls-ca-bundle.pem")
    link(base, "/etc/pki/tls/cert.pem", f"{extracted}/pem/tls-ca-bundle.pem")
    link(base, "/etc/ssl/certs", "../pki/tls/certs")
    put(base, "/usr/share/pki/ca-trust-legacy/ca-bundle.legacy.default.crt", bundle(servers[:2]))
    link(
        base,
        "/etc/pki/ca-trust/source/ca-bundle.legacy.crt",
        "/usr/share/pki/ca-trust-legacy/ca-bundle.legacy.default.crt",
    )
    put(base, "/etc/pki/ca-trust/source/README", "see update-ca-trust(8)\n")
    for number, der in enumerate(added):
        put(base, f"/etc/pki/ca-trust/source/anchors/added-{number}.pem", pem(der), ADDED_AT)


def opensuse(base: Path, added=(), roots=None) -> None:
    servers, mail = in_package(roots)
    put(base, "/usr/share/pki/trust/ca-certificates-mozilla.trust.p11-kit", _trust_source(servers, mail))
    in_force = (*servers, *added)
    put(base, "/var/lib/ca-certificates/ca-bundle.pem", bundle(in_force))
    link(base, "/etc/ssl/ca-bundle.pem", "/var/lib/ca-certificates/ca-bundle.pem")
    link(base, "/etc/ssl/certs", "/var/lib/ca-certificates/pem")
    for number, der in enumerate(in_force):
        put(base, f"/var/lib/ca-certificates/pem/{number:08x}.0", pem(der))
    (base / "etc/pki/trust/anchors").mkdir(parents=True)
    for number, der in enumerate(added):
        put(base, f"/etc/pki/trust/anchors/added-{number}.pem", pem(der), ADDED_AT)


def arch(base: Path, added=(), roots=None) -> None:
    servers, mail = in_package(roots)
    put(base, "/usr/share/ca-certificates/trust-source/mozilla.trust.p11-kit", _trust_source(servers, mail))
    extracted = "/etc/ca-certificates/extracted"
    in_force = (*servers, *added)
    put(base, f"{extracted}/tls-ca-bundle.pem", bundle(in_force))
    link(base, "/etc/ssl/certs/ca-certificates.crt", "../../ca-certificates/extracted/tls-ca-bundle.pem")
    link(base, "/etc/ssl/cert.pem", "../ca-certificates/extracted/tls-ca-bundle.pem")
    for number, der in enumerate(in_force):
        put(base, f"{extracted}/cadir/{number}.pem", pem(der))
        link(base, f"/etc/ssl/certs/{number:08x}.0", f"../../ca-certificates/extracted/cadir/{number}.pem")
    for number, der in enumerate(added):
        put(base, f"/etc/ca-certificates/trust-source/anchors/added-{number}.crt", pem(der), ADDED_AT)


LAYOUTS = {"debian": debian, "alpine": alpine, "fedora": fedora, "opensuse": opensuse, "arch": arch}
