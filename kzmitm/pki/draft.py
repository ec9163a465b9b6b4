"""A certificate while it is read, and how the finished values are made of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha1, sha256
from typing import TypedDict

from kzmitm.model.certificate import Certificate, Name, PublicKey
from kzmitm.pki import der
from kzmitm.pki import extensions as ext
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.der import DERError
from kzmitm.pki.memo import memo
from kzmitm.wording import Wording, joined

NO_NAME = Name(b"", ())


@dataclass(slots=True)
class Draft:
    """What has been read so far; `errors` say what could not be read, `defects` are their codes."""

    version: int = 1
    serial: int = 0
    issuer: Name = NO_NAME
    subject: Name = NO_NAME
    not_before: datetime | None = None
    not_after: datetime | None = None
    key: PublicKey | None = None
    tbs: bytes = b""
    signature: bytes = b""
    inner_algorithm: bytes = b""
    outer_algorithm: bytes = b""
    spki: bytes = b""
    extensions: list[tuple[str, bool, bytes]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)

    def blame(self, defect: str, error: str) -> None:
        """Notes what is wrong: once as a code, always in words."""
        self.errors.append(error)
        if defect not in self.defects:
            self.defects.append(defect)


class _Fields(TypedDict, total=False):
    san_dns: tuple[str, ...]
    san_ip: tuple[str, ...]
    is_ca: bool
    path_length: int | None
    key_usage: frozenset[str]
    ext_key_usage: frozenset[str]
    subject_key_id: bytes
    authority_key_id: bytes | None


def _take_alt_names(value: bytes, fields: _Fields) -> None:
    names = ext.read_alt_names(value)
    fields["san_dns"], fields["san_ip"] = tuple(names.dns), tuple(names.ip)


def _take_basic_constraints(value: bytes, fields: _Fields) -> None:
    fields["is_ca"], fields["path_length"] = ext.read_basic_constraints(value)


def _take_key_usage(value: bytes, fields: _Fields) -> None:
    fields["key_usage"] = ext.read_key_usage(value)


def _take_ext_key_usage(value: bytes, fields: _Fields) -> None:
    fields["ext_key_usage"] = ext.read_ext_key_usage(value)


def _take_subject_key_id(value: bytes, fields: _Fields) -> None:
    fields["subject_key_id"] = ext.read_subject_key_id(value)


def _take_authority_key_id(value: bytes, fields: _Fields) -> None:
    fields["authority_key_id"], _ = ext.read_authority_key_id(value)


def _take_info_access(value: bytes, _: _Fields) -> None:
    ext.read_ca_issuers(value)


_READERS: dict[str, Callable[[bytes, _Fields], None]] = {
    ext.SUBJECT_ALT_NAME: _take_alt_names,
    ext.BASIC_CONSTRAINTS: _take_basic_constraints,
    ext.KEY_USAGE: _take_key_usage,
    ext.EXT_KEY_USAGE: _take_ext_key_usage,
    ext.SUBJECT_KEY_ID: _take_subject_key_id,
    ext.AUTHORITY_KEY_ID: _take_authority_key_id,
    ext.AUTHORITY_INFO_ACCESS: _take_info_access,
}


def assemble(encoded: bytes, draft: Draft) -> Anatomy:
    """The finished certificate with its parts; what is wrong with extensions is noted here."""
    values: dict[str, bytes] = {}
    fields: _Fields = {}
    for oid, _, value in draft.extensions:
        if oid in values:
            draft.blame("duplicate_extension", Wording("extension {oid} appears twice", oid=oid))
            continue
        values[oid] = value
        if (read := _READERS.get(oid)) is None:
            continue
        try:
            read(value, fields)
        except DERError as error:
            draft.blame("malformed_extension", Wording("extension {oid}: {why}", oid=oid, why=error))
    if draft.extensions and draft.version != 3:
        draft.blame("version", Wording("extensions in version {version}", version=draft.version))
    certificate = Certificate(
        der=encoded,
        sha256=sha256(encoded).hexdigest(),
        sha1=sha1(encoded, usedforsecurity=False).hexdigest(),
        parse_error=joined("; ", draft.errors) or None,
        version=draft.version,
        serial=draft.serial,
        subject=draft.subject,
        issuer=draft.issuer,
        not_before=draft.not_before,
        not_after=draft.not_after,
        public_key=draft.key,
        signature_algorithm=_oid_of(draft.outer_algorithm or draft.inner_algorithm),
        extensions=tuple([(oid, critical) for oid, critical, _ in draft.extensions]),
        **fields,
    )
    return Anatomy(
        certificate=certificate,
        tbs=draft.tbs,
        signature=draft.signature,
        algorithm=draft.outer_algorithm,
        algorithms_agree=draft.outer_algorithm == draft.inner_algorithm,
        spki=draft.spki,
        values=values,
        defects=tuple(draft.defects),
    )


@memo(64)
def _oid_of(algorithm: bytes) -> str:
    try:
        start, stop = der.whole(algorithm, der.SEQUENCE)
        return der.read_oid(algorithm, start, stop)[0]
    except DERError:
        return ""
