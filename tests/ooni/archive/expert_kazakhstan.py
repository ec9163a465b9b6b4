"""Interception that can be attributed: the roots of Kazakhstan, as old and new probes keep them, and others.

The intermediates have serial, dates and issuer of those that OONI published in 2024; their keys are not ours.
"""

from expert_pki import Authority, build, key, name, pretended, real, root, self_signed
from expert_public import LE, NATIONAL, genuine
from expert_shapes import (
    ALIKE,
    HOSTNAME,
    INVALID,
    NONE,
    UNKNOWN,
    dnscheck,
    echcheck,
    handshake,
    old_web,
    other,
    sni_blocking,
    tlsmiddlebox,
    tlsping,
    urlgetter,
    web,
)
from expert_truths import CLEAN, INNOCENT, SOMEBODY, UNDECIDED, Situation, Truth, by

ISCA, ISCA_2020, QAZNET = by("kz-isca"), by("kz-isca-ca-2020"), by("kz-qaznet")
ISSUER = "C=KZ, O=ISCA, CN=Information Security Certification Authority"
GO_SAYS = "unknown_failure: tls: failed to verify certificate: x509: certificate signed by unknown authority"
UNCLEAN = Truth(at_most=1, outcomes=frozenset({"inconclusive", "interception"}))
IN_2024 = {"at": "2024-09-06 10:00:00"}

PUBLISHED = {
    1: ("2021-06-18 12:54:34", 0x5F154C1FE4DB5CA5789E0822154259B0B666A7FE),
    2: ("2021-08-19 12:39:14", 0x693576AE60F54378B1A9750E61029884C1B5AC28),
    3: ("2023-08-09 06:33:35", 0x3371D67DAEDB8F5ABAB0420534AB16AA7B168170),
    4: ("2023-11-02 09:03:07", 0x23A23CD9AA272D3350396D9E373E8A216EA7D8DD),
    5: ("2023-11-28 11:24:53", 0x6CEBCBF5A50CA57FEADD810AC63EEAC270DDC544),
    6: ("2024-03-20 05:50:15", 0x57845920517CE968D7D77874E2A65BB070D8888C),
    7: ("2024-08-23 10:46:59", 0x4889FC51C4EB4507D09377F452CE28E920F6C101),
}


def intermediate(number, subject="C=KZ, O=ISCA, CN=Gateway"):
    born, serial = PUBLISHED[number]
    return pretended(subject, ISSUER, (), born, 75, ca=True, serial=serial)


def forged(host, born="2024-09-01"):
    """Leaf and intermediate, as urlgetter and tlsmiddlebox keep them."""
    upper = intermediate(7)
    box = Authority(upper, key("C=KZ, O=ISCA, CN=Gateway"))
    return [build(name(f"CN={host}"), box.subject, key(host), box.key, born, 90, names=(host,)), upper]


def _of_intermediates():
    seen = [
        (1, "360tv.ru", "2021-08-08 01:57:58", 9198, UNKNOWN),
        (2, "compromat.ru", "2021-09-14 08:07:02", 21299, UNKNOWN),
        (3, "cont.ws", "2023-10-16 13:06:00", 48503, UNKNOWN),
        (4, "www.for.kg", "2023-11-18 14:01:34", 29355, UNKNOWN),
        (5, "stanradar.com", "2024-03-17 05:28:21", 41798, INVALID),
        (6, "ukraina.ru", "2024-04-18 13:38:19", 39824, UNKNOWN),
        (7, "sproot.it", "2024-09-01 15:14:13", 50482, UNKNOWN),
    ]
    for number, host, at, asn, failure in seen:
        row = handshake(host, f"5.8.8.{number}", failure, [intermediate(number)])
        era = {"era": 2021} if number < 3 else {}
        shape = old_web if number < 5 else web
        yield f"intermediate-{number}", ISCA, shape(host, row, at=at, asn=asn, **era)


def _one(host="xakep.ru", number=3, ip="178.248.232.222", failure=UNKNOWN, **fields):
    return handshake(host, ip, failure, [intermediate(number)], **fields)


