"""The keys of this user, and what killed scans left, which is signed with them at the next start."""

from pathlib import Path

from kzmitm.cli.folders import home, keys_folder
from kzmitm.cli.terminal import say
from kzmitm.evidence.files import remove_parts
from kzmitm.evidence.journal import Signing
from kzmitm.evidence.recovery import recover
from kzmitm.evidence.signing.keys import DEFAULT_CAMPAIGN, SigningKey, campaign_key, key_from_seed
from kzmitm.report.language import _
from kzmitm.report.safe import harmless


def key_of(signing: Signing) -> SigningKey:
    """The key that a journal is to be signed with; made again if it was deleted meanwhile."""
    if signing.seed is not None:
        return key_from_seed(signing.seed)
    key, _is_new = campaign_key(keys_folder(), signing.campaign or DEFAULT_CAMPAIGN)
    return key


def say_fingerprint(key: SigningKey, campaign: str) -> None:
    """Tell of a key that was made just now."""
    say(
        _("A new key signs the results of the campaign {campaign}:").format(campaign=campaign)
        + f" {key.public.fingerprint}"
    )
    say(_("Give this fingerprint to those who are to know your results; it is not shown again."))


def recover_and_say(folder: Path) -> None:
    """Make bundles of what killed scans left in a folder, and delete what else was left half-written."""
    for own in (home(), keys_folder()):
        remove_parts(own)
    for found in recover(folder, key_of):
        if found.bundle is not None:
            say(
                _("a scan that was interrupted is kept as {bundle}").format(
                    bundle=harmless(str(found.bundle), 4096)
                )
            )
        else:
            say(
                _("no result could be made of what an interrupted scan left in {folder}: {why}").format(
                    folder=harmless(str(found.journal), 4096), why=harmless(_(found.why))
                )
            )
