"""The document of a trace (`kzmitm.trace/1.0`): the verdict, where it is, and all that proves it.

Its JSON Schema is `schema_text("trace")`. Times are seconds since `started_at`.
"""

from collections.abc import Sequence
from typing import Any

from kzmitm import __version__
from kzmitm.evidence.scan_document import Row
from kzmitm.model.codec import format_time, to_json
from kzmitm.model.location import Location
from kzmitm.model.measurement import Measurement
from kzmitm.model.trace import TraceObservation

SCHEMA = "kzmitm.trace/1.0"
VERSION = "1.0"


def trace_document(
    measurement: Measurement, row: Row, locations: Sequence[Location], *, control_sni: str, complete: bool
) -> dict[str, Any]:
    """The document; `row` is that of a scan, `locations` go with `measurement.trace`."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "tool": {"name": "kzmitm", "version": __version__},
        "started_at": format_time(measurement.started_at),
        "complete": complete,
        "control_sni": control_sni,
        "vantage": {key: getattr(measurement.vantage, key) for key in ("id", "kind", "asn", "cc")},
        "verdict": {key: value for key, value in row.items() if key != "locations"},
        "traces": [
            {"location": to_json(location), "trace": trace_json(trace)}
            for trace, location in zip(measurement.trace, locations, strict=True)
        ],
    }


def trace_json(trace: TraceObservation) -> dict[str, Any]:
    """A trace as JSON, without the handshakes, which are long: the chain stands in the verdict."""
    told: dict[str, Any] = to_json(trace)
    for walk in told["walks"]:
        for step in walk["steps"]:
            del step["tls"]
    return told
