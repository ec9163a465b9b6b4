"""Read OONI lines from stdin with the `oonidata` package and print what it understood, one JSON a line.

Run by the Python that has oonidata; imports nothing of ours.
"""

import base64
import hashlib
import json
import sys

from oonidata.dataclient import load_measurement
from oonidata.datautils import get_certificate_meta


def check_events(keys):
    """OONI's pipeline takes the address of a handshake from the earliest event of its transaction.

    oonidata 0.3.0 reads the ids of events as text and those of handshakes as integers.
    """
    for handshake in keys.tls_handshakes:
        events = [e for e in keys.network_events if str(e.transaction_id) == str(handshake.transaction_id)]
        events.sort(key=lambda e: e.t)
        if not events or events[0].address != handshake.address:
            raise AssertionError("inconsistent address detected")


def seen(measurement):
    keys = measurement.test_keys
    check_events(keys)
    return {
        "class": type(measurement).__name__,
        "input": measurement.input,
        "probe_ip": measurement.probe_ip,
        "queries": [[q.hostname, [a.ipv4 or a.ipv6 for a in q.answers or []]] for q in keys.queries],
        "tcp": [[c.ip, c.port, c.status.success, c.status.failure] for c in keys.tcp_connect],
        "tls": [
            {
                "address": h.address,
                "server_name": h.server_name,
                "failure": h.failure,
                "no_tls_verify": h.no_tls_verify,
                "version": h.tls_version,
                "chain": [hashlib.sha256(base64.b64decode(c.data)).hexdigest() for c in h.peer_certificates],
            }
            for h in keys.tls_handshakes
        ],
        "leaf_subjects": [subject(h) for h in keys.tls_handshakes],
    }


def subject(handshake):
    if not handshake.peer_certificates:
        return None
    try:
        meta = get_certificate_meta(base64.b64decode(handshake.peer_certificates[0].data))
    except ValueError:
        return "unparsable"
    return meta.subject_common_name


for line in sys.stdin.buffer:
    sys.stdout.write(json.dumps(seen(load_measurement(json.loads(line)))) + "\n")
