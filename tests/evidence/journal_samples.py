"""Journals and bundles for tests: written by a real writer, of handshakes whose proofs hold."""

import hashlib
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from evidence_samples import CLEAN, FINISHED, STARTED, handshake, header, measurement
from jsonschema import Draft202012Validator

from kzmitm.evidence.assembly import assemble
from kzmitm.evidence.journal import PREFIX, JournalWriter, Plan, Signing, read_journal
from kzmitm.evidence.medium import Folder
from kzmitm.evidence.recovery import write_bundle
from kzmitm.evidence.schema import schema_names, schema_text
from kzmitm.evidence.signing.keys import key_from_seed
from kzmitm.evidence.verification.verify import Trust, verify_bundle
from kzmitm.model.observation import Proof, ProofKind
from kzmitm.pki.parse import parse_certificate
from kzmitm.wire.proof import SERVER_CONTEXT

SEED = bytes(range(32))
KEY = key_from_seed(SEED)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
SCHEMAS = {name: Draft202012Validator(json.loads(schema_text(name))) for name in schema_names()}
ENVIRONMENT = {
    "system": "Linux",
    "release": "6.1.0",
    "machine": "x86_64",
    "python": "3.11.7",
    "libraries": {"cryptography": "50.0.2", "httpx": ""},
    "resolvers": ["192.0.2.53", "2001:db8::53"],
}


def private_key(name):
    """The same for the same name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def issue(name, issuer, *, serial=None, is_ca=False):
    """DER of a certificate for `name` by `issuer`; the same for the same words."""

    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    number = serial or int.from_bytes(hashlib.sha256(f"{name} {issuer}".encode()).digest()[:15], "big")
    builder = (
        x509.CertificateBuilder(named(issuer), named(name), private_key(name).public_key(), number)
        .not_valid_before(datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC))
        .not_valid_after(datetime(2027, 6, 7, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    return builder.sign(private_key(issuer), None).public_bytes(Encoding.DER)


def chain_of(name, authority="Sample CA"):
    """Leaf, intermediate and root."""
    inner = f"{authority} 1"
    return (issue(name, inner), issue(inner, authority, is_ca=True), issue(authority, authority, is_ca=True))


def proof_of(name, seed="s"):
    """TLS 1.3: the signature of the leaf's key over our random."""
    client, server = (hashlib.sha256(f"{who}{seed}{name}".encode()).digest() for who in "cs")
    hellos = [
        bytes([kind]) + (34).to_bytes(3, "big") + b"\x03\x03" + random
        for kind, random in ((1, client), (2, server))
    ]
    transcript = b"".join(hellos)
    signed = SERVER_CONTEXT + hashlib.sha256(transcript).digest()
    signature = private_key(name).sign(signed)
    return Proof(
        ProofKind.TLS13, 0x0807, signature, signed, client, server, verified=True, transcript=transcript
    )


def proven(number=0, *, authority="Sample CA", **more):
    """A measurement whose handshake shows a real chain, and proves the leaf's key."""
    name = f"www{number}.example.test"
    fields = {"version": "TLSv1.3", "cipher_suite": "TLS_AES_128_GCM_SHA256", "proof": proof_of(name)} | more
    return measurement(number, tls=[handshake(name, chain_of(name, authority), **fields)])


def add(writer, measured, verdict=CLEAN, **told):
    """Add a measurement as a scan does."""
    certificates = (
        [parse_certificate(der) for der in measured.first.presented_chain] if measured.first else []
    )
    told = {"failures": [None] * len(measured.tls), "explanation": "Nothing found."} | told
    writer.add(measured, verdict, certificates=certificates, **told)


def plan(**more):
    fields = {
        "header": header(timeout_s=1.5),
        "signing": Signing(seed=SEED),
        "annotations": {"platform": "linux", "architecture": "amd64"},
        "environment": ENVIRONMENT,
    }
    return Plan(**(fields | more))


def fill(writer, count=3, *, finish=True, complete=True):
    """Add some targets, and the end."""
    for number in range(count):
        add(writer, proven(number))
    if finish:
        writer.finish(finished_at=FINISHED, complete=complete)


def killed(folder, count=3, **more):
    """The journal that a writer leaves which is killed after some targets."""
    with JournalWriter.begin(folder, plan(**more)) as writer:
        fill(writer, count, finish=False)
        return writer.medium.path


def bundle(folder, count=3, *, complete=True, **more):
    """The bundle of a scan."""
    with JournalWriter.begin(folder, plan(**more)) as writer:
        fill(writer, count, complete=complete)
        return write_bundle(read_journal(writer.medium), writer.medium.path, KEY)


def octets_of(journal):
    """What the bundle of a journal in a folder must be, whoever makes it."""
    assembled = assemble(read_journal(Folder(journal)), KEY)
    return assembled.file_name, b"".join(assembled.chunks())


def members(path):
    """The files of an archive as another reader finds them, by path in the bundle."""
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def check_schemas(files):
    """Every document of a bundle is what its schema says; returns the public and the partner one."""
    shown = []
    for path, octets in files.items():
        if path.endswith(".jsonl"):
            for line in octets.splitlines():
                SCHEMAS["measurement"].validate(json.loads(line))
        elif path.endswith(".json"):
            document = json.loads(octets)
            kind = document["schema"].partition("/")[0].removeprefix("kzmitm.")
            SCHEMAS[kind].validate(document)
            if kind == "scan":
                assert document["level"] == path.split("/")[1]
                shown.append(document)
    return sorted(shown, key=lambda document: document["level"], reverse=True)


def verified(path, **trust):
    """What `kzmitm verify` finds."""
    return verify_bundle(Path(path), trust=Trust(**trust), now=NOW)


def key_of(signing):
    """The key of a journal of this module."""
    return key_from_seed(signing.seed)


def rubbish(folder):
    """What nobody should find once all is done."""
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith((".part-", PREFIX)))


LATER = STARTED + timedelta(seconds=9)
