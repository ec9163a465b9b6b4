"""The authorities of the registry as values, and what their files must look like.

Typed fields are what code decides by; `document` keeps the whole file, for people and for reports.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kzmitm.model.certificate import PublicKey
from kzmitm.pki import schema as s
from kzmitm.pki.der import DERError
from kzmitm.pki.keys import read_public_key
from kzmitm.pki.kinds import HARMLESS_KINDS, Kind
from kzmitm.pki.patterns import pattern
from kzmitm.pki.schema import fail
from kzmitm.pki.traits import Trait, build_trait, check_trait
from kzmitm.wording import Wording

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCertificate:
    """A certificate that the registry knows of, by whatever is known: None = not known.

    `sha256` and `sha1` are of the certificate, `spki_sha256` of its key: never mix them. `public_key` is
    the SubjectPublicKeyInfo as DER. `subject` and `issuer` are as printed by the source, in DER order
    where the certificate itself was at hand.
    """

    authority: str
    role: str
    name: str | None = None
    """What it is called, where the authority's name stands for several."""
    sha256: str | None = None
    sha1: str | None = None
    spki_sha256: str | None = None
    public_key: bytes | None = None
    key_kind: str | None = None
    """As `PublicKey.kind`, of `public_key`."""
    signature_octets: int | None = None
    """Length of the signatures that the key makes, None where it has no fixed one or is not known."""
    subject: str | None = None
    issuer: str | None = None
    subject_key_id: bytes | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    private_key_public: bool = False
    """Anybody can have the private key, so that whoever trusts the certificate can be deceived by anybody."""
    public_until: datetime | None = None
    """The last time at which a public programme was seen to carry it, of one that was dropped."""
    carried_by: tuple[str, ...] = ()
    """Public programmes that carry it all the same."""
    incident: str | None = None
    """The authority that stands for the misuse of it."""
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAuthority:
    """Who can forge: its certificates, the patterns of its names, the traits of its family."""

    id: str
    name: str
    kind: Kind
    country: str | None
    certificates: tuple[KnownCertificate, ...]
    patterns: tuple[re.Pattern[str], ...]
    traits: tuple[Trait, ...]
    document: Document


SHA256, SHA1 = s.digest(64), s.digest(40)

_BLOCKED_BY = s.table(
    {
        "chromium": s.table(
            {
                "file": s.text,
                "spki_blocklist": s.boolean,
                "known_interception_list": s.boolean,
                "as_of_commit": SHA1,
            }
        ),
        "onecrl": s.table(
            {
                "entry_seen": s.boolean,
                "bug": s.text,
                "ordinal": s.integer,
                "created": s.moment,
                "effective": s.text,
            }
        ),
    }
)

_CERTIFICATE = s.table(
    {
        "role_confidence": s.CONFIDENCE,
        "name": s.text,
        "subject": s.text,
        "issuer": s.text,
        "serial": s.hexadecimal,
        "sha256": SHA256,
        "sha1": SHA1,
        "spki_sha256": SHA256,
        "subject_key_id": s.hexadecimal,
        "authority_key_id": s.hexadecimal,
        "not_before": s.moment,
        "not_after": s.moment,
        "validity": s.text,
        "key": s.text,
        "rsa_exponent": s.integer,
        "signature_algorithm": s.text,
        "is_ca": s.boolean,
        "path_length": s.integer,
        "key_usage": s.TEXTS,
        "ext_key_usage": s.TEXTS,
        "self_signature_verified": s.boolean,
        "private_key_public": s.boolean,
        "public_until": s.day,
        "carried_by": s.TEXTS,
        "incident": s.identifier,
        "signed_by_sha256": SHA256,
        "crt_sh_id": s.integer,
        "crt_sh_id_confidence": s.CONFIDENCE,
        "ooni_measured": s.boolean,
        "origin_urls": s.TEXTS,
        "confidence": s.CONFIDENCE,
        "notes": s.text,
        "public_key": s.base64_text,
        "blocked_by": _BLOCKED_BY,
    },
    {"role": s.choice("root", "intermediate", "leaf", "unknown")},
)

_LEAF_SAMPLE = s.table(
    {
        "captured_at": s.moment,
        "target": s.text,
        "serial": s.hexadecimal,
        "issuer": s.text,
        "signature_algorithm": s.text,
        "not_before": s.moment,
        "not_after": s.moment,
        "confidence": s.CONFIDENCE,
        "notes": s.text,
        "sources": s.TEXTS,
    }
)

