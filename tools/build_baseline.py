"""Writes fingerprints/truststore/baseline.json and .toml: all roots that public programmes ever carried.

    .venv/bin/python tools/build_baseline.py ../shared/facts/public-roots.json

The file given is the collection of trust_stores_observatory (MIT), with every hash computed again from the
certificate where that is at hand. What we leave out are the dates; what is absent is empty.
"""

import argparse
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from kzmitm.pki.baseline import PublicRoot, read_baseline

HERE = Path(__file__).parent.parent / "fingerprints" / "truststore"
LICENCE = "MIT"
ABOUT = (
    "Every root that a public root programme carried or blocked, as collected by trust_stores_observatory, "
    "one a line by the SHA-256 of its certificate. Made by tools/build_baseline.py. Neither trusted_by nor "
    "blocked_by: carried or blocked once. recomputed false: only the hash is known."
)


def line(root: PublicRoot) -> str:
    """A root as one line of JSON, without what is empty."""
    row: dict[str, Any] = {
        "sha256": root.sha256,
        "spki_sha256": root.spki_sha256,
        "subject": root.subject,
        "trusted_by": root.trusted_by,
        "blocked_by": root.blocked_by,
    }
    row = {key: value for key, value in row.items() if value}
    if not root.recomputed:
        row["recomputed"] = False
    return _compact(row)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    """Writes both files; a new snapshot is a small diff, as the lines are sorted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    path = parser.parse_args().source
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
    rows = ",\n".join(map(line, roots))
    content = f'{_compact(head)[:-1]},"roots":[\n{rows}\n]}}\n'.encode()
    (HERE / "baseline.json").write_bytes(content)
    meta = [
        "# Every root that a public programme carried or blocked. Made by tools/build_baseline.py;",
        "# sha256 is of baseline.json.",
        'name = "baseline"',
        'source = "trust_stores_observatory"',
        f'source_url = "{read.source}"',
        f'licence = "{LICENCE}"',
        f'date = "{read.snapshot}"',
        f'sha256 = "{sha256(content).hexdigest()}"',
        f"count = {len(roots)}",
    ]
    (HERE / "baseline.toml").write_text("\n".join(meta) + "\n", encoding="utf-8")
    print(f"{len(content)} octets, {counts}")


if __name__ == "__main__":
    main()
