"""The registry: who can forge, how, what happened and what to watch, from the files of fingerprints/.

Pure: bytes in, an immutable value out. Whatever is wrong in a file raises FingerprintError that names the
file and the key, because a registry that is half read would call an interceptor unknown.
"""

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from kzmitm.pki import records
from kzmitm.pki.entries import Document, KnownAuthority, KnownCertificate, authority
from kzmitm.pki.kinds import HARMLESS_KINDS, INTERCEPTION_KINDS
from kzmitm.pki.records import Incident, Network, Watchlist
from kzmitm.pki.requirements import KnownForger, forger
from kzmitm.pki.schema import fail
from kzmitm.wording import Wording

VERSION_DIGITS = 16
"""Hexadecimal digits of `Registry.version`: enough to tell registries apart, short enough to print."""
CHECKABLE_KINDS = frozenset({"rsa", "ec", "ed25519", "ed448"})
"""Kinds of keys whose signatures can be checked; the Kazakh GOST keys are none."""
MIN_PREFIX = 8
"""Digits of the shortest hash prefix that is looked up."""

_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class HashMatch:
    """A hash found in the registry: `label` is `certificate:<hex>` (SHA-256 or SHA-1) or `key:<hex>`."""

    label: str
    authority: KnownAuthority
    certificate: KnownCertificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All entries by id, and the indices that recognition needs. Compared and printed by `version`."""

    version: str
    authorities: Mapping[str, KnownAuthority] = field(repr=False, compare=False)
    forgers: Mapping[str, KnownForger] = field(repr=False, compare=False)
    incidents: Mapping[str, Incident] = field(repr=False, compare=False)
    networks: Mapping[int, Network] = field(repr=False, compare=False)
    observations: Mapping[str, Document] = field(repr=False, compare=False)
    watchlists: Mapping[str, Watchlist] = field(repr=False, compare=False)
    by_sha256: Mapping[str, KnownCertificate] = field(repr=False, compare=False)
    by_sha1: Mapping[str, KnownCertificate] = field(repr=False, compare=False)
    by_spki: Mapping[str, KnownCertificate] = field(repr=False, compare=False)
    signers: tuple[KnownCertificate, ...] = field(repr=False, compare=False)
    """Those whose public key is known in full, so that what they signed can be checked."""
    interceptors: tuple[KnownCertificate, ...] = field(init=False, repr=False, compare=False)
    """Those of them whose signature is looked for even where no name points to them."""
    signers_by_name: Mapping[str | bytes, tuple[KnownCertificate, ...]] = field(
        init=False, repr=False, compare=False
    )
    """The signers by their subject, and by their key identifier."""

    def __post_init__(self) -> None:
        kinds = {entry.id: entry.kind for entry in self.authorities.values()}
        suspect = tuple(one for one in self.signers if kinds[one.authority] in INTERCEPTION_KINDS)
        object.__setattr__(self, "interceptors", suspect)
        object.__setattr__(self, "signers_by_name", _by_name(self.signers))

    def entry_of(self, label: str) -> KnownCertificate | None:
        """The entry that `certificate:<hex of SHA-256>` or `key:<hex>` is of, as an attribution says it."""
        kind, _, digits = label.partition(":")
        return self.by_spki.get(digits) if kind == "key" else self.by_sha256.get(digits)

    def suspects(self) -> Iterator[str]:
        """SHA-256 of the certificates that mean something in a chain which is fine; no harmless one does."""
        for digits, known in self.by_sha256.items():
            if self.authorities[known.authority].kind not in HARMLESS_KINDS:
                yield digits

    def lookup(self, digits: str) -> tuple[HashMatch, ...]:
        """Every certificate or key whose hash begins with `digits`, of which there must be eight or more.

        Colons, spaces, letter case and a `certificate:` or `key:` label are understood; a label restricts the
        search. Both kinds are searched without one, since published lists mix them up: Chromium names its
        file of the tenth Kazakh root by the key.
        """
        body = digits.strip().lower()
        label, separator, rest = body.partition(":")
        wanted = label if separator and label in {"certificate", "key"} else None
        body = (rest if wanted else body).replace(":", "").replace(" ", "")
        if len(body) < MIN_PREFIX:
            return ()
        return tuple(
            HashMatch(found, self.authorities[known.authority], known)
            for known in self._certificates()
            for found in _labels(known)
            if found.startswith((f"{wanted}:{body}",) if wanted else (f"certificate:{body}", f"key:{body}"))
        )

    def _certificates(self) -> Iterator[KnownCertificate]:
        return (certificate for entry in self.authorities.values() for certificate in entry.certificates)


def _labels(known: KnownCertificate) -> Iterator[str]:
    for kind, digits in (
        ("certificate", known.sha256),
        ("certificate", known.sha1),
        ("key", known.spki_sha256),
    ):
        if digits is not None:
            yield f"{kind}:{digits}"


def parse_registry(files: Mapping[str, bytes]) -> Registry:
    """The registry that these files (relative path -> content) make up.

    Raises FingerprintError for a file that is not TOML or lies in no folder of the registry, an unknown key
    or kind, a hash, date or pattern of the wrong form, an id that is not the file's name, and a hash that
    two entries claim.
    """
    documents = {path: _decode(path, content) for path, content in sorted(files.items())}
    known = _folder(documents, "authorities", authority)
    by_sha256, by_sha1, by_spki = _indices(known)
    registry = Registry(
        version=registry_version(files),
        authorities=known,
        forgers=_folder(documents, "forgers", forger),
        incidents=_folder(documents, "incidents", records.incident),
        networks=records.networks(documents.get("networks.toml", {}), "networks.toml: "),
        observations=_folder(documents, "observations", records.observation),
        watchlists=_folder(documents, "watchlists", records.watchlist),
        by_sha256=by_sha256,
        by_sha1=by_sha1,
        by_spki=by_spki,
        signers=tuple(one for one in by_spki.values() if one.key_kind in CHECKABLE_KINDS),
    )
    _check_references(registry)
    return registry


def registry_version(files: Mapping[str, bytes]) -> str:
    """A short SHA-256 over the names and contents of all files: results cite the registry by it."""
    whole = hashlib.sha256()
    for path, content in sorted(files.items()):
        whole.update(f"{hashlib.sha256(content).hexdigest()}  {path}\n".encode())
    return whole.hexdigest()[:VERSION_DIGITS]


_FOLDERS = ("authorities", "forgers", "incidents", "observations", "watchlists")


def _decode(path: str, content: bytes) -> Document:
    folder, _, name = path.rpartition("/")
    if path != "networks.toml" and folder not in _FOLDERS:
        raise fail(path, Wording("is in no folder of the registry ({folders})", folders=", ".join(_FOLDERS)))
    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as exc:
        raise fail(path, Wording("is not TOML: {why}", why=exc)) from exc
    if folder and document.get("id") != name.removesuffix(".toml"):
        raise fail(
            f"{path}: id",
            Wording("must be {name}, as the file is called", name=repr(name.removesuffix(".toml"))),
        )
    return document


def _folder(
    documents: Mapping[str, Document], folder: str, build: Callable[[Document, str], _Entry]
) -> dict[str, _Entry]:
    return {
        document["id"]: build(document, f"{path}: ")
        for path, document in documents.items()
        if path.startswith(f"{folder}/")
    }


_Index = dict[str, KnownCertificate]


def _indices(known: Mapping[str, KnownAuthority]) -> tuple[_Index, _Index, _Index]:
    """By SHA-256, by SHA-1 and by key; the first of several certificates of one key that has it in full."""
    by_sha256: _Index = {}
    by_sha1: _Index = {}
    by_spki: _Index = {}
    for entry in known.values():
        for index, certificate in enumerate(entry.certificates):
            where = f"authorities/{entry.id}.toml: certificates[{index}]"
            _claim(by_sha256, certificate.sha256, certificate, f"{where}.sha256")
            _claim(by_sha1, certificate.sha1, certificate, f"{where}.sha1")
            _claim_key(by_spki, certificate, f"{where}.spki_sha256")
    return by_sha256, by_sha1, by_spki


def _by_name(signers: Iterable[KnownCertificate]) -> dict[str | bytes, tuple[KnownCertificate, ...]]:
    found: dict[str | bytes, tuple[KnownCertificate, ...]] = {}
    for one in signers:
        for name in (one.subject, one.subject_key_id):
            if name is not None:
                found[name] = (*found.get(name, ()), one)
    return found


def _claim(index: _Index, digits: str | None, certificate: KnownCertificate, where: str) -> None:
    if digits is None:
        return
    if digits in index:
        raise fail(
            where,
            Wording(
                "{digits} stands in {authority} already", digits=digits, authority=index[digits].authority
            ),
        )
    index[digits] = certificate


def _claim_key(index: _Index, certificate: KnownCertificate, where: str) -> None:
    """Several certificates of one authority may share a key; two authorities may not."""
    digits = certificate.spki_sha256
    if digits is None:
        return
    claimed = index.get(digits)
    if claimed is not None and claimed.authority != certificate.authority:
        raise fail(
            where,
            Wording("{digits} stands in {authority} already", digits=digits, authority=claimed.authority),
        )
    if claimed is None or (claimed.public_key is None and certificate.public_key is not None):
        index[digits] = certificate


def _check_references(registry: Registry) -> None:
    """Ids that one file quotes of another must exist."""
    for incident in registry.incidents.values():
        for identity in incident.authorities:
            _check_exists(identity, registry.authorities, f"incidents/{incident.id}.toml: ca_ids")
    for authority_id, entry in registry.authorities.items():
        for index, certificate in enumerate(entry.certificates):
            if certificate.incident is not None:
                where = f"authorities/{authority_id}.toml: certificates[{index}].incident"
                _check_exists(certificate.incident, registry.authorities, where)
    for identity, document in registry.observations.items():
        _check_exists(
            document["authority"],
            registry.authorities,
            f"observations/{identity}.toml: authority",
        )


def _check_exists(key: str, entries: Mapping[str, object], where: str) -> None:
    if key not in entries:
        raise fail(where, Wording("{key} is not in the registry", key=key))
