"""Situations in which somebody forged, as web_connectivity sees them."""

import datetime as dt
import random

from corpora import minting
from corpora.authorities import DAY_ZERO, ISCA, b64
from corpora.minting import Issuer, Span, ec_key, rsa_key
from corpora.scene import Made, Scene
from corpora.sites import named
from corpora.situations import HOSTNAME, INVALID, NEW, UNKNOWN, failing, good, situation, stored, visit
from corpora.web import SCRUBBED, Endpoint, Plan, document

STATE = {"authority": "kz-isca", "scope": "state", "watched": True}


def intermediate(scene: Scene, *, known: bool = True, expired: bool = False) -> str:
    return scene.world.look_alikes.current(scene.moment, known=known, expired=expired)[0].base64


@situation("interception", match="signature", weight=2.0, **STATE)
def isca_leaf_only(scene: Scene) -> Made:
    """The box sends the leaf alone, signed by a known root."""
    boxes = scene.world.look_alikes
    leaf = boxes.leaf(scene.site.domain, boxes.current(scene.moment)[1], scene.moment)
    return failing(scene, stored(UNKNOWN, leaf), leaf)


@situation("interception", match="signature", weight=6.0, **STATE)
def isca_intermediate(scene: Scene) -> Made:
    """The box sends leaf and intermediate: the probe stores the intermediate."""
    issuer = intermediate(scene)
    return failing(scene, stored(UNKNOWN, issuer), issuer)


@situation("interception", match="signature", weight=4.0, **STATE)
def isca_intermediate_expired(scene: Scene) -> Made:
    """The intermediate has expired: another failure, the same interception."""
    issuer = intermediate(scene, expired=True)
    return failing(scene, stored(INVALID, issuer), issuer)


@situation("interception", match="certificate", **STATE)
def isca_full_chain_root(scene: Scene) -> Made:
    """The box sends leaf, intermediate and root: the probe stores the root."""
    root = scene.world.look_alikes.current(scene.moment)[1].base64
    return failing(scene, stored(UNKNOWN, root), root)


@situation("interception", match="family", weight=2.0, **STATE)
def isca_unknown_key(scene: Scene) -> Made:
    """An intermediate of 75 days under the issuer's name, signed by a root that nobody knows."""
    issuer = intermediate(scene, known=False)
    return failing(scene, stored(UNKNOWN, issuer), issuer)


@situation("interception", match="name", accept=("inconclusive",), eras=NEW, weight=0.4, **STATE)
def isca_name_other_key(scene: Scene) -> Made:
    """A self-signed root of the known name, of another key and another template; the control is content."""
    key = ec_key(f"{scene.world.seed}:name-only")
    span = Span.days(dt.datetime(2021, 7, 2, 9, 1, tzinfo=dt.UTC), 3650)
    root = minting.authority(ISCA, key, span, serial=4711, key_ids=False).base64
    return failing(scene, stored(UNKNOWN, root), root)


@situation("interception", match="signature", eras=("v05",), **STATE)
def isca_redirect_hop(scene: Scene) -> Made:
    """The input is answered and redirects to a watched name: forged at depth 1, where no control looks."""
    first, then = named("t.co"), scene.site
    issuer = intermediate(scene)
    hop = visit(scene, stored(UNKNOWN, issuer), site=then, path="/news/")
    plan = Plan(
        [visit(scene, good(scene, first), site=first, path=f"/{scene.rng.getrandbits(32):08x}"), hop],
        blocking="http-failure",
        accessible=False,
    )
    return Made(document(scene, plan), issuer, then.domain)


@situation("interception", match="signature", **STATE)
def isca_control_missing(scene: Scene) -> Made:
    """No helper answered; the certificate says it all."""
    issuer = intermediate(scene)
    return failing(scene, stored(UNKNOWN, issuer), issuer, control=False, blocking=None, accessible=None)


@situation("interception", match="signature", **STATE)
def isca_dns_differs(scene: Scene) -> Made:
    """The addresses are not those of the control, as where a CDN answers by region; forged all the same."""
    issuer = intermediate(scene)
    elsewhere = [f"151.101.{scene.rng.randrange(256)}.{n}" for n in (7, 71)]
    return failing(
        scene, stored(UNKNOWN, issuer), issuer, control_dns=elsewhere, consistent=False, blocking="dns"
    )


@situation("interception", match="signature", weight=0.5, eras=NEW, **STATE)
def isca_scrubbed_address(scene: Scene) -> Made:
    """The engine has blotted out the address, because it looked like the probe's own."""
    issuer = intermediate(scene)
    one = visit(scene, stored(UNKNOWN, issuer))
    one.endpoints = [Endpoint(SCRUBBED, stored(UNKNOWN, issuer))]
    return Made(document(scene, Plan([one], blocking="http-failure", accessible=False)), issuer)


