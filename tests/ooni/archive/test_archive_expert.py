"""Measurements with a truth that an expert wrote down beside them: each alone, and all together.

What is called interception alone is called so among others, and nobody innocent is called so in either.
"""

from datetime import UTC, datetime

import expert_kazakhstan
import expert_many
import expert_networks
import expert_origins
import pytest
from archive_samples import read
from expert_pki import SHARED, text
from expert_public import STORE
from judged_corpora import analysis, rows

from kzmitm import resources
from kzmitm.ooni.archive.analysis import Grounds
from kzmitm.ooni.archive.cases import Situation, case_of
from kzmitm.ooni.archive.rules import judge
from kzmitm.ooni.archive.second_look import Met, Sighting, look_again
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.registry import parse_registry
from kzmitm.pki.store import parse_store
from kzmitm.verdict.handshake import Judging

PARTS = (expert_kazakhstan, expert_origins, expert_networks, expert_many)
REAL = (expert_kazakhstan, expert_origins, expert_many)


@pytest.fixture(scope="module")
def grounds():
    pem = b"".join(text(each.certificate) for each in STORE)
    return Grounds(
        parse_registry(resources.fingerprint_files([])),
        parse_store(pem, name="experts", version="1", date="2024-01-01"),
    )


def made():
    return [each for part in PARTS for each in part.situations()]


def of_real_certificates():
    if not SHARED.is_dir():
        pytest.skip("the real certificates (../shared/certs) are not here")
    return [each for part in REAL for each in part.real_situations()]


SETS = pytest.mark.parametrize("told", [made, of_real_certificates], ids=["made", "real"])


def numbered(told):
    """(id, truth, document) of every measurement, each with a name of its own."""
    for situation in told:
        for number, document in enumerate(situation.documents):
            named = document | {"measurement_uid": f"{situation.id}/{number}"}
            yield situation.id, situation.truth, named


@SETS
def test_all_together(told, tmp_path, grounds):
    lines = list(numbered(told()))
    assert len(lines) > 50
    analysis([document for _, _, document in lines], tmp_path, grounds)
    found = {row["uid"]: row for row in rows(tmp_path)}
    assert len(found) == len(lines)
    faults = [
        (fault, document["measurement_uid"], row["rule"], row["authority"])
        for _, truth, document in lines
        if (fault := truth.fault_of(row := found[document["measurement_uid"]]))
    ]
    assert faults == []


def verdicts_of(document, grounds, cache):
    """What its handshakes mean, with what the second look makes of them where there is nothing else."""
    kept, met = read(document), {}
    for n, row in enumerate(kept.handshakes):
        chain = tuple(kept.chains.get(row["chain"], ()))
        time = datetime.fromisoformat(row["time"]).replace(tzinfo=UTC)
        fields = {name: row[name] for name in Situation.__dataclass_fields__ if name != "time"}
        judging = Judging(grounds.registry, grounds.store, cache, time)
        case = case_of(Situation(**fields, time=time), chain, judging)
        sighting = Sighting(row["asn"], row["name"] or row["host"], row["software"])
        met[n] = Met(case, judge(case), frozenset({sighting}))
    changed = look_again(met, frozenset())
    return [changed.get(n, each.verdict) for n, each in met.items()]


@SETS
def test_each_alone(told, grounds):
    """Of a measurement alone nobody else's chains and networks speak."""
    faults, cache = [], CertificateCache()
    for name, truth, document in numbered(told()):
        found = verdicts_of(document, grounds, cache)
        hits = [each for each in found if each.outcome == "interception"]
        for each in hits or found[:1]:
            row = {"outcome": each.outcome, "confidence": each.confidence, "authority": each.authority}
            fault = truth.fault_of(row | {"scope": each.scope})
            if fault and not (fault == "wrong" and len(found) > 1):
                faults.append((fault, name, each.rule, each.authority))
    assert faults == []
