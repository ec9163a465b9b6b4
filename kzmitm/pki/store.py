"""Trust stores: a pinned set of anchors with its origin, never the operating system's."""

import re
import tomllib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from kzmitm.errors import FingerprintError, UsageError
from kzmitm.model.certificate import Certificate, Name
from kzmitm.pki.names import name_key
from kzmitm.pki.parse import parse_certificate
from kzmitm.wording import Wording

_BLOCK = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([^-]*)-----END", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """Anchors, and where they come from. `sha256` is of the PEM file, `date` is YYYY-MM-DD."""

    name: str
    version: str
    date: str
    sha256: str
    anchors: tuple[Certificate, ...]
    organizations: frozenset[str] = field(init=False, repr=False, compare=False)
    """The organisations that own an anchor, case folded."""
    _by_subject: Mapping[object, tuple[Certificate, ...]] = field(init=False, repr=False, compare=False)
    _by_key: Mapping[str, tuple[Certificate, ...]] = field(init=False, repr=False, compare=False)
    _sha256: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_subject: dict[object, tuple[Certificate, ...]] = {}
        by_key: dict[str, tuple[Certificate, ...]] = {}
        for anchor in self.anchors:
            subject, key = name_key(anchor.subject), anchor.spki_sha256 or ""
            by_subject[subject] = (*by_subject.get(subject, ()), anchor)
            by_key[key] = (*by_key.get(key, ()), anchor)
        organizations = frozenset(
            o.casefold() for a in self.anchors if (o := a.subject.organization) is not None
        )
        for name, value in (
            ("_by_subject", by_subject),
            ("_by_key", by_key),
            ("_sha256", frozenset(a.sha256 for a in self.anchors)),
            ("organizations", organizations),
        ):
            object.__setattr__(self, name, value)

    def __contains__(self, certificate: Certificate) -> bool:
        """True if this very certificate is an anchor."""
        return certificate.sha256 in self._sha256

    def with_subject(self, name: Name) -> tuple[Certificate, ...]:
        """The anchors of this name (RFC 5280, 7.1)."""
        return self._by_subject.get(name_key(name), ())

    def with_name_key(self, key: object) -> tuple[Certificate, ...]:
        """The anchors whose name has this `name_key`."""
        return self._by_subject.get(key, ())

    def with_key(self, spki_sha256: str | None) -> tuple[Certificate, ...]:
        """The anchors with this key (SHA-256 of the SubjectPublicKeyInfo)."""
        return self._by_key.get(spki_sha256 or "", ())


def parse_store(pem: bytes, *, name: str, version: str, date: str) -> TrustStore:
    """The store in a PEM file: every certificate that can be used as an anchor, each once.

    Text between the blocks is ignored. Raises UsageError if no block holds a usable certificate.
    """
    anchors: dict[str, Certificate] = {}
    for block in _BLOCK.findall(pem):
        try:
            certificate = parse_certificate(b64decode(b"".join(block.split()), validate=True))
        except ValueError:
            continue
        if certificate.public_key is not None and certificate.subject.der:
            anchors.setdefault(certificate.sha256, certificate)
    if not anchors:
        raise UsageError(
            "{name} holds no certificate that could be trusted",
            hint="Give a PEM file with at least one CERTIFICATE block.",
            name=name,
        )
    return TrustStore(
        name=name, version=version, date=date, sha256=sha256(pem).hexdigest(), anchors=tuple(anchors.values())
    )


AGAIN = Wording("install kzmitm again")
"""What to do where what we ship is damaged."""


def pinned_store(files: Mapping[str, bytes], name: str = "mozilla") -> TrustStore:
    """The shipped snapshot `name` from its two files, `NAME.pem` and `NAME.toml`.

    Raises FingerprintError if one is absent, or if they do not belong together.
    """
    try:
        pem, meta = files[f"{name}.pem"], tomllib.loads(files[f"{name}.toml"].decode())
        version, date, digest, count = meta["version"], meta["date"], meta["sha256"], meta["count"]
    except (KeyError, ValueError) as error:
        raise FingerprintError("truststore/{name}: {why}", hint=AGAIN, name=name, why=repr(error)) from error
    store = parse_store(pem, name=name, version=str(version), date=str(date))
    if store.sha256 != digest or len(store.anchors) != count:
        raise FingerprintError(
            "truststore/{name}.pem is not the file that {name}.toml describes", hint=AGAIN, name=name
        )
    return store
