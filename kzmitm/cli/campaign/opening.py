"""From a campaign file to its plan, its folder and what it runs with."""

from dataclasses import dataclass
from pathlib import Path

from kzmitm import __version__
from kzmitm.campaign.export import is_export, parse_export
from kzmitm.campaign.file import CampaignFileError, mistake_at, parse_campaign
from kzmitm.campaign.places import places
from kzmitm.campaign.plan import Plan
from kzmitm.campaign.sections import CampaignFile
from kzmitm.campaign.state import CampaignFolder, Versions, kept_tables, read_folder
from kzmitm.cli.campaign.naming import Naming
from kzmitm.cli.folders import campaigns_folder
from kzmitm.errors import UsageError
from kzmitm.evidence.signing.sshsig import PublicKey
from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore
from kzmitm.verdict.engine import RULES_VERSION
from kzmitm.wording import reason_of


@dataclass(frozen=True, slots=True)
class Opened:
    """A campaign file that was read and checked, with all that it names."""

    octets: bytes
    campaign: CampaignFile
    plan: Plan
    sensitive: tuple[str, ...]
    """Those of its lists that expose who asks for them."""
    signer: PublicKey | None = None
    """Who signed it, where it is a signed file of data; whether to trust that key is still to be asked."""


def open_file(path: Path, registry: Registry, *, is_to_run: bool = False) -> Opened:
    """The campaign in a file; what it names is looked for beside it. Raises UsageError.

    What only a run needs is looked at if it `is_to_run`: elsewhere there may be no such way out.
    """
    try:
        octets = path.read_bytes()
    except OSError as exc:
        raise UsageError("{path}: {why}", path=path, why=reason_of(exc)) from None
    return open_octets(octets, path.parent, str(path), registry, is_to_run=is_to_run)


def open_octets(
    octets: bytes, beside: Path, name: str, registry: Registry, *, is_to_run: bool = False
) -> Opened:
    """The campaign in these octets of a file called `name`."""
    if is_export(octets):
        exported = parse_export(octets, name)
        return Opened(octets, exported.plan.campaign, exported.plan, (), exported.key)
    campaign = parse_campaign(octets, name=name)
    naming = Naming(campaign, beside, registry)
    targets, controls = naming.targets(), naming.controls()
    if is_to_run:
        naming.ways()
    if naming.wrong:
        lines = places(octets.decode("utf-8-sig"))
        found = [mistake_at(path, what, lines) for path, what in naming.wrong]
        raise CampaignFileError(name, tuple(sorted(found, key=lambda each: each.line)))
    plan = Plan(campaign, targets.sampled(campaign.targets.sample, campaign.seed), controls)
    return Opened(octets, campaign, plan, tuple(naming.sensitive))


def folder_of(opened: Opened, out: Path | None) -> CampaignFolder:
    """Where the campaign lies: the folder the user named, or one of this user's data."""
    return CampaignFolder(out or campaigns_folder() / opened.campaign.name, opened.plan)


def open_folder(folder: Path, registry: Registry) -> tuple[Opened, CampaignFolder]:
    """A campaign by its folder, or by the file that began it; raises UsageError."""
    if folder.is_file():
        opened = open_file(folder, registry)
        return opened, folder_of(opened, None)
    octets, first = read_folder(folder)
    opened = _kept(octets, folder) or open_octets(octets, folder, str(folder), registry)
    if opened.plan.digest != first.get("plan"):
        raise UsageError(
            "{folder}: its file or targets are not those that it began with",
            hint="restore them from a copy",
            folder=folder,
        )
    return opened, CampaignFolder(folder, opened.plan)


def _kept(octets: bytes, folder: Path) -> Opened | None:
    """The campaign with the targets that it began with, wherever its lists are by now."""
    tables = None if is_export(octets) else kept_tables(folder)
    if tables is None:
        return None
    campaign = parse_campaign(octets, name=str(folder))
    return Opened(octets, campaign, Plan(campaign, *tables), ())


def versions_of(registry: Registry, store: TrustStore) -> Versions:
    return Versions(RULES_VERSION, registry.version, store.sha256, __version__)
