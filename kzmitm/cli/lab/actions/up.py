"""Bring a laboratory up, to work in until `down`."""

import argparse

from kzmitm.cli import clock
from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.options import add_json, add_loopback, add_name, wants_network
from kzmitm.cli.lab.telling import tell_status
from kzmitm.lab.control.client import start_lab
from kzmitm.lab.products import find_products


def configure(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    add_loopback(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    is_network = wants_network(find_products(), loopback=args.loopback)
    lab = start_lab(args.name, clock.now(), is_network=is_network)
    tell_status(lab.status, as_json=args.json)
    lab.close()
    return Exit.OK
