"""The baseline: every root that a public programme carries, carried or blocked, by hash.

A root that is not in it was put into a trust store by somebody; one that is says nothing. Two lists of
`fingerprints/truststore/`, each with a `.toml` that has its hash, one root a line in the same form:

- `baseline.json`, the collection https://github.com/nabla-c0d3/trust_stores_observatory (MIT);
- `former.json`, what Mozilla's list had before that collection began, from old releases of certifi.

The collection also keeps certificates that programmes only ever blocked (Superfish, the forged leaves of
2011), without saying so: a root that no programme trusts or blocks now was carried once, *or* blocked once.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from kzmitm.errors import FingerprintError
from kzmitm.wording import Wording

MAX_AGE = timedelta(days=274)
"""Nine months: programmes add some ten roots a year, which an older baseline would call unknown."""
MAX_ROOTS = 20_000
"""The programmes carried fewer than a thousand roots in all their years."""
MAX_SUBJECT = 2_000
"""Characters; the longest subject has some three hundred."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Programme:
    """A root programme, and how fresh its list is; `version` is None where it has none."""

    id: str
    fetched: date
    version: str | None


@dataclass(frozen=True, slots=True)
class PublicRoot:
    """A root of the baseline. `subject` is as RFC 4514 prints it; None if the certificate cannot be read."""

    sha256: str
    spki_sha256: str | None
    subject: str | None
    trusted_by: tuple[str, ...]
    """Programmes that trust it now."""
    blocked_by: tuple[str, ...]
    """Programmes that block it now."""
    recomputed: bool = True
    """The hash was computed from the certificate; False where the source lists no more than the hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """All roots by their SHA-256; source, snapshot and `sha256` are of the collection, for reports."""

    source: str
    snapshot: date
    licence: str
    sha256: str
    lists: tuple[Programme, ...] = field(repr=False)
    roots: Mapping[str, PublicRoot] = field(repr=False)
    former: "Baseline | None" = field(default=None, repr=False)
    """The list of earlier years, with what the collection lacks of it; that is in `roots`, too."""
    _by_key: Mapping[str, tuple[PublicRoot, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_key: dict[str, tuple[PublicRoot, ...]] = {}
        for root in self.roots.values():
            if root.spki_sha256:
                by_key[root.spki_sha256] = (*by_key.get(root.spki_sha256, ()), root)
        object.__setattr__(self, "_by_key", by_key)

    def programmes(self, sha256: str) -> tuple[str, ...]:
        """The programmes that trust this certificate now."""
        root = self.roots.get(sha256)
        return root.trusted_by if root is not None else ()

    def was_public(self, sha256: str) -> bool:
        """True if a programme carries or carried this certificate, or blocks or blocked it."""
        return sha256 in self.roots

    def is_blocked(self, sha256: str) -> bool:
        """True if a programme blocks this certificate now."""
        return bool(self.blocked_by(sha256))

    def blocked_by(self, sha256: str) -> tuple[str, ...]:
        """The programmes that block this certificate now."""
        root = self.roots.get(sha256)
        return root.blocked_by if root is not None else ()

    def with_key(self, spki_sha256: str | None) -> tuple[PublicRoot, ...]:
        """The roots with this key: one key often has several certificates (re-issued, cross-signed)."""
        return self._by_key.get(spki_sha256 or "", ())

    def is_old(self, today: date) -> bool:
        """True if new public roots may be missing."""
        return today - self.snapshot > MAX_AGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What another list says beyond ours, each sorted by hash."""

    added: tuple[PublicRoot, ...]
    """Roots that are not in ours."""
    missing: tuple[PublicRoot, ...]
    """Roots of ours that are not in it."""
    trusted: tuple[PublicRoot, ...]
    """In both; some programme trusts it now that did not."""
    distrusted: tuple[PublicRoot, ...]
    """In both; no programme trusts it any more, or one blocks it that did not."""


def with_former(collected: Baseline, former: Baseline) -> Baseline:
    """The collection and, carried once, what a list of earlier years had beyond it."""
    beyond = {digest: root for digest, root in former.roots.items() if digest not in collected.roots}
    return replace(collected, roots={**collected.roots, **beyond}, former=replace(former, roots=beyond))


def compare(ours: Baseline, other: Baseline) -> Changes:
    """How `other`, a newer collection, differs from ours; that it lacks earlier years is no difference."""
    both = sorted(ours.roots.keys() & other.roots.keys())
    pairs = [(ours.roots[digest], other.roots[digest]) for digest in both]
    former = ours.former.roots if ours.former else {}
    return Changes(
        added=_only_in(other, ours),
        missing=tuple(root for root in _only_in(ours, other) if root.sha256 not in former),
        trusted=tuple(new for old, new in pairs if not set(new.trusted_by) <= set(old.trusted_by)),
        distrusted=tuple(
            new
            for old, new in pairs
            if (old.trusted_by and not new.trusted_by) or not set(new.blocked_by) <= set(old.blocked_by)
        ),
    )


