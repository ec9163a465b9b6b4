"""Let a paused campaign go on."""

import argparse

from kzmitm.cli.campaign.opening import open_folder
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled_path
from kzmitm.cli.sources import registry_of
from kzmitm.cli.terminal import say
from kzmitm.report.language import _


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="FOLDER|FILE", type=filled_path, help="the campaign's folder, or file"
    )


def run(args: argparse.Namespace) -> int:
    _opened, folder = open_folder(args.folder, registry_of([]))
    folder.pause(paused=False)
    say(
        _("{folder} goes on where it runs; kzmitm campaign run FILE starts it elsewhere").format(
            folder=folder.folder
        )
    )
    return Exit.OK