@situation("interception", match="signature", weight=0.5, **STATE)
def isca_idn(scene: Scene) -> Made:
    """The input is written in Cyrillic, the rows in punycode."""
    scene.site = named("новостидня.рф".encode("idna").decode())
    issuer = intermediate(scene)
    return failing(scene, stored(UNKNOWN, issuer), issuer, input_="https://новостидня.рф/")


@situation("interception", match="signature", weight=1.0, eras=NEW, **STATE)
def isca_one_of_two(scene: Scene) -> Made:
    """Forged at one address and genuine at the other: neither row may hide the other."""
    issuer = intermediate(scene)
    one = visit(scene, good(scene))
    ip, *_ = scene.site.addresses
    one.endpoints = [Endpoint("2a00:5a60::85:217", good(scene)), Endpoint(ip, stored(UNKNOWN, issuer))]
    one.endpoints[0].written = "[2a00:5a60::85:217]"
    plan = Plan([one], body=scene.page())
    return Made(document(scene, plan), issuer)


@situation("interception", match="family", authority="kz-qaznet", scope="state", weight=0.3, watched=True)
def qaznet_leaf(scene: Scene) -> Made:
    """A leaf as in 2019: RSA exponent 3, under the name of the intermediate of that year."""
    issuer = Issuer("C=KZ, CN=Security Certificate", rsa_key("rsa2048-7"), b"")
    start = DAY_ZERO + dt.timedelta(days=(scene.moment - DAY_ZERO).days // 30 * 30 - 20)
    rng = random.Random(f"{scene.world.seed}:qaznet:{scene.site.domain}:{start}")
    key = rsa_key("rsa2048-e3").public_key()
    host = scene.site.domain
    leaf = b64(minting.leaf([host], key, issuer, Span.days(start, 365), rng=rng, public=False))
    return failing(scene, stored(UNKNOWN, leaf), leaf)


@situation("interception", scope="unknown", eras=NEW, weight=1.5)
def unknown_ca_control_ok(scene: Scene) -> Made:
    """An authority that nobody knows; the control is content at the same address."""
    box = scene.world.look_alikes.box("O=Perimeter, CN=Perimeter Traffic Policy CA", scene.network.asn % 5)
    return failing(scene, stored(UNKNOWN, box.base64), box.base64)


@situation("interception", scope="unknown", eras=NEW)
def box_self_signed(scene: Scene) -> Made:
    """A box that signs each leaf by the leaf's own key."""
    host = scene.site.domain
    key = ec_key(f"{scene.world.seed}:box-leaf:{host}")
    span = Span.days(DAY_ZERO + dt.timedelta(days=(scene.moment - DAY_ZERO).days - 3), 365)
    leaf = b64(minting.self_signed(f"CN={host}", [host], key, span, scene.site.number + 77))
    return failing(scene, stored(UNKNOWN, leaf), leaf)


@situation("interception", accept=("inconclusive", "captive_portal"), scope="unknown", eras=NEW)
def box_wrong_name(scene: Scene) -> Made:
    """A box that shows one certificate, self-signed and of another name, for every site."""
    key = ec_key(f"{scene.world.seed}:gateway")
    span = Span.days(dt.datetime(2018, 1, 1, tzinfo=dt.UTC), 7300)
    leaf = b64(minting.self_signed("O=Widgits, CN=gw1.filter.invalid", ["gw1.filter.invalid"], key, span, 99))
    return failing(scene, stored(HOSTNAME, leaf), leaf)


@situation("interception", match="name", authority="av-kaspersky", scope="local")
def antivirus(scene: Scene) -> Made:
    """An antivirus on the probe's computer, whose root is of that installation alone."""
    text = "O=AO Kaspersky Lab, CN=Kaspersky Anti-Virus Personal Root Certificate"
    box = scene.world.look_alikes.box(text, scene.rng.randrange(40))
    return failing(scene, stored(UNKNOWN, box.base64), box.base64)


@situation("interception", match="name", authority="mb-fortinet", scope="middlebox")
def office_filter(scene: Scene) -> Made:
    """An office's filter, its root of that device alone."""
    text = "C=US, ST=California, L=Sunnyvale, O=Fortinet, OU=Certificate Authority, CN=FG100E4Q17000321"
    box = scene.world.look_alikes.box(text, scene.network.asn % 7)
    return failing(scene, stored(UNKNOWN, box.base64), box.base64)
