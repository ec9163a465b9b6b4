"""What the tables of an analysed archive say together: they are the interface, not what made them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kzmitm.errors import UsageError
from kzmitm.pki.kinds import CARRIERS
from kzmitm.pki.registry import Registry
from kzmitm.report.language import _
from kzmitm.report.overviews.values import (
    Counts,
    Overview,
    SeenAuthority,
    SeenCertificate,
    SeenDomain,
    SeenNetwork,
    Span,
)

if TYPE_CHECKING:
    import duckdb

FOLDER: Final = "tables"
MOST_CERTIFICATES: Final = 200
"""Certificates that are told, a state's and the most seen first: an antivirus has one for each computer."""
MOST_DOMAINS: Final = 2000
"""Domains that are told, the most intercepted first; how many there are is counted over all."""
SHORT: Final = 16
"""Digits of a hash that name a certificate in a picture."""

_ENDS: Final = ("measurements", "intercepted", "blocked", "clean")
_TOTALS: Final = """
SELECT count(DISTINCT host) AS domains, count(DISTINCT asn) AS networks, min(time) AS first,
       max(time) AS last FROM measurements
"""
_OUTCOMES: Final = (
    "SELECT outcome, sum(measurements)::BIGINT AS n FROM labels GROUP BY outcome ORDER BY n DESC, outcome"
)
_COUNTRIES: Final = "SELECT cc FROM measurements WHERE cc <> '' GROUP BY cc ORDER BY count(*) DESC, cc"
_CERTIFICATES: Final = """
SELECT c.*, n.authority_name, n.kind FROM certificates c LEFT JOIN authority_names n USING (authority)
ORDER BY (coalesce(n.kind, '') IN ({carriers})) DESC, c.sightings DESC, c.sha256 LIMIT {most}
"""
_CERTIFICATE_DAYS: Final = """
SELECT certificate, day, min(first_seen) AS first, sum(sightings)::BIGINT AS n FROM days
WHERE certificate IN (SELECT unnest(?)) GROUP BY certificate, day ORDER BY certificate, day
"""
_DOMAINS: Final = """
SELECT * FROM domains WHERE intercepted > 0 OR blocked > 0
ORDER BY intercepted DESC, blocked DESC, domain LIMIT {most}
"""
_NETWORKS: Final = """
SELECT n.*, coalesce(b.by_network, 0)::BIGINT AS by_network FROM networks n
LEFT JOIN (
  SELECT asn, count(*) AS by_network FROM measurements
  WHERE outcome = 'interception' AND scope IN ('state', 'isp') GROUP BY asn
) b USING (asn)
ORDER BY n.intercepted DESC, n.share DESC NULLS LAST, n.measurements DESC, n.asn
"""
_INTERCEPTED: Final = "SELECT count(*) AS n FROM domains WHERE intercepted > 0"
_CELLS: Final = """
SELECT * FROM network_domains WHERE domain IN (SELECT unnest(?)) ORDER BY asn, domain
"""


def is_analysis(folder: Path) -> bool:
    """The folder is what `kzmitm ooni analyze --out` left."""
    return (folder / FOLDER / "days.parquet").is_file()


def read_overview(folder: Path, registry: Registry) -> Overview:
    """Raises UsageError for tables that are missing, altered or of an earlier version."""
    from kzmitm.ooni.archive.database import duckdb  # noqa: PLC0415 (an extra)
    from kzmitm.ooni.archive.findings import open_findings  # noqa: PLC0415

    if not (folder / FOLDER / "network_domains.parquet").is_file():
        raise UsageError(
            _("{folder}: judged by an earlier version").format(folder=folder),
            hint=_("judge it again: kzmitm ooni analyze --out {folder}").format(folder=folder),
        )
    try:
        with open_findings(folder) as connection:
            return _overview(connection, registry)
    except duckdb.Error as exc:
        from kzmitm.ooni.archive.complaints import one_line  # noqa: PLC0415

        raise UsageError(
            "{folder}: {why}", hint=_("was a file altered? Judge it again"), folder=folder, why=one_line(exc)
        ) from None


