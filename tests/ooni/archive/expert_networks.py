"""Portals, block pages, lying resolvers, what is cut off, what was not kept, and programs that intercept."""

import base64

from expert_pki import root, self_signed
from expert_public import DIGICERT_SUB, LE, genuine
from expert_shapes import (
    ALIKE,
    HOSTNAME,
    INVALID,
    NONE,
    OK,
    UNKNOWN,
    dnscheck,
    echcheck,
    handshake,
    measurement,
    old_web,
    sni_blocking,
    tlsmiddlebox,
    tlsping,
    urlgetter,
    web,
)
from expert_truths import CLEAN, CUT_OFF, INNOCENT, SOMEBODY, UNDECIDED, Situation, product

SITES = (("www.bbc.com", "151.101.0.81"), ("vk.com", "87.240.132.72"), ("xakep.ru", "178.248.232.222"))


def _of_portals():
    router = [self_signed("CN=hotspot.lan", ("hotspot.lan",))]
    inner = [
        web(
            host,
            handshake(host, "192.168.88.1", HOSTNAME, router),
            found=[ip],
            told={"192.168.88.1": "timed_out"},
        )
        for host, ip in SITES
    ]
    yield "router", INNOCENT, *inner
    public = [
        DIGICERT_SUB.leaf("C=US, CN=portal.hotspot.example", ("portal.hotspot.example",), "2023-06-01", 365)
    ]
    wlc = [self_signed("CN=1.1.1.1, O=Cisco Systems Inc., C=US")]
    for told, chain in (("public", public), ("self-signed", wlc)):
        lines = [web(host, handshake(host, ip, HOSTNAME, chain), asn=48503) for host, ip in SITES]
        yield f"portal-{told}", INNOCENT, *lines
        yield (
            f"portal-{told}-alone",
            INNOCENT,
            web("www.rferl.org", handshake("www.rferl.org", "5.5.5.5", HOSTNAME, chain)),
        )
    named = [self_signed("CN=captive", ("www.eff.org",))]
    row = handshake("www.eff.org", "10.5.0.1", UNKNOWN, named)
    yield (
        "portal-named",
        INNOCENT,
        web("www.eff.org", row, found=["151.101.0.201"], told={"10.5.0.1": "timed_out"}),
    )


PAGES = {
    "public": (HOSTNAME, lambda _host: LE.site("blocked.isp.kz", "2023-09-01")),
    "own": (HOSTNAME, lambda _host: self_signed("C=KZ, O=Telecom, CN=block.isp.kz", ("block.isp.kz",))),
    "named": (UNKNOWN, lambda host: self_signed(f"CN={host}, O=Blocked", (host,))),
    "facebook": (
        HOSTNAME,
        lambda _host: DIGICERT_SUB.leaf("C=US, CN=*.facebook.com", ("*.facebook.com",), "2023-09-01"),
    ),
}


def _of_lying_resolvers():
    for told, (failure, made) in PAGES.items():
        host = f"{told}.blocked.example"
        chain, away = [made(host)], {"found": ["172.67.182.196"], "asns": {"92.46.55.55": 9198}}

        def row(host=host, failure=failure, chain=chain):
            return handshake(host, "92.46.55.55", failure, chain)

        yield f"page-{told}-alike", INNOCENT, web(host, row(), told={"92.46.55.55": failure}, **away)
        silent = {"92.46.55.55": "generic_timeout_error"}
        yield f"page-{told}-silent", INNOCENT, web(host, row(), told=silent, **away)
        yield f"page-{told}-no-control", INNOCENT, web(host, row(), control=NONE)
        yield f"page-{told}-old", INNOCENT, old_web(host, row(), era=2021, found=["172.67.182.196"])
    bogon = handshake("twitter.com", "10.10.34.36", "generic_timeout_error")
    yield "bogon", INNOCENT, web("twitter.com", bogon, found=["104.244.42.1"], cc="IR", asn=58224)


CUTS = (
    "connection_reset", "generic_timeout_error", "eof_error", "timed_out", "ssl_failed_handshake",
    "unknown_failure: remote error: tls: handshake failure",
    "unknown_failure: remote error: tls: unrecognized name",
    "unknown_failure: tls: first record does not look like a TLS handshake",
    "unknown_failure: tls: server selected unsupported protocol version 301",
)  # fmt: skip
LOST = (
    None,
    [],
    [{"format": "base64"}],
    [{"data": "!!!!"}],
    [{"data": base64.b64encode(b"nothing").decode()}],
    ["x"],
    [None],
)