def _of_controls():
    yield "no-control", ISCA, web("xakep.ru", _one(number=7), control=NONE, **IN_2024)
    expired = _one(number=5, failure=INVALID)
    yield "expired-no-control", ISCA, web("xakep.ru", expired, control=NONE, at="2024-03-02 10:00:00")
    yield "long-expired", ISCA, web("xakep.ru", _one(number=2, failure=INVALID), at="2022-10-02 10:00:00")
    yield (
        "address-differs",
        ISCA,
        web("xakep.ru", _one(ip="5.9.9.9"), found=["5.8.8.1"], told={"5.9.9.9": "timed_out"}),
    )
    yield "page-failed", ISCA, web("xakep.ru", _one(), page="generic_timeout_error")
    yield "no-fetch", ISCA, web("xakep.ru", _one(tags=["fetch_body=false"]), url="http://xakep.ru/")
    yield "nowhere", ISCA, web("xakep.ru", _one(), cc="ZZ", asn=0)
    yield "hoster", ISCA, web("xakep.ru", _one(), asn=44477)
    yield "abroad", ISCA, web("xakep.ru", _one(), cc="RU", asn=12389)
    yield "address-as-input", ISCA, web("1.1.1.1", _one("1.1.1.1", ip="1.1.1.1"), url="https://1.1.1.1/")
    yield "scrubbed", ISCA, web("xakep.ru", _one(address="[scrubbed]:443"), found=["178.248.232.222"])
    reset = handshake("xakep.ru", "178.248.232.223", "connection_reset")
    yield "beside-a-reset", ISCA, web("xakep.ru", reset, _one())
    clean = handshake("xakep.ru", "2a04:4e42::84", None, genuine("xakep.ru"))
    yield "other-family-clean", ISCA, web("xakep.ru", _one(), clean)
    moved = handshake("www.knews.kg", "104.21.5.6", UNKNOWN, [intermediate(3)], tags=["depth=1"])
    first = handshake("knews.kg", "104.21.5.5", None, genuine("knews.kg"))
    yield "redirect", ISCA, web("knews.kg", first, moved, url="http://knews.kg/")
    yield "new-gateway", ISCA, web("m.reactor.cc", _gateway("2025-05-01 07:08:09"), at="2025-06-07 10:00:00")


def _gateway(born):
    made = pretended("C=KZ, O=ISCA, CN=Gateway 12", ISSUER, (), born, 75, ca=True)
    return handshake("m.reactor.cc", "5.61.239.21", UNKNOWN, [made])


FAILURES = (
    GO_SAYS,
    "unknown_failure: x509: “xakep.ru” certificate is not trusted",
    "unknown_failure: x509: OSStatus -67843",
    "unknown_failure: tls: bad certificate",
    "ssl_failed_handshake",
    "connection_reset",
    "unknown_error",
)
"""With a certificate that was kept, all the same."""


def _of_failures():
    for number, failure in enumerate(FAILURES):
        yield f"failure-{number}", ISCA, web("xakep.ru", _one(failure=failure))


def _of_leaves():
    for number, (failure, born, names) in enumerate(
        [
            (UNKNOWN, "2023-09-01", "cont.ws"),
            (HOSTNAME, "2023-09-01", "x.example"),
            (INVALID, "2022-01-01", "cont.ws"),
        ]
    ):
        made = pretended(f"CN={names}", ISSUER, (names,), born, 75)
        yield f"leaf-{number}", ISCA, web("cont.ws", handshake("cont.ws", "185.22.61.61", failure, [made]))
    of_2019 = pretended(
        "C=US, O=Facebook, Inc., CN=*.facebook.com", "C=KZ, CN=Security Certificate",
        ("*.facebook.com",), "2019-07-16 12:39:52", 365, bare=True,
    )  # fmt: skip
    row = handshake("www.facebook.com", "157.240.205.35", UNKNOWN, [of_2019])
    yield "leaf-2019", QAZNET, old_web("www.facebook.com", row, era=2020, at="2019-07-17 12:43:26")


