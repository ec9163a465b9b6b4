"""Every code of a verdict in plain English, for people who know nothing of certificates.

The tables are the only place where a code becomes words. What `_` marks is what a translator sees.
"""

from collections.abc import Mapping

from kzmitm.model.failure import Failure
from kzmitm.model.verdict import Cause, Confidence, Outcome, Scope
from kzmitm.pki.kinds import Kind
from kzmitm.report.language import N_, Words, _

WORDS: Mapping[Outcome, str] = Words(
    {
        Outcome.CLEAN: N_("CLEAN"),
        Outcome.INTERCEPTION: N_("INTERCEPTION"),
        Outcome.TRUSTED_UNEXPECTED: N_("UNEXPECTED"),
        Outcome.CAPTIVE_PORTAL: N_("LOGIN PORTAL"),
        Outcome.DNS_HIJACK: N_("DNS HIJACK"),
        Outcome.ORIGIN_MISCONFIGURED: N_("BROKEN SITE"),
        Outcome.BLOCKED: N_("BLOCKED"),
        Outcome.UNREACHABLE: N_("UNREACHABLE"),
        Outcome.INCONCLUSIVE: N_("INCONCLUSIVE"),
    }
)
"""The word that a line begins with; colour only repeats it."""

WORD_WIDTH = max(map(len, WORDS.values()))

SEEN: Mapping[Outcome, str] = Words(
    {
        Outcome.CLEAN: N_("the site proved who it is with a certificate that public authorities vouch for"),
        Outcome.INTERCEPTION: N_(
            "somebody between you and the site answered in its place with a forged certificate, "
            "so the connection could be read and changed on its way"
        ),
        Outcome.TRUSTED_UNEXPECTED: N_(
            "the certificate is vouched for by a public authority, yet it is not one this site "
            "shows elsewhere"
        ),
        Outcome.CAPTIVE_PORTAL: N_(
            "the network answers in place of every site, as the login page of a hotel, airport or café does"
        ),
        Outcome.DNS_HIJACK: N_(
            "the name leads to an address that is not the site's; whoever answers there does not "
            "pretend to be it"
        ),
        Outcome.ORIGIN_MISCONFIGURED: N_(
            "the site's own certificate is broken, and nothing speaks for interception"
        ),
        Outcome.BLOCKED: N_("the connection was cut or silenced on its way"),
        Outcome.UNREACHABLE: N_("no connection came about, so no certificate was seen"),
        Outcome.INCONCLUSIVE: N_("nothing that decides it; this is not an all-clear"),
    }
)
"""What an outcome means; goes after `What was seen:` and after the name of a target."""

CONFIDENCES: Mapping[Confidence, str] = Words(
    {
        Confidence.CONFIRMED: N_("confirmed"),
        Confidence.LIKELY: N_("likely"),
        Confidence.SUSPECTED: N_("suspected"),
    }
)

WHY_SURE: Mapping[Confidence, str] = Words(
    {
        Confidence.CONFIRMED: N_("nothing else explains what was seen"),
        Confidence.LIKELY: N_("what was seen fits it, and the innocent causes do not explain it"),
        Confidence.SUSPECTED: N_("a sign of it, which something innocent could still explain"),
    }
)
"""What each word means; they are kinds of artefact and not degrees of a score."""

WHY_SURE_BY_MATCH: Mapping[str, str] = Words(
    {
        "certificate": N_("a certificate that is known to be its own was in the chain"),
        "key": N_("a key that is known to be its own was in the chain"),
        "signature": N_(
            "a key that is known to be its own signed the chain; nobody else can make that signature"
        ),
        "family": N_("the certificates are built in its manner, but no known key signed them"),
        "name": N_("a certificate bears its name, which anybody can write"),
    }
)
"""The same for an interception whose authority was recognised."""

TWO_NETWORKS = N_("the same unknown issuer was seen in two networks")

SCOPES: Mapping[Scope, str] = Words(
    {
        Scope.STATE: N_("a state"),
        Scope.ISP: N_("an Internet provider"),
        Scope.MIDDLEBOX: N_("a filtering device of an office, a school or another network"),
        Scope.LOCAL: N_("a program on this computer, such as an antivirus"),
        Scope.UNKNOWN: N_("somebody unknown"),
    }
)

SCOPE_WORDS: Mapping[Scope, str] = Words(
    {
        Scope.STATE: N_("state"),
        Scope.ISP: N_("provider"),
        Scope.MIDDLEBOX: N_("network device"),
        Scope.LOCAL: N_("this computer"),
        Scope.UNKNOWN: N_("whose is unknown"),
    }
)
"""The same in a word, for the line of a target."""

