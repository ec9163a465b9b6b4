"""End the laboratory; nothing of it is left."""

import argparse

from kzmitm.cli.exits import Exit
from kzmitm.cli.lab.options import add_name, running


def configure(parser: argparse.ArgumentParser) -> None:
    add_name(parser)


def run(args: argparse.Namespace) -> int:
    with running(args) as lab:
        lab.down()
    return Exit.OK
