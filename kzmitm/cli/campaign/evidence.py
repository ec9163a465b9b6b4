"""What the bundles of a campaign are made with: its key, its judge, this computer."""

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kzmitm.campaign.allotment import WORKER_URI
from kzmitm.campaign.bundles import NO_ENVIRONMENT, Means
from kzmitm.campaign.plan import Share
from kzmitm.campaign.sections import CampaignFile
from kzmitm.cli.folders import keys_folder
from kzmitm.cli.judging import chain_of, judged_target
from kzmitm.cli.saving import environment_here
from kzmitm.cli.signing import say_fingerprint
from kzmitm.evidence.environment import annotations
from kzmitm.evidence.signing.keys import SigningKey, campaign_key
from kzmitm.model.certificate import Certificate
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Verdict
from kzmitm.report.text import explanation_sentence
from kzmitm.verdict.handshake import HandshakeFacts
from kzmitm.verdict.judge import Judge


def key_name(campaign: CampaignFile) -> str:
    """The name of the key that signs what a campaign found, as a scan calls its keys."""
    return campaign.name.replace("_", "-").strip("-")


def means_of(campaign: CampaignFile, judge: Callable[[], Judge]) -> Means:
    """What its bundles are made with. The key is made once there is something to sign."""
    here = {each.name for each in campaign.vantages if each.uri != WORKER_URI}

    def explain(
        measurement: Measurement, verdict: Verdict, about: HandshakeFacts | None
    ) -> tuple[Sequence[Certificate], str]:
        return chain_of(about), explanation_sentence(judged_target(measurement, verdict, about))

    def environment(share: Share) -> Mapping[str, Any]:
        return environment_here() if share.vantage in here else NO_ENVIRONMENT

    return Means(
        judge=judge,
        key=lambda: _key(key_name(campaign)),
        signs_as=key_name(campaign),
        explain=explain,
        annotations=annotations(
            platform=sys.platform, machine=platform.machine(), android=hasattr(sys, "getandroidapilevel")
        ),
        environment=environment,
    )


def _key(name: str) -> SigningKey:
    key, is_new = campaign_key(keys_folder(), name)
    if is_new:
        say_fingerprint(key, name)
    return key
