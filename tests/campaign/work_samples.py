"""Items and results made by hand, honest ones and others."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from kzmitm.campaign.file import parse_campaign
from kzmitm.campaign.intake import annotations_of
from kzmitm.campaign.plan import Plan, Share
from kzmitm.campaign.target_table import TargetTable
from kzmitm.campaign.work import NAMESPACE, WorkResult
from kzmitm.evidence.signing.keys import key_from_seed
from kzmitm.evidence.signing.sshsig import sign
from kzmitm.model.failure import Failure
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import TCPObservation
from kzmitm.model.target import Endpoint, Vantage
from kzmitm.ooni.emit import emit
from kzmitm.targets import parse_targets

AT = datetime(2026, 11, 1, tzinfo=UTC)
KEY, OTHER_KEY = key_from_seed(b"k" * 32), key_from_seed(b"o" * 32)
NAMES = ("one.example", "two.example", "three.example")
FILE = b"""[campaign]
name = "camp"
contact = "nobody@example.org"
[targets]
names = ["one.example", "two.example", "three.example"]
[controls]
every = 0
[[vantages]]
name = "a"
uri = "worker:"
[[vantages]]
name = "b"
uri = "worker:"
"""


def sample_plan(octets=FILE, names=NAMES):
    return Plan(parse_campaign(octets, name="f"), TargetTable(parse_targets(names)), TargetTable(()))


def measurement_for(target, **changes):
    """A target that refuses to be connected to."""
    refused = TCPObservation(
        endpoint=Endpoint("192.0.2.1", target.port), failure=Failure.CONNECTION_REFUSED, t0=0.0, t=0.1
    )
    return replace(Measurement(target=target, vantage=Vantage(), started_at=AT, tcp=(refused,)), **changes)


def line_for(job, key=KEY, *, measurement=None, annotations=None):
    told = annotations_of(job, key.public.fingerprint) | (annotations or {})
    found = measurement or measurement_for(job.target)
    return json.dumps(emit(found, test_start_time=found.started_at, annotations=told)).encode()


def result_for(plan, of, *, vantage="a", round_number=1, key=KEY, line=None, **changes):
    """An honest result of a job, but for the changes."""
    job = plan.job(Share(round_number, vantage), of)
    line = line_for(job, key) if line is None else line
    result = WorkResult(
        plan=plan.digest,
        job=job.id,
        number=of,
        round=round_number,
        vantage=vantage,
        line=line,
        key=key.public,
        signature=sign(line, key.private, NAMESPACE),
    )
    return replace(result, **changes)