def _of_experiments():
    host, ip = "xakep.ru", "178.248.232.222"
    blind = handshake(host, ip, None, forged(host), no_tls_verify=True)
    yield "urlgetter", ISCA, urlgetter(f"https://{host}/", blind, options=["NoTLSVerify=true"], **IN_2024)
    quic = handshake(host, ip, None, genuine(host), network="udp")
    yield "quic-beside", ISCA, urlgetter(f"https://{host}/", _one(), quic)
    silent = [(ttl, "generic_timeout_error", ()) for ttl in range(1, 5)]
    control = [*silent, (12, None, genuine("example.com", "2024-08-01"))]
    traced = [*silent, (5, None, forged(host))]
    yield "tlsmiddlebox", ISCA, tlsmiddlebox(host, "93.184.216.34", control, traced, **IN_2024)
    helper = handshake("example.org", "93.184.216.34", None, genuine("example.org"))
    yield "sni_blocking", ISCA, sni_blocking(host, _one(ip="93.184.216.34"), helper)
    yield "tlsping", ISCA, tlsping(host, handshake(host, ip, None, genuine(host)), _one())
    yield "echcheck", ISCA, echcheck(host, _one(), _one(echconfig="GREASE"))
    installed = [handshake(host, ip, None, forged(host), echconfig=each) for each in (None, "GREASE")]
    yield "echcheck-installed", ISCA, echcheck(host, *installed, **IN_2024)
    resolver = _one("dns.google", ip="8.8.8.8")
    yield "dnscheck", ISCA, dnscheck("dot://dns.google/", resolver | {"address": "8.8.8.8:853"})
    doh = {"x_doh": {"queries": [], "tls_handshakes": [resolver]}}
    clean = handshake("example.com", "93.184.216.34", None, genuine("example.com"))
    yield "resolver-of-0.5", ISCA, web("example.com", clean, keys=doh)
    yield "telegram", ISCA, other("telegram", _one("web.telegram.org", ip="149.154.167.99"))


def _of_fields():
    """Any field may be missing or null."""
    made = web("xakep.ru", _one())
    for gone in ("probe_asn", "probe_cc", "annotations", "software_name", "input", "report_id", "extensions"):
        made |= {gone: None}
    yield "null-envelope", ISCA, made
    yield "no-start", ISCA, web("xakep.ru", _one()) | {"measurement_start_time": None}
    keys = dict.fromkeys(("control", "queries", "network_events", "tcp_connect", "requests"))
    yield "null-lists", ISCA, web("xakep.ru", _one(), keys=keys)
    bare = _one(address=None, server_name=None, tags=None, transaction_id=None, t=None)
    yield "null-row", ISCA, web("xakep.ru", bare)
    unsaid = {field: value for field, value in _one(failure=None).items() if field != "failure"}
    yield "no-failure", ISCA, web("xakep.ru", unsaid | {"no_tls_verify": True})
    yield "number-as-asn", ISCA, web("xakep.ru", _one()) | {"probe_asn": 9198, "test_helpers": []}
    yield "unknown-test", ISCA, web("xakep.ru", _one()) | {"test_name": "somebodys_test"}


def _of_names():
    """Others have the same initials, the same 75 days, the same names for things."""
    german = root("C=DE, O=ISCA, CN=ISCA e.V. Root CA").certificate
    row = {"cc": "DE", "asn": 3320}
    for control, truth in ((ALIKE, INNOCENT), (NONE, UNDECIDED)):
        host = f"{control}.isca.example"
        yield (
            f"german-isca-{control}",
            truth,
            web(host, handshake(host, "88.1.1.1", UNKNOWN, [german]), control=control, **row),
        )
    met = web("www.isca.test", handshake("www.isca.test", "88.1.1.3", UNKNOWN, [_german_2()]), **row)
    yield "german-isca-intercepts", SOMEBODY, met
    for subject in ("C=US, CN=Security Certificate", "CN=camera.kz"):
        chain = [self_signed(subject, ("camera.kz",), "2023-09-01", 75)]
        shown = handshake("camera.kz", "88.1.1.4", UNKNOWN, chain)
        yield f"75-days-{subject[:4]}", INNOCENT, web("camera.kz", shown, control=NONE)


def _german_2():
    return root("C=DE, O=ISCA, CN=ISCA Root of another").certificate


def _of_unknown_roots():
    sites = [("www.linkedin.com", "13.107.42.14", 9198), ("medium.com", "162.159.153.4", 21299)]
    lines = [
        web(host, handshake(host, ip, UNKNOWN, [NATIONAL.certificate]), asn=asn, at="2026-03-02 10:00:00")
        for host, ip, asn in sites
    ]
    yield "new-root", SOMEBODY, *lines
    leaf = NATIONAL.site("www.instagram.com", "2026-02-01")
    row = handshake("www.instagram.com", "157.240.205.174", UNKNOWN, [leaf])
    yield "new-root-leaf", SOMEBODY, web("www.instagram.com", row, at="2026-03-01 10:00:00")


