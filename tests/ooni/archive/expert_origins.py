"""Refused certificates that are the site's own fault, its state's, its CA's, or the probe's."""

from expert_pki import pretended, real, root, self_signed
from expert_public import (
    ADDTRUST,
    CPANEL,
    DIGICERT_SUB,
    DST,
    GOOGLE_SUB,
    ISRG_BY_DST,
    LE,
    R36,
    R46,
    SECTIGO,
    USERTRUST_BY_ADDTRUST,
)
from expert_shapes import ALIKE, HOSTNAME, INVALID, NONE, OK, UNKNOWN, handshake, old_web, web
from expert_truths import INNOCENT, Situation, Truth

EVERY = (ALIKE, NONE)
RUSSIA = Truth(at_most=1, who=frozenset({"ru-mincifry"}))
"""Of a bank or of an interceptor: the data cannot tell."""


def one(told, host, failure, chain, control=ALIKE, truth=INNOCENT, *, era=None, **options):
    row = handshake(host, "185.98.5.9", failure, chain)
    if era:
        return told, truth, old_web(host, row, control=control, era=era, **options)
    return told, truth, web(host, row, control=control, **options)


def own(host, born="2021-01-01", days=3650):
    return [self_signed(f"C=KZ, ST=Almaty, O=Company, CN={host}", (host,), born, days)]


def _of_carelessness():
    for control in EVERY:
        for era in (None, 2023):
            host = f"{control}{era}.own.kz"
            yield one(f"self-signed-{control}-{era}", host, UNKNOWN, own(host), control, era=era)
        stale = own(f"{control}.stale.kz", "2015-01-01", 365)
        yield one(f"self-signed-expired-{control}", f"{control}.stale.kz", INVALID, stale, control)
        late = [LE.site(f"{control}.late.kz", "2023-01-01")]
        yield one(f"expired-{control}", f"{control}.late.kz", INVALID, late, control)
        private = root("C=KZ, L=Almaty, O=Halyk Bank, CN=Halyk Bank Root CA").certificate
        yield one(f"bank-{control}", f"{control}.bank.kz", UNKNOWN, [private], control)
        school = root("C=DE, O=Universitaet Musterstadt, CN=Uni Musterstadt CA - G01")
        leaf = [school.site(f"{control}.uni.de", "2023-01-01", 365)]
        yield one(f"university-{control}", f"{control}.uni.de", UNKNOWN, leaf, control, cc="DE", asn=680)
    yield one("expired-one-of-many", "lb.example.org", INVALID, [LE.site("lb.example.org", "2023-01-01")], OK)
    yield one("not-yet-valid", "early.kz", INVALID, [LE.site("early.kz", "2023-10-17")], NONE)
    yield one("old-control", "old.kz", UNKNOWN, own("old.kz"), OK, era=2021, page=UNKNOWN)


FOREIGN = {
    "plesk": ("C=CH, L=Schaffhausen, O=Plesk, CN=Plesk, emailAddress=info@plesk.com", ()),
    "kubernetes": ("O=Acme Co, CN=Kubernetes Ingress Controller Fake Certificate", ("ingress.local",)),
    "traefik": ("CN=TRAEFIK DEFAULT CERT", ("a1b2.c3d4.traefik.default",)),
    "centos": ("C=US, ST=SomeState, O=SomeOrganization, CN=localhost.localdomain", ()),
    "debian": ("CN=vps12345", ("vps12345",)),
    "hoster": ("CN=server1.hoster.kz", ("server1.hoster.kz",)),
    "fortigate": ("C=US, O=Fortinet, OU=FortiGate, CN=FGT60E4Q16000001", ()),
    "sonicwall": ("C=US, O=HTTPS Management Certificate for SonicWALL (self-signed), CN=192.168.168.168", ()),
}
CDN = {
    "akamai": ("C=US, O=Akamai Technologies, Inc., CN=a248.e.akamai.net", ("a248.e.akamai.net",)),
    "fastly": ("C=US, O=Fastly, Inc., CN=default.ssl.fastly.net", ("default.ssl.fastly.net",)),
    "cloudflare": ("C=US, O=Cloudflare, Inc., CN=sni.cloudflaressl.com", ("sni.cloudflaressl.com",)),
    "shared": ("CN=*.hoster.kz", ("*.hoster.kz", "hoster.kz")),
    "fortinet": ("C=US, O=Fortinet, CN=*.fortinet.com", ("*.fortinet.com",)),
}


def _of_other_names():
    for control in (*EVERY, OK):
        for made, (subject, names) in FOREIGN.items():
            chain = [self_signed(subject, names, "2022-01-01")]
            yield one(f"{made}-{control}", f"{made}-{control}.example", HOSTNAME, chain, control)
        for made, (subject, names) in CDN.items():
            chain = [DIGICERT_SUB.leaf(subject, names, "2023-06-01", 365)]
            yield one(f"{made}-{control}", f"cdn-{made}-{control}.example", HOSTNAME, chain, control)
    only_cn = [self_signed("CN=cn.kz", (), "2014-01-01", 7300, bare=True)]
    yield one("common-name-only", "cn.kz", HOSTNAME, only_cn, NONE)
    yield one("www-missing", "www.bare.kz", HOSTNAME, [LE.site("bare.kz", "2023-09-01")], NONE)
    quad = {"url": "https://9.9.9.11/dns-query"}
    yield one(
        "address-as-input", "9.9.9.11", HOSTNAME, [LE.site("dns11.quad9.net", "2023-09-01")], NONE, **quad
    )


