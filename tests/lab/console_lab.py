"""A laboratory in memory that behaves as a real session does, with real certificates, for the console."""

import re
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from gettext import NullTranslations

from cryptography.hazmat.primitives.serialization import Encoding

from kzmitm.errors import UsageError
from kzmitm.evidence.scan_document import target_row
from kzmitm.lab.certificates.look_alike import LookAlikeCA
from kzmitm.lab.certificates.pki import Leaf, PublicCA
from kzmitm.lab.console import serve
from kzmitm.lab.errors import LaboratoryError
from kzmitm.lab.profile import CLEAN, LOOK_ALIKE, Place, Profile, expect
from kzmitm.lab.session import Active, Finding, Hop, Offer
from kzmitm.lab.settings import Parameter
from kzmitm.lab.sites import Site
from kzmitm.model.failure import Failure
from kzmitm.model.measurement import Measurement
from kzmitm.model.target import Target, Vantage
from kzmitm.model.verdict import Authority, Cause, Confidence, Forger, Outcome, RuledOut, Scope, Verdict
from kzmitm.pki.parse import parse_certificate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DER = Encoding.DER
TOKEN = "a-token-of-the-tests-1234"
WATCHED = ("social.lab.test", "video.lab.test", "mail.lab.test")

HOPS = (
    Hop(name="client", title="your computer", place=Place.CLIENT, addresses=("10.77.0.2", "fd77::2")),
    Hop(
        name="access",
        title="access router",
        place=Place.ACCESS,
        addresses=("10.77.0.1", "198.51.100.1", "fd77::1"),
    ),
    Hop(
        name="operator",
        title="operator's gateway",
        place=Place.OPERATOR,
        addresses=("198.51.100.2", "198.51.100.5"),
    ),
    Hop(name="transit", title="transit", place=Place.TRANSIT, addresses=("198.51.100.6", "203.0.113.1")),
    Hop(
        name="server",
        title="servers of the sites",
        place=Place.SERVER,
        addresses=("203.0.113.10", "203.0.113.11", "203.0.113.12"),
    ),
)
SITES = (*(Site(name, watched=True) for name in WATCHED), Site("news.lab.test"), Site("bank.lab.test"))

PARAMETERS = (
    Parameter("watched", ",".join(WATCHED), "the sites whose names it strikes", is_list=True),
    Parameter("country", "KZ", "the country in the names of the CA"),
    Parameter("rule", "late-2019", "how the leaf is forged", choices=("early-2019", "late-2019")),
    Parameter("hidden", "", "routers that stay silent", choices=("access", "transit"), is_list=True),
)
FORGED = expect(
    Outcome.INTERCEPTION,
    confidence=Confidence.CONFIRMED,
    scope=Scope.STATE,
    authority=LOOK_ALIKE,
    forger="kazakhstan-2019-late",
)
PROFILES = (
    Profile(
        name="kz-inline",
        title="interception as in Kazakhstan, on the live connection",
        lesson="The connection reaches the real server. Only when the hello names a watched site, the "
        "operator's box takes it over and answers with a leaf that it forged from the genuine one.",
        place=Place.OPERATOR,
        intercepts=True,
        selective=True,
        expected=lambda _settings: FORGED,
        parameters=PARAMETERS,
    ),
    Profile(
        name="corporate",
        title="an office proxy that reads everything",
        lesson="An office proxy forges for every site, at the first router.",
        place=Place.ACCESS,
        intercepts=True,
        expected=lambda _settings: FORGED,
    ),
    Profile(
        name="squid",
        title="squid, that bumps watched names",
        lesson="A proxy of its own.",
        place=Place.OPERATOR,
        intercepts=True,
        expected=lambda _settings: FORGED,
        needs=("squid-openssl",),
    ),
    Profile(
        name="drop",
        title="a filter that swallows connections to watched names",
        lesson="Nothing comes any more once the hello names a watched site. No certificate was forged.",
        place=Place.OPERATOR,
        selective=True,
        expected=lambda _settings: expect(Outcome.BLOCKED, confidence=Confidence.LIKELY),
        parameters=PARAMETERS[:1],
    ),
    Profile(
        name="expired",
        title="a site whose certificate has run out",
        lesson="The site's owner forgot to renew it. It looks the same from every network.",
        place=Place.SERVER,
        expected=lambda _settings: expect(Outcome.ORIGIN_MISCONFIGURED),
        parameters=(Parameter("sites", "bank.lab.test", "the sites that are looked at", is_list=True),),
    ),
)
VERDICTS = {
    True: Verdict(
        outcome=Outcome.INTERCEPTION,
        confidence=Confidence.CONFIRMED,
        scope=Scope.STATE,
        authority=Authority(
            LOOK_ALIKE,
            "Qaznet look-alike of the laboratory",
            "state_interception",
            "key",
            "key:" + "ab" * 32,
            "KZ",
        ),
        forgers=(Forger("kazakhstan-2019-late", "Kazakhstan, late 2019", ("subject:copied", "exponent:3")),),
        rule_ids=("known_ca.signed", "contrast.only_this_name"),
        ruled_out=(
            RuledOut(Cause.CAPTIVE_PORTAL, "names_cover_host"),
            RuledOut(Cause.ORIGIN, "benign_sni_genuine"),
            RuledOut(Cause.CLOCK, "other_hosts_in_time"),
        ),
    ),
    "drop": Verdict(
        outcome=Outcome.BLOCKED,
        confidence=Confidence.LIKELY,
        rule_ids=("blocked.cut_for_this_name",),
        undecided=("second_network",),
    ),
    "expired": Verdict(
        outcome=Outcome.ORIGIN_MISCONFIGURED,
        confidence=Confidence.LIKELY,
        rule_ids=("origin.expired",),
        certificate_failure=Failure.SSL_INVALID_CERTIFICATE,
    ),
    None: Verdict(
        outcome=Outcome.CLEAN, confidence=Confidence.CONFIRMED, rule_ids=("trusted.for_this_name",)
    ),
}


