"""Who signs in a corpus: the look-alike of the public PKI, of Kazakhstan's authorities, and boxes of others.

The look-alikes bear the names, dates and serial numbers of the real ones and none of their keys.
"""

import base64
import datetime as dt
import random
import tomllib
from functools import cache, cached_property, lru_cache
from typing import Any

from corpora import minting
from corpora.minting import Issuer, Span, ec_key, rsa_key
from corpora.sites import FINGERPRINTS, Site

UTC = dt.UTC
ISCA = "CN=Information Security Certification Authority, O=ISCA, C=KZ"
"""In the order of the encoding; RFC 4514 prints it the other way round, as OONI's report does."""
INTERMEDIATE = "C=KZ, O=ISCA, CN=Information Security Intermediate"
"""The subjects of the real ones are not published."""
DAY_ZERO = dt.datetime(2020, 1, 1, tzinfo=UTC)
TERMS = ((60, 90), (330, 397))
"""Days between renewals and of validity: as the automated authorities have it, and as the paid ones."""
GENERATION_DAYS = 75
"""Of an ISCA intermediate: observations/ooni-2024-intermediates.toml."""
KNOWN_ROOTS = 4
_LEAF_KEYS = 32
_RSA_LEAF_KEYS = 4
_LONG = Span(dt.datetime(2015, 6, 4, 11, 4, tzinfo=UTC), dt.datetime(2040, 6, 4, 11, 4, tzinfo=UTC))


def b64(der: bytes) -> str:
    return base64.b64encode(der).decode()


