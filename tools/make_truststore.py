"""Writes fingerprints/truststore/: the pinned snapshot of public roots, from the installed certifi.

    .venv/bin/python tools/make_truststore.py [--date YYYY-MM-DD]

certifi carries Mozilla's list of roots trusted for TLS servers. The date is that of the certifi
release, which its version says.
"""

import argparse
import ssl
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from textwrap import wrap

import certifi

from kzmitm.model.certificate import Certificate
from kzmitm.pki.store import parse_store

HERE = Path(__file__).parent.parent / "fingerprints" / "truststore"


def block(anchor: Certificate) -> str:
    """One anchor: what it is in comments, then its PEM."""
    until = f"{anchor.not_after:%Y-%m-%d}" if anchor.not_after else "?"
    comment = [
        f"# {anchor.subject}",
        f"# SHA-256 of the certificate: {anchor.sha256}",
        f"# SHA-256 of the key: {anchor.spki_sha256}",
        f"# {anchor.public_key}, until {until}",
    ]
    return "\n".join([*comment, ssl.DER_cert_to_PEM_cert(anchor.der)])


def main() -> None:
    """Writes mozilla.pem and mozilla.toml, sorted by subject, so that a new snapshot is a small diff."""
    parser = argparse.ArgumentParser(description=__doc__)
    release = version("certifi")
    parser.add_argument("--date", default="-".join(f"{int(p):02}" for p in release.split(".")[:3]))
    date = parser.parse_args().date
    store = parse_store(Path(certifi.where()).read_bytes(), name="mozilla", version=release, date=date)
    anchors = sorted(store.anchors, key=lambda anchor: (str(anchor.subject).casefold(), anchor.sha256))
    pem = "\n".join(block(anchor) for anchor in anchors).encode()
    HERE.mkdir(parents=True, exist_ok=True)
    (HERE / "mozilla.pem").write_bytes(pem)
    about = wrap(
        "Public roots trusted for TLS servers by Mozilla, as certifi ships them. "
        "Made by tools/make_truststore.py; sha256 is of mozilla.pem.",
        100,
    )
    meta = [
        *(f"# {line}" for line in about),
        'name = "mozilla"',
        f'source = "certifi {release}"',
        'source_url = "https://github.com/certifi/python-certifi"',
        f'version = "{release}"',
        f'date = "{date}"',
        f'sha256 = "{sha256(pem).hexdigest()}"',
        f"count = {len(anchors)}",
    ]
    (HERE / "mozilla.toml").write_text("\n".join(meta) + "\n", encoding="utf-8")
    print(f"{len(anchors)} anchors of certifi {release}, {date}")


if __name__ == "__main__":
    main()