_AUTHORITY = s.table(
    {
        "country": s.text,
        "operator": s.text,
        "confidence": s.CONFIDENCE,
        "first_seen": s.partial_date,
        "last_seen": s.partial_date,
        "subject_patterns": s.list_of(pattern),
        "notes": s.text,
        "evidence_note": s.text,
        "sources": s.TEXTS,
        "certificates": s.list_of(_CERTIFICATE),
        "forged_leaf_samples": s.list_of(_LEAF_SAMPLE),
        "unretrieved_material": s.list_of(s.table({"what": s.text, "url": s.text})),
        "structural_patterns": s.list_of(
            s.table(
                {
                    "rule": s.text,
                    "applies_to": s.text,
                    "does_not_apply_to": s.text,
                    "meaning": s.text,
                    "confidence": s.CONFIDENCE,
                }
            )
        ),
        "traits": s.list_of(check_trait),
    },
    {
        "id": s.identifier,
        "kind": s.choice(*Kind),
        "names": s.table({"ru": s.text, "kk": s.text}, {"en": s.text}),
    },
)


def authority(document: Document, where: str) -> KnownAuthority:
    """The authority of a decoded file; `where` names it in errors. Raises FingerprintError."""
    _AUTHORITY(document, where)
    _check_harmless(document, where)
    identity = document["id"]
    certificates = tuple(
        _certificate(entry, identity, f"{where}certificates[{index}]")
        for index, entry in enumerate(document.get("certificates", ()))
    )
    return KnownAuthority(
        id=identity,
        name=document["names"]["en"],
        kind=Kind(document["kind"]),
        country=document.get("country"),
        certificates=certificates,
        patterns=tuple(re.compile(text) for text in document.get("subject_patterns", ())),
        traits=tuple(build_trait(entry) for entry in document.get("traits", ())),
        document=document,
    )


def _check_harmless(document: Document, where: str) -> None:
    """Who is taken for harmless is told by keys that nobody else has; and of what was dropped, since when."""
    kind = document["kind"]
    if kind in HARMLESS_KINDS and document.get("traits"):
        raise fail(f"{where}traits", Wording("prove nothing for a harmless authority: they can be copied"))
    for index, entry in enumerate(document.get("certificates", ())):
        place = f"{where}certificates[{index}]"
        if kind in HARMLESS_KINDS and entry.get("private_key_public"):
            raise fail(f"{place}.private_key_public", Wording("speaks against a harmless authority"))
        if kind == Kind.FORMER_CA and "public_until" not in entry:
            raise fail(f"{place}.public_until", Wording("is missing"))
        for key in ("public_until", "carried_by", "incident"):
            if kind != Kind.FORMER_CA and key in entry:
                raise fail(f"{place}.{key}", Wording("is for authorities of the kind former_ca"))


def _certificate(entry: Document, identity: str, where: str) -> KnownCertificate:
    public_key = _public_key(entry, where)
    facts = _key_facts(public_key, where)
    key_id = entry.get("subject_key_id")
    not_before, not_after = s.as_utc(entry.get("not_before")), s.as_utc(entry.get("not_after"), end=True)
    if not_before and not_after and not_after < not_before:
        raise fail(f"{where}.not_after", Wording("is before not_before"))
    return KnownCertificate(
        authority=identity,
        role=entry["role"],
        name=entry.get("name"),
        sha256=entry.get("sha256"),
        sha1=entry.get("sha1"),
        spki_sha256=entry.get("spki_sha256")
        or (hashlib.sha256(public_key).hexdigest() if public_key else None),
        public_key=public_key,
        signature_octets=(facts.bits + 7) // 8 if facts and facts.kind == "rsa" else None,
        key_kind=facts.kind if facts else None,
        subject=entry.get("subject"),
        issuer=entry.get("issuer"),
        subject_key_id=bytes.fromhex(key_id) if key_id and len(key_id) % 2 == 0 else None,
        not_before=not_before,
        not_after=not_after,
        private_key_public=entry.get("private_key_public", False),
        public_until=s.as_utc(entry.get("public_until"), end=True),
        carried_by=tuple(entry.get("carried_by", ())),
        incident=entry.get("incident"),
        document=entry,
    )


def _public_key(entry: Document, where: str) -> bytes | None:
    """The key as DER, checked against the hash beside it: a key that is not that one signs for nobody."""
    if "public_key" not in entry:
        return None
    der = base64.b64decode("".join(entry["public_key"].split()))
    stated = entry.get("spki_sha256")
    if stated is not None and hashlib.sha256(der).hexdigest() != stated:
        raise fail(f"{where}.public_key", Wording("does not have the SHA-256 that spki_sha256 states"))
    return der


def _key_facts(public_key: bytes | None, where: str) -> PublicKey | None:
    if public_key is None:
        return None
    try:
        return read_public_key(public_key)
    except DERError as exc:
        raise fail(f"{where}.public_key", Wording("is no SubjectPublicKeyInfo: {why}", why=exc)) from exc