def _of_real_roots():
    seen = [
        ("00309c73", QAZNET, "mail.ru", "2021-09-02 09:00:00", {"era": 2021}),
        ("61c0fc2e", ISCA_2020, "www.youtube.com", "2020-12-06 07:30:00", {"era": 2020}),
        ("1df696f0", ISCA, "twitter.com", "2023-01-22 07:30:00", {"control": NONE}),
        ("0230a604", ISCA, "vk.com", "2021-05-07 07:30:00", {"era": 2021}),
        ("06fd2062", ISCA, "ok.ru", "2022-11-03 07:30:00", {"control": ALIKE}),
        ("0bd39de4", ISCA, "rutracker.org", "2021-08-08 01:57:58", {"era": 2021}),
        ("c95c133b", ISCA, "xakep.ru", "2023-02-08 01:57:58", {}),
        ("c530fadc", ISCA, "regnum.ru", "2023-10-16 13:06:00", {}),
        ("89107c8e", ISCA, "knews.kg", "2024-02-08 08:00:00", {"found": ["5.6.7.8"]}),
        ("235150de", ISCA, "egov.kz", "2024-09-01 15:14:13", {}),
        ("d26d2d02", by("ru-mincifry"), "www.bbc.com", "2025-03-03 10:00:00", {"cc": "RU"}),
        ("21557850", by("ru-mincifry"), "signal.org", "2025-03-03 10:00:00", {"cc": "RU"}),
        ("9ba06354", by("kz-nuc-rk"), "www.facebook.com", "2025-03-03 10:00:00", {}),
        ("cd33139e", by("cn-2020-nsp"), "github.com", "2020-03-27 03:00:00", {"era": 2020, "cc": "CN"}),
        ("b6fe9151", by("superfish"), "www.google.com", "2023-03-03 10:00:00", {"cc": "US"}),
    ]
    for number, (start, truth, host, at, options) in enumerate(seen):
        failure = GO_SAYS if start == "c95c133b" else UNKNOWN
        row = handshake(host, f"5.7.7.{number}", failure, [real(start)])
        shape = old_web if "era" in options else web
        yield f"root-{start}", truth, shape(host, row, at=at, **options)
    v1 = handshake("pages.github.com", "185.199.108.153", HOSTNAME, [real("79f4e140")])
    yield "leaf-without-san", by("cn-2020-nsp"), old_web("pages.github.com", v1, at="2020-03-27 04:00:00")
    yield from _of_pasted_roots()


def _of_pasted_roots():
    """A certificate that was sent along signed nothing."""
    pasted = real("235150de")
    clean = handshake("joke.kz", "195.12.113.98", None, [*genuine("joke.kz"), pasted])
    yield "pasted-on-clean", CLEAN, web("joke.kz", clean)
    own = handshake("joke2.kz", "195.12.113.97", None, [self_signed("CN=joke2.kz", ("joke2.kz",)), pasted])
    options = ["NoTLSVerify=true"]
    yield "pasted-on-self-signed", UNDECIDED, urlgetter("https://joke2.kz/", own, options=options)
    row = handshake("isca.gov.kz", "195.12.113.99", UNKNOWN, [pasted])
    yield "shown-by-its-own-site", INNOCENT, web("isca.gov.kz", row, control=ALIKE)
    mimic = [pretended("CN=mimic.org", LE.certificate, ("mimic.org",), "2023-09-01", 90), LE.certificate]
    blind = handshake("mimic.org", "5.7.8.9", None, mimic, no_tls_verify=True)
    yield "public-one-pasted-on-forgery", UNCLEAN, urlgetter("https://mimic.org/", blind, options=options)


MADE = (
    _of_intermediates, _of_controls, _of_failures, _of_leaves, _of_experiments, _of_fields, _of_names,
    _of_unknown_roots,
)  # fmt: skip


def situations():
    """Those that need no real certificate."""
    for part in MADE:
        for told, truth, *documents in part():
            yield Situation(f"kz-{told}", truth, documents)


def real_situations():
    for told, truth, *documents in _of_real_roots():
        yield Situation(f"real-{told}", truth, documents)