def _of_what_was_lost():
    for number, failure in enumerate(CUTS):
        for control in (OK, ALIKE, NONE):
            host = f"news{number}.kz"
            yield (
                f"cut-{number}-{control}",
                CUT_OFF,
                web(host, handshake(host, "104.21.7.7", failure), control=control),
            )
    for number, kept in enumerate(LOST):
        for failure in (UNKNOWN, HOSTNAME, INVALID):
            row = handshake("lost.kz", "104.21.8.8", failure, peer_certificates=kept)
            yield f"lost-{number}-{failure}", INNOCENT, web("lost.kz", row)
    for told, keys in (("empty", {}), ("null", None), ("rows", {"tls_handshakes": [None, "x", 3]})):
        yield f"keys-{told}", INNOCENT, measurement("web_connectivity", keys, input="https://a.kz/")
    failure = "ssl_error: error:14007086:SSL routines:CONNECT_CR_CERT:certificate verify failed"
    old = {"requests": [{"failure": failure, "request": {}, "response": {}}], "control": {}}
    yield (
        "measurement-kit",
        INNOCENT,
        measurement("web_connectivity", old, input="https://vk.com/", at="2019-07-20 10:00:00"),
    )


def _of_controls():
    """The control failed in another way, or altogether."""
    for number, told in enumerate(("generic_timeout_error", "connection_reset", INVALID, "unknown_error")):
        host = f"half{number}.kz"
        row = handshake(host, "104.21.9.1", UNKNOWN, [self_signed(f"CN={host}", (host,))])
        yield f"control-{number}", INNOCENT, web(host, row, told={"104.21.9.1": told})
    row = handshake("th.kz", "104.21.9.2", UNKNOWN, [self_signed("CN=th.kz", ("th.kz",))])
    failed = {"control_failure": UNKNOWN}
    yield "helper-itself-refused", UNDECIDED, web("th.kz", row, control=NONE, keys=failed)
    bad = handshake("two.kz", "91.1.1.2", UNKNOWN, [self_signed("CN=two.kz", ("two.kz",))])
    good = handshake("two.kz", "91.1.1.1", None, genuine("two.kz"))
    yield "one-of-two-backends", INNOCENT, web("two.kz", good, bad, told={"91.1.1.2": UNKNOWN})


HELPER = "93.184.216.34"


def _of_experiments():
    own = [self_signed("CN=helper.test", ("helper.test",))]
    good = handshake("example.org", HELPER, None, genuine("example.org"))
    named = handshake("xakep.ru", HELPER, HOSTNAME, [LE.site("example.org", "2023-09-01")])
    yield "sni-usual", INNOCENT, sni_blocking("xakep.ru", named, good)
    yield (
        "sni-reset",
        CUT_OFF,
        sni_blocking("xakep.ru", handshake("xakep.ru", HELPER, "connection_reset"), good),
    )
    bad = handshake("helper.test", HELPER, UNKNOWN, own)
    yield (
        "sni-helper-own",
        INNOCENT,
        sni_blocking("xakep.ru", handshake("xakep.ru", HELPER, HOSTNAME, own), bad),
    )
    silent = [(ttl, "generic_timeout_error", ()) for ttl in range(1, 12)]
    arrived = [*silent, (12, None, genuine("example.com"))]
    yield "trace-clean", INNOCENT, tlsmiddlebox("rutracker.org", HELPER, arrived, arrived)
    yield "trace-silent", INNOCENT, tlsmiddlebox("rutracker.org", HELPER, arrived, silent)
    helper = [*silent, (12, None, own)]
    yield "trace-helper-own", INNOCENT, tlsmiddlebox("rutracker.org", HELPER, helper, helper)
    nas = [self_signed("CN=nas.kz", ("nas.kz",))]
    yield "ping-own", INNOCENT, tlsping("nas.kz", handshake("nas.kz", "91.2.1.6", UNKNOWN, nas))
    blind = {"options": ["NoTLSVerify=true"]}
    yield (
        "urlgetter-own",
        INNOCENT,
        urlgetter("https://nas.kz/", handshake("nas.kz", "91.2.1.6", None, nas), **blind),
    )
    fine = handshake("www.eff.org", "151.101.0.201", None, genuine("www.eff.org"))
    yield "urlgetter-clean", CLEAN, urlgetter("https://www.eff.org/", fine, **blind)
    outer = handshake(
        "b.test", "104.18.0.2", HOSTNAME, [LE.site("cloudflare-ech.com", "2023-09-01")], echconfig="AEX+"
    )
    yield (
        "ech-outer-name",
        INNOCENT,
        echcheck("b.test", handshake("b.test", "104.18.0.2", None, genuine("b.test")), outer),
    )
    yield "ech-clean", CLEAN, echcheck("www.eff.org", fine)
    pf = [self_signed("O=pfSense webConfigurator Self-Signed Certificate, CN=pfSense", ("dns.home.kz",))]
    yield (
        "dnscheck-own",
        INNOCENT,
        dnscheck("dot://dns.home.kz:853", handshake("dns.home.kz", "91.2.9.9", UNKNOWN, pf, port=853)),
    )
    yield (
        "clean",
        CLEAN,
        web("www.eff.org", fine),
        old_web("www.eff.org", dict(fine)),
        web("www.eff.org", fine, control=NONE),
    )
    yield "clean-2020", CLEAN, old_web("www.eff.org", dict(fine), era=2020, at="2020-12-06 10:00:00")


