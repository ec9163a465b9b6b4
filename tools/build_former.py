"""Writes fingerprints/authorities/former-public-roots.toml: the roots that Mozilla's list had and dropped.

    .venv/bin/python tools/build_former.py certifi-*/certifi/cacert.pem

Each file lies as its release of certifi unpacks, so that the path tells the release. Left out are roots

- whose certificate or key the pinned store has: nothing is wrong with them;
- whose key is too weak to be its owner's alone;
- that were in the list only in releases that are not given.

`public_until` is the day of the last release given that has the root, or its key in another certificate: the
list dropped it later, so that nothing is taken for public that was not. `carried_by` are the programmes that
trust it all the same, if none blocks it, by baseline.json. All else is computed from the certificates.
"""

import base64
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from build_baseline import HERE as TRUSTSTORE
from build_baseline import release, released

from kzmitm.model.certificate import Certificate, Name
from kzmitm.pki.baseline import Baseline, read_baseline
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.patterns import name_text
from kzmitm.roots.pem import read_certificates

AUTHORITIES = TRUSTSTORE.parent / "authorities"
MIN_BITS = {"rsa": 2048, "ec": 256}
"""Of a key that nobody else can have found: RSA of 1024 bits has long been thought in a state's reach."""
PROGRAMMES = ("apple", "google_aosp", "microsoft_windows")
"""Those beside Mozilla that look after their authorities; the others of the collection copy lists."""
INCIDENTS = {
    "1c01c6f4dbb2fefc22558b2bca32563f49844acfc32b7be4b0ff599f9e8c7af7": "cnnic-mcs",
    "e28393773da845a679f2080cc7fb44a3b7a1c3792cb7eb7729fdcb6a8d99aea7": "cnnic-mcs",
}
"""Roots below which an authority of the registry was misused."""

HEAD = '''# Roots that Mozilla's list had and dropped. Made by tools/build_former.py; do not edit it.
# Between {first} and {last}: releases of certifi. carried_by: baseline.json of {snapshot}.

id = "former-public-roots"
kind = "former_ca"
confidence = "high"
notes = """\\
Public authorities of once. A site that never changed its certificate shows one of theirs, and no browser \\
takes it. Some ended, some were dropped for what they had signed, some because their roots are old; others \\
are carried elsewhere still. public_until is the last release that was looked at and has the root: what an \\
authority signed later, it signed as anybody may. Roots with keys below 2048 bits are left out: somebody \\
else may have them by now.\\
"""
sources = [
  "https://github.com/certifi/python-certifi",
  "https://github.com/nabla-c0d3/trust_stores_observatory",
]

[names]
en = "A former public authority"
'''


@dataclass(slots=True)
class Former:
    """A dropped root, and the day of the last release that has its key."""

    certificate: Certificate
    until: date


def main(paths: Iterable[Path]) -> None:
    """Writes the file."""
    in_order = sorted(paths, key=released)
    collected = read_baseline((TRUSTSTORE / "baseline.json").read_bytes(), name="baseline.json")
    found = sorted(dropped(in_order), key=lambda one: (one.until, one.certificate.sha256))
    head = HEAD.format(first=release(in_order[0]), last=release(in_order[-1]), snapshot=collected.snapshot)
    text = head + "".join(f"\n{entry(one, collected)}" for one in found)
    tomllib.loads(text)
    (AUTHORITIES / "former-public-roots.toml").write_text(text, encoding="utf-8")
    print(f"{len(found)} roots, {len(text.encode())} octets")


def dropped(paths: Iterable[Path]) -> Iterator[Former]:
    """The roots of these files that the pinned store lacks, by certificate and by key."""
    cache = CertificateCache()
    roots: dict[str, Certificate] = {}
    until: dict[str | None, date] = {}
    for path in paths:
        for found in read_certificates(path.read_bytes()).certificates:
            root = cache.parse(found.der)
            roots[root.sha256] = root
            until[root.spki_sha256] = released(path)
    pinned = {
        cache.parse(found.der).spki_sha256
        for found in read_certificates((TRUSTSTORE / "mozilla.pem").read_bytes()).certificates
    }
    for root in roots.values():
        key = root.public_key
        if (
            root.spki_sha256 not in pinned
            and key is not None
            and key.bits >= MIN_BITS.get(key.kind, sys.maxsize)
        ):
            yield Former(root, until[root.spki_sha256])


def entry(former: Former, collected: Baseline) -> str:
    """A root as the registry writes it."""
    root = former.certificate
    key = CertificateCache().anatomy(root).spki
    lines = [
        "[[certificates]]",
        'role = "root"',
        f"name = {quoted(short_name(root.subject))}",
        f"subject = {quoted(name_text(root.subject))}",
        f'sha256 = "{root.sha256}"',
        f'spki_sha256 = "{root.spki_sha256}"',
    ]
    if root.subject_key_id:
        lines.append(f'subject_key_id = "{root.subject_key_id.hex()}"')
    lines += [
        f"not_before = {root.not_before:%Y-%m-%dT%H:%M:%SZ}",
        f"not_after = {root.not_after:%Y-%m-%dT%H:%M:%SZ}",
        f"public_until = {former.until}",
    ]
    known = collected.roots.get(root.sha256)
    carried = [each for each in PROGRAMMES if known is not None and each in known.trusted_by]
    if carried and known is not None and not known.blocked_by:
        lines.append(f"carried_by = [{', '.join(map(quoted, carried))}]")
    if root.sha256 in INCIDENTS:
        lines.append(f'incident = "{INCIDENTS[root.sha256]}"')
    lines += ['public_key = """', *textwrap.wrap(base64.b64encode(key).decode(), 96), '"""']
    return "\n".join(lines) + "\n"


def short_name(name: Name) -> str:
    """What people call it: its own name, with the organisation's where that does not say it."""
    organization = name.organization or ""
    own = name.common_name or name.first("2.5.4.11") or organization
    if own == organization:
        own = name.first("2.5.4.11") or own
    words = organization.split()
    return own if not words or words[0].strip(",.").lower() in own.lower() else f"{organization}: {own}"


def quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


if __name__ == "__main__":
    main(map(Path, sys.argv[1:]))