def _of_incomplete_chains():
    for made, issuer in (("le", LE), ("sectigo", SECTIGO), ("cpanel", CPANEL), ("google", GOOGLE_SUB)):
        for control in (*EVERY, OK):
            host = f"{made}-{control}.example.kz"
            yield one(
                f"incomplete-{made}-{control}", host, UNKNOWN, [issuer.site(host, "2023-08-01")], control
            )
        for told, at in (
            ("behind", "2019-01-01 00:05:00"),
            ("epoch", "1970-01-03 00:01:02"),
            ("ahead", "2033-01-03 00:01:02"),
        ):
            for control in (OK, NONE):
                host = f"{made}-{told}-{control}.example.com"
                chain = [issuer.site(host, "2023-08-01")]
                yield one(f"clock-{told}-{made}-{control}", host, INVALID, chain, control, at=at)


def _of_old_roots():
    of_2021 = {"era": 2021, "at": "2021-10-06 10:00:00"}
    kept = [
        ("dst", INVALID, DST, of_2021),
        ("isrg-by-dst", INVALID, ISRG_BY_DST, {"at": "2024-10-05 10:00:00"}),
        ("isrg-by-dst-unknown", UNKNOWN, ISRG_BY_DST, of_2021),
        ("addtrust", INVALID, ADDTRUST, {"era": 2020, "at": "2020-06-01 11:00:00"}),
        ("usertrust-by-addtrust", INVALID, USERTRUST_BY_ADDTRUST, {"era": 2020, "at": "2020-06-01 10:00:00"}),
        ("new-root", UNKNOWN, R46, {"at": "2025-06-01 12:00:00"}),
        ("new-intermediate", UNKNOWN, R36, {"at": "2025-06-01 12:00:00"}),
    ]
    for told, failure, stored, options in kept:
        certificate = getattr(stored, "certificate", stored)
        for control in (OK, NONE):
            yield one(
                f"{told}-{control}", f"{told}.{control}.example", failure, [certificate], control, **options
            )


STATES = [
    ("BR", "www.esocial.gov.br", "C=BR, O=ICP-Brasil, CN=Autoridade Certificadora Raiz Brasileira v5"),
    ("KR", "www.minwon.go.kr", "C=KR, O=Government of Korea, OU=GPKI, CN=GPKIRootCA1"),
    ("IN", "www.nic.in", "C=IN, O=India PKI, CN=CCA India 2014"),
    (
        "VE",
        "www.suscerte.gob.ve",
        "C=VE, O=Sistema Nacional de Certificacion Electronica, CN=Raiz del Estado",
    ),
    ("IR", "www.tax.gov.ir", "C=IR, O=Governmental, CN=Governmental Root CA-G3"),
    ("BY", "nces.by", "C=BY, O=ГосСУОК, CN=Корневой УЦ ГосСУОК"),
    ("JP", "www.gpki.go.jp", "C=JP, O=Japanese Government, OU=ApplicationCA"),
    ("US", "www.army.mil", "C=US, O=U.S. Government, OU=DoD, OU=PKI, CN=DoD Root CA 3"),
    ("KZ", "www.pki.gov.kz", "CN=НЕГІЗГІ КУӘЛАНДЫРУШЫ ОРТАЛЫҚ"),
]


def _of_states():
    for cc, host, subject in STATES:
        for control in EVERY:
            chain = [root(subject).certificate]
            yield one(f"state-{cc}-{control}", f"{control}.{host}", UNKNOWN, chain, control, cc=cc)


def _of_real_states():
    """Russia's and Kazakhstan's, whose certificates are here."""
    root_ru, sub_ru = real("d26d2d02"), real("21557850")
    kz = {"9ba06354": "egov.kz", "84fb799a": "damumed.kz", "a7064abc": "salyk.kz", "32c7d233": "gost.gov.kz"}
    at = {"at": "2025-05-05 10:00:00"}
    for control in EVERY:
        for host in ("www.sberbank.ru", "www.gosuslugi.ru", "xn--80ajghhoc2aj1c8b.xn--p1ai", "mil.su"):
            for told, kept in (("root", root_ru), ("sub", sub_ru)):
                yield one(f"ru-{host}-{told}-{control}", host, UNKNOWN, [kept], control, cc="RU", **at)
        for start, host in kz.items():
            yield one(f"kz-{host}-{control}", host, UNKNOWN, [real(start)], control, **at)
    late = [real("34d1b311")]
    yield one("kz-expired", "goszakup.gov.kz", INVALID, late, NONE, at="2025-09-08 12:00:00")
    bank = {"cc": "RU", "asn": 12389} | at
    yield one("ru-com-alike", "www.sberbank.com", UNKNOWN, [sub_ru], ALIKE, **bank)
    yield one("ru-com-no-control", "www.sberbank.com", UNKNOWN, [sub_ru], NONE, RUSSIA, **bank)
    subject = "C=RU, O=Sberbank of Russia, CN=*.sberbank.com"
    leaf = [pretended(subject, sub_ru, ("*.sberbank.com",), "2025-01-05", 365)]
    yield one("ru-com-leaf", "www.sberbank.com", UNKNOWN, leaf, NONE, RUSSIA, **bank)


def situations():
    for part in (_of_carelessness, _of_other_names, _of_incomplete_chains, _of_old_roots, _of_states):
        for told, truth, *documents in part():
            yield Situation(f"origin-{told}", truth, documents)


def real_situations():
    for told, truth, *documents in _of_real_states():
        yield Situation(f"origin-{told}", truth, documents)