PRODUCTS = [
    ("av-kaspersky", "O=AO Kaspersky Lab, CN=Kaspersky Anti-Virus Personal Root Certificate"),
    ("av-eset", "C=SK, O=ESET, spol. s r. o., CN=ESET SSL Filter CA"),
    (
        "av-avast",
        "OU=generated by avast! antivirus, O=avast! Web/Mail Shield, CN=avast! Web/Mail Shield Root",
    ),
    ("av-bitdefender", "C=US, O=Bitdefender, OU=IDS, CN=Bitdefender Personal CA.Net-Defender"),
    ("mb-fortinet", "C=US, O=Fortinet, OU=Certificate Authority, CN=FG100ETK18000001"),
    ("mb-zscaler", "C=US, O=Zscaler Inc., CN=Zscaler Intermediate Root CA (zscalerthree.net)"),
    ("mb-sophos", "C=GB, O=Sophos, OU=NSG, CN=Sophos SSL CA_C1A0B2D3E4F5G6H"),
    ("mb-cisco-umbrella", "O=Cisco, CN=Cisco Umbrella Root CA"),
    ("dev-adguard", "C=EN, O=AdGuard, CN=AdGuard Personal CA"),
    ("dev-mitmproxy", "CN=mitmproxy, O=mitmproxy"),
]


def _of_products():
    for number, (who, subject) in enumerate(PRODUCTS):
        made = root(subject, "2022-01-01")
        host = f"www{number}.twitter.example"
        for told, chain in (("root", [made.certificate]), ("leaf", [made.site(host, "2023-09-01")])):
            for control in (OK, NONE):
                row = handshake(host, "104.244.42.65", UNKNOWN, chain)
                yield f"{who}-{told}-{control}", product(who), web(host, row, control=control)
    installed = root(PRODUCTS[0][1], "2022-01-01")
    row = handshake(
        "a.test", "104.18.0.1", None, [installed.site("a.test", "2023-09-01"), installed.certificate]
    )
    yield "av-installed", product("av-kaspersky"), echcheck("a.test", row)
    for subject in ("C=KZ, O=KMG, CN=PA-Forward-Trust", "C=US, O=Lightspeed Systems, CN=Lightspeed Rocket"):
        host = subject[-4:].lower() + ".example"
        row = handshake(host, "5.4.3.2", UNKNOWN, [root(subject).certificate])
        yield f"company-{subject[-5:]}", SOMEBODY, web(host, row)


def situations():
    for part in (
        _of_portals,
        _of_lying_resolvers,
        _of_what_was_lost,
        _of_controls,
        _of_experiments,
        _of_products,
    ):
        for told, truth, *documents in part():
            yield Situation(f"net-{told}", truth, documents)
