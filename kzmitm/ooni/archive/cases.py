"""A case: one situation that handshakes of an archive are in, its chain parsed, verified and attributed.

Archives repeat themselves: a million handshakes are some thousand situations. Each is judged once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from kzmitm.model.certificate import Certificate
from kzmitm.model.failure import Failure
from kzmitm.model.observation import TLSObservation
from kzmitm.model.target import Endpoint
from kzmitm.model.verdict import Confidence, Outcome, Scope
from kzmitm.ooni.archive.control import PAGE
from kzmitm.ooni.archive.failures import Kind, kind_of
from kzmitm.ooni.read_rows import UNKNOWN_HELLO
from kzmitm.pki.attribution import Attribution
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.kinds import INTERCEPTION_KINDS
from kzmitm.pki.kinds import Kind as AuthorityKind
from kzmitm.pki.store import TrustStore
from kzmitm.verdict.handshake import STRONG_MATCHES, HandshakeFacts, Judging, State, assessor
from kzmitm.verdict.names import is_government


@dataclass(frozen=True, slots=True)
class Situation:
    """What verdicts depend on; `time` is one at which it was met, or None where it does not matter."""

    failure: str
    verified: bool
    chain: str
    control: str
    in_control: bool | None
    private: bool
    name: str
    host: str
    role: str
    time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouchers:
    """Certificates in chains that probes verified elsewhere in the same archive.

    A root that was public in 2021 need not be in a store of today, nor an intermediate have been sent.
    Anybody can send a made-up measurement, so a CA vouches only if it was met under two names or in two
    networks; and nothing vouches for a known interceptor, which is recognised before anybody asks.
    """

    intermediates: tuple[Certificate, ...] = ()
    """CAs that may complete a chain; whether it then ends in the store, its signatures tell."""
    issuers: tuple[Certificate, ...] = ()
    """CAs that vouch for what they signed."""
    shown: frozenset[str] = frozenset()
    """SHA-256 of refused certificates that probes verified at another time or place."""

    def vouch_for(self, chain: Sequence[Certificate], cache: CertificateCache) -> bool:
        """The topmost certificate was verified elsewhere, or a CA that was met there signed it."""
        if not chain:
            return False
        top = chain[-1]
        if top.sha256 in self.shown:
            return True
        return any(
            issuer.subject.der == top.issuer.der and cache.is_signed_by(top, issuer)
            for issuer in self.issuers
        )


NO_VOUCHERS = Vouchers()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeVerdict:
    """What a handshake means. `outcome` None: it says nothing of the site. `asks`: what would decide it."""

    outcome: Outcome | None
    rule: str
    confidence: Confidence | None = None
    scope: Scope | None = None
    authority: str = ""
    match: str = ""
    label: str = ""
    asks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A situation and its chain; `facts` is None where no certificate was kept."""

    situation: Situation
    facts: HandshakeFacts | None
    is_vouched_for: bool = False
    """Probes verified the same topmost certificate, or others of the same CA, elsewhere in the archive; or it
    is a root of the store, signed by another."""

    @cached_property
    def kind(self) -> Kind:
        """Of the failure; a chain that nobody verified is verified here, at the time it was met."""
        kind = kind_of(self.situation.failure)
        if kind is Kind.NONE and not self.situation.verified and self.facts is not None:
            return Kind.NONE if self.facts.state is State.TRUSTED else Kind.CERTIFICATE
        return kind

    @cached_property
    def failure(self) -> str:
        """The probe's word, or ours in the same terms where it did not verify."""
        if self.situation.failure or self.facts is None:
            return self.situation.failure
        return self.facts.failure or ""

    @cached_property
    def control(self) -> Kind | None:
        """Of the control's failure; None where it did not try this endpoint and name."""
        told = self.situation.control
        if not told:
            return None
        return Kind.NONE if told in ("ok", PAGE) else kind_of(told)

    @property
    def chain(self) -> str:
        return self.situation.chain

    @cached_property
    def hostname(self) -> str:
        """Whose certificate was asked for."""
        return self.situation.name or self.situation.host

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        return self.facts.attributions if self.facts is not None else ()

    @cached_property
    def interceptor(self) -> Attribution | None:
        """A known interception key in the chain's own line of signatures.

        Not on a service of its own state, which may use it, unless the control is shown something better.
        """
        return self._attributed(STRONG_MATCHES)

    @cached_property
    def family(self) -> Attribution | None:
        return self._attributed(frozenset({"family"}))

    @cached_property
    def named(self) -> Attribution | None:
        return self._attributed(frozenset({"name"}))

    def _attributed(self, matches: frozenset[str]) -> Attribution | None:
        for one in self.attributions:
            authority = one.authority
            if (
                authority.match in matches
                and authority.kind in INTERCEPTION_KINDS
                and not (self.control is not Kind.NONE and is_government(self.hostname, authority.country))
            ):
                return one
        return None

    @cached_property
    def has_state_pki(self) -> bool:
        """A state's PKI for signatures signed it: a site of that state may have chosen it."""
        return any(one.authority.kind == AuthorityKind.STATE_PKI for one in self.attributions)

    @property
    def harmless(self) -> Attribution | None:
        """An authority that browsers do not trust and whose key explains the chain."""
        return self.facts.harmless if self.facts is not None else None

    @cached_property
    def is_public(self) -> bool:
        """A key of the pinned store, or of a chain verified elsewhere, vouches for what was kept."""
        if self.facts is None:
            return False
        return self.has_voucher or self.facts.is_anchored or self.facts.has_public_issuer

    @cached_property
    def has_voucher(self) -> bool:
        """What is vouched for is what signed the leaf: anybody can put a public CA behind one of his own."""
        return (
            self.is_vouched_for
            and self.facts is not None
            and self._topmost.sha256 == self.facts.chain[-1].sha256
        )

    @property
    def _topmost(self) -> Certificate:
        """The last certificate that signatures lead to from the first; `facts` is not None."""
        assert self.facts is not None  # noqa: S101 - callers look first
        report = self.facts.report
        return self.facts.chain[0] if report is None or report.topmost is None else report.topmost

    @cached_property
    def claims_public(self) -> bool:
        """Only a name, or receipts that nobody checked, say that a public CA signed it.

        True of a forgery, and of an incomplete chain: of the many CAs of resellers, no key is known. Receipts
        are forgotten where a name or a key says more.
        """
        facts = self.facts
        if facts is None or facts.report is None or not facts.claims_public_issuer:
            return False
        by_receipts = "receipts_of_transparency_logs" in facts.report.reasons
        return not by_receipts or (self.named is None and self.harmless is None)

    @property
    def fails_alike(self) -> bool:
        """The control is refused a certificate at the same place: the origin's doing, or an impostor's."""
        return self.kind is Kind.CERTIFICATE and self.control is Kind.CERTIFICATE

    @property
    def is_alien(self) -> bool:
        """A certificate that no public CA's key vouches for, and not merely for want of an intermediate."""
        return (
            self.kind is Kind.CERTIFICATE
            and self.facts is not None
            and self.facts.is_readable
            and not self.is_public
            and not self.claims_public
        )

    @cached_property
    def is_for_host(self) -> bool:
        """The certificate of the server names the host.

        By what was kept, or by the probe's word: it looks at name and time of the leaf before it looks for an
        issuer, so that `ssl_unknown_authority` says the name was right, even where the leaf was not kept.
        """
        if self.facts is not None and self.facts.covers_host:
            return True
        if self.failure == Failure.SSL_UNKNOWN_AUTHORITY:
            return True
        return self.failure == Failure.SSL_INVALID_CERTIFICATE and self.is_issuer_kept

    @cached_property
    def is_issuer_kept(self) -> bool:
        """What was kept is a CA's certificate and not the server's."""
        return self.facts is not None and self.facts.chain[0].is_ca and not self.facts.is_self_signed

    @cached_property
    def issuer_key(self) -> str:
        """Who signed, as far as it can be told without names: the key of a CA that was kept, or "".

        A lone self-signed certificate is its own issuer; the same key on two hosts tells as much.
        """
        if self.facts is None:
            return ""
        top = self._topmost
        if not top.is_ca and not self.facts.is_self_signed:
            return f"id:{top.authority_key_id.hex()}" if top.authority_key_id else ""
        return f"key:{top.spki_sha256}" if top.spki_sha256 else ""

    @cached_property
    def issuer_country(self) -> str:
        """The country in the name of who signed, as that name has it, or ""."""
        return "" if self.facts is None else self._topmost.issuer.country or ""


