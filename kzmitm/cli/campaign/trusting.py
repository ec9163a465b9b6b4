"""Whose signed campaigns and shares are taken: those of keys that the user names or knows."""

from datetime import datetime

from kzmitm.cli.folders import known_signers_file
from kzmitm.errors import UsageError
from kzmitm.evidence.signing.known_signers import read_known_signers
from kzmitm.evidence.signing.sshsig import PublicKey


def demand_known(key: PublicKey, namespace: str, expected: str | None, *, name: str, now: datetime) -> None:
    """Raise UsageError unless the key is the one expected (`SHA256:…` or `ssh-ed25519 …`), or a known one."""
    if expected is not None:
        if expected.strip() not in (key.fingerprint, key.line):
            raise UsageError(
                "{name}: signed by another key, {fingerprint}", name=name, fingerprint=key.fingerprint
            )
        return
    if not read_known_signers(known_signers_file()).names_of(key, namespace, now):
        raise UsageError(
            "{name}: signed by a key that is not known here, {fingerprint}",
            hint="ask its owner by another way whether that is theirs, then give --signer with it",
            name=name,
            fingerprint=key.fingerprint,
        )
