"""Read OONI measurements from stdin with the `oonidata` package; print the chains of their handshakes.

One JSON a line, `null` for what it cannot read or has no model of. Run by the Python that has oonidata;
imports nothing of ours.
"""

import base64
import hashlib
import json
import sys

from oonidata.dataclient import load_measurement
from oonidata.models.nettests.base_measurement import BaseMeasurement


def handshakes(keys):
    lookups = (getattr(keys, "lookups", None) or {}).values()
    return [row for part in (keys, *lookups) for row in getattr(part, "tls_handshakes", None) or []]


def chains(line):
    try:
        measurement = load_measurement(json.loads(line))
    except Exception:  # noqa: BLE001 - what it raises is its own business
        return None
    if type(measurement) is BaseMeasurement:
        return None
    return [
        [hashlib.sha256(base64.b64decode(each.data)).hexdigest() for each in row.peer_certificates or []]
        for row in handshakes(measurement.test_keys)
    ]


for line in sys.stdin.buffer:
    sys.stdout.write(json.dumps(chains(line)) + "\n")
