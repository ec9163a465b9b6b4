"""From a situation to a document and its truth; and which measurements a corpus has."""

import base64
import datetime as dt
import hashlib
import json
import random
from typing import Any

from corpora import innocent, interceptions, trials  # noqa: F401 - they register their situations
from corpora.encoding import Style, encode_line
from corpora.rows import Era
from corpora.scene import OLD_UNTIL, V05_FROM, Document, Made, Scene, World, era_of, world_of
from corpora.sites import Network, Site, day_of, pick_network, pick_site, site, watched
from corpora.situations import SITUATIONS, WEB, Situation

Truth = dict[str, Any]
UTC = dt.UTC
FIRST, LAST = dt.datetime(2021, 6, 1, tzinfo=UTC), dt.datetime(2024, 10, 20, tzinfo=UTC)
_SPANS: dict[Era, tuple[dt.datetime, dt.datetime]] = {
    "old": (FIRST, OLD_UNTIL),
    "v04": (OLD_UNTIL, LAST),
    "v05": (V05_FROM, LAST),
}


def run(  # noqa: PLR0913
    world: World,
    kind: Situation,
    rng: random.Random,
    *,
    era: Era,
    moment: dt.datetime,
    network: Network | None = None,
    at: Site | None = None,
    small: bool = False,
    uid: str = "",
) -> tuple[Scene, Made]:
    """One measurement of that kind."""
    where = at or (site(rng.randrange(len(watched()))) if kind.watched else pick_site(rng))
    scene = Scene(world, rng, moment, era, network or pick_network(rng), where, small=small, uid=uid)
    return scene, kind.make(scene)


def truth_of(kind: Situation, scene: Scene, made: Made) -> Truth:
    """What is true of a measurement; the file and the line are told where it is written."""
    sha256, valid = None, None
    if made.certificate is not None:
        der = base64.b64decode(made.certificate)
        sha256 = hashlib.sha256(der).hexdigest()
        start, end = validity(made.certificate)
        valid = start <= scene.moment <= end
    return {
        "uid": scene.uid,
        "class": kind.name,
        "test_name": kind.test_name,
        "era": scene.era,
        "is_interception": kind.is_interception,
        "outcome": kind.outcome,
        "accept": [kind.outcome, *kind.accept],
        "cause": kind.cause,
        "authority": kind.authority,
        "match": kind.match,
        "scope": kind.scope,
        "certificate_sha256": sha256,
        "within_validity": valid,
        "asn": scene.network.asn,
        "domain": made.domain or scene.site.domain,
        "day": day_of(scene.moment),
        "measured_at": scene.moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "stated_at": made.document["measurement_start_time"].replace(" ", "T") + "Z",
        "report_id": made.document["report_id"],
        "input": made.document["input"],
    }


_validities: dict[str, tuple[dt.datetime, dt.datetime]] = {}


def validity(certificate: str) -> tuple[dt.datetime, dt.datetime]:
    """From when to when a certificate in base64 is valid."""
    if certificate not in _validities:
        from cryptography import x509  # noqa: PLC0415

        read = x509.load_der_x509_certificate(base64.b64decode(certificate))
        _validities[certificate] = (read.not_valid_before_utc, read.not_valid_after_utc)
    return _validities[certificate]


def line_of(scene: Scene, document: Document, style: Style, *, with_uid: bool) -> bytes:
    """The line of the file, with its newline."""
    pages = scene.world.pages
    bodies = {number: pages.render(recipe, style) for number, recipe in enumerate(scene.bodies)}
    if not with_uid:
        document = {key: value for key, value in document.items() if key != "measurement_uid"}
    return encode_line(document, style, bodies) + b"\n"


def moment_in(rng: random.Random, era: Era) -> dt.datetime:
    """Some second of the time in which that form was written."""
    start, end = _SPANS[era]
    return start + dt.timedelta(seconds=rng.randrange(int((end - start).total_seconds())))


def situation(name: str, seed: int = 1, *, era: Era | None = None) -> tuple[Document, Truth]:
    """A small document of the situation of that name, and the truth about it. Same seed, same document."""
    kind = SITUATIONS[name]
    rng = random.Random(f"{seed}:situation:{name}:{era}")
    form = era or kind.eras[-1]
    if form not in kind.eras:
        raise ValueError(f"{name} does not occur as {form}")
    scene, made = run(world_of(seed), kind, rng, era=form, moment=moment_in(rng, form), small=True)
    document = json.loads(line_of(scene, made.document, "go", with_uid=True))
    return document, truth_of(kind, scene, made)


def choose(rng: random.Random, era: Era, test_name: str = WEB) -> Situation:
    """A situation that occurs in that form, by its weight."""
    fitting = fitting_in(era, test_name)
    return rng.choices(fitting, [kind.weight for kind in fitting])[0]


def fitting_in(era: Era, test_name: str = WEB) -> list[Situation]:
    return [kind for kind in SITUATIONS.values() if era in kind.eras and kind.test_name == test_name]


__all__ = [
    "SITUATIONS",
    "choose",
    "era_of",
    "fitting_in",
    "line_of",
    "moment_in",
    "run",
    "situation",
    "truth_of",
]
