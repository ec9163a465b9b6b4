"""What a corpus is to be judged by: its public roots as the pinned store, its look-alikes in the registry."""

import base64
import hashlib
import re
import textwrap
from pathlib import Path

from corpora.authorities import published, published_roots
from corpora.minting import Issuer
from corpora.scene import World, world_of
from corpora.sites import FINGERPRINTS

AUTHORITY = "authorities/kz-isca.toml"
OBSERVATION = "observations/ooni-2024-intermediates.toml"


def public_certificates(seed: int) -> tuple[list[bytes], list[bytes]]:
    """The public roots and the intermediates that a seed's genuine chains hang on, as DER."""
    public = world_of(seed).public
    return [root.der for root in public.roots], [one.der for one in (*public.issuers, public.new_issuer)]


def write_store(world: World, out: Path) -> None:
    """What a browser brings with it: `store.pem`, its roots, and `intermediates.pem`, those it preloads.

    Without the latter nothing tells that the one stored leaf of a captive portal is of a public authority.
    """
    for name, ders in zip(("store.pem", "intermediates.pem"), public_certificates(world.seed), strict=True):
        (out / name).write_text("".join(map(_pem, ders)))


def write_overlay(world: World, folder: Path) -> None:
    """A registry overlay (`--fingerprints`): ISCA's entry, which knows the four look-alike roots as well.

    The seven certificates that OONI published, known by SHA-1 alone, are replaced by their look-alikes.
    """
    authority = (FINGERPRINTS / AUTHORITY).read_text()
    observation = (FINGERPRINTS / OBSERVATION).read_text()
    for real, like in zip(published(), world.look_alikes.published, strict=True):
        sha1 = hashlib.sha1(like.der, usedforsecurity=False).hexdigest()
        authority = authority.replace(real["sha1"], sha1)
        observation = observation.replace(real["sha1"], sha1)
    for (sha256, _start, _end), root in zip(published_roots(), world.look_alikes.roots, strict=True):
        ours = hashlib.sha256(root.der).hexdigest()
        observation = observation.replace(sha256, ours)
        authority = re.sub(rf'(?m)^(signed_by_sha256 = "){sha256}"', rf'\g<1>{ours}"', authority)
    for name, text in (
        (AUTHORITY, authority + "".join(map(_entry, world.look_alikes.roots))),
        (OBSERVATION, observation),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _entry(root: Issuer) -> str:
    key = "\n".join(textwrap.wrap(base64.b64encode(root.spki).decode(), 96))
    return f"""
# Made for a corpus: it bears the name and nothing else of the authority.
[[certificates]]
role = "root"
sha256 = "{hashlib.sha256(root.der).hexdigest()}"
sha1 = "{hashlib.sha1(root.der, usedforsecurity=False).hexdigest()}"
spki_sha256 = "{hashlib.sha256(root.spki).hexdigest()}"
is_ca = true
confidence = "high"
public_key = \"\"\"
{key}
\"\"\"
"""


def _pem(der: bytes) -> str:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