def _overview(connection: "duckdb.DuckDBPyConnection", registry: Registry) -> Overview:
    def rows(query: str, *given: Any) -> list[Mapping[str, Any]]:
        from kzmitm.ooni.archive.findings import rows_of  # noqa: PLC0415

        return list(rows_of(connection.execute(query, list(given))))

    totals = rows(_TOTALS)[0]
    domains = tuple(map(_domain, rows(_DOMAINS.format(most=MOST_DOMAINS))))
    carriers = ", ".join(f"'{kind}'" for kind in sorted(CARRIERS))
    found = rows(_CERTIFICATES.format(carriers=carriers, most=MOST_CERTIFICATES))
    days = _days(rows(_CERTIFICATE_DAYS, [row["sha256"] for row in found]))
    intercepted = [each.name for each in domains if each.counts.intercepted]
    return Overview(
        is_campaign=False,
        outcomes={row["outcome"]: row["n"] for row in rows(_OUTCOMES)},
        first=_utc(totals["first"]),
        last=_utc(totals["last"]),
        countries=tuple(row["cc"] for row in rows(_COUNTRIES)),
        domains_measured=totals["domains"],
        networks_measured=totals["networks"],
        domains_intercepted=rows(_INTERCEPTED)[0]["n"],
        authorities=tuple(map(_authority, rows("SELECT * FROM authorities"))),
        certificates=tuple(sorted((_certificate(row, days) for row in found), key=_by_authority_and_age)),
        domains=domains,
        networks=tuple(map(_network, rows(_NETWORKS))),
        cells={(row["asn"], row["domain"]): _counts(row) for row in rows(_CELLS, intercepted)},
        days=tuple(
            _moment(row["first"])
            for row in rows("SELECT min(first_seen) AS first FROM days GROUP BY day ORDER BY day")
        ),
        registry_version=registry.version,
    )


def _days(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[datetime, int]]]:
    found: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for row in rows:
        found[row["certificate"]].append((_moment(row["first"]), row["n"]))
    return found


def _authority(row: Mapping[str, Any]) -> SeenAuthority:
    return SeenAuthority(
        id=row["authority"] or "",
        name=row["authority_name"] or "",
        kind=row["kind"] or "",
        match=row["match"] or "",
        sightings=row["sightings"],
        domains=row["domains"],
        networks=row["networks"],
        span=Span(first=_moment(row["first_seen"]), last=_moment(row["last_seen"])),
    )


def _certificate(row: Mapping[str, Any], days: Mapping[str, list[tuple[datetime, int]]]) -> SeenCertificate:
    return SeenCertificate(
        name=row["sha256"][:SHORT],
        sha256=row["sha256"],
        subject=row["subject"] or "",
        authority=row["authority_name"] or "",
        is_carrier=(row["kind"] or "") in CARRIERS,
        not_before=_utc(row["not_before"]),
        not_after=_utc(row["not_after"]),
        days=tuple(days.get(row["sha256"], ())),
        outside=row["outside_validity"],
    )


def _by_authority_and_age(each: SeenCertificate) -> tuple[bool, str, datetime, str]:
    return (
        not each.is_carrier,
        each.authority,
        each.not_before or datetime.max.replace(tzinfo=UTC),
        each.sha256,
    )


def _domain(row: Mapping[str, Any]) -> SeenDomain:
    return SeenDomain(
        name=row["domain"] or "", counts=_counts(row), networks=row["networks_intercepting"], span=_span(row)
    )


def _network(row: Mapping[str, Any]) -> SeenNetwork:
    return SeenNetwork(
        asn=row["asn"],
        name=row["operator"] or "",
        share=row["share"],
        counts=_counts(row),
        by_network=row["by_network"],
        domains=row["domains_intercepted"],
        span=_span(row),
    )


def _counts(row: Mapping[str, Any]) -> Counts:
    return Counts(**{name: row[name] for name in _ENDS})


def _span(row: Mapping[str, Any]) -> Span | None:
    first, last = _utc(row["first_intercepted"]), _utc(row["last_intercepted"])
    return Span(first=first, last=last) if first and last else None


def _moment(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC)


def _utc(value: datetime | None) -> datetime | None:
    return None if value is None else _moment(value)
