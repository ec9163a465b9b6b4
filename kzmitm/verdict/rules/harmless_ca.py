"""An authority that no browser trusts and that nobody intercepts with (see `kzmitm.pki.harmless`).

Servers behind a delivery network have certificates that only this network is meant to see; some have one of a
test, or still the one of an authority that browsers have dropped. Met without a control they look forged, and
all of one authority alike.
"""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.pki.attribution import KEY_MATCHES
from kzmitm.pki.kinds import Kind
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.rule import Tier, rule


def _is_made_by(facts: Facts, kind: Kind) -> bool:
    """The key of a harmless authority of that kind made the certificate, for this very host."""
    focus = facts.focus
    return (
        focus is not None
        and focus.harmless is not None
        and facts.is_home_made
        and focus.covers_host
        and focus.harmless.authority.kind == kind
    )


def _is_claimed(facts: Facts, *, by_key: bool) -> bool:
    focus = facts.focus
    return (
        focus is not None
        and focus.harmless_claim is not None
        and facts.is_forged
        and (focus.harmless_claim.authority.match in KEY_MATCHES) is by_key
    )


@rule(
    Tier.CONTRAST, Outcome.ORIGIN_MISCONFIGURED, confidence=Confidence.LIKELY, asks=(UndecidedCode.CONTROL,)
)
def for_tests(facts: Facts, _context: RunContext) -> bool:
    """An authority for tests signed for this host, after it had made sure of whose it is.

    In the tier of the contrasts: where one of these speaks for a forgery all the same, nothing is decided.
    """
    return _is_made_by(facts, Kind.TEST_CA)


@rule(
    Tier.CONTRAST,
    Outcome.ORIGIN_MISCONFIGURED,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.CONTROL,),
)
def for_origin_servers(facts: Facts, _context: RunContext) -> bool:
    """An authority for servers behind a delivery network signed for this host at its customer's wish.

    As above, and suspected only: how well it makes sure that the name is the customer's is for nobody to see,
    as nobody but the network trusts it.
    """
    return _is_made_by(facts, Kind.ORIGIN_CA)


@rule(
    Tier.BASELINE,
    Outcome.ORIGIN_MISCONFIGURED,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.CONTROL,),
)
def no_longer_for_browsers(facts: Facts, _context: RunContext) -> bool:
    """An authority that browsers dropped signed for this host while it was public, and nobody changed it.

    Below the contrasts, and suspected only: some were dropped for what they had signed, and who has the keys
    today, nobody looks after.
    """
    return _is_made_by(facts, Kind.FORMER_CA)


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.CONTROL, UndecidedCode.MORE_HOSTS))
def signed_after_it_was_dropped(facts: Facts, _context: RunContext) -> bool:
    """An authority that browsers dropped, and nothing shows that the certificate is of its public time.

    It keeps nobody's rules any more, and a certificate of a CA alone does not tell when the leaf was made.
    """
    return _is_claimed(facts, by_key=True)


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.WHOLE_CHAIN, UndecidedCode.CONTROL))
def by_name_only(facts: Facts, _context: RunContext) -> bool:
    """The issuer has the name of a harmless authority, and no key shows that it is: anybody can write it."""
    return _is_claimed(facts, by_key=False)
