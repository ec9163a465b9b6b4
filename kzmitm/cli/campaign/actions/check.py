"""Explain a campaign file: what it asks, how long, how much, who sees it; mistakes by line. Sends nothing."""

import argparse
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from kzmitm.campaign.allotment import WORKER_URI, weights_of
from kzmitm.campaign.estimate import estimate
from kzmitm.campaign.file import CampaignFileError
from kzmitm.cli.campaign.opening import Opened, open_file
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled_path
from kzmitm.cli.sources import registry_of
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.netio.doh import DEFAULT_SERVERS
from kzmitm.netio.vantage import open_vantage
from kzmitm.report.campaign import plan_lines


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", type=filled_path, help="a campaign (TOML); examples/*.toml show how")
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--json", action="store_true", help="one document (kzmitm.campaign-plan/1.0) on stdout")


def run(args: argparse.Namespace) -> int:
    try:
        opened = open_file(args.file, registry_of(args.fingerprints), is_to_run=True)
    except CampaignFileError as exc:
        for mistake in exc.mistakes:
            say(f"{args.file}:{mistake}")
        return Exit.USAGE
    told = document(opened)
    if args.json:
        print_json(told)
    else:
        print_lines(plan_lines(told))
    return Exit.OK


def _kind(uri: str) -> str:
    return "worker" if uri == WORKER_URI else open_vantage(uri).vantage.kind


def _has_workers(opened: Opened) -> bool:
    return weights_of(opened.campaign.vantages).remote > 0


def _asked_besides(opened: Opened) -> dict[str, str | None]:
    """Who else hears of the campaign: hosts alone, as the rest of an address may be a secret."""
    campaign = opened.campaign
    resolver = DEFAULT_SERVERS[0] if campaign.collect.doh else None
    addresses = {
        "resolver": resolver, "location": campaign.networks.locate, "webhook": campaign.hooks.webhook,
    }  # fmt: skip
    return {name: urlsplit(url).hostname if url else None for name, url in addresses.items()}


def document(opened: Opened) -> dict[str, Any]:
    """The plan as one document; the addresses and passwords of vantages are not in it."""
    plan, campaign = opened.plan, opened.campaign
    return {
        "schema": "kzmitm.campaign-plan/1.0",
        "version": 1,
        "name": campaign.name,
        "description": campaign.description,
        "plan": plan.digest,
        "targets": len(plan.targets),
        "controls": plan.controls_per_share,
        "sensitive": list(opened.sensitive),
        "rounds": campaign.rounds.count,
        "vantages": [{"name": each.name, "kind": _kind(each.uri)} for each in campaign.vantages],
        "contact": campaign.contact,
        "start": campaign.rounds.start.isoformat() if campaign.rounds.start else None,
        "every_s": campaign.rounds.every,
        "limits": asdict(campaign.limits),
        "places": weights_of(campaign.vantages).total if _has_workers(opened) else 1,
        "evidence": asdict(campaign.evidence),
        "store": asdict(campaign.store),
        "asked_besides": _asked_besides(opened),
        "estimate": asdict(estimate(plan)),
    }
