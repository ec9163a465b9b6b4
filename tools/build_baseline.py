"""Writes the two lists of fingerprints/truststore/ that say which roots were ever public.

    .venv/bin/python tools/build_baseline.py ../shared/facts/public-roots.json
    .venv/bin/python tools/build_baseline.py --certifi certifi-*/certifi/{cacert,weak,old_root}.pem

The first writes baseline.json: the collection of trust_stores_observatory (MIT), with every hash computed
again from the certificate where that is at hand. What we leave out are the dates; what is absent is empty.

The second writes former.json: what releases of certifi (Mozilla's list, MPL 2.0) had and that collection
lacks, as it began later. Each file lies as its release unpacks, so that the path tells which release it is.
Either may be given alone: the other list stays as it is.
"""

import argparse
import json
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.x509 import load_der_x509_certificate

from kzmitm.pki.baseline import Baseline, PublicRoot, read_baseline
from kzmitm.pki.cache import CertificateCache
from kzmitm.roots.pem import read_certificates

HERE = Path(__file__).parent.parent / "fingerprints" / "truststore"
LICENCE = "MIT"
ABOUT = (
    "Every root that a public root programme carried or blocked, as collected by trust_stores_observatory, "
    "one a line by the SHA-256 of its certificate. Made by tools/build_baseline.py. Neither trusted_by nor "
    "blocked_by: carried or blocked once. recomputed false: only the hash is known."
)

CERTIFI = "https://github.com/certifi/python-certifi"
CERTIFI_LICENCE = "MPL-2.0"
ABOUT_FORMER = (
    "Roots that releases of certifi had from Mozilla's list and baseline.json lacks, one a line by the "
    "SHA-256 of the certificate. Made by tools/build_baseline.py, with hashes computed from certificates. "
    "releases: every file that was looked at, and its SHA-256; the first and the last release of a root are "
    "of these."
)
_RELEASE = re.compile(r"certifi-(\d{2,4})\.(\d{1,2})\.(\d{1,2})(?=/)")


@dataclass(slots=True)
class Carried:
    """A certificate of certifi, and where it was."""

    der: bytes
    releases: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)


def line(root: PublicRoot, **more: Any) -> str:
    """A root as one line of JSON, without what is empty."""
    row: dict[str, Any] = {
        "sha256": root.sha256,
        "spki_sha256": root.spki_sha256,
        "subject": root.subject,
        "trusted_by": root.trusted_by,
        "blocked_by": root.blocked_by,
        **more,
    }
    row = {key: value for key, value in row.items() if value}
    if not root.recomputed:
        row["recomputed"] = False
    return _compact(row)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write(name: str, head: dict[str, Any], rows: Sequence[str], meta: Iterable[str]) -> None:
    """NAME.json and NAME.toml; a new snapshot is a small diff, as the lines are sorted."""
    listed = ",\n".join(rows)
    content = f'{_compact(head)[:-1]},"roots":[\n{listed}\n]}}\n'.encode()
    (HERE / f"{name}.json").write_bytes(content)
    lines = [
        *meta,
        f'source_url = "{head["source"]}"',
        f'licence = "{head["licence"]}"',
        f'date = "{head["snapshot"]}"',
        f'sha256 = "{sha256(content).hexdigest()}"',
        f"count = {len(rows)}",
    ]
    (HERE / f"{name}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}.json: {len(content)} octets, {head['counts']}")


def write_baseline(path: Path) -> None:
    """The collection, without what we do not need."""
    octets = path.read_bytes()
    given, read = json.loads(octets), read_baseline(octets, name=path.name)
    roots = [read.roots[digest] for digest in sorted(read.roots)]
    counts = {
        "roots": len(roots),
        "trusted": sum(bool(root.trusted_by) for root in roots),
        "blocked": sum(bool(root.blocked_by) for root in roots),
        "hash_only": sum(not root.recomputed for root in roots),
    }
    head = {
        "about": ABOUT,
        "source": read.source,
        "snapshot": read.snapshot.isoformat(),
        "licence": LICENCE,
        "counts": counts,
        "programmes": given["programmes"],
    }
    meta = (
        "# Every root that a public programme carried or blocked. Made by tools/build_baseline.py;",
        "# sha256 is of baseline.json.",
        'name = "baseline"',
        'source = "trust_stores_observatory"',
    )
    write("baseline", head, [line(root) for root in roots], meta)


def write_former(paths: Iterable[Path], collected: Baseline) -> None:
    """What certifi had beyond the collection."""
    in_order = sorted(paths, key=lambda path: (released(path), path.name))
    releases: dict[str, dict[str, str]] = {}
    carried: dict[str, Carried] = {}
    for path in in_order:
        octets, name = path.read_bytes(), release(path)
        releases.setdefault(name, {})[path.name] = sha256(octets).hexdigest()
        for found in read_certificates(octets).certificates:
            root = carried.setdefault(sha256(found.der).hexdigest(), Carried(found.der))
            root.releases.append(name)
            root.files.add(path.name)
    rows = [former_line(carried[digest]) for digest in sorted(carried.keys() - collected.roots.keys())]
    head = {
        "about": ABOUT_FORMER,
        "source": CERTIFI,
        "snapshot": released(in_order[-1]).isoformat(),
        "licence": CERTIFI_LICENCE,
        "counts": {"roots": len(rows)},
        "programmes": {},
        "package": "certifi",
        "releases": releases,
    }
    meta = (
        "# Roots of Mozilla's list that baseline.json lacks, as certifi had them. Made by",
        "# tools/build_baseline.py; sha256 is of former.json.",
        'name = "former"',
        'source = "certifi"',
    )
    write("former", head, rows, meta)


def former_line(carried: Carried) -> str:
    """A root of certifi with the releases it was in; what is no authority is no root, and ends all."""
    cache = CertificateCache()
    certificate = cache.parse(carried.der)
    if not (certificate.is_ca or cache.is_signed_by(certificate, certificate)):
        sys.exit(f"{certificate.sha256} ({certificate.subject}) is no authority: is that file certifi's?")
    with warnings.catch_warnings():  # some old serial numbers are none
        warnings.simplefilter("ignore")
        subject = load_der_x509_certificate(carried.der).subject.rfc4514_string()
    root = PublicRoot(certificate.sha256, certificate.spki_sha256, subject, (), ())
    first, last = carried.releases[0], carried.releases[-1]
    return line(root, first_release=first, last_release=last, files=sorted(carried.files))


def release(path: Path) -> str:
    """The release that a file of certifi is of, by its path."""
    found = _RELEASE.search(path.absolute().as_posix())
    if found is None:
        sys.exit(f"{path}: no folder of its path is named certifi-YEAR.MONTH.DAY")
    return found[0].removeprefix("certifi-")


def released(path: Path) -> date:
    """When that was, as its number tells; the first ones have two digits of the year."""
    year, month, day = map(int, release(path).split("."))
    return date(year if year > 99 else 2000 + year, month, day)


def main() -> None:
    """Writes what is given; former.json is what the collection as it is then lacks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, nargs="?", help="the collection, as JSON")
    parser.add_argument(
        "--certifi", type=Path, nargs="+", default=[], metavar="PEM", help="files of releases"
    )
    args = parser.parse_args()
    if args.source is None and not args.certifi:
        parser.error("give the collection, files of certifi, or both")
    if args.source is not None:
        write_baseline(args.source)
    if args.certifi:
        path = HERE / "baseline.json"
        write_former(args.certifi, read_baseline(path.read_bytes(), name=path.name))


if __name__ == "__main__":
    main()
