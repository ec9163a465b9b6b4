"""A root that somebody added to this computer vouches for the chain (detection science 3.5 b).

An antivirus, a company's proxy and unwanted software leave their root in the trust store: without it no
program here would take their certificates. Whoever runs an authority for sites of their own does that too,
so a root that nobody knows is a sign only where it signs for sites of others.
"""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.pki.root_class import RootClass
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import MIN_HOSTS, RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.rule import Tier, rule


def _vouches(facts: Facts, root_class: RootClass) -> bool:
    """An added root of this class stands above a certificate for this very host."""
    return (
        facts.local_root_class == root_class
        and facts.is_forged
        and facts.focus is not None
        and facts.focus.covers_host
    )


def _is_others_site(facts: Facts, context: RunContext) -> bool:
    """Its issuer signs for a site with a public certificate elsewhere, or for many that nobody runs all."""
    focus = facts.focus
    return (
        facts.control.is_genuine
        or facts.mints_names
        or (focus is not None and context.hosts_signed_by(focus.chain[0]) >= MIN_HOSTS)
    )


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def product(facts: Facts, _context: RunContext) -> bool:
    """The root of an interception product is trusted here and stands above a certificate for this host.

    Not for an inner address: tools of developers sign for inner sites as well.
    """
    return _vouches(facts, RootClass.PRODUCT) and not facts.address.is_private


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def unknown_over_others_site(facts: Facts, context: RunContext) -> bool:
    """A root of nobody we know was added here and signs for sites that are not its owner's."""
    return _vouches(facts, RootClass.UNKNOWN_LOCAL) and _is_others_site(facts, context)


@rule(Tier.FALLBACK, Outcome.INCONCLUSIVE, asks=(UndecidedCode.CONTROL, UndecidedCode.MORE_HOSTS))
def unknown_over_one_site(facts: Facts, context: RunContext) -> bool:
    """A root of nobody we know was added here and signs for this site: its owner's own, or forged."""
    return _vouches(facts, RootClass.UNKNOWN_LOCAL) and not _is_others_site(facts, context)