def _terms(site: Site) -> tuple[int, int]:
    return TERMS[site.number // 3 % len(TERMS)]


class PublicPKI:
    """The public authorities: two roots, a new one that old trust stores lack, their intermediates."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.roots = (
            self._root("C=US, O=Example Public Trust, CN=EPT Root R1", rsa_key("rsa2048-0"), 1),
            self._root("C=BE, O=Sample Sign, CN=Sample Sign Root E1", self._key("root-e1"), 2),
            self._root("C=US, O=Example Public Trust, CN=EPT Root X2", self._key("root-x2"), 3),
        )
        r1, e1, x2 = self.roots
        self.issuers = (
            self._issuer("C=US, O=Example Public Trust, CN=EPT TLS R3", rsa_key("rsa2048-1"), r1, 11),
            self._issuer("C=US, O=Example Public Trust, CN=EPT TLS R4", rsa_key("rsa2048-2"), r1, 12),
            self._issuer("C=BE, O=Sample Sign, CN=Sample Sign DV E5", self._key("int-e5"), e1, 13),
            self._issuer("C=BE, O=Sample Sign, CN=Sample Sign OV E6", self._key("int-e6"), e1, 14),
        )
        self.new_issuer = self._issuer(
            "C=US, O=Example Public Trust, CN=EPT TLS E9", self._key("int-e9"), x2, 15
        )
        self.chain = lru_cache(maxsize=None)(self._chain)

    def _key(self, label: str):  # noqa: ANN202 - a private key of whatever kind
        return ec_key(f"{self._seed}:{label}")

    def _root(self, text: str, key: object, serial: int) -> Issuer:
        return minting.authority(text, key, _LONG, serial=serial)

    def _issuer(self, text: str, key: object, root: Issuer, serial: int) -> Issuer:
        return minting.authority(text, key, _LONG, serial=serial, issuer=root)

    def leaf(self, site: Site, hosts: tuple[str, ...], span: Span, label: str, issuer: Issuer) -> bytes:
        """A leaf for these hosts; its key is one of a pool."""
        rng = random.Random(f"{self._seed}:leaf:{site.number}:{label}")
        if site.number % 2:
            key = self._key(f"leaf{site.number % _LEAF_KEYS}")
        else:
            key = rsa_key(f"rsa2048-{4 + site.number // 2 % _RSA_LEAF_KEYS}")
        return minting.leaf(hosts, key.public_key(), issuer, span, rng=rng)

    def issuer_of(self, site: Site) -> Issuer:
        return self.issuers[site.number % len(self.issuers)]

    def genuine(self, site: Site, moment: dt.datetime, variant: int = 0) -> list[str]:
        """The chain that the site presents at that time; `variant` tells the machines of a farm apart."""
        return self.chain(site, (moment - DAY_ZERO).days // _terms(site)[0], variant)

    def _chain(self, site: Site, period: int, variant: int) -> list[str]:
        every, valid_for = _terms(site)
        start = DAY_ZERO + dt.timedelta(days=period * every - 10, seconds=site.number * 7 + variant)
        apex = site.domain.removeprefix("www.")
        hosts = tuple(dict.fromkeys((site.domain, apex, f"*.{apex}")))
        issuer = self.issuer_of(site)
        span = Span.days(start, valid_for)
        chain = [b64(self.leaf(site, hosts, span, f"{period}:{variant}", issuer)), issuer.base64]
        return [*chain, self.roots[0].base64] if site.number % 7 == 3 else chain


@cache
def published() -> tuple[dict[str, Any], ...]:
    """The seven certificates that OONI published, as the registry has them."""
    path = FINGERPRINTS / "observations" / "ooni-2024-intermediates.toml"
    return tuple(tomllib.loads(path.read_text())["intermediates"])


@cache
def published_roots() -> tuple[tuple[str, dt.datetime, dt.datetime], ...]:
    """SHA-256 and span of the known roots that signed them, in the order of their first use."""
    signers = [one["signed_by"]["root_sha256"] for one in published() if "signed_by" in one]
    known = tomllib.loads((FINGERPRINTS / "authorities" / "kz-isca.toml").read_text())["certificates"]
    by_sha256 = {one["sha256"]: one for one in known if "sha256" in one}
    return tuple(
        (sha256, by_sha256[sha256]["not_before"], by_sha256[sha256]["not_after"])
        for sha256 in dict.fromkeys(signers)
    )


class LookAlikes:
    """The interceptors: Kazakhstan's by family, and boxes that nobody has named."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.roots = tuple(self._root(number) for number in range(KNOWN_ROOTS))
        self.unknown_roots = tuple(self._root(number) for number in (KNOWN_ROOTS, KNOWN_ROOTS + 1))
        self.generation = lru_cache(maxsize=None)(self._generation)
        self.forged = lru_cache(maxsize=None)(self._forged)
        self.box = lru_cache(maxsize=None)(self._box)

    def _root(self, number: int) -> Issuer:
        key = rsa_key(f"rsa4096-{number}")
        if number < KNOWN_ROOTS:
            span = Span(*published_roots()[number][1:])
        else:
            start = dt.datetime(2020, 2, 28, 8, 43 + number, 38, tzinfo=UTC)
            span = Span(start, start.replace(year=2050))
        return minting.authority(ISCA, key, span, serial=minting.serial_of_key(key))

    def _generation(self, number: int, *, known: bool = True) -> tuple[Issuer, Issuer]:
        """The intermediate that is valid in the `number`th stretch of 75 days, and its root."""
        roots = self.roots if known else self.unknown_roots
        root = roots[number // 4 % len(roots)]
        start = DAY_ZERO + dt.timedelta(days=number * GENERATION_DAYS, hours=6, minutes=33)
        serial = random.Random(f"{self._seed}:generation:{number}:{known}").getrandbits(158) | 1 << 157
        key = ec_key(f"{self._seed}:isca:{number}:{known}")
        span = Span.days(start, GENERATION_DAYS)
        return minting.authority(INTERMEDIATE, key, span, serial=serial, issuer=root), root

    @cached_property
    def published(self) -> tuple[Issuer, ...]:
        """Look-alikes of the seven, under look-alikes of the roots that signed them."""
        signers = [sha256 for sha256, _start, _end in published_roots()]
        unknown = iter(self.unknown_roots)
        found = []
        for one in published():
            signed_by = one.get("signed_by")
            root = self.roots[signers.index(signed_by["root_sha256"])] if signed_by else next(unknown)
            span = Span(one["not_before"], one["not_after"])
            key = ec_key(f"{self._seed}:published:{one['ordinal']}")
            serial = int(one["serial_hex"], 16)
            found.append(minting.authority(INTERMEDIATE, key, span, serial=serial, issuer=root))
        return tuple(found)

    def current(
        self, moment: dt.datetime, *, known: bool = True, expired: bool = False
    ) -> tuple[Issuer, Issuer]:
        """The intermediate of that time, or with `expired` the one before it, and its root."""
        number = (moment - DAY_ZERO - dt.timedelta(hours=7)).days // GENERATION_DAYS
        return self.generation(number - expired, known=known)

    def _forged(self, host: str, issuer: Issuer, month: int) -> str:
        """A leaf for `host`, of the dates that a genuine one would have."""
        rng = random.Random(f"{self._seed}:forged:{host}:{issuer.text}:{month}")
        start = DAY_ZERO + dt.timedelta(days=month * 30 - 9, seconds=rng.randrange(86_400))
        key = ec_key(f"{self._seed}:forger").public_key()
        return b64(minting.leaf([host], key, issuer, Span.days(start, 90), rng=rng, public=False))

    def leaf(self, host: str, issuer: Issuer, moment: dt.datetime) -> str:
        return self.forged(host, issuer, (moment - DAY_ZERO).days // 30)

    def _box(self, text: str, number: int = 0) -> Issuer:
        """A box of an owner nobody knows, or of a product known by its name."""
        start = dt.datetime(2019, 3, 5, 8, tzinfo=UTC)
        key = ec_key(f"{self._seed}:box:{text}:{number}")
        serial = random.Random(f"{self._seed}:box:{text}:{number}").getrandbits(63) | 1 << 62
        return minting.authority(text, key, Span.days(start, 3650), serial=serial)


@cache
def state_pki(seed: int) -> tuple[Issuer, Issuer]:
    """The e-signature PKI of the state, used by some sites of the state: (issuer, root)."""
    span = Span(dt.datetime(2020, 9, 8, 8, tzinfo=UTC), dt.datetime(2045, 9, 8, 8, tzinfo=UTC))
    root_key = rsa_key("rsa4096-6")
    root = minting.authority(
        "CN=НЕГІЗГІ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ (RSA), C=KZ", root_key, span, serial=minting.serial_of_key(root_key)
    )
    key = ec_key(f"{seed}:nca")
    text = "CN=ҰЛТТЫҚ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ (RSA), C=KZ"
    return minting.authority(text, key, span, serial=minting.serial_of_key(key), issuer=root), root
