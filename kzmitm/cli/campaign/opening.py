"""From a campaign file to its plan, its folder and what it runs with."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from kzmitm import __version__
from kzmitm.campaign.export import is_export, parse_export
from kzmitm.campaign.file import parse_campaign
from kzmitm.campaign.plan import Plan
from kzmitm.campaign.sections import CampaignFile
from kzmitm.campaign.state import CampaignFolder, Versions, kept_tables, read_folder
from kzmitm.campaign.target_table import TargetTable
from kzmitm.cli.folders import home
from kzmitm.cli.targets import CONTROLS
from kzmitm.errors import UsageError
from kzmitm.evidence.signing.sshsig import PublicKey
from kzmitm.model.target import Target
from kzmitm.pki.registry import Registry
from kzmitm.pki.store import TrustStore
from kzmitm.targets import parse_targets, read_targets
from kzmitm.verdict.engine import RULES_VERSION

CAMPAIGNS = "campaigns"


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


def open_file(path: Path, registry: Registry) -> Opened:
    """The campaign in a file; what it names is looked for beside it. Raises UsageError."""
    try:
        octets = path.read_bytes()
    except OSError as exc:
        raise UsageError(f"{path}: {exc.strerror or exc}") from None
    return open_octets(octets, path.parent, str(path), registry)


def open_octets(octets: bytes, beside: Path, name: str, registry: Registry) -> Opened:
    """The campaign in these octets of a file called `name`."""
    if is_export(octets):
        exported = parse_export(octets, name)
        return Opened(octets, exported.plan.campaign, exported.plan, (), exported.key)
    campaign = parse_campaign(octets, name=name)
    targets, sensitive = _targets(campaign, beside, name, registry)
    controls = campaign.controls.names or registry.watchlists[CONTROLS].names
    plan = Plan(
        campaign,
        targets.sampled(campaign.targets.sample, campaign.seed),
        TargetTable(parse_targets(controls)),
    )
    return Opened(octets, campaign, plan, sensitive)


def _targets(
    campaign: CampaignFile, beside: Path, name: str, registry: Registry
) -> tuple[TargetTable, tuple[str, ...]]:
    parts: list[Target] = []
    sensitive = []
    for each in campaign.targets.lists:
        watched = registry.watchlists.get(each)
        if watched is None:
            known = ", ".join(registry.watchlists)
            raise UsageError(f"{name}: targets.lists: no list is called {each}", hint=f"lists: {known}")
        if watched.sensitive:
            sensitive.append(each)
        parts += parse_targets(watched.names)
    if sensitive and not campaign.targets.sensitive:
        raise UsageError(
            f"{name}: targets.lists: {sensitive[0]} exposes who asks for it",
            hint="set targets.sensitive = true if you know what you do",
        )
    parts += parse_targets(campaign.targets.names)
    lists = [read_targets(beside / each) for each in campaign.targets.files]
    return TargetTable(chain(parts, *lists)), tuple(sensitive)


def folder_of(opened: Opened, out: Path | None) -> CampaignFolder:
    """Where the campaign lies: the folder the user named, or one of this user's data."""
    return CampaignFolder(out or home() / CAMPAIGNS / opened.campaign.name, opened.plan)


def open_folder(folder: Path, registry: Registry) -> tuple[Opened, CampaignFolder]:
    """A campaign by its folder, or by the file that began it; raises UsageError."""
    if folder.is_file():
        opened = open_file(folder, registry)
        return opened, folder_of(opened, None)
    octets, first = read_folder(folder)
    opened = _kept(octets, folder) or open_octets(octets, folder, str(folder), registry)
    if opened.plan.digest != first.get("plan"):
        raise UsageError(
            f"{folder}: its file or targets are not those that it began with", hint="restore them from a copy"
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
