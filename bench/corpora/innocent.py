"""Situations in which nobody forged, however much it may look so: web_connectivity."""

import datetime as dt

from corpora import minting, rows
from corpora.authorities import b64
from corpora.minting import Span, ec_key
from corpora.rows import Handshake
from corpora.scene import OLD_STORE_VERSION, Made, Scene
from corpora.sites import named
from corpora.situations import (
    HOSTNAME,
    INVALID,
    NEW,
    UNKNOWN,
    broken_origin,
    failing,
    good,
    situation,
    stored,
    visit,
)
from corpora.web import SCRUBBED, Endpoint, Plan, Visit, document

_ANY = (
    "clean",
    "inconclusive",
    "origin_misconfigured",
    "dns_hijack",
    "captive_portal",
    "blocked",
    "unreachable",
)


@situation("clean", weight=480.0)
def clean_https(scene: Scene) -> Made:
    """Fetched, verified, alike."""
    if scene.era == "v04" and scene.rng.random() < 0.01:
        scene.software_version = OLD_STORE_VERSION  # most sites it can verify
    return Made(document(scene, Plan([visit(scene, good(scene))], body=scene.page())))


@situation("inconclusive", accept=("clean", "unreachable"), weight=40.0)
def clean_http(scene: Scene) -> Made:
    """No TLS anywhere: nothing was measured of it."""
    return Made(document(scene, Plan([visit(scene, None, scheme="http")], body=scene.page())))


@situation("clean", accept=("inconclusive", "unreachable"), weight=90.0)
def clean_redirect(scene: Scene) -> Made:
    """From http to https; before 0.5 nobody looked at the TLS of the second step."""
    first = visit(scene, None, scheme="http")
    if scene.era == "v05":
        first.endpoints += [Endpoint(ip, good(scene)) for ip in scene.site.addresses]
    second = visit(scene, good(scene), path="/ru/")
    return Made(document(scene, Plan([first, second], body=scene.page())))


@situation("clean", weight=30.0)
def clean_rotating_certificates(scene: Scene) -> Made:
    """A farm behind anycast: every address shows another genuine certificate, seldom the same twice."""
    one = visit(scene, None)
    one.endpoints = [
        Endpoint(ip, good(scene, variant=scene.rng.randrange(1, 6)))
        for ip in (*scene.site.addresses, "199.232.1.140")
    ]
    return Made(document(scene, Plan([one], body=scene.page())))


@situation("clean", weight=12.0)
def clean_without_certificates(scene: Scene) -> Made:
    """Verified by the probe, whose certificates are null, no list, an empty list, or without their data."""
    handshake = good(scene)
    form = scene.rng.choice(("null", "absent", "bare", "empty"))
    if form == "empty":
        handshake.certificates = []
    else:
        handshake.peer_key = form
    return Made(document(scene, Plan([visit(scene, handshake)], body=scene.page())))


@situation("clean", weight=4.0, eras=NEW)
def clean_scrubbed(scene: Scene) -> Made:
    """The address is blotted out."""
    one = visit(scene, good(scene))
    one.endpoints = [Endpoint(SCRUBBED, good(scene))]
    return Made(document(scene, Plan([one], body=scene.page())))


@situation("clean", weight=4.0)
def clean_idn(scene: Scene) -> Made:
    """The input is written in Cyrillic, the rows in punycode."""
    scene.site = named("яндекс.рф".encode("idna").decode())
    plan = Plan([visit(scene, good(scene))], body=scene.page(), input_="https://яндекс.рф/")
    return Made(document(scene, plan))


@situation("clean", weight=15.0)
def clean_control_missing(scene: Scene) -> Made:
    """Verified, though no helper answered."""
    plan = Plan([visit(scene, good(scene))], body=scene.page(), control=False, blocking=None, accessible=None)
    return Made(document(scene, plan))


@situation("origin_misconfigured", cause="origin", weight=4.0, eras=NEW)
def origin_expired(scene: Scene) -> Made:
    """The site let its certificate lapse: the control says the same."""
    chain = scene.world.public.genuine(scene.site, scene.moment - dt.timedelta(days=500))
    return broken_origin(scene, stored(INVALID, chain[0]))


