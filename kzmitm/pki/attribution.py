"""Whose certificates a chain shows, by the registry, strongest evidence first, each with its confidence.

| match         | what was seen                                                        | confidence |
|---------------|----------------------------------------------------------------------|------------|
| `certificate` | a known certificate, and the leaf hangs on it by signatures          | confirmed  |
| `key`         | a certificate with a known key (a re-issued root), and the same      | confirmed  |
| `signature`   | a signature made by a known key, whose certificate was not sent      | confirmed  |
| `family`      | all conditions of a trait: structure, or the issuer's whole name      | likely     |
| `name`        | a name pattern only, or a certificate that nothing links to the leaf | suspected  |

Names can be forged by anybody, and so can a family trait by whoever reads the registry, which is why it is
never more than likely. Certificates are public, too: one that was merely put into the message, without a
chain of signatures from the leaf to it, names its authority and proves nothing (trait `unlinked`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kzmitm.model.certificate import Certificate
from kzmitm.model.verdict import Authority, Confidence
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.entries import KnownAuthority, KnownCertificate
from kzmitm.pki.kinds import HARMLESS_KINDS
from kzmitm.pki.names import name_key
from kzmitm.pki.patterns import name_text
from kzmitm.pki.registry import Registry
from kzmitm.pki.signature_form import signature_fits

MAX_CERTIFICATES = 16
"""Certificates of a chain that are linked to the leaf, and as many others, are looked at beyond their hashes;
real chains have up to six."""
MAX_LINKS = 48
"""Signatures tried for one chain to link it: a hostile one has many certificates of one name."""
MAX_SIGNATURE_CHECKS = 48
"""Signatures tried for one chain with keys that nothing in the chain points to (0.1 ms each)."""
MATCHES = ("certificate", "key", "signature", "family", "name")
"""Strongest first."""
KEY_MATCHES = frozenset({"certificate", "key", "signature"})
"""Matches that rest on a key; the others rest on text that anybody can write."""
UNLINKED = "unlinked"
"""Trait: it was presented, and nothing leads to it from the leaf: no signatures, or for a name no names."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """An authority recognised at `position` of the chain (0 = leaf).

    `traits` are the ids of the family traits, the name pattern that matched, or `unlinked`.
    """

    authority: Authority
    confidence: Confidence
    position: int
    traits: tuple[str, ...] = ()


def attribute(
    chain: Sequence[Certificate],
    *,
    registry: Registry,
    cache: CertificateCache,
    trusted: bool = False,
) -> tuple[Attribution, ...]:
    """Every authority recognised in a chain in the order presented, strongest first, each authority once.

    With `trusted` (the chain validates in the pinned store) only hashes are looked up, and none of harmless
    authorities, whose old roots servers send along: a public authority's certificate must never be attributed
    by its name. Never raises.
    """
    by_sha256, by_sha1, by_spki = registry.by_sha256, registry.by_sha1, registry.by_spki
    known = [
        (position, certificate)
        for position, certificate in enumerate(chain)
        if certificate.sha256 in by_sha256
        or certificate.spki_sha256 in by_spki
        or certificate.sha1 in by_sha1
    ]
    if trusted:
        known = [(position, found) for position, found in known if not _is_harmless(found, registry)]
    if not known and (trusted or not chain):
        return ()
    linked = _linked_positions(chain, cache)
    found = list(_by_hash(known, registry, linked))
    if not trusted and not any(_settles(one) for one in found):
        positions = sorted(linked.union(range(min(len(chain), MAX_CERTIFICATES))))
        found += _by_signature(chain, registry, cache, linked)
        found += _by_family(chain, positions, registry, linked)
        found += _by_name(chain[:MAX_CERTIFICATES], registry)
    return _strongest(found)


def _is_harmless(certificate: Certificate, registry: Registry) -> bool:
    entry, _, _ = _entry_of(certificate, registry)
    return registry.authorities[entry.authority].kind in HARMLESS_KINDS


def _entry_of(certificate: Certificate, registry: Registry) -> tuple[KnownCertificate, str, str]:
    """The entry of a known certificate, by what it is known, and the label of that."""
    entry = registry.by_sha256.get(certificate.sha256) or registry.by_sha1.get(certificate.sha1)
    if entry is not None:
        return entry, "certificate", f"certificate:{certificate.sha256}"
    key = certificate.spki_sha256 or ""
    return registry.by_spki[key], "key", f"key:{key}"


def _settles(one: Attribution) -> bool:
    """Whose chain it is needs no further proof; below a harmless authority there may be another one."""
    return one.confidence is Confidence.CONFIRMED and one.authority.kind not in HARMLESS_KINDS


def _by_hash(
    known: Sequence[tuple[int, Certificate]], registry: Registry, linked: frozenset[int]
) -> Iterator[Attribution]:
    for position, certificate in known:
        entry, match, label = _entry_of(certificate, registry)
        known_authority = registry.authorities[entry.authority]
        if position in linked:
            evident = _authority(known_authority, match, label, entry.name)
            yield Attribution(evident, Confidence.CONFIRMED, position)
        else:
            named = _authority(known_authority, "name", label, entry.name)
            yield Attribution(named, Confidence.SUSPECTED, position, (UNLINKED,))


def _linked_positions(chain: Sequence[Certificate], cache: CertificateCache) -> frozenset[int]:
    """Positions that the leaf reaches by signatures, whatever the order in which they were sent."""
    named: dict[object, list[int]] = {}
    for position, certificate in enumerate(chain):
        named.setdefault(name_key(certificate.subject), []).append(position)
    reached, frontier, budget = {0}, [0], MAX_LINKS
    while frontier:
        child = chain[frontier.pop()]
        for position in named.get(name_key(child.issuer), ()):
            if position in reached:
                continue
            if len(reached) == MAX_CERTIFICATES or not budget:
                return frozenset(reached)
            budget -= 1
            if cache.is_signed_by(child, chain[position]):
                reached.add(position)
                frontier.append(position)
    return frozenset(reached)


def _by_signature(
    chain: Sequence[Certificate], registry: Registry, cache: CertificateCache, linked: frozenset[int]
) -> Iterator[Attribution]:
    """Certificates that a known key signed, although the certificate of that key was not sent.

    First the keys that the issuer name or the authority key identifier points to; only if none of these
    signed, and within MAX_SIGNATURE_CHECKS, every interceptor's key whose signature would have that length.
    """
    budget = MAX_SIGNATURE_CHECKS
    for position in sorted(linked):
        child = chain[position]
        named = [one for one in _named_signers(child, registry) if signature_fits(child, one)]
        fitting = (one for one in registry.interceptors if signature_fits(child, one))
        others = [one for one in fitting if one not in named][:budget]
        budget -= len(others)
        signer = next((one for one in (*named, *others) if _signed(child, one, cache)), None)
        if signer is not None:
            authority = registry.authorities[signer.authority]
            label = f"key:{signer.spki_sha256}"
            evident = _authority(authority, "signature", label, signer.name)
            yield Attribution(evident, Confidence.CONFIRMED, position)


def _named_signers(child: Certificate, registry: Registry) -> list[KnownCertificate]:
    """The known keys that the issuer name or the authority key identifier points to."""
    by_name = registry.signers_by_name
    found = list(by_name.get(name_text(child.issuer), ()))
    if child.authority_key_id is not None:
        found += [one for one in by_name.get(child.authority_key_id, ()) if one not in found]
    return found


def _signed(child: Certificate, signer: KnownCertificate, cache: CertificateCache) -> bool:
    return signer.public_key is not None and cache.is_signed_by_key(child, signer.public_key)


def _by_family(
    chain: Sequence[Certificate], positions: Sequence[int], registry: Registry, linked: frozenset[int]
) -> Iterator[Attribution]:
    """One attribution for each trait that holds, the trait of most conditions first."""
    held = [
        (trait, authority, position)
        for position in positions
        for authority in registry.authorities.values()
        for trait in authority.traits
        if trait.holds(chain[position])
        and (trait.is_structural or not _is_disowned(chain[position], chain, linked))
    ]
    for trait, authority, position in sorted(held, key=lambda entry: -len(entry[0].conditions)):
        if position in linked:
            family = _authority(authority, "family")
            yield Attribution(family, Confidence.LIKELY, position, (trait.id,))
        else:
            named = _authority(authority, "name")
            yield Attribution(named, Confidence.SUSPECTED, position, (trait.id, UNLINKED))


def _is_disowned(certificate: Certificate, chain: Sequence[Certificate], linked: frozenset[int]) -> bool:
    """A certificate of its issuer's name was sent, and none that was signed it: the name alone was copied."""
    issuer = certificate.issuer.attributes  # not as DER: a copier may choose another type of string
    issuers = [p for p, other in enumerate(chain) if other.subject.attributes == issuer]
    return bool(issuers) and linked.isdisjoint(issuers)


