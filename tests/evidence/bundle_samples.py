"""Bundles with real proofs for the tests of verification, and archives whose every field may lie.

What packs and lists here is written anew from the formats, so that a mistake of ours is not made twice.
The same call always gives the same octets: keys come from fixed seeds, salts from a counter.
"""

import hashlib
import itertools
import struct
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from evidence_samples import CLEAN, FINISHED, INTERCEPTED, Store, measurement

from kzmitm.evidence import journal as journal_module
from kzmitm.evidence.assembly import assemble
from kzmitm.evidence.journal import JournalWriter, Plan, Signing, read_journal
from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.evidence.signing.keys import key_from_seed
from kzmitm.evidence.signing.sshsig import sign
from kzmitm.evidence.verification.verify import Trust, verify_bundle
from kzmitm.model.observation import Hello, Proof, ProofKind, Role, TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.model.verdict import Confidence, Outcome, Scope, Verdict
from kzmitm.pki.parse import parse_certificate

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEY = key_from_seed(bytes(range(32)))
OTHER_KEY = key_from_seed(bytes(range(1, 33)))
PARTNER_KEY = key_from_seed(bytes(range(2, 34)))
NOBODY = Trust()

NAMESPACE = "kzmitm-bundle@v1"
COUNTERSIGN = "kzmitm-countersign@v1"
BAGIT, BAG_INFO = "bagit.txt", "bag-info.txt"
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
SIGNATURE = "tagmanifest-sha256.txt.sig"
PUBLIC, PARTNER = "data/public/scan.json", "data/partner/scan.json"
MEASUREMENTS, ENVIRONMENT = "data/partner/measurements.jsonl", "data/full/environment.json"
README = "data/public/readme.txt"

SCHEME_ED25519 = 0x0807
CONTEXT = b" " * 64 + b"TLS 1.3, server CertificateVerify\x00"


# --- certificates and proofs


def _key(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


@cache
def authority(name: str) -> bytes:
    """A self-signed certificate, in DER."""
    return _certificate(name, name, is_ca=True)


@cache
def chain(host: str, issuer: str) -> tuple[bytes, bytes]:
    """A leaf of a host, and its issuer."""
    return _certificate(host, issuer, is_ca=False), authority(issuer)


def _certificate(subject: str, issuer: str, *, is_ca: bool) -> bytes:
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(_key(subject).public_key())
        .serial_number(int.from_bytes(hashlib.sha256(f"{subject}/{issuer}".encode()).digest()[:8], "big") | 1)
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
    )
    return builder.sign(_key(issuer), None).public_bytes(Encoding.DER)


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def proof(host: str, kind: ProofKind, number: int = 0) -> Proof:
    """The proof that the holder of the leaf key of `host` answered: `verify_proof` finds it true."""
    client = hashlib.sha256(f"client {host} {number}".encode()).digest()
    server = hashlib.sha256(f"server {host} {number}".encode()).digest()
    transcript = b""
    if kind is ProofKind.TLS13:
        transcript = (
            _message(1, b"\x03\x03" + client)
            + _message(2, b"\x03\x03" + server)
            + _message(11, b"certificates")
        )
        signed = CONTEXT + hashlib.sha256(transcript).digest()
    else:
        signed = client + server + b"\x03\x00\x1d\x20" + bytes(32)
    signature = _key(host).sign(signed)
    return Proof(
        kind, SCHEME_ED25519, signature, signed, client, server, verified=True, transcript=transcript
    )


def handshake(host: str, issuer: str, kind: ProofKind = ProofKind.TLS13, number: int = 0) -> TLSObservation:
    return TLSObservation(
        endpoint=Endpoint("192.0.2.7", 443),
        sni=host,
        hello=Hello("small", size=517),
        role=Role.REPEAT if number else Role.FIRST,
        version="TLSv1.3" if kind is ProofKind.TLS13 else "TLSv1.2",
        cipher_suite="TLS_AES_128_GCM_SHA256",
        presented_chain=chain(host, issuer),
        proof=proof(host, kind, number),
        t0=0.2,
        t=0.3,
        transaction_id=number + 1,
    )


STATE = INTERCEPTED
LOCAL = Verdict(
    outcome=Outcome.INTERCEPTION,
    confidence=Confidence.LIKELY,
    scope=Scope.LOCAL,
    rule_ids=("issuer.local_store",),
    rules_version="7",
    registry_version="abc",
    store_version="2026.1",
)
UNREACHABLE = replace(CLEAN, outcome=Outcome.UNREACHABLE, rule_ids=("network.none",))
CASES = (
    ("Good CA", ProofKind.TLS13, CLEAN, 1),
    ("State CA", ProofKind.TLS13, STATE, 2),
    ("State CA", ProofKind.TLS12, STATE, 1),
    ("Antivirus CA", ProofKind.TLS12, LOCAL, 1),
    ("Nobody", ProofKind.TLS13, UNREACHABLE, 1),
)
"""Issuer, kind of proof, verdict, handshakes: of the targets, in turn."""
INTERCEPTED_HANDSHAKES, OTHER_HANDSHAKES = 4, 1


