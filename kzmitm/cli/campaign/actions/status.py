"""Say how far a campaign is, and what it found."""

import argparse

from kzmitm.cli.campaign.opening import open_folder
from kzmitm.cli.campaign.telling import exit_of, state_document
from kzmitm.cli.parser import filled_path
from kzmitm.cli.sources import registry_of
from kzmitm.cli.terminal import print_json, print_lines
from kzmitm.report.campaign import status_lines


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER|FILE", type=filled_path, help="the campaign's folder, or its file")
    add("--json", action="store_true", help="one document (kzmitm.campaign-status/1.0) on stdout")
    parser.epilog = "Exit code 1: interception was found; 3: targets are left."


def run(args: argparse.Namespace) -> int:
    _, folder = open_folder(args.folder, registry_of([]))
    document = state_document(folder)
    if args.json:
        print_json(document)
    else:
        print_lines(status_lines(document["shares"], paused=document["paused"]))
    return exit_of(document, complete=len(document["rounds_finished"]) == document["rounds"])
