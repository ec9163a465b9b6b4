"""Take away what is switched on."""

import argparse

from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.options import add_json, add_name, running
from kzmitm.cli.lab.telling import tell_status


def configure(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    with running(args) as lab:
        lab.switch_off()
        tell_status(lab.status, as_json=args.json)
    return Exit.OK
