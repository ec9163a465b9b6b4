"""What to do next, and what a finding does not prove: sentences for people who may be at risk."""

from collections.abc import Mapping

from kzmitm.model.failure import Failure
from kzmitm.model.verdict import Confidence, Outcome, Scope, Verdict
from kzmitm.report.language import N_, Words, _
from kzmitm.verdict.codes import UndecidedCode

_NO_CERTIFICATE = N_(
    "Do not install a certificate that an operator, a message or a web page asks you to install: "
    "with it, your browser would stop warning you."
)
_NO_LOGIN = N_("Do not log in to this site, and send nothing private to it, over this network.")
_PASSWORDS = N_(
    "If you logged in while this went on, change the password from another network that you trust, "
    "on a device without such a certificate."
)
_TELL = N_(
    "If it is safe for you, tell people who can act on it: OONI (ooni.org), the Access Now helpline "
    "(accessnow.org/help) or Internet Freedom Kazakhstan (ifkz.org). "
    "State bodies that you write to learn who you are."
)
_AGAIN = N_("Scan again later, and once more from another network, such as mobile data instead of Wi-Fi.")

INTERCEPTION_STEPS: Mapping[Scope, tuple[str, ...]] = Words(
    {
        Scope.STATE: (_NO_CERTIFICATE, _NO_LOGIN, _PASSWORDS, _TELL),
        Scope.ISP: (_NO_CERTIFICATE, _NO_LOGIN, _PASSWORDS, _AGAIN, _TELL),
        Scope.MIDDLEBOX: (
            N_(
                "Ask whoever runs this network (employer, school, hotel) whether it reads encrypted "
                "connections."
            ),
            _NO_LOGIN,
            _AGAIN,
        ),
        Scope.LOCAL: (
            N_("Look in the settings of the antivirus or filter for scanning of HTTPS, and turn it off."),
            N_(
                "If you installed no such program, have the computer looked at: unwanted software "
                "does the same."
            ),
            N_("Then scan again: behind it, nothing else can be seen from this computer."),
        ),
        Scope.UNKNOWN: (_NO_CERTIFICATE, _NO_LOGIN, _PASSWORDS, _AGAIN, _TELL),
    }
)

STEPS: Mapping[Outcome, tuple[str, ...]] = Words(
    {
        Outcome.CLEAN: (),
        Outcome.INTERCEPTION: (),
        Outcome.TRUSTED_UNEXPECTED: (
            _NO_LOGIN,
            _AGAIN,
            N_(
                "Let somebody abroad scan the same site with --record-control, then scan with --control FILE."
            ),
        ),
        Outcome.CAPTIVE_PORTAL: (
            N_("Open any web page, log in to the portal of this network, then scan again."),
            N_("Give a portal no password that you use elsewhere."),
        ),
        Outcome.DNS_HIJACK: (
            N_("Enter nothing on the page that appears instead of the site."),
            N_("Set another resolver, or encrypted DNS, in the browser or the system, and scan again."),
        ),
        Outcome.ORIGIN_MISCONFIGURED: (
            N_(
                "Do not click the warning away. Only the owner of the site can repair it; tell them "
                "if you can."
            ),
        ),
        Outcome.BLOCKED: (
            N_(
                "Scan again from another network, such as mobile data: that shows whether the site "
                "itself is up."
            ),
        ),
        Outcome.UNREACHABLE: (N_("See whether this computer is on line, and scan again later."),),
        Outcome.INCONCLUSIVE: (N_("Treat the site as unsafe over this network until it is decided."), _AGAIN),
    }
)
"""By outcome; those of an interception depend on whose it is."""

LIMITS: Mapping[Outcome, str] = Words(
    {
        Outcome.CLEAN: N_(
            "that no other site, network or hour is intercepted; it can be switched on for some people only"
        ),
        Outcome.INTERCEPTION: N_(
            "who ordered it, or that anything was read or kept; it holds for this site, network and time"
        ),
        Outcome.TRUSTED_UNEXPECTED: N_(
            "interception: sites have many certificates, and this may be a new one"
        ),
        Outcome.CAPTIVE_PORTAL: N_("that nothing else reads the connections once you are logged in"),
        Outcome.DNS_HIJACK: N_("who changed the answer: the resolver, or somebody on the way to it"),
        Outcome.ORIGIN_MISCONFIGURED: N_(
            "that the site is safe to use; a broken certificate protects nobody"
        ),
        Outcome.BLOCKED: N_("who blocks it; a fault of the network or of the site can look the same"),
        Outcome.UNREACHABLE: N_("that it is blocked; the site or this network may be down"),
        Outcome.INCONCLUSIVE: N_("anything, one way or the other"),
    }
)
"""Goes after `It does not prove`."""

NAMES_CAN_BE_FORGED = N_("that the authority named above did it: a name or a manner can be imitated")


PROXY_STEPS = (
    N_("See whether the proxy runs and lets you through, then scan again; the site was not asked."),
)
"""Where nothing was reached because the user's own way out failed."""


CONNECT_FIRST = (N_("Connect this computer to a network, and scan again: nothing was measured."),)
"""Where not even a resolver answered."""


def next_steps(verdict: Verdict, failure: str | None = None) -> tuple[str, ...]:
    """What to do about a verdict, the most urgent first; empty where nothing needs doing."""
    if verdict.outcome is Outcome.UNREACHABLE and failure == Failure.PROXY_FAILED:
        return tuple(map(_, PROXY_STEPS))
    if UndecidedCode.CONNECTION in verdict.undecided:
        return tuple(map(_, CONNECT_FIRST))
    if verdict.outcome is Outcome.INTERCEPTION:
        return INTERCEPTION_STEPS[verdict.scope or Scope.UNKNOWN]
    return STEPS[verdict.outcome]


def limits(verdict: Verdict) -> tuple[str, ...]:
    """What the verdict does not prove."""
    general = LIMITS[verdict.outcome]
    doubtful = verdict.authority is not None and verdict.authority.match in {"family", "name"}
    if doubtful and verdict.confidence is not Confidence.CONFIRMED:
        return (general, _(NAMES_CAN_BE_FORGED))
    return (general,)
