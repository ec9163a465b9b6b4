"""The site itself is broken (rule e): a control sees the same, or a public CA's key vouches for the leaf."""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.pki.report import PathStatus, TimeStatus
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import MIN_HOSTS, RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import HandshakeFacts, State
from kzmitm.verdict.rule import Tier, rule


def _untrusted(facts: Facts) -> HandshakeFacts | None:
    focus = facts.focus
    return focus if focus is not None and focus.state is State.UNTRUSTED else None


def _public(facts: Facts) -> HandshakeFacts | None:
    """An untrusted chain that a public CA's key vouches for: nobody without that key can make it."""
    focus = _untrusted(facts)
    return focus if focus is not None and (focus.has_public_issuer or facts.lacks_intermediate) else None


@rule(Tier.MASK, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.CONFIRMED)
def control_sees_the_same(facts: Facts, context: RunContext) -> bool:
    """The control is served the same leaf key and fails the same way (rule e).

    Not if it gets a trusted chain at other addresses: then an impostor sits at the one that we were given.
    Nor if it is built in the manner of a known interceptor, who may stand before the control as well.
    """
    focus = _untrusted(facts)
    return (
        focus is not None
        and (focus.spki_sha256 or "", focus.failure or "") in facts.control.failures_by_key
        and not facts.trusted_at_true_time
        and not (facts.control.is_genuine and facts.address.is_doubtful)
        and not facts.bears("family")
        and not _is_beyond_one_site(facts, context)
    )


@rule(Tier.MASK, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.LIKELY)
def genuine_key_in_a_broken_chain(facts: Facts, _context: RunContext) -> bool:
    """The leaf's key is the site's own, as trusted chains elsewhere show: the rest of the chain is wrong.

    An interceptor does not hold that key; whoever does, needs no forged certificate.
    """
    focus = _untrusted(facts)
    return (
        focus is not None
        and facts.has_genuine_key
        and not focus.fails_by_time_only
        and any(leaf.spki_sha256 == focus.spki_sha256 for leaf in facts.genuine)
    )


@rule(Tier.MASK, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.LIKELY)
def control_sees_the_same_issuer(facts: Facts, context: RunContext) -> bool:
    """The control gets no trusted chain either, but one of the same issuer that fails the same way.

    Servers behind one name may have a key each, so the leaf may differ.
    """
    focus = _untrusted(facts)
    return (
        focus is not None
        and not facts.control.is_genuine
        and not facts.attributions
        and (focus.chain[0].issuer.der, focus.failure or "") in facts.control.failures_by_issuer
        and not _is_beyond_one_site(facts, context)
    )


@rule(Tier.MASK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.SECOND_NETWORK,))
def control_may_be_deceived(facts: Facts, context: RunContext) -> bool:
    """The control is shown the same, by an issuer that does more than a site's own does.

    A control made behind the same box would excuse all that the box forges. In 2019 the Kazakh system acted
    on both directions (IMC 2020), so that a place abroad that is reached through it is no better.
    """
    focus = _untrusted(facts)
    return (
        focus is not None
        and not facts.attributions
        and (
            (focus.spki_sha256 or "", focus.failure or "") in facts.control.failures_by_key
            or (focus.chain[0].issuer.der, focus.failure or "") in facts.control.failures_by_issuer
        )
        and _is_beyond_one_site(facts, context)
    )


def _is_beyond_one_site(facts: Facts, context: RunContext) -> bool:
    """No control is shown anything public, and the issuer forges on demand, in turns or for many sites."""
    focus = facts.focus
    if focus is None or facts.control.is_genuine or not facts.is_home_made or focus.is_self_signed:
        return False
    if facts.is_two_faced:
        return True
    many = focus.covers_host and context.hosts_made_by(focus.chain[0]) >= MIN_HOSTS
    return many and not (focus.claims_public_issuer or facts.is_home_of_state_pki)


@rule(
    Tier.BASELINE,
    Outcome.ORIGIN_MISCONFIGURED,
    confidence=Confidence.LIKELY,
    asks=(UndecidedCode.CLOCK,),
)
def expired(facts: Facts, _context: RunContext) -> bool:
    """A public CA's leaf for this very name whose time is over, or that of an intermediate above it."""
    focus = _public(facts)
    if focus is None or focus.report is None or not focus.covers_host:
        return False
    late = focus.report.time is TimeStatus.EXPIRED or "intermediate_expired" in focus.report.reasons
    return late and not (focus.is_early and facts.clock_is_off is not False)