def _only_in(one: Baseline, other: Baseline) -> tuple[PublicRoot, ...]:
    return tuple(one.roots[digest] for digest in sorted(one.roots.keys() - other.roots.keys()))


def pinned_baseline(files: Mapping[str, bytes]) -> Baseline:
    """The shipped baseline, from the files of the trust store by name.

    Raises FingerprintError if one is absent or damaged, or if they do not belong together.
    """
    return with_former(_pinned(files, "baseline"), _pinned(files, "former"))


def _pinned(files: Mapping[str, bytes], name: str) -> Baseline:
    """One of the two lists, as its `.toml` describes it."""
    try:
        content, about = files[f"{name}.json"], tomllib.loads(files[f"{name}.toml"].decode())
        digest, count, snapshot = about["sha256"], about["count"], about["date"]
    except (KeyError, ValueError) as error:
        raise FingerprintError(
            "truststore/{name}: {why}", hint="install kzmitm again", name=name, why=repr(error)
        ) from error
    if sha256(content).hexdigest() != digest:
        raise FingerprintError(
            "truststore/{name}.json is not the file that {name}.toml describes",
            hint="install kzmitm again",
            name=name,
        )
    held = read_baseline(content, name=f"truststore/{name}.json")
    if len(held.roots) != count or held.snapshot.isoformat() != snapshot:
        raise FingerprintError("truststore/{name}.toml does not say what {name}.json holds", name=name)
    return held


def read_baseline(content: bytes, *, name: str) -> Baseline:
    """A list of public roots in JSON: ours, or a newer `public-roots.json` in the form of the source.

    Raises FingerprintError, whatever the octets are, that says what is wrong and in which root.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FingerprintError("{name}: not JSON: {why}", name=name, why=error) from error
    try:
        lists = tuple(_programme(key, value) for key, value in document["programmes"].items())
        rows = [*document["roots"], *document.get("listed_without_certificate", ())]
        source, snapshot = _text(document["source"]), date.fromisoformat(document["snapshot"])
        licence = _text(document.get("licence", ""))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FingerprintError(
            "{name}: not a list of public roots: {why}", name=name, why=repr(error)
        ) from error
    if len(rows) > MAX_ROOTS:
        raise FingerprintError("{name}: more than {max_roots} roots", name=name, max_roots=MAX_ROOTS)
    return Baseline(
        source=source,
        snapshot=snapshot,
        licence=licence,
        sha256=sha256(content).hexdigest(),
        lists=lists,
        roots=_roots(rows, frozenset(one.id for one in lists), name),
    )


def _roots(rows: list[Any], known: frozenset[str], name: str) -> dict[str, PublicRoot]:
    roots: dict[str, PublicRoot] = {}
    for index, row in enumerate(rows):
        try:
            root = _root(row, known)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FingerprintError(
                "{name}: root {index}: {why}", name=name, index=index, why=repr(error)
            ) from error
        if roots.setdefault(root.sha256, root) != root:
            raise FingerprintError(
                "{name}: root {index}: {sha256} is in it twice, and not the same",
                name=name,
                index=index,
                sha256=root.sha256,
            )
    return roots


def _programme(key: str, value: Any) -> Programme:
    version = value.get("version")
    return Programme(
        _text(key), date.fromisoformat(value["fetched"]), None if version is None else _text(version)
    )


def _root(row: Any, known: frozenset[str]) -> PublicRoot:
    spki, subject = row.get("spki_sha256"), row.get("subject")
    # The source's list of bare hashes has other keys than its list of certificates.
    trusted = row.get("trusted_by", row.get("trusted", ()))
    blocked = row.get("blocked_by", row.get("blocked", ()))
    return PublicRoot(
        _digest(row["sha256"]),
        None if spki is None else _digest(spki),
        None if subject is None else _text(subject),
        _names(trusted, known),
        _names(blocked, known),
        row.get("recomputed", "trusted" not in row) is True,
    )


def _digest(value: Any) -> str:
    if not _DIGEST.fullmatch(value):
        raise ValueError(Wording("not 64 digits of lower-case hexadecimal"))
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_SUBJECT:
        raise ValueError(Wording("not a short text"))
    return value


def _names(value: Any, known: frozenset[str]) -> tuple[str, ...]:
    names = tuple(value)
    if not known.issuperset(names):
        raise ValueError(Wording("a programme that the list does not describe"))
    return names
