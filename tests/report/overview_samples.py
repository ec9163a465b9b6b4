"""What many measurements might show, for the tests of their reports."""

from dataclasses import replace
from datetime import UTC, datetime

from kzmitm import resources
from kzmitm.pki.registry import parse_registry
from kzmitm.report.overviews.values import (
    Counts,
    Overview,
    SeenAuthority,
    SeenCertificate,
    SeenDomain,
    SeenNetwork,
    Span,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
REGISTRY = parse_registry(resources.fingerprint_files())
FIRST, LAST = datetime(2024, 2, 1, 3, tzinfo=UTC), datetime(2024, 3, 17, 5, tzinfo=UTC)


def counts(measurements=10, intercepted=0, blocked=0, clean=0):
    return Counts(measurements=measurements, intercepted=intercepted, blocked=blocked, clean=clean)


def network(asn=9198, name="Kazakhtelecom", *, share=29.1, by_network=4, intercepted=4):
    return SeenNetwork(
        asn=asn,
        name=name,
        share=share,
        counts=counts(intercepted=intercepted, blocked=1),
        by_network=by_network,
        domains=1,
        span=Span(first=FIRST, last=LAST) if intercepted else None,
    )


def domain(name="news.example", *, intercepted=4, blocked=3):
    return SeenDomain(
        name=name,
        counts=counts(intercepted=intercepted, blocked=blocked, clean=1),
        networks=1,
        span=Span(first=FIRST, last=LAST) if intercepted else None,
    )


def certificate(name="dfcd9dcb64edd86e", *, subject="CN=x", outside=1, is_carrier=True):
    return SeenCertificate(
        name=name,
        sha256="df" * 32,
        subject=subject,
        authority="ISCA" if is_carrier else "Antivirus",
        is_carrier=is_carrier,
        not_before=datetime(2023, 11, 28, tzinfo=UTC),
        not_after=datetime(2024, 2, 11, tzinfo=UTC),
        days=((FIRST, 3), (LAST, outside)),
        outside=outside,
    )


def authority(name="ISCA", kind="state_interception"):
    return SeenAuthority(
        id="kz-isca", name=name, kind=kind, match="signature", sightings=4, domains=1, networks=1,
        span=Span(first=FIRST, last=LAST),
    )  # fmt: skip


def overview(**changes):
    """Interception in one network among others; `changes` replace what differs."""
    whole = Overview(
        is_campaign=False,
        outcomes={"interception": 4, "blocked": 4, "clean": 10, "inconclusive": 2, "dns_hijack": 1},
        first=datetime(2024, 1, 1, tzinfo=UTC),
        last=datetime(2024, 4, 1, tzinfo=UTC),
        countries=("KZ",),
        domains_measured=3,
        networks_measured=2,
        domains_intercepted=1,
        authorities=(authority(),),
        certificates=(certificate(),),
        domains=(domain(), domain("blocked.example", intercepted=0)),
        networks=(network(), network(48503, "Tele2", share=16.8, by_network=0, intercepted=0)),
        cells={(9198, "news.example"): counts(10, 4, 3, 1), (48503, "news.example"): counts(2, 0, 1, 1)},
        days=(FIRST, LAST),
        registry_version="0123456789abcdef",
    )
    return replace(whole, **changes)


def nothing(**outcomes):
    """Measurements without any interception."""
    return overview(
        outcomes=outcomes,
        authorities=(),
        certificates=(),
        domains_intercepted=0,
        domains=(),
        networks=(),
        cells={},
        days=(),
    )