KINDS: Mapping[str, str] = Words(
    {
        Kind.STATE_INTERCEPTION: N_(
            "a state's interception authority, made for reading other people's connections"
        ),
        Kind.STATE_PKI: N_(
            "a state's authority for signatures and services; able to intercept, not known to"
        ),
        Kind.ISP_INTERCEPTION: N_("an Internet provider's interception authority"),
        Kind.INCIDENT_CA: N_("an authority or a key that was misused before, or whose secret is public"),
        Kind.COMMERCIAL_MIDDLEBOX: N_("a filtering device sold to offices and schools"),
        Kind.ANTIVIRUS: N_("an antivirus program that reads connections on this computer"),
        Kind.DEVELOPER_PROXY: N_("a tool with which developers read their own connections"),
        Kind.ADWARE: N_("unwanted software that reads connections on this computer"),
        Kind.ORIGIN_CA: N_(
            "an authority for servers behind a delivery network; no browser is meant to trust it"
        ),
        Kind.TEST_CA: N_("an authority for tests; no browser is meant to trust it"),
        Kind.FORMER_CA: N_("an authority that browsers trusted once; Firefox at least does no longer"),
    }
)
"""What kind of authority it is, by the registry's `kind`."""

MATCHES: Mapping[str, str] = Words(
    {
        "certificate": N_("recognised by its certificate"),
        "key": N_("recognised by its key, in another certificate"),
        "signature": N_("recognised by a signature that its key made"),
        "family": N_("recognised by the manner in which it builds certificates"),
        "name": N_("recognised by nothing but a name"),
    }
)
"""How an authority was recognised, strongest first."""

CAUSES: Mapping[Cause, str] = Words(
    {
        Cause.LOCAL_ROOT: N_("a program on this computer or a device in this office"),
        Cause.CAPTIVE_PORTAL: N_("the login page of a network"),
        Cause.DNS: N_("a wrong answer to the question for the address"),
        Cause.ORIGIN: N_("a broken certificate of the site itself"),
        Cause.CDN: N_("one of several genuine certificates of the site"),
        Cause.CLOCK: N_("a wrong clock on this computer"),
        Cause.INSTRUMENT: N_("a flaw of this tool"),
    }
)
"""The innocent causes, as they stand after `Ruled out:`."""

FAILURES: Mapping[str, str] = Words(
    {
        Failure.CONNECTION_REFUSED: N_("the connection was refused"),
        Failure.CONNECTION_RESET: N_("the connection was reset from outside"),
        Failure.CONNECTION_ABORTED: N_("the connection was aborted"),
        Failure.HOST_UNREACHABLE: N_("the network says the address cannot be reached"),
        Failure.NETWORK_UNREACHABLE: N_("there is no way to that network"),
        Failure.NETWORK_DOWN: N_("the network is down"),
        Failure.NETWORK_RESET: N_("the network was reset"),
        Failure.GENERIC_TIMEOUT: N_("no answer in the time allowed"),
        Failure.TIMED_OUT: N_("no answer; the operating system gave up"),
        Failure.EOF: N_("the other side closed without an answer"),
        Failure.SSL_INVALID_HOSTNAME: N_("the certificate is for another name"),
        Failure.SSL_UNKNOWN_AUTHORITY: N_("no public authority vouches for the certificate"),
        Failure.SSL_INVALID_CERTIFICATE: N_("the certificate is not valid, or not valid now"),
        Failure.SSL_FAILED_HANDSHAKE: N_("the other side refused, or did not speak TLS"),
        Failure.DNS_NXDOMAIN: N_("the name does not exist, says the resolver"),
        Failure.DNS_NO_ANSWER: N_("the resolver knows no address for the name"),
        Failure.DNS_SERVFAIL: N_("the resolver failed"),
        Failure.DNS_REFUSED: N_("the resolver refused to answer"),
        Failure.DNS_SERVER_MISBEHAVING: N_("the resolver misbehaved"),
        Failure.DNS_TEMPORARY: N_("the resolver failed for the moment"),
        Failure.DNS_NON_RECOVERABLE: N_("the resolver failed for good"),
        Failure.ADDRESS_FAMILY_NOT_SUPPORTED: N_("this computer does not speak that kind of address"),
        Failure.ADDRESS_NOT_AVAILABLE: N_("this computer has no such address to send from"),
        Failure.PERMISSION_DENIED: N_("this computer forbids the connection"),
        Failure.INVALID_ARGUMENT: N_("this computer cannot connect to such an address"),
        Failure.NO_BUFFER_SPACE: N_("this computer has no room for another connection"),
        Failure.INTERRUPTED: N_("stopped before it was done"),
        Failure.PROXY_FAILED: N_("the proxy failed; this says nothing of the site"),
    }
)

UNKNOWN_FAILURE = N_("a failure without a name")


def failure_text(failure: str) -> str:
    """The sentence for a failure string; what OONI calls `unknown_failure: …` is kept as it is."""
    known = FAILURES.get(failure)
    if known is not None:
        return known
    detail = failure.partition(":")[2].strip()
    return f"{_(UNKNOWN_FAILURE)}: {detail}" if detail else f"{_(UNKNOWN_FAILURE)}: {failure}"


def kind_text(kind: str) -> str:
    """The phrase for an authority's kind; a kind of a newer registry is shown by its own word."""
    return KINDS.get(kind, kind.replace("_", " "))
