"""What is told of a target, out of a row of scan.json, which may be a stranger's."""

from collections.abc import Mapping
from typing import Any

from kzmitm.model.codec import CodecError, from_json
from kzmitm.model.location import Location
from kzmitm.model.verdict import Verdict
from kzmitm.report.text import JudgedTarget, ShownCertificate


def judged_of_row(row: Mapping[str, Any], verdict: Verdict) -> JudgedTarget:
    """The target of a row with the verdict that it tells; what is not of the right type counts as absent."""
    handshake = row.get("handshake")
    failure = handshake.get("failure") if isinstance(handshake, Mapping) else None
    chain = row.get("chain")
    return JudgedTarget(
        target=_text(row.get("target")),
        verdict=verdict,
        chain=tuple(_certificate(each) for each in chain if isinstance(each, Mapping))
        if isinstance(chain, list)
        else (),
        failure=failure if isinstance(failure, str) else None,
        locations=_locations(row.get("locations")),
    )


def _locations(value: Any) -> tuple[Location, ...]:
    try:
        return from_json(tuple[Location, ...], value) if isinstance(value, list) else ()
    except CodecError:
        return ()


def _certificate(value: Mapping[str, Any]) -> ShownCertificate:
    key = value.get("spki_sha256")
    return ShownCertificate(
        _text(value.get("subject")), _text(value.get("sha256")), key if isinstance(key, str) else None
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