def case_of(
    situation: Situation, ders: tuple[bytes, ...], judging: Judging, vouchers: Vouchers = NO_VOUCHERS
) -> Case:
    """The case; `judging.now` is when it was met."""
    if not ders:
        return Case(situation, None)
    facts = facts_by_name(ders, judging)(situation.name or situation.host)
    return Case(situation, facts, is_vouched_for(facts.chain, vouchers, judging.store, judging.cache))


def is_vouched_for(
    chain: Sequence[Certificate], vouchers: Vouchers, store: TrustStore, cache: CertificateCache
) -> bool:
    """What `Case.is_vouched_for` says, as far as the chain itself tells."""
    return vouchers.vouch_for(chain, cache) or _is_of_store(chain[-1], store)


def _is_of_store(found: Certificate, store: TrustStore) -> bool:
    """Name and key are those of a root of the store: a certificate that another root, perhaps gone, gave it.

    Old probes keep such a one (AddTrust in 2020, DST Root CA X3 in 2021 and 2024); its key is public's.
    """
    return any(root.subject.der == found.subject.der for root in store.with_key(found.spki_sha256))


def facts_by_name(ders: tuple[bytes, ...], judging: Judging) -> Callable[[str], HandshakeFacts]:
    """What a chain shows, for the name that was asked for."""
    observation = TLSObservation(
        endpoint=Endpoint("", 0), sni=None, hello=UNKNOWN_HELLO, presented_chain=ders
    )
    return assessor(observation, judging)
