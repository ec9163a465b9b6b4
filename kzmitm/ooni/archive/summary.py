"""The findings of an analysis as one document: what was read, who intercepted what, where and when."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from kzmitm.ooni.archive.database import duckdb
from kzmitm.ooni.archive.findings import rows_of
from kzmitm.pki.kinds import CARRIERS

_COUNTS: Final = """
SELECT count(*) AS measurements, count(*) FILTER (outcome = 'interception') AS intercepted,
       count(*) FILTER (outcome = 'blocked') AS blocked, min(time) AS first, max(time) AS last,
       (SELECT count(*) FROM networks) AS networks, count(DISTINCT host) AS domains
FROM measurements
"""
_OUTCOMES: Final = (
    "SELECT outcome, sum(measurements)::BIGINT AS n FROM labels GROUP BY outcome ORDER BY n DESC, outcome"
)
_INTERCEPTION: Final = """
SELECT count(*) AS sightings, count(DISTINCT uid) AS measurements, count(DISTINCT domain) AS domains,
       count(DISTINCT asn) AS networks, count(DISTINCT certificate) AS certificates,
       count(DISTINCT root_sha256) FILTER (root_sha256 <> '') AS known_roots,
       count(DISTINCT certificate) FILTER (coalesce(root_sha256, '') = '') AS certificates_of_unknown_root,
       min(time) AS first_seen, max(time) AS last_seen, count(*) FILTER (outside_validity) AS outside_validity
FROM interceptions {where}
"""
_ATTRIBUTED: Final = "WHERE match IN ('certificate', 'key', 'signature', 'family')"
_CARRIERS: Final = ", ".join(f"'{kind}'" for kind in sorted(CARRIERS))
_SHARE: Final = f"""
SELECT round(sum(share), 2) AS share FROM known_networks
WHERE asn IN (SELECT asn FROM interceptions {_ATTRIBUTED} AND kind IN ({_CARRIERS}))
"""  # noqa: S608


def summed_up(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The document of an analysis, but for what was read and what it was judged by."""

    def first(query: str) -> dict[str, Any]:
        return next(_plain(rows_of(connection.execute(query))), {})

    def every(query: str) -> list[dict[str, Any]]:
        return list(_plain(rows_of(connection.execute(query))))

    attributed = first(_INTERCEPTION.format(where=_ATTRIBUTED))
    for name, column in (("domain_names", "domain"), ("asns", "asn")):
        query = f"SELECT DISTINCT {column} FROM interceptions {_ATTRIBUTED} ORDER BY {column}"  # noqa: S608
        attributed[name] = [row[column] for row in every(query)]
    return {
        "counts": first(_COUNTS),
        "outcomes": {row["outcome"]: row["n"] for row in every(_OUTCOMES)},
        "interception": first(_INTERCEPTION.format(where="")),
        "attributed": attributed,
        "share_of_users": first(_SHARE).get("share"),
        "authorities": every("SELECT * FROM authorities"),
        "certificates": every("SELECT * FROM certificates"),
    }


def _plain(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Values as JSON has them; times in UTC."""
    for row in rows:
        yield {key: _value(value) for key, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
