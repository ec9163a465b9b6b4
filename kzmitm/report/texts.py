"""Every code of a verdict in plain English, for people who know nothing of certificates.

The tables are the only place where a code becomes words. What `_` marks is what a translator sees.
"""

from collections.abc import Mapping

from kzmitm.model.failure import Failure
from kzmitm.model.verdict import Cause, Confidence, Outcome, Scope
from kzmitm.pki.kinds import Kind
from kzmitm.report.language import _

WORDS: Mapping[Outcome, str] = {
    Outcome.CLEAN: _("CLEAN"),
    Outcome.INTERCEPTION: _("INTERCEPTION"),
    Outcome.TRUSTED_UNEXPECTED: _("UNEXPECTED"),
    Outcome.CAPTIVE_PORTAL: _("LOGIN PORTAL"),
    Outcome.DNS_HIJACK: _("DNS HIJACK"),
    Outcome.ORIGIN_MISCONFIGURED: _("BROKEN SITE"),
    Outcome.BLOCKED: _("BLOCKED"),
    Outcome.UNREACHABLE: _("UNREACHABLE"),
    Outcome.INCONCLUSIVE: _("INCONCLUSIVE"),
}
"""The word that a line begins with; colour only repeats it."""

WORD_WIDTH = max(map(len, WORDS.values()))

SEEN: Mapping[Outcome, str] = {
    Outcome.CLEAN: _("the site proved who it is with a certificate that public authorities vouch for"),
    Outcome.INTERCEPTION: _(
        "somebody between you and the site answered in its place with a forged certificate, "
        "so the connection could be read and changed on its way"
    ),
    Outcome.TRUSTED_UNEXPECTED: _(
        "the certificate is vouched for by a public authority, yet it is not one this site shows elsewhere"
    ),
    Outcome.CAPTIVE_PORTAL: _(
        "the network answers in place of every site, as the login page of a hotel, airport or café does"
    ),
    Outcome.DNS_HIJACK: _(
        "the name leads to an address that is not the site's; whoever answers there does not pretend to be it"
    ),
    Outcome.ORIGIN_MISCONFIGURED: _(
        "the site's own certificate is broken, and nothing speaks for interception"
    ),
    Outcome.BLOCKED: _("the connection was cut or silenced on its way"),
    Outcome.UNREACHABLE: _("no connection came about, so no certificate was seen"),
    Outcome.INCONCLUSIVE: _("nothing that decides it; this is not an all-clear"),
}
"""What an outcome means; goes after `What was seen:` and after the name of a target."""

CONFIDENCES: Mapping[Confidence, str] = {
    Confidence.CONFIRMED: _("confirmed"),
    Confidence.LIKELY: _("likely"),
    Confidence.SUSPECTED: _("suspected"),
}

WHY_SURE: Mapping[Confidence, str] = {
    Confidence.CONFIRMED: _("nothing else explains what was seen"),
    Confidence.LIKELY: _("what was seen fits it, and the innocent causes do not explain it"),
    Confidence.SUSPECTED: _("a sign of it, which something innocent could still explain"),
}
"""What each word means; they are kinds of artefact and not degrees of a score."""

WHY_SURE_BY_MATCH: Mapping[str, str] = {
    "certificate": _("a certificate that is known to be its own was in the chain"),
    "key": _("a key that is known to be its own was in the chain"),
    "signature": _("a key that is known to be its own signed the chain; nobody else can make that signature"),
    "family": _("the certificates are built in its manner, but no known key signed them"),
    "name": _("a certificate bears its name, which anybody can write"),
}
"""The same for an interception whose authority was recognised."""

TWO_NETWORKS = _("the same unknown issuer was seen in two networks")

SCOPES: Mapping[Scope, str] = {
    Scope.STATE: _("a state"),
    Scope.ISP: _("an Internet provider"),
    Scope.MIDDLEBOX: _("a filtering device of an office, a school or another network"),
    Scope.LOCAL: _("a program on this computer, such as an antivirus"),
    Scope.UNKNOWN: _("somebody unknown"),
}

SCOPE_WORDS: Mapping[Scope, str] = {
    Scope.STATE: _("state"),
    Scope.ISP: _("provider"),
    Scope.MIDDLEBOX: _("network device"),
    Scope.LOCAL: _("this computer"),
    Scope.UNKNOWN: _("whose is unknown"),
}
"""The same in a word, for the line of a target."""

