"""What a scan judges the laboratory by: its public roots as pinned store, the look-alike as known."""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization

from kzmitm.lab.certificates.pki import Credential
from kzmitm.lab.profile import LOOK_ALIKE

BENIGN = ("www.weather.test", "www.maps.test")
"""Names that nobody in the laboratory watches, of other operators than the watched ones."""

LOOK_ALIKE_NAME = "the laboratory's look-alike of Kazakhstan's Qaznet Trust Network"


def write_overlay(folder: Path, known: Credential | None = None, *, name: str = LOOK_ALIKE_NAME) -> None:
    """A registry overlay with the harmless names; it knows the root `known` by certificate and key.

    What the folder held of an earlier overlay is replaced.
    """
    (folder / "authorities").mkdir(parents=True, exist_ok=True)
    (folder / "watchlists").mkdir(exist_ok=True)
    entry = folder / "authorities" / f"{LOOK_ALIKE}.toml"
    if known is None:
        entry.unlink(missing_ok=True)
    else:
        entry.write_text(_authority(known, name))
    (folder / "watchlists" / "controls.toml").write_text(_controls(BENIGN))


def _authority(root: Credential, name: str) -> str:
    """The entry of a root; a text is written as JSON, whose escapes TOML reads as well."""
    certificate = root.certificate
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"""\
id = "{LOOK_ALIKE}"
kind = "state_interception"
country = "KZ"
confidence = "high"
notes = "Made for one run of the laboratory. It is not the authority it looks like, and nothing trusts it."

[names]
en = {json.dumps(name, ensure_ascii=False)}

[[certificates]]
role = "root"
sha256 = "{certificate.fingerprint(hashes.SHA256()).hex()}"
spki_sha256 = "{hashlib.sha256(spki).hexdigest()}"
public_key = "{base64.b64encode(spki).decode()}"
is_ca = true
confidence = "high"
"""


def _controls(benign: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in benign)
    return f"""\
id = "controls"
title = "Names that nobody in the laboratory watches"
sensitive = false
sources = ["made for one run of the laboratory"]
names = [{names}]
"""