@cache
def payload(targets: int = len(CASES), handshakes: int = 0) -> dict[str, bytes]:
    """The files below data/ of a bundle as the program itself writes them."""
    header = ScanHeader(
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        rules_version="7",
        registry_version="abc",
        store=Store(),
        options={"timeout_s": 1.5, "targets": ["a", "b"]},
    )
    plan = Plan(
        header=header,
        signing=Signing(campaign="x"),
        annotations={"platform": "linux"},
        environment={"system": "Linux", "resolvers": ["192.0.2.53"]},
    )
    numbers = itertools.count()

    def salt(size: int) -> bytes:
        return hashlib.shake_128(b"salt %d" % next(numbers)).digest(size)

    with patch.object(journal_module.os, "urandom", salt):
        writer = JournalWriter.in_memory(plan)
    for number, (issuer, kind, verdict, shown) in zip(range(targets), itertools.cycle(CASES), strict=False):
        host = f"www{number}.example.test"
        tls = [handshake(host, issuer, kind, i) for i in range(handshakes or shown)]
        if issuer == "Nobody":
            tls = [replace(tls[0], presented_chain=(), proof=None, version="", failure="connection_reset")]
        parsed = [parse_certificate(der) for der in tls[0].presented_chain]
        writer.add(
            measurement(number, tls=tls),
            verdict,
            failures=[None] * len(tls),
            certificates=parsed,
            explanation=f"What was found of {host}.",
        )
    writer.finish(finished_at=FINISHED)
    writer.release()
    sources = assemble(read_journal(writer.medium), KEY).sources
    return {s.path: b"".join(s.chunks()) for s in sources if s.path.startswith("data/")}


# --- bags


