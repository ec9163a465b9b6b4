"""What stands in trust stores, for programs."""

from typing import Any

from kzmitm.model.codec import format_time, to_json
from kzmitm.roots.examination import Examination, ExaminedRoot, Placed

SCHEMA = "kzmitm.roots/1.0"


def document(found: Examination) -> dict[str, Any]:
    """The document of `roots --json`; every root, the public ones too."""
    return {
        "schema": SCHEMA,
        "version": "1.0",
        "alarm": bool(found.alarms),
        "summary": {str(name): count for name, count in found.counts().items()},
        "stores": [
            {
                "kind": reading.store.kind,
                "application": reading.store.application,
                "path": reading.store.path,
                "profile": reading.store.profile,
                "roots": len(reading.roots),
                "problem": reading.problem,
            }
            for reading in found.readings
        ],
        "roots": [root_document(root) for root in found.roots],
    }


def root_document(root: ExaminedRoot) -> dict[str, Any]:
    """One distinct root with all its places."""
    certificate, finding = root.certificate, root.finding
    return {
        "sha256": certificate.sha256,
        "spki_sha256": certificate.spki_sha256,
        "subject": str(certificate.subject),
        "not_before": format_time(certificate.not_before) if certificate.not_before else None,
        "not_after": format_time(certificate.not_after) if certificate.not_after else None,
        "class": finding.root_class,
        "match": finding.match,
        "alarm": root.is_alarm,
        "trust": root.trust,
        "authority": to_json(finding.authority) if finding.authority else None,
        "programmes": list(finding.programmes),
        "blocked_by": list(finding.blocked_by),
        "constraints": list(finding.constraints),
        "parse_error": certificate.parse_error,
        "places": [_place(place) for place in root.places],
    }


def _place(place: Placed) -> dict[str, Any]:
    store, root = place.store, place.root
    return {
        "kind": store.kind,
        "application": store.application,
        "path": root.place or store.path,
        "profile": store.profile,
        "trust": root.trust,
        "origin": root.origin,
        "purposes": None if root.purposes is None else sorted(root.purposes),
        "names": list(root.names),
        "label": root.label,
        "added_at": format_time(root.added_at) if root.added_at else None,
    }