def _by_name(chain: Sequence[Certificate], registry: Registry) -> Iterator[Attribution]:
    """Patterns over issuer names and the subjects of authorities; a leaf's own subject is anybody's.

    A vendor of middleboxes has a web site, too, whose genuine leaf bears the vendor's name.
    """
    named = _named_positions(chain)
    texts: dict[str, int] = {}
    for position in sorted(range(len(chain)), key=lambda one: one not in named):
        certificate = chain[position]
        if position or certificate.is_self_issued:
            texts.setdefault(name_text(certificate.subject), position)
        texts.setdefault(name_text(certificate.issuer), position)
    found: dict[str, tuple[int, str]] = {}
    for text, position in texts.items():
        for authority_id, pattern in _matches(registry, text):
            found.setdefault(authority_id, (position, pattern))
    for authority in registry.authorities.values():
        if authority.id in found:
            position, pattern = found[authority.id]
            traits = (pattern,) if position in named else (pattern, UNLINKED)
            yield Attribution(_authority(authority, "name"), Confidence.SUSPECTED, position, traits)


@lru_cache(maxsize=1024)
def _matches(registry: Registry, text: str) -> tuple[tuple[str, str], ...]:
    """Of each authority that a name points to, its id and its first pattern that does.

    One issuer's name comes again with every leaf of its; registries of one version are the same.
    """
    firsts = (
        (authority.id, next((one.pattern for one in authority.patterns if one.search(text)), None))
        for authority in registry.authorities.values()
    )
    return tuple([(authority_id, pattern) for authority_id, pattern in firsts if pattern is not None])