@situation("origin_misconfigured", cause="origin", weight=4.0, eras=NEW)
def origin_self_signed(scene: Scene) -> Made:
    """The site signs for itself: the control says the same."""
    return broken_origin(scene, stored(UNKNOWN, _own(scene)))


@situation("origin_misconfigured", cause="origin", weight=5.0, eras=NEW)
def origin_wrong_name(scene: Scene) -> Made:
    """The certificate is of another name of the same operator: the control says the same."""
    other = named(f"srv{scene.site.number % 40}.hosting.example")
    return broken_origin(scene, stored(HOSTNAME, scene.genuine(other)[0]))


@situation("origin_misconfigured", cause="origin", weight=5.0, eras=NEW)
def origin_missing_intermediate(scene: Scene) -> Made:
    """The site forgot its intermediate: a genuine leaf without a path, for the control too."""
    return broken_origin(scene, stored(UNKNOWN, scene.genuine()[0]))


@situation("inconclusive", accept=("origin_misconfigured",), cause="origin", weight=3.0, eras=NEW)
def origin_control_missing(scene: Scene) -> Made:
    """A certificate that the site signed itself, and no helper to compare with."""
    scene.site = named(f"old-router{scene.rng.randrange(9)}.example")
    handshake = stored(UNKNOWN, _own(scene))
    return failing(scene, handshake, control=False, blocking=None, accessible=None)


@situation("origin_misconfigured", cause="origin", weight=2.0, eras=NEW)
def origin_state_pki(scene: Scene) -> Made:
    """A site of the state that uses the e-signature PKI of its own will: nobody's browser trusts it."""
    scene.site = named(scene.rng.choice(("idp.egov.kz", "cabinet.salyk.kz", "e.zan.kz")))
    issuer, _root = scene.world.state_pki
    return broken_origin(scene, stored(UNKNOWN, issuer.base64))


@situation("origin_misconfigured", cause="cdn", accept=("inconclusive",), weight=4.0, eras=NEW)
def cdn_default_certificate(scene: Scene) -> Made:
    """The site has left its CDN, which shows its default certificate to all."""
    return broken_origin(scene, stored(HOSTNAME, scene.genuine(named("default.ssl.cdn.example"))[0]))


@situation("dns_hijack", cause="dns", weight=5.0, eras=NEW)
def dns_hijack_impostor(scene: Scene) -> Made:
    """The name leads to an impostor's address, which the control does not know and where it fails alike."""
    key = ec_key(f"{scene.world.seed}:impostor")
    span = Span.days(dt.datetime(2020, 6, 1, tzinfo=dt.UTC), 3650)
    leaf = b64(minting.self_signed("CN=localhost", [scene.site.domain], key, span, 5))
    one = visit(scene, stored(UNKNOWN, leaf))
    one.endpoints = [
        Endpoint(f"88.204.{scene.network.asn % 256}.77", stored(UNKNOWN, leaf), control_tls=UNKNOWN)
    ]
    plan = Plan(
        [one], control_dns=list(scene.site.addresses), blocking="dns", accessible=False, consistent=False
    )
    return Made(document(scene, plan))


@situation("dns_hijack", cause="dns", accept=("blocked",), weight=8.0)
def dns_block_page(scene: Scene) -> Made:
    """The name leads to a page that says it is blocked; on 443 nobody answers there."""
    one = visit(scene, None, scheme="http")
    one.endpoints = [Endpoint("195.12.113.10", port=80)]
    if scene.era == "v05":
        refused = "connection_refused"
        one.endpoints.append(Endpoint("195.12.113.10", tcp=refused, control_tcp=refused))
    body = scene.page(small=True, title="Доступ ограничен")
    plan = Plan(
        [one],
        control_dns=list(scene.site.addresses),
        body=body,
        blocking="dns",
        accessible=False,
        consistent=False,
    )
    return Made(document(scene, plan))


