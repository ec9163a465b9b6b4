"""Deleting the raw measurements of old rounds; bundles, logs, receipts and manifests stay for ever."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kzmitm.campaign.bundles import bundles_of, needs_bundle
from kzmitm.campaign.plan import Share
from kzmitm.campaign.share_store import MANIFEST
from kzmitm.campaign.state import CampaignFolder
from kzmitm.evidence.files import replace_file, sync_directory

ROUND_FORMAT: Final = "kzmitm.round/1.0"
_BLOCK: Final = 1 << 20


def forget_raw(folder: CampaignFolder) -> Iterator[Share]:
    """Delete what the campaign does not keep, as the shares are told of; raises OSError.

    A share of which a finding is in no bundle yet stays whole. The manifest tells of a segment that it was
    removed before it is, so that nobody misses one and wonders.
    """
    keep = folder.plan.campaign.store.raw_rounds
    if keep is None:
        return
    for number in sorted(folder.rounds_finished)[:-keep]:
        for share in folder.plan.shares(number):
            place = folder.place(share)
            segments = sorted(place.glob("[0-9]*.jsonl.zst"))
            if not segments or needs_bundle(place, folder.plan.campaign.evidence.targets):
                continue
            _mark_removed(place / MANIFEST, {segment.name for segment in segments})
            for segment in segments:
                segment.unlink()
            sync_directory(place)
            write_round_manifest(folder, number)
            yield share


def _mark_removed(path: Path, names: set[str]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    for each in document["segments"]:
        if each["name"] in names:
            each["removed"] = True
    replace_file(path, [json.dumps(document, indent=1).encode()])


def write_round_manifests(folder: CampaignFolder) -> None:
    """Have a manifest of every finished round; raises OSError."""
    for number in sorted(folder.rounds_finished):
        if not _round_manifest(folder, number).exists():
            write_round_manifest(folder, number)


def write_round_manifest(folder: CampaignFolder, number: int) -> None:
    """Say what a round left: of every share its measurements and bundles, with hashes. Raises OSError."""
    campaign = folder.plan.campaign
    told = [each for each in folder.events() if each.get("round") == number]
    times = {
        name: next((each["at"] for each in told if each.get("event") == event), None)
        for name, event in (("started_at", "round_started"), ("finished_at", "round_finished"))
    }
    document = {
        "format": ROUND_FORMAT,
        "campaign": campaign.name,
        "plan": folder.plan.digest,
        "round": number,
        **times,
        "shares": [_told(folder.place(share), share) for share in folder.plan.shares(number)],
    }
    octets = json.dumps(document, indent=1).encode() + b"\n"
    replace_file(_round_manifest(folder, number), [octets])


def _round_manifest(folder: CampaignFolder, number: int) -> Path:
    return folder.place(folder.plan.shares(number)[0]).parent / MANIFEST


def _told(place: Path, share: Share) -> dict[str, Any]:
    manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    return {
        "vantage": share.vantage,
        "jobs": manifest["jobs"],
        "segments": manifest["segments"],
        "evidence": [
            {"name": path.name, "octets": path.stat().st_size, "sha256": _hash(path)}
            for path in bundles_of(place)
        ],
    }


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
