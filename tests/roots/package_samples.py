"""Files of every form that certificates come in, made to order."""

import functools
import io
import plistlib
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7, pkcs12
from cryptography.x509.oid import NameOID

START = datetime(2024, 1, 1, tzinfo=UTC)


@functools.cache
def made(name="Root", serial=1):
    """A self-signed root and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def der(name="Root"):
    return made(name)[0].public_bytes(Encoding.DER)


def pem(name="Root"):
    return made(name)[0].public_bytes(Encoding.PEM)


def p7b(*names: str, encoding=Encoding.DER):
    return pkcs7.serialize_certificates([made(name)[0] for name in names], encoding)


def p12(*names: str, password=b"", friendly="anchor", rounds=2048):
    if password:
        protection = (
            serialization.PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(rounds)
            .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
            .hmac_hash(hashes.SHA256())
            .build(password)
        )
    else:
        protection = serialization.NoEncryption()
    held = [pkcs12.PKCS12Certificate(made(name)[0], f"{friendly} {name}".encode()) for name in names]
    return pkcs12.serialize_key_and_certificates(None, None, None, held, protection)


def profile(*payloads: object, **keys):
    document = {"PayloadType": "Configuration", "PayloadVersion": 1, "PayloadContent": list(payloads), **keys}
    return plistlib.dumps(document)


def payload(content, kind="root", **keys):
    return {"PayloadType": f"com.apple.security.{kind}", "PayloadContent": content, **keys}


def signed(content, folder, *options: str):
    """The content as a signed message of `openssl cms`."""
    certificate, key = made("Signer")
    private = key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "signer.pem").write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    (folder / "content").write_bytes(content)
    words = ["-sign", "-nodetach", "-binary", "-outform", "DER", "-signer", folder / "signer.pem"]
    done = subprocess.run(
        ["openssl", "cms", *words, "-in", folder / "content", *options], capture_output=True, check=True
    )
    return done.stdout


def archive(members, *, method=zipfile.ZIP_DEFLATED):
    made_of = io.BytesIO()
    with zipfile.ZipFile(made_of, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return made_of.getvalue()


def blob(*properties: tuple[int, bytes]):
    """A certificate of the Windows registry: properties of (number, octets)."""
    return b"".join(
        number.to_bytes(4, "little") + b"\1\0\0\0" + len(content).to_bytes(4, "little") + content
        for number, content in properties
    )


def export(*values: tuple[str, bytes], head="Windows Registry Editor Version 5.00"):
    """A registry export as regedit writes it: lines of 80 characters that end in a backslash."""
    lines = [head, ""]
    for store, content in values:
        lines.append(rf"[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates\{store}\Certificates\00AA]")
        digits = ",".join(f"{octet:02x}" for octet in content)
        pieces = [digits[at : at + 75] for at in range(0, len(digits), 75)] or [""]
        joined = "\\\r\n  ".join(pieces)
        lines += [f'"Blob"=hex:{joined}', ""]
    return "\r\n".join(lines)
