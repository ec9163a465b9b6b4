"""The same question with one thing changed (detection science 3.4, steps 4, 5 and 8; rules a and b).

"Different from control" alone is never a verdict: each of these also wants a chain that no public CA's key
vouches for, under another key than the site's.
"""

from kzmitm.model.verdict import Confidence, Outcome
from kzmitm.pki.report import PathStatus
from kzmitm.verdict.codes import UndecidedCode
from kzmitm.verdict.context import RunContext
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.handshake import State
from kzmitm.verdict.rule import Tier, rule


def _is_alien(facts: Facts) -> bool:
    """Forged or home-made, and not merely short of an intermediate as far as names tell."""
    return facts.is_forged and facts.focus is not None and not facts.focus.claims_public_issuer


def _is_signed_by_unknown(facts: Facts) -> bool:
    """By an issuer that is not the leaf itself: a lone self-signed leaf is what new servers come with."""
    focus = facts.focus
    if focus is None or focus.report is None:
        return False
    return _is_alien(facts) and focus.report.path in (PathStatus.UNKNOWN_ISSUER, PathStatus.INVALID)


def _is_for_this_host(facts: Facts) -> bool:
    return facts.focus is not None and facts.focus.covers_host


def _is_unlike_control(facts: Facts) -> bool:
    """A clean place gets a trusted chain with another key, and this address is the site's own."""
    own = facts.address.is_confirmed or facts.contrast.benign_is_genuine
    return _is_alien(facts) and facts.control.is_genuine and own


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def control_is_genuine(facts: Facts, _context: RunContext) -> bool:
    """A clean place gets a trusted chain with another key; this is the site's own address, and its name.

    Rule a, and OONI's argument of 2024: the failing address equals the control's, so DNS is not the cause.
    A certificate for other names will do where a harmless name is left alone: no portal spares any.
    """
    return (
        _is_unlike_control(facts)
        and not facts.control.is_stale
        and (_is_for_this_host(facts) or facts.contrast.benign_is_genuine)
    )


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.SUSPECTED, asks=(UndecidedCode.CONTROL,))
def control_was_genuine(facts: Facts, _context: RunContext) -> bool:
    """As above by an old control: the site may have broken since."""
    return (
        _is_unlike_control(facts)
        and facts.control.is_stale
        and (_is_for_this_host(facts) or facts.contrast.benign_is_genuine)
    )


@rule(
    Tier.CONTRAST,
    Outcome.INTERCEPTION,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.PORTAL_LOGIN, UndecidedCode.BENIGN_SNI, UndecidedCode.MORE_HOSTS),
)
def control_is_genuine_other_names(facts: Facts, _context: RunContext) -> bool:
    """As above, but the certificate names somebody else: a block page in the path, or a portal."""
    return _is_unlike_control(facts) and not _is_for_this_host(facts) and not facts.contrast.benign_is_genuine


@rule(
    Tier.CONTRAST,
    Outcome.INTERCEPTION,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.ENCRYPTED_DNS, UndecidedCode.BENIGN_SNI),
)
def control_is_genuine_address_unconfirmed(facts: Facts, _context: RunContext) -> bool:
    """A clean place gets a trusted chain with another key; nobody vouches for this address.

    The certificate is for this very name, so a block page is out; an impostor at a wrong address is not.
    """
    own = facts.address.is_confirmed or facts.contrast.benign_is_genuine
    return _is_alien(facts) and facts.control.is_genuine and not own and _is_for_this_host(facts)


def _passes_other_names(facts: Facts) -> bool:
    """At one address a harmless name draws a trusted chain and this name one of an unknown issuer."""
    return (
        _is_signed_by_unknown(facts)
        and facts.contrast.benign_is_genuine
        and _is_for_this_host(facts)
        and not facts.is_home_of_state_pki
    )


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def only_this_name(facts: Facts, _context: RunContext) -> bool:
    """Asked for a harmless name this address shows a public certificate of the site's own operator.

    How the Kazakh system chooses (IMC 2020: by SNI). Not for a lone self-signed leaf: on a shared server
    a neglected virtual host looks the same; nor where the public certificate is a stranger's: there one of a
    private CA does.
    """
    return _passes_other_names(facts) and facts.is_operators_address


