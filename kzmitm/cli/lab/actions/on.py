"""Switch a profile on, in place of what was on."""

import argparse

from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.options import add_json, add_name, add_settings, running, settings_of
from kzmitm.cli.lab.telling import tell_status


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile", metavar="PROFILE", help="one of `kzmitm lab profiles`")
    add_settings(parser)
    add_name(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    given = settings_of(args.settings)
    with running(args) as lab:
        lab.switch_on(args.profile, given)
        tell_status(lab.status, as_json=args.json)
    return Exit.OK
