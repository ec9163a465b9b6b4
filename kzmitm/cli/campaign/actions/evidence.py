"""Make the bundles that a campaign lacks: of shares that were stopped, merged, or that had no room."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from kzmitm.campaign.bundles import make_bundles
from kzmitm.campaign.plan import Share
from kzmitm.campaign.state import CampaignFolder
from kzmitm.cli.campaign.evidence import means_of
from kzmitm.cli.campaign.opening import Opened, open_folder
from kzmitm.cli.campaign.running import alone
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import registry_of, store_of
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.control import Control, read_control
from kzmitm.report.language import _
from kzmitm.report.line import Line
from kzmitm.report.safe import harmless
from kzmitm.verdict.judge import Judge


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER|FILE", type=filled_path, help="the campaign's folder, or its file")
    add(
        "--control", metavar="FILE", type=filled_path, help="the file that the campaign's controls.file names"
    )
    add("--store", metavar="FILE", type=filled,
        help="trust the roots in this PEM file instead of the pinned ones")  # fmt: skip
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add("--json", action="store_true", help="one document (kzmitm.campaign-evidence/1.0) on stdout")
    parser.epilog = "What is in a bundle already is in no other. Prints the bundles that were made."


def run(args: argparse.Namespace) -> int:
    registry, store = registry_of(args.fingerprints), store_of(args.store)
    opened, folder = open_folder(args.folder, registry)
    control = _control(args, opened)
    if not folder.folder.is_dir():
        raise UsageError(
            "{folder}: no campaign is there", hint="kzmitm campaign run FILE begins one", folder=folder.folder
        )
    means = means_of(opened.campaign, lambda: Judge(registry=registry, store=store, control=control))
    made: list[Path] = []
    with alone(folder):
        for share, complete in _begun(folder):
            made += make_bundles(
                share,
                folder.place(share),
                folder.plan,
                means,
                complete=complete,
                is_stopping=lambda: False,
            )
    if args.json:
        print_json(
            {"schema": "kzmitm.campaign-evidence/1.0", "version": 1, "bundles": [str(path) for path in made]}
        )
    elif made:
        print_lines(Line(harmless(str(path), 4096)) for path in made)
    else:
        say(_("no bundle was lacking"))
    return Exit.OK


def _begun(folder: CampaignFolder) -> Iterator[tuple[Share, bool]]:
    """The shares that have results, and whether they have all."""
    for number in range(1, folder.plan.campaign.rounds.count + 1):
        for share in folder.plan.shares(number):
            if folder.place(share).is_dir():
                yield share, not folder.share_state(share).left


def _control(args: argparse.Namespace, opened: Opened) -> Control | None:
    """What a clean place saw, as the run had it: without it verdicts would say less."""
    name = opened.campaign.controls.file
    if args.control is not None:
        return read_control(args.control)
    if name is None:
        return None
    if args.folder.is_dir():
        raise UsageError(
            "the campaign names a control file, {name}", hint="give it with --control", name=name
        )
    return read_control(args.folder.parent / name)
