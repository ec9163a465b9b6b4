"""Many probes that agree, contradict each other, or are all of one faulty version."""

from expert_pki import real, root, self_signed
from expert_public import CPANEL, LE, genuine
from expert_shapes import ALIKE, HOSTNAME, INVALID, NONE, OK, UNKNOWN, handshake, other, web
from expert_truths import CLEAN, INNOCENT, UNDECIDED, Situation, product

KZ = (("KZ", 9198), ("KZ", 21299), ("KZ", 48503))
BR = (("BR", 28573), ("BR", 27699), ("BR", 8167))
WORLD = (("KZ", 9198), ("DE", 3320), ("US", 7922), ("IR", 44244), ("BR", 28573))


def spread(hosts, places, failure, chain, control=NONE, **options):
    """Every host from every place; `chain` may depend on the host."""
    return [
        web(
            host,
            handshake(host, f"161.148.{number}.1", failure, chain(host) if callable(chain) else chain),
            control=control,
            cc=cc,
            asn=asn,
            at=f"2023-10-1{day} 10:00:00",
            **options,
        )
        for day, (cc, asn) in enumerate(places)
        for number, host in enumerate(hosts)
    ]


def ca(subject):
    return [root(subject).certificate]


def hosts(word, tops=("kz",), count=5):
    return [f"{word}{number}.{tops[number % len(tops)]}" for number in range(count)]


def _of_private_authorities():
    state = (
        "www.receita.gov.br",
        "www.planalto.gov.br",
        "www.tjsp.jus.br",
        "www.senado.leg.br",
        "www.bb.com.br",
    )
    icp = ca("C=BR, O=ICP-Brasil, OU=ITI, CN=AC Raiz Brasileira v10")
    yield "country-of-its-own", INNOCENT, *spread(state, BR, UNKNOWN, icp)
    yield "country-from-everywhere", INNOCENT, *spread(state[:1], (*BR, *WORLD), UNKNOWN, icp)
    alike = ca("C=BR, O=ICP-Brasil, CN=AC Raiz Brasileira v11")
    yield "country-alike", INNOCENT, *spread(["www.x.gov.br", "www.y.gov.br"], BR, UNKNOWN, alike, ALIKE)
    dfn = ca("C=DE, O=DFN-Verein, CN=DFN Testing Root")
    yield "universities", INNOCENT, *spread(hosts("uni", ("de",)), (("DE", 680), ("DE", 3320)), UNKNOWN, dfn)
    bank = ca("C=KZ, O=ForteBank, CN=ForteBank Root CA")
    yield "bank", INNOCENT, *spread(("ib.forte.kz", "login.forte.kz"), KZ, UNKNOWN, bank)
    ministry = ca("C=KZ, O=Ministry, CN=Ministry Internal CA")
    yield "ministry-from-everywhere", INNOCENT, *spread(("mail.ministry.kz",), WORLD, UNKNOWN, ministry)
    panel = root("O=Hoster Panel, CN=Hoster Panel Temporary CA")
    clients = hosts("client", ("kz", "com", "org"))
    yield (
        "panel",
        UNDECIDED,
        *spread(clients, KZ, UNKNOWN, lambda host: [panel.site(host, "2023-05-01", 365)]),
    )
    other_panel = root("O=Other Panel, CN=Other Panel Temporary CA")
    yield "panel-alike", INNOCENT, *spread(
        hosts("alike", ("kz", "com", "org")), KZ, UNKNOWN,
        lambda host: [other_panel.site(host, "2023-05-01", 365)], ALIKE,
    )  # fmt: skip


def _of_defaults():
    plesk = "C=CH, L=Schaffhausen, O=Plesk, CN=Plesk, emailAddress=info@plesk.com"
    tops = ("kz", "ru", "com")
    for failure, born in ((HOSTNAME, "2022-01-01"), (INVALID, "2010-01-01")):
        chain = [self_signed(plesk, (), born)]
        yield f"plesk-{failure}", INNOCENT, *spread(hosts("plesk", tops), KZ, failure, chain)
    shared = [self_signed("CN=default.ps.kz", ("default.ps.kz",))]
    yield "default-site", INNOCENT, *spread(hosts("site", tops), KZ, HOSTNAME, shared)
    k8s = [self_signed("O=Acme Co, CN=Kubernetes Ingress Controller Fake Certificate", ("ingress.local",))]
    yield "kubernetes", INNOCENT, *spread(("app.k8s.io",), WORLD, HOSTNAME, k8s, OK)
    incomplete = spread(hosts("inc", tops), KZ, UNKNOWN, lambda host: [CPANEL.site(host, "2023-08-01")])
    yield "incomplete-chains", INNOCENT, *incomplete


def _of_instruments():
    rights = ("www.torproject.org", "www.hrw.org", "www.amnesty.org", "www.rferl.org")
    old = {"software_version": "2.0.1"}
    yield "old-version", INNOCENT, *spread(rights, WORLD, UNKNOWN, [LE.certificate], OK, **old)
    yield "new-version", CLEAN, *spread(rights, WORLD, None, genuine, OK)
    signal = ca("C=US, ST=California, O=Signal Messenger, LLC, CN=Signal Messenger")
    riseup = ca("O=Riseup Networks, OU=https://riseup.net, CN=Riseup Networks Root CA")
    for test, host, chain in (
        ("signal", "textsecure-service.whispersystems.org", signal),
        ("riseupvpn", "api.black.riseup.net", riseup),
    ):
        row = [handshake(host, "76.223.92.165", UNKNOWN, chain) for _ in WORLD]
        yield (
            test,
            INNOCENT,
            *[other(test, r, cc=cc, asn=asn) for r, (cc, asn) in zip(row, WORLD, strict=True)],
        )


def _of_contradictions():
    odd = [self_signed("CN=lb4.kz", ("lb4.kz",))]
    yield "one-backend", INNOCENT, *spread(("lb4.kz",), KZ[:1], UNKNOWN, odd)
    yield "other-backends", CLEAN, *spread(("lb4.kz",), KZ, None, genuine, OK)
    box = ca("C=US, O=Fortinet, OU=Certificate Authority, CN=FG200ETK1")
    companies = spread(("www.youtube.com",), WORLD[:2], UNKNOWN, box)
    yield "two-companies", product("mb-fortinet"), *companies


def situations():
    for part in (_of_private_authorities, _of_defaults, _of_instruments, _of_contradictions):
        for told, truth, *documents in part():
            yield Situation(f"many-{told}", truth, documents)


def real_situations():
    banks = ("www.sberbank.ru", "www.vtb.ru", "www.psbank.ru", "sberindex.ru")
    places = (("RU", 12389), ("RU", 25513), ("KZ", 9198))
    lines = spread(banks, places, UNKNOWN, [real("21557850")])
    yield Situation("many-russian-banks", INNOCENT, lines)