@rule(Tier.BASELINE, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.LIKELY)
def not_yet_valid(facts: Facts, _context: RunContext) -> bool:
    """A public CA's leaf from the future, while witnesses say that our clock is right."""
    focus = _public(facts)
    return focus is not None and focus.covers_host and focus.is_early and facts.clock_is_off is False


@rule(Tier.BASELINE, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.LIKELY)
def wrong_name(facts: Facts, context: RunContext) -> bool:
    """A public CA's leaf for other names: a wrong virtual host, or a CDN's default certificate.

    Not if a control gets the right one, or if the address is doubtful: then somebody else answers. Other
    hosts are fine, or other names here draw other leaves: no portal does either.
    """
    alone = not _is_shared(facts, context)
    return _is_for_others(facts) and alone and (context.trusted > 0 or _leaf_varies(facts))


@rule(
    Tier.BASELINE,
    Outcome.ORIGIN_MISCONFIGURED,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.MORE_HOSTS, UndecidedCode.PORTAL_LOGIN),
)
def wrong_name_or_portal(facts: Facts, context: RunContext) -> bool:
    """The same, but nothing else in the run is fine: some portals have a public certificate, too."""
    alone = not _is_shared(facts, context)
    return _is_for_others(facts) and alone and not (context.trusted > 0 or _leaf_varies(facts))


@rule(Tier.BASELINE, Outcome.INCONCLUSIVE, asks=(UndecidedCode.CONTROL, UndecidedCode.PORTAL_LOGIN))
def wrong_name_shared(facts: Facts, context: RunContext) -> bool:
    """The same for several unrelated hosts at several addresses, while others are fine.

    The default certificate of a CDN, a portal that lets some through, or a block page in the path.
    """
    return _is_for_others(facts) and _is_shared(facts, context)


def _is_shared(facts: Facts, context: RunContext) -> bool:
    """One leaf stands in for unrelated hosts at different addresses."""
    leaf = facts.focus.leaf_sha256 if facts.focus is not None else None
    return (
        leaf is not None and context.hosts_misnamed_by(leaf) >= MIN_HOSTS and context.addresses_of(leaf) > 1
    )


def _leaf_varies(facts: Facts) -> bool:
    focus = facts.focus
    return focus is not None and any(
        h.chain and h.leaf_sha256 != focus.leaf_sha256 for h in facts.contrast.other_names
    )


def _is_for_others(facts: Facts) -> bool:
    focus = _public(facts)
    return (
        focus is not None
        and not focus.covers_host
        and not facts.control.is_genuine
        and not facts.address.is_doubtful
        and not facts.address.is_private
        and not facts.contrast.other_address_is_genuine
    )


@rule(Tier.BASELINE, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.LIKELY)
def missing_intermediate(facts: Facts, _context: RunContext) -> bool:
    """The chain verifies once an intermediate is added that is known from elsewhere.

    OONI and Go say ssl_unknown_authority here: the commonest false alarm (ooni.md, section 2). Not if it was
    the record that lost the rest of the chain.
    """
    focus = _public(facts)
    if focus is None or focus.report is None or not focus.covers_host or focus.observation.chain_truncated:
        return False
    return facts.lacks_intermediate or focus.report.path is PathStatus.MISSING_INTERMEDIATE


@rule(Tier.BASELINE, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.LIKELY)
def forbidden_by_its_own_ca(facts: Facts, _context: RunContext) -> bool:
    """A public CA's key vouches for the leaf, but not for this use, this hash or this extension."""
    focus = _public(facts)
    return (
        focus is not None
        and focus.report is not None
        and focus.report.path is PathStatus.INVALID
        and focus.covers_host
        and not focus.is_early
    )


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.WHOLE_CHAIN, UndecidedCode.CONTROL))
def maybe_missing_intermediate(facts: Facts, _context: RunContext) -> bool:
    """The issuer's name is a public CA's and its certificate was not sent: names prove nothing."""
    focus = _untrusted(facts)
    return (
        focus is not None
        and facts.is_forged
        and focus.claims_public_issuer
        and not focus.observation.chain_truncated
    )