def _sha256(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def listing(files: dict[str, bytes]) -> bytes:
    """A manifest."""
    return "".join(f"{_sha256(files[name])}  {name}\n" for name in sorted(files)).encode()


def bag(files: dict[str, bytes], key=KEY, **changed: bytes) -> dict[str, bytes]:
    """All files of a signed bag around these; `changed` replaces tag files before they are signed.

    Their names are `bagit`, `bag_info`, `manifest`, `tag_manifest`, `signature`.
    """
    total = f"{sum(map(len, files.values()))}.{len(files)}"
    info = (
        f"Bag-Group-Identifier: {key.name}\nBag-Software-Agent: kzmitm 0\nKzmitm-Bundle: 1.0\n"
        f"Payload-Oxum: {total}\n"
    )
    tags = {
        BAG_INFO: changed.get("bag_info", info.encode()),
        BAGIT: changed.get("bagit", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"),
        MANIFEST: changed.get("manifest", listing(files)),
    }
    tags[TAG_MANIFEST] = changed.get("tag_manifest", listing(tags))
    tags[SIGNATURE] = changed.get("signature", sign(tags[TAG_MANIFEST], key.private, NAMESPACE))
    return {**files, **tags}


def root_of(files: dict[str, bytes]) -> str:
    """The name of the folder of a bag."""
    return f"bundle-{_sha256(files[TAG_MANIFEST])[:16]}"


def resign(files: dict[str, bytes], key=KEY, **changed: bytes) -> bytes:
    """The archive of a validly signed bundle whose payload is these files, whatever is in them."""
    return pack(bag(files, key, **changed))


def pack(files: dict[str, bytes], root: str | None = None, **end) -> bytes:
    """The archive of some files in the form that the program writes."""
    return build(entries(files, root), **end)


def entries(files: dict[str, bytes], root: str | None = None) -> list["Entry"]:
    folder = root or root_of(files)
    return [Entry(f"{folder}/{name}".encode(), files[name]) for name in sorted(files)]


@cache
def sample_files() -> dict[str, bytes]:
    return bag(payload())


@cache
def sample() -> bytes:
    """The archive of the usual bundle."""
    return pack(sample_files())


def unpack(files: dict[str, bytes], folder):
    """Write the folder form below `folder`; returns its path."""
    place = folder / root_of(files)
    for name, octets in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
    return place


def verify_octets(folder, octets: bytes, trust: Trust = NOBODY):
    """What is found of an archive."""
    path = folder / "x.zip"
    path.write_bytes(octets)
    return verify_bundle(path, trust=trust, now=NOW)


def found(verification) -> list[tuple[str, str]]:
    """(code, file) of the problems."""
    return [(str(p.code), p.file) for p in verification.problems]


# --- archives, by hand


@dataclass
class Entry:
    """A member of an archive. What is None follows from the rest; `local_…` is for the local header alone."""

    name: bytes
    data: bytes = b""
    method: int = 0
    flags: int = 0
    crc: int | None = None
    packed: int | None = None
    size: int | None = None
    raw: bytes | None = None
    """The packed data."""
    made_by: int = 3 << 8 | 20
    needed: int = 10
    time: int = 0
    date: int = 0x21
    attributes: int = 0o100644 << 16
    internal: int = 0
    disk: int = 0
    offset: int | None = None
    extra: bytes = b""
    comment: bytes = b""
    signature: int = 0x02014B50
    local_signature: int = 0x04034B50
    local_name: bytes | None = None
    local_crc: int | None = None
    local_packed: int | None = None
    local_size: int | None = None
    local_flags: int | None = None
    local_method: int | None = None
    local_needed: int | None = None
    local_time: int | None = None
    local_date: int | None = None
    local_extra: bytes = b""
    descriptor: bytes = b""
    before: bytes = b""
    """Octets before the local header."""
    is_local: bool = True
    is_central: bool = True

    def octets(self) -> bytes:
        """The packed data."""
        if self.raw is not None:
            return self.raw
        return deflated(self.data) if self.method == 8 else self.data

    def sums(self) -> tuple[int, int, int]:
        return (
            zlib.crc32(self.data) if self.crc is None else self.crc,
            len(self.octets()) if self.packed is None else self.packed,
            len(self.data) if self.size is None else self.size,
        )

    def local(self) -> bytes:
        crc, packed, size = self.sums()
        name = _either(self.local_name, self.name)
        return (
            struct.pack(
                "<IHHHHHIIIHH",
                self.local_signature,
                _either(self.local_needed, self.needed),
                _either(self.local_flags, self.flags),
                _either(self.local_method, self.method),
                _either(self.local_time, self.time),
                _either(self.local_date, self.date),
                _either(self.local_crc, crc),
                _either(self.local_packed, packed),
                _either(self.local_size, size),
                len(name),
                len(self.local_extra),
            )
            + name
            + self.local_extra
        )

    def central(self, at: int) -> bytes:
        return (
            struct.pack(
                "<IHHHHHHIIIHHHHHII",
                self.signature,
                self.made_by,
                self.needed,
                self.flags,
                self.method,
                self.time,
                self.date,
                *self.sums(),
                len(self.name),
                len(self.extra),
                len(self.comment),
                self.disk,
                self.internal,
                self.attributes,
                _either(self.offset, at),
            )
            + self.name
            + self.extra
            + self.comment
        )


def _either(value, otherwise):
    return otherwise if value is None else value


def deflated(data: bytes, level: int = 9) -> bytes:
    machine = zlib.compressobj(level, zlib.DEFLATED, -15)
    return machine.compress(data) + machine.flush()


def end_record(count: int, size: int, offset: int, /, *, comment: bytes = b"", **lies: int) -> bytes:
    return (
        struct.pack(
            "<IHHHHIIH",
            0x06054B50,
            lies.get("disk", 0),
            lies.get("first", 0),
            lies.get("here", count),
            lies.get("count", count),
            lies.get("size", size),
            lies.get("offset", offset),
            lies.get("comment_length", len(comment)),
        )
        + comment
    )


def build(
    members: list[Entry], *, prefix: bytes = b"", gap: bytes = b"", suffix: bytes = b"", **lies
) -> bytes:
    """An archive: `prefix`, members, `gap`, directory, end record with its `lies`, `suffix`.

    Offsets count the prefix, so that only it is wrong.
    """
    out, offsets = [prefix], []
    at = len(prefix)
    for member in members:
        offsets.append(at + len(member.before))
        if member.is_local:
            out.append(member.before + member.local() + member.octets() + member.descriptor)
            at += len(out[-1])
    out.append(gap)
    at += len(gap)
    headers = [m.central(offset) for m, offset in zip(members, offsets, strict=True) if m.is_central]
    directory = b"".join(headers)
    return b"".join([*out, directory, end_record(len(headers), len(directory), at, **lies), suffix])


def header_offsets(files: dict[str, bytes]) -> list[int]:
    """Every offset in the archive of `pack(files)` that belongs to no file's content."""
    offsets, at = [], 0
    members = entries(files)
    for member in members:
        size = len(member.local())
        offsets += range(at, at + size)
        at += size + len(member.data)
    total = at + sum(len(m.central(0)) for m in members) + 22
    return [*offsets, *range(at, total)]
