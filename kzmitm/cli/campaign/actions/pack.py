"""Make one signed file of the results in a campaign's folder, to be brought to whoever merges them."""

import argparse

from kzmitm.campaign.packing import pack
from kzmitm.campaign.state import read_folder
from kzmitm.cli.campaign.actions.export import signing_key
from kzmitm.cli.campaign.opening import open_folder
from kzmitm.cli.campaign.running import alone
from kzmitm.cli.exits import Exit
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import registry_of
from kzmitm.cli.terminal import print_lines, say
from kzmitm.report.language import ngettext
from kzmitm.report.line import Line


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="FOLDER", type=filled_path, help="the campaign's folder")
    add("--sign-with", metavar="CAMPAIGN|FILE", type=filled,
        help="the key that signs it (default: that of the campaign's name)")  # fmt: skip
    add("--out", metavar="FILE", type=filled_path, required=True, help="the file to write, as share.zip")


def run(args: argparse.Namespace) -> int:
    read_folder(args.folder)
    opened, folder = open_folder(args.folder, registry_of([]))
    key = signing_key(args.sign_with or opened.campaign.name.replace("_", "-"))
    with alone(folder):
        count = pack(folder.folder, args.out, key)
    say(
        ngettext("{count} file, signed by {key}", "{count} files, signed by {key}", count).format(
            count=count, key=key.public.line
        )
    )
    print_lines([Line(str(args.out))])
    return Exit.OK