def _named_positions(chain: Sequence[Certificate]) -> frozenset[int]:
    """Positions that the leaf reaches by issuer names alone: enough for what is only a name itself."""
    reached, frontier = {0}, [0]
    while frontier:
        issuer = chain[frontier.pop()].issuer.attributes
        for position, certificate in enumerate(chain):
            if issuer and position not in reached and certificate.subject.attributes == issuer:
                reached.add(position)
                frontier.append(position)
    return frozenset(reached)


def _authority(
    entry: KnownAuthority, match: str, matched_sha256: str = "", name: str | None = None
) -> Authority:
    """`name` is the certificate's, where it has one of its own."""
    return Authority(
        id=entry.id,
        name=name or entry.name,
        kind=entry.kind.value,
        match=match,
        matched_sha256=matched_sha256,
        country=entry.country,
    )


_CONFIDENCES = (Confidence.CONFIRMED, Confidence.LIKELY, Confidence.SUSPECTED)


def _strength(one: Attribution) -> tuple[int, int, bool]:
    """Sorts the strongest first; the order in which they were found decides among equals."""
    return _CONFIDENCES.index(one.confidence), MATCHES.index(one.authority.match), UNLINKED in one.traits


def _strongest(found: list[Attribution]) -> tuple[Attribution, ...]:
    by_authority: dict[str, Attribution] = {}
    for one in sorted(found, key=_strength):
        by_authority.setdefault(one.authority.id, one)
    return tuple(by_authority.values())
