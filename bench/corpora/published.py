"""A corpus that must give the figures that OONI published of Kazakhstan in September 2024.

Seven look-alikes of the certificates (issuer name, serial number and dates are the real ones'), signed by
four look-alikes of the known roots and by two roots that the registry does not know; 14 names, 19 networks,
the seven measurements that the report names, and the certificate that was seen after it had expired.
"""

import base64
import datetime as dt
import hashlib
import json
import random
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from corpora import rows
from corpora.authorities import published, published_roots
from corpora.files import Compression, FilePlan, write_corpus
from corpora.making import SITUATIONS, choose, era_of, run
from corpora.scene import Made, Scene, World, world_of
from corpora.sites import FINGERPRINTS, named, network
from corpora.situations import Situation, failing, stored

SIGHTINGS = 20
"""Of each certificate, the published example among them."""
TIMES_INNOCENT = 10
EXPIRED_SEEN = 5
"""Ordinal of the one that was measured after its end, and how often in the corpus."""
EXPIRED_SIGHTINGS = 6


@cache
def incident() -> dict[str, Any]:
    """The incident in the registry."""
    return tomllib.loads((FINGERPRINTS / "incidents" / "kz-2021-2024-isca.toml").read_text())


def _sightings(ordinal: int, rng: random.Random) -> list[tuple[dt.datetime, str]]:
    """When the certificate of that ordinal is seen, and under which uid if it is the published one."""
    one = published()[ordinal - 1]
    first = published()[0]["example_measured_at"]
    last = published()[-1]["example_measured_at"]
    example = (one["example_measured_at"], one["example_measurement"].rpartition("/")[2])
    start, end = max(one["not_before"], first), min(one["not_after"], last)
    seconds = int((end - start).total_seconds()) - 120
    expired = EXPIRED_SIGHTINGS - 1 if ordinal == EXPIRED_SEEN else 0
    found = [
        (start + dt.timedelta(seconds=60 + rng.randrange(seconds)), "")
        for _ in range(SIGHTINGS - 1 - expired)
    ]
    after = int((example[0] - one["not_after"]).total_seconds())
    found += [
        (one["not_after"] + dt.timedelta(seconds=1 + rng.randrange(after - 60)), "") for _ in range(expired)
    ]
    return sorted([*found, example])


def sightings(plan: FilePlan, world: World, rng: random.Random) -> Iterator[tuple[Situation, Scene, Made]]:
    """The measurements of one file: one certificate's, among ten times as many that nobody forged."""
    ordinal = plan.index + 1
    names, asns = incident()["domains"]["all"], [one["asn"] for one in incident()["asns"]]
    certificate = world.look_alikes.published[ordinal - 1]
    one = published()[ordinal - 1]
    for number, (moment, uid) in enumerate(_sightings(ordinal, rng)):
        turn = plan.index * SIGHTINGS + number
        kind = _kind(ordinal, certificate.base64, expired=moment > one["not_after"])
        where = {"network": network(asns[turn % len(asns)]), "at": named(names[turn % len(names)])}
        yield (
            kind,
            *run(world, kind, rng, era=era_of(moment, rng), moment=moment, small=True, uid=uid, **where),
        )
        for _ in range(TIMES_INNOCENT):
            when = moment + dt.timedelta(seconds=rng.randrange(-40_000, 40_000))
            era = era_of(when, rng)
            innocent = _innocent(rng, era)
            yield innocent, *run(world, innocent, rng, era=era, moment=when, small=True)


def _innocent(rng: random.Random, era: rows.Era) -> Situation:
    """Half by weight, half any: what may be confused is to come often."""
    while True:
        kind = choose(rng, era)
        if rng.random() < 0.5:
            kind = rng.choice(
                [k for k in SITUATIONS.values() if k.test_name == kind.test_name and era in k.eras]
            )
        if not kind.is_interception:
            return kind


def _kind(ordinal: int, certificate: str, *, expired: bool) -> Situation:
    failure = rows.INVALID_CERTIFICATE if expired else rows.UNKNOWN_AUTHORITY

    def make(scene: Scene) -> Made:
        return failing(scene, stored(failure, certificate), certificate)

    return Situation(
        name=f"published_{ordinal}",
        about="One of the seven.",
        make=make,
        outcome="interception",
        authority="kz-isca",
        match="certificate",
        scope="state",
    )


def write_published(
    out: Path, seed: int = 1, compression: Compression = "gz", *, processes: int = 1
) -> dict[str, Any]:
    """Write the corpus; `truth.json` has the figures under `published`."""
    per_file = SIGHTINGS * (1 + TIMES_INNOCENT)
    todo = [
        FilePlan(
            seed=seed,
            index=index,
            hour=one["example_measured_at"].replace(minute=0, second=0),
            octets=0,
            required=("",) * per_file,
            compression=compression,
        )
        for index, one in enumerate(published())
    ]
    told = write_corpus(out, todo, processes=processes, source=sightings)
    told["published"] = _figures(out, world_of(seed))
    (out / "truth.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return told


def _figures(out: Path, world: World) -> dict[str, Any]:
    truths = [json.loads(line) for line in (out / "truth.jsonl").read_text().splitlines()]
    seen = [truth for truth in truths if truth["is_interception"]]
    certificates = [_certificate(one, world, seen) for one in published()]
    known = [one["root_sha256"] for one in certificates if one["root_sha256"]]
    return {
        "certificates": len(certificates),
        "known_roots": len(set(known)),
        "certificates_of_unknown_roots": len(certificates) - len(known),
        "domains": sorted({truth["domain"] for truth in seen}),
        "asns": sorted({truth["asn"] for truth in seen}),
        "sightings": len(seen),
        "outside_validity": sum(not truth["within_validity"] for truth in seen),
        "first_seen": certificates[0]["first_seen"],
        "last_seen": certificates[-1]["last_seen"],
        "each": certificates,
    }


def _certificate(one: dict[str, Any], world: World, seen: list[dict[str, Any]]) -> dict[str, Any]:
    like = world.look_alikes.published[one["ordinal"] - 1]
    sha256 = hashlib.sha256(like.der).hexdigest()
    mine = [truth for truth in seen if truth["certificate_sha256"] == sha256]
    times = sorted(truth["measured_at"] for truth in mine)
    root = None
    if "signed_by" in one:
        signers = [signer for signer, _start, _end in published_roots()]
        root = hashlib.sha256(
            world.look_alikes.roots[signers.index(one["signed_by"]["root_sha256"])].der
        ).hexdigest()
    return {
        "ordinal": one["ordinal"],
        "sha256": sha256,
        "sha1": hashlib.sha1(like.der, usedforsecurity=False).hexdigest(),
        "like_sha1": one["sha1"],
        "root_sha256": root,
        "not_before": one["not_before"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "not_after": one["not_after"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sightings": len(mine),
        "outside_validity": sum(not truth["within_validity"] for truth in mine),
        "first_seen": times[0],
        "last_seen": times[-1],
        "example_uid": one["example_measurement"].rpartition("/")[2],
        "base64": base64.b64encode(like.der).decode(),
    }
