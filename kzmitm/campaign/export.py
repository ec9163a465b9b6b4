"""A campaign as one signed file of data, for places without any link: what it asks, of whom, in which order.

The first line is a JSON document, the rest the signature over that line with its end, as `ssh-keygen`
verifies it. Nothing in it is a command, and nothing that it names is looked for where it is read.
"""

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from kzmitm.campaign import forms
from kzmitm.campaign.allotment import limits_of_process
from kzmitm.campaign.file import parse_campaign
from kzmitm.campaign.forms import FormError
from kzmitm.campaign.plan import Plan
from kzmitm.campaign.sections import CampaignFile, HooksPart, NetworksPart
from kzmitm.campaign.target_table import TargetTable
from kzmitm.errors import UsageError
from kzmitm.evidence.json_reader import UnreadableJSONError, parse_json
from kzmitm.evidence.signing.keys import SigningKey
from kzmitm.evidence.signing.sshsig import PublicKey, SignatureError, sign, verify
from kzmitm.model.target import Target, parse_target

FORMAT: Final = "kzmitm.campaign-export/1.0"
NAMESPACE: Final = "kzmitm-campaign@v1"
MAX_EXPORT: Final = 128 << 20
"""Octets: some millions of targets."""
_BEGIN: Final = b'{"format":"kzmitm.campaign-export/'


@dataclass(frozen=True, slots=True)
class Exported:
    """A signed campaign: its file's octets, its plan, and who signed it."""

    octets: bytes
    plan: Plan
    key: PublicKey


def is_export(octets: bytes) -> bool:
    return octets.startswith(_BEGIN)


def export_octets(file: bytes, plan: Plan, key: SigningKey) -> bytes:
    """The signed file of a plan that came of a campaign file."""
    document = {
        "format": FORMAT,
        "name": plan.campaign.name,
        "plan": plan.digest,
        "file": file.decode(),
        "targets": [str(each) for each in plan.targets],
        "controls": [str(each) for each in plan.controls],
        "key": key.public.line,
    }
    line = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
    if len(line) > MAX_EXPORT:
        raise UsageError(
            "the campaign is larger than {max_export} MiB", hint="make two of it", max_export=MAX_EXPORT >> 20
        )
    return line + sign(line, key.private, NAMESPACE)


def parse_export(octets: bytes, name: str) -> Exported:
    """The campaign in a signed file called `name`, unaltered; whose key it is, others must know.

    Raises UsageError.
    """
    if len(octets) > MAX_EXPORT + 4096:
        raise UsageError("{name}: larger than {max_export} MiB", name=name, max_export=MAX_EXPORT >> 20)
    line, end, signature = octets.partition(b"\n")
    try:
        key = verify(line + end, signature, NAMESPACE)
        document = parse_json(line, max_bytes=MAX_EXPORT, floats=False)
        plan, file = _plan(document, name)
    except SignatureError as exc:
        raise UsageError(
            "{name}: its signature does not hold: {why}", hint="fetch it again", name=name, why=exc
        ) from None
    except (UnreadableJSONError, FormError) as exc:
        raise UsageError("{name}: no signed campaign: {why}", name=name, why=exc) from None
    if document.get("plan") != plan.digest or document.get("key") != key.line:
        raise UsageError("{name}: does not hold the plan or key that it tells of", name=name)
    return Exported(file, plan, key)


def _plan(document: Any, name: str) -> tuple[Plan, bytes]:
    if not isinstance(document, dict) or not isinstance(document.get("file"), str):
        raise FormError("the file is missing")
    file = document["file"].encode()
    campaign = harmless_campaign(parse_campaign(file, name=name))
    targets, controls = (TargetTable(_targets(document.get(key), key)) for key in ("targets", "controls"))
    return Plan(campaign, targets, controls), file


def _targets(value: Any, key: str) -> list[Target]:
    if not isinstance(value, list):
        raise FormError("{key}: must be a list", key=key)
    try:
        return [parse_target(forms.text(each)) for each in value]
    except ValueError as exc:
        raise FormError("{key}: {why}", key=key, why=exc) from None


def harmless_campaign(campaign: CampaignFile) -> CampaignFile:
    """A stranger's campaign without what would act here: commands, addresses to call, files to read."""
    return replace(
        campaign,
        hooks=HooksPart(),
        networks=NetworksPart(),
        controls=replace(campaign.controls, file=None),
    )


def of_one_vantage(plan: Plan, vantage: str, uri: str) -> Plan:
    """The same plan for one place alone, by the way that this place names; raises UsageError.

    Its jobs are those that the whole plan has for it, and its limits its part of what all may do together.
    """
    campaign = plan.campaign
    part = next((each for each in campaign.vantages if each.name == vantage), None)
    if part is None:
        known = ", ".join(each.name for each in campaign.vantages)
        raise UsageError(
            "--vantage: {name} has no {vantage}",
            hint="its vantages: {known}",
            name=campaign.name,
            vantage=vantage,
            known=known,
        )
    limits = limits_of_process(campaign, part)
    here = replace(
        part,
        uri=uri,
        workers=1,
        concurrency=limits.vantage_concurrency,
        rate=limits.vantage_rate,
    )
    return Plan(replace(campaign, vantages=(here,), limits=limits), plan.targets, plan.controls)