@cache
def authorities():
    return PublicCA(NOW), LookAlikeCA(NOW)


@cache
def genuine(hostname):
    return authorities()[0].issue(Leaf(hostname=hostname))


def chain(credential):
    return credential.presented


class FakeSession:
    """One caller at a time, as the protocol says: it fails if two threads ever use it."""

    kind = "network"
    hops = HOPS
    sites = SITES

    def __init__(self):
        self._active = None
        self.scanned = []
        self.hold = threading.Event()
        self.hold.set()
        """Cleared, it keeps every scan from ending."""
        self.fails = None
        """What the next scan raises."""
        self.lies = frozenset()
        """Sites of which the scan says clean, whatever is on."""
        self._thread = None

    def offers(self):
        self._one_caller()
        return [Offer(profile=profile, missing=profile.needs) for profile in PROFILES]

    def active(self):
        self._one_caller()
        return self._active

    def switch_on(self, profile, given):
        self._one_caller()
        chosen = next((one for one in PROFILES if one.name == profile), None)
        if chosen is None:
            raise UsageError(f"no profile is called {profile!r}", hint="there is: kz-inline")
        if chosen.needs:
            raise LaboratoryError(f"{profile} did not start")
        self._active = Active(profile=chosen, settings=chosen.settle(given))
        return self._active

    def switch_off(self):
        self._one_caller()
        self._active = None

    def scan(self, hostnames):
        self._one_caller()
        self.hold.wait()
        self.scanned.append(tuple(hostnames))
        if self.fails is not None:
            failure, self.fails = self.fails, None
            raise failure
        return tuple(map(self._finding, reversed(hostnames)))  # in whatever order they ended

    def _one_caller(self):
        self._thread = self._thread or threading.get_ident()
        assert self._thread == threading.get_ident(), "a session is for one caller"

    def _finding(self, hostname):
        kind = self._kind(hostname)
        credential = genuine(hostname)
        expected = (
            CLEAN
            if self._active is None
            else self._active.profile.expected_for(hostname, self._active.settings)
        )
        presented = (
            chain(authorities()[1].forge(credential.certificate)) if kind is True else chain(credential)
        )
        if kind == "drop":
            presented = ()
        verdict = VERDICTS[None if hostname in self.lies else kind]
        measured = Measurement(target=Target(hostname), vantage=Vantage(), started_at=NOW)
        row = target_row(measured, verdict, certificates=[parse_certificate(one) for one in presented])
        return Finding(
            hostname=hostname, row=row, expected=expected, presented=presented, genuine=chain(credential)
        )

    def _kind(self, hostname):
        """What strikes the site: True for a forger, the name of another profile, None for nothing."""
        if self._active is None:
            return None
        profile, settings = self._active.profile, self._active.settings
        if profile.selective and hostname not in profile.struck(settings):
            return None
        return True if profile.intercepts else profile.name


@contextmanager
def console(session, **more):
    """The URL of a console for this session, served until the end of the block."""
    url, stop, there = [], threading.Event(), threading.Event()

    def announce(text):
        url.append(text)
        there.set()

    def work():
        try:
            serve(session, token=TOKEN, announce=announce, stop=stop, **more)
        finally:
            there.set()

    thread = threading.Thread(target=work)
    thread.start()
    there.wait()
    try:
        yield url[0]
    finally:
        session.hold.set()
        stop.set()
        thread.join()


class Capitals(NullTranslations):
    """A language of capitals; places keep their names."""

    def gettext(self, message):
        return re.sub(r"(\{[^}]*\})|([^{]+)", lambda part: part[1] or part[2].upper(), message)