KINDS: Mapping[str, str] = {
    Kind.STATE_INTERCEPTION: _(
        "a state's interception authority, made for reading other people's connections"
    ),
    Kind.STATE_PKI: _("a state's authority for signatures and services; able to intercept, not known to"),
    Kind.ISP_INTERCEPTION: _("an Internet provider's interception authority"),
    Kind.INCIDENT_CA: _("an authority or a key that was misused before, or whose secret is public"),
    Kind.COMMERCIAL_MIDDLEBOX: _("a filtering device sold to offices and schools"),
    Kind.ANTIVIRUS: _("an antivirus program that reads connections on this computer"),
    Kind.DEVELOPER_PROXY: _("a tool with which developers read their own connections"),
    Kind.ADWARE: _("unwanted software that reads connections on this computer"),
}
"""What kind of authority it is, by the registry's `kind`."""

MATCHES: Mapping[str, str] = {
    "certificate": _("recognised by its certificate"),
    "key": _("recognised by its key, in another certificate"),
    "signature": _("recognised by a signature that its key made"),
    "family": _("recognised by the manner in which it builds certificates"),
    "name": _("recognised by nothing but a name"),
}
"""How an authority was recognised, strongest first."""

CAUSES: Mapping[Cause, str] = {
    Cause.LOCAL_ROOT: _("a program on this computer or a device in this office"),
    Cause.CAPTIVE_PORTAL: _("the login page of a network"),
    Cause.DNS: _("a wrong answer to the question for the address"),
    Cause.ORIGIN: _("a broken certificate of the site itself"),
    Cause.CDN: _("one of several genuine certificates of the site"),
    Cause.CLOCK: _("a wrong clock on this computer"),
    Cause.INSTRUMENT: _("a flaw of this tool"),
}
"""The innocent causes, as they stand after `Ruled out:`."""

FAILURES: Mapping[str, str] = {
    Failure.CONNECTION_REFUSED: _("the connection was refused"),
    Failure.CONNECTION_RESET: _("the connection was reset from outside"),
    Failure.CONNECTION_ABORTED: _("the connection was aborted"),
    Failure.HOST_UNREACHABLE: _("the network says the address cannot be reached"),
    Failure.NETWORK_UNREACHABLE: _("there is no way to that network"),
    Failure.NETWORK_DOWN: _("the network is down"),
    Failure.NETWORK_RESET: _("the network was reset"),
    Failure.GENERIC_TIMEOUT: _("no answer in the time allowed"),
    Failure.TIMED_OUT: _("no answer; the operating system gave up"),
    Failure.EOF: _("the other side closed without an answer"),
    Failure.SSL_INVALID_HOSTNAME: _("the certificate is for another name"),
    Failure.SSL_UNKNOWN_AUTHORITY: _("no public authority vouches for the certificate"),
    Failure.SSL_INVALID_CERTIFICATE: _("the certificate is not valid, or not valid now"),
    Failure.SSL_FAILED_HANDSHAKE: _("the other side refused, or did not speak TLS"),
    Failure.DNS_NXDOMAIN: _("the name does not exist, says the resolver"),
    Failure.DNS_NO_ANSWER: _("the resolver knows no address for the name"),
    Failure.DNS_SERVFAIL: _("the resolver failed"),
    Failure.DNS_REFUSED: _("the resolver refused to answer"),
    Failure.DNS_SERVER_MISBEHAVING: _("the resolver misbehaved"),
    Failure.DNS_TEMPORARY: _("the resolver failed for the moment"),
    Failure.DNS_NON_RECOVERABLE: _("the resolver failed for good"),
    Failure.ADDRESS_FAMILY_NOT_SUPPORTED: _("this computer does not speak that kind of address"),
    Failure.ADDRESS_NOT_AVAILABLE: _("this computer has no such address to send from"),
    Failure.PERMISSION_DENIED: _("this computer forbids the connection"),
    Failure.INVALID_ARGUMENT: _("this computer cannot connect to such an address"),
    Failure.NO_BUFFER_SPACE: _("this computer has no room for another connection"),
    Failure.INTERRUPTED: _("stopped before it was done"),
    Failure.PROXY_FAILED: _("the proxy failed; this says nothing of the site"),
}

UNKNOWN_FAILURE = _("a failure without a name")


def failure_text(failure: str) -> str:
    """The sentence for a failure string; what OONI calls `unknown_failure: …` is kept as it is."""
    known = FAILURES.get(failure)
    if known is not None:
        return known
    detail = failure.partition(":")[2].strip()
    return f"{UNKNOWN_FAILURE}: {detail}" if detail else f"{UNKNOWN_FAILURE}: {failure}"


def kind_text(kind: str) -> str:
    """The phrase for an authority's kind; a kind of a newer registry is shown by its own word."""
    return KINDS.get(kind, kind.replace("_", " "))
