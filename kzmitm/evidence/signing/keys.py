"""Keys that sign bundles: one per campaign by default, since a key that stays is an identifier."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)

from kzmitm.errors import BundleError, UsageError
from kzmitm.evidence.files import create_file, make_folder, read_regular
from kzmitm.evidence.layout import is_safe_path
from kzmitm.evidence.signing.sshsig import PublicKey, public_half

SUFFIX = ".key"
MAX_KEY_FILE = 1 << 14
"""Octets: an Ed25519 key has 400, with a long comment."""
DEFAULT_CAMPAIGN = "default"

_CAMPAIGN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the name under which it signs."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        return public_half(self.private)

    @property
    def name(self) -> str:
        """`signer-<16 hex>`: is in every bundle, so that a bundle under this name by another key is noticed.

        It follows from the private key alone, so others can bear it only by copying it.
        """
        seed = self.private.private_bytes_raw()
        return f"signer-{hashlib.sha256(b'kzmitm signer name' + seed).hexdigest()[:16]}"


def new_key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


def key_from_seed(seed: bytes) -> SigningKey:
    """The key of 32 octets (RFC 8032, 5.1.5)."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(seed))


def check_campaign(text: str) -> str:
    """The name of a campaign, which names a file; raises UsageError."""
    if not _CAMPAIGN.fullmatch(text) or not is_safe_path(text):
        raise UsageError(
            "not a name of a campaign: {text}",
            hint="use up to 40 of a-z, 0-9 and - inside",
            text=repr(text[:60]),
        )
    return text


def campaign_key(folder: Path, campaign: str) -> tuple[SigningKey, bool]:
    """The key of a campaign, and whether it was made just now; raises UsageError, OSError."""
    path = folder / f"{check_campaign(campaign)}{SUFFIX}"
    try:
        return load_key(path), False
    except FileNotFoundError:
        pass
    make_folder(folder)
    key = new_key()
    octets = key.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    if not create_file(path, [octets]):
        return load_key(path), False  # another scan made one in this very moment
    return key, True


def load_key(path: Path) -> SigningKey:
    """The Ed25519 key in an OpenSSH file that others cannot read; raises UsageError, FileNotFoundError."""
    try:
        octets = read_regular(path, max_bytes=MAX_KEY_FILE)
    except BundleError as exc:
        raise UsageError("{why}", hint="name the file of a private key", why=exc) from None
    if os.name != "nt" and path.stat().st_mode & 0o077:
        raise UsageError("{path}: others can read this key", hint="chmod 600 {path}", path=path)
    try:
        private = load_ssh_private_key(octets, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(
            "{path}: no private key in OpenSSH's format without a passphrase",
            hint="ssh-keygen -t ed25519",
            path=path,
        ) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError("{path}: no Ed25519 key", hint="ssh-keygen -t ed25519", path=path)
    return SigningKey(private)


def own_keys(folder: Path) -> dict[str, PublicKey]:
    """The public halves of the keys in `folder` by campaign; what is no key is passed over."""
    found: dict[str, PublicKey] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            found[path.name.removesuffix(SUFFIX)] = load_key(path).public
        except (UsageError, OSError):
            continue
    return found