@rule(
    Tier.CONTRAST,
    Outcome.INTERCEPTION,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.CONTROL, UndecidedCode.MORE_HOSTS),
)
def only_this_name_where_others_live(facts: Facts, _context: RunContext) -> bool:
    """The harmless site itself answers at this address, genuine, and this name draws an unknown issuer.

    An address with both sites belongs to a CDN, which takes public certificates, or to a box that relays by
    name. A server that somebody filled with a public and a private site looks the same: hence suspected.
    """
    others = facts.contrast.benign
    return _passes_other_names(facts) and any(h.state is State.TRUSTED for h in others)


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def only_this_hello(facts: Facts, _context: RunContext) -> bool:
    """The same address and name draw a trusted chain with another hello: weak boxes miss big ones."""
    return _is_signed_by_unknown(facts) and facts.contrast.other_hello_is_genuine


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def comes_and_goes(facts: Facts, _context: RunContext) -> bool:
    """The same handshake draws now a forged and now a trusted chain: its going does not unsay its coming.

    In 2019 the routes changed by the hour (IMC 2020).
    """
    return _is_signed_by_unknown(facts) and facts.contrast.repeat_is_genuine


@rule(
    Tier.CONTRAST,
    Outcome.INTERCEPTION,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.CONTROL, UndecidedCode.BENIGN_SNI),
)
def only_this_address(facts: Facts, _context: RunContext) -> bool:
    """Another address shows a trusted chain with another key; one neglected server could do that."""
    return (
        _is_signed_by_unknown(facts) and facts.contrast.other_address_is_genuine and _is_for_this_host(facts)
    )


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.SUSPECTED, asks=(UndecidedCode.CONTROL,))
def self_signed_beside_genuine(facts: Facts, _context: RunContext) -> bool:
    """One address and name show a self-signed leaf and a trusted chain in turn, with different keys."""
    focus = facts.focus
    genuine = facts.contrast.repeat_is_genuine or facts.contrast.other_hello_is_genuine
    return focus is not None and focus.is_self_signed and _is_alien(facts) and genuine


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY)
def copied_names(facts: Facts, _context: RunContext) -> bool:
    """Subject and names of a genuine leaf under another key and an unknown issuer (rule a; 3.3)."""
    return (
        _is_signed_by_unknown(facts)
        and facts.copies_names
        and not (facts.address.is_private or facts.address.is_doubtful)
    )


@rule(Tier.CONTRAST, Outcome.INTERCEPTION, confidence=Confidence.LIKELY, asks=(UndecidedCode.LOCAL_ROOTS,))
def minted_for_any_name(facts: Facts, _context: RunContext) -> bool:
    """One unknown issuer makes certificates here for whatever name is asked, even one that exists nowhere.

    Rule b: antivirus and company proxies touch nearly every name; a state's box may as well. No site can
    own a nonsense name, so the issuer works on demand, and whatever public CA it calls itself, it is none.
    """
    return facts.is_forged and facts.mints_names


@rule(
    Tier.CONTRAST,
    Outcome.INTERCEPTION,
    confidence=Confidence.SUSPECTED,
    asks=(UndecidedCode.WHOLE_CHAIN, UndecidedCode.CONTROL),
)
def only_claims_a_public_issuer(facts: Facts, _context: RunContext) -> bool:
    """The issuer calls itself a public CA, which nothing proves, and the genuine key is another one.

    A server that leaves out its intermediate looks the same, but for the key: hence suspected. Without this a
    forger would be excused by the name that he gives his authority.
    """
    focus = facts.focus
    if focus is None or not facts.is_forged or not focus.claims_public_issuer:
        return False
    control_differs = facts.control.is_genuine and not facts.control.is_stale and facts.address.is_confirmed
    return (
        focus.covers_host
        and not focus.observation.chain_truncated
        and (control_differs or facts.is_two_faced)
    )
