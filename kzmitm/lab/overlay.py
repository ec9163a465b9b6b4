"""What a scan judges the laboratory by: its public root as pinned store, the look-alike as known."""

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization

from kzmitm.lab.laboratory import Lab
from kzmitm.lab.pki import Credential
from kzmitm.lab.profile import LOOK_ALIKE

BENIGN = ("www.weather.test", "www.maps.test")
"""Names that nobody in the laboratory watches, of other operators than the watched ones."""


def write_store(lab: Lab, path: Path) -> None:
    """The laboratory's public root as the only trusted one."""
    path.write_bytes(lab.public_ca.store_pem)


def write_overlay(lab: Lab, folder: Path) -> None:
    """A registry overlay that knows the look-alike root by certificate and key, and the harmless names."""
    (folder / "authorities").mkdir(parents=True)
    (folder / "watchlists").mkdir()
    (folder / "authorities" / f"{LOOK_ALIKE}.toml").write_text(_authority(lab.look_alike.root))
    (folder / "watchlists" / "controls.toml").write_text(_controls())


def _authority(root: Credential) -> str:
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
en = "the laboratory's look-alike of Kazakhstan's Qaznet Trust Network"

[[certificates]]
role = "root"
sha256 = "{certificate.fingerprint(hashes.SHA256()).hex()}"
spki_sha256 = "{hashlib.sha256(spki).hexdigest()}"
public_key = "{base64.b64encode(spki).decode()}"
is_ca = true
confidence = "high"
"""


def _controls() -> str:
    names = ", ".join(f'"{name}"' for name in BENIGN)
    return f"""\
id = "controls"
title = "Names that nobody in the laboratory watches"
sensitive = false
sources = ["made for one run of the laboratory"]
names = [{names}]
"""