@situation(
    "captive_portal", cause="captive_portal", accept=("dns_hijack", "inconclusive"), weight=3.0, eras=NEW
)
def captive_portal(scene: Scene) -> Made:
    """A hotel's gateway at a private address, with a genuine certificate of its own name."""
    handshake = stored(HOSTNAME, scene.genuine(named("login.wifi-portal.kz"))[0])
    one = visit(scene, handshake)
    one.endpoints = [Endpoint("10.5.50.1", handshake, control_tcp=rows.TIMEOUT, control_tls=rows.TIMEOUT)]
    plan = Plan(
        [one], control_dns=list(scene.site.addresses), blocking="dns", accessible=False, consistent=False
    )
    return Made(document(scene, plan))


@situation("captive_portal", cause="captive_portal", accept=("inconclusive",), weight=2.0, eras=NEW)
def captive_portal_same_address(scene: Scene) -> Made:
    """A gateway that answers for every address, with a genuine certificate of its own name."""
    return failing(scene, stored(HOSTNAME, scene.genuine(named("login.wifi-portal.kz"))[0]))


@situation("blocked", weight=14.0, watched=True)
def tls_reset(scene: Scene) -> Made:
    """Reset after the ClientHello."""
    return failing(scene, Handshake(rows.RESET, []))


@situation("blocked", weight=60.0, watched=True)
def tls_timeout(scene: Scene) -> Made:
    """Silence after the ClientHello: what is mostly done in Kazakhstan."""
    return failing(scene, Handshake(rows.TIMEOUT, [] if scene.era == "v05" else None))


@situation("blocked", weight=6.0, watched=True)
def tls_eof(scene: Scene) -> Made:
    """Closed after the ClientHello."""
    return failing(scene, Handshake(rows.EOF, []))


@situation("blocked", weight=3.0, watched=True)
def tls_not_tls(scene: Scene) -> Made:
    """Octets that are no TLS come back."""
    return failing(scene, Handshake(rows.NOT_TLS, []))


@situation("unreachable", accept=("blocked", "dns_hijack", "inconclusive"), cause="dns", weight=25.0)
def dns_nxdomain(scene: Scene) -> Made:
    """The name leads nowhere, for the control either."""
    one = Visit(f"https://{scene.site.domain}/", scene.site, [], dns_failure="dns_nxdomain_error")
    plan = Plan(
        [one], control_dns=[], control_dns_failure="dns_name_error", control_http_failure="dns_lookup_error"
    )
    plan.accessible = False
    return Made(document(scene, plan))


@situation("unreachable", accept=("blocked", "inconclusive"), weight=25.0)
def tcp_timeout(scene: Scene) -> Made:
    """No connection."""
    one = visit(scene, None)
    one.failure = rows.TIMEOUT
    one.endpoints = [Endpoint(ip, tcp=rows.TIMEOUT) for ip in scene.site.addresses]
    return Made(document(scene, Plan([one], blocking="tcp_ip", accessible=False)))


@situation("inconclusive", accept=_ANY, cause="clock", weight=3.0, eras=NEW)
def clock_wrong(scene: Scene) -> Made:
    """The probe's clock is years ahead: a genuine certificate has expired by it; control and uid know."""
    scene.stated_moment = scene.moment + dt.timedelta(days=700 + scene.network.asn % 300)
    return failing(scene, stored(INVALID, scene.genuine()[0]))


@situation("inconclusive", accept=_ANY, cause="instrument", weight=5.0, eras=("v04",))
def old_trust_store(scene: Scene) -> Made:
    """A probe of one version lacks a root of the public PKI: the stored issuer is genuine."""
    scene.software_version = OLD_STORE_VERSION
    return failing(scene, stored(UNKNOWN, scene.world.public.new_issuer.base64))


def _own(scene: Scene) -> str:
    """The certificate that the site made itself."""
    host = scene.site.domain
    year = dt.datetime(scene.moment.year - 1, 3, 1, tzinfo=dt.UTC)
    key = ec_key(f"{scene.world.seed}:own:{host}")
    return b64(
        minting.self_signed(f"C=KZ, CN={host}", [host], key, Span.days(year, 3650), scene.site.number + 3)
    )
